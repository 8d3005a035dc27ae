// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile streams on the FD of RESUMING, from a generator whose seed is printed and can be
 * given (VFIO_MIG_SEED).
 *
 * A second parser says what write() must answer, and where. Regularly a good stream has to
 * load, and the device to go on. A session costs a reset of the function, which takes
 * 100 ms: so several VFs get streams at a time, and migration_parser_test has the number.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "fuzz/outcome.h"
#include "harness.h"
#include "pair.h"
#include "worker.h"

#define BULK_SIZE	3000
#define BULK_SEED	21
#define ENTRIES		4096
#define VICTIMS		(SIM_MAX_VFS - 1)
/* Sessions of one VF between two good streams. */
#define EVERY		32

/* What the driver of the VFs loads: whole pages below 4 GiB. */
static const struct rules rules = { .max_record = 0xfffff000, .known_tags = 1 };

/**
 * struct victim - a VF that gets hostile streams
 * @device: the VF
 * @engine: its engine
 * @worker: the thread that writes
 * @good: a good stream
 * @next: the number with which the engine goes on after @good
 * @seed: of the generator
 * @number: of the stream that it is at; they follow in steps of VICTIMS
 * @count: number of the first stream that is not to be written
 * @since: when it began with the current one
 * @refused: streams that a write() refused
 * @incomplete: streams that the end of RESUMING refused
 * @loaded: streams that were fine
 * @proved: good streams in between
 * @complaint: what went wrong, if anything
 */
struct victim {
	struct vfio_device device;
	struct engine engine;
	struct worker worker;
	const struct blob *good;
	uint64_t next;
	uint64_t seed;
	unsigned int number;
	unsigned int count;
	uint64_t since;
	unsigned int refused;
	unsigned int incomplete;
	unsigned int loaded;
	unsigned int proved;
	char complaint[200];
};

static long complain(struct victim *victim, const char *what, long seen, long expected)
{
	snprintf(victim->complaint, sizeof(victim->complaint),
		 "stream %u: %s: %ld (%s), not %ld (%s)", victim->number, what, seen,
		 strerror(labs(seen)), expected, strerror(labs(expected)));
	return -1;
}

/**
 * struct writing - a stream on its way into a data FD
 * @stream: the stream
 * @before: bytes that were accepted
 * @tried: bytes of the last write()
 * @error: 0 or what that write() answered
 */
struct writing {
	const struct stream *stream;
	size_t before;
	size_t tried;
	int error;
};

/* One writev() of @length bytes in up to four parts, some of them empty. */
static ssize_t write_parts(int fd, unsigned char *data, size_t length, struct chance *chance)
{
	struct iovec parts[4];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		parts[i].iov_base = data;
		parts[i].iov_len = chance_below(chance, length + 1);
		data += parts[i].iov_len;
		length -= parts[i].iov_len;
	}
	parts[3] = (struct iovec) { .iov_base = data, .iov_len = length };
	return writev(fd, parts, 4);
}

static void write_stream(int fd, struct writing *writing, struct chance *chance)
{
	static const size_t most[] = { 24, 300, 4096, 1 << 20 };
	size_t limit = most[chance_below(chance, ARRAY_SIZE(most))];

	while (!writing->error && writing->before < writing->stream->length) {
		size_t left = writing->stream->length - writing->before;
		unsigned char *data = writing->stream->data + writing->before;
		ssize_t done;

		writing->tried = 1 + chance_below(chance, limit < left ? limit : left);
		done = chance_once_in(chance, 2) ? write(fd, data, writing->tried) :
		       write_parts(fd, data, writing->tried, chance);
		if (done < 0)
			writing->error = -errno;
		else if (!done || done > writing->tried)
			writing->error = -EIO;
		else
			writing->before += done;
	}
}

static bool greeting_differs(const struct victim *victim, const struct stream *stream)
{
	size_t size = sizeof(struct vfio_mig_preamble);

	return stream->length < 16 + size ||
	       memcmp(stream->data + 16, victim->good->data + 16, size);
}

static bool has_event(const struct outcome *outcome, enum event_kind kind)
{
	unsigned int i;

	for (i = 0; i < outcome->count; i++)
		if (outcome->events[i].kind == kind)
			return true;
	return false;
}

/*
 * The second parser knows what is wrong with a stream and where. Before that point the
 * device may refuse an image, and the driver a preamble that is not for it.
 */
static long judge_write(struct victim *victim, const struct writing *writing,
			const struct outcome *expected)
{
	size_t end = writing->before + writing->tried;

	if (writing->error == -EINVAL && has_event(expected, EVENT_COMPLETE))
		return 0;
	if (writing->error == -EOPNOTSUPP && has_event(expected, EVENT_GREETED) &&
	    greeting_differs(victim, writing->stream))
		return 0;
	if (writing->error != expected->error)
		return complain(victim, "write", writing->error, expected->error);
	if (writing->error && (expected->at <= writing->before || expected->at > end))
		return complain(victim, "offset of the error", end, expected->at);
	return 0;
}

/* An error stays: for writers, and for whoever wants to leave RESUMING. */
static long judge_after_error(struct victim *victim, int fd, int error)
{
	int seen = write(fd, victim->good->data, 100) < 0 ? -errno : 0;

	if (seen != error)
		return complain(victim, "write after the error", seen, error);
	seen = __mig_set_state(&victim->device, STATE_STOP, NULL);
	if (seen != error)
		return complain(victim, "STOP after the error", seen, error);
	if (__mig_state(&victim->device) != STATE_RESUMING)
		return complain(victim, "state", mig_state(&victim->device), STATE_RESUMING);
	victim->refused++;
	return 0;
}

/* An image that the device refuses behind the writer is told here if no write came after it. */
static long judge_end(struct victim *victim, const struct outcome *expected)
{
	int seen = __mig_set_state(&victim->device, STATE_STOP, NULL);
	bool refused = seen == -EINVAL && has_event(expected, EVENT_COMPLETE);

	if (expected->end && seen != expected->end && !refused)
		return complain(victim, "STOP", seen, expected->end);
	if (seen && seen != -EBADMSG && seen != -EINVAL)
		return complain(victim, "STOP", seen, 0);
	if (seen)
		victim->incomplete++;
	else
		victim->loaded++;
	return 0;
}

static long one_session(struct victim *victim, const struct stream *stream,
			struct outcome *expected, struct chance *chance)
{
	struct writing writing = { .stream = stream };
	int fd, error = __mig_set_state(&victim->device, STATE_RESUMING, &fd);
	long result;

	if (error)
		return complain(victim, "RESUMING", error, 0);
	reference_run(expected, stream, &rules);
	write_stream(fd, &writing, chance);
	result = judge_write(victim, &writing, expected);
	if (!result && writing.error)
		result = judge_after_error(victim, fd, writing.error);
	else if (!result)
		result = judge_end(victim, expected);
	close(fd);
	error = __vfio_reset(&victim->device);
	if (error)
		return complain(victim, "reset", error, 0);
	return result;
}

/* The device is as good as before: it goes on where the source had stopped. */
static long prove(struct victim *victim)
{
	struct vfio_device *device = &victim->device;
	int error;

	engine_clear_ring(&victim->engine);
	error = __mig_load(device, victim->good, 32768);
	if (error)
		return complain(victim, "good stream", error, 0);
	if (!sim_bulk_matches(device->address, BULK_SIZE, BULK_SEED))
		return complain(victim, "bulk state", 0, 1);
	vfio_bus_master(device, true);
	error = __mig_set_state(device, STATE_RUNNING, NULL) ?:
		__engine_progress(&victim->engine, 3) ?: __engine_stop(&victim->engine);
	if (error)
		return complain(victim, "engine", error, 0);
	if (!engine_ring_holds(&victim->engine, victim->next, engine_next(&victim->engine)))
		return complain(victim, "ring", 0, 1);
	victim->proved++;
	return __vfio_reset(device);
}

static long torment(void *argument)
{
	struct victim *victim = argument;
	struct outcome *expected = malloc(sizeof(*expected));
	unsigned int sessions = 0;
	struct stream stream;
	long result = 0;

	stream.room = 4 * victim->good->length;
	stream.data = malloc(stream.room);
	if (!expected || !stream.data)
		fail("no memory");
	for (; !result && victim->number < victim->count; victim->number += VICTIMS) {
		struct chance chance = chance_of(victim->seed, victim->number);

		__atomic_store_n(&victim->since, now_us(), __ATOMIC_RELAXED);
		memcpy(stream.data, victim->good->data, victim->good->length);
		stream.length = victim->good->length;
		stream_damage(&stream, &chance);
		result = one_session(victim, &stream, expected, &chance);
		if (!result && !(++sessions % EVERY))
			result = prove(victim);
	}
	if (!result)
		result = prove(victim);
	free(stream.data);
	free(expected);
	return result;
}

FIXTURE(sessions)
{
	struct sim sim;
	struct vfio_device source;
	struct engine from;
	struct blob good;
	struct victim victims[VICTIMS];
};

FIXTURE_VARIANT(sessions)
{
	unsigned int count;
	uint64_t chunk_size;
};

/* For chunks each session has full buffers. */
FIXTURE_VARIANT_ADD(sessions, few) { .count = 60, .chunk_size = SIM_CHUNK };
FIXTURE_VARIANT_ADD(sessions, many) { .count = 1500 };

FIXTURE_SETUP(sessions)
{
	struct sim_config config = {
		.vfs = VICTIMS + 1,
		.state_size = BULK_SIZE,
		.chunk_size = variant->chunk_size,
	};
	unsigned int i;

	for (i = 0; i < config.vfs; i++)
		config.drivers[i] = DRIVER_OURS;
	sim_get(&self->sim, &config);
	vfio_open(&self->source, self->sim.vf[VICTIMS]);
	engine_attach(&self->from, &self->source, ENTRIES, NULL);
	sim_bulk_fill(self->source.address, BULK_SIZE, BULK_SEED);
	engine_start(&self->from, ENGINE_PERIOD, 0);
	engine_progress(&self->from, 5);
	mig_save(&self->source, &self->good, MIB);
	for (i = 0; i < VICTIMS; i++) {
		struct victim *victim = &self->victims[i];

		vfio_open(&victim->device, self->sim.vf[i]);
		engine_attach(&victim->engine, &victim->device, ENTRIES, NULL);
		victim->good = &self->good;
		victim->next = engine_next(&self->from);
		victim->number = i;
		victim->count = variant->count;
	}
}

FIXTURE_TEARDOWN_PARENT(sessions)
{
	sim_teardown(_metadata->exit_code);
}

/* Waits for all of them; none may be at one stream for too long. */
static void wait_for_victims(struct __test_metadata *_metadata, struct victim *victims)
{
	unsigned int i, left;

	do {
		left = 0;
		usleep(100000);
		for (i = 0; i < VICTIMS; i++) {
			struct victim *victim = &victims[i];
			uint64_t since = __atomic_load_n(&victim->since, __ATOMIC_RELAXED);

			if (worker_is_done(&victim->worker))
				continue;
			left++;
			ASSERT_GT(LATER * 1000ULL + since, now_us())
				TH_LOG("stream %u takes too long", victim->number);
		}
	} while (left);
}

TEST_F_TIMEOUT(sessions, end_as_documented, 150)
{
	unsigned int i, refused = 0, incomplete = 0, loaded = 0, proved = 0;
	uint64_t seed = chance_seed(), start = now_us();

	TH_LOG("VFIO_MIG_SEED=%llu", (unsigned long long)seed);
	for (i = 0; i < VICTIMS; i++) {
		struct victim *victim = &self->victims[i];

		victim->seed = seed;
		victim->since = now_us();
		worker_start(&victim->worker, torment, victim);
	}
	wait_for_victims(_metadata, self->victims);
	for (i = 0; i < VICTIMS; i++) {
		struct victim *victim = &self->victims[i];

		EXPECT_EQ(0, victim->worker.result)
			TH_LOG("%s", victim->complaint);
		refused += victim->refused;
		incomplete += victim->incomplete;
		loaded += victim->loaded;
		proved += victim->proved;
	}
	EXPECT_EQ(variant->count, refused + incomplete + loaded);
	TH_LOG("%u streams through data FDs: %u refused, %u incomplete, %u fine; %u ms",
	       variant->count, refused, incomplete, loaded,
	       (unsigned int)((now_us() - start) / 1000));
	TH_LOG("%u good streams in between", proved);
	EXPECT_LT(variant->count / 4, refused);
	EXPECT_LE(variant->count / EVERY, proved + VICTIMS);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

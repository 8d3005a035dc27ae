// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data FD as a file: several users, bad buffers, wrong direction. No byte is lost,
 * none comes twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "harness.h"
#include "pair.h"
#include "worker.h"

#define BULK_SIZE (300 << 10)

/* A source in STOP_COPY, and the data of a session before. */
struct saving {
	struct pair pair;
	struct blob good;
	int fd;
};

FIXTURE(fd)
{
	struct saving saving;
};

FIXTURE_SETUP(fd)
{
	struct pair *pair = &self->saving.pair;

	pair_open(pair, &our_pair);
	sim_bulk_fill(pair->source.address, BULK_SIZE, 21);
	mig_save(&pair->source, &self->saving.good, MIB);
	self->saving.fd = mig_begin(&pair->source, STATE_STOP_COPY);
}

FIXTURE_TEARDOWN_PARENT(fd)
{
	sim_teardown(_metadata->exit_code);
}

/* Two sessions differ in what marks a session, so the judge is the device. */
static bool is_good(struct saving *saving, const struct blob *blob)
{
	struct vfio_device *target = &saving->pair.target;

	return blob->length == saving->good.length && !__mig_load(target, blob, MIB) &&
	       sim_bulk_matches(target->address, BULK_SIZE, 21);
}

TEST_F(fd, second_session)
{
	struct blob blob = { 0 };

	stream_read(self->saving.fd, &blob, 4096);
	EXPECT_TRUE(is_good(&self->saving, &blob));
}

TEST_F(fd, end_of_data_is_permanent)
{
	struct blob blob = { 0 };
	char byte;
	int i;

	stream_read(self->saving.fd, &blob, MIB);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, read(self->saving.fd, &byte, 1));
		EXPECT_TRUE(stream_events(self->saving.fd) & POLLIN);
		EXPECT_FALSE(stream_events(self->saving.fd) & (POLLERR | POLLHUP));
	}
}

TEST_F(fd, empty_read)
{
	struct blob blob = { 0 };
	char byte;

	EXPECT_EQ(0, read(self->saving.fd, &byte, 0));
	stream_read(self->saving.fd, &blob, MIB);
	EXPECT_TRUE(is_good(&self->saving, &blob));
}

TEST_F(fd, no_position)
{
	char byte = 0;
	int fd;

	EXPECT_EQ(-1, pread(self->saving.fd, &byte, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, lseek(self->saving.fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	fd = mig_begin(&self->saving.pair.target, STATE_RESUMING);
	EXPECT_EQ(-1, pwrite(fd, &byte, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(fd, wrong_direction)
{
	int fd = mig_begin(&self->saving.pair.target, STATE_RESUMING);
	char byte = 0;

	EXPECT_EQ(-1, write(self->saving.fd, &byte, 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(O_RDONLY, fcntl(self->saving.fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(O_WRONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_TRUE(stream_events(fd) & POLLOUT);
}

TEST_F(fd, mapping_is_impossible)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, self->saving.fd, 0));
}

TEST_F(fd, precopy_info_is_invalid)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	/* in no session but a pre-copy one */
	EXPECT_EQ(-1, ioctl(self->saving.fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_TRUE(errno == EINVAL || errno == ENOTTY);
	EXPECT_EQ(-1, ioctl(self->saving.fd, VFIO_DEVICE_RESET));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(fd, duplicate_shares_the_position)
{
	int second = dup(self->saving.fd), turn = 0;
	struct blob blob = { 0 };
	char piece[1000];
	ssize_t done;

	ASSERT_LE(0, second);
	while ((done = read(turn++ & 1 ? second : self->saving.fd, piece, sizeof(piece))) > 0)
		blob_append(&blob, piece, done);
	EXPECT_EQ(0, done);
	EXPECT_TRUE(is_good(&self->saving, &blob));
	close(self->saving.fd);
	EXPECT_EQ(0, read(second, piece, sizeof(piece)));
	mig_set_state(&self->saving.pair.source, STATE_STOP, NULL);
	EXPECT_EQ(-1, read(second, piece, sizeof(piece)));
	EXPECT_EQ(ENODEV, errno);
}

#define MAX_PIECES	4096
#define START		1024

struct reader {
	int fd;
	unsigned int pieces;
	struct blob piece[MAX_PIECES];
};

static long read_pieces(void *argument)
{
	struct reader *reader = argument;
	char piece[999];
	ssize_t done;

	while ((done = read(reader->fd, piece, sizeof(piece))) > 0) {
		struct blob *blob = &reader->piece[reader->pieces];

		if (++reader->pieces > MAX_PIECES)
			return -E2BIG;
		blob->room = done;
		blob->data = malloc(done);
		blob_append(blob, piece, done);
	}
	return done < 0 ? -errno : 0;
}

/* Whether the pieces of both readers, each in its order, make up the whole. */
static bool interleaves(const struct reader *first, const struct reader *second,
			const struct blob *whole)
{
	const struct reader *readers[2] = { first, second };
	unsigned int i, next[2] = { 0 };
	size_t at = 0;

	while (at < whole->length) {
		for (i = 0; i < 2; i++) {
			const struct blob *piece = &readers[i]->piece[next[i]];

			if (next[i] < readers[i]->pieces && at + piece->length <= whole->length &&
			    !memcmp(whole->data + at, piece->data, piece->length)) {
				at += piece->length;
				next[i]++;
				break;
			}
		}
		if (i == 2)
			return false;
	}
	return next[0] == first->pieces && next[1] == second->pieces;
}

TEST_F(fd, two_readers)
{
	static struct reader first, second;
	struct blob blob = { 0 }, whole;
	struct worker workers[2];
	char start[START];

	/* behind its start a session delivers what the one before did */
	while (blob.length < START) {
		ssize_t done = read(self->saving.fd, start, START - blob.length);

		ASSERT_LT(0, done);
		blob_append(&blob, start, done);
	}
	blob_append(&blob, self->saving.good.data + START, self->saving.good.length - START);
	whole.data = blob.data + START;
	whole.length = blob.length - START;

	first.fd = self->saving.fd;
	second.fd = self->saving.fd;
	worker_start(&workers[0], read_pieces, &first);
	worker_start(&workers[1], read_pieces, &second);
	worker_join(&workers[0], LATER);
	worker_join(&workers[1], LATER);
	EXPECT_EQ(0, workers[0].result);
	EXPECT_EQ(0, workers[1].result);
	EXPECT_TRUE(interleaves(&first, &second, &whole));
	EXPECT_TRUE(is_good(&self->saving, &blob));
}

/* Memory whose last byte is followed by nothing. */
static void *edge(size_t size)
{
	char *memory = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || munmap(memory + size, 4096))
		fail("no memory");
	return memory + size;
}

TEST_F(fd, fault_while_reading_loses_nothing)
{
	char *end = edge(8192);
	struct blob blob = { 0 };
	unsigned int faults = 0, i;
	ssize_t done = 1;

	for (i = 0; done; i++) {
		size_t room = i % 3 ? 1 + i * 37 % 4000 : 0;

		/* sometimes nothing fits, else less than what is asked for */
		done = read(self->saving.fd, end - room, room + 3000);
		if (done > 0) {
			ASSERT_GE(room, done);
			blob_append(&blob, end - room, done);
		} else if (done < 0) {
			ASSERT_EQ(EFAULT, errno);
			faults++;
			done = 1;
		}
	}
	EXPECT_LT(10, faults);
	EXPECT_TRUE(is_good(&self->saving, &blob));
}

TEST_F(fd, fault_while_writing_loses_nothing)
{
	int fd = mig_begin(&self->saving.pair.target, STATE_RESUMING);
	char *end = edge(8192);
	unsigned int faults = 0, i;
	size_t at = 0;
	ssize_t done;

	for (i = 0; at < self->saving.good.length; i++) {
		size_t left = self->saving.good.length - at;
		size_t room = i % 3 ? 1 + i * 37 % 4000 : 0;

		if (room > left)
			room = left;
		memcpy(end - room, self->saving.good.data + at, room);
		/* what lies behind the end of the data is not there to be read */
		done = write(fd, end - room, room + 3000);
		if (done < 0) {
			ASSERT_EQ(EFAULT, errno);
			faults++;
		} else {
			ASSERT_GE(room, done);
			at += done;
		}
	}
	EXPECT_LT(10, faults);
	EXPECT_EQ(0, __mig_set_state(&self->saving.pair.target, STATE_STOP, NULL));
	EXPECT_TRUE(sim_bulk_matches(self->saving.pair.target.address, BULK_SIZE, 21));
}

/* No FD left: the session is there but lost; STOP ends it, a second try works. */
TEST_F(fd, no_free_fd)
{
	static const uint32_t states[] = { STATE_STOP_COPY, STATE_RESUMING };
	struct vfio_device *dev = &self->saving.pair.source;
	struct rlimit saved, none;
	struct blob blob = { 0 };
	unsigned int i;
	int fd, error;

	close(self->saving.fd);
	mig_set_state(dev, STATE_STOP, NULL);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &saved));
	none = saved;
	none.rlim_cur = 0;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		error = __mig_set_state(dev, states[i], &fd);
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &saved));
		EXPECT_EQ(-EMFILE, error);
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
		EXPECT_EQ(0, __mig_set_state(dev, states[i], &fd));
		EXPECT_LE(0, fd);
		if (states[i] == STATE_STOP_COPY)
			stream_read(fd, &blob, MIB);
		close(fd);
		EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
	}
	EXPECT_TRUE(is_good(&self->saving, &blob));
}

TEST_F(fd, closed_early)
{
	struct blob blob = { 0 };
	char byte;

	EXPECT_EQ(1, read(self->saving.fd, &byte, 1));
	close(self->saving.fd);
	EXPECT_EQ(STATE_STOP_COPY, mig_state(&self->saving.pair.source));
	mig_set_state(&self->saving.pair.source, STATE_STOP, NULL);
	mig_save(&self->saving.pair.source, &blob, MIB);
	EXPECT_TRUE(is_good(&self->saving, &blob));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

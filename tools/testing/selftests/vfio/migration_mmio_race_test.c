// SPDX-License-Identifier: GPL-2.0-only
/*
 * Touches of a device's BAR by other threads while the device stops, runs and is reset: none
 * reaches a stopped device that must not be touched, none fails while it runs, and nobody
 * waits for ever.
 */
#include <errno.h>

#include "mmio.h"
#include "worker.h"

/* There and back in each. */
#define ROUNDS	50
#define RESETS	20
/* Microseconds between touches: others want the processor as well. */
#define PAUSE	50
/* A part that holds zeroes. */
#define ZEROES	(SCRATCH + 0x10000)

FIXTURE(race)
{
	struct pair pair;
};

FIXTURE_VARIANT(race)
{
	bool block;
};

FIXTURE_VARIANT_ADD(race, block) { .block = true };
FIXTURE_VARIANT_ADD(race, pass) { .block = false };

FIXTURE_SETUP(race)
{
	touch_prepare();
	bind_with_policy(&self->pair.sim, variant->block);
	pair_open(&self->pair, &our_pair);
}

FIXTURE_TEARDOWN_PARENT(race)
{
	sim_teardown(_metadata->exit_code);
}

/* What the device does, for longer than the word is there to be seen. */
enum phase {
	RUNS,
	IS_STOPPED,
	CHANGES,
	PHASES,
};

/**
 * struct hammer - threads that touch all the time, each in its own way
 * @dev: the device
 * @turn: changes with every change of the phase, which it is modulo PHASES
 * @stop: the threads end
 * @reached: number of touches that reached the device
 * @refused: number of those that did not
 * @early: number of touches that were refused while the device ran
 * @late: number of touches that reached the stopped device
 */
struct hammer {
	struct vfio_device *dev;
	unsigned int turn;
	bool stop;
	unsigned int reached;
	unsigned int refused;
	unsigned int early;
	unsigned int late;
};

static void set_phase(struct hammer *hammer, enum phase phase)
{
	unsigned int turn = hammer->turn;

	do
		turn++;
	while (turn % PHASES != phase);
	__atomic_store_n(&hammer->turn, turn, __ATOMIC_SEQ_CST);
}

static void judge(struct hammer *hammer, unsigned int turn, bool reached)
{
	bool same = __atomic_load_n(&hammer->turn, __ATOMIC_SEQ_CST) == turn;

	__atomic_add_fetch(reached ? &hammer->reached : &hammer->refused, 1, __ATOMIC_SEQ_CST);
	if (same && reached && turn % PHASES == IS_STOPPED)
		__atomic_add_fetch(&hammer->late, 1, __ATOMIC_SEQ_CST);
	if (same && !reached && turn % PHASES == RUNS)
		__atomic_add_fetch(&hammer->early, 1, __ATOMIC_SEQ_CST);
}

static long hammer_mapping(void *argument)
{
	struct hammer *hammer = argument;
	uint32_t *words = hammer->dev->bar + SCRATCH;
	unsigned int turn, i = 0;
	uint32_t value;

	while (!__atomic_load_n(&hammer->stop, __ATOMIC_ACQUIRE)) {
		turn = __atomic_load_n(&hammer->turn, __ATOMIC_SEQ_CST);
		judge(hammer, turn, i++ & 1 ? touch_read(words + 1024 * (i % 8), &value) :
					      touch_write(words + 1024 * (i % 8), i));
		usleep(PAUSE);
	}
	return 0;
}

static long hammer_reads(void *argument)
{
	struct hammer *hammer = argument;
	uint64_t value;
	unsigned int turn;

	while (!__atomic_load_n(&hammer->stop, __ATOMIC_ACQUIRE)) {
		turn = __atomic_load_n(&hammer->turn, __ATOMIC_SEQ_CST);
		if (pread(hammer->dev->device, &value, sizeof(value), ZEROES) != sizeof(value))
			return -EIO;
		judge(hammer, turn, value != ~0ULL);
		usleep(PAUSE);
	}
	return 0;
}

/* Each round goes on when at least one touch of the new phase has been judged. */
static bool touches_follow(struct hammer *hammer, unsigned int *counter)
{
	unsigned int before = __atomic_load_n(counter, __ATOMIC_SEQ_CST);

	return wait_until(__atomic_load_n(counter, __ATOMIC_SEQ_CST) - before > 1, LATER);
}

static void one_round(struct __test_metadata *_metadata, struct hammer *hammer, bool block,
		      unsigned int round)
{
	static const uint32_t states[] = { STATE_STOP, STATE_STOP_COPY, STATE_RESUMING };
	int fd = -1;

	set_phase(hammer, CHANGES);
	mig_set_state(hammer->dev, states[round % 3], &fd);
	if (block)
		set_phase(hammer, IS_STOPPED);
	ASSERT_TRUE(touches_follow(hammer, block ? &hammer->refused : &hammer->reached));
	set_phase(hammer, CHANGES);
	if (fd >= 0)
		close(fd);
	mig_set_state(hammer->dev, STATE_RUNNING, NULL);
	set_phase(hammer, RUNS);
	ASSERT_TRUE(touches_follow(hammer, &hammer->reached));
}

static void hammer_on(struct __test_metadata *_metadata, struct vfio_device *dev, bool block,
		      long (*run)(void *argument))
{
	struct hammer hammer = { .dev = dev };
	struct worker worker;
	unsigned int round;

	set_phase(&hammer, RUNS);
	worker_start(&worker, run, &hammer);
	for (round = 0; round < ROUNDS; round++)
		one_round(_metadata, &hammer, block, round);
	__atomic_store_n(&hammer.stop, true, __ATOMIC_RELEASE);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	EXPECT_EQ(0, hammer.early);
	EXPECT_EQ(0, hammer.late);
	EXPECT_EQ(block, hammer.refused > 0);
}

TEST_F_TIMEOUT(race, mapping, 150)
{
	hammer_on(_metadata, &self->pair.source, variant->block, hammer_mapping);
}

TEST_F_TIMEOUT(race, reads, 150)
{
	hammer_on(_metadata, &self->pair.source, variant->block, hammer_reads);
}

/* Resets take the mappings away as well, and wait for whoever is faulting them in. */
TEST_F_TIMEOUT(race, mapping_and_resets, 150)
{
	struct hammer hammer = { .dev = &self->pair.source };
	struct worker worker[2];
	unsigned int i;

	set_phase(&hammer, CHANGES);
	worker_start(&worker[0], hammer_mapping, &hammer);
	worker_start(&worker[1], hammer_reads, &hammer);
	for (i = 0; i < RESETS; i++) {
		mig_set_state(hammer.dev, STATE_STOP, NULL);
		set_phase(&hammer, CHANGES);
		vfio_reset(hammer.dev);
		set_phase(&hammer, RUNS);
		ASSERT_TRUE(touches_follow(&hammer, &hammer.reached));
		set_phase(&hammer, CHANGES);
	}
	__atomic_store_n(&hammer.stop, true, __ATOMIC_RELEASE);
	worker_join(&worker[0], LATER);
	worker_join(&worker[1], LATER);
	EXPECT_EQ(0, worker[0].result);
	EXPECT_EQ(0, worker[1].result);
	EXPECT_EQ(0, hammer.early);
}

/**
 * struct reader - a thread that saves the device into the device's own BAR
 * @dev: the device
 * @stop: the thread ends
 * @copied: bytes that got there while the device was stopped
 * @refused: number of times that the BAR was no buffer
 */
struct reader {
	struct vfio_device *dev;
	bool stop;
	size_t copied;
	unsigned int refused;
};

static long read_into_own_bar(void *argument)
{
	struct reader *reader = argument;
	ssize_t done;
	int fd;

	while (!__atomic_load_n(&reader->stop, __ATOMIC_ACQUIRE)) {
		if (!__mig_set_state(reader->dev, STATE_STOP_COPY, &fd)) {
			/* a reader that a reset met goes on when the device runs again */
			while ((done = read(fd, reader->dev->bar + SCRATCH, 8192)) > 0)
				if (mig_state(reader->dev) == STATE_STOP_COPY)
					reader->copied += done;
			if (done < 0 && errno == EFAULT)
				reader->refused++;
			close(fd);
		}
		__mig_set_state(reader->dev, STATE_RUNNING, NULL);
	}
	return 0;
}

TEST_F_TIMEOUT(race, read_into_own_bar_and_resets, 150)
{
	struct reader reader = { .dev = &self->pair.source };
	struct blob blob = { 0 };
	struct worker worker;
	unsigned int i;

	sim_bulk_fill(self->pair.source.address, MIB, 1);
	worker_start(&worker, read_into_own_bar, &reader);
	for (i = 0; i < RESETS; i++) {
		vfio_reset(&self->pair.source);
		usleep(20000);
	}
	EXPECT_TRUE(wait_until(__atomic_load_n(&reader.refused, __ATOMIC_RELAXED) ||
			       __atomic_load_n(&reader.copied, __ATOMIC_RELAXED), LATER));
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELEASE);
	worker_join(&worker, LATER);
	EXPECT_EQ(variant->block, reader.refused > 0);
	EXPECT_EQ(variant->block, !reader.copied);
	vfio_reset(&self->pair.source);
	mig_save(&self->pair.source, &blob, MIB);
	mig_load(&self->pair.target, &blob, MIB);
	mig_set_state(&self->pair.source, STATE_RUNNING, NULL);
	mig_set_state(&self->pair.target, STATE_RUNNING, NULL);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

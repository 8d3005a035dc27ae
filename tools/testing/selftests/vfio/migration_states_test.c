// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state machine of our driver as the uAPI describes it: every ordered pair of
 * states, what is refused, and resets.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "harness.h"
#include "file.h"
#include "pair.h"

enum answer {
	INVALID,	/* -EINVAL, nothing happens */
	DONE,		/* no FD */
	SESSION,	/* a data FD */
};

/*
 * Row: from, column: to. From the description of the states: ERROR cannot be asked for, no
 * arc leads from STOP_COPY to pre-copy, and what is left are combinations of arcs that all
 * exist. Arriving in a state that transfers data begins a session, but for the arcs from
 * pre-copy that go on with theirs.
 */
static const enum answer answers[VFIO_DEVICE_STATE_NR][VFIO_DEVICE_STATE_NR] = {
	[STATE_RUNNING] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = SESSION, [STATE_RESUMING] = SESSION,
		[STATE_PRE_COPY] = SESSION, [STATE_PRE_COPY_P2P] = SESSION,
	},
	[STATE_RUNNING_P2P] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = SESSION, [STATE_RESUMING] = SESSION,
		[STATE_PRE_COPY] = SESSION, [STATE_PRE_COPY_P2P] = SESSION,
	},
	[STATE_STOP] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = SESSION, [STATE_RESUMING] = SESSION,
		[STATE_PRE_COPY] = SESSION, [STATE_PRE_COPY_P2P] = SESSION,
	},
	[STATE_STOP_COPY] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = DONE, [STATE_RESUMING] = SESSION,
	},
	[STATE_RESUMING] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = SESSION, [STATE_RESUMING] = DONE,
		[STATE_PRE_COPY] = SESSION, [STATE_PRE_COPY_P2P] = SESSION,
	},
	[STATE_PRE_COPY] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = DONE, [STATE_RESUMING] = SESSION,
		[STATE_PRE_COPY] = DONE, [STATE_PRE_COPY_P2P] = DONE,
	},
	[STATE_PRE_COPY_P2P] = {
		[STATE_RUNNING] = DONE, [STATE_RUNNING_P2P] = DONE, [STATE_STOP] = DONE,
		[STATE_STOP_COPY] = DONE, [STATE_RESUMING] = SESSION,
		[STATE_PRE_COPY] = DONE, [STATE_PRE_COPY_P2P] = DONE,
	},
};

FIXTURE(states)
{
	struct sim sim;
	struct vfio_device dev;
};

FIXTURE_SETUP(states)
{
	sim_get(&self->sim, &our_pair);
	vfio_open(&self->dev, self->sim.vf[0]);
	ASSERT_EQ(STATE_RUNNING, mig_state(&self->dev));
}

FIXTURE_TEARDOWN_PARENT(states)
{
	sim_teardown(_metadata->exit_code);
}

/* Moves a RUNNING device. Returns the data FD, which may be -1. */
static int enter(struct vfio_device *dev, uint32_t state)
{
	return state == STATE_RUNNING ? -1 : mig_begin(dev, state);
}

static void expect_state(struct __test_metadata *_metadata, struct vfio_device *dev,
			 uint32_t expected)
{
	const char *file = path("/sys/kernel/debug/vfio-mig/%s/state", dev->address);
	uint32_t seen = mig_state(dev);
	char text[32];

	EXPECT_EQ(expected, seen)
		TH_LOG("%s, not %s", state_name(seen), state_name(expected));
	file_read(file, text, sizeof(text));
	EXPECT_STREQ(state_name(expected), text);
}

TEST_F(states, flags)
{
	uint64_t flags;

	mig_flags(&self->dev, &flags);
	EXPECT_EQ(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY, flags);
}

FIXTURE(arc)
{
	struct sim sim;
	struct vfio_device dev;
};

FIXTURE_VARIANT(arc)
{
	uint32_t from;
};

FIXTURE_VARIANT_ADD(arc, from_running) { .from = STATE_RUNNING };
FIXTURE_VARIANT_ADD(arc, from_running_p2p) { .from = STATE_RUNNING_P2P };
FIXTURE_VARIANT_ADD(arc, from_stop) { .from = STATE_STOP };
FIXTURE_VARIANT_ADD(arc, from_stop_copy) { .from = STATE_STOP_COPY };
FIXTURE_VARIANT_ADD(arc, from_resuming) { .from = STATE_RESUMING };
FIXTURE_VARIANT_ADD(arc, from_pre_copy) { .from = STATE_PRE_COPY };
FIXTURE_VARIANT_ADD(arc, from_pre_copy_p2p) { .from = STATE_PRE_COPY_P2P };

FIXTURE_SETUP(arc)
{
	sim_get(&self->sim, &our_pair);
	vfio_open(&self->dev, self->sim.vf[0]);
}

FIXTURE_TEARDOWN_PARENT(arc)
{
	sim_teardown(_metadata->exit_code);
}

/* A session that saves goes on to fill its buffers until all are full. */
static uint64_t commands_when_idle(const char *pf)
{
	uint64_t before, now = sim_counter(pf, "commands");
	unsigned int tries = 100;

	do {
		before = now;
		usleep(50000);
		now = sim_counter(pf, "commands");
	} while (now != before && --tries);
	return now;
}

static void expect_refused(struct __test_metadata *_metadata, struct vfio_device *dev,
			   const char *pf, uint32_t from, uint32_t to)
{
	uint64_t commands = commands_when_idle(pf);
	int fd = -1;

	EXPECT_EQ(-EINVAL, __mig_set_state(dev, to, &fd))
		TH_LOG("%s to %u", state_name(from), to);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(commands, sim_counter(pf, "commands"));
	expect_state(_metadata, dev, from);
}

static void expect_moved(struct __test_metadata *_metadata, struct vfio_device *dev,
			 uint32_t from, uint32_t to)
{
	enum answer answer = answers[from][to];
	int fd = -1;

	EXPECT_EQ(0, __mig_set_state(dev, to, &fd))
		TH_LOG("%s to %s", state_name(from), state_name(to));
	EXPECT_EQ(answer == SESSION, fd >= 0)
		TH_LOG("%s to %s: fd %d", state_name(from), state_name(to), fd);
	expect_state(_metadata, dev, to);
	if (fd >= 0)
		close(fd);
}

TEST_F_TIMEOUT(arc, to_every_state, 60)
{
	uint32_t to;
	int fd;

	for (to = 0; to < VFIO_DEVICE_STATE_NR; to++) {
		fd = enter(&self->dev, variant->from);
		/* only a session that was given up can be left without data */
		if (variant->from == STATE_RESUMING)
			close(fd);
		if (answers[variant->from][to] == INVALID)
			expect_refused(_metadata, &self->dev, self->sim.pf, variant->from, to);
		else
			expect_moved(_metadata, &self->dev, variant->from, to);
		if (fd >= 0 && variant->from != STATE_RESUMING)
			close(fd);
		mig_set_state(&self->dev, STATE_RUNNING, NULL);
		expect_state(_metadata, &self->dev, STATE_RUNNING);
	}
}

TEST_F(arc, to_no_state)
{
	static const uint32_t wrong[] = { VFIO_DEVICE_STATE_NR, 9, 255, 0x80000000, ~0U };
	unsigned int i;
	int fd = enter(&self->dev, variant->from);

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_refused(_metadata, &self->dev, self->sim.pf, variant->from, wrong[i]);
	if (fd >= 0)
		EXPECT_FALSE(stream_events(fd) & POLLERR);
}

TEST_F(arc, to_itself_keeps_the_session)
{
	int second = -1, fd = enter(&self->dev, variant->from);

	mig_set_state(&self->dev, variant->from, &second);
	EXPECT_EQ(-1, second);
	expect_state(_metadata, &self->dev, variant->from);
	if (fd >= 0)
		EXPECT_FALSE(stream_events(fd) & (POLLERR | POLLHUP));
}

static void expect_dead(struct __test_metadata *_metadata, int fd, uint32_t state)
{
	char byte = 0;

	if (fd < 0)
		return;
	EXPECT_EQ(-1, state == STATE_RESUMING ? write(fd, &byte, 1) : read(fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(POLLERR | POLLHUP, stream_events(fd) & (POLLERR | POLLHUP));
	close(fd);
}

TEST_F(arc, reset)
{
	int fd = enter(&self->dev, variant->from);

	vfio_reset(&self->dev);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_dead(_metadata, fd, variant->from);
	/* and once more, right away */
	fd = enter(&self->dev, variant->from);
	vfio_reset(&self->dev);
	vfio_reset(&self->dev);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_dead(_metadata, fd, variant->from);
}

TEST_F(arc, reset_by_config_write)
{
	unsigned int exp = vfio_find_capability(&self->dev, PCI_CAP_ID_EXP);
	int fd = enter(&self->dev, variant->from);
	uint32_t control;

	ASSERT_NE(0, exp);
	control = vfio_config_get(&self->dev, exp + PCI_EXP_DEVCTL, 2);
	vfio_config_put(&self->dev, exp + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_dead(_metadata, fd, variant->from);
}

TEST_F(arc, close_and_reopen)
{
	int fd = enter(&self->dev, variant->from);

	vfio_close(&self->dev);
	vfio_open(&self->dev, self->sim.vf[0]);
	expect_state(_metadata, &self->dev, STATE_RUNNING);
	expect_dead(_metadata, fd, variant->from);
}

TEST_F(arc, data_size)
{
	int fd = enter(&self->dev, variant->from);
	uint64_t size = 0;

	mig_data_size(&self->dev, &size);
	/* pre-copy data is no part of it */
	if (variant->from != STATE_PRE_COPY && variant->from != STATE_PRE_COPY_P2P)
		EXPECT_LE(our_pair.state_size, size);
	EXPECT_GE(our_pair.state_size + 65536, size);
	expect_state(_metadata, &self->dev, variant->from);
	if (fd >= 0)
		EXPECT_FALSE(stream_events(fd) & (POLLERR | POLLHUP));
	sim_bulk_resize(self->dev.address, 0);
	mig_data_size(&self->dev, &size);
	EXPECT_LT(0, size);
}

/* The device is quiet when the state says so. */
TEST_F(arc, engine_follows)
{
	bool runs = variant->from == STATE_RUNNING || variant->from == STATE_PRE_COPY;
	struct engine engine;
	uint64_t next;
	int fd;

	engine_attach(&engine, &self->dev, PAIR_ENTRIES, NULL);
	engine_start(&engine, ENGINE_PERIOD, 0);
	engine_progress(&engine, 10);
	fd = enter(&self->dev, variant->from);
	EXPECT_EQ(runs, !engine_is_quiet(&engine));
	next = engine_next(&engine);
	if (!runs)
		EXPECT_TRUE(engine_ring_holds(&engine, 1, next));
	/* an unused session of RESUMING leaves the state as it was */
	if (fd >= 0)
		close(fd);
	mig_set_state(&self->dev, STATE_RUNNING, NULL);
	engine_progress(&engine, 10);
	EXPECT_LT(next, engine_next(&engine));
	engine_stop(&engine);
	EXPECT_TRUE(engine_ring_holds(&engine, 1, engine_next(&engine)));
}

TEST_F(arc, config_space_answers)
{
	enter(&self->dev, variant->from);
	EXPECT_EQ(SIM_VENDOR, vfio_config_get(&self->dev, PCI_VENDOR_ID, 2));
	vfio_bus_master(&self->dev, true);
	EXPECT_TRUE(vfio_config_get(&self->dev, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	vfio_bus_master(&self->dev, false);
	EXPECT_FALSE(vfio_config_get(&self->dev, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
}

FIXTURE(no_capability)
{
	struct sim sim;
	struct vfio_device dev;
};

FIXTURE_VARIANT(no_capability)
{
	bool no_migration;
	bool not_migratable;
};

FIXTURE_VARIANT_ADD(no_capability, of_the_pf) { .no_migration = true };
FIXTURE_VARIANT_ADD(no_capability, of_the_vf) { .not_migratable = true };

FIXTURE_SETUP(no_capability)
{
	struct sim_config config = our_pair;

	config.no_migration = variant->no_migration;
	config.not_migratable = variant->not_migratable;
	sim_get(&self->sim, &config);
	vfio_open(&self->dev, self->sim.vf[0]);
}

FIXTURE_TEARDOWN_PARENT(no_capability)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(no_capability, features_are_unknown)
{
	uint64_t commands, value;
	unsigned int state;

	commands = sim_counter(self->sim.pf, "commands");
	EXPECT_EQ(-ENOTTY, __mig_flags(&self->dev, &value));
	EXPECT_EQ(-ENOTTY, __mig_state(&self->dev));
	EXPECT_EQ(-ENOTTY, __mig_data_size(&self->dev, &value));
	for (state = 0; state <= VFIO_DEVICE_STATE_NR; state++)
		EXPECT_EQ(-ENOTTY, __mig_set_state(&self->dev, state, NULL));
	EXPECT_EQ(-ENOTTY, __vfio_feature(&self->dev, VFIO_DEVICE_FEATURE_PROBE |
					  VFIO_DEVICE_FEATURE_GET |
					  VFIO_DEVICE_FEATURE_MIGRATION, NULL, 0));
	EXPECT_EQ(-ENOTTY, __vfio_feature(&self->dev, VFIO_DEVICE_FEATURE_PROBE |
					  VFIO_DEVICE_FEATURE_SET |
					  VFIO_DEVICE_FEATURE_DMA_LOGGING_START, NULL, 0));
	EXPECT_EQ(commands, sim_counter(self->sim.pf, "commands"));
}

TEST_F(no_capability, plain_vfio_works)
{
	struct engine engine;

	engine_attach(&engine, &self->dev, 1024, NULL);
	engine_start(&engine, ENGINE_PERIOD, 0);
	engine_progress(&engine, 10);
	vfio_reset(&self->dev);
	EXPECT_EQ(1, engine_next(&engine));
	vfio_bus_master(&self->dev, true);
	engine_clear_ring(&engine);
	engine_start(&engine, ENGINE_PERIOD, 0);
	engine_progress(&engine, 10);
	engine_stop(&engine);
	EXPECT_TRUE(engine_ring_holds(&engine, 1, engine_next(&engine)));
	vfio_close(&self->dev);
	vfio_open(&self->dev, self->sim.vf[0]);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

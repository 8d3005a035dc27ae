// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware that misbehaves, and our driver: every command with every status, and late
 * answers. The caller gets a documented error, the syndrome is in debugfs, the state is
 * the old one, a reset recovers and the next migration is complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "file.h"
#include "firmware.h"

static const char *debug_file(struct vfio_device *dev, const char *name)
{
	return path("/sys/kernel/debug/vfio-mig/%s/%s", dev->address, name);
}

/* Commands that mlx5_core makes for the driver keep their syndrome to themselves. */
static bool has_syndrome(enum sim_opcode opcode)
{
	return opcode != SIM_CREATE_MKEY && opcode != SIM_ALLOC_PD;
}

static void expect_report(struct __test_metadata *_metadata, struct vfio_device *dev,
			  enum sim_opcode opcode, const struct firmware_outcome *outcome, int error)
{
	char text[128];

	file_read(debug_file(dev, "last_error"), text, sizeof(text));
	EXPECT_EQ(error, strtol(text, NULL, 10)) TH_LOG("%s", text);
	if (has_syndrome(opcode))
		EXPECT_EQ(FIRMWARE_SYNDROME + outcome->status,
			  file_read_number(debug_file(dev, "last_syndrome")));
}

FIXTURE(arc)
{
	struct pair pair;
};

/* An arc of one step and a command that it needs. */
FIXTURE_VARIANT(arc)
{
	uint32_t from;
	uint32_t to;
	enum sim_opcode opcode;
	bool whole;
};

FIXTURE_VARIANT_ADD(arc, suspend_initiator)
{
	.from = STATE_RUNNING, .to = STATE_RUNNING_P2P, .opcode = SIM_SUSPEND_VHCA,
};

FIXTURE_VARIANT_ADD(arc, suspend_responder)
{
	.from = STATE_RUNNING_P2P, .to = STATE_STOP, .opcode = SIM_SUSPEND_VHCA,
};

FIXTURE_VARIANT_ADD(arc, resume_responder)
{
	.from = STATE_STOP, .to = STATE_RUNNING_P2P, .opcode = SIM_RESUME_VHCA,
};

FIXTURE_VARIANT_ADD(arc, resume_initiator)
{
	.from = STATE_RUNNING_P2P, .to = STATE_RUNNING, .opcode = SIM_RESUME_VHCA,
};

FIXTURE_VARIANT_ADD(arc, query)
{
	.from = STATE_STOP, .to = STATE_STOP_COPY, .opcode = SIM_QUERY_VHCA_STATE,
};

FIXTURE_VARIANT_ADD(arc, query_whole)
{
	.from = STATE_STOP, .to = STATE_STOP_COPY, .opcode = SIM_QUERY_VHCA_STATE,
	.whole = true,
};

FIXTURE_VARIANT_ADD(arc, save_domain)
{
	.from = STATE_STOP, .to = STATE_STOP_COPY, .opcode = SIM_ALLOC_PD,
};

FIXTURE_VARIANT_ADD(arc, save_key)
{
	.from = STATE_STOP, .to = STATE_STOP_COPY, .opcode = SIM_CREATE_MKEY,
};

FIXTURE_VARIANT_ADD(arc, load_domain)
{
	.from = STATE_STOP, .to = STATE_RESUMING, .opcode = SIM_ALLOC_PD,
};

FIXTURE_SETUP(arc)
{
	firmware_pair_open(&self->pair, !variant->whole);
}

FIXTURE_TEARDOWN_PARENT(arc)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(arc, every_status)
{
	struct pair *pair = &self->pair;
	unsigned int i;
	int error;

	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 5);
	if (variant->from != STATE_RUNNING)
		mig_set_state(&pair->source, variant->from, NULL);
	for (i = 0; i < FIRMWARE_OUTCOMES; i++) {
		const struct firmware_outcome *outcome = &firmware_outcomes[i];
		struct firmware_fault fault = firmware_fault_of(variant->opcode, outcome);

		firmware_fault(&pair->sim, &fault);
		error = __mig_set_state(&pair->source, variant->to, NULL);
		EXPECT_EQ(outcome->error, error) TH_LOG("status %#x", outcome->status);
		EXPECT_TRUE(firmware_fault_is_over(&pair->sim));
		EXPECT_EQ(variant->from, mig_state(&pair->source));
		expect_report(_metadata, &pair->source, variant->opcode, outcome, error);
	}
	/* nothing of it has stuck */
	EXPECT_EQ(0, __mig_set_state(&pair->source, variant->to, NULL));
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_RUNNING, NULL));
	engine_progress(&pair->from, 5);
	engine_stop(&pair->from);
	EXPECT_TRUE(engine_ring_holds(&pair->from, 1, engine_next(&pair->from)));
	EXPECT_TRUE(firmware_pair_migrates(pair));
}

TEST_F(arc, reset_recovers)
{
	struct firmware_fault fault = firmware_fault_of(variant->opcode, &firmware_outcomes[0]);
	struct pair *pair = &self->pair;

	if (variant->from != STATE_RUNNING)
		mig_set_state(&pair->source, variant->from, NULL);
	firmware_fault(&pair->sim, &fault);
	EXPECT_EQ(-EIO, __mig_set_state(&pair->source, variant->to, NULL));
	EXPECT_TRUE(firmware_pair_recovers(pair));
}

TEST_F(arc, late)
{
	struct pair *pair = &self->pair;
	uint64_t before;

	if (variant->from != STATE_RUNNING)
		mig_set_state(&pair->source, variant->from, NULL);
	firmware_fault(&pair->sim, &(struct firmware_fault){
		.opcode = variant->opcode, .delay = 700, .times = 1 });
	before = now_us();
	EXPECT_EQ(0, __mig_set_state(&pair->source, variant->to, NULL));
	EXPECT_LE(700000, now_us() - before);
	EXPECT_EQ(variant->to, mig_state(&pair->source));
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_RUNNING, NULL));
	EXPECT_TRUE(firmware_pair_migrates(pair));
}

/* A command in the middle of a way: the state is one of those that it leads through. */
TEST_F(arc, in_the_middle)
{
	struct firmware_fault fault = firmware_fault_of(variant->opcode, &firmware_outcomes[0]);
	struct pair *pair = &self->pair;
	uint32_t to = variant->to == STATE_RESUMING ? STATE_RESUMING : STATE_STOP_COPY;

	if (variant->opcode == SIM_RESUME_VHCA) {
		mig_set_state(&pair->source, STATE_STOP, NULL);
		to = STATE_RUNNING;
	}
	firmware_fault(&pair->sim, &fault);
	EXPECT_EQ(-EIO, __mig_set_state(&pair->source, to, NULL));
	EXPECT_NE(to, mig_state(&pair->source));
	EXPECT_NE(STATE_ERROR, mig_state(&pair->source));
	EXPECT_EQ(0, __mig_set_state(&pair->source, to, NULL));
	if (to == STATE_RESUMING)
		EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_STOP, NULL));
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_RUNNING, NULL));
	EXPECT_TRUE(firmware_pair_migrates(pair));
}

FIXTURE(transfer)
{
	struct pair pair;
	struct blob good;
};

/* Whether the state comes in chunks. */
FIXTURE_VARIANT(transfer)
{
	bool chunks;
};

FIXTURE_VARIANT_ADD(transfer, chunks)
{
	.chunks = true,
};

FIXTURE_VARIANT_ADD(transfer, whole)
{
	.chunks = false,
};

FIXTURE_SETUP(transfer)
{
	firmware_pair_open(&self->pair, variant->chunks);
	mig_save(&self->pair.source, &self->good, MIB);
}

FIXTURE_TEARDOWN_PARENT(transfer)
{
	sim_teardown(_metadata->exit_code);
}

/* What a reader gets from a stopped source. */
static int read_all(struct __test_metadata *_metadata, struct vfio_device *dev,
		    struct blob *blob)
{
	int fd = mig_begin(dev, STATE_STOP_COPY);
	int error = __stream_read(fd, blob, MIB);

	EXPECT_EQ(STATE_STOP_COPY, mig_state(dev));
	EXPECT_TRUE(error >= 0 || stream_events(fd) & POLLERR);
	close(fd);
	return error;
}

TEST_F(transfer, save_with_every_status)
{
	struct vfio_device *dev = &self->pair.source;
	struct blob blob = { 0 };
	unsigned int i;
	int error;

	for (i = 0; i < FIRMWARE_OUTCOMES; i++) {
		const struct firmware_outcome *outcome = &firmware_outcomes[i];
		struct firmware_fault fault = firmware_fault_of(SIM_SAVE_VHCA, outcome);

		firmware_fault(&self->pair.sim, &fault);
		error = read_all(_metadata, dev, &blob);
		EXPECT_EQ(outcome->error, error) TH_LOG("status %#x", outcome->status);
		EXPECT_TRUE(firmware_fault_is_over(&self->pair.sim));
		/* what went wrong with a session is told when it is over */
		EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
		expect_report(_metadata, dev, SIM_SAVE_VHCA, outcome, error);
	}
	EXPECT_TRUE(firmware_pair_recovers(&self->pair));
}

TEST_F(transfer, size_with_every_status)
{
	struct vfio_device *dev = &self->pair.source;
	unsigned int i;
	uint64_t size;

	for (i = 0; i < FIRMWARE_OUTCOMES; i++) {
		const struct firmware_outcome *outcome = &firmware_outcomes[i];
		struct firmware_fault fault = firmware_fault_of(SIM_QUERY_VHCA_STATE, outcome);

		firmware_fault(&self->pair.sim, &fault);
		EXPECT_EQ(outcome->error, __mig_data_size(dev, &size))
			TH_LOG("status %#x", outcome->status);
		EXPECT_EQ(STATE_STOP, mig_state(dev));
	}
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

static void expect_load_error(struct __test_metadata *_metadata, struct pair *pair,
			      const struct blob *good, enum sim_opcode opcode,
			      const struct firmware_outcome *outcome)
{
	struct firmware_fault fault = firmware_fault_of(opcode, outcome);
	int expected = opcode == SIM_LOAD_VHCA ? outcome->load_error : outcome->error;
	struct vfio_device *dev = &pair->target;
	int fd, error;

	/* a key only costs time before anything comes, and when the size is announced */
	if (opcode == SIM_CREATE_MKEY)
		fault.times = 3;
	firmware_fault(&pair->sim, &fault);
	fd = mig_begin(dev, STATE_RESUMING);
	error = __stream_write(fd, good->data, good->length, MIB);
	EXPECT_EQ(expected, error) TH_LOG("%x: status %#x", opcode, outcome->status);
	EXPECT_TRUE(firmware_fault_is_over(&pair->sim));
	/* and that is what it stays */
	EXPECT_EQ(error, __stream_write(fd, good->data, good->length, MIB));
	EXPECT_EQ(STATE_RESUMING, mig_state(dev));
	close(fd);
	vfio_reset(dev);
	EXPECT_EQ(STATE_RUNNING, mig_state(dev));
	expect_report(_metadata, dev, opcode, outcome, error);
}

TEST_F(transfer, load_with_every_status)
{
	unsigned int i;

	for (i = 0; i < FIRMWARE_OUTCOMES; i++) {
		const struct firmware_outcome *outcome = &firmware_outcomes[i];

		expect_load_error(_metadata, &self->pair, &self->good, SIM_LOAD_VHCA, outcome);
		expect_load_error(_metadata, &self->pair, &self->good, SIM_CREATE_MKEY, outcome);
	}
	EXPECT_TRUE(firmware_pair_recovers(&self->pair));
}

TEST_F(transfer, late)
{
	static const enum sim_opcode opcodes[] = {
		SIM_SUSPEND_VHCA, SIM_RESUME_VHCA, SIM_QUERY_VHCA_STATE, SIM_SAVE_VHCA,
		SIM_LOAD_VHCA, SIM_CREATE_MKEY, SIM_ALLOC_PD,
	};
	struct pair *pair = &self->pair;
	unsigned int i;

	for (i = 0; i < sizeof(opcodes) / sizeof(*opcodes); i++) {
		struct blob blob = { 0 };

		mig_set_state(&pair->source, STATE_RUNNING, NULL);
		mig_set_state(&pair->target, STATE_RUNNING, NULL);
		sim_bulk_fill(pair->source.address, FIRMWARE_BULK, 10 + i);
		firmware_fault(&pair->sim, &(struct firmware_fault){
			.opcode = opcodes[i], .delay = 100, .times = 3 });
		EXPECT_EQ(0, __mig_save(&pair->source, &blob, MIB));
		EXPECT_EQ(0, __mig_load(&pair->target, &blob, MIB));
		EXPECT_TRUE(sim_bulk_matches(pair->target.address, FIRMWARE_BULK, 10 + i))
			TH_LOG("%x", opcodes[i]);
		EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_RUNNING, NULL));
		EXPECT_EQ(0, __mig_set_state(&pair->target, STATE_RUNNING, NULL));
		EXPECT_GT(3, sim_counter(pair->sim.pf, "fail_times")) TH_LOG("%x", opcodes[i]);
		blob_free(&blob);
	}
}

/* A reader who does not want to wait for a late answer need not. */
TEST_F(transfer, late_for_a_nonblocking_reader)
{
	struct vfio_device *dev = &self->pair.source;
	struct blob blob = { 0 };
	int fd, error;

	firmware_fault(&self->pair.sim, &(struct firmware_fault){
		.opcode = SIM_SAVE_VHCA, .delay = 1000, .times = 1 });
	fd = mig_begin(dev, STATE_STOP_COPY);
	must(fcntl(fd, F_SETFL, O_NONBLOCK));
	error = __stream_read(fd, &blob, MIB);
	EXPECT_EQ(-EAGAIN, error);
	EXPECT_EQ(1, poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, LATER));
	must(fcntl(fd, F_SETFL, 0));
	EXPECT_LE(0, __stream_read(fd, &blob, MIB));
	EXPECT_EQ(0, __mig_set_state(dev, STATE_STOP, NULL));
	EXPECT_EQ(0, __mig_load(&self->pair.target, &blob, MIB));
	EXPECT_TRUE(sim_bulk_matches(self->pair.target.address, FIRMWARE_BULK, 2));
	close(fd);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long commands of the simulated adapter take, and what happens in the meantime.
 */
#include "harness.h"
#include "file.h"
#include "firmware.h"
#include "worker.h"

#define STATE_SIZE	(64 << 10)

FIXTURE(timing)
{
	struct pair pair;
	uint64_t begin;
};

#define SECOND 1000000U

FIXTURE_SETUP(timing)
{
	pair_open(&self->pair, &our_pair);
	firmware_calm(&self->pair.sim);
	self->begin = now_us();
}

FIXTURE_TEARDOWN_PARENT(timing)
{
	sim_teardown(_metadata->exit_code);
}

/* A command for a VHCA that changes nothing. */
static int query(const struct sim *sim, unsigned int vhca)
{
	unsigned char in[16] = { 0 }, out[64];

	firmware_put(in, 0, SIM_QUERY_VHCA_STATE << 16);
	firmware_put(in, 8, vhca);
	return __firmware_command(sim, in, sizeof(in), out, sizeof(out));
}

static long quiesce(void *device)
{
	return __mig_set_state(device, STATE_RUNNING_P2P, NULL);
}

TEST_F(timing, functions_overlap)
{
	struct worker first, second;
	uint64_t took;

	firmware_timing(&self->pair.sim, "suspend_latency", SECOND);
	self->begin = now_us();
	worker_start(&first, quiesce, &self->pair.source);
	worker_start(&second, quiesce, &self->pair.target);
	worker_join(&first, LATER);
	worker_join(&second, LATER);
	took = now_us() - self->begin;
	EXPECT_EQ(0, first.result);
	EXPECT_EQ(0, second.result);
	EXPECT_LE(SECOND, took);
	EXPECT_GT(2 * SECOND, took);
}

TEST_F(timing, one_function_in_order)
{
	struct sim *sim = &self->pair.sim;
	uint64_t commands, other, same;
	struct worker suspender;

	firmware_timing(&self->pair.sim, "suspend_latency", 2 * SECOND);
	commands = sim_counter(sim->pf, "commands");
	self->begin = now_us();
	worker_start(&suspender, quiesce, &self->pair.source);
	ASSERT_TRUE(wait_until(sim_counter(sim->pf, "commands") > commands, SOON));
	EXPECT_EQ(0, query(sim, 2));
	other = now_us() - self->begin;
	EXPECT_EQ(0, query(sim, 1));
	same = now_us() - self->begin;
	worker_join(&suspender, LATER);
	EXPECT_EQ(0, suspender.result);
	EXPECT_GT(2 * SECOND, other);
	EXPECT_LE(2 * SECOND, same);
}

TEST_F(timing, bandwidth)
{
	struct blob blob = { 0 };

	sim_bulk_fill(self->pair.source.address, MIB / 2, 3);
	firmware_timing(&self->pair.sim, "save_bandwidth", MIB);
	mig_save(&self->pair.source, &blob, MIB);
	EXPECT_LE(SECOND / 2, now_us() - self->begin);

	firmware_timing(&self->pair.sim, "load_bandwidth", MIB / 2);
	self->begin = now_us();
	mig_load(&self->pair.target, &blob, MIB);
	EXPECT_LE(SECOND, now_us() - self->begin);
	EXPECT_TRUE(sim_bulk_matches(self->pair.target.address, MIB / 2, 3));
}

/* 128 pages of a state, at least; 4 ms each. */
TEST_F(timing, pages)
{
	struct blob blob = { 0 };

	sim_bulk_fill(self->pair.source.address, MIB / 2, 3);
	firmware_timing(&self->pair.sim, "page_cost", 4000000);
	mig_save(&self->pair.source, &blob, MIB);
	EXPECT_LE(128 * 4000, now_us() - self->begin);
	mig_load(&self->pair.target, &blob, MIB);
	EXPECT_LE(2 * 128 * 4000, now_us() - self->begin);
}

/* What a command was to do is of no importance any more when the VF is reset. */
TEST_F(timing, reset_before_the_effect)
{
	uint64_t commands = sim_counter(self->pair.sim.pf, "commands");
	struct worker suspender;
	char text[16];

	firmware_timing(&self->pair.sim, "suspend_latency", 2 * SECOND);
	worker_start(&suspender, quiesce, &self->pair.source);
	ASSERT_TRUE(wait_until(sim_counter(self->pair.sim.pf, "commands") > commands, SOON));
	vfio_reset(&self->pair.source);
	worker_join(&suspender, LATER);
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->pair.source));
	file_read(path("/sys/kernel/debug/pcisim/%s/suspended", self->pair.source.address), text,
		  sizeof(text));
	EXPECT_STREQ("none", text);
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

/* The device stays until the firmware has answered. */
TEST_F(timing, close_during_a_save)
{
	const struct firmware_fault late = { .opcode = SIM_SAVE_VHCA, .delay = 1000, .times = 1 };
	int fd;

	firmware_fault(&self->pair.sim, &late);
	fd = mig_begin(&self->pair.source, STATE_STOP_COPY);
	ASSERT_TRUE(wait_until(firmware_fault_is_over(&self->pair.sim), SOON));
	close(fd);
	vfio_close(&self->pair.source);
	EXPECT_LE(SECOND, now_us() - self->begin);
	vfio_open(&self->pair.source, self->pair.sim.vf[0]);
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->pair.source));
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

/* A driver that goes away in time waits for the answer and starts again. */
TEST_F(timing, unbind_during_a_command)
{
	struct sim *sim = &self->pair.sim;
	struct sim_config alone = { .state_size = our_pair.state_size,
				    .chunk_size = our_pair.chunk_size };

	vfio_close(&self->pair.source);
	vfio_close(&self->pair.target);
	sim_enable_vfs(sim, 0);
	firmware_timing(sim, "other_latency", SECOND / 10);
	sim_bind(sim->pf, NULL);
	EXPECT_LE(SECOND / 10, now_us() - self->begin);
	sim_get(sim, &alone);
	firmware_calm(sim);
	pair_open(&self->pair, &our_pair);
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

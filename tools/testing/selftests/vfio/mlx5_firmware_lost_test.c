// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware that does not answer, or only after mlx5_core has given up, and our driver:
 * ETIMEDOUT, and a reset recovers. Takes more than a minute for each case.
 */
#include <errno.h>

#include "harness.h"
#include "firmware.h"

/* mlx5_core waits for a minute, and some seconds for an interrupt that was lost. */
#define GIVES_UP	60000000
#define TOO_LATE	75000

FIXTURE(lost)
{
	struct pair pair;
	uint64_t begin;
};

/* The command, and what makes our driver send it. */
FIXTURE_VARIANT(lost)
{
	enum sim_opcode opcode;
	uint32_t from;
	uint32_t to;
};

FIXTURE_VARIANT_ADD(lost, suspend)
{
	.opcode = SIM_SUSPEND_VHCA, .from = STATE_RUNNING, .to = STATE_RUNNING_P2P,
};

FIXTURE_VARIANT_ADD(lost, resume)
{
	.opcode = SIM_RESUME_VHCA, .from = STATE_STOP, .to = STATE_RUNNING_P2P,
};

FIXTURE_VARIANT_ADD(lost, query)
{
	.opcode = SIM_QUERY_VHCA_STATE, .from = STATE_STOP, .to = STATE_STOP_COPY,
};

FIXTURE_VARIANT_ADD(lost, domain)
{
	.opcode = SIM_ALLOC_PD, .from = STATE_STOP, .to = STATE_RESUMING,
};

FIXTURE_VARIANT_ADD(lost, key)
{
	.opcode = SIM_CREATE_MKEY, .from = STATE_STOP, .to = STATE_STOP_COPY,
};

FIXTURE_SETUP(lost)
{
	firmware_pair_open(&self->pair, true);
	mig_set_state(&self->pair.source, STATE_STOP, NULL);
	mig_set_state(&self->pair.source, variant->from, NULL);
	self->begin = now_us();
}

FIXTURE_TEARDOWN_PARENT(lost)
{
	__firmware_answer_lost(&self->pair.sim);
	sim_remove_all();
}

TEST_F_TIMEOUT(lost, arc, 240)
{
	struct pair *pair = &self->pair;

	firmware_fault(&pair->sim, &(struct firmware_fault){
		.opcode = variant->opcode, .lost = true, .times = 1 });
	EXPECT_EQ(-ETIMEDOUT, __mig_set_state(&pair->source, variant->to, NULL));
	EXPECT_LE(GIVES_UP, now_us() - self->begin);
	EXPECT_EQ(variant->from, mig_state(&pair->source));
	EXPECT_TRUE(firmware_pair_recovers(pair));
}

TEST_F_TIMEOUT(lost, late, 240)
{
	struct pair *pair = &self->pair;

	firmware_fault(&pair->sim, &(struct firmware_fault){
		.opcode = variant->opcode, .delay = TOO_LATE, .times = 1 });
	EXPECT_EQ(-ETIMEDOUT, __mig_set_state(&pair->source, variant->to, NULL));
	EXPECT_EQ(variant->from, mig_state(&pair->source));
	/* the answer comes while nobody waits */
	usleep(self->begin + (TOO_LATE + SOON) * 1000ULL - now_us());
	EXPECT_TRUE(firmware_pair_recovers(pair));
}

FIXTURE(lost_data)
{
	struct pair pair;
	struct blob good;
};

FIXTURE_VARIANT(lost_data)
{
	bool late;
};

FIXTURE_VARIANT_ADD(lost_data, lost)
{
	.late = false,
};

FIXTURE_VARIANT_ADD(lost_data, late)
{
	.late = true,
};

FIXTURE_SETUP(lost_data)
{
	firmware_pair_open(&self->pair, true);
	mig_save(&self->pair.source, &self->good, MIB);
}

FIXTURE_TEARDOWN_PARENT(lost_data)
{
	__firmware_answer_lost(&self->pair.sim);
	sim_remove_all();
}

static void lose(struct pair *pair, enum sim_opcode opcode, bool late)
{
	firmware_fault(&pair->sim, &(struct firmware_fault){
		.opcode = opcode, .lost = !late, .delay = late ? TOO_LATE : 0, .times = 1 });
}

TEST_F_TIMEOUT(lost_data, save, 240)
{
	struct pair *pair = &self->pair;
	struct blob blob = { 0 };
	int fd;

	lose(pair, SIM_SAVE_VHCA, variant->late);
	fd = mig_begin(&pair->source, STATE_STOP_COPY);
	EXPECT_EQ(-ETIMEDOUT, __stream_read(fd, &blob, MIB));
	EXPECT_EQ(STATE_STOP_COPY, mig_state(&pair->source));
	if (variant->late)
		usleep((TOO_LATE + SOON) * 1000 - GIVES_UP);
	EXPECT_TRUE(firmware_pair_recovers(pair));
	close(fd);
}

TEST_F_TIMEOUT(lost_data, load, 240)
{
	struct pair *pair = &self->pair;
	int fd = mig_begin(&pair->target, STATE_RESUMING);

	lose(pair, SIM_LOAD_VHCA, variant->late);
	EXPECT_EQ(-ETIMEDOUT, __stream_write(fd, self->good.data, self->good.length, MIB));
	EXPECT_EQ(STATE_RESUMING, mig_state(&pair->target));
	if (variant->late)
		usleep((TOO_LATE + SOON) * 1000 - GIVES_UP);
	EXPECT_TRUE(firmware_pair_recovers(pair));
	close(fd);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

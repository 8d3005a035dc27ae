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

FIXTURE_VARIANT_ADD(lost, domain)
{
	.opcode = SIM_ALLOC_PD, .from = STATE_STOP, .to = STATE_RESUMING,
};

FIXTURE_VARIANT_ADD(lost, key)
{
	.opcode = SIM_CREATE_MKEY, .from = STATE_STOP, .to = STATE_STOP_COPY,
};

/* Both are open, and the source is in this state. */
static void open_pair(struct pair *pair, uint32_t state)
{
	firmware_pair_open(pair, true);
	mig_set_state(&pair->source, STATE_STOP, NULL);
	mig_set_state(&pair->source, state, NULL);
}

static void close_pair(struct pair *pair)
{
	__firmware_answer_lost(&pair->sim);
	sim_remove_all();
}

/* The arc fails, and nothing has changed. */
static void expect_no_answer(struct __test_metadata *_metadata, struct pair *pair,
			     enum sim_opcode opcode, uint32_t from, uint32_t to)
{
	uint64_t begin = now_us();

	firmware_fault(&pair->sim, &(struct firmware_fault){
		.opcode = opcode, .lost = true, .times = 1 });
	EXPECT_EQ(-ETIMEDOUT, __mig_set_state(&pair->source, to, NULL));
	EXPECT_LE(GIVES_UP, now_us() - begin);
	EXPECT_EQ(from, mig_state(&pair->source));
	EXPECT_TRUE(firmware_pair_recovers(pair));
}

FIXTURE_SETUP(lost)
{
	open_pair(&self->pair, variant->from);
	self->begin = now_us();
}

FIXTURE_TEARDOWN_PARENT(lost)
{
	close_pair(&self->pair);
}

TEST_F_TIMEOUT(lost, arc, 240)
{
	expect_no_answer(_metadata, &self->pair, variant->opcode, variant->from, variant->to);
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

/* Its answer is more than an entry of the queue holds: nobody may write it that late. */
FIXTURE(lost_query)
{
	struct pair pair;
};

FIXTURE_SETUP(lost_query)
{
	open_pair(&self->pair, STATE_STOP);
}

FIXTURE_TEARDOWN_PARENT(lost_query)
{
	close_pair(&self->pair);
}

TEST_F_TIMEOUT(lost_query, arc, 240)
{
	expect_no_answer(_metadata, &self->pair, SIM_QUERY_VHCA_STATE, STATE_STOP,
			 STATE_STOP_COPY);
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
	close_pair(&self->pair);
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

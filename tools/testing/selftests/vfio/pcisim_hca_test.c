// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated adapter's firmware by itself: memory keys, what it says about a VHCA's
 * state, faults, and capabilities that it lacks.
 *
 * Commands of the tests' own go through mlx5_core. The BAR of a VF serves as memory that
 * the firmware can reach and a test can look at.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "file.h"
#include "firmware.h"

#define STATE_SIZE	(64 << 10)
/* Free parts of a VF's BAR, each one of the larger pages. */
#define FIRST_PAGE	0x20000
#define SECOND_PAGE	0x10000
#define LARGE_SHIFT	16
#define LARGE_PAGE	(64 << 10)
#define IMAGE_MAGIC	0x61636876

#define INCREMENTAL	0x80000000U
#define TRACK		0x40000000U

/* What QUERY_VHCA_MIGRATION_STATE says. */
enum { UNKNOWN, IDLE, READY, DIRTY, INIT };

static const struct sim_config plain = {
	.vfs = 2,
	.drivers = { DRIVER_PLAIN, DRIVER_PLAIN },
	.state_size = STATE_SIZE,
	.chunk_size = SIM_CHUNK,
};

/**
 * struct raw - commands of a test's own
 * @sim: the adapter
 * @source: its first VF, whose VHCA is 1; its BAR is the memory
 * @target: its second VF, whose VHCA is 2
 * @bus: bus address of the BAR
 * @pd: a protection domain
 * @in: the command
 * @out: the answer
 */
struct raw {
	struct sim sim;
	struct vfio_device source;
	struct vfio_device target;
	uint64_t bus;
	uint32_t pd;
	unsigned char in[512];
	unsigned char out[8192];
};

static void begin(struct raw *raw, unsigned int opcode, unsigned int op_mod)
{
	memset(raw->in, 0, sizeof(raw->in));
	memset(raw->out, 0, sizeof(raw->out));
	firmware_put(raw->in, 0, opcode << 16);
	firmware_put(raw->in, 4, op_mod);
}

static int run(struct raw *raw, size_t in_length, size_t out_length)
{
	return __firmware_command(&raw->sim, raw->in, in_length, raw->out, out_length);
}

static uint32_t syndrome(const struct raw *raw)
{
	return firmware_get(raw->out, 4);
}

static int suspend(struct raw *raw, unsigned int vhca)
{
	unsigned int what;
	int error = 0;

	for (what = 0; !error && what < 2; what++) {
		begin(raw, SIM_SUSPEND_VHCA, what);
		firmware_put(raw->in, 8, vhca);
		error = run(raw, 16, 16);
	}
	return error;
}

static int resume(struct raw *raw, unsigned int vhca)
{
	unsigned int what;
	int error = 0;

	for (what = 0; !error && what < 2; what++) {
		begin(raw, SIM_RESUME_VHCA, what);
		firmware_put(raw->in, 8, vhca);
		error = run(raw, 16, 16);
	}
	return error;
}

/* The answer is in @raw->out: see state_of() and required(). */
static int query(struct raw *raw, uint32_t word)
{
	begin(raw, SIM_QUERY_VHCA_STATE, 0);
	firmware_put(raw->in, 8, word);
	return run(raw, 16, 64);
}

static unsigned int state_of(const struct raw *raw)
{
	return firmware_get(raw->out, 12) >> 28;
}

static uint32_t required(const struct raw *raw)
{
	return firmware_get(raw->out, 16);
}

/* SAVE or LOAD. */
static int move(struct raw *raw, unsigned int opcode, uint32_t word, uint64_t address,
		uint32_t key, uint32_t size)
{
	begin(raw, opcode, 0);
	firmware_put(raw->in, 8, word);
	firmware_put64(raw->in, 16, address);
	firmware_put(raw->in, 24, key);
	firmware_put(raw->in, 28, size);
	return run(raw, 32, 16);
}

/* A key for up to 16 pages that are given as offsets in the BAR. */
static int create_key(struct raw *raw, uint64_t start, uint64_t length, unsigned int page_shift,
		      const uint32_t *pages, unsigned int count, uint32_t *key)
{
	unsigned int i, octwords = (count + 1) / 2;
	int error;

	begin(raw, SIM_CREATE_MKEY, 0);
	firmware_put(raw->in, 0x10, 0x3d00);
	firmware_put(raw->in, 0x14, 0xffffff00);
	firmware_put(raw->in, 0x1c, raw->pd);
	firmware_put64(raw->in, 0x20, start);
	firmware_put64(raw->in, 0x28, length);
	firmware_put(raw->in, 0x44, octwords);
	firmware_put(raw->in, 0x48, page_shift);
	firmware_put(raw->in, 0x60, octwords);
	for (i = 0; i < count; i++)
		firmware_put64(raw->in, 0x110 + 8 * i, raw->bus + pages[i]);
	error = run(raw, 0x110 + 16 * octwords, 16);
	*key = firmware_get(raw->out, 8) << 8;
	return error;
}

static uint64_t bar_address(const char *function)
{
	char text[2048];

	/* first, last, flags of each BAR */
	file_read(path("/sys/bus/pci/devices/%s/resource", function), text, sizeof(text));
	return strtoull(text, NULL, 16);
}

static void raw_open(struct raw *raw)
{
	sim_get(&raw->sim, &plain);
	firmware_calm(&raw->sim);
	vfio_open(&raw->source, raw->sim.vf[0]);
	vfio_open(&raw->target, raw->sim.vf[1]);
	vfio_map_bar(&raw->source);
	raw->bus = bar_address(raw->sim.vf[0]);
	begin(raw, SIM_ALLOC_PD, 0);
	must(run(raw, 16, 16));
	raw->pd = firmware_get(raw->out, 8);
	sim_bulk_fill(raw->source.address, STATE_SIZE, 5);
}

FIXTURE(firmware)
{
	struct raw raw;
};

FIXTURE_SETUP(firmware)
{
	raw_open(&self->raw);
}

FIXTURE_TEARDOWN_PARENT(firmware)
{
	sim_teardown(_metadata->exit_code);
	/* what a test has allocated in the firmware goes with the host */
	sim_remove_all();
}

/* Two pages of 64 KiB in reverse order, the first byte somewhere in the first one. */
#define KEY_START	0x7000013450ULL
#define KEY_LENGTH	0x18000
#define KEY_IN_PAGE	0x3450

static uint32_t large_key(struct raw *raw)
{
	static const uint32_t pages[] = { FIRST_PAGE, SECOND_PAGE };
	uint32_t key = 0;

	must(create_key(raw, KEY_START, KEY_LENGTH, LARGE_SHIFT, pages, 2, &key));
	return key;
}

TEST_F(firmware, address_in_large_pages)
{
	struct raw *raw = &self->raw;
	const unsigned char *bar = raw->source.bar;
	uint32_t size, magic, key = large_key(raw);
	uint64_t last;

	ASSERT_EQ(0, suspend(raw, 1));
	ASSERT_EQ(0, query(raw, 1));
	size = required(raw);
	ASSERT_LT(STATE_SIZE, size);
	/* it does not fit into what is left of the first page */
	ASSERT_LT(LARGE_PAGE - KEY_IN_PAGE - 0x100, size);
	ASSERT_EQ(0, move(raw, SIM_SAVE_VHCA, 1, KEY_START + 0x100, key, size));
	EXPECT_EQ(size, firmware_get(raw->out, 8));

	memcpy(&magic, bar + FIRST_PAGE + KEY_IN_PAGE + 0x100, sizeof(magic));
	EXPECT_EQ(IMAGE_MAGIC, magic);
	EXPECT_EQ(0, bar[FIRST_PAGE + KEY_IN_PAGE + 0xff]);
	/* the last word of the image is the last one of the state */
	sim_bulk_read(raw->source.address, STATE_SIZE - 8, &last, 8);
	EXPECT_EQ(0, memcmp(&last, bar + SECOND_PAGE +
			    (KEY_IN_PAGE + 0x100 + size - 8) % LARGE_PAGE, 8));

	ASSERT_EQ(0, suspend(raw, 2));
	ASSERT_EQ(0, move(raw, SIM_LOAD_VHCA, 2, KEY_START + 0x100, key, size));
	ASSERT_EQ(0, resume(raw, 2));
	EXPECT_TRUE(sim_bulk_matches(raw->target.address, STATE_SIZE, 5));
	EXPECT_EQ(0, sim_counter(raw->sim.pf, "dma_faults"));
}

TEST_F(firmware, address_out_of_bounds)
{
	static const struct {
		int64_t offset;
		uint32_t size;
	} cases[] = {
		{ -1, 0x100 }, { 0, KEY_LENGTH + 1 }, { 1, KEY_LENGTH },
		{ KEY_LENGTH, 1 }, { KEY_LENGTH + 1, 1 }, { -KEY_START, 0x100 },
		{ ~KEY_START, 0xffffffff },
	};
	struct raw *raw = &self->raw;
	uint32_t key = large_key(raw);
	uint32_t expected = 0;
	unsigned int i;

	ASSERT_EQ(0, suspend(raw, 1));
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_EQ(-EINVAL, move(raw, SIM_SAVE_VHCA, 1, KEY_START + cases[i].offset, key,
					cases[i].size))
			TH_LOG("case %u", i);
		/* all for the same reason */
		EXPECT_NE(0, syndrome(raw));
		EXPECT_TRUE(!expected || expected == syndrome(raw)) TH_LOG("case %u", i);
		expected = syndrome(raw);
	}
	EXPECT_EQ(0, sim_counter(raw->source.address, "saves"));
}

TEST_F(firmware, keys_that_make_no_sense)
{
	static const uint32_t pages[] = { FIRST_PAGE, SECOND_PAGE };
	static const uint32_t odd[] = { FIRST_PAGE, SECOND_PAGE + 4096 };
	struct raw *raw = &self->raw;
	uint32_t key;

	EXPECT_EQ(-EINVAL, create_key(raw, 0, 8192, 11, pages, 2, &key));
	EXPECT_EQ(-EINVAL, create_key(raw, 0, 8192, 31, pages, 2, &key));
	EXPECT_EQ(-EINVAL, create_key(raw, 0, 2 * LARGE_PAGE, LARGE_SHIFT, odd, 2, &key));
	EXPECT_EQ(-EINVAL, create_key(raw, -4096ULL, 8192, 12, pages, 2, &key));
	EXPECT_EQ(-EINVAL, create_key(raw, 0, 0, 12, pages, 2, &key));
	/* one byte more than the pages hold: the list is too short */
	EXPECT_EQ(-EIO, create_key(raw, 1, 2 * LARGE_PAGE, LARGE_SHIFT, pages, 2, &key));
	EXPECT_EQ(0, create_key(raw, 0, 2 * LARGE_PAGE, LARGE_SHIFT, pages, 2, &key));
	EXPECT_EQ(0, create_key(raw, 0, 8192, 12, odd, 2, &key));
}

TEST_F(firmware, migration_state)
{
	struct raw *raw = &self->raw;
	uint32_t size, key = large_key(raw);
	uint64_t word = 1;

	ASSERT_EQ(0, query(raw, 1));
	EXPECT_EQ(IDLE, state_of(raw));
	size = required(raw);
	ASSERT_EQ(0, move(raw, SIM_SAVE_VHCA, TRACK | 1, KEY_START, key, size));
	ASSERT_EQ(0, query(raw, INCREMENTAL | 1));
	EXPECT_EQ(READY, state_of(raw));
	EXPECT_EQ(0, required(raw));

	sim_bulk_write(raw->source.address, 0, &word, sizeof(word));
	ASSERT_EQ(0, query(raw, INCREMENTAL | 1));
	EXPECT_EQ(DIRTY, state_of(raw));
	EXPECT_GT(2 * 4096, required(raw));

	file_write(path("/sys/kernel/debug/pcisim/%s/reconfigure", raw->source.address), "1");
	EXPECT_EQ(1, sim_counter(raw->source.address, "reconfigure"));
	ASSERT_EQ(0, query(raw, INCREMENTAL | 1));
	EXPECT_EQ(INIT, state_of(raw));
	EXPECT_EQ(size, required(raw));
	/* the other VF is not concerned */
	ASSERT_EQ(0, query(raw, 2));
	EXPECT_EQ(IDLE, state_of(raw));

	ASSERT_EQ(0, move(raw, SIM_SAVE_VHCA, INCREMENTAL | TRACK | 1, KEY_START, key, size));
	EXPECT_EQ(size, firmware_get(raw->out, 8));
	ASSERT_EQ(0, query(raw, INCREMENTAL | 1));
	EXPECT_EQ(READY, state_of(raw));
	EXPECT_EQ(0, sim_counter(raw->source.address, "reconfigure"));
}

TEST_F(firmware, faults)
{
	struct raw *raw = &self->raw;
	const struct firmware_fault busy = {
		.opcode = SIM_QUERY_VHCA_STATE,
		.vhca = 2,
		.status = FIRMWARE_BUSY,
		.syndrome = 0xabcdef,
		.times = 2,
	};

	firmware_fault(&raw->sim, &busy);
	EXPECT_EQ(0, query(raw, 1));
	EXPECT_EQ(-EBUSY, query(raw, 2));
	EXPECT_EQ(FIRMWARE_BUSY, firmware_get(raw->out, 0) >> 24);
	EXPECT_EQ(0xabcdef, syndrome(raw));
	EXPECT_FALSE(firmware_fault_is_over(&raw->sim));
	EXPECT_EQ(-EBUSY, query(raw, 2));
	EXPECT_TRUE(firmware_fault_is_over(&raw->sim));
	EXPECT_EQ(0, query(raw, 2));

	/* a new fault has nothing of the one before */
	firmware_fault(&raw->sim, &busy);
	sim_fail(&raw->sim, SIM_QUERY_VHCA_STATE, SIM_STATUS_LIMIT, 1);
	EXPECT_EQ(-ENOMEM, query(raw, 1));
	EXPECT_NE(0xabcdef, syndrome(raw));
	EXPECT_NE(0, syndrome(raw));
}

TEST_F(firmware, wrong_sizes)
{
	struct raw *raw = &self->raw;
	uint32_t size, key = large_key(raw);

	ASSERT_EQ(0, suspend(raw, 1));
	ASSERT_EQ(0, query(raw, 1));
	size = required(raw);
	firmware_wrong(&raw->sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REQUIRED, 0xffffffff);
	EXPECT_EQ(0, query(raw, 1));
	EXPECT_EQ(0xffffffff, required(raw));
	firmware_wrong(&raw->sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REMAINING, 0x123456789abcULL);
	EXPECT_EQ(0, query(raw, 1));
	EXPECT_EQ(size, required(raw));
	EXPECT_EQ(0x1234, firmware_get(raw->out, 24));
	EXPECT_EQ(0x56789abc, firmware_get(raw->out, 28));
	firmware_wrong(&raw->sim, SIM_SAVE_VHCA, FIRMWARE_ACTUAL, 0);
	EXPECT_EQ(0, move(raw, SIM_SAVE_VHCA, 1, KEY_START, key, size));
	EXPECT_EQ(0, firmware_get(raw->out, 8));
	firmware_wrong(&raw->sim, SIM_SAVE_VHCA, FIRMWARE_NEXT, 77);
	EXPECT_EQ(0, move(raw, SIM_SAVE_VHCA, 1, KEY_START, key, size));
	EXPECT_EQ(size, firmware_get(raw->out, 8));
	EXPECT_EQ(77, firmware_get(raw->out, 12));
	EXPECT_EQ(2, sim_counter(raw->source.address, "saves"));
}

TEST_F(firmware, faults_at_random)
{
	struct raw *raw = &self->raw;
	char directory[80];

	snprintf(directory, sizeof(directory), "/sys/kernel/debug/pcisim/%s/fail_command",
		 raw->sim.pf);
	if (!file_exists(directory))
		SKIP(return, "needs a kernel with fault injection");
	firmware_fault(&raw->sim, &(struct firmware_fault){
		.opcode = SIM_QUERY_VHCA_STATE, .status = FIRMWARE_BUSY });
	file_write(path("%s/verbose", directory), "0");
	file_write(path("%s/times", directory), "2");
	EXPECT_EQ(0, query(raw, 1));
	file_write(path("%s/probability", directory), "100");
	EXPECT_EQ(-EBUSY, query(raw, 1));
	EXPECT_EQ(-EBUSY, query(raw, 1));
	EXPECT_EQ(0, query(raw, 1));
}

TEST_F(firmware, late_answer)
{
	struct raw *raw = &self->raw;
	uint64_t before = now_us();

	firmware_fault(&raw->sim, &(struct firmware_fault){
		.opcode = SIM_QUERY_VHCA_STATE, .delay = 500, .times = 1 });
	EXPECT_EQ(0, query(raw, 1));
	EXPECT_LE(500000, now_us() - before);
	EXPECT_LT(STATE_SIZE, required(raw));
}

FIXTURE(capability)
{
	struct raw raw;
};

/* Which capability is missing, where it is, and whether migration works without it. */
FIXTURE_VARIANT(capability)
{
	const char *name;
	unsigned int type;
	unsigned int word;
	unsigned int bit;
	bool works;
};

FIXTURE_VARIANT_ADD(capability, migration)
{
	.name = "migration", .type = 0x00, .word = 0xd0, .bit = 18,
};

FIXTURE_VARIANT_ADD(capability, multi_load)
{
	.name = "multi_load", .type = 0x20, .word = 0x18, .bit = 23,
};

FIXTURE_VARIANT_ADD(capability, tracking_state)
{
	.name = "tracking_state", .type = 0x20, .word = 0x18, .bit = 22,
};

FIXTURE_VARIANT_ADD(capability, chunks)
{
	.name = "chunk_size", .type = 0x20, .word = 0x18, .bit = 15, .works = true,
};

FIXTURE_VARIANT_ADD(capability, migration_state)
{
	.name = "migration_state", .type = 0x20, .word = 0x18, .bit = 6, .works = true,
};

static const struct sim_config one_of_ours = {
	.vfs = 1,
	.drivers = { DRIVER_OURS },
	.state_size = STATE_SIZE,
	.chunk_size = SIM_CHUNK,
};

FIXTURE_SETUP(capability)
{
	sim_remove_all();
	sim_get(&self->raw.sim, &one_of_ours);
}

FIXTURE_TEARDOWN_PARENT(capability)
{
	sim_remove_all();
}

static unsigned int has_bit(struct raw *raw, unsigned int type, unsigned int word,
			    unsigned int bit)
{
	begin(raw, SIM_QUERY_HCA_CAP, type << 1 | 1);
	must(run(raw, 16, 0x1010));
	return firmware_get(raw->out, 0x10 + word) >> bit & 1;
}

TEST_F(capability, is_missing)
{
	struct raw *raw = &self->raw;
	struct blob blob = { 0 };
	struct sim_config config = one_of_ours;
	uint64_t flags;

	EXPECT_EQ(1, has_bit(raw, variant->type, variant->word, variant->bit));
	sim_remove_all();
	if (!strcmp(variant->name, "migration"))
		config.no_migration = true;
	else if (!strcmp(variant->name, "chunk_size"))
		config.chunk_size = 0;
	if (config.no_migration || !config.chunk_size)
		sim_get(&raw->sim, &config);
	else
		firmware_without(&raw->sim, &config, variant->name);
	EXPECT_EQ(0, has_bit(raw, variant->type, variant->word, variant->bit));

	vfio_open(&raw->source, raw->sim.vf[0]);
	if (!variant->works) {
		EXPECT_EQ(-ENOTTY, __mig_flags(&raw->source, &flags));
		return;
	}
	ASSERT_EQ(0, __mig_flags(&raw->source, &flags));
	if (!strcmp(variant->name, "migration_state")) {
		ASSERT_EQ(0, query(raw, 1));
		EXPECT_EQ(UNKNOWN, state_of(raw));
	}
	mig_save(&raw->source, &blob, MIB);
	mig_load(&raw->source, &blob, MIB);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

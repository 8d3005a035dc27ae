// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams of earlier versions can be loaded for ever.
 *
 * Each file in streams/ that is named below is what a driver once saved of a VF with the bulk
 * state below and an engine at work, and in some of them a guest's driver. A new kind of
 * stream gets a new file; those that are there are not recorded again.
 * `migration_golden_test record <folder>` records those that a folder lacks.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "golden.h"
#include "guest.h"
#include "module.h"
#include "pair.h"
#include "saving.h"

#define BULK_SIZE	9001
#define BULK_SEED	1414

/**
 * struct stream - a recorded stream
 * @name: of the file
 * @driver: that saved it
 * @chunk_size: of the firmware, 0 for none
 * @preamble: it begins with a preamble
 * @checksum: images have checksums
 * @pre_copy: it began while the VF ran
 * @guest: the VF was used by a guest's driver, see use_as_guest()
 * @rung: whose command was posted when the VF did not run any more
 * @next: the number that the engine writes next, told when it was recorded
 */
struct stream {
	const char *name;
	const char *driver;
	uint64_t chunk_size;
	bool preamble;
	bool checksum;
	bool pre_copy;
	bool guest;
	bool rung;
	uint64_t next;
};

enum {
	RECORDS, PREAMBLE, CHECKSUM, CHUNKS, PRE_COPY, IN_TREE, IN_TREE_CHUNKS, GUEST, GUEST_RUNG,
	STREAMS,
};

static const struct stream streams[STREAMS] = {
	[RECORDS] = { .name = "records", .driver = DRIVER_OURS, .next = 124 },
	[PREAMBLE] = { .name = "preamble", .driver = DRIVER_OURS, .preamble = true, .next = 59 },
	[CHECKSUM] = { .name = "checksum", .driver = DRIVER_OURS, .preamble = true,
		       .checksum = true, .next = 151 },
	[CHUNKS] = { .name = "chunks", .driver = DRIVER_OURS, .preamble = true,
		     .chunk_size = 4096, .next = 229 },
	[PRE_COPY] = { .name = "pre_copy", .driver = DRIVER_OURS, .preamble = true,
		       .pre_copy = true, .next = 928 },
	[IN_TREE] = { .name = "in_tree", .driver = DRIVER_IN_TREE, .next = 46 },
	[IN_TREE_CHUNKS] = { .name = "in_tree_chunks", .driver = DRIVER_IN_TREE,
			     .chunk_size = 4096, .next = 107 },
	[GUEST] = { .name = "guest", .driver = DRIVER_OURS, .preamble = true, .guest = true,
		    .next = 36 },
	[GUEST_RUNG] = { .name = "guest_rung", .driver = DRIVER_OURS, .preamble = true,
			 .chunk_size = 4096, .pre_copy = true, .guest = true, .rung = true,
			 .next = 77 },
};

static void open_pair(struct pair *pair, const char *driver, uint64_t chunk_size)
{
	const struct sim_config config = {
		.vfs = 2,
		.drivers = { driver, driver },
		.state_size = 64 << 10,
		.chunk_size = chunk_size,
	};

	pair_open(pair, &config);
}

/* What a recorded guest has: an event queue in its second lap, and UARs. */
#define GUEST_EQN	1
#define GUEST_FIRST_UAR	16
#define GUEST_UARS	3
#define GUEST_TAKEN	(GUEST_UARS + GUEST_EVENTS)

static void use_as_guest(struct guest *guest)
{
	uint32_t uar;
	unsigned int i;

	guest_start(guest);
	guest_use_events(guest);
	for (i = 0; i < GUEST_UARS; i++)
		if (guest_alloc_uar(guest, &uar) || uar != GUEST_FIRST_UAR + i)
			fail("UAR %u", uar);
	for (i = 0; i < GUEST_EVENTS / 2; i++)
		if (guest_alloc_uar(guest, &uar) || guest_dealloc_uar(guest, uar))
			fail("UAR %u", uar);
	if (guest->eqn != GUEST_EQN || guest->taken != GUEST_TAKEN)
		fail("event queue %u, %u events", guest->eqn, guest->taken);
}

#define ADAPTER_LENGTH	0x110
#define ADAPTER_NAME	0x100

/* The command that is under way in some streams. */
static void begin_query(struct guest *guest)
{
	guest_begin(guest, GUEST_QUERY_ADAPTER, 0);
	guest_write(guest, 16, ADAPTER_LENGTH);
}

/* The memory of the guest as it was when its VF was saved. */
static void resume_guest(struct guest *guest, struct vfio_device *dev, bool rung)
{
	guest_attach(guest, dev);
	guest_resume(guest, GUEST_EQN, GUEST_TAKEN);
	if (rung)
		begin_query(guest);
}

/* Nothing of what it has made is lost, and nothing else is there. */
static void expect_guest(struct __test_metadata *_metadata, struct guest *guest, bool rung)
{
	uint32_t uar, i;

	if (rung) {
		EXPECT_EQ(GUEST_OK, guest_wait(guest, ADAPTER_LENGTH));
		EXPECT_EQ(0, memcmp(guest->out + ADAPTER_NAME, "PCISIM", 6));
	}
	EXPECT_EQ(GUEST_OK, guest_alloc_uar(guest, &uar));
	EXPECT_EQ(GUEST_FIRST_UAR + GUEST_UARS, uar);
	for (i = 0; i <= GUEST_UARS; i++)
		EXPECT_EQ(GUEST_OK, guest_dealloc_uar(guest, GUEST_FIRST_UAR + i));
	EXPECT_EQ(GUEST_BAD_RESOURCE, guest_dealloc_uar(guest, GUEST_FIRST_UAR));
	/* another lap of the event queue, and the end */
	for (i = 0; i < GUEST_EVENTS; i++)
		EXPECT_EQ(GUEST_OK, guest_vhca_id(guest, &uar));
	EXPECT_EQ(2, uar);
	guest_stop(guest);
	EXPECT_EQ(GUEST_BAD_STATE, guest_alloc_uar(guest, &uar));
	EXPECT_EQ(0, sim_counter(guest->dev->address, "unknown_commands"));
	EXPECT_EQ(0, sim_counter(guest->dev->address, "dma_faults"));
}

FIXTURE(golden)
{
	struct pair pair;
	struct guest guest;
	struct blob blob;
};

FIXTURE_VARIANT(golden)
{
	const struct stream *stream;
};

FIXTURE_VARIANT_ADD(golden, records) { .stream = &streams[RECORDS] };
FIXTURE_VARIANT_ADD(golden, preamble) { .stream = &streams[PREAMBLE] };
FIXTURE_VARIANT_ADD(golden, checksum) { .stream = &streams[CHECKSUM] };
FIXTURE_VARIANT_ADD(golden, chunks) { .stream = &streams[CHUNKS] };
FIXTURE_VARIANT_ADD(golden, pre_copy) { .stream = &streams[PRE_COPY] };
FIXTURE_VARIANT_ADD(golden, in_tree) { .stream = &streams[IN_TREE] };
FIXTURE_VARIANT_ADD(golden, in_tree_chunks) { .stream = &streams[IN_TREE_CHUNKS] };
FIXTURE_VARIANT_ADD(golden, guest) { .stream = &streams[GUEST] };
FIXTURE_VARIANT_ADD(golden, guest_rung) { .stream = &streams[GUEST_RUNG] };

FIXTURE_SETUP(golden)
{
	golden_read(variant->stream->name, &self->blob);
	open_pair(&self->pair, DRIVER_OURS, SIM_CHUNK);
}

FIXTURE_TEARDOWN_PARENT(golden)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(golden, loads)
{
	const struct stream *stream = variant->stream;
	struct pair *pair = &self->pair;
	uint64_t next = stream->next;

	if (stream->guest)
		resume_guest(&self->guest, &pair->target, stream->rung);
	mig_load(&pair->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, BULK_SIZE, BULK_SEED));
	EXPECT_TRUE(pair_goes_on(pair, next));
	if (stream->guest)
		expect_guest(_metadata, &self->guest, stream->rung);
}

/* Any byte that is missing at the end is missed. */
TEST_F(golden, truncated)
{
	struct pair *pair = &self->pair;
	int fd = mig_begin(&pair->target, STATE_RESUMING);

	stream_write(fd, self->blob.data, self->blob.length - 1, MIB);
	EXPECT_EQ(-EBADMSG, __mig_set_state(&pair->target, STATE_STOP, NULL));
	vfio_reset(&pair->target);
	close(fd);
	mig_load(&pair->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, BULK_SIZE, BULK_SEED));
}

static void save(struct pair *pair, const struct stream *stream, struct guest *guest,
		 struct blob *blob)
{
	int fd;

	if (!stream->pre_copy) {
		mig_save(&pair->source, blob, MIB);
		return;
	}
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	if (__stream_read(fd, blob, MIB) != -ENOMSG)
		fail("no pause");
	if (stream->rung) {
		mig_set_state(&pair->source, STATE_PRE_COPY_P2P, NULL);
		begin_query(guest);
		guest_ring(guest);
	}
	mig_set_state(&pair->source, STATE_STOP_COPY, NULL);
	stream_read(fd, blob, MIB);
	close(fd);
}

static void record(const struct stream *stream, const char *folder)
{
	struct blob blob = { 0 };
	struct guest guest;
	struct pair pair;

	if (golden_exists(folder, stream->name) || !module_exists(stream->driver))
		return;
	saving_set_parameter("preamble", stream->preamble);
	saving_set_parameter("checksum", stream->checksum);
	open_pair(&pair, stream->driver, stream->chunk_size);
	sim_bulk_fill(pair.source.address, BULK_SIZE, BULK_SEED);
	if (stream->guest) {
		guest_attach(&guest, &pair.source);
		use_as_guest(&guest);
	}
	engine_start(&pair.from, ENGINE_PERIOD, 0);
	engine_progress(&pair.from, 20);
	save(&pair, stream, &guest, &blob);
	golden_write(folder, stream->name, &blob);
	ksft_print_msg("next = %llu\n", (unsigned long long)engine_next(&pair.from));
	blob_free(&blob);
	vfio_close(&pair.source);
	vfio_close(&pair.target);
}

int main(int argc, char **argv)
{
	unsigned int i;

	sim_prepare();
	if (argc != 3 || strcmp(argv[1], "record"))
		return test_harness_run(argc, argv);
	for (i = 0; i < STREAMS; i++)
		record(&streams[i], argv[2]);
	saving_set_parameter("preamble", 1);
	saving_set_parameter("checksum", 0);
	return 0;
}

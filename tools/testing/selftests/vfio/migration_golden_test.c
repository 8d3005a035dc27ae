// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams of earlier versions can be loaded for ever.
 *
 * Each file in streams/ is what a driver once saved of a VF with the bulk state below and
 * an engine at work. A new kind of stream gets a new file; those that are there are not
 * recorded again. `migration_golden_test record <folder>` records those that a folder lacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "file.h"
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
 * @next: the number that the engine writes next, told when it was recorded
 */
struct stream {
	const char *name;
	const char *driver;
	uint64_t chunk_size;
	bool preamble;
	bool checksum;
	bool pre_copy;
	uint64_t next;
};

enum {
	RECORDS, PREAMBLE, CHECKSUM, CHUNKS, PRE_COPY, IN_TREE, IN_TREE_CHUNKS, STREAMS,
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

FIXTURE(golden)
{
	struct pair pair;
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

/* The folder is beside the program. */
static void read_stream(const char *name, struct blob *blob)
{
	char file[PATH_ROOM], piece[4096];
	ssize_t length = readlink("/proc/self/exe", file, sizeof(file) - 1);
	int fd;

	if (length < 0)
		fail("where am I: %s", strerror(errno));
	file[length] = 0;
	*strrchr(file, '/') = 0;
	fd = open(path("%s/streams/%s", file, name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s/streams/%s: %s", file, name, strerror(errno));
	while ((length = read(fd, piece, sizeof(piece))) > 0)
		blob_append(blob, piece, length);
	close(fd);
}

FIXTURE_SETUP(golden)
{
	read_stream(variant->stream->name, &self->blob);
	open_pair(&self->pair, DRIVER_OURS, SIM_CHUNK);
}

FIXTURE_TEARDOWN_PARENT(golden)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(golden, loads)
{
	struct pair *pair = &self->pair;
	uint64_t next = variant->stream->next;

	mig_load(&pair->target, &self->blob, MIB);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, BULK_SIZE, BULK_SEED));
	EXPECT_EQ(next, engine_next(&pair->to));
	engine_clear_ring(&pair->to);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	engine_progress(&pair->to, 20);
	engine_stop(&pair->to);
	EXPECT_TRUE(engine_ring_holds(&pair->to, next, engine_next(&pair->to)));
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

static void save(struct pair *pair, const struct stream *stream, struct blob *blob)
{
	int fd;

	if (!stream->pre_copy) {
		mig_save(&pair->source, blob, MIB);
		return;
	}
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	if (__stream_read(fd, blob, MIB) != -ENOMSG)
		fail("no pause");
	mig_set_state(&pair->source, STATE_STOP_COPY, NULL);
	stream_read(fd, blob, MIB);
	close(fd);
}

static void record(const struct stream *stream, const char *folder)
{
	struct blob blob = { 0 };
	struct pair pair;
	int fd = open(path("%s/%s", folder, stream->name), O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || !module_exists(stream->driver)) {
		printf("%s: left alone\n", stream->name);
		return;
	}
	saving_set_parameter("preamble", stream->preamble);
	saving_set_parameter("checksum", stream->checksum);
	open_pair(&pair, stream->driver, stream->chunk_size);
	sim_bulk_fill(pair.source.address, BULK_SIZE, BULK_SEED);
	engine_start(&pair.from, ENGINE_PERIOD, 0);
	engine_progress(&pair.from, 20);
	save(&pair, stream, &blob);
	if (write(fd, blob.data, blob.length) != blob.length)
		fail("%s: %s", stream->name, strerror(errno));
	printf("%s: next = %llu\n", stream->name, (unsigned long long)engine_next(&pair.from));
	close(fd);
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

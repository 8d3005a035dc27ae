// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a VF arrives at another VF: the engine goes on with exactly the next
 * number, the bulk state is the same to the byte, however the data was cut.
 *
 * The tests also run with the in-tree driver where it exists, and across the two, which
 * shows that simulator and format are not shaped to our own driver.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "harness.h"
#include "module.h"
#include "pair.h"

FIXTURE(data)
{
	struct pair pair;
	struct blob blob;
};

FIXTURE_VARIANT(data)
{
	const char *source;
	const char *target;
	uint64_t chunk_size;
};

FIXTURE_VARIANT_ADD(data, ours_chunked)
{
	.source = DRIVER_OURS,
	.target = DRIVER_OURS,
	.chunk_size = SIM_CHUNK,
};

FIXTURE_VARIANT_ADD(data, ours_small_chunks)
{
	.source = DRIVER_OURS,
	.target = DRIVER_OURS,
	.chunk_size = 64 << 10,
};

FIXTURE_VARIANT_ADD(data, ours_whole)
{
	.source = DRIVER_OURS,
	.target = DRIVER_OURS,
	.chunk_size = 0,
};

FIXTURE_VARIANT_ADD(data, in_tree_chunked)
{
	.source = DRIVER_IN_TREE,
	.target = DRIVER_IN_TREE,
	.chunk_size = SIM_CHUNK,
};

FIXTURE_VARIANT_ADD(data, in_tree_whole)
{
	.source = DRIVER_IN_TREE,
	.target = DRIVER_IN_TREE,
	.chunk_size = 0,
};

FIXTURE_VARIANT_ADD(data, ours_to_in_tree)
{
	.source = DRIVER_OURS,
	.target = DRIVER_IN_TREE,
	.chunk_size = SIM_CHUNK,
};

FIXTURE_VARIANT_ADD(data, in_tree_to_ours)
{
	.source = DRIVER_IN_TREE,
	.target = DRIVER_OURS,
	.chunk_size = SIM_CHUNK,
};

FIXTURE_VARIANT_ADD(data, ours_to_in_tree_whole)
{
	.source = DRIVER_OURS,
	.target = DRIVER_IN_TREE,
	.chunk_size = 0,
};

FIXTURE_VARIANT_ADD(data, in_tree_to_ours_whole)
{
	.source = DRIVER_IN_TREE,
	.target = DRIVER_OURS,
	.chunk_size = 0,
};

FIXTURE_SETUP(data)
{
	const struct sim_config config = {
		.vfs = 2,
		.drivers = { variant->source, variant->target },
		.state_size = 64 << 10,
		.chunk_size = variant->chunk_size,
	};

	if (!module_exists(variant->source) || !module_exists(variant->target))
		SKIP(return, "needs a kernel with MLX5_VFIO_PCI");
	pair_open(&self->pair, &config);
}

FIXTURE_TEARDOWN_PARENT(data)
{
	sim_teardown(_metadata->exit_code);
}

/* The state of a stopped source goes to the target, which is stopped then. */
static void move_state(struct pair *pair, struct blob *blob, size_t read_size, size_t write_size)
{
	blob->length = 0;
	mig_save(&pair->source, blob, read_size);
	mig_load(&pair->target, blob, write_size);
}

static void move_bulk(struct __test_metadata *_metadata, struct pair *pair, struct blob *blob,
		      uint64_t size, size_t read_size, size_t write_size)
{
	sim_bulk_fill(pair->source.address, size, size + read_size);
	move_state(pair, blob, read_size, write_size);
	EXPECT_LE(size, blob->length);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, size, size + read_size))
		TH_LOG("%llu bytes in pieces of %zu and %zu", (unsigned long long)size, read_size,
		       write_size);
	EXPECT_TRUE(sim_bulk_matches(pair->source.address, size, size + read_size));
	/* both usable again, without a reset */
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
}

TEST_F_TIMEOUT(data, bulk_sizes, 60)
{
	static const uint64_t sizes[] = { 1, 0, 7, 4095, 4096, 4097, 65536, MIB, MIB + 1, 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		move_bulk(_metadata, &self->pair, &self->blob, sizes[i], MIB, 32768);
}

TEST_F_TIMEOUT(data, large_bulk, 120)
{
	move_bulk(_metadata, &self->pair, &self->blob, 64 * MIB, MIB, 32768);
}

/* With chunks several records of each kind, and the last one short. */
TEST_F_TIMEOUT(data, several_records, 60)
{
	move_bulk(_metadata, &self->pair, &self->blob, 2 * SIM_CHUNK + 4711, MIB, MIB);
}

TEST_F_TIMEOUT(data, pieces, 60)
{
	static const struct {
		uint64_t size;
		size_t read_size;
		size_t write_size;
	} cuts[] = {
		{ 100, 1, 1 }, { 100, 1, MIB }, { 100, MIB, 1 }, { 5000, 7, 16 }, { 5000, 16, 7 },
		{ 5000, 15, 17 }, { 200000, 777, 32768 }, { 200000, 32768, 777 },
		{ 2 * MIB, 32768, MIB }, { 2 * MIB, MIB, 4095 }, { 2 * MIB, 4097, 4 * MIB },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++)
		move_bulk(_metadata, &self->pair, &self->blob, cuts[i].size, cuts[i].read_size,
			  cuts[i].write_size);
}

/* Cuts at, before and behind every record header. */
TEST_F_TIMEOUT(data, pieces_around_headers, 60)
{
	const long around[] = { -1, 0, 1, 8, 15, 16, 17 };
	struct pair *pair = &self->pair;
	unsigned int i;
	long image;
	int fd;

	sim_bulk_fill(pair->source.address, 100000, 1);
	mig_save(&pair->source, &self->blob, MIB);
	image = blob_find_image(&self->blob, 0);
	ASSERT_LE(0, image);
	for (i = 0; i < ARRAY_SIZE(around); i++) {
		size_t cut = image + around[i];

		if (image + around[i] <= 0)
			continue;
		fd = mig_begin(&pair->target, STATE_RESUMING);
		stream_write(fd, self->blob.data, cut, MIB);
		stream_write(fd, self->blob.data + cut, self->blob.length - cut, MIB);
		mig_set_state(&pair->target, STATE_STOP, NULL);
		close(fd);
		EXPECT_TRUE(sim_bulk_matches(pair->target.address, 100000, 1));
		mig_set_state(&pair->target, STATE_RUNNING, NULL);
		sim_bulk_resize(pair->target.address, 0);
	}
}

static int read_vectors(int fd, struct blob *blob)
{
	char first[13], second[1], third[5000];
	struct iovec parts[] = {
		{ first, sizeof(first) }, { second, sizeof(second) }, { NULL, 0 },
		{ third, sizeof(third) },
	};
	ssize_t done;
	unsigned int i;

	while ((done = readv(fd, parts, 4)) > 0)
		for (i = 0; i < 4 && done; i++) {
			size_t now = (size_t)done < parts[i].iov_len ? done : parts[i].iov_len;

			blob_append(blob, parts[i].iov_base, now);
			done -= now;
		}
	return done < 0 ? -errno : 0;
}

static int write_vectors(int fd, const struct blob *blob)
{
	size_t done = 0;

	while (done < blob->length) {
		size_t left = blob->length - done;
		size_t first = left < 3 ? left : 3;
		size_t second = left - first < 9001 ? left - first : 9001;
		struct iovec parts[] = {
			{ blob->data + done, first }, { NULL, 0 },
			{ blob->data + done + first, second },
		};
		ssize_t now = writev(fd, parts, 3);

		if (now <= 0)
			return now ? -errno : -EIO;
		done += now;
	}
	return 0;
}

TEST_F(data, vectors)
{
	struct pair *pair = &self->pair;
	int fd;

	sim_bulk_fill(pair->source.address, 300001, 9);
	fd = mig_begin(&pair->source, STATE_STOP_COPY);
	EXPECT_EQ(0, read_vectors(fd, &self->blob));
	close(fd);
	fd = mig_begin(&pair->target, STATE_RESUMING);
	EXPECT_EQ(0, write_vectors(fd, &self->blob));
	mig_set_state(&pair->target, STATE_STOP, NULL);
	close(fd);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, 300001, 9));
}

/*
 * The engine ran on the source; it goes on, on the target, with the next number, and the
 * target writes none twice. Returns that number.
 */
static uint64_t move_engine(struct __test_metadata *_metadata, struct pair *pair,
			    struct blob *blob)
{
	uint64_t next;

	mig_set_state(&pair->source, STATE_RUNNING_P2P, NULL);
	mig_set_state(&pair->source, STATE_STOP, NULL);
	next = engine_next(&pair->from);
	EXPECT_TRUE(engine_is_quiet(&pair->from));
	move_state(pair, blob, MIB, 32768);
	EXPECT_TRUE(engine_is_quiet(&pair->from));
	engine_clear_ring(&pair->from);

	EXPECT_EQ(next, engine_next(&pair->to));
	EXPECT_EQ(engine_get(&pair->from, PCISIM_ENGINE_RING_LOW),
		  engine_get(&pair->to, PCISIM_ENGINE_RING_LOW));
	EXPECT_EQ(PAIR_ENTRIES, engine_get(&pair->to, PCISIM_ENGINE_RING_ENTRIES));
	EXPECT_EQ(engine_get(&pair->from, PCISIM_ENGINE_CTRL),
		  engine_get(&pair->to, PCISIM_ENGINE_CTRL));
	mig_set_state(&pair->target, STATE_RUNNING_P2P, NULL);
	EXPECT_TRUE(engine_is_quiet(&pair->to));
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	engine_progress(&pair->to, 20);
	return next;
}

TEST_F(data, engine_goes_on)
{
	struct pair *pair = &self->pair;
	uint64_t next;

	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 20);
	next = move_engine(_metadata, pair, &self->blob);
	engine_stop(&pair->to);
	EXPECT_TRUE(engine_ring_holds(&pair->to, next, engine_next(&pair->to)));
	/* the source is frozen and stays so */
	EXPECT_EQ(next, engine_next(&pair->from));
}

TEST_F(data, idle_engine_stays_idle)
{
	struct pair *pair = &self->pair;
	uint64_t next;

	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 20);
	engine_stop(&pair->from);
	next = engine_next(&pair->from);
	move_state(pair, &self->blob, MIB, 32768);
	engine_clear_ring(&pair->from);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	EXPECT_TRUE(engine_is_quiet(&pair->to));
	EXPECT_EQ(next, engine_next(&pair->to));
	engine_start(&pair->to, ENGINE_PERIOD, 0);
	engine_progress(&pair->to, 20);
	engine_stop(&pair->to);
	EXPECT_TRUE(engine_ring_holds(&pair->to, next, engine_next(&pair->to)));
}

TEST_F_TIMEOUT(data, ping_pong, 60)
{
	struct pair *pair = &self->pair;
	uint64_t first = 1, next;
	unsigned int i;

	sim_bulk_fill(pair->source.address, 123457, 5);
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 20);
	for (i = 0; i < 4; i++) {
		next = move_engine(_metadata, pair, &self->blob);
		ASSERT_LT(first, next);
		first = next;
		pair_swap(pair);
	}
	engine_stop(&pair->from);
	EXPECT_TRUE(engine_ring_holds(&pair->from, first, engine_next(&pair->from)));
	EXPECT_TRUE(sim_bulk_matches(pair->source.address, 123457, 5));
}

TEST_F(data, interrupts_go_on)
{
	struct pair *pair = &self->pair;
	int eventfds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };
	uint64_t count;

	engine_put(&pair->from, PCISIM_ENGINE_VECTOR, 1);
	engine_start(&pair->from, ENGINE_PERIOD, PCISIM_ENGINE_CTRL_INTERRUPT);
	engine_progress(&pair->from, 20);
	/* a client sets up interrupts before the device runs */
	vfio_msix(&pair->target, eventfds, 2);
	move_engine(_metadata, pair, &self->blob);
	EXPECT_TRUE(wait_until(read(eventfds[1], &count, 8) == 8, SOON));
	EXPECT_EQ(-1, read(eventfds[0], &count, 8));
}

/* A cancelled migration: the source runs on as if nothing had been. */
TEST_F(data, source_runs_on)
{
	struct pair *pair = &self->pair;
	char byte;
	int fd;

	sim_bulk_fill(pair->source.address, 50000, 3);
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 20);
	fd = mig_begin(&pair->source, STATE_STOP_COPY);
	EXPECT_EQ(1, read(fd, &byte, 1));
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	close(fd);
	engine_progress(&pair->from, 20);
	engine_stop(&pair->from);
	EXPECT_TRUE(engine_ring_holds(&pair->from, 1, engine_next(&pair->from)));
	EXPECT_TRUE(sim_bulk_matches(pair->source.address, 50000, 3));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

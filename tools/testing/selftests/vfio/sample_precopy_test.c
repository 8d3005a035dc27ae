// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pre-copy by the sample driver: what is told and what is read, and a device that goes on
 * to change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "two.h"
#include "worker.h"

FIXTURE(move)
{
	struct two two;
};

FIXTURE_VARIANT(move)
{
	uint64_t size;
	size_t piece;
};

FIXTURE_VARIANT_ADD(move, empty) { .size = 0, .piece = MIB };
FIXTURE_VARIANT_ADD(move, odd) { .size = 300001, .piece = 777 };
FIXTURE_VARIANT_ADD(move, one_mib) { .size = MIB, .piece = 32 << 10 };
FIXTURE_VARIANT_ADD(move, several_records) { .size = 20 * MIB + 4095, .piece = MIB };
FIXTURE_VARIANT_ADD(move, large) { .size = 64 * MIB, .piece = MIB };

FIXTURE_SETUP(move)
{
	two_open(&self->two, &plain_config);
}

FIXTURE_TEARDOWN_PARENT(move)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(move, pre_copy, 120)
{
	struct two *two = &self->two;
	struct vfio_precopy_info info;
	struct blob blob = { 0 };
	uint64_t before = two_copies(two);
	size_t first, last;
	int fd, none = -1;

	testdev_fill(two->source.address, variant->size, 6);
	testdev_start_copy(&two->from, COPY_LENGTH, ~0U);
	fd = mig_begin(&two->source, STATE_PRE_COPY);
	info = precopy_info(fd);
	EXPECT_LT(0, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	first = read_as_told(_metadata, fd, &blob);
	EXPECT_LE(variant->size, first);
	/* nothing new: the end, whatever one asks */
	EXPECT_EQ(-ENOMSG, __stream_read(fd, &blob, 4096));
	EXPECT_FALSE(stream_events(fd) & POLLIN);
	info = precopy_info(fd);
	EXPECT_EQ(0, info.initial_bytes + info.dirty_bytes);
	testdev_progress(&two->from, 5);

	mig_set_state(&two->source, STATE_STOP_COPY, &none);
	EXPECT_EQ(-1, none);
	first = blob.length;
	stream_read(fd, &blob, variant->piece);
	last = blob.length - first;
	EXPECT_LT(0, last);
	EXPECT_GT(4096, last);
	mig_load(&two->target, &blob, variant->piece);
	EXPECT_TRUE(testdev_matches(two->target.address, variant->size, 6));
	mig_set_state(&two->target, STATE_RUNNING, NULL);
	expect_copies_to_go_on(_metadata, two, before);
	close(fd);
	blob_free(&blob);
}

FIXTURE(precopy)
{
	struct two two;
};

FIXTURE_SETUP(precopy)
{
	two_open(&self->two, &plain_config);
}

FIXTURE_TEARDOWN_PARENT(precopy)
{
	sim_teardown(_metadata->exit_code);
}

#define BLOCK 4096

TEST_F(precopy, only_what_changes_is_sent_again)
{
	struct vfio_device *source = &self->two.source;
	struct vfio_precopy_info info;
	struct blob blob = { 0 };
	uint64_t seen;
	int fd, i;

	testdev_fill(source->address, MEMORY, 8);
	fd = mig_begin(source, STATE_PRE_COPY);
	read_as_told(_metadata, fd, &blob);
	for (i = 1; i <= 3; i++) {
		testdev_write(source->address, i * 9 * BLOCK, "x", 1);
		testdev_write(source->address, i * 20 * BLOCK, "yz", 2);
		EXPECT_EQ(-ENOMSG, __stream_read(fd, &blob, MIB));
		info = precopy_info(fd);
		EXPECT_EQ(0, info.initial_bytes);
		EXPECT_LE(2 * BLOCK, info.dirty_bytes);
		EXPECT_GT(3 * BLOCK, info.dirty_bytes);
		EXPECT_TRUE(wait_until(stream_events(fd) & POLLIN, SOON));
		seen = read_to_pause(_metadata, fd, &blob);
		EXPECT_EQ(info.dirty_bytes, seen);
	}
	mig_set_state(source, STATE_STOP_COPY, NULL);
	stream_read(fd, &blob, MIB);
	mig_load(&self->two.target, &blob, MIB);
	testdev_write(source->address, 0, testdev_pattern(8, 8), 8);
	close(fd);
	blob_free(&blob);
}

/* Writes to random blocks as fast as it can, until told to end. */
struct changer {
	const char *address;
	bool stop;
	unsigned int writes;
};

static long change(void *argument)
{
	struct changer *changer = argument;
	unsigned int seed = 1;

	while (!__atomic_load_n(&changer->stop, __ATOMIC_RELAXED)) {
		uint32_t value = rand_r(&seed);
		int error = __testdev_write(changer->address,
					    value % (MEMORY - sizeof(value)), &value,
					    sizeof(value));

		if (error)
			return error;
		__atomic_add_fetch(&changer->writes, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static bool same_memory(struct two *two)
{
	unsigned char *source = malloc(MEMORY);
	unsigned char *target = malloc(MEMORY);
	bool same;

	testdev_read(two->source.address, 0, source, MEMORY);
	testdev_read(two->target.address, 0, target, MEMORY);
	same = !memcmp(source, target, MEMORY);
	free(source);
	free(target);
	return same;
}

TEST_F_TIMEOUT(precopy, while_memory_changes, 60)
{
	struct changer changer = { .address = self->two.source.address };
	struct two *two = &self->two;
	struct worker worker;
	struct blob blob = { 0 };
	int fd, i;

	testdev_fill(two->source.address, MEMORY, 12);
	worker_start(&worker, change, &changer);
	fd = mig_begin(&two->source, STATE_PRE_COPY);
	for (i = 0; i < 30 || __atomic_load_n(&changer.writes, __ATOMIC_RELAXED) < 100; i++)
		read_as_told(_metadata, fd, &blob);
	mig_set_state(&two->source, STATE_PRE_COPY_P2P, NULL);
	for (i = 0; i < 5; i++)
		read_as_told(_metadata, fd, &blob);
	__atomic_store_n(&changer.stop, true, __ATOMIC_RELAXED);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	mig_set_state(&two->source, STATE_STOP_COPY, NULL);
	stream_read(fd, &blob, MIB);
	mig_load(&two->target, &blob, MIB);
	EXPECT_TRUE(same_memory(two));
	close(fd);
	blob_free(&blob);
}

/* In the middle of the initial data, without the end of it ever seen. */
TEST_F(precopy, left_early)
{
	struct blob blob = { 0 };
	char piece[1000];
	int fd, i;

	testdev_fill(self->two.source.address, MEMORY, 13);
	fd = mig_begin(&self->two.source, STATE_PRE_COPY);
	for (i = 0; i < 10; i++)
		blob_append(&blob, piece, must(read(fd, piece, sizeof(piece))));
	mig_set_state(&self->two.source, STATE_STOP_COPY, NULL);
	stream_read(fd, &blob, MIB);
	mig_load(&self->two.target, &blob, MIB);
	EXPECT_TRUE(testdev_matches(self->two.target.address, MEMORY, 13));
	blob_free(&blob);
}

TEST_F(precopy, given_up)
{
	struct blob blob = { 0 };
	int fd = mig_begin(&self->two.source, STATE_PRE_COPY);

	read_as_told(_metadata, fd, &blob);
	mig_set_state(&self->two.source, STATE_RUNNING, NULL);
	expect_dead(_metadata, fd, STATE_PRE_COPY);
	EXPECT_TRUE(moves_pattern(&self->two, MEMORY, 14));
	blob_free(&blob);
}

TEST_F(precopy, info_is_for_precopy_only)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	int fd = mig_begin(&self->two.source, STATE_PRE_COPY);

	EXPECT_EQ(0, ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	info.argsz = sizeof(info) - 1;
	EXPECT_EQ(-1, ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	info.argsz = sizeof(info);
	mig_set_state(&self->two.source, STATE_STOP_COPY, NULL);
	EXPECT_EQ(-1, ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	mig_set_state(&self->two.source, STATE_STOP, NULL);
	EXPECT_EQ(-1, ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(precopy, flags_of_info)
{
	struct vfio_precopy_info info;
	int fd = mig_begin(&self->two.source, STATE_PRE_COPY);

	/* nobody has asked for the second version */
	EXPECT_EQ(~0U, precopy_info(fd).flags);
	mig_set_state(&self->two.source, STATE_RUNNING, NULL);
	close(fd);
	vfio_feature(&self->two.source, VFIO_DEVICE_FEATURE_SET |
		     VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, NULL, 0);
	fd = mig_begin(&self->two.source, STATE_PRE_COPY);
	info = precopy_info(fd);
	EXPECT_EQ(0, info.flags);
	EXPECT_LE(MEMORY, info.initial_bytes)
		TH_LOG("%llu dirty bytes", (unsigned long long)info.dirty_bytes);
}

int main(int argc, char **argv)
{
	testdev_prepare();
	return test_harness_run(argc, argv);
}

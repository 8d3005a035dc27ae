// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware that misbehaves while our driver copies the state of a running device: the
 * device goes on, and the data is the whole or known to be none.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "file.h"
#include "firmware.h"

static const char *debug_file(struct vfio_device *dev, const char *name)
{
	return path("/sys/kernel/debug/vfio-mig/%s/%s", dev->address, name);
}

/* PRE_COPY, which the driver may not offer. */
FIXTURE(precopy)
{
	struct pair pair;
	bool offered;
};

FIXTURE_SETUP(precopy)
{
	uint64_t flags;

	firmware_pair_open(&self->pair, true);
	mig_flags(&self->pair.source, &flags);
	self->offered = flags & VFIO_MIGRATION_PRE_COPY;
}

FIXTURE_TEARDOWN_PARENT(precopy)
{
	sim_teardown(_metadata->exit_code);
}

/* Loads what a source delivers after a fault that it survives. */
static void expect_end_of_precopy(struct __test_metadata *_metadata, struct pair *pair, int fd,
				  struct blob *blob)
{
	mig_set_state(&pair->source, STATE_STOP_COPY, NULL);
	EXPECT_LE(0, __stream_read(fd, blob, MIB));
	EXPECT_EQ(0, __mig_set_state(&pair->source, STATE_STOP, NULL));
	close(fd);
	EXPECT_EQ(0, __mig_load(&pair->target, blob, MIB));
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, FIRMWARE_BULK, 2));
}

/*
 * Status 9 means that the firmware cannot go on with what it has begun: the final image
 * is a full one.
 */
TEST_F(precopy, bad_state_leads_to_a_full_image)
{
	struct pair *pair = &self->pair;
	struct blob blob = { 0 };
	int fd;

	if (!self->offered)
		SKIP(return, "the driver does not offer PRE_COPY");
	firmware_fault(&pair->sim, &(struct firmware_fault){
		.opcode = SIM_SAVE_VHCA, .status = FIRMWARE_RESOURCE_STATE, .times = 1 });
	fd = mig_begin(&pair->source, STATE_PRE_COPY);
	EXPECT_EQ(-ENOMSG, __stream_read(fd, &blob, MIB));
	EXPECT_TRUE(firmware_fault_is_over(&pair->sim));
	EXPECT_EQ(STATE_PRE_COPY, mig_state(&pair->source));
	expect_end_of_precopy(_metadata, pair, fd, &blob);
}

/* In any other case the session is over, and the device goes on. */
TEST_F(precopy, save_with_every_status)
{
	struct vfio_device *dev = &self->pair.source;
	struct blob blob = { 0 };
	unsigned int i;
	int fd;

	if (!self->offered)
		SKIP(return, "the driver does not offer PRE_COPY");
	for (i = 0; i < FIRMWARE_OUTCOMES; i++) {
		const struct firmware_outcome *outcome = &firmware_outcomes[i];
		struct firmware_fault fault = firmware_fault_of(SIM_SAVE_VHCA, outcome);

		if (outcome->status == FIRMWARE_RESOURCE_STATE)
			continue;
		firmware_fault(&self->pair.sim, &fault);
		fd = mig_begin(dev, STATE_PRE_COPY);
		EXPECT_EQ(outcome->error, __stream_read(fd, &blob, MIB))
			TH_LOG("status %#x", outcome->status);
		EXPECT_TRUE(firmware_fault_is_over(&self->pair.sim));
		EXPECT_EQ(STATE_PRE_COPY, mig_state(dev));
		EXPECT_EQ(FIRMWARE_SYNDROME + outcome->status,
			  file_read_number(debug_file(dev, "last_syndrome")));
		EXPECT_EQ(0, __mig_set_state(dev, STATE_RUNNING, NULL));
		close(fd);
	}
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

TEST_F(precopy, query_with_every_status)
{
	struct vfio_device *dev = &self->pair.source;
	unsigned int i;

	if (!self->offered)
		SKIP(return, "the driver does not offer PRE_COPY");
	for (i = 0; i < FIRMWARE_OUTCOMES; i++) {
		const struct firmware_outcome *outcome = &firmware_outcomes[i];
		struct firmware_fault fault = firmware_fault_of(SIM_QUERY_VHCA_STATE, outcome);

		firmware_fault(&self->pair.sim, &fault);
		EXPECT_EQ(outcome->error, __mig_set_state(dev, STATE_PRE_COPY, NULL))
			TH_LOG("status %#x", outcome->status);
		EXPECT_EQ(STATE_RUNNING, mig_state(dev));
	}
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

/* Sizes of the first image and of what changed after it. */
TEST_F(precopy, wrong_sizes)
{
	static const uint32_t sizes[] = { 0, 1 << 30, 0xffffffff };
	static const uint32_t required[] = { 64 << 20, 0xffffffff };
	struct vfio_device *dev = &self->pair.source;
	struct blob blob = { 0 };
	unsigned int i;
	int fd, error;

	if (!self->offered)
		SKIP(return, "the driver does not offer PRE_COPY");
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		firmware_wrong(&self->pair.sim, SIM_SAVE_VHCA, FIRMWARE_ACTUAL, sizes[i]);
		fd = mig_begin(dev, STATE_PRE_COPY);
		EXPECT_EQ(-EIO, __stream_read(fd, &blob, MIB)) TH_LOG("%#x", sizes[i]);
		EXPECT_EQ(0, __mig_set_state(dev, STATE_RUNNING, NULL));
		close(fd);
	}
	for (i = 0; i < sizeof(required) / sizeof(*required); i++) {
		blob.length = 0;
		fd = mig_begin(dev, STATE_PRE_COPY);
		EXPECT_EQ(-ENOMSG, __stream_read(fd, &blob, MIB));
		sim_bulk_fill(dev->address, FIRMWARE_BULK, 2);
		firmware_wrong(&self->pair.sim, SIM_QUERY_VHCA_STATE, FIRMWARE_REQUIRED,
			       required[i]);
		error = ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &(struct vfio_precopy_info){
			      .argsz = sizeof(struct vfio_precopy_info) }) ? -errno : 0;
		EXPECT_TRUE(!error || error == -EIO || error == -ENOMEM) TH_LOG("%d", error);
		EXPECT_EQ(STATE_PRE_COPY, mig_state(dev));
		EXPECT_EQ(0, __mig_set_state(dev, STATE_RUNNING, NULL));
		close(fd);
	}
	EXPECT_TRUE(firmware_pair_migrates(&self->pair));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

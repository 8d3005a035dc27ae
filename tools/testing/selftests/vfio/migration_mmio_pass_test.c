// SPDX-License-Identifier: GPL-2.0-only
/*
 * Touches of a device's BAR where nothing is blocked: with the policy to let them pass in
 * every state, with the other one while the device runs. They do the same in all cases.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "info.h"
#include "mmio.h"

FIXTURE(untouched)
{
	struct sim sim;
	struct vfio_device dev;
	int fd;
};

FIXTURE_VARIANT(untouched)
{
	bool block;
	uint32_t state;
};

FIXTURE_VARIANT_ADD(untouched, block_running) { .block = true, .state = STATE_RUNNING };
FIXTURE_VARIANT_ADD(untouched, block_p2p) { .block = true, .state = STATE_RUNNING_P2P };
FIXTURE_VARIANT_ADD(untouched, pass_running) { .state = STATE_RUNNING };
FIXTURE_VARIANT_ADD(untouched, pass_p2p) { .state = STATE_RUNNING_P2P };
FIXTURE_VARIANT_ADD(untouched, pass_stop) { .state = STATE_STOP };
FIXTURE_VARIANT_ADD(untouched, pass_stop_copy) { .state = STATE_STOP_COPY };
FIXTURE_VARIANT_ADD(untouched, pass_resuming) { .state = STATE_RESUMING };

FIXTURE_SETUP(untouched)
{
	touch_prepare();
	bind_with_policy(&self->sim, variant->block);
	vfio_open(&self->dev, self->sim.vf[0]);
	vfio_map_bar(&self->dev);
	self->fd = variant->state == STATE_RUNNING ? -1 : mig_begin(&self->dev, variant->state);
}

FIXTURE_TEARDOWN_PARENT(untouched)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(untouched, touches_pass)
{
	expect_open(_metadata, &self->dev);
	EXPECT_EQ(0, violations(&self->dev));
}

TEST_F(untouched, policy_is_told)
{
	struct vfio_mig_info info;

	vfio_info(&self->dev, &info);
	EXPECT_EQ(variant->block, !!(le64toh(info.capabilities) & VFIO_MIG_INFO_MMIO_BLOCK));
}

/* A new value of the parameter is for devices that are bound later. */
TEST_F(untouched, policy_was_decided_before)
{
	file_write_number(MMIO_BLOCK, !variant->block);
	resume(&self->dev, self->fd);
	mig_set_state(&self->dev, STATE_STOP, NULL);
	if (variant->block)
		expect_blocked(_metadata, &self->dev);
	else
		expect_open(_metadata, &self->dev);
	file_write_number(MMIO_BLOCK, 0);
}

/* Accesses of every size at every alignment move exactly their bytes. */
TEST_F(untouched, every_width)
{
	unsigned char written[40], seen[40];
	unsigned int i, offset, length;

	for (offset = 0; offset < 8; offset++) {
		for (length = 1; length <= 24; length++) {
			memset(scratch(&self->dev), 0xee, sizeof(seen));
			memset(written, 0xee, sizeof(written));
			for (i = 0; i < length; i++)
				written[offset + i] = 16 * offset + length + i;
			vfio_write(&self->dev, SCRATCH + offset, written + offset, length);
			memcpy(seen, scratch(&self->dev), sizeof(seen));
			ASSERT_EQ(0, memcmp(written, seen, sizeof(seen)))
				TH_LOG("write of %u at %u", length, offset);
			memset(seen, 0, sizeof(seen));
			vfio_read(&self->dev, SCRATCH + offset, seen, length);
			ASSERT_EQ(0, memcmp(written + offset, seen, length))
				TH_LOG("read of %u at %u", length, offset);
			ASSERT_EQ(0, seen[length]);
		}
	}
}

TEST_F(untouched, ends_with_the_bar)
{
	uint32_t values[2] = { VALUE, VALUE };
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(4, pread(self->dev.device, values, 8, self->dev.bar_size - 4));
	EXPECT_EQ(VALUE, values[1]);
	EXPECT_EQ(-1, pread(self->dev.device, values, 8, self->dev.bar_size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->dev.device, values, 8, self->dev.bar_size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, pread(self->dev.device, values, 0, SCRATCH));
	EXPECT_EQ(-1, pread(self->dev.device, nowhere, 8, SCRATCH));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(self->dev.device, nowhere, 8, SCRATCH));
	EXPECT_EQ(EFAULT, errno);
	/* and other BARs do not exist */
	EXPECT_EQ(-1, pread(self->dev.device, values, 8, 1ULL << 40));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(untouched, vectors_are_out_of_reach)
{
	unsigned int msix = vfio_find_capability(&self->dev, PCI_CAP_ID_MSIX);
	uint32_t table = vfio_config_get(&self->dev, msix + PCI_MSIX_TABLE, 4);
	uint32_t values[4] = { 0 };

	ASSERT_EQ(0, table & PCI_MSIX_TABLE_BIR);
	vfio_read(&self->dev, table - 8, values, sizeof(values));
	EXPECT_NE(ONES, values[1]);
	EXPECT_EQ(ONES, values[2]);
	EXPECT_EQ(ONES, values[3]);
	EXPECT_EQ(0, __vfio_write(&self->dev, table, values, 8));
	EXPECT_EQ(0, violations(&self->dev));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

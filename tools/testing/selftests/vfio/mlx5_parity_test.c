// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VF with our driver offers what it offers with vfio-pci, beside the migration: each
 * feature is asked for with both, and the answers are the same.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "pair.h"

FIXTURE(parity)
{
	struct sim sim;
	struct vfio_device plain;
	struct vfio_device ours;
};

FIXTURE_SETUP(parity)
{
	struct sim_config config = our_pair;

	config.drivers[0] = DRIVER_PLAIN;
	sim_get(&self->sim, &config);
	vfio_open(&self->plain, self->sim.vf[0]);
	vfio_open(&self->ours, self->sim.vf[1]);
}

FIXTURE_TEARDOWN_PARENT(parity)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(parity, features)
{
	static const unsigned int features[] = {
		VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
		VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, VFIO_DEVICE_FEATURE_BUS_MASTER,
		VFIO_DEVICE_FEATURE_DMA_BUF,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		uint32_t probe = features[i] | VFIO_DEVICE_FEATURE_PROBE;
		int expected = __vfio_feature(&self->plain, probe, NULL, 0);

		EXPECT_EQ(expected, __vfio_feature(&self->ours, probe, NULL, 0))
			TH_LOG("feature %u", features[i]);
	}
}

/* The first page of BAR 0. Returns an FD, or -errno. */
static int export_bar(struct vfio_device *dev)
{
	struct {
		struct vfio_device_feature_dma_buf head;
		struct vfio_region_dma_range range;
	} wanted = {
		.head = { .region_index = VFIO_PCI_BAR0_REGION_INDEX, .nr_ranges = 1 },
		.range = { .length = 4096 },
	};

	return __vfio_feature(dev, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF,
			      &wanted, sizeof(wanted));
}

TEST_F(parity, bar_as_dma_buf)
{
	int plain = export_bar(&self->plain), ours = export_bar(&self->ours);

	EXPECT_EQ(plain < 0 ? plain : 0, ours < 0 ? ours : 0)
		TH_LOG("%s, with vfio-pci %s", strerror(ours < 0 ? -ours : 0),
		       strerror(plain < 0 ? -plain : 0));
	if (plain >= 0)
		close(plain);
	if (ours >= 0)
		close(ours);
}

static int sleep_and_wake(struct vfio_device *dev)
{
	int error = __vfio_feature(dev, VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);

	if (error)
		return error;
	return __vfio_feature(dev, VFIO_DEVICE_FEATURE_SET |
			      VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0);
}

TEST_F(parity, low_power)
{
	EXPECT_EQ(sleep_and_wake(&self->plain), sleep_and_wake(&self->ours));
	/* and it migrates as before */
	mig_set_state(&self->ours, STATE_STOP, NULL);
	mig_set_state(&self->ours, STATE_RUNNING, NULL);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

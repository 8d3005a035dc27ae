// SPDX-License-Identifier: GPL-2.0-only
/*
 * A libvfio driver for the VFs of the migration test device, with which the
 * kernel's own VFIO selftests have a device that copies memory and interrupts.
 *
 * Whatever a test does, no command is left running when a function here returns,
 * but for the one that memcpy_start() began.
 */
#include <time.h>
#include <unistd.h>

#include <linux/errno.h>
#include <linux/io.h>
#include <linux/migration_testdev.h>
#include <linux/sizes.h>

#include <libvfio.h>

/* The device looks for a command once a millisecond. */
#define POLL_MICROSECONDS	500
/* A command that takes longer than a test may: tests end after 60 s at the latest. */
#define COMMAND_SECONDS		50

#define VECTOR			0

static void __iomem *registers(struct vfio_pci_device *device)
{
	return device->bars[0].vaddr;
}

static u32 status(struct vfio_pci_device *device)
{
	return readl(registers(device) + TESTDEV_VF_STATUS);
}

static bool is_over(struct vfio_pci_device *device)
{
	return !readl(registers(device) + TESTDEV_VF_COMMAND) &&
	       status(device) != TESTDEV_VF_STATUS_BUSY;
}

static bool is_seen(struct vfio_pci_device *device)
{
	return !readl(registers(device) + TESTDEV_VF_COMMAND) ||
	       status(device) == TESTDEV_VF_STATUS_BUSY;
}

static bool wait_until(bool (*condition)(struct vfio_pci_device *device),
		       struct vfio_pci_device *device)
{
	struct timespec now;
	time_t end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + COMMAND_SECONDS;
	while (!condition(device)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end)
			return condition(device);
		usleep(POLL_MICROSECONDS);
	}
	return true;
}

/* A command may only be taken back when the device has seen it, or it may begin after that. */
static void stop(struct vfio_pci_device *device)
{
	VFIO_ASSERT_TRUE(wait_until(is_seen, device), "The device does nothing\n");
	writel(0, registers(device) + TESTDEV_VF_COMMAND);
	VFIO_ASSERT_TRUE(wait_until(is_over, device), "The device goes on\n");
	writel(0, registers(device) + TESTDEV_VF_CONTROL);
}

static int testdev_probe(struct vfio_pci_device *device)
{
	if (!vfio_pci_device_match(device, TESTDEV_VENDOR, TESTDEV_VF_DEVICE))
		return -EINVAL;

	VFIO_ASSERT_NOT_NULL(device->bars[0].vaddr);
	VFIO_ASSERT_EQ(readl(registers(device) + TESTDEV_VF_ID), TESTDEV_VF_MAGIC);
	return 0;
}

static void testdev_init(struct vfio_pci_device *device)
{
	struct vfio_pci_driver *driver = &device->driver;

	vfio_pci_config_writew(device, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
						    PCI_COMMAND_INTX_DISABLE);
	stop(device);
	vfio_pci_msix_enable(device, VECTOR, 1);

	/* Far below what the registers hold: a simulator copies slowly. */
	driver->max_memcpy_size = SZ_256K;
	driver->max_memcpy_count = 256;
	driver->msi = VECTOR;
}

static void testdev_remove(struct vfio_pci_device *device)
{
	stop(device);
	vfio_pci_msix_disable(device);
}

static void testdev_memcpy_start(struct vfio_pci_device *device, iova_t src, iova_t dst, u64 size,
				 u64 count)
{
	void __iomem *bar = registers(device);

	writeq(src, bar + TESTDEV_VF_SOURCE);
	writeq(dst, bar + TESTDEV_VF_DESTINATION);
	writel(size, bar + TESTDEV_VF_LENGTH);
	writel(count, bar + TESTDEV_VF_COUNT);
	writel(TESTDEV_VF_COMMAND_COPY, bar + TESTDEV_VF_COMMAND);
}

static int testdev_memcpy_wait(struct vfio_pci_device *device)
{
	u64 remaining;

	if (!wait_until(is_over, device)) {
		dev_err(device, "A copy takes too long\n");
		stop(device);
		return -1;
	}
	if (status(device) == TESTDEV_VF_STATUS_DONE)
		return 0;

	remaining = readl(registers(device) + TESTDEV_VF_REMAINING);
	dev_err(device, "A copy failed: status %u, %lu copies left\n", status(device), remaining);
	return -1;
}

static void testdev_send_msi(struct vfio_pci_device *device)
{
	void __iomem *bar = registers(device);

	writel(device->driver.msi, bar + TESTDEV_VF_ARGUMENT);
	writel(TESTDEV_VF_COMMAND_RAISE, bar + TESTDEV_VF_COMMAND);
	VFIO_ASSERT_TRUE(wait_until(is_over, device), "The device raises no interrupt\n");
	VFIO_ASSERT_EQ(status(device), TESTDEV_VF_STATUS_DONE);
}

struct vfio_pci_driver_ops testdev_ops = {
	.name = "testdev",
	.probe = testdev_probe,
	.init = testdev_init,
	.remove = testdev_remove,
	.memcpy_start = testdev_memcpy_start,
	.memcpy_wait = testdev_memcpy_wait,
	.send_msi = testdev_send_msi,
};

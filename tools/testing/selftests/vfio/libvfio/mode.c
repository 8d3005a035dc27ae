// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests that do not choose an IOMMU mode get libvfio's default, which is iommufd. On
 * a kernel without iommufd this makes it the container, so that they run there too.
 */
#include <unistd.h>

#include <libvfio.h>

static void __attribute__((constructor)) choose_default_mode(void)
{
	if (access("/dev/iommu", F_OK))
		default_iommu_mode = MODE_VFIO_TYPE1V2_IOMMU;
}

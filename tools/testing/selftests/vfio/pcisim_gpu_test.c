// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated GPU: what enumeration sees of each kind, its memory, and when it is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness.h"
#include "file.h"
#include "gpu.h"
#include "module.h"
#include "page.h"
#include "raw_config.h"

#define DEVICES		"/sys/bus/pci/devices"
#define VENDOR_CXL	0x1e98
#define NVIDIA_ID	3
#define NVIDIA_FLAGS	0xa
#define CXL_RANGE	0x1c
#define CXL_VALID	1
#define CXL_ACTIVE	2
#define CXL_TIMEOUT	13

/* Somewhere in the memory. */
#define OFFSET		GPU_MEBI(1)

static void get_one(struct gpu_host *host, struct gpu_config config)
{
	gpu_get(host, &config, 1);
}

FIXTURE(pcisim_gpu)
{
	struct gpu_host host;
};

FIXTURE_SETUP(pcisim_gpu) { }

FIXTURE_TEARDOWN_PARENT(pcisim_gpu)
{
	sim_teardown(_metadata->exit_code);
}

static uint64_t device_number(const char *address, const char *name)
{
	return file_read_number(path(DEVICES "/%s/%s", address, name));
}

static void expect_kind(struct __test_metadata *_metadata, const char *gpu, enum gpu_kind kind)
{
	const struct gpu_traits *traits = &gpu_traits[kind];
	unsigned int nvidia = raw_find_dvsec(gpu, GPU_VENDOR, NVIDIA_ID);

	EXPECT_EQ(GPU_VENDOR, device_number(gpu, "vendor"));
	EXPECT_EQ(traits->device, device_number(gpu, "device"));
	EXPECT_EQ(0x030200, device_number(gpu, "class"));
	EXPECT_EQ(PCISIM_GPU_BAR_SIZE, raw_bar_size(gpu, 0));
	EXPECT_EQ(traits->bar2_size, raw_bar_size(gpu, 2));
	EXPECT_EQ(0, raw_bar_size(gpu, 4));
	EXPECT_NE(0, raw_find_capability(gpu, PCI_CAP_ID_PM));
	EXPECT_NE(0, raw_find_capability(gpu, PCI_CAP_ID_MSIX));
	ASSERT_NE(0, nvidia);
	EXPECT_EQ(traits->works_cached == 2, raw_config_get(gpu, nvidia + NVIDIA_FLAGS, 2) & 1);
	EXPECT_EQ(traits->cxl, raw_find_dvsec(gpu, VENDOR_CXL, 0) != 0);
	EXPECT_EQ(traits->memory_size, gpu_memory_size(gpu));
	EXPECT_TRUE(file_exists(path(DEVICES "/%s/software_node", gpu)));
}

TEST_F(pcisim_gpu, every_kind)
{
	unsigned int kind;

	for (kind = 0; kind < GPU_KINDS; kind++) {
		get_one(&self->host, (struct gpu_config){ .kind = kind });
		expect_kind(_metadata, self->host.gpu[0], kind);
	}
}

TEST_F(pcisim_gpu, without_properties)
{
	get_one(&self->host, (struct gpu_config){ .kind = GPU_BLACKWELL, .no_properties = true });
	EXPECT_FALSE(file_exists(path(DEVICES "/%s/software_node", self->host.gpu[0])));
}

/* What the PCI core has found anew has its properties again. */
TEST_F(pcisim_gpu, removed_and_found_again)
{
	const char *gpu = self->host.gpu[0];
	char domain[16];
	unsigned int i;

	get_one(&self->host, (struct gpu_config){ .kind = GPU_BLACKWELL });
	file_read(SIM_HOST "/domain", domain, sizeof(domain));
	for (i = 0; i < 2; i++) {
		file_write(path(DEVICES "/%s/remove", gpu), "1");
		ASSERT_FALSE(file_exists(path(DEVICES "/%s", gpu)));
		file_write(path("/sys/class/pci_bus/%s:00/rescan", domain), "1");
		ASSERT_TRUE(file_exists(path(DEVICES "/%s", gpu)));
		EXPECT_TRUE(file_exists(path(DEVICES "/%s/software_node", gpu)));
	}
	EXPECT_EQ(PCISIM_GPU_BAR_SIZE, raw_bar_size(gpu, 0));
}

static int go_live_with(const char *name, const char *value)
{
	int error = __file_write(SIM_HOST "/live", "0");

	if (!error)
		error = __file_write(path(SIM_HOST "/gpu.0/%s", name), value);
	return error ?: __file_write(SIM_HOST "/live", "1");
}

TEST_F(pcisim_gpu, refused_settings)
{
	struct gpu_config config = { .kind = GPU_BLACKWELL };
	const uint64_t odd = (64 << 20) + PAGE;
	char odd_text[24];

	snprintf(odd_text, sizeof(odd_text), "%llu", (unsigned long long)odd);
	get_one(&self->host, config);
	EXPECT_EQ(-EBUSY, __file_write(SIM_HOST "/gpu.0/device_id", "1"));
	EXPECT_EQ(-EINVAL, go_live_with("memory_size", "0"));
	EXPECT_EQ(-EINVAL, go_live_with("memory_size", "67108865"));
	/* as much as a setting can say, which is more than there is */
	EXPECT_EQ(-ENOMEM, go_live_with("memory_size", "0x1000000000"));
	EXPECT_EQ(0, go_live_with("memory_size", odd_text));
	EXPECT_EQ(odd, gpu_memory_size(self->host.gpu[0]));
	EXPECT_EQ(-EINVAL, go_live_with("bar2_size", "0x180000"));
	EXPECT_EQ(-EINVAL, go_live_with("bar2_size", "2048"));
	EXPECT_EQ(0, go_live_with("bar2_size", "0x10000"));
	EXPECT_EQ(0x10000, raw_bar_size(self->host.gpu[0], 2));
	EXPECT_EQ(-EINVAL, go_live_with("works_cached", "3"));
	EXPECT_EQ(-EINVAL, go_live_with("cxl_timeout", "8"));
	EXPECT_EQ(-EINVAL, go_live_with("device_id", "0"));
	get_one(&self->host, config);
}

static bool disjoint(const char *one, const char *two)
{
	uint64_t first = gpu_memory_base(one), second = gpu_memory_base(two);

	return first + gpu_memory_size(one) <= second || second + gpu_memory_size(two) <= first;
}

/* Several at once, and the memory of each is its own, from end to end. */
TEST_F(pcisim_gpu, several)
{
	const struct gpu_config configs[] = {
		{ .kind = GPU_BLACKWELL },
		{ .kind = GPU_BLACKWELL_CXL, .memory_size = GPU_MEBI(65) },
		{ .kind = GPU_HOPPER },
	};
	const uint64_t part = 65536;
	char first[16], second[16];
	const char *gpu;
	unsigned int i;

	gpu_get(&self->host, configs, 3);
	EXPECT_TRUE(disjoint(self->host.gpu[0], self->host.gpu[1]));
	EXPECT_TRUE(disjoint(self->host.gpu[0], self->host.gpu[2]));
	EXPECT_TRUE(disjoint(self->host.gpu[1], self->host.gpu[2]));
	EXPECT_EQ(0, gpu_memory_base(self->host.gpu[2]) % GPU_MEBI(512));
	link_name(path(DEVICES "/%s/iommu_group", self->host.gpu[0]), first, sizeof(first));
	link_name(path(DEVICES "/%s/iommu_group", self->host.gpu[1]), second, sizeof(second));
	EXPECT_STRNE(first, second);

	for (i = 0; i < 3; i++) {
		gpu = self->host.gpu[i];
		gpu_fill(gpu, 0, part, i);
		gpu_fill(gpu, gpu_memory_size(gpu) - part, part, i);
	}
	for (i = 0; i < 3; i++) {
		gpu = self->host.gpu[i];
		EXPECT_TRUE(gpu_matches(gpu, 0, part, i));
		EXPECT_TRUE(gpu_matches(gpu, gpu_memory_size(gpu) - part, part, i));
		EXPECT_EQ(-ENOSPC, __gpu_write(gpu, gpu_memory_size(gpu), &part, sizeof(part)));
		EXPECT_EQ(-ENODATA, __gpu_read(gpu, gpu_memory_size(gpu), &first, 1));
	}
}

/* Whether the kernel lists this as memory of a GPU. */
static bool is_listed(uint64_t base, uint64_t size)
{
	FILE *lines = fopen("/proc/iomem", "re");
	unsigned long long first, last;
	bool found = false;
	char line[256];

	if (!lines)
		fail("no /proc/iomem");
	while (!found && fgets(line, sizeof(line), lines))
		found = strstr(line, ": pcisim-gpu memory") &&
			sscanf(line, "%llx-%llx", &first, &last) == 2 &&
			first == base && last == base + size - 1;
	fclose(lines);
	return found;
}

static void expect_same_memory(struct __test_metadata *_metadata, const char *gpu, int fd)
{
	uint64_t word = 0x1122334455667788ULL, seen = 0;
	volatile uint64_t *memory;

	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      gpu_memory_base(gpu) + OFFSET);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	gpu_write(gpu, OFFSET, &word, sizeof(word));
	EXPECT_EQ(word, *memory);
	*memory = ~word;
	gpu_read(gpu, OFFSET, &seen, sizeof(seen));
	EXPECT_EQ(~word, seen);
	munmap((void *)memory, PAGE);
}

/* It is memory of the machine, at the address that debugfs says. */
TEST_F(pcisim_gpu, physical_memory)
{
	const char *gpu = self->host.gpu[0];
	int fd;

	get_one(&self->host, (struct gpu_config){ .kind = GPU_BLACKWELL });
	EXPECT_TRUE(is_listed(gpu_memory_base(gpu), gpu_memory_size(gpu)));
	/* not every kernel has that file */
	if (!file_exists("/dev/mem"))
		return;
	fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	expect_same_memory(_metadata, gpu, fd);
	close(fd);
}

/* Whatever is mapped or open keeps the modules, and afterwards all of the memory is free. */
TEST_F(pcisim_gpu, unload_and_load)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		get_one(&self->host, (struct gpu_config){ .kind = GPU_HOPPER });
		EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim_gpu"));
		EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim"));
		sim_remove_all();
		module_unload_soon("pcisim_gpu");
		gpu_load();
	}
}

FIXTURE(pcisim_gpu_open)
{
	struct gpu_host host;
	struct vfio_device dev;
	const char *gpu;
};

FIXTURE_SETUP(pcisim_gpu_open)
{
	self->gpu = self->host.gpu[0];
	get_one(&self->host,
		(struct gpu_config){ .kind = GPU_BLACKWELL, .driver = DRIVER_PLAIN });
	vfio_open(&self->dev, self->gpu);
}

FIXTURE_TEARDOWN_PARENT(pcisim_gpu_open)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F(pcisim_gpu_open, ready_at_once)
{
	EXPECT_TRUE(gpu_says_ready(&self->dev));
	vfio_reset(&self->dev);
	EXPECT_TRUE(gpu_says_ready(&self->dev));
	EXPECT_TRUE(gpu_is_ready(self->gpu));
}

TEST_F(pcisim_gpu_open, ready_after_a_time)
{
	gpu_ready_after(self->gpu, 100);
	EXPECT_TRUE(gpu_says_ready(&self->dev));
	vfio_reset(&self->dev);
	EXPECT_TRUE(wait_until(gpu_says_ready(&self->dev), LATER));
}

TEST_F(pcisim_gpu_open, never_ready)
{
	unsigned int i;

	gpu_ready_after(self->gpu, GPU_NEVER);
	EXPECT_TRUE(gpu_says_ready(&self->dev));
	for (i = 0; i < 2; i++) {
		vfio_reset(&self->dev);
		EXPECT_FALSE(gpu_says_ready(&self->dev));
		EXPECT_FALSE(gpu_is_ready(self->gpu));
		gpu_ready(self->gpu, true);
		EXPECT_TRUE(gpu_says_ready(&self->dev));
	}
	gpu_ready(self->gpu, false);
	EXPECT_FALSE(gpu_says_ready(&self->dev));
}

static uint32_t cxl_range(const char *gpu)
{
	return raw_config_get(gpu, raw_find_dvsec(gpu, VENDOR_CXL, 0) + CXL_RANGE, 4);
}

/* As the newest kind says it; its registers in the BAR never do. */
TEST_F(pcisim_gpu_open, ready_by_cxl)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL_CXL,
		.driver = DRIVER_PLAIN,
		.ready_after = GPU_NEVER,
		.cxl_timeout = 5,
	};

	vfio_close(&self->dev);
	gpu_get(&self->host, &config, 1);
	vfio_open(&self->dev, self->gpu);
	EXPECT_EQ(5 << CXL_TIMEOUT | CXL_VALID, cxl_range(self->gpu));
	gpu_ready(self->gpu, true);
	EXPECT_EQ(5 << CXL_TIMEOUT | CXL_VALID | CXL_ACTIVE, cxl_range(self->gpu));
	EXPECT_FALSE(gpu_says_ready(&self->dev));
	vfio_reset(&self->dev);
	EXPECT_EQ(5 << CXL_TIMEOUT | CXL_VALID, cxl_range(self->gpu));
}

int main(int argc, char **argv)
{
	gpu_prepare();
	return test_harness_run(argc, argv);
}

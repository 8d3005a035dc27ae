// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading pcisim: its window must be given, aligned and free. Whatever is wrong
 * is refused with one message and leaves nothing behind.
 */
#include <errno.h>
#include <sys/stat.h>

#include "harness.h"
#include "file.h"
#include "module.h"
#include "sim.h"

static int unload_simulator(void)
{
	static const char * const modules[] = {
		"pcisim_hca", "pcisim_gpu", "pcisim_testdev", "pcisim", NULL,
	};
	int error = __sim_remove_all();
	unsigned int i;

	for (i = 0; !error && modules[i]; i++)
		error = __module_unload_soon(modules[i]);
	return error;
}

FIXTURE(load)
{
	int unused;
};

FIXTURE_VARIANT(load)
{
	const char *options;
};

FIXTURE_VARIANT_ADD(load, nothing_given) { .options = "" };
FIXTURE_VARIANT_ADD(load, no_size) { .options = "window_base=0x80000000" };
FIXTURE_VARIANT_ADD(load, no_base) { .options = "window_size=0x10000000" };
FIXTURE_VARIANT_ADD(load, zero_size) { .options = "window_base=0x80000000 window_size=0" };
FIXTURE_VARIANT_ADD(load, unaligned_base)
{
	.options = "window_base=0x80080000 window_size=0x10000000",
};

FIXTURE_VARIANT_ADD(load, unaligned_size)
{
	.options = "window_base=0x80000000 window_size=0x10001000",
};

FIXTURE_VARIANT_ADD(load, in_memory)
{
	.options = "window_base=0x1000000 window_size=0x1000000",
};

FIXTURE_VARIANT_ADD(load, begins_in_memory)
{
	.options = "window_base=0x7ff00000 window_size=0x1000000",
};

FIXTURE_VARIANT_ADD(load, interrupt_controller)
{
	.options = "window_base=0xfec00000 window_size=0x100000",
};

FIXTURE_VARIANT_ADD(load, wraps)
{
	.options = "window_base=0xfffffffffff00000 window_size=0x200000",
};

FIXTURE_VARIANT_ADD(load, beyond_the_address_space)
{
	.options = "window_base=0x8000000000000000 window_size=0x10000000",
};

FIXTURE_VARIANT_ADD(load, not_a_number) { .options = "window_base=here window_size=0x100000" };

FIXTURE_SETUP(load)
{
	if (module_state("pcisim") == MODULE_BUILT_IN)
		SKIP(return, "pcisim is built in");
	ASSERT_EQ(0, unload_simulator());
}

FIXTURE_TEARDOWN_PARENT(load)
{
	__module_unload_soon("pcisim");
	sim_load();
}

TEST_F(load, refused)
{
	char first[256] = "";
	int log = kmsg_open();
	int messages;

	EXPECT_NE(0, __module_load_plain("pcisim", variant->options));
	EXPECT_EQ(MODULE_ABSENT, module_state("pcisim"));
	EXPECT_FALSE(file_exists(SIM_ROOT));
	EXPECT_FALSE(file_exists("/sys/kernel/debug/pcisim"));
	messages = kmsg_count(log, 4, "pcisim", first, sizeof(first));
	EXPECT_EQ(1, messages) TH_LOG("%s", first);

	/* a good window is still to be had */
	EXPECT_EQ(0, __module_load_plain("pcisim", sim_options()));
	EXPECT_TRUE(file_exists(SIM_ROOT));
}

FIXTURE(reload)
{
	int unused;
};

FIXTURE_SETUP(reload)
{
	if (module_state("pcisim") == MODULE_BUILT_IN)
		SKIP(return, "pcisim is built in");
	ASSERT_EQ(0, unload_simulator());
}

FIXTURE_TEARDOWN_PARENT(reload)
{
	__module_unload_soon("pcisim_hca");
	__module_unload_soon("pcisim");
	sim_load();
}

TEST_F(reload, parameters_are_visible)
{
	ASSERT_EQ(0, __module_load_plain("pcisim", sim_options()));
	EXPECT_NE(0, file_read_number("/sys/module/pcisim/parameters/window_base"));
	EXPECT_NE(0, file_read_number("/sys/module/pcisim/parameters/window_size"));
	EXPECT_GT(0, __file_write("/sys/module/pcisim/parameters/window_base", "0"));
}

/* Asking for a model loads its module. */
TEST_F(reload, model_on_demand)
{
	ASSERT_EQ(0, __module_load_plain("pcisim", sim_options()));
	EXPECT_EQ(MODULE_ABSENT, module_state("pcisim_hca"));
	ASSERT_EQ(0, mkdir(SIM_HOST, 0755));
	EXPECT_EQ(0, mkdir(SIM_HCA, 0755)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(MODULE_LOADED, module_state("pcisim_hca"));
	sim_remove_all();
}

TEST_F_TIMEOUT(reload, five_times, 60)
{
	const struct sim_config config = {
		.state_size = 4096,
		.chunk_size = SIM_CHUNK,
		.no_pf_driver = true,
	};
	struct sim sim;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		sim_get(&sim, &config);
		EXPECT_EQ(-EWOULDBLOCK, __module_unload("pcisim"));
		ASSERT_EQ(0, unload_simulator());
	}
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

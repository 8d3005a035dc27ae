// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what in vfio-mig is pure: the decomposition of arcs, and how
 * records are written.
 */
#include <kunit/test.h>
#include <linux/vfio.h>

#include "../vfio_mig_private.h"

struct state_flags {
	const char *name;
	u32 flags;
};

static const struct state_flags state_flags[] = {
	{ "stop_copy", VFIO_MIGRATION_STOP_COPY },
	{ "p2p", VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P },
	{ "pre_copy", VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY },
	{ "all", VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY },
};

KUNIT_ARRAY_PARAM_DESC(state_flags, state_flags, name);

/* Longest walk that the kernel's table has between two states. */
#define LONGEST_WALK	VFIO_DEVICE_STATE_NR

static bool state_exists(u32 flags, enum vfio_device_mig_state state)
{
	switch (state) {
	case VFIO_DEVICE_STATE_ERROR:
		return false;
	case VFIO_DEVICE_STATE_RUNNING_P2P:
		return flags & VFIO_MIGRATION_P2P;
	case VFIO_DEVICE_STATE_PRE_COPY:
		return flags & VFIO_MIGRATION_PRE_COPY;
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
		return (flags & VFIO_MIGRATION_P2P) && (flags & VFIO_MIGRATION_PRE_COPY);
	default:
		return true;
	}
}

/* What vfio_mig_step() relies on. */
static void check_arc(struct kunit *test, enum vfio_device_mig_state from,
		      enum vfio_device_mig_state to)
{
	struct vfio_mig_pair a = vfio_mig_state_pair(from);
	struct vfio_mig_pair b = vfio_mig_state_pair(to);

	KUNIT_EXPECT_TRUE_MSG(test, a.level != b.level || a.stream != b.stream,
			      "%s -> %s changes nothing", vfio_mig_state_name(from),
			      vfio_mig_state_name(to));
	if (a.level == b.level || a.stream == b.stream)
		return;
	KUNIT_EXPECT_EQ_MSG(test, a.stream, VFIO_MIG_STREAM_PRE_COPY, "%s -> %s",
			    vfio_mig_state_name(from), vfio_mig_state_name(to));
	KUNIT_EXPECT_EQ(test, b.stream, VFIO_MIG_STREAM_STOP_COPY);
	KUNIT_EXPECT_LT(test, b.level, a.level);
}

static void walk(struct kunit *test, struct vfio_device *vdev, enum vfio_device_mig_state from,
		 enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state state = from;
	enum vfio_device_mig_state next;

	for (int steps = 0; state != to; steps++) {
		KUNIT_ASSERT_LT(test, steps, LONGEST_WALK);
		if (vfio_mig_get_next_state(vdev, state, to, &next)) {
			KUNIT_EXPECT_EQ_MSG(test, state, from, "refused half way");
			return;
		}
		check_arc(test, state, next);
		state = next;
	}
}

static void vfio_mig_test_arcs(struct kunit *test)
{
	const struct state_flags *param = test->param_value;
	struct vfio_device *vdev = kunit_kzalloc(test, sizeof(*vdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vdev);
	vdev->migration_flags = param->flags;
	for (unsigned int from = 0; from < VFIO_DEVICE_STATE_NR; from++) {
		if (!state_exists(param->flags, from))
			continue;
		for (unsigned int to = 0; to < VFIO_DEVICE_STATE_NR; to++)
			walk(test, vdev, from, to);
	}
}

static void vfio_mig_test_record_bytes(struct kunit *test)
{
	static const u8 expected[] = {
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x01, 0x00, 0x00, 0x00,
		0x44, 0x33, 0x22, 0x11,
	};
	struct vfio_mig_record_header header;

	vfio_mig_record_encode(&header, 0x0102030405060708, VFIO_MIG_RECORD_OPTIONAL, 0x11223344);
	KUNIT_EXPECT_MEMEQ(test, &header, expected, sizeof(expected));
}

static struct kunit_case vfio_mig_cases[] = {
	KUNIT_CASE_PARAM(vfio_mig_test_arcs, state_flags_gen_params),
	KUNIT_CASE(vfio_mig_test_record_bytes),
	{}
};

static struct kunit_suite vfio_mig_suite = {
	.name = "vfio-mig",
	.test_cases = vfio_mig_cases,
};

kunit_test_suite(vfio_mig_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_IMPORT_NS("VFIO_MIG");
MODULE_DESCRIPTION("KUnit tests of vfio-mig");
MODULE_LICENSE("GPL");

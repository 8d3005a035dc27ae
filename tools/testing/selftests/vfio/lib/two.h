/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two VFs of a migration test device, a source and a target, driven by the sample driver:
 * open, fresh and RUNNING, with the same memory behind them.
 *
 * The counter of copies moves with the state, and each VF counts those that it has really
 * done: nothing is lost or done twice if both agree.
 */
#ifndef LIB_TWO_H
#define LIB_TWO_H

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "file.h"
#include "testdev.h"

#define MEMORY		(300 << 10)
#define COPY_LENGTH	3000

static const struct testdev_config plain_config __attribute__((unused)) = {
	.vfs = 2,
	.drivers = { DRIVER_SAMPLE, DRIVER_SAMPLE },
	.state_size = MEMORY,
};

struct two {
	struct testdev_host host;
	struct vfio_device source;
	struct vfio_device target;
	struct testdev_user from;
	struct testdev_user to;
};

static inline void two_open(struct two *two, const struct testdev_config *config)
{
	testdev_get_host(&two->host, config);
	vfio_open(&two->source, two->host.vf[0]);
	vfio_open(&two->target, two->host.vf[1]);
	testdev_attach(&two->from, &two->source, NULL);
	testdev_attach(&two->to, &two->target, &two->from);
}

static inline uint64_t two_copies(struct two *two)
{
	return sim_counter(two->source.address, "copies") +
	       sim_counter(two->target.address, "copies");
}

/*
 * The target goes on with copies that the source was told to do for ever. Ends them: each one
 * was done once, by one of the two.
 */
static inline void expect_copies_to_go_on(struct __test_metadata *_metadata, struct two *two,
					  uint64_t before)
{
	uint64_t completed;

	testdev_progress(&two->to, 5);
	testdev_put(&two->to, TESTDEV_VF_COMMAND, 0);
	EXPECT_TRUE(wait_until(testdev_get(&two->to, TESTDEV_VF_STATUS) ==
			       TESTDEV_VF_STATUS_STOPPED, SOON));
	completed = testdev_get64(&two->to, TESTDEV_VF_COMPLETED);
	EXPECT_EQ(~0U - completed, testdev_get(&two->to, TESTDEV_VF_REMAINING));
	EXPECT_EQ(two_copies(two) - before, completed);
}

static inline bool moves_pattern(struct two *two, uint64_t size, uint32_t seed)
{
	struct blob blob = { 0 };
	bool works;

	testdev_fill(two->source.address, size, seed);
	works = !__mig_save(&two->source, &blob, MIB) &&
		!__mig_load(&two->target, &blob, MIB) &&
		testdev_matches(two->target.address, size, seed);
	blob_free(&blob);
	mig_set_state(&two->source, STATE_RUNNING, NULL);
	mig_set_state(&two->target, STATE_RUNNING, NULL);
	return works;
}

static inline void expect_state(struct __test_metadata *_metadata, struct vfio_device *dev,
				uint32_t expected)
{
	uint32_t seen = mig_state(dev);

	EXPECT_EQ(expected, seen)
		TH_LOG("%s, not %s", state_name(seen), state_name(expected));
}

static inline bool is_session(uint32_t state)
{
	return state == STATE_STOP_COPY || state == STATE_RESUMING || state == STATE_PRE_COPY ||
	       state == STATE_PRE_COPY_P2P;
}

static inline bool is_precopy(uint32_t state)
{
	return state == STATE_PRE_COPY || state == STATE_PRE_COPY_P2P;
}

static inline const char *level_of(uint32_t state)
{
	switch (state) {
	case STATE_RUNNING:
	case STATE_PRE_COPY:
		return "running";
	case STATE_RUNNING_P2P:
	case STATE_PRE_COPY_P2P:
		return "quiesced";
	default:
		return "stopped";
	}
}

static inline void expect_level(struct __test_metadata *_metadata, struct vfio_device *dev)
{
	char level[16];

	file_read(path("/sys/kernel/debug/pcisim/%s/level", dev->address), level, sizeof(level));
	EXPECT_STREQ(level_of(mig_state(dev)), level);
}

/* Moves a RUNNING device. Returns the data FD, which may be -1. */
static inline int enter(struct vfio_device *dev, uint32_t state)
{
	return state == STATE_RUNNING ? -1 : mig_begin(dev, state);
}

static inline void expect_dead(struct __test_metadata *_metadata, int fd, uint32_t state)
{
	char byte = 0;

	if (fd < 0 || !is_session(state))
		return;
	EXPECT_EQ(-1, state == STATE_RESUMING ? write(fd, &byte, 1) : read(fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(POLLERR | POLLHUP, stream_events(fd) & (POLLERR | POLLHUP));
	close(fd);
}

static inline struct vfio_precopy_info precopy_info(int fd)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info), .flags = ~0U };

	if (ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info))
		fail("VFIO_MIG_GET_PRECOPY_INFO: %s", strerror(errno));
	return info;
}

/* Reads up to the temporary end of the data. Returns bytes. */
static inline uint64_t read_to_pause(struct __test_metadata *_metadata, int fd, struct blob *blob)
{
	size_t before = blob->length;

	EXPECT_EQ(-ENOMSG, __stream_read(fd, blob, MIB));
	return blob->length - before;
}

/* What is told is at least what is then read. Returns bytes. */
static inline uint64_t read_as_told(struct __test_metadata *_metadata, int fd, struct blob *blob)
{
	struct vfio_precopy_info info = precopy_info(fd);
	uint64_t seen = read_to_pause(_metadata, fd, blob);

	EXPECT_LE(seen, info.initial_bytes + info.dirty_bytes);
	return seen;
}

#endif /* LIB_TWO_H */

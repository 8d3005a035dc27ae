// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data FDs that outlive their session: after every way to end it they answer ENODEV, and
 * nothing waits for them. Resets while FDs are busy.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include "harness.h"
#include "file.h"
#include "pair.h"
#include "worker.h"

FIXTURE(session)
{
	struct pair pair;
	struct vfio_device *dev;
	int fd;
};

FIXTURE_VARIANT(session)
{
	uint32_t state;
	bool started;
};

FIXTURE_VARIANT_ADD(session, saving_fresh) { .state = STATE_STOP_COPY };
FIXTURE_VARIANT_ADD(session, saving_half) { .state = STATE_STOP_COPY, .started = true };
FIXTURE_VARIANT_ADD(session, loading_fresh) { .state = STATE_RESUMING };
FIXTURE_VARIANT_ADD(session, loading_half) { .state = STATE_RESUMING, .started = true };

FIXTURE_SETUP(session)
{
	char piece[20] = { 100 };
	ssize_t done;

	pair_open(&self->pair, &our_pair);
	self->dev = &self->pair.source;
	self->fd = mig_begin(self->dev, variant->state);
	if (!variant->started)
		return;
	if (variant->state == STATE_STOP_COPY)
		done = read(self->fd, piece, sizeof(piece));
	else
		done = write(self->fd, piece, sizeof(piece));
	ASSERT_EQ(sizeof(piece), done);
}

FIXTURE_TEARDOWN_PARENT(session)
{
	sim_teardown(_metadata->exit_code);
}

static void expect_dead(struct __test_metadata *_metadata, int fd, uint32_t state)
{
	char piece[100] = "";
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-1, state == STATE_RESUMING ? write(fd, piece, sizeof(piece)) :
			  read(fd, piece, sizeof(piece)));
		EXPECT_EQ(ENODEV, errno);
		EXPECT_EQ(POLLERR | POLLHUP, stream_events(fd) & (POLLERR | POLLHUP));
	}
}

static bool device_works(struct vfio_device *dev)
{
	struct blob blob = { 0 };
	bool works;

	works = !__mig_save(dev, &blob, MIB) && !__mig_load(dev, &blob, MIB) &&
		!__mig_set_state(dev, STATE_RUNNING, NULL);
	blob_free(&blob);
	return works;
}

TEST_F(session, ends_with_stop)
{
	/* what is incomplete cannot be stopped, only be reset */
	if (variant->state == STATE_RESUMING) {
		EXPECT_EQ(-EBADMSG, __mig_set_state(self->dev, STATE_STOP, NULL));
		EXPECT_EQ(STATE_RESUMING, mig_state(self->dev));
		vfio_reset(self->dev);
	} else {
		mig_set_state(self->dev, STATE_STOP, NULL);
	}
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_TRUE(device_works(self->dev));
	expect_dead(_metadata, self->fd, variant->state);
}

TEST_F(session, ends_with_reset)
{
	vfio_reset(self->dev);
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_TRUE(device_works(self->dev));
	expect_dead(_metadata, self->fd, variant->state);
}

TEST_F(session, ends_with_sysfs_reset)
{
	file_write(path("/sys/bus/pci/devices/%s/reset", self->dev->address), "1");
	EXPECT_EQ(STATE_RUNNING, mig_state(self->dev));
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_TRUE(device_works(self->dev));
}

TEST_F(session, ends_with_close)
{
	vfio_close(self->dev);
	expect_dead(_metadata, self->fd, variant->state);
	vfio_open(self->dev, self->pair.sim.vf[0]);
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_TRUE(device_works(self->dev));
}

static long take_driver_away(void *argument)
{
	const char *address = argument;

	return __file_write(path("/sys/bus/pci/devices/%s/driver/unbind", address), address);
}

TEST_F(session, ends_with_unbind)
{
	struct worker worker;

	worker_start(&worker, take_driver_away, self->pair.sim.vf[0]);
	usleep(100000);
	EXPECT_FALSE(worker_is_done(&worker));
	vfio_close(self->dev);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	expect_dead(_metadata, self->fd, variant->state);
	sim_bind(self->pair.sim.vf[0], DRIVER_OURS);
	vfio_open(self->dev, self->pair.sim.vf[0]);
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_TRUE(device_works(self->dev));
}

static long disable_vfs(void *argument)
{
	return __file_write(path("/sys/bus/pci/devices/%s/sriov_numvfs", (char *)argument), "0");
}

TEST_F_TIMEOUT(session, ends_with_sriov, 60)
{
	struct sim *sim = &self->pair.sim;
	struct worker worker;

	worker_start(&worker, disable_vfs, sim->pf);
	usleep(100000);
	EXPECT_FALSE(worker_is_done(&worker));
	vfio_close(&self->pair.source);
	vfio_close(&self->pair.target);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_FALSE(file_exists(path("/sys/bus/pci/devices/%s", sim->vf[0])));
	sim_get(sim, &our_pair);
	vfio_open(self->dev, sim->vf[0]);
	EXPECT_TRUE(device_works(self->dev));
	expect_dead(_metadata, self->fd, variant->state);
}

/* The FD outlives the device, and is closed last. */
TEST_F(session, closed_last)
{
	vfio_close(self->dev);
	sim_bind(self->pair.sim.vf[0], NULL);
	expect_dead(_metadata, self->fd, variant->state);
	EXPECT_EQ(0, close(self->fd));
	sim_bind(self->pair.sim.vf[0], DRIVER_OURS);
	vfio_open(self->dev, self->pair.sim.vf[0]);
	EXPECT_TRUE(device_works(self->dev));
}

struct own_bar {
	struct pair *pair;
	void *bar;
	bool stop;
};

/* A reset unmaps the BAR and waits for whoever is faulting it in. */
static long copy_through_own_bar(void *argument)
{
	struct own_bar *own = argument;
	struct vfio_device *dev = &own->pair->source;
	int fd, turn = 0;

	while (!__atomic_load_n(&own->stop, __ATOMIC_ACQUIRE)) {
		if (turn++ & 1) {
			if (!__mig_set_state(dev, STATE_STOP_COPY, &fd)) {
				while (read(fd, own->bar + 0x10000, 8192) > 0)
					;
				close(fd);
			}
		} else if (!__mig_set_state(dev, STATE_RESUMING, &fd)) {
			struct vfio_mig_record_header header = {
				.size = htole64(8192 * 64),
				.flags = htole32(VFIO_MIG_RECORD_OPTIONAL),
				.tag = htole32(~0U),
			};

			if (write(fd, &header, sizeof(header)) > 0)
				while (write(fd, own->bar + 0x10000, 8192) > 0 &&
				       !__atomic_load_n(&own->stop, __ATOMIC_ACQUIRE))
					;
			close(fd);
		}
		__mig_set_state(dev, STATE_RUNNING, NULL);
	}
	return 0;
}

FIXTURE(busy)
{
	struct pair pair;
};

FIXTURE_SETUP(busy)
{
	pair_open(&self->pair, &our_pair);
	sim_bulk_fill(self->pair.source.address, MIB, 1);
}

FIXTURE_TEARDOWN_PARENT(busy)
{
	sim_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(busy, buffer_is_the_devices_own_bar, 60)
{
	struct own_bar own = { .pair = &self->pair, .bar = self->pair.source.bar };
	struct worker worker;
	unsigned int i;

	worker_start(&worker, copy_through_own_bar, &own);
	for (i = 0; i < 10; i++) {
		vfio_reset(&self->pair.source);
		usleep(20000);
	}
	__atomic_store_n(&own.stop, true, __ATOMIC_RELEASE);
	/* it may sit in a state that only a reset leaves */
	vfio_reset(&self->pair.source);
	worker_join(&worker, LATER);
	vfio_reset(&self->pair.source);
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->pair.source));
	EXPECT_TRUE(device_works(&self->pair.source));
}

static long change_states(void *argument)
{
	struct own_bar *own = argument;
	static const uint32_t states[] = {
		STATE_STOP, STATE_STOP_COPY, STATE_RUNNING_P2P, STATE_RESUMING, STATE_RUNNING,
	};
	unsigned int i = 0;
	int fd;

	while (!__atomic_load_n(&own->stop, __ATOMIC_ACQUIRE))
		if (!__mig_set_state(&own->pair->source, states[i++ % 5], &fd) && fd >= 0)
			close(fd);
	return 0;
}

TEST_F_TIMEOUT(busy, resets_meet_state_changes, 60)
{
	struct own_bar own = { .pair = &self->pair };
	struct worker worker[2];
	uint64_t size;
	unsigned int i;

	worker_start(&worker[0], change_states, &own);
	worker_start(&worker[1], change_states, &own);
	for (i = 0; i < 10; i++) {
		vfio_reset(&self->pair.source);
		mig_data_size(&self->pair.source, &size);
	}
	__atomic_store_n(&own.stop, true, __ATOMIC_RELEASE);
	worker_join(&worker[0], LATER);
	worker_join(&worker[1], LATER);
	vfio_reset(&self->pair.source);
	EXPECT_EQ(STATE_RUNNING, mig_state(&self->pair.source));
	EXPECT_TRUE(device_works(&self->pair.source));
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults at every place that calls into the library come by: the answer is success or a
 * documented error, the state is exact, and the device migrates afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "gpu.h"
#include "ring.h"
#include "sweep.h"
#include "testdev.h"

FIXTURE(places)
{
	struct scene scene;
};

FIXTURE_VARIANT(places)
{
	enum scene_kind scene;
	enum fault_kind kind;
	unsigned int proof_every;
};

FIXTURE_VARIANT_ADD(places, task)
{
	.kind = FAULT_TASK,
	.proof_every = 1,
};

FIXTURE_VARIANT_ADD(places, kernel)
{
	.kind = FAULT_KERNEL,
	.proof_every = 16,
};

FIXTURE_VARIANT_ADD(places, ops)
{
	.kind = FAULT_OPS,
	.proof_every = 1,
};

FIXTURE_VARIANT_ADD(places, allocs)
{
	.kind = FAULT_ALLOCS,
	.proof_every = 1,
};

FIXTURE_VARIANT_ADD(places, adapter_kernel)
{
	.scene = SCENE_ADAPTER,
	.kind = FAULT_KERNEL,
	.proof_every = 16,
};

FIXTURE_VARIANT_ADD(places, adapter_ops)
{
	.scene = SCENE_ADAPTER,
	.kind = FAULT_OPS,
	.proof_every = 1,
};

FIXTURE_VARIANT_ADD(places, gpu_kernel)
{
	.scene = SCENE_GPU,
	.kind = FAULT_KERNEL,
	.proof_every = 16,
};

FIXTURE_VARIANT_ADD(places, gpu_ops)
{
	.scene = SCENE_GPU,
	.kind = FAULT_OPS,
	.proof_every = 1,
};

FIXTURE_VARIANT_ADD(places, gpu_allocs)
{
	.scene = SCENE_GPU,
	.kind = FAULT_ALLOCS,
	.proof_every = 1,
};

FIXTURE_SETUP(places)
{
	if (!fault_exists())
		SKIP(return, "needs a kernel and a library with fault injection");
	scene_open(&self->scene, variant->scene, variant->kind, variant->proof_every);
}

FIXTURE_TEARDOWN_PARENT(places)
{
	scene_teardown(_metadata->exit_code);
}

TEST_F_TIMEOUT(places, levels, 240)
{
	static const struct step steps[] = {
		{ "run to P2P", STATE_RUNNING, STATE_RUNNING_P2P, .places = FOR_OPS },
		{ "P2P to stop", STATE_RUNNING_P2P, STATE_STOP, .places = FOR_OPS },
		{ "stop to P2P", STATE_STOP, STATE_RUNNING_P2P, .places = FOR_OPS },
		{ "P2P to run", STATE_RUNNING_P2P, STATE_RUNNING, .places = FOR_OPS },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

static int read_all(struct scene *scene)
{
	ssize_t done;

	do {
		done = read(scene->fd, scene->piece, SWEEP_PIECE);
	} while (done > 0);
	return done < 0 ? -errno : 0;
}

static int empty_pipe(struct scene *scene, ssize_t left)
{
	while (left > 0) {
		ssize_t gone = read(scene->pipe[0], scene->piece, left);

		if (gone <= 0)
			return -EPIPE;
		left -= gone;
	}
	return 0;
}

static int splice_all(struct scene *scene)
{
	ssize_t done;

	do {
		done = splice(scene->fd, NULL, scene->pipe[1], NULL, SWEEP_PIECE / 2, 0);
		if (done < 0)
			return -errno;
		if (empty_pipe(scene, done))
			return -EPIPE;
	} while (done);
	return 0;
}

static int get_data_size(struct scene *scene)
{
	uint64_t size;
	int error = __mig_data_size(&scene->from, &size);

	return error ?: size < SWEEP_BULK ? -ENODATA : 0;
}

TEST_F_TIMEOUT(places, save, 240)
{
	static const struct step steps[] = {
		{ "begin to save", STATE_STOP, STATE_STOP_COPY, .places = FOR_ALL },
		{ "run to save", STATE_RUNNING, STATE_STOP_COPY, .places = FOR_ALL },
		{ "read", STATE_STOP_COPY, STATE_STOP_COPY, .places = FOR_OPS_ONLY,
		  .call = read_all },
		{ "splice", STATE_STOP_COPY, STATE_STOP_COPY, .places = FOR_OPS_ONLY,
		  .call = splice_all },
		{ "end saving", STATE_STOP_COPY, STATE_STOP, .places = 0 },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(places, estimate, 240)
{
	static const struct step steps[] = {
		{ "estimate running", STATE_RUNNING, STATE_RUNNING, .places = FOR_OPS,
		  .call = get_data_size },
		{ "estimate stopped", STATE_STOP, STATE_STOP, .places = FOR_OPS,
		  .call = get_data_size },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

static int write_all(struct scene *scene)
{
	return __stream_write(scene->fd, scene->good.data, scene->good.length, SWEEP_PIECE);
}

TEST_F_TIMEOUT(places, load, 240)
{
	static const struct step steps[] = {
		/* for which the sample driver has no operation */
		{ "begin to load", STATE_STOP, STATE_RESUMING,
		  .places = FOR_ALL & ~FOR_OPS_ONLY },
		{ "write", STATE_RESUMING, STATE_RESUMING, .places = FOR_ALL,
		  .call = write_all },
		{ "end loading", STATE_RESUMING, STATE_STOP, .loaded = true },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

/* What is there already comes at once, the second request has to wait. */
static int read_by_ring(struct scene *scene)
{
	struct ring_result results[2];
	struct ring ring;
	unsigned int i;
	int error = __ring_open(&ring, 0);

	if (error)
		return error;
	for (i = 0; i < 2; i++)
		ring_read(&ring, scene->fd, scene->piece, SWEEP_PIECE, i);
	error = __ring_submit(&ring);
	if (!error)
		error = __ring_wait(&ring, results, 2, LATER);
	ring_close(&ring);
	for (i = 0; !error && i < 2; i++)
		if (results[i].result < 0)
			error = results[i].result;
	return error;
}

TEST_F_TIMEOUT(places, asynchronous, 240)
{
	static const struct step steps[] = {
		{ "read by a ring", STATE_STOP_COPY, STATE_STOP_COPY, .places = FOR_ALL,
		  .call = read_by_ring },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

static int get_precopy_info(struct scene *scene)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	return ioctl(scene->fd, VFIO_MIG_GET_PRECOPY_INFO, &info) ? -errno : 0;
}

static int read_for_now(struct scene *scene)
{
	int error = read_all(scene);

	return error == -ENOMSG ? 0 : error ?: -ENODATA;
}

TEST_F_TIMEOUT(places, precopy, 240)
{
	static const struct step steps[] = {
		{ "begin pre-copy", STATE_RUNNING, STATE_PRE_COPY, .places = FOR_ALL },
		{ "ask for info", STATE_PRE_COPY, STATE_PRE_COPY, .places = FOR_OPS,
		  .call = get_precopy_info },
		{ "read while it runs", STATE_PRE_COPY, STATE_PRE_COPY, .places = FOR_OPS_ONLY,
		  .call = read_for_now },
		{ "pre-copy to P2P", STATE_PRE_COPY, STATE_PRE_COPY_P2P, .places = FOR_OPS },
		{ "P2P to final data", STATE_PRE_COPY_P2P, STATE_STOP_COPY, .places = FOR_OPS },
		{ "end pre-copy", STATE_PRE_COPY, STATE_RUNNING, .places = 0 },
	};

	if (!scene_has_precopy(&self->scene))
		SKIP(return, "the device has no PRE_COPY");
	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

static int reset_in_place(struct scene *scene)
{
	int error = __vfio_reset(&scene->from);

	if (error)
		return error;
	if (scene->fd >= 0 && (read(scene->fd, scene->piece, 1) >= 0 || errno != ENODEV))
		return -ESTALE;
	return 0;
}

TEST_F_TIMEOUT(places, reset, 240)
{
	static const struct step steps[] = {
		{ "reset of a running device", STATE_RUNNING, STATE_RUNNING,
		  .call = reset_in_place },
		{ "reset while saving", STATE_STOP_COPY, STATE_RUNNING, .call = reset_in_place },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

static int close_in_place(struct scene *scene)
{
	vfio_close(&scene->from);
	return 0;
}

/* The session that is left over is not in the way of the next one. */
TEST_F_TIMEOUT(places, close, 240)
{
	static const struct step steps[] = {
		{ "close while saving", STATE_STOP_COPY, STATE_RUNNING, .call = close_in_place },
		{ "close while loading", STATE_RESUMING, STATE_RUNNING, .call = close_in_place },
	};

	sweep(&self->scene, steps, ARRAY_SIZE(steps));
}

/* Opening is many calls, few of them ours; the errors are everybody's. */
TEST_F_TIMEOUT(places, open, 240)
{
	struct scene *scene = &self->scene;
	unsigned int n = 0;
	bool hit = true;
	int error;

	while (hit) {
		ASSERT_GT(SWEEP_MAX, ++n);
		vfio_close(&scene->from);
		fault_arm(&scene->fault, n);
		error = __vfio_open(&scene->from, scene->address[0]);
		hit = fault_disarm(&scene->fault);
		ASSERT_TRUE(hit || !error)
			TH_LOG("no fault: %s", strerror(-error));
		scene_recover(scene);
		if (!hit || n % 16 == 0)
			ASSERT_TRUE(scene_migrates(scene))
				TH_LOG("place %u", n);
	}
	ksft_print_msg("open: %u places\n", n - 1);
}

FIXTURE(descent)
{
	struct scene scene;
};

FIXTURE_SETUP(descent)
{
	if (!fault_exists())
		SKIP(return, "needs a kernel and a library with fault injection");
	scene_open(&self->scene, SCENE_TEST_DEVICE, FAULT_OPS, 1);
}

FIXTURE_TEARDOWN_PARENT(descent)
{
	scene_teardown(_metadata->exit_code);
}

/*
 * An arc that lowers the level and then fails, and cannot raise it again: this is what
 * ERROR is for, and a reset ends it.
 */
TEST_F_TIMEOUT(descent, error_state, 240)
{
	static const struct step step = { .from = STATE_PRE_COPY };
	struct scene *scene = &self->scene;
	unsigned int n, seen = 0;
	int error = -1;

	for (n = 1; error; n++) {
		ASSERT_GT(SWEEP_MAX, n);
		scene_enter(scene, &step);
		fault_ops(n, 2);
		error = __scene_change(scene, STATE_STOP_COPY);
		fault_restore();
		if (mig_state(&scene->from) == STATE_ERROR) {
			seen++;
			EXPECT_EQ(-EINVAL, __mig_set_state(&scene->from, STATE_RUNNING, NULL));
			scene_close_session(scene);
			vfio_reset(&scene->from);
		}
		scene_recover(scene);
		ASSERT_TRUE(scene_migrates(scene));
	}
	EXPECT_LE(1, seen);
}

int main(int argc, char **argv)
{
	testdev_prepare();
	gpu_prepare();
	return test_harness_run(argc, argv);
}

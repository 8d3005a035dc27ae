// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sweeps of calls into the library, on simulated VFs of either kind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "gpu_move.h"
#include "saving.h"
#include "sweep.h"
#include "testdev.h"

#define SEED 5

static void get_adapter(struct scene *scene)
{
	struct sim_config config = our_pair;
	struct sim sim;

	config.chunk_size = SWEEP_PIECE;
	sim_get(&sim, &config);
	memcpy(scene->address, sim.vf, sizeof(scene->address));
}

static void get_test_device(struct scene *scene)
{
	static const struct testdev_config config = {
		.vfs = 2,
		.drivers = { DRIVER_SAMPLE, DRIVER_SAMPLE },
		.state_size = SWEEP_BULK,
	};
	struct testdev_host host;

	testdev_get_host(&host, &config);
	memcpy(scene->address, host.vf, sizeof(scene->address));
}

static void get_gpus(struct scene *scene)
{
	const struct gpu_config config = {
		.kind = GPU_BLACKWELL, .memory_size = SWEEP_BULK, .driver = DRIVER_NVGRACE,
	};
	const struct gpu_config configs[] = { config, config };
	struct gpu_host host;

	gpu_enable_migration(true);
	gpu_get(&host, configs, 2);
	memcpy(scene->address, host.gpu, sizeof(scene->address));
}

/* The memory of a GPU is the same for the time of its life. */
static void fill(struct scene *scene)
{
	switch (scene->kind) {
	case SCENE_TEST_DEVICE:
		testdev_fill(scene->address[0], SWEEP_BULK, SEED);
		break;
	case SCENE_ADAPTER:
		sim_bulk_fill(scene->address[0], SWEEP_BULK, SEED);
		break;
	case SCENE_GPU:
		gpu_fill(scene->address[0], 0, SWEEP_BULK, SEED);
		gpu_fill(scene->address[1], 0, SWEEP_BULK, SEED + 1);
		break;
	}
}

static bool arrived(struct scene *scene)
{
	switch (scene->kind) {
	case SCENE_TEST_DEVICE:
		return testdev_matches(scene->address[1], SWEEP_BULK, SEED);
	case SCENE_ADAPTER:
		return sim_bulk_matches(scene->address[1], SWEEP_BULK, SEED);
	case SCENE_GPU:
		return gpu_matches(scene->address[1], 0, SWEEP_BULK, SEED);
	}
	return false;
}

static void prepare_to_save(struct scene *scene)
{
	if (scene->kind == SCENE_GPU && gpu_power(&scene->from) == GPU_D0)
		gpu_sleep(&scene->from);
}

void scene_open(struct scene *scene, enum scene_kind kind, enum fault_kind fault,
		unsigned int proof_every)
{
	static void (* const get[])(struct scene *scene) = {
		[SCENE_TEST_DEVICE] = get_test_device,
		[SCENE_ADAPTER] = get_adapter,
		[SCENE_GPU] = get_gpus,
	};

	scene->kind = kind;
	scene->fd = -1;
	scene->proof_every = proof_every;
	get[kind](scene);
	vfio_open(&scene->from, scene->address[0]);
	vfio_open(&scene->to, scene->address[1]);
	scene->piece = calloc(1, SWEEP_PIECE);
	if (!scene->piece || pipe(scene->pipe))
		fail("no memory or pipe");
	saving_set_parameter("prefetch", 0);
	fill(scene);
	prepare_to_save(scene);
	mig_save(&scene->from, &scene->good, MIB);
	mig_set_state(&scene->from, STATE_RUNNING, NULL);
	fault_open(&scene->fault, fault);
}

void scene_teardown(int exit_code)
{
	fault_restore();
	saving_teardown(exit_code);
}

bool scene_has_precopy(struct scene *scene)
{
	uint64_t flags;

	mig_flags(&scene->from, &flags);
	return flags & VFIO_MIGRATION_PRE_COPY;
}

void scene_close_session(struct scene *scene)
{
	if (scene->fd >= 0)
		close(scene->fd);
	scene->fd = -1;
}

void scene_enter(struct scene *scene, const struct step *step)
{
	prepare_to_save(scene);
	mig_set_state(&scene->from, step->from, &scene->fd);
	if (step->loaded)
		stream_write(scene->fd, scene->good.data, scene->good.length, SWEEP_PIECE);
}

int __scene_change(struct scene *scene, uint32_t state)
{
	int fd, error = __mig_set_state(&scene->from, state, &fd);

	if (fd >= 0) {
		scene_close_session(scene);
		scene->fd = fd;
	}
	return error;
}

int __scene_recover(struct scene *scene)
{
	scene_close_session(scene);
	if (scene->from.device < 0)
		vfio_open(&scene->from, scene->address[0]);
	if (mig_state(&scene->from) == STATE_RESUMING)
		return __vfio_reset(&scene->from);
	return __mig_set_state(&scene->from, STATE_RUNNING, NULL);
}

bool scene_migrates(struct scene *scene)
{
	struct blob blob = { 0 };
	bool works;

	fill(scene);
	prepare_to_save(scene);
	works = !__mig_save(&scene->from, &blob, MIB) && !__mig_load(&scene->to, &blob, MIB) &&
		arrived(scene) && !__mig_set_state(&scene->from, STATE_RUNNING, NULL) &&
		!__mig_set_state(&scene->to, STATE_RUNNING, NULL);
	blob_free(&blob);
	return works;
}

/* What the documentation has; with any allocation of the kernel, what those above it make. */
static bool is_documented(enum fault_kind kind, int error)
{
	switch (-error) {
	case ENOMEM:
	case EIO:
	case EOPNOTSUPP:
		return true;
	case EAGAIN:
	case EBUSY:
	case EFAULT:
	case EMFILE:
		return kind == FAULT_KERNEL;
	default:
		return false;
	}
}

/* Whether the state fits to the answer. */
static bool is_exact(struct scene *scene, const struct step *step, int error)
{
	uint32_t state = mig_state(&scene->from);

	if (!error)
		return state == step->to;
	/* the FD comes last, and is not the library's */
	if (scene->fault.kind == FAULT_KERNEL && state == step->to)
		return true;
	/* several arcs */
	if (step->from == STATE_RUNNING && step->to == STATE_STOP_COPY)
		return state == STATE_RUNNING || state == STATE_RUNNING_P2P || state == STATE_STOP;
	return state == step->from;
}

/* One call with a fault at the nth place. Returns whether it came by so many. */
static bool sweep_once(struct scene *scene, const struct step *step, unsigned int n)
{
	bool hit;
	int error;

	scene_enter(scene, step);
	fault_arm(&scene->fault, n);
	error = step->call ? step->call(scene) : __scene_change(scene, step->to);
	hit = fault_disarm(&scene->fault);

	if (error && !(hit && is_documented(scene->fault.kind, error)))
		fail("%s, place %u%s: %s", step->name, n, hit ? "" : " (none)", strerror(-error));
	if (scene->from.device >= 0 && !is_exact(scene, step, error))
		fail("%s, place %u: %s, and the state is %s", step->name, n, strerror(-error),
		     state_name(mig_state(&scene->from)));
	error = __scene_recover(scene);
	if (error)
		fail("after %s, place %u: %s", step->name, n, strerror(-error));
	return hit;
}

static void sweep_step(struct scene *scene, const struct step *step)
{
	unsigned int n = 0;
	bool hit = true;

	while (hit) {
		if (++n > SWEEP_MAX)
			fail("%s: no end of places", step->name);
		hit = sweep_once(scene, step, n);
		if ((!hit || n % scene->proof_every == 0) && !scene_migrates(scene))
			fail("after %s, place %u: no migration", step->name, n);
	}
	ksft_print_msg("%s: %u places\n", step->name, n - 1);
	if (n == 1 && step->places & 1 << scene->fault.kind)
		fail("%s comes by no place", step->name);
}

void sweep(struct scene *scene, const struct step *steps, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		sweep_step(scene, &steps[i]);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several CPUs for one session.
 *
 * All sessions of all devices share one workqueue, which bounds how many CPUs they
 * take together. Workers do not wait for each other, so that it does not matter how
 * many of them run at a time.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "migration.h"

#define NVGMIG_MAX_WORKERS	16U

static unsigned int nvgmig_copy_threads;
module_param_named(copy_threads, nvgmig_copy_threads, uint, 0644);
MODULE_PARM_DESC(copy_threads,
		 "CPUs that copy the memory of a device which migrates, at most 16, for sessions from then on (default 0: all that are online)");

static struct workqueue_struct *nvgmig_team_wq;

static unsigned int nvgmig_team_size(void)
{
	unsigned int wanted = READ_ONCE(nvgmig_copy_threads);

	return min(wanted ?: num_online_cpus(), NVGMIG_MAX_WORKERS);
}

static void nvgmig_worker_run(struct work_struct *work)
{
	struct nvgmig_worker *worker = container_of(work, struct nvgmig_worker, work);
	struct nvgmig_team *team = worker->team;

	team->run(worker);
	if (atomic_dec_and_test(&team->busy) && team->done)
		team->done(team);
}

static int nvgmig_worker_init(struct nvgmig_worker *worker, struct nvgmig_team *team)
{
	INIT_WORK(&worker->work, nvgmig_worker_run);
	worker->team = team;
	worker->block = kvmalloc(NVGMIG_BLOCK_SIZE, GFP_KERNEL_ACCOUNT);
	return worker->block ? 0 : -ENOMEM;
}

/**
 * nvgmig_team_init() - make a team
 * @team: zeroed memory; to be given to nvgmig_team_fini() also after a failure
 *
 * Return: 0 or -ENOMEM.
 */
int nvgmig_team_init(struct nvgmig_team *team)
{
	unsigned int size = nvgmig_team_size();
	int ret = 0;

	team->workers = kcalloc(size, sizeof(*team->workers), GFP_KERNEL_ACCOUNT);
	if (!team->workers)
		return -ENOMEM;
	while (!ret && team->size < size)
		ret = nvgmig_worker_init(&team->workers[team->size++], team);
	return ret;
}

/**
 * nvgmig_team_fini() - undo nvgmig_team_init()
 * @team: nobody is at work
 */
void nvgmig_team_fini(struct nvgmig_team *team)
{
	for (unsigned int i = 0; i < team->size; i++)
		kvfree(team->workers[i].block);
	kfree(team->workers);
	team->workers = NULL;
	team->size = 0;
}

/**
 * nvgmig_team_start() - put a team to work
 * @team: a team that is done with everything before
 * @run: what each worker does
 * @done: called once by the last one, or NULL
 *
 * Context: also in @done of the same team.
 */
void nvgmig_team_start(struct nvgmig_team *team, void (*run)(struct nvgmig_worker *worker),
		       void (*done)(struct nvgmig_team *team))
{
	team->run = run;
	team->done = done;
	atomic_set(&team->busy, team->size);
	for (unsigned int i = 0; i < team->size; i++)
		queue_work(nvgmig_team_wq, &team->workers[i].work);
}

/**
 * nvgmig_team_flush() - wait for those who were at work at the time of the call
 * @team: the team
 */
void nvgmig_team_flush(struct nvgmig_team *team)
{
	for (unsigned int i = 0; i < team->size; i++)
		flush_work(&team->workers[i].work);
}

/**
 * nvgmig_team_run() - put a team to work and wait for the end
 * @team: a team that is done with everything before
 * @run: what each worker does
 */
void nvgmig_team_run(struct nvgmig_team *team, void (*run)(struct nvgmig_worker *worker))
{
	nvgmig_team_start(team, run, NULL);
	nvgmig_team_flush(team);
}

/**
 * nvgmig_migration_module_init() - what all devices share
 *
 * Return: 0 or -ENOMEM.
 */
int nvgmig_migration_module_init(void)
{
	nvgmig_team_wq = alloc_workqueue("nvgrace-vfio-mig", WQ_UNBOUND, NVGMIG_MAX_WORKERS);
	return nvgmig_team_wq ? 0 : -ENOMEM;
}

/**
 * nvgmig_migration_module_exit() - undo nvgmig_migration_module_init()
 */
void nvgmig_migration_module_exit(void)
{
	destroy_workqueue(nvgmig_team_wq);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once: resets of every kind, changes of state, readers and writers of every
 * kind, for some time; also while the devices are closed, lose their driver, or go away
 * with their PF. Nothing hangs, nobody gets an error that is not documented, and
 * afterwards the devices migrate as before.
 *
 * STORM_SECONDS and STORM_SEED in the environment make it longer, or the same again.
 */
#include <stdlib.h>

#include "harness.h"
#include "file.h"
#include "pair.h"
#include "storm_acts.h"
#include "testdev.h"

/* A few records. */
#define STATE_SIZE (640 << 10)

static const struct sim_config storm_config = {
	.vfs = STORM_VFS,
	.drivers = { DRIVER_OURS, DRIVER_OURS },
	.state_size = STATE_SIZE,
	.chunk_size = 256 << 10,
};

/* Devices with pre-copy and direct saves. */
static const struct testdev_config sample_config = {
	.vfs = STORM_VFS,
	.drivers = { DRIVER_SAMPLE, DRIVER_SAMPLE },
	.state_size = STATE_SIZE,
};

FIXTURE(storm)
{
	struct storm_site site;
	struct storm storm;
	struct pair pair;
};

FIXTURE_VARIANT(storm)
{
	void (*add)(struct storm *storm, struct storm_site *site);
	bool sample;
	bool reopens;
	bool vanishes;
	unsigned int share;
};

/* A full time for the first of each driver, a third for each of the others. */
FIXTURE_VARIANT_ADD(storm, devices_stay) { .share = 3 };
FIXTURE_VARIANT_ADD(storm, devices_are_closed) { .reopens = true, .share = 1 };

FIXTURE_VARIANT_ADD(storm, driver_goes)
{
	.add = storm_add_unbinding,
	.reopens = true,
	.vanishes = true,
	.share = 1,
};

FIXTURE_VARIANT_ADD(storm, vfs_go)
{
	.add = storm_add_disabling,
	.reopens = true,
	.vanishes = true,
	.share = 1,
};

FIXTURE_VARIANT_ADD(storm, pf_reloads) { .add = storm_add_reloading, .share = 1 };
FIXTURE_VARIANT_ADD(storm, sample_stays) { .sample = true, .share = 3 };

FIXTURE_VARIANT_ADD(storm, sample_driver_goes)
{
	.add = storm_add_unbinding,
	.sample = true,
	.reopens = true,
	.vanishes = true,
	.share = 1,
};

static unsigned int environment(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

/* With all checkers on, everything takes several times as long. */
static unsigned int full_time(void)
{
	return environment("STORM_SECONDS", file_exists("/proc/lockdep") ? 60 : 12);
}

static void get_samples(struct sim *sim)
{
	struct testdev_host host;
	unsigned int i;

	testdev_get_host(&host, &sample_config);
	memset(sim, 0, sizeof(*sim));
	memcpy(sim->pf, host.pf, sizeof(sim->pf));
	for (i = 0; i < STORM_VFS; i++)
		memcpy(sim->vf[i], host.vf[i], sizeof(sim->vf[i]));
}

FIXTURE_SETUP(storm)
{
	struct sim sim;

	if (variant->add == storm_add_reloading && !file_exists(STORM_DEVLINK))
		SKIP(return, "needs " STORM_DEVLINK);
	if (variant->sample)
		get_samples(&sim);
	else
		sim_get(&sim, &storm_config);
	storm_site_open(&self->site, &sim, variant->sample ? DRIVER_SAMPLE : DRIVER_OURS);
	self->site.vanishes = variant->vanishes;
	storm_add_device_acts(&self->storm, &self->site);
	storm_add_data_acts(&self->storm, &self->site);
	if (variant->reopens)
		storm_add_reopening(&self->storm, &self->site);
	if (variant->add)
		variant->add(&self->storm, &self->site);
}

FIXTURE_TEARDOWN_PARENT(storm)
{
	sim_teardown(_metadata->exit_code);
}

static uint64_t library_counter(const char *address, const char *name)
{
	return file_read_number(path("/sys/kernel/debug/vfio-mig/%s/%s", address, name));
}

static void migrate_engine(struct __test_metadata *_metadata, struct pair *pair)
{
	struct blob blob = { 0 };
	uint64_t next;

	sim_bulk_fill(pair->source.address, STATE_SIZE + 1, 8);
	engine_start(&pair->from, ENGINE_PERIOD, 0);
	engine_progress(&pair->from, 20);
	mig_save(&pair->source, &blob, MIB);
	next = engine_next(&pair->from);
	engine_clear_ring(&pair->from);
	mig_load(&pair->target, &blob, 32768);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	engine_progress(&pair->to, 20);
	engine_stop(&pair->to);
	EXPECT_TRUE(engine_ring_holds(&pair->to, next, engine_next(&pair->to)));
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, STATE_SIZE + 1, 8));
	blob_free(&blob);
}

static void expect_engines(struct __test_metadata *_metadata, struct pair *pair)
{
	pair_open(pair, &storm_config);
	migrate_engine(_metadata, pair);
	pair_reset(pair);
	pair_swap(pair);
	migrate_engine(_metadata, pair);
}

static void migrate_sample(struct __test_metadata *_metadata, const char *from, const char *to)
{
	struct vfio_device source, target;
	struct blob blob = { 0 };

	vfio_open(&source, from);
	vfio_open(&target, to);
	testdev_fill(from, STATE_SIZE + 1, 8);
	mig_save(&source, &blob, MIB);
	mig_load(&target, &blob, 32768);
	EXPECT_TRUE(testdev_matches(to, STATE_SIZE + 1, 8));
	mig_set_state(&target, STATE_RUNNING, NULL);
	blob_free(&blob);
	vfio_close(&source);
	vfio_close(&target);
}

static void expect_samples(struct __test_metadata *_metadata)
{
	struct sim sim;

	get_samples(&sim);
	migrate_sample(_metadata, sim.vf[0], sim.vf[1]);
	migrate_sample(_metadata, sim.vf[1], sim.vf[0]);
}

static uint64_t wins_of(const struct storm *storm, const char *name)
{
	unsigned int i;

	for (i = 0; i < storm->count; i++)
		if (!strcmp(storm->actors[i].name, name))
			return storm->actors[i].wins;
	fail("nobody does \"%s\"", name);
}

/* What happened to a device, by its own account and the library's. */
struct account {
	uint64_t resets;
	uint64_t sessions;
};

static struct account take_account(const struct storm_site *site)
{
	struct account account = { 0 };
	unsigned int i;

	for (i = 0; i < STORM_VFS; i++) {
		account.resets += sim_counter(site->vf[i].address, "resets");
		account.sessions += library_counter(site->vf[i].address, "sessions");
	}
	return account;
}

static void expect_account(struct __test_metadata *_metadata, const struct storm_site *site,
			   const struct storm *storm, const struct account *before)
{
	struct account after = take_account(site);

	EXPECT_LE(wins_of(storm, "resets by ioctl") + wins_of(storm, "resets through sysfs"),
		  after.resets - before->resets);
	/* every session gave out its FD, and the other way round */
	EXPECT_EQ(site->vf[0].sessions + site->vf[1].sessions, after.sessions - before->sessions);
}

TEST_F_TIMEOUT(storm, blows_over, 300)
{
	unsigned int seconds = full_time() * variant->share / 3 ?: 1;
	unsigned int seed = environment("STORM_SEED", now_us());
	struct account before = take_account(&self->site);
	bool over;

	ksft_print_msg("STORM_SEED=%u, %u s\n", seed, seconds);
	/* what it leaves running cannot be cleaned up */
	over = storm_run(&self->storm, seconds, seed);
	storm_print(&self->storm);
	if (!over)
		fail("something hangs");
	EXPECT_TRUE(storm_errors_are_known(&self->storm));
	EXPECT_TRUE(storm_all_won(&self->storm));
	/* Whether anybody came to the end of a stream, which is a matter of luck. */
	ksft_print_msg("read to the end: %llu, loaded completely: %llu\n",
		       (unsigned long long)self->site.ends, (unsigned long long)self->site.loads);
	if (!variant->vanishes)
		expect_account(_metadata, &self->site, &self->storm, &before);

	storm_site_close(&self->site);
	if (variant->sample)
		expect_samples(_metadata);
	else
		expect_engines(_metadata, &self->pair);
}

int main(int argc, char **argv)
{
	testdev_prepare();
	return test_harness_run(argc, argv);
}

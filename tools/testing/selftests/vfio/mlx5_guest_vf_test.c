// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated VF serves a driver of its own: the unmodified mlx5_core in this kernel,
 * and a guest, for which this process stands in. What a guest has made in the firmware
 * is there after a migration.
 *
 * The kernel's writes to the BAR are observed by the simulator, those of this process are
 * found by looking, like those of a guest in a virtual machine.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "file.h"
#include "firmware.h"
#include "guest.h"
#include "module.h"
#include "pair.h"

#define PCI_DRIVER	"/sys/bus/pci/drivers/mlx5_core"
#define STATE_SIZE	(64 << 10)

/* Commands that mlx5_core gives before a VF is ready, at least. */
#define PROBE_COMMANDS	15

static const struct sim_config plain = {
	.vfs = 2,
	.state_size = STATE_SIZE,
	.chunk_size = SIM_CHUNK,
};

static const struct sim_config ours = {
	.vfs = 2,
	.drivers = { DRIVER_OURS, DRIVER_OURS },
	.state_size = STATE_SIZE,
	.chunk_size = SIM_CHUNK,
};

/* What a VF has counted, in all its life. */
struct counters {
	uint64_t commands;
	uint64_t unknown;
	uint64_t faults;
	uint64_t interrupts;
};

static struct counters counters_of(const char *vf)
{
	return (struct counters){
		.commands = sim_counter(vf, "commands"),
		.unknown = sim_counter(vf, "unknown_commands"),
		.faults = sim_counter(vf, "dma_faults"),
		.interrupts = sim_counter(vf, "interrupts"),
	};
}

FIXTURE(kernel)
{
	struct sim sim;
	int log;
};

FIXTURE_SETUP(kernel)
{
	self->log = kmsg_open();
	sim_get(&self->sim, &plain);
}

FIXTURE_TEARDOWN_PARENT(kernel)
{
	sim_teardown(_metadata->exit_code);
}

static void expect_clean_log(struct __test_metadata *_metadata, int log, const char *address)
{
	char first[256] = "";
	int errors = kmsg_count(log, 3, address, first, sizeof(first));

	EXPECT_EQ(0, errors) TH_LOG("%s", first);
}

/* The number that the firmware has for the function, asked through its driver. */
static uint32_t vhca_id(const char *address)
{
	unsigned char in[16] = { 0 }, out[16 + 4096] = { 0 };
	struct sim driver = { 0 };

	/* mlx5_core has the same files for each function that it drives */
	snprintf(driver.pf, sizeof(driver.pf), "%s", address);
	firmware_put(in, 0, SIM_QUERY_HCA_CAP << 16);
	firmware_put(in, 4, 1);
	firmware_command(&driver, in, sizeof(in), out, sizeof(out));
	return firmware_get(out, 16 + 4) & 0xffff;
}

TEST_F(kernel, probe)
{
	const char *vf = self->sim.vf[0];
	struct counters before = counters_of(vf), after;

	sim_bind(vf, "mlx5_core");
	after = counters_of(vf);
	EXPECT_LE(before.commands + PROBE_COMMANDS, after.commands);
	EXPECT_EQ(before.unknown, after.unknown);
	EXPECT_EQ(before.faults, after.faults);
	/* answers by events */
	EXPECT_LT(before.interrupts, after.interrupts);
	EXPECT_TRUE(file_exists(path("/sys/bus/pci/devices/%s/msi_irqs", vf)));
	EXPECT_EQ(1, vhca_id(vf));
	EXPECT_EQ(0, vhca_id(self->sim.pf));
	expect_clean_log(_metadata, self->log, vf);

	sim_bind(vf, NULL);
	expect_clean_log(_metadata, self->log, vf);
	EXPECT_FALSE(file_exists(path("/sys/bus/pci/devices/%s/msi_irqs", vf)));
	EXPECT_EQ(before.unknown, counters_of(vf).unknown);
}

TEST_F_TIMEOUT(kernel, unbind_and_bind, 60)
{
	const char *vf = self->sim.vf[1];
	unsigned int i;

	sim_bind(vf, "mlx5_core");
	for (i = 0; i < 4; i++) {
		file_write(PCI_DRIVER "/unbind", vf);
		file_write(PCI_DRIVER "/bind", vf);
		EXPECT_EQ(2, vhca_id(vf));
	}
	sim_bind(vf, NULL);
	expect_clean_log(_metadata, self->log, vf);
}

TEST_F(kernel, health_is_good)
{
	const char *vf = self->sim.vf[0];

	sim_bind(vf, "mlx5_core");
	/* the driver looks at the health counter every two to three seconds */
	sleep(12);
	EXPECT_EQ(1, vhca_id(vf));
	sim_bind(vf, NULL);
	expect_clean_log(_metadata, self->log, vf);
}

/* The PF's driver disables VFs that are at work. */
TEST_F(kernel, vfs_are_disabled)
{
	const char *vf[2] = { self->sim.vf[0], self->sim.vf[1] };

	sim_bind(vf[0], "mlx5_core");
	sim_bind(vf[1], "mlx5_core");
	EXPECT_EQ(1, vhca_id(vf[0]));
	EXPECT_EQ(2, vhca_id(vf[1]));
	sim_enable_vfs(&self->sim, 0);
	expect_clean_log(_metadata, self->log, vf[0]);
	expect_clean_log(_metadata, self->log, vf[1]);
	sim_enable_vfs(&self->sim, 2);
	sim_bind(vf[0], "mlx5_core");
	EXPECT_EQ(1, vhca_id(vf[0]));
	sim_bind(vf[0], NULL);
}

/* One driver after the other, with nothing left of the one before. */
TEST_F_TIMEOUT(kernel, then_vfio_and_back, 60)
{
	const char *vf = self->sim.vf[0];
	struct vfio_device dev;
	struct guest guest;
	uint32_t id;

	sim_bind(vf, "mlx5_core");
	sim_bind(vf, DRIVER_OURS);
	vfio_open(&dev, vf);
	guest_attach(&guest, &dev);
	guest_start(&guest);
	guest_use_events(&guest);
	EXPECT_EQ(GUEST_OK, guest_vhca_id(&guest, &id));
	EXPECT_EQ(1, id);
	vfio_close(&dev);

	sim_bind(vf, "mlx5_core");
	EXPECT_EQ(1, vhca_id(vf));
	sim_bind(vf, NULL);
	expect_clean_log(_metadata, self->log, vf);
}

FIXTURE(guest)
{
	struct pair pair;
	struct guest guest;
};

FIXTURE_SETUP(guest)
{
	pair_open(&self->pair, &ours);
	guest_attach(&self->guest, &self->pair.source);
	guest_share(&self->guest, &self->pair.target);
}

FIXTURE_TEARDOWN_PARENT(guest)
{
	sim_teardown(_metadata->exit_code);
}

/* Some commands, more than the event queue has entries. */
static void expect_answers(struct __test_metadata *_metadata, struct guest *guest)
{
	uint32_t uar[GUEST_EVENTS];
	unsigned int i;

	for (i = 0; i < GUEST_EVENTS; i++)
		ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &uar[i])) TH_LOG("command %u", i);
	for (i = 0; i < GUEST_EVENTS; i++)
		ASSERT_EQ(GUEST_OK, guest_dealloc_uar(guest, uar[i])) TH_LOG("command %u", i);
}

TEST_F(guest, starts_and_stops)
{
	struct guest *guest = &self->guest;
	struct counters before = counters_of(guest->dev->address), after;
	unsigned int i;
	uint32_t id;

	for (i = 0; i < 3; i++) {
		guest_start(guest);
		guest_use_events(guest);
		EXPECT_EQ(GUEST_OK, guest_vhca_id(guest, &id));
		EXPECT_EQ(1, id);
		expect_answers(_metadata, guest);
		guest_stop(guest);
		/* what it leaves behind is gone */
		EXPECT_EQ(GUEST_BAD_STATE, guest_alloc_uar(guest, &id));
	}
	after = counters_of(guest->dev->address);
	EXPECT_EQ(before.unknown, after.unknown);
	EXPECT_EQ(before.faults, after.faults);
}

static int run_simple(struct guest *guest, unsigned int opcode, uint32_t word)
{
	guest_begin(guest, opcode, 0);
	firmware_put(guest->in, 8, word);
	return guest_run(guest, 64, 64);
}

/* Commands of a PF, and what concerns other functions. */
TEST_F(guest, may_not_do_all)
{
	static const unsigned int forbidden[] = {
		SIM_SUSPEND_VHCA, SIM_RESUME_VHCA, SIM_QUERY_VHCA_STATE, SIM_SAVE_VHCA,
		SIM_LOAD_VHCA, SIM_ALLOC_PD, SIM_CREATE_MKEY, 0xa00, 0xffff,
	};
	const unsigned int count = sizeof(forbidden) / sizeof(*forbidden);
	struct guest *guest = &self->guest;
	struct counters before = counters_of(guest->dev->address);
	unsigned int i;

	guest_start(guest);
	for (i = 0; i < count; i++)
		EXPECT_EQ(GUEST_BAD_OPCODE, run_simple(guest, forbidden[i], 1))
			TH_LOG("opcode 0x%x", forbidden[i]);
	EXPECT_EQ(before.unknown + count, counters_of(guest->dev->address).unknown);
	EXPECT_EQ(GUEST_BAD_PARAMETER, run_simple(guest, GUEST_ENABLE_HCA, 2));
	EXPECT_EQ(GUEST_BAD_PARAMETER, run_simple(guest, GUEST_DISABLE_HCA, 1));
	guest_begin(guest, GUEST_QUERY_HCA_CAP, 1);
	firmware_put(guest->in, 8, 0x80000001);
	EXPECT_EQ(GUEST_BAD_PARAMETER, guest_run(guest, 16, 64));
	/* it goes on all the same */
	guest_use_events(guest);
	expect_answers(_metadata, guest);
}

/* A driver that rings for what is not there, and one that is no bus master yet. */
TEST_F(guest, rings_in_vain)
{
	struct guest *guest = &self->guest;
	volatile uint32_t *doorbell = guest->dev->bar + 0x18;
	uint32_t id;

	*doorbell = ~0U;
	EXPECT_TRUE(wait_until(!*doorbell, SOON));
	guest_start(guest);
	*doorbell = ~0U;
	EXPECT_TRUE(wait_until(!*doorbell, SOON));
	vfio_bus_master(guest->dev, false);
	guest_begin(guest, GUEST_ALLOC_UAR, 0);
	guest_post(guest, 16, 16);
	usleep(50000);
	EXPECT_FALSE(guest_is_answered(guest));
	vfio_bus_master(guest->dev, true);
	EXPECT_EQ(GUEST_OK, guest_wait(guest, 16));
	EXPECT_EQ(GUEST_OK, guest_vhca_id(guest, &id));
}

TEST_F(guest, reset_forgets)
{
	struct guest *guest = &self->guest;
	uint32_t first, second;

	guest_start(guest);
	guest_use_events(guest);
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &first));
	vfio_reset(guest->dev);
	vfio_bus_master(guest->dev, true);
	guest_forget(guest);
	guest_start(guest);
	EXPECT_EQ(GUEST_BAD_RESOURCE, guest_dealloc_uar(guest, first));
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &second));
	EXPECT_EQ(first, second);
	guest_use_events(guest);
	expect_answers(_metadata, guest);
}

FIXTURE(migrating_guest)
{
	struct pair pair;
	struct guest guest;
};

/* How the state travels. */
FIXTURE_VARIANT(migrating_guest)
{
	uint64_t chunk_size;
	bool pre_copy;
};

FIXTURE_VARIANT_ADD(migrating_guest, stop_copy) { .chunk_size = SIM_CHUNK };
FIXTURE_VARIANT_ADD(migrating_guest, stop_copy_chunks) { .chunk_size = 4096 };
FIXTURE_VARIANT_ADD(migrating_guest, stop_copy_whole) { .chunk_size = 0 };
FIXTURE_VARIANT_ADD(migrating_guest, pre_copy) { .chunk_size = SIM_CHUNK, .pre_copy = true };
FIXTURE_VARIANT_ADD(migrating_guest, pre_copy_chunks) { .chunk_size = 4096, .pre_copy = true };

FIXTURE_SETUP(migrating_guest)
{
	struct sim_config config = ours;

	config.chunk_size = variant->chunk_size;
	pair_open(&self->pair, &config);
	sim_bulk_fill(self->pair.source.address, STATE_SIZE, 8);
	guest_attach(&self->guest, &self->pair.source);
	guest_share(&self->guest, &self->pair.target);
}

FIXTURE_TEARDOWN_PARENT(migrating_guest)
{
	sim_teardown(_metadata->exit_code);
}

/* A migration under way: what the source has handed out so far. */
struct journey {
	int fd;
	struct blob blob;
};

/* With PRE_COPY the source still runs after this. */
static void migrate_begin(struct pair *pair, bool pre_copy, struct journey *journey)
{
	memset(journey, 0, sizeof(*journey));
	if (!pre_copy)
		return;
	journey->fd = mig_begin(&pair->source, STATE_PRE_COPY);
	if (__stream_read(journey->fd, &journey->blob, MIB) != -ENOMSG)
		fail("no pause");
}

/* Until the target runs. */
static void migrate_end(struct pair *pair, bool pre_copy, struct journey *journey)
{
	if (pre_copy)
		mig_set_state(&pair->source, STATE_STOP_COPY, NULL);
	else
		journey->fd = mig_begin(&pair->source, STATE_STOP_COPY);
	stream_read(journey->fd, &journey->blob, MIB);
	mig_set_state(&pair->source, STATE_STOP, NULL);
	close(journey->fd);
	mig_load(&pair->target, &journey->blob, MIB);
	blob_free(&journey->blob);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
}

static void migrate(struct pair *pair, bool pre_copy)
{
	struct journey journey;

	migrate_begin(pair, pre_copy, &journey);
	migrate_end(pair, pre_copy, &journey);
}

TEST_F(migrating_guest, goes_on)
{
	struct pair *pair = &self->pair;
	struct guest *guest = &self->guest;
	uint32_t early, late, next;
	struct counters before = counters_of(pair->target.address), after;
	struct journey journey;
	uint64_t commands;

	guest_start(guest);
	guest_use_events(guest);
	expect_answers(_metadata, guest);
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &early));
	migrate_begin(pair, variant->pre_copy, &journey);
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &late));
	migrate_end(pair, variant->pre_copy, &journey);
	commands = counters_of(pair->source.address).commands;
	guest_move(guest, &pair->target);

	/* the next answer, in the same queues */
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &next));
	EXPECT_NE(early, next);
	EXPECT_NE(late, next);
	EXPECT_EQ(GUEST_OK, guest_dealloc_uar(guest, early));
	EXPECT_EQ(GUEST_OK, guest_dealloc_uar(guest, late));
	EXPECT_EQ(GUEST_BAD_RESOURCE, guest_dealloc_uar(guest, late));
	expect_answers(_metadata, guest);
	EXPECT_TRUE(sim_bulk_matches(pair->target.address, STATE_SIZE, 8));

	/* it ends as usual, and may begin anew */
	guest_stop(guest);
	guest_start(guest);
	guest_use_events(guest);
	expect_answers(_metadata, guest);
	EXPECT_EQ(commands, counters_of(pair->source.address).commands);
	after = counters_of(pair->target.address);
	EXPECT_EQ(before.unknown, after.unknown);
	EXPECT_EQ(before.faults, after.faults);
}

/* There and back; the first VF knows nothing of the first time any more. */
TEST_F(migrating_guest, returns)
{
	struct pair *pair = &self->pair;
	struct guest *guest = &self->guest;
	uint32_t uar, other;

	guest_start(guest);
	guest_use_events(guest);
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &uar));
	migrate(pair, variant->pre_copy);
	guest_move(guest, &pair->target);
	EXPECT_EQ(GUEST_OK, guest_dealloc_uar(guest, uar));
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &other));
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &other));
	vfio_reset(&pair->source);
	vfio_bus_master(&pair->source, true);
	pair_swap(pair);
	migrate(pair, variant->pre_copy);
	guest_move(guest, &pair->target);
	EXPECT_EQ(GUEST_OK, guest_dealloc_uar(guest, other));
	expect_answers(_metadata, guest);
}

/* A driver that has not begun, or has ended, has nothing to migrate. */
TEST_F(migrating_guest, without_a_driver)
{
	struct pair *pair = &self->pair;
	struct guest *guest = &self->guest;
	uint32_t uar;

	/* what the target had goes */
	guest_move(guest, &pair->target);
	guest_start(guest);
	guest_use_events(guest);
	migrate(pair, variant->pre_copy);
	guest_forget(guest);
	guest_start(guest);
	EXPECT_EQ(GUEST_BAD_RESOURCE, guest_dealloc_uar(guest, 0x10));
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &uar));
	guest_use_events(guest);
	expect_answers(_metadata, guest);
}

/* The driver looks for answers, there is no event queue yet. */
TEST_F(migrating_guest, before_events)
{
	struct pair *pair = &self->pair;
	struct guest *guest = &self->guest;

	guest_start(guest);
	migrate(pair, variant->pre_copy);
	guest_move(guest, &pair->target);
	expect_answers(_metadata, guest);
	guest_use_events(guest);
	expect_answers(_metadata, guest);
}

/* The source may not write any more when the command comes: the target answers. */
TEST_F(guest, rings_while_quiesced)
{
	struct pair *pair = &self->pair;
	struct guest *guest = &self->guest;
	uint64_t commands;

	guest_start(guest);
	guest_use_events(guest);
	mig_set_state(&pair->source, STATE_RUNNING_P2P, NULL);
	commands = counters_of(pair->source.address).commands;
	guest_begin(guest, GUEST_QUERY_ADAPTER, 0);
	guest_post(guest, 16, 0x110);
	usleep(50000);
	EXPECT_FALSE(guest_is_answered(guest));
	migrate(pair, false);
	guest_move(guest, &pair->target);
	EXPECT_EQ(GUEST_OK, guest_wait(guest, 0x110));
	EXPECT_EQ(0, memcmp(guest->out + 0x100, "PCISIM", 6));
	EXPECT_EQ(commands, counters_of(pair->source.address).commands);
	expect_answers(_metadata, guest);
}

/* A migration that is given up: the source goes on. */
TEST_F(guest, stays)
{
	struct pair *pair = &self->pair;
	struct guest *guest = &self->guest;
	struct blob blob = { 0 };
	uint32_t uar;

	guest_start(guest);
	guest_use_events(guest);
	ASSERT_EQ(GUEST_OK, guest_alloc_uar(guest, &uar));
	mig_save(&pair->source, &blob, MIB);
	mig_set_state(&pair->source, STATE_RUNNING, NULL);
	EXPECT_EQ(GUEST_OK, guest_dealloc_uar(guest, uar));
	expect_answers(_metadata, guest);
	blob_free(&blob);
}

/* Of an image: fields of its header, and of the contents behind it with one event queue. */
#define IMAGE_VERSION		4
#define IMAGE_CONTENTS		44
#define CONTENTS		88
#define CONTENTS_QUEUE		(CONTENTS + 0)
#define CONTENTS_FLAGS		(CONTENTS + 12)
#define CONTENTS_UARS		(CONTENTS + 16)
#define CONTENTS_EQ_VECTOR	(CONTENTS + 44)
#define CONTENTS_EQ_NUMBER	(CONTENTS + 46)
#define CONTENTS_EQ_LOG_SIZE	(CONTENTS + 47)
#define CONTENTS_SIZE		56

/* What no firmware has saved, with a checksum that is right. */
TEST_F_TIMEOUT(guest, bad_contents, 60)
{
	static const struct {
		unsigned int at;
		unsigned char value;
	} cases[] = {
		/* nothing is wrong with the first one */
		{ CONTENTS_EQ_VECTOR, 7 },
		{ CONTENTS_EQ_VECTOR, 8 },
		{ CONTENTS_EQ_NUMBER, 0 },
		{ CONTENTS_EQ_NUMBER, 64 },
		{ CONTENTS_EQ_LOG_SIZE, 17 },
		/* more pages than there are */
		{ CONTENTS_EQ_LOG_SIZE, 7 },
		{ CONTENTS_QUEUE, 1 },
		{ CONTENTS_FLAGS, 3 },
		{ CONTENTS_UARS, 1 },
		{ CONTENTS_UARS + 1, 0x80 },
		{ IMAGE_CONTENTS, 0 },
		{ IMAGE_CONTENTS, 16 },
		{ IMAGE_CONTENTS, CONTENTS_SIZE - 8 },
		{ IMAGE_CONTENTS, CONTENTS_SIZE + 8 },
		{ IMAGE_CONTENTS, CONTENTS_SIZE + 1 },
		{ IMAGE_CONTENTS + 3, 0xff },
		{ IMAGE_VERSION, 1 },
		{ IMAGE_VERSION, 3 },
	};
	struct pair *pair = &self->pair;
	struct blob good = { 0 }, bad = { 0 };
	unsigned char *image;
	unsigned int i;

	guest_start(&self->guest);
	guest_use_events(&self->guest);
	mig_save(&pair->source, &good, MIB);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		blob_copy(&bad, &good);
		image = bad.data + blob_find_image(&bad, 0) + 16;
		ASSERT_EQ(CONTENTS_SIZE, image[IMAGE_CONTENTS]);
		firmware_seal(image);
		ASSERT_EQ(0, memcmp(bad.data, good.data, good.length));
		image[cases[i].at] = cases[i].value;
		firmware_seal(image);
		EXPECT_EQ(i ? -EINVAL : 0, __mig_load(&pair->target, &bad, MIB))
			TH_LOG("case %u", i);
		vfio_reset(&pair->target);
		blob_free(&bad);
	}
	blob_free(&good);
	firmware_calm(&pair->sim);
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

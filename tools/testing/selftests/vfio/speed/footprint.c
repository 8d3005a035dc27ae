// SPDX-License-Identifier: GPL-2.0-only
/*
 * The most memory that the kernel needs at any time of a session, for a large state that
 * the firmware hands out in chunks.
 */
#include <sys/mman.h>

#include "adapters.h"
#include "bench.h"
#include "device.h"
#include "group.h"
#include "measure.h"

#define ROUNDS		3
#define STATE_SIZE	(1024 * MIB)

/* In MiB. */
static double measure_session(struct vfio_device *vf, unsigned char *buffer)
{
	uint64_t before = group_memory(), most;
	int fd = mig_begin(vf, STATE_STOP_COPY);

	most = group_most_of_reading(fd, buffer, STATE_SIZE, before);
	mig_set_state(vf, STATE_STOP, NULL);
	close(fd);
	return (double)(most - before) / MIB;
}

/* There is not enough memory for two such states, so the VF is opened for each driver. */
static struct series measure_driver(const struct adapters *adapters, enum adapter_driver driver)
{
	unsigned char *buffer = speed_memory(MIB);
	struct series series = { 0 };
	struct vfio_device vf;
	unsigned int round;

	adapters_bind(adapters, driver, 1);
	vfio_open(&vf, adapters->source.vf[0]);
	sim_bulk_resize(vf.address, STATE_SIZE);
	mig_set_state(&vf, STATE_STOP, NULL);
	for (round = 0; round < ROUNDS; round++)
		series_add(&series, measure_session(&vf, buffer));
	vfio_close(&vf);
	munmap(buffer, MIB);
	/* a session that is not charged at all would look good */
	if (series_median(&series) < (double)SIM_CHUNK / MIB)
		fail("the memory of a session is not counted");
	return series;
}

void bench_footprint(void)
{
	struct series in_tree, ours;
	struct adapters adapters;

	adapters_make(&adapters, SIM_CHUNK);
	group_enter();
	in_tree = measure_driver(&adapters, IN_TREE);
	ours = measure_driver(&adapters, OURS);
	group_leave();
	adapters_remove();
	table_add("kernel memory for a state of 1 GiB in chunks, at most", " MiB", &ours,
		  (struct target){ AT_MOST, 64 });
	table_add("the same, in-tree driver", " MiB", &in_tree, (struct target){ NO_TARGET });
}

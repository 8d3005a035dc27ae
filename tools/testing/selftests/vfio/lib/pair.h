/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source and a destination: two VFs of one adapter, open, fresh and RUNNING,
 * each with its engine. Both write to the same ring, as if the memory had moved along.
 */
#ifndef LIB_PAIR_H
#define LIB_PAIR_H

#include "engine.h"
#include "migration.h"
#include "sim.h"

#define PAIR_ENTRIES 65536

struct pair {
	struct sim sim;
	struct vfio_device source;
	struct vfio_device target;
	struct engine from;
	struct engine to;
};

static inline void pair_open(struct pair *pair, const struct sim_config *config)
{
	sim_get(&pair->sim, config);
	vfio_open(&pair->source, pair->sim.vf[0]);
	vfio_open(&pair->target, pair->sim.vf[1]);
	engine_attach(&pair->from, &pair->source, PAIR_ENTRIES, NULL);
	engine_attach(&pair->to, &pair->target, PAIR_ENTRIES, &pair->from);
}

/* Both as after opening. */
static inline void pair_reset(struct pair *pair)
{
	vfio_reset(&pair->source);
	vfio_reset(&pair->target);
	vfio_bus_master(&pair->source, true);
	vfio_bus_master(&pair->target, true);
	engine_clear_ring(&pair->from);
}

static inline void pair_swap(struct pair *pair)
{
	struct vfio_device device = pair->source;
	struct engine engine = pair->from;

	pair->source = pair->target;
	pair->target = device;
	pair->from = pair->to;
	pair->to = engine;
	pair->from.dev = &pair->source;
	pair->to.dev = &pair->target;
}

/*
 * The target has the source's state, and is stopped. Whether it goes on with exactly the number
 * that comes next, and writes none twice.
 */
static inline bool pair_goes_on(struct pair *pair, uint64_t next)
{
	if (engine_next(&pair->to) != next)
		return false;
	engine_clear_ring(&pair->to);
	mig_set_state(&pair->target, STATE_RUNNING, NULL);
	engine_progress(&pair->to, 20);
	engine_stop(&pair->to);
	return engine_ring_holds(&pair->to, next, engine_next(&pair->to));
}

/* What every test of our own driver's migration begins with. */
static const struct sim_config our_pair __attribute__((unused)) = {
	.vfs = 2,
	.drivers = { DRIVER_OURS, DRIVER_OURS },
	.state_size = 64 << 10,
	.chunk_size = SIM_CHUNK,
};

#endif /* LIB_PAIR_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The benchmarks; each adds its rows to the table.
 */
#ifndef SPEED_BENCH_H
#define SPEED_BENCH_H

/* read() and splice() of what the library holds ready, beside a memfd */
void bench_ready(void);
/* a whole session, with what the device takes for it, beside a memfd */
void bench_session(void);
/* the device writes to the reader's own memory */
void bench_direct(void);
/* several requests at once, beside one after the other */
void bench_reads_at_once(void);
void bench_writes_at_once(void);
/* what a session needs, however large the state is */
void bench_memory(void);

/* mlx5-vfio-mig beside the kernel's mlx5-vfio-pci: devices that stand still */
void bench_blackout(void);
/* CPU time and throughput of the reader */
void bench_read_path(void);
/* memory for a large state */
void bench_footprint(void);

/* nvgrace-vfio-mig: the memory of a GPU */
void bench_gpu(void);
/* reports of dirty pages; needs IOMMUFD */
void bench_dirty(void);

#endif /* SPEED_BENCH_H */

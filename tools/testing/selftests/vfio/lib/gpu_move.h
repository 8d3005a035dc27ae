/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Migration of simulated GPUs: a source and a target with the same memory, and what is in
 * the data between them. The offsets here are those of the documentation.
 */
#ifndef LIB_GPU_MOVE_H
#define LIB_GPU_MOVE_H

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "file.h"
#include "gpu.h"
#include "migration.h"
#include "module.h"
#include "nvgrace.h"
#include "page.h"

#define NVGRACE_PARAMETER(name)	"/sys/module/nvgrace_vfio_mig/parameters/" name

#define TAG_LAYOUT	2
#define TAG_BLOCKS	3
#define TAG_STATE	4

#define BLOCK		(64UL << 10)
/* The end of a memory that is not a whole block, as far as pages are smaller than blocks. */
#define SHORT_BLOCK	(3 * PAGE < BLOCK ? 3 * PAGE : BLOCK)
#define WINDOW		1024
#define HEAD		4096
#define HEAD_MEMORY	0
#define HEAD_FIRST	4
#define HEAD_WINDOW	8
#define HEAD_COUNT	12
#define HEAD_ZERO	16
#define HEAD_BLOCK	144
#define HEAD_RESERVED	398
#define RECORD_HEADER	sizeof(struct vfio_mig_record_header)

/* Whether devices that are bound from then on can migrate. */
static inline void gpu_enable_migration(bool on)
{
	module_load(DRIVER_NVGRACE, NULL);
	file_write(NVGRACE_PARAMETER("enable_migration"), on ? "Y" : "N");
}

static inline uint32_t get_le32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static inline void put_le32(unsigned char *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

/* What main() does with a program whose devices can migrate, and that leaves nothing behind. */
static inline int gpu_move_main(int argc, char **argv, int (*run)(int argc, char **argv))
{
	int status;

	gpu_prepare();
	gpu_enable_migration(true);
	status = run(argc, argv);
	sim_remove_all();
	gpu_enable_migration(false);
	return status;
}

/**
 * struct tally - what a piece of migration data holds
 * @records: records about blocks
 * @contents: blocks with contents
 * @zeroes: blocks that are flagged as zero
 * @states: records with the state
 * @bytes: of all of it
 */
struct tally {
	unsigned int records;
	unsigned int contents;
	unsigned int zeroes;
	unsigned int states;
	uint64_t bytes;
};

static inline unsigned int count_zeroes(const unsigned char *head)
{
	unsigned int i, zeroes = 0;

	for (i = 0; i < WINDOW; i++)
		zeroes += head[HEAD_ZERO + i / 8] >> i % 8 & 1;
	return zeroes;
}

/* Offset of the header of the first record with @tag at or behind record @from, or -1. */
static inline long blob_find_tag(const struct blob *blob, size_t from, uint32_t tag)
{
	size_t at = from;

	while (at + RECORD_HEADER <= blob->length) {
		if (get_le32(blob->data + at + 12) == tag)
			return at;
		at += RECORD_HEADER + blob_record_size(blob, at);
	}
	return -1;
}

/* Of whole records from offset @from to the end. */
static inline struct tally tally_from(const struct blob *blob, size_t from)
{
	struct tally tally = { .bytes = blob->length - from };
	size_t at = from;

	while (at + RECORD_HEADER <= blob->length) {
		const unsigned char *head = blob->data + at + RECORD_HEADER;
		uint32_t tag = get_le32(blob->data + at + 12);

		if (tag == TAG_BLOCKS) {
			tally.records++;
			tally.contents += get_le32(head + HEAD_COUNT);
			tally.zeroes += count_zeroes(head);
		}
		tally.states += tag == TAG_STATE;
		at += RECORD_HEADER + blob_record_size(blob, at);
	}
	if (at != blob->length)
		fail("the data ends inside a record");
	return tally;
}

static inline struct vfio_precopy_info gpu_precopy_info(int fd)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	if (ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info))
		fail("VFIO_MIG_GET_PRECOPY_INFO: %s", strerror(errno));
	return info;
}

/* The region of most of the memory. */
static inline uint64_t gpu_usemem(struct vfio_device *dev)
{
	struct vfio_region_info info;

	vfio_region(dev, VFIO_PCI_BAR4_REGION_INDEX, &info);
	return info.offset;
}

/* As a guest does it: it has used the memory before, so that it is known to be ready. */
static inline void gpu_sleep(struct vfio_device *dev)
{
	unsigned char byte;

	if (gpu_power(dev) == GPU_D0) {
		nvgrace_enable(dev, true);
		vfio_read(dev, gpu_usemem(dev), &byte, 1);
	}
	gpu_set_power(dev, GPU_D3HOT);
}

static inline void gpu_last_error(struct vfio_device *dev, char *text, size_t room)
{
	file_read(path("/sys/kernel/debug/vfio-mig/%s/last_error", dev->address), text, room);
}

static inline uint32_t gpu_last_syndrome(struct vfio_device *dev)
{
	char text[32];

	file_read(path("/sys/kernel/debug/vfio-mig/%s/last_syndrome", dev->address), text,
		  sizeof(text));
	return strtoul(text, NULL, 0);
}

#endif /* LIB_GPU_MOVE_H */

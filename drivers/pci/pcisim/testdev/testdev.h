/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of pcisim-testdev share.
 *
 * A struct testdev is the PF, a struct testdev_vf one VF: its engine and its
 * memory, which is all that migrates. Commands for a VF run in the thread of
 * the PF, its engine and its reset in its own thread.
 *
 * testdev_vf::lock protects what both threads and debugfs use. It is held over a
 * whole command and over the engine's DMA, so that nothing of the VF is under
 * way when a command stops it, and nothing of a command when a reset has ended
 * it. Fields without a lock are constant, or belong to the thread of the PF.
 */
#ifndef PCISIM_TESTDEV_H
#define PCISIM_TESTDEV_H

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <uapi/linux/migration_testdev.h>

#include "../pcisim.h"

#define TESTDEV_MAX_MEMORY	SZ_1G
#define TESTDEV_BLOCK_SHIFT	12
#define TESTDEV_BLOCK_SIZE	BIT(TESTDEV_BLOCK_SHIFT)

/* Bytes that the engine copies or fills, and images are copied, at a time. */
#define TESTDEV_PIECE		SZ_64K

enum testdev_setting {
	TESTDEV_STATE_SIZE,
	TESTDEV_SAVE_LATENCY,
	TESTDEV_LOAD_LATENCY,
	TESTDEV_SETTINGS
};

struct testdev_vf;

struct testdev {
	struct pcisim_function *fn;
	struct testdev_vf *vfs[TESTDEV_MAX_VFS];

	/* debugfs; each stands alone */
	atomic_t commands;
	u32 fail_command;
	u32 fail_status;
	atomic_t fail_times;
};

/* The memory of a VF, and which of its blocks the next images have to carry. */
struct testdev_memory {
	u64 size;
	u64 room;				/* bytes behind data, never less than size */
	void *data;
	unsigned long *dirty;			/* bit: block */
};

/* What the VF is doing. Its user sees this in registers that are written, never read. */
struct testdev_engine {
	u32 command;				/* 0 when idle */
	u32 status;
	u32 remaining;				/* repetitions */
	u32 position;				/* bytes of the current one that are done */
	u64 completed;
};

/* Registers and engine, as an image carries them. */
struct testdev_engine_image {
	__le64 source;
	__le64 destination;
	__le64 offset;
	__le64 completed;
	__le32 length;
	__le32 count;
	__le32 argument;
	__le32 control;
	__le32 vector;
	__le32 command;
	__le32 running;				/* the command that is under way */
	__le32 status;
	__le32 remaining;
	__le32 position;
};

/* A sequence of images, on its way out or in. */
struct testdev_sequence {
	bool active;
	u64 id;
	u32 next;				/* number of the next image */
};

struct testdev_vf {
	struct testdev *pf;
	struct pcisim_function *fn;
	unsigned int index;
	u64 state_size;				/* of the memory after a reset */
	u32 latency[TESTDEV_COMMAND_LOAD + 1];	/* of each command, in microseconds */
	void *bounce;				/* TESTDEV_PIECE bytes for the engine */

	struct mutex lock;			/* see the top of this file */
	u32 level;
	bool pending;				/* a command waits until due */
	ktime_t due;
	struct testdev_engine engine;
	struct testdev_engine_image frozen;	/* while stopped */
	struct testdev_memory memory;
	unsigned long cursor;			/* block where the next image begins */
	struct testdev_sequence saving;
	struct testdev_sequence loading;

	atomic64_t copies;
	atomic_t saves;
	atomic_t loads;
};

/* The parameters of a command in its block, and its results. */
struct testdev_command {
	u32 argument;
	u32 length;
	u32 images;
	u64 remaining;
	u64 list;
	u32 list_length;
};

/* Memory of the PF, written or read from front to back. */
struct testdev_list {
	struct pcisim_function *fn;
	struct testdev_segment *segments;
	u32 count;
	u64 room;
	u32 index;				/* of the segment that is next */
	u32 offset;				/* in that segment */
};

#define TESTDEV_IMAGE_MAGIC	0x49545354
#define TESTDEV_IMAGE_VERSION	1
/* completes the state */
#define TESTDEV_IMAGE_LAST	BIT(0)

struct testdev_image_header {
	__le32 magic;
	__le16 version;
	__le16 flags;
	__le32 length;				/* of the image */
	__le32 extents;				/* each with its data behind it */
	__le64 sequence;			/* the same in all images of a sequence */
	__le32 number;				/* of the image in its sequence */
	__le32 reserved;
	__le64 memory_size;
	struct testdev_engine_image engine;
};

/* Ascending and aligned to blocks; only the last block of the memory may be short. */
struct testdev_image_extent {
	__le64 offset;
	__le32 length;
	__le32 reserved;
};

#define TESTDEV_IMAGE_OVERHEAD						\
	(sizeof(struct testdev_image_header) + sizeof(struct testdev_image_extent))

static_assert(sizeof(struct testdev_engine_image) == 72);
static_assert(sizeof(struct testdev_image_header) == 112);
static_assert(TESTDEV_IMAGE_OVERHEAD + TESTDEV_BLOCK_SIZE <= TESTDEV_MIN_IMAGE);

/* engine.c */
unsigned int testdev_engine_run(struct testdev_vf *vf);
void testdev_engine_reset(struct testdev_vf *vf);
void testdev_engine_save(struct testdev_vf *vf, struct testdev_engine_image *image);
void testdev_engine_load(struct testdev_vf *vf, const struct testdev_engine_image *image);

/* memory.c */
int testdev_memory_init(struct testdev_memory *memory, u64 size);
void testdev_memory_fini(struct testdev_memory *memory);
int testdev_memory_resize(struct testdev_memory *memory, u64 size);
void testdev_memory_reset(struct testdev_memory *memory, u64 size);
void testdev_memory_mark(struct testdev_memory *memory, u64 offset, u64 length);
void testdev_memory_fill(struct testdev_memory *memory, u64 offset, u32 length, u32 seed);

static inline unsigned long testdev_blocks(u64 size)
{
	return DIV_ROUND_UP_ULL(size, TESTDEV_BLOCK_SIZE);
}

/* command.c */
void testdev_doorbell(struct testdev *pf, u32 value);
unsigned int testdev_run_commands(struct testdev *pf);
void testdev_abort_command(struct testdev_vf *vf);

/* list.c */
u32 testdev_list_init(struct testdev_list *list, struct pcisim_function *fn,
		      const struct testdev_command *command);
void testdev_list_fini(struct testdev_list *list);
int testdev_list_write(struct testdev_list *list, const void *from, u64 length);
int testdev_list_read(struct testdev_list *list, void *to, u64 length);

/* plan.c */

/* Which of the dirty blocks, from @next on, go into an image. */
struct testdev_plan {
	unsigned long next;
	u32 extents;
	u64 length;				/* of the image */
};

bool testdev_plan(const struct testdev_memory *memory, u32 room, struct testdev_plan *plan);
u64 testdev_extent_length(const struct testdev_memory *memory, u64 first, u64 blocks);
u32 testdev_query(struct testdev_vf *vf, struct testdev_command *command);

/* save.c */
u32 testdev_track(struct testdev_vf *vf, const struct testdev_command *command);
u32 testdev_save(struct testdev_vf *vf, struct testdev_command *command);

/* load.c */
u32 testdev_load(struct testdev_vf *vf, struct testdev_command *command);

/* debugfs.c */
void testdev_pf_debugfs(struct testdev *pf, struct dentry *dir);
void testdev_vf_debugfs(struct testdev_vf *vf, struct dentry *dir);

#endif /* PCISIM_TESTDEV_H */

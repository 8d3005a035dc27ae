/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver of the physical function (PF) offers to the VFIO driver: a
 * channel for commands that are about one virtual function (VF).
 */
#ifndef VMS_H
#define VMS_H

#include <linux/types.h>

struct device;
struct pci_dev;
struct sg_table;
struct vms_channel;

/**
 * struct vms_command - a command to the PF
 * @number: TESTDEV_COMMAND_ value
 * @argument: depends on the command
 * @length: bytes of an image; when the command has ended, of what was saved
 * @sgt: where the image is, mapped for the PF, or NULL
 * @done: called once when the command has ended or was given up, in any context;
 *	NULL if somebody waits instead
 * @result: when it has ended, 0 or -errno
 * @images: when it has ended, number of images that are still to come
 * @remaining: when it has ended, bytes of them
 */
struct vms_command {
	u32 number;
	u32 argument;
	u32 length;
	struct sg_table *sgt;
	void (*done)(struct vms_command *command);
	int result;
	u32 images;
	u64 remaining;
};

struct vms_channel *devm_vms_channel(struct pci_dev *vf);
struct device *vms_channel_device(struct vms_channel *channel);
u32 vms_channel_firmware(struct vms_channel *channel);
bool vms_channel_is_using(struct vms_channel *channel, const struct sg_table *sgt);

int vms_set_level(struct vms_channel *channel, u32 level);
int vms_track(struct vms_channel *channel, bool on);
int vms_query(struct vms_channel *channel, u32 flags, u32 size, u32 *images, u64 *bytes);
int vms_load(struct vms_channel *channel, struct sg_table *sgt, u32 length, bool *incomplete);
int vms_save(struct vms_channel *channel, struct vms_command *save);
void vms_drain(struct vms_channel *channel);
u32 vms_record_size(void);

#endif /* VMS_H */

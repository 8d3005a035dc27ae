// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a storm that goes to the devices: resets of every kind, changes of state,
 * and questions.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>

#include "file.h"
#include "storm_acts.h"

struct storm_vf *storm_pick(struct storm_actor *actor)
{
	struct storm_site *site = actor->site;

	return &site->vf[storm_random(actor, STORM_VFS)];
}

/* Without a device there is nothing to do for a while. */
static struct vfio_device *get_device(struct storm_actor *actor, struct storm_vf *vf)
{
	struct vfio_device *dev = storm_vf_get(vf);

	if (!dev)
		storm_pause(actor, 2000);
	return dev;
}

/* Resets take a tenth of a second; in between there is to be time for something else. */
#define RESET_PAUSE 1000000

static const int reset_errors[] = { EAGAIN, 0 };

static void reset_by_ioctl(struct storm_actor *actor)
{
	struct storm_vf *vf = storm_pick(actor);
	struct vfio_device *dev = get_device(actor, vf);

	if (!dev)
		return;
	storm_note(actor, __vfio_reset(dev));
	storm_vf_put(vf);
	storm_pause(actor, RESET_PAUSE);
}

static int write_flr(struct vfio_device *dev, unsigned int express)
{
	uint64_t where = dev->config + express + PCI_EXP_DEVCTL;
	uint16_t control;
	int error = __vfio_read(dev, where, &control, sizeof(control));

	control |= PCI_EXP_DEVCTL_BCR_FLR;
	return error ?: __vfio_write(dev, where, &control, sizeof(control));
}

static void reset_like_a_guest(struct storm_actor *actor)
{
	struct storm_site *site = actor->site;
	struct storm_vf *vf = storm_pick(actor);
	struct vfio_device *dev = get_device(actor, vf);

	if (!dev)
		return;
	storm_note(actor, write_flr(dev, site->express));
	storm_vf_put(vf);
	storm_pause(actor, RESET_PAUSE);
}

static const int vanished_errors[] = { ENOENT, ENODEV, EIO, 0 };

static void reset_through_sysfs(struct storm_actor *actor)
{
	struct storm_vf *vf = storm_pick(actor);

	storm_note(actor, __file_write(path("/sys/bus/pci/devices/%s/reset", vf->address), "1"));
	storm_pause(actor, RESET_PAUSE);
}

/* Some twice, as most states are just passed. The first and the last cannot be asked for. */
static const uint32_t states[] = {
	STATE_ERROR, STATE_STOP, STATE_RUNNING, STATE_RUNNING_P2P, STATE_PRE_COPY,
	STATE_PRE_COPY_P2P, STATE_STOP_COPY, STATE_STOP_COPY, STATE_STOP_COPY, STATE_RESUMING,
	STATE_RESUMING, STATE_RESUMING, VFIO_DEVICE_STATE_NR,
};

/* EOPNOTSUPP and EMSGSIZE: what had been written before was refused. */
static const int state_errors[] = {
	EINVAL, EIO, EBUSY, ENODEV, EBADMSG, EOPNOTSUPP, EMSGSIZE, 0
};

static void publish(struct storm_actor *actor, struct storm_vf *vf, int fd, uint32_t state)
{
	bool orderly = storm_random(actor, 4);

	if (!storm_random(actor, 4))
		fcntl(fd, F_SETFL, O_NONBLOCK);
	storm_data_publish(vf, fd, state != STATE_RESUMING, orderly);
}

static void change_state(struct storm_actor *actor)
{
	uint32_t state = states[storm_random(actor, sizeof(states) / sizeof(*states))];
	struct storm_vf *vf = storm_pick(actor);
	struct vfio_device *dev = get_device(actor, vf);
	int fd = -1;

	if (!dev)
		return;
	storm_note(actor, __mig_set_state(dev, state, &fd));
	storm_vf_put(vf);
	if (fd >= 0)
		publish(actor, vf, fd, state);
	storm_pause(actor, 30000);
}

static void ask_state(struct storm_actor *actor)
{
	struct storm_vf *vf = storm_pick(actor);
	struct vfio_device *dev = get_device(actor, vf);
	long state;

	if (!dev)
		return;
	state = __mig_state(dev);
	storm_note(actor, state < VFIO_DEVICE_STATE_NR ? state : -ERANGE);
	storm_vf_put(vf);
	storm_pause(actor, 5000);
}

static const int size_errors[] = { EIO, EBUSY, ENODEV, 0 };

static void ask_size(struct storm_actor *actor)
{
	struct storm_vf *vf = storm_pick(actor);
	struct vfio_device *dev = get_device(actor, vf);
	uint64_t size = 0;
	int error;

	if (!dev)
		return;
	error = __mig_data_size(dev, &size);
	storm_note(actor, error ?: size ? 0 : -ENODATA);
	storm_vf_put(vf);
	storm_pause(actor, 5000);
}

static void look_into_debugfs(struct storm_actor *actor)
{
	static const char * const files[] = {
		"state", "last_error", "session", "arcs", "sessions", "bytes_copied",
	};
	const char *file = files[storm_random(actor, sizeof(files) / sizeof(*files))];
	struct storm_vf *vf = storm_pick(actor);
	char text[4096];

	storm_note(actor, __file_read(path("/sys/kernel/debug/vfio-mig/%s/%s", vf->address,
					   file), text, sizeof(text)));
	storm_pause(actor, 5000);
}

void storm_add_device_acts(struct storm *storm, struct storm_site *site)
{
	const int *by_name = site->vanishes ? vanished_errors : NULL;

	storm_add(storm, "resets by ioctl", reset_by_ioctl, reset_errors, site);
	storm_add(storm, "resets by the guest", reset_like_a_guest, NULL, site);
	storm_add(storm, "resets through sysfs", reset_through_sysfs, by_name, site);
	storm_add(storm, "changes of state, one", change_state, state_errors, site);
	storm_add(storm, "changes of state, two", change_state, state_errors, site);
	storm_add(storm, "questions for the state", ask_state, NULL, site);
	storm_add(storm, "questions for the size", ask_size, size_errors, site);
	storm_add(storm, "looks into debugfs", look_into_debugfs, by_name, site);
}

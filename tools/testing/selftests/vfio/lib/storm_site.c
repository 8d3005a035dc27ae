// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFs and data FDs that many threads use, and who closes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm_site.h"

struct vfio_device *storm_vf_get(struct storm_vf *vf)
{
	struct vfio_device *dev = NULL;

	pthread_mutex_lock(&vf->lock);
	if (vf->open) {
		vf->users++;
		dev = &vf->dev;
	}
	pthread_mutex_unlock(&vf->lock);
	return dev;
}

void storm_vf_put(struct storm_vf *vf)
{
	pthread_mutex_lock(&vf->lock);
	vf->users--;
	pthread_mutex_unlock(&vf->lock);
}

int __storm_vf_open(struct storm_vf *vf)
{
	int error = __vfio_open(&vf->dev, vf->address);

	pthread_mutex_lock(&vf->lock);
	vf->open = !error;
	pthread_mutex_unlock(&vf->lock);
	return error;
}

static bool is_unused(struct storm_vf *vf)
{
	bool unused;

	pthread_mutex_lock(&vf->lock);
	unused = !vf->users;
	pthread_mutex_unlock(&vf->lock);
	return unused;
}

/* A call that never returns is what the storm looks out for, so this has no limit. */
void storm_vf_close(struct storm_vf *vf)
{
	pthread_mutex_lock(&vf->lock);
	vf->open = false;
	pthread_mutex_unlock(&vf->lock);
	while (!is_unused(vf))
		usleep(500);
	vfio_close(&vf->dev);
}

struct storm_data *storm_data_get(struct storm_vf *vf)
{
	struct storm_data *data;

	pthread_mutex_lock(&vf->lock);
	data = vf->data;
	if (data)
		__atomic_add_fetch(&data->users, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&vf->lock);
	return data;
}

void storm_data_put(struct storm_data *data)
{
	if (!data || __atomic_sub_fetch(&data->users, 1, __ATOMIC_ACQ_REL))
		return;
	close(data->fd);
	pthread_mutex_destroy(&data->lock);
	free(data);
}

static void replace_data(struct storm_vf *vf, struct storm_data *data)
{
	struct storm_data *old;

	pthread_mutex_lock(&vf->lock);
	old = vf->data;
	vf->data = data;
	vf->sessions += !!data;
	pthread_mutex_unlock(&vf->lock);
	storm_data_put(old);
}

void storm_data_publish(struct storm_vf *vf, int fd, bool saves, bool orderly)
{
	struct storm_data *data = calloc(1, sizeof(*data));

	if (!data)
		fail("no memory");
	data->fd = fd;
	data->users = 1;
	data->saves = saves;
	data->orderly = orderly;
	pthread_mutex_init(&data->lock, NULL);
	replace_data(vf, data);
}

void storm_site_open(struct storm_site *site, const struct sim *sim, const char *driver)
{
	struct vfio_device *first = &site->vf[0].dev;
	unsigned int i;

	memset(site, 0, sizeof(*site));
	site->sim = *sim;
	site->driver = driver;
	for (i = 0; i < STORM_VFS; i++) {
		struct storm_vf *vf = &site->vf[i];

		pthread_mutex_init(&vf->lock, NULL);
		snprintf(vf->address, sizeof(vf->address), "%s", sim->vf[i]);
		must(__storm_vf_open(vf));
	}
	mig_flags(first, &site->flags);
	site->express = vfio_find_capability(first, PCI_CAP_ID_EXP);
	mig_save(first, &site->good, MIB);
	mig_set_state(first, STATE_RUNNING, NULL);
}

void storm_site_close(struct storm_site *site)
{
	unsigned int i;

	for (i = 0; i < STORM_VFS; i++) {
		replace_data(&site->vf[i], NULL);
		if (site->vf[i].open)
			storm_vf_close(&site->vf[i]);
	}
	blob_free(&site->good);
}

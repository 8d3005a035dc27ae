// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a storm that reads and writes data FDs by calls that wait or do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "file.h"
#include "storm_data.h"

#define ROOM (256 << 10)

struct storm_data *storm_data_pick(struct storm_actor *actor, int saves)
{
	struct storm_data *data = storm_data_get(storm_pick(actor));

	if (data && (saves < 0 || data->saves == saves))
		return data;
	storm_data_put(data);
	storm_pause(actor, 2000);
	return NULL;
}

size_t storm_data_size(struct storm_actor *actor, size_t room)
{
	static const size_t sizes[] = { 1, 16, 4096, 65536, 1 << 20 };
	size_t limit = sizes[storm_random(actor, sizeof(sizes) / sizeof(*sizes))];

	return 1 + storm_random(actor, limit < room ? limit : room);
}

/* What is dead or idle is not worth trying at full speed. */
void storm_data_done(struct storm_actor *actor, struct storm_data *data, long result)
{
	struct storm_site *site = actor->site;

	if (data->saves && !result)
		__atomic_add_fetch(&site->ends, 1, __ATOMIC_RELAXED);
	storm_data_put(data);
	if (result <= 0)
		storm_pause(actor, 2000);
}

static char *get_room(void)
{
	static __thread char room[ROOM];

	return room;
}

static void read_and_wait(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, true);
	long done;

	if (!data)
		return;
	done = read(data->fd, get_room(), storm_data_size(actor, ROOM));
	storm_data_done(actor, data, storm_note(actor, done < 0 ? -errno : done));
}

static void read_at_once(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, true);
	struct iovec part = { get_room(), storm_data_size(actor, ROOM) };
	long done;

	if (!data)
		return;
	done = preadv2(data->fd, &part, 1, -1, RWF_NOWAIT);
	storm_data_done(actor, data, storm_note(actor, done < 0 ? -errno : done));
}

bool storm_write_begin(struct storm_actor *actor, struct storm_data *data, size_t room,
		       struct storm_piece *piece)
{
	const struct blob *good = &((struct storm_site *)actor->site)->good;
	size_t left;

	piece->locked = data->orderly;
	if (!piece->locked) {
		/* anything, from anybody */
		piece->length = storm_data_size(actor, room < good->length ? room : good->length);
		piece->data = good->data + storm_random(actor, good->length - piece->length + 1);
		return true;
	}
	if (pthread_mutex_trylock(&data->lock))
		return false;
	left = good->length - data->next;
	if (!left) {
		pthread_mutex_unlock(&data->lock);
		return false;
	}
	piece->data = good->data + data->next;
	piece->length = storm_data_size(actor, room < left ? room : left);
	return true;
}

void storm_write_end(struct storm_actor *actor, struct storm_data *data,
		     const struct storm_piece *piece, long done)
{
	struct storm_site *site = actor->site;

	if (!piece->locked)
		return;
	if (done > 0)
		data->next += done;
	if (done > 0 && data->next == site->good.length)
		__atomic_add_fetch(&site->loads, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&data->lock);
}

static void write_and_wait(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, false);
	struct storm_piece piece;
	long done = 0;

	if (!data)
		return;
	if (storm_write_begin(actor, data, ROOM, &piece)) {
		done = write(data->fd, piece.data, piece.length);
		done = storm_note(actor, done < 0 ? -errno : done);
		storm_write_end(actor, data, &piece, done);
	}
	storm_data_done(actor, data, done);
}

static void poll_for_events(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, -1);
	struct pollfd wanted = { .events = storm_random(actor, 2) ? POLLIN | POLLOUT : 0 };
	long done;

	if (!data)
		return;
	wanted.fd = data->fd;
	done = poll(&wanted, 1, storm_random(actor, 50));
	storm_note(actor, wanted.revents & POLLNVAL ? -EBADF : done < 0 ? -errno : done);
	storm_data_put(data);
	storm_pause(actor, 2000);
}

static void read_fdinfo(struct storm_actor *actor)
{
	struct storm_data *data = storm_data_pick(actor, -1);
	char text[1024];
	int length;

	if (!data)
		return;
	length = __file_read(path("/proc/self/fdinfo/%d", data->fd), text, sizeof(text));
	if (length > 0 && !strstr(text, "vfio-mig-state:"))
		length = -ENODATA;
	storm_note(actor, length);
	storm_data_put(data);
	storm_pause(actor, 5000);
}

static void ask_precopy(struct storm_actor *actor)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	struct storm_data *data = storm_data_pick(actor, true);

	if (!data)
		return;
	storm_note(actor, ioctl(data->fd, VFIO_MIG_GET_PRECOPY_INFO, &info) ? -errno : 0);
	storm_data_put(data);
	storm_pause(actor, 5000);
}

/* Of Documentation/driver-api/vfio-migration.rst, what can happen here. */
const int storm_read_errors[] = { EIO, EBUSY, ENODEV, ENOMSG, EAGAIN, 0 };

const int storm_write_errors[] = {
	EINVAL, EIO, EBUSY, ENODEV, EBADMSG, EMSGSIZE, EOPNOTSUPP, EAGAIN, 0
};

static const int precopy_errors[] = { EINVAL, EIO, EBUSY, ENODEV, 0 };

void storm_add_data_acts(struct storm *storm, struct storm_site *site)
{
	storm_add(storm, "reads, one", read_and_wait, storm_read_errors, site);
	storm_add(storm, "reads, two", read_and_wait, storm_read_errors, site);
	storm_add(storm, "reads without waiting", read_at_once, storm_read_errors, site);
	storm_add(storm, "writes, one", write_and_wait, storm_write_errors, site);
	storm_add(storm, "writes, two", write_and_wait, storm_write_errors, site);
	storm_add(storm, "polls", poll_for_events, NULL, site);
	storm_add(storm, "looks into fdinfo", read_fdinfo, NULL, site);
	storm_add_queue_acts(storm, site);
	if (site->flags & VFIO_MIGRATION_PRE_COPY)
		storm_add(storm, "questions while pre-copy", ask_precopy, precopy_errors, site);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous requests that wait for the device.
 *
 * A request takes its pages when it is queued and keeps nothing else of its
 * submitter, so that a worker can serve it. It waits for a device command only,
 * which is bounded: io_uring cannot cancel it, and a process cannot exit before
 * it is completed. Requests complete in the order in which they were queued, and
 * all of them before the end of the session returns.
 *
 * The worker takes io_lock by trylock only, as somebody may hold it who waits
 * for user memory; whoever releases io_lock calls the worker again.
 */
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <trace/events/vfio_mig.h>

#include "fault.h"
#include "vfio_mig_private.h"

/* Requests that a session queues at most, and bytes of each; further ones wait in place. */
#define VFIO_MIG_MAX_REQUESTS	64U
#define VFIO_MIG_MAX_REQUEST	(SZ_16M + PAGE_SIZE)
/* Pages that are taken from the user at a time. */
#define VFIO_MIG_EXTRACT_PAGES	64

/* Whether the submitter goes on when the request is queued. */
bool vfio_mig_async_wanted(struct kiocb *iocb)
{
	return !is_sync_kiocb(iocb) && !(iocb->ki_filp->f_flags & O_NONBLOCK);
}

/* Whether the submitter can wait in place. */
bool vfio_mig_async_may_wait(const struct kiocb *iocb)
{
	return !(iocb->ki_flags & IOCB_NOWAIT) && !(iocb->ki_filp->f_flags & O_NONBLOCK);
}

static bool vfio_mig_async_come_first(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->queue_lock);
	return (!list_empty(&st->requests) || st->serving) && !st->status;
}

/* Whether requests come before whoever comes now. */
static bool vfio_mig_async_pending(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return vfio_mig_async_come_first(st);
}

static bool vfio_mig_async_claim(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->io_lock);
	guard(spinlock_irqsave)(&st->queue_lock);
	if (vfio_mig_async_come_first(st))
		return false;
	st->save.reading = vfio_mig_stream_saves(st);
	return true;
}

/*
 * Become the one who reads or writes, with io_lock held. -EAGAIN if that is
 * somebody else, or if requests are queued, and the caller does not wait.
 */
int vfio_mig_async_begin(struct vfio_mig_stream *st, bool wait)
{
	int ret;

	for (;;) {
		ret = vfio_mig_stream_lock_io(st, wait);
		if (ret)
			return ret;
		if (vfio_mig_async_claim(st))
			return 0;
		vfio_mig_stream_unlock_io(st);
		if (!wait)
			return -EAGAIN;
		ret = wait_event_killable(st->wait, !vfio_mig_async_pending(st));
		if (ret)
			return ret;
	}
}

/*
 * The same for whoever can be queued, without waiting: -EBUSY if requests come
 * first. In one step, so that -EAGAIN never means the worker: it leaves the lock
 * again soon, and who is turned away meanwhile would lose his place in the order.
 */
int vfio_mig_async_try_begin(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	if (vfio_mig_async_come_first(st))
		return -EBUSY;
	if (!mutex_trylock(&st->io_lock))
		return -EAGAIN;
	st->save.reading = vfio_mig_stream_saves(st);
	return 0;
}

/* Have the requests served, if there are any. */
void vfio_mig_async_kick(struct vfio_mig_stream *st)
{
	lockdep_assert_held(&st->queue_lock);
	if (!list_empty(&st->requests))
		queue_work(vfio_mig_wq, &st->serve);
}

static void vfio_mig_async_unaccount(struct vfio_mig_request *request)
{
	if (!request->user)
		return;
	atomic_long_sub(request->nr_pages, &request->user->locked_vm);
	free_uid(request->user);
}

/* Pinned pages count like those of io_uring: per user, against RLIMIT_MEMLOCK. */
static int vfio_mig_async_account(struct vfio_mig_request *request)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();
	unsigned long locked;

	if (!request->pinned)
		return 0;
	locked = atomic_long_add_return(request->nr_pages, &user->locked_vm);
	if (locked > limit && !capable(CAP_IPC_LOCK)) {
		atomic_long_sub(request->nr_pages, &user->locked_vm);
		return -ENOMEM;
	}
	request->user = get_uid(user);
	return 0;
}

static void vfio_mig_async_unpin(struct vfio_mig_request *request, bool dirty)
{
	for (unsigned int i = 0; request->pinned && i < request->segments; i++) {
		const struct bio_vec *vec = &request->vec[i];

		unpin_user_page_range_dirty_lock(vec->bv_page,
						 PFN_UP(vec->bv_offset + vec->bv_len), dirty);
	}
}

static void vfio_mig_async_free(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	vfio_mig_direct_free(st, request);
	vfio_mig_async_unpin(request, vfio_mig_stream_saves(st));
	vfio_mig_async_unaccount(request);
	kvfree(request->vec);
	kfree(request);
}

/* Pages that follow each other in memory, as those of a large folio do, make one segment. */
static void vfio_mig_async_append(struct vfio_mig_request *request, struct page *page,
				  size_t offset, size_t length)
{
	if (request->segments && !offset) {
		struct bio_vec *last = &request->vec[request->segments - 1];
		size_t end = last->bv_offset + last->bv_len;

		if (PAGE_ALIGNED(end) && last->bv_page + (end >> PAGE_SHIFT) == page &&
		    page_folio(last->bv_page) == page_folio(page)) {
			last->bv_len += length;
			return;
		}
	}
	bvec_set_page(&request->vec[request->segments++], page, length, offset);
}

/* Pages of one segment of the user's memory. Returns bytes or -errno. */
static ssize_t vfio_mig_async_extract(struct vfio_mig_request *request, struct iov_iter *iter,
				      size_t wanted, unsigned int room)
{
	struct page *pages[VFIO_MIG_EXTRACT_PAGES];
	struct page **list = pages;
	size_t offset, left;
	ssize_t bytes;

	bytes = iov_iter_extract_pages(iter, &list, wanted, min(room, ARRAY_SIZE(pages)), 0,
				       &offset);
	if (bytes <= 0)
		return bytes ?: -EFAULT;
	for (left = bytes; left; list++) {
		size_t part = min(left, PAGE_SIZE - offset);

		vfio_mig_async_append(request, *list, offset, part);
		request->nr_pages++;
		left -= part;
		offset = 0;
	}
	return bytes;
}

/* Take the pages behind @iter, up to the bound. On error @iter is where it was. */
static int vfio_mig_async_take(struct vfio_mig_request *request, struct iov_iter *iter)
{
	unsigned int direction = iov_iter_rw(iter) == READ ? ITER_DEST : ITER_SOURCE;
	unsigned int room = iov_iter_npages(iter, INT_MAX);
	size_t length = iov_iter_count(iter);
	size_t taken = 0;

	if (vfio_mig_fault_alloc())
		return -ENOMEM;
	request->vec = kvmalloc_array(room, sizeof(*request->vec), GFP_KERNEL_ACCOUNT);
	if (!request->vec)
		return -ENOMEM;
	request->pinned = iov_iter_extract_will_pin(iter);
	while (taken < length && request->nr_pages < room) {
		ssize_t bytes = vfio_mig_async_extract(request, iter, length - taken,
						       room - request->nr_pages);

		if (bytes < 0) {
			iov_iter_revert(iter, taken);
			return bytes;
		}
		taken += bytes;
	}
	iov_iter_bvec(&request->iter, direction, request->vec, request->segments, taken);
	return 0;
}

static struct vfio_mig_request *vfio_mig_async_create(struct vfio_mig_stream *st,
						      struct kiocb *iocb, struct iov_iter *iter)
{
	struct vfio_mig_request *request;
	int ret;

	if (iov_iter_count(iter) > VFIO_MIG_MAX_REQUEST || vfio_mig_fault_alloc())
		return ERR_PTR(-ENOMEM);
	request = kzalloc_obj(*request, GFP_KERNEL_ACCOUNT);
	if (!request)
		return ERR_PTR(-ENOMEM);
	request->iocb = iocb;
	ret = vfio_mig_async_take(request, iter);
	if (!ret) {
		size_t taken = iov_iter_count(&request->iter);

		ret = vfio_mig_async_account(request);
		if (ret)
			iov_iter_revert(iter, taken);
	}
	if (ret) {
		vfio_mig_async_free(st, request);
		return ERR_PTR(ret);
	}
	vfio_mig_direct_prepare(st, request);
	return request;
}

static bool vfio_mig_async_add(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	/* After the end nobody serves requests any more. */
	if (st->status || st->request_count == VFIO_MIG_MAX_REQUESTS)
		return false;
	request->queued = ktime_get_ns();
	list_add_tail(&request->node, &st->requests);
	st->request_count++;
	/* Records produced ahead would have to be copied. */
	if (request->buf)
		st->save.ahead = 0;
	vfio_mig_async_kick(st);
	return true;
}

/*
 * Queue a request. Returns -EIOCBQUEUED; -ENOMEM if it cannot be queued, for
 * whatever reason, and has to wait in place; or another error.
 */
int vfio_mig_async_queue(struct vfio_mig_stream *st, struct kiocb *iocb, struct iov_iter *iter)
{
	struct vfio_mig_request *request = vfio_mig_async_create(st, iocb, iter);
	size_t length;

	if (IS_ERR(request))
		return PTR_ERR(request);
	length = iov_iter_count(&request->iter);
	trace_vfio_mig_request_queued(st->name, request, length);
	if (vfio_mig_async_add(st, request))
		return -EIOCBQUEUED;
	iov_iter_revert(iter, length);
	vfio_mig_async_free(st, request);
	return -ENOMEM;
}

static void vfio_mig_async_complete(struct vfio_mig_stream *st, struct vfio_mig_request *request,
				    ssize_t result)
{
	struct kiocb *iocb = request->iocb;

	trace_vfio_mig_request_completed(st->name, request, result,
					 ktime_get_ns() - request->queued);
	vfio_mig_async_free(st, request);
	iocb->ki_complete(iocb, result);
}

static struct vfio_mig_request *vfio_mig_async_first(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	return list_first_entry_or_null(&st->requests, struct vfio_mig_request, node);
}

static void vfio_mig_async_remove(struct vfio_mig_stream *st, struct vfio_mig_request *request)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	list_del(&request->node);
	st->request_count--;
	if (vfio_mig_stream_saves(st))
		vfio_mig_save_kick(st);
}

static bool vfio_mig_async_try_lock(struct vfio_mig_stream *st)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	st->serving = mutex_trylock(&st->io_lock);
	return st->serving;
}

/* In one step with the look at the list: what is queued later finds the lock free. */
static bool vfio_mig_async_try_unlock(struct vfio_mig_stream *st, bool waits)
{
	guard(spinlock_irqsave)(&st->queue_lock);
	if (!waits && !list_empty(&st->requests))
		return false;
	st->serving = false;
	mutex_unlock(&st->io_lock);
	return true;
}

/* Returns whether the first request has to wait for the device. */
static bool vfio_mig_async_serve_all(struct vfio_mig_stream *st)
{
	struct vfio_mig_request *request;
	ssize_t result;

	while ((request = vfio_mig_async_first(st))) {
		if (vfio_mig_stream_saves(st))
			result = vfio_mig_read_serve(st, request);
		else
			result = vfio_mig_load_serve(st, request);
		if (result == -EAGAIN)
			return true;
		vfio_mig_async_remove(st, request);
		vfio_mig_async_complete(st, request, result);
	}
	return false;
}

void vfio_mig_async_serve(struct work_struct *work)
{
	struct vfio_mig_stream *st = container_of(work, struct vfio_mig_stream, serve);
	bool waits;

	if (!vfio_mig_async_try_lock(st))
		return;
	do {
		waits = vfio_mig_async_serve_all(st);
	} while (!vfio_mig_async_try_unlock(st, waits));
	wake_up_all(&st->wait);
}

/* The session is over and the driver idle: answer what is still queued. */
void vfio_mig_async_stop(struct vfio_mig_stream *st)
{
	struct vfio_mig_request *request;

	disable_work_sync(&st->serve);
	while ((request = vfio_mig_async_first(st))) {
		vfio_mig_async_remove(st, request);
		vfio_mig_async_complete(st, request, -ENODEV);
	}
}

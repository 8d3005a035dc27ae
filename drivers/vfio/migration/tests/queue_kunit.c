// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a saving session's queues: in which order asynchronous requests
 * complete, and with what, when the device answers, fails, has nothing new, or
 * when the session ends.
 *
 * The device is the test: it has the buffer that save_next() was called with and
 * decides when a record is complete.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vfio.h>

#include "../vfio_mig_private.h"

#define QUEUE_RECORD	PAGE_SIZE
#define QUEUE_REQUESTS	4
#define QUEUE_TIMEOUT	(10 * HZ)
/* what most requests ask for, and what a record with 100 bytes has */
#define QUEUE_BYTES	(sizeof(struct vfio_mig_record_header) + 100)

struct queue_request {
	struct kiocb iocb;
	struct iov_iter iter;
	struct kvec vec;
	u8 *memory;
	struct queue_test *owner;
	struct completion done;
	unsigned int times;
	unsigned int rank;
	ssize_t result;
};

/**
 * struct queue_test - a device that is the test
 * @mig: its migration side
 * @vdev: what the library wants to know of the VFIO device
 * @st: the session
 * @buf: what save_next() was called with, until the device answers
 * @asked: save_next() was called
 * @file: the data FD's file
 * @requests: asynchronous reads
 * @completed: how many of them are complete
 * @level: how much of the device runs
 * @interrupt: the device is reset while it is asked to stop
 */
struct queue_test {
	struct vfio_mig mig;
	struct vfio_device vdev;
	struct vfio_mig_stream *st;
	struct vfio_mig_buf *buf;
	struct completion asked;
	struct file *file;
	struct queue_request requests[QUEUE_REQUESTS];
	atomic_t completed;
	enum vfio_mig_run_level level;
	bool interrupt;
};

static struct queue_test *to_queue_test(struct vfio_mig *mig)
{
	return container_of(mig, struct queue_test, mig);
}

static int queue_set_level(struct vfio_mig *mig, enum vfio_mig_run_level to)
{
	struct queue_test *queue = to_queue_test(mig);

	if (queue->interrupt && to == VFIO_MIG_STOPPED)
		vfio_mig_reset_prepare(mig);
	queue->level = to;
	return 0;
}

static int queue_save_begin(struct vfio_mig_stream *st, bool final)
{
	to_queue_test(vfio_mig_stream_device(st))->st = st;
	return vfio_mig_save_buffers(st, QUEUE_RECORD, 2);
}

static void queue_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf)
{
	struct queue_test *queue = to_queue_test(vfio_mig_stream_device(st));

	queue->buf = buf;
	complete(&queue->asked);
}

static void queue_save_end(struct vfio_mig_stream *st, bool abort)
{
	struct queue_test *queue = to_queue_test(vfio_mig_stream_device(st));

	if (queue->buf)
		vfio_mig_save_fail(st, queue->buf, -EIO);
	queue->buf = NULL;
}

static int queue_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf)
{
	return 0;
}

static int queue_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate)
{
	return 0;
}

static const struct vfio_mig_ops queue_ops = {
	.max_record = QUEUE_RECORD,
	.load_tags = BIT(VFIO_MIG_TAG_IMAGE),
	.direct_align = 1,
	.suspend = queue_set_level,
	.resume = queue_set_level,
	.save_begin = queue_save_begin,
	.save_next = queue_save_next,
	.save_end = queue_save_end,
	.load_record = queue_load_record,
	.estimate = queue_estimate,
};

static const struct vfio_device_ops queue_device_ops = { .name = "vfio-mig-queue-test" };

static void queue_request_done(struct kiocb *iocb, long result)
{
	struct queue_request *request = container_of(iocb, struct queue_request, iocb);

	request->times++;
	request->result = result;
	request->rank = atomic_inc_return(&request->owner->completed);
	complete(&request->done);
}

static ssize_t queue_submit(struct kunit *test, unsigned int i, size_t length)
{
	struct queue_test *queue = test->priv;
	struct queue_request *request = &queue->requests[i];

	request->owner = queue;
	request->memory = kunit_kzalloc(test, length, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, request->memory);
	init_completion(&request->done);
	request->vec.iov_base = request->memory;
	request->vec.iov_len = length;
	iov_iter_kvec(&request->iter, ITER_DEST, &request->vec, 1, length);
	init_sync_kiocb(&request->iocb, queue->file);
	request->iocb.ki_complete = queue_request_done;
	return queue->file->f_op->read_iter(&request->iocb, &request->iter);
}

static ssize_t queue_read_nowait(struct kunit *test, void *memory, size_t length)
{
	struct queue_test *queue = test->priv;
	struct kvec vec = { .iov_base = memory, .iov_len = length };
	struct iov_iter iter;
	struct kiocb iocb;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, length);
	init_sync_kiocb(&iocb, queue->file);
	iocb.ki_flags |= IOCB_NOWAIT;
	return queue->file->f_op->read_iter(&iocb, &iter);
}

/* The device is asked for a record. */
static struct vfio_mig_buf *queue_asked(struct kunit *test)
{
	struct queue_test *queue = test->priv;
	struct vfio_mig_buf *buf;

	KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&queue->asked, QUEUE_TIMEOUT), 0UL);
	buf = queue->buf;
	queue->buf = NULL;
	return buf;
}

static void queue_answer(struct kunit *test, u8 contents, size_t length)
{
	struct queue_test *queue = test->priv;
	struct vfio_mig_buf *buf = queue_asked(test);

	for (size_t i = 0; i < length; i++)
		vfio_mig_buf_write(buf, i, &contents, 1);
	vfio_mig_save_push(queue->st, buf, VFIO_MIG_TAG_IMAGE, 0, length);
}

static void queue_expect_result(struct kunit *test, unsigned int i, ssize_t result)
{
	struct queue_test *queue = test->priv;
	struct queue_request *request = &queue->requests[i];

	KUNIT_ASSERT_NE_MSG(test, wait_for_completion_timeout(&request->done, QUEUE_TIMEOUT), 0UL,
			    "request %u", i);
	KUNIT_EXPECT_EQ_MSG(test, request->result, result, "request %u", i);
	KUNIT_EXPECT_EQ_MSG(test, request->times, 1, "request %u", i);
	KUNIT_EXPECT_EQ_MSG(test, request->rank, i + 1, "request %u", i);
}

static void queue_enter(struct kunit *test, enum vfio_device_mig_state state)
{
	struct queue_test *queue = test->priv;
	u8 preamble[256];

	queue->file = vfio_mig_set_state(&queue->mig, state);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, queue->file);
	/* Unless the module was told to send none. */
	if (queue->st->save.end)
		KUNIT_ASSERT_EQ(test, queue_read_nowait(test, preamble, sizeof(preamble)),
				(ssize_t)(sizeof(struct vfio_mig_record_header) +
					  sizeof(struct vfio_mig_preamble)));
}

static void queue_test_fifo(struct kunit *test)
{
	struct queue_test *queue = test->priv;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	for (unsigned int i = 0; i < QUEUE_REQUESTS; i++)
		KUNIT_ASSERT_EQ(test, queue_submit(test, i, QUEUE_BYTES), -EIOCBQUEUED);
	for (unsigned int i = 0; i < QUEUE_REQUESTS; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&queue->completed), i);
		queue_answer(test, 'a' + i, 100);
		queue_expect_result(test, i, QUEUE_BYTES);
		KUNIT_EXPECT_EQ(test, queue->requests[i].memory[QUEUE_BYTES - 1], 'a' + i);
	}
}

static void queue_test_behind_requests(struct kunit *test)
{
	u8 byte;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	KUNIT_ASSERT_EQ(test, queue_submit(test, 0, QUEUE_BYTES), -EIOCBQUEUED);
	KUNIT_EXPECT_EQ(test, queue_read_nowait(test, &byte, 1), -EAGAIN);
	queue_answer(test, 'x', 100);
	queue_expect_result(test, 0, QUEUE_BYTES);
}

static void queue_test_inline(struct kunit *test)
{
	struct queue_test *queue = test->priv;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	queue_answer(test, 'x', 100);
	KUNIT_EXPECT_EQ(test, queue_submit(test, 0, QUEUE_BYTES), (ssize_t)QUEUE_BYTES);
	KUNIT_EXPECT_EQ(test, queue->requests[0].times, 0);
	KUNIT_EXPECT_EQ(test, queue->requests[0].memory[QUEUE_BYTES - 1], 'x');
}

static void queue_test_session_ends(struct kunit *test)
{
	struct queue_test *queue = test->priv;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	for (unsigned int i = 0; i < QUEUE_REQUESTS; i++)
		KUNIT_ASSERT_EQ(test, queue_submit(test, i, QUEUE_BYTES), -EIOCBQUEUED);
	KUNIT_EXPECT_NULL(test, vfio_mig_set_state(&queue->mig, VFIO_DEVICE_STATE_STOP));
	KUNIT_EXPECT_EQ(test, atomic_read(&queue->completed), QUEUE_REQUESTS);
	for (unsigned int i = 0; i < QUEUE_REQUESTS; i++)
		queue_expect_result(test, i, -ENODEV);
}

static void queue_test_reset(struct kunit *test)
{
	struct queue_test *queue = test->priv;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	KUNIT_ASSERT_EQ(test, queue_submit(test, 0, QUEUE_BYTES), -EIOCBQUEUED);
	vfio_mig_reset_prepare(&queue->mig);
	vfio_mig_reset_done(&queue->mig);
	queue_expect_result(test, 0, -ENODEV);
	KUNIT_EXPECT_EQ(test, queue_submit(test, 1, QUEUE_BYTES), -ENODEV);
}

/* The arc to STOP goes on after the reset that interrupted it, and ends before it does. */
static void queue_test_reset_in_arc(struct kunit *test)
{
	struct queue_test *queue = test->priv;
	enum vfio_device_mig_state state;

	queue->interrupt = true;
	KUNIT_EXPECT_NULL(test, vfio_mig_set_state(&queue->mig, VFIO_DEVICE_STATE_STOP));
	KUNIT_EXPECT_EQ(test, queue->level, VFIO_MIG_STOPPED);
	vfio_mig_reset_done(&queue->mig);
	vfio_mig_get_state(&queue->mig, &state);
	KUNIT_EXPECT_EQ(test, state, VFIO_DEVICE_STATE_RUNNING);
	KUNIT_EXPECT_EQ(test, queue->level, VFIO_MIG_RUNNING);
}

static void queue_test_device_fails(struct kunit *test)
{
	struct queue_test *queue = test->priv;
	struct vfio_mig_buf *buf;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	for (unsigned int i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, queue_submit(test, i, QUEUE_BYTES), -EIOCBQUEUED);
	buf = queue_asked(test);
	vfio_mig_save_fail(queue->st, buf, -ETIMEDOUT);
	for (unsigned int i = 0; i < 2; i++)
		queue_expect_result(test, i, -ETIMEDOUT);
}

static void queue_test_idle(struct kunit *test)
{
	struct queue_test *queue = test->priv;
	u8 byte;

	queue_enter(test, VFIO_DEVICE_STATE_PRE_COPY);
	KUNIT_ASSERT_EQ(test, queue_submit(test, 0, QUEUE_BYTES), -EIOCBQUEUED);
	vfio_mig_save_idle(queue->st, queue_asked(test));
	queue_expect_result(test, 0, -ENOMSG);
	KUNIT_EXPECT_EQ(test, queue_read_nowait(test, &byte, 1), -ENOMSG);
	vfio_mig_save_more(queue->st);
	KUNIT_ASSERT_EQ(test, queue_submit(test, 1, QUEUE_BYTES), -EIOCBQUEUED);
	queue_answer(test, 'y', 100);
	queue_expect_result(test, 1, QUEUE_BYTES);
}

static void queue_test_end_of_data(struct kunit *test)
{
	struct queue_test *queue = test->priv;
	size_t end = sizeof(struct vfio_mig_record_header) + sizeof(struct vfio_mig_end);

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	for (unsigned int i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, queue_submit(test, i, end), -EIOCBQUEUED);
	vfio_mig_save_eof(queue->st, queue_asked(test));
	queue_expect_result(test, 0, queue->st->save.end ? end : 0);
	queue_expect_result(test, 1, 0);
}

/* The device fills the memory of the request itself. */
static void queue_test_direct(struct kunit *test)
{
	const size_t bytes = sizeof(struct vfio_mig_record_header) + QUEUE_RECORD;
	struct queue_test *queue = test->priv;
	struct vfio_mig_buf *buf;

	queue_enter(test, VFIO_DEVICE_STATE_STOP_COPY);
	/* The first record was asked for before there was a request. */
	KUNIT_ASSERT_EQ(test, queue_submit(test, 0, bytes), -EIOCBQUEUED);
	KUNIT_ASSERT_EQ(test, queue_submit(test, 1, bytes), -EIOCBQUEUED);
	queue_answer(test, 'a', QUEUE_RECORD);
	queue_expect_result(test, 0, bytes);
	buf = queue_asked(test);
	KUNIT_EXPECT_PTR_EQ(test, buf->pages[0],
			    virt_to_page(queue->requests[1].memory +
					 sizeof(struct vfio_mig_record_header)));
	vfio_mig_buf_write(buf, 0, "direct", 6);
	vfio_mig_save_push(queue->st, buf, VFIO_MIG_TAG_IMAGE, 0, 6);
	queue_expect_result(test, 1, sizeof(struct vfio_mig_record_header) + 6);
	KUNIT_EXPECT_MEMEQ(test, queue->requests[1].memory +
			   sizeof(struct vfio_mig_record_header), "direct", 6);
	KUNIT_EXPECT_EQ(test, queue->st->direct, 6ULL);
}

static int queue_test_init(struct kunit *test)
{
	struct queue_test *queue = kunit_kzalloc(test, sizeof(*queue), GFP_KERNEL);
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, queue);
	dev = kunit_device_register(test, "vfio-mig-queue-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	queue->vdev.dev = dev;
	queue->vdev.ops = &queue_device_ops;
	queue->vdev.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
				      VFIO_MIGRATION_PRE_COPY;
	init_completion(&queue->asked);
	test->priv = queue;
	return vfio_mig_init(&queue->mig, &queue->vdev, &queue_ops);
}

static void queue_test_exit(struct kunit *test)
{
	struct queue_test *queue = test->priv;

	vfio_mig_close(&queue->mig);
	if (!IS_ERR_OR_NULL(queue->file))
		fput(queue->file);
	vfio_mig_fini(&queue->mig);
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(queue_test_fifo),
	KUNIT_CASE(queue_test_behind_requests),
	KUNIT_CASE(queue_test_inline),
	KUNIT_CASE(queue_test_session_ends),
	KUNIT_CASE(queue_test_reset),
	KUNIT_CASE(queue_test_reset_in_arc),
	KUNIT_CASE(queue_test_device_fails),
	KUNIT_CASE(queue_test_idle),
	KUNIT_CASE(queue_test_end_of_data),
	KUNIT_CASE(queue_test_direct),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "vfio-mig-queue",
	.init = queue_test_init,
	.exit = queue_test_exit,
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);

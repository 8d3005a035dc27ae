// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data FD and pipes: the same stream without a copy. What a pipe holds stays as it
 * is, whatever becomes of the session that it came from.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "harness.h"
#include "saving.h"
#include "worker.h"

FIXTURE(splice)
{
	struct saving saving;
	struct blob blob;
	int pipe[2];
};

FIXTURE_VARIANT(splice)
{
	unsigned int prefetch;
};

FIXTURE_VARIANT_ADD(splice, eager) { .prefetch = 1 };
FIXTURE_VARIANT_ADD(splice, lazy) { .prefetch = 0 };

FIXTURE_SETUP(splice)
{
	struct saving_config config = small_saving;

	config.prefetch = variant->prefetch;
	saving_open(&self->saving, &config);
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN_PARENT(splice)
{
	saving_teardown(_metadata->exit_code);
}

static void drain_pipe(int pipe, struct blob *blob, size_t length)
{
	static char piece[65536];

	while (length) {
		size_t now = length < sizeof(piece) ? length : sizeof(piece);
		ssize_t done = read(pipe, piece, now);

		if (done <= 0)
			fail("%zu bytes are not in the pipe", length);
		blob_append(blob, piece, done);
		length -= done;
	}
}

/* Through the pipe into @blob, to the end. */
static int splice_all(int fd, const int *pipe, struct blob *blob, size_t piece)
{
	ssize_t done;

	while ((done = splice(fd, NULL, pipe[1], NULL, piece, 0)) > 0) {
		if (done > piece)
			return -EIO;
		drain_pipe(pipe[0], blob, done);
	}
	return done < 0 ? -errno : 0;
}

TEST_F_TIMEOUT(splice, sizes, 60)
{
	static const struct {
		int pipe;
		size_t piece;
	} sizes[] = {
		{ 4096, 4096 }, { 4096, MIB }, { 65536, 10001 }, { 65536, MIB }, { MIB, 131072 },
		{ MIB, 4 * MIB },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_LE(sizes[i].pipe, fcntl(self->pipe[1], F_SETPIPE_SZ, sizes[i].pipe));
		self->blob.length = 0;
		EXPECT_EQ(0, splice_all(self->saving.fd, self->pipe, &self->blob,
					sizes[i].piece));
		EXPECT_TRUE(saving_is_good(&self->saving, &self->blob))
			TH_LOG("pieces of %zu through a pipe of %d", sizes[i].piece,
			       sizes[i].pipe);
		saving_restart(&self->saving);
	}
}

/* Between reads, less than a header at a time and across the edges of records. */
TEST_F(splice, among_reads)
{
	static char piece[5000];
	ssize_t done = 1;
	unsigned int i;

	for (i = 0; done > 0; i++) {
		size_t now = i < 200 ? 1 + i % 17 : 1 + i * 997 % sizeof(piece);

		if (i & 1) {
			done = splice(self->saving.fd, NULL, self->pipe[1], NULL, now, 0);
			if (done > 0)
				drain_pipe(self->pipe[0], &self->blob, done);
		} else {
			done = read(self->saving.fd, piece, now);
			if (done > 0)
				blob_append(&self->blob, piece, done);
		}
		ASSERT_GE((ssize_t)now, done);
	}
	EXPECT_EQ(0, done);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

TEST_F(splice, to_memfd)
{
	int memfd = memfd_create("state", MFD_CLOEXEC);
	ssize_t done, moved;

	ASSERT_LE(0, memfd);
	while ((done = splice(self->saving.fd, NULL, self->pipe[1], NULL, MIB, 0)) > 0)
		for (; done; done -= moved) {
			moved = splice(self->pipe[0], NULL, memfd, NULL, done, 0);
			ASSERT_LT(0, moved);
		}
	ASSERT_EQ(0, done);
	ASSERT_EQ(0, lseek(memfd, 0, SEEK_SET));
	stream_read(memfd, &self->blob, MIB);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

struct receiver {
	int fd;
	struct blob *blob;
};

static long receive(void *argument)
{
	struct receiver *receiver = argument;

	return __stream_read(receiver->fd, receiver->blob, MIB);
}

TEST_F(splice, to_socket)
{
	struct receiver receiver = { .blob = &self->blob };
	struct worker worker;
	ssize_t done, moved;
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	receiver.fd = ends[1];
	worker_start(&worker, receive, &receiver);
	while ((done = splice(self->saving.fd, NULL, self->pipe[1], NULL, MIB, 0)) > 0)
		for (; done; done -= moved) {
			moved = splice(self->pipe[0], NULL, ends[0], NULL, done, 0);
			ASSERT_LT(0, moved);
		}
	EXPECT_EQ(0, done);
	close(ends[0]);
	worker_join(&worker, LATER);
	EXPECT_EQ(0, worker.result);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

TEST_F(splice, tee)
{
	struct blob second = { 0 };
	ssize_t done;
	int other[2];

	ASSERT_EQ(0, pipe(other));
	while ((done = splice(self->saving.fd, NULL, self->pipe[1], NULL, 50000, 0)) > 0) {
		/* what the first pipe loses, the second still has */
		ASSERT_EQ(done, tee(self->pipe[0], other[1], done, 0));
		drain_pipe(self->pipe[0], &self->blob, done);
		drain_pipe(other[0], &second, done);
	}
	EXPECT_EQ(0, done);
	ASSERT_EQ(self->blob.length, second.length);
	EXPECT_EQ(0, memcmp(self->blob.data, second.data, second.length));
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

/* Fills the pipe with the beginning of the stream; how much that is. */
static size_t hold(struct saving *saving, const int *pipe)
{
	size_t held = 0;
	ssize_t done;

	if (fcntl(pipe[1], F_SETPIPE_SZ, MIB) < 0)
		fail("no large pipe");
	while (held < 150000) {
		done = splice(saving->fd, NULL, pipe[1], NULL, 150000 - held, 0);
		if (done <= 0)
			fail("splice: %s", strerror(errno));
		held += done;
	}
	return held;
}

/* The device fills the rest while a pipe holds the beginning. */
TEST_F(splice, held_while_session_goes_on)
{
	struct blob rest = { 0 };
	size_t held = hold(&self->saving, self->pipe);

	stream_read(self->saving.fd, &rest, MIB);
	drain_pipe(self->pipe[0], &self->blob, held);
	blob_append(&self->blob, rest.data, rest.length);
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

static void expect_held(struct __test_metadata *_metadata, struct saving *saving,
			const int *pipe, struct blob *blob, size_t held)
{
	drain_pipe(pipe[0], blob, held);
	EXPECT_TRUE(saving_fits(saving, blob->data, held, 0));
}

/* Another session, of another state, needs memory as well. */
TEST_F(splice, held_across_sessions)
{
	struct vfio_device *source = self->saving.source;
	size_t held = hold(&self->saving, self->pipe);
	struct blob other = { 0 };

	mig_set_state(source, STATE_STOP, NULL);
	sim_bulk_fill(source->address, self->saving.config.size, 1234);
	mig_save(source, &other, MIB);
	expect_held(_metadata, &self->saving, self->pipe, &self->blob, held);
}

TEST_F(splice, held_after_close)
{
	size_t held = hold(&self->saving, self->pipe);

	close(self->saving.fd);
	vfio_close(self->saving.source);
	sim_bind(self->saving.source->address, NULL);
	expect_held(_metadata, &self->saving, self->pipe, &self->blob, held);
}

/* The CPU copies no image. */
TEST_F(splice, nothing_is_copied)
{
	struct saving *saving = &self->saving;
	uint64_t images = saving_image_bytes(&saving->good);
	uint64_t copied = saving_counter(saving, "bytes_copied");
	uint64_t spliced = saving_counter(saving, "bytes_spliced");

	EXPECT_EQ(0, splice_all(saving->fd, self->pipe, &self->blob, 65536));
	mig_set_state(saving->source, STATE_STOP, NULL);
	copied = saving_counter(saving, "bytes_copied") - copied;
	spliced = saving_counter(saving, "bytes_spliced") - spliced;
	EXPECT_LE(images, spliced);
	EXPECT_GE(saving->good.length - images, copied);
}

TEST_F(splice, session_over)
{
	int fd = mig_begin(self->saving.target, STATE_RESUMING);

	ASSERT_EQ(4, write(self->pipe[1], "data", 4));
	mig_set_state(self->saving.source, STATE_STOP, NULL);
	vfio_reset(self->saving.target);
	EXPECT_EQ(-1, splice(self->saving.fd, NULL, self->pipe[1], NULL, 100, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, splice(self->pipe[0], NULL, fd, NULL, 4, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(splice, no_position_and_wrong_direction)
{
	int fd = mig_begin(self->saving.target, STATE_RESUMING);
	loff_t offset = 0;

	ASSERT_EQ(4, write(self->pipe[1], "data", 4));
	EXPECT_EQ(-1, splice(self->saving.fd, &offset, self->pipe[1], NULL, 100, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, splice(self->pipe[0], NULL, fd, &offset, 4, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, splice(fd, NULL, self->pipe[1], NULL, 100, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, splice(self->pipe[0], NULL, self->saving.fd, NULL, 4, 0));
	EXPECT_EQ(EBADF, errno);
}

/* A full pipe takes nothing, and nothing is lost. */
TEST_F(splice, full_pipe)
{
	size_t held = 0;
	ssize_t done;

	ASSERT_LE(4096, fcntl(self->pipe[1], F_SETPIPE_SZ, 4096));
	ASSERT_EQ(0, fcntl(self->pipe[1], F_SETFL, O_NONBLOCK));
	while ((done = splice(self->saving.fd, NULL, self->pipe[1], NULL, 100, 0)) > 0)
		held += done;
	EXPECT_EQ(-1, done);
	EXPECT_EQ(EAGAIN, errno);
	drain_pipe(self->pipe[0], &self->blob, held);
	ASSERT_EQ(0, fcntl(self->pipe[1], F_SETFL, 0));
	EXPECT_EQ(0, splice_all(self->saving.fd, self->pipe, &self->blob, MIB));
	EXPECT_TRUE(saving_is_good(&self->saving, &self->blob));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}

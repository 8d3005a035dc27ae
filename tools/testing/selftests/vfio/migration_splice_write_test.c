// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pipes into the data FD of RESUMING: what a pipe brings is a stream like any other.
 */
#include <errno.h>
#include <fcntl.h>

#include "harness.h"
#include "saving.h"

FIXTURE(splice_write)
{
	struct saving saving;
	struct blob blob;
	int pipe[2];
	int fd;
};

FIXTURE_SETUP(splice_write)
{
	saving_open(&self->saving, &small_saving);
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_LT(0, fcntl(self->pipe[1], F_SETPIPE_SZ, MIB));
	self->fd = mig_begin(self->saving.target, STATE_RESUMING);
}

FIXTURE_TEARDOWN_PARENT(splice_write)
{
	saving_teardown(_metadata->exit_code);
}

/* From memory through the pipe into the data FD, so much at a time. */
static int splice_stream(int fd, const int *pipe, const struct blob *blob, size_t piece)
{
	size_t at = 0, held = 0;
	ssize_t done;

	while (at < blob->length || held) {
		if (!held) {
			held = blob->length - at < piece ? blob->length - at : piece;
			if (write(pipe[1], blob->data + at, held) != held)
				return -EPIPE;
			at += held;
		}
		done = splice(pipe[0], NULL, fd, NULL, held, 0);
		if (done <= 0 || done > held)
			return done < 0 ? -errno : -EIO;
		held -= done;
	}
	return 0;
}

TEST_F_TIMEOUT(splice_write, sizes, 60)
{
	static const size_t pieces[] = { 999, 4096, 65536, 500000 };
	struct vfio_device *target = self->saving.target;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		EXPECT_EQ(0, splice_stream(self->fd, self->pipe, &self->saving.good, pieces[i]));
		EXPECT_EQ(0, __mig_set_state(target, STATE_STOP, NULL));
		EXPECT_TRUE(saving_arrived(&self->saving))
			TH_LOG("pieces of %zu", pieces[i]);
		close(self->fd);
		vfio_reset(target);
		self->fd = mig_begin(target, STATE_RESUMING);
	}
}

/* All the way: the pages of one device's session are what the other one's reads. */
TEST_F(splice_write, from_session_to_session)
{
	ssize_t done, moved;

	while ((done = splice(self->saving.fd, NULL, self->pipe[1], NULL, MIB, 0)) > 0)
		for (; done; done -= moved) {
			moved = splice(self->pipe[0], NULL, self->fd, NULL, done, 0);
			ASSERT_LT(0, moved);
		}
	EXPECT_EQ(0, done);
	EXPECT_EQ(0, __mig_set_state(self->saving.target, STATE_STOP, NULL));
	EXPECT_TRUE(saving_arrived(&self->saving));
}

TEST_F(splice_write, refused)
{
	long image = blob_find_image(&self->saving.good, 0);
	struct blob blob;

	blob_copy(&blob, &self->saving.good);
	memset(blob.data + image + 8, 0xff, 4);
	EXPECT_EQ(-EBADMSG, splice_stream(self->fd, self->pipe, &blob, 65536));
	vfio_reset(self->saving.target);
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/<pid>/fdinfo tells about a data FD, from its first byte until long after its
 * session: numbers that are exact, and the reason why a stream was refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "harness.h"
#include "file.h"
#include "memory.h"
#include "saving.h"

FIXTURE(fdinfo)
{
	struct saving saving;
	struct vfio_device *target;
	struct blob *good;
	struct blob blob;
	int source_fd;
	int target_fd;
};

FIXTURE_SETUP(fdinfo)
{
	saving_open(&self->saving, &small_saving);
	self->target = self->saving.target;
	self->good = &self->saving.good;
	self->source_fd = self->saving.fd;
	self->target_fd = mig_begin(self->target, STATE_RESUMING);
}

FIXTURE_TEARDOWN_PARENT(fdinfo)
{
	saving_teardown(_metadata->exit_code);
}

/* The value of a line, which must be there exactly once. Good until the next call. */
static const char *field(int fd, const char *name)
{
	static char info[4096], value[256];
	char key[64], *line, *next;
	unsigned int found = 0;

	snprintf(key, sizeof(key), "vfio-mig-%s:\t", name);
	file_read(path("/proc/self/fdinfo/%d", fd), info, sizeof(info));
	for (line = info; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (strncmp(line, key, strlen(key)))
			continue;
		snprintf(value, sizeof(value), "%s", line + strlen(key));
		found++;
	}
	if (found != 1)
		fail("%u lines of %s", found, name);
	return value;
}

static long long number(int fd, const char *name)
{
	const char *text = field(fd, name);
	char *end;
	long long value = strtoll(text, &end, 10);

	if (end == text || *end)
		fail("%s: not numeric: %s", name, text);
	return value;
}

static void expect_no_error(struct __test_metadata *_metadata, int fd)
{
	EXPECT_EQ(0, number(fd, "error"));
	EXPECT_STREQ("none", field(fd, "reason"));
}

static void read_exactly(int fd, struct blob *blob, size_t length)
{
	while (length) {
		char piece[5000];
		ssize_t done = read(fd, piece, length < sizeof(piece) ? length : sizeof(piece));

		if (done <= 0)
			fail("read: %s", strerror(errno));
		blob_append(blob, piece, done);
		length -= done;
	}
}

TEST_F(fdinfo, saving)
{
	static const size_t steps[] = { 1, 15, 100, 65536, 100000 };
	int fd = self->source_fd;
	long long before;
	unsigned int i;

	EXPECT_STREQ("stop-copy", field(fd, "mode"));
	EXPECT_STREQ("active", field(fd, "state"));
	EXPECT_EQ(0, number(fd, "bytes"));
	EXPECT_LE(self->good->length, number(fd, "bytes-left"));
	expect_no_error(_metadata, fd);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		before = number(fd, "bytes-left");
		read_exactly(fd, &self->blob, steps[i]);
		EXPECT_EQ(self->blob.length, number(fd, "bytes"));
		EXPECT_EQ(before - (long long)steps[i], number(fd, "bytes-left"));
		EXPECT_STREQ("active", field(fd, "state"));
	}
	stream_read(fd, &self->blob, MIB);
	EXPECT_EQ(self->blob.length, number(fd, "bytes"));
	EXPECT_EQ(0, number(fd, "bytes-left"));
	EXPECT_STREQ("complete", field(fd, "state"));
	EXPECT_LT(0, number(fd, "rate"));
	expect_no_error(_metadata, fd);
	EXPECT_EQ(self->good->length, self->blob.length);
	EXPECT_TRUE(saving_fits(&self->saving, self->blob.data, self->blob.length, 0));
}

/* The session is over, the numbers stay. */
TEST_F(fdinfo, saving_over)
{
	int fd = self->source_fd;

	read_exactly(fd, &self->blob, 77777);
	mig_set_state(self->saving.source, STATE_STOP, NULL);
	EXPECT_STREQ("ended", field(fd, "state"));
	EXPECT_STREQ("stop-copy", field(fd, "mode"));
	EXPECT_EQ(77777, number(fd, "bytes"));
	EXPECT_EQ(-ENODEV, number(fd, "error"));
	EXPECT_LE(0, number(fd, "rate"));
	vfio_close(self->saving.source);
	sim_bind(self->saving.source->address, NULL);
	EXPECT_STREQ("ended", field(fd, "state"));
	EXPECT_EQ(77777, number(fd, "bytes"));
}

/* Bytes count for whoever got them, and only then. */
TEST_F(fdinfo, fault_counts_nothing)
{
	void *nothing = memory_edge(4096);

	EXPECT_EQ(-1, read(self->source_fd, nothing, 100));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, number(self->source_fd, "bytes"));
	EXPECT_EQ(-1, write(self->target_fd, nothing, 100));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, number(self->target_fd, "bytes"));
}

TEST_F(fdinfo, splice_counts)
{
	size_t sum = 0;
	ssize_t done;
	int pipe[2];

	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	while (sum < 50000) {
		char piece[10000];

		done = splice(self->source_fd, NULL, pipe[1], NULL, sizeof(piece), 0);
		ASSERT_LT(0, done);
		sum += done;
		ASSERT_EQ(done, read(pipe[0], piece, done));
		EXPECT_EQ(sum, number(self->source_fd, "bytes"));
	}
}

TEST_F(fdinfo, loading)
{
	static const size_t steps[] = { 1, 15, 100, 65536, 100000 };
	int fd = self->target_fd;
	size_t at = 0;
	unsigned int i;

	EXPECT_STREQ("resuming", field(fd, "mode"));
	EXPECT_STREQ("active", field(fd, "state"));
	EXPECT_EQ(0, number(fd, "bytes"));
	expect_no_error(_metadata, fd);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		stream_write(fd, self->good->data + at, steps[i], MIB);
		at += steps[i];
		EXPECT_EQ(at, number(fd, "bytes"));
		field(fd, "bytes-left");
	}
	stream_write(fd, self->good->data + at, self->good->length - at, MIB);
	EXPECT_EQ(self->good->length, number(fd, "bytes"));
	EXPECT_LT(0, number(fd, "rate"));
	expect_no_error(_metadata, fd);
	mig_set_state(self->target, STATE_STOP, NULL);
	EXPECT_STREQ("ended", field(fd, "state"));
	EXPECT_STREQ("resuming", field(fd, "mode"));
	EXPECT_EQ(self->good->length, number(fd, "bytes"));
	EXPECT_EQ(-ENODEV, number(fd, "error"));
	EXPECT_TRUE(saving_arrived(&self->saving));
}

TEST_F(fdinfo, loading_fails)
{
	static const char junk[16] = { [8] = 0xff };

	stream_write(self->target_fd, self->good->data, 10, MIB);
	/* what follows the first 8 bytes are flags that nobody has defined */
	EXPECT_EQ(-EBADMSG, __stream_write(self->target_fd, junk + 8, 6, MIB));
	EXPECT_STREQ("failed", field(self->target_fd, "state"));
	EXPECT_EQ(-EBADMSG, number(self->target_fd, "error"));
	EXPECT_STRNE("", field(self->target_fd, "reason"));
	vfio_reset(self->target);
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

/* A stream that begins with the preamble of some other device is refused there. */
TEST_F(fdinfo, wrong_device)
{
	struct vfio_mig_preamble *preamble;
	struct vfio_mig_record_header *header;
	struct blob blob;

	blob_copy(&blob, self->good);
	header = (void *)blob.data;
	ASSERT_EQ(VFIO_MIG_TAG_PREAMBLE, le32toh(header->tag));
	preamble = (void *)(header + 1);
	preamble->device = htole16(le16toh(preamble->device) ^ 1);
	EXPECT_EQ(-EOPNOTSUPP, __stream_write(self->target_fd, blob.data, blob.length, 4096));
	EXPECT_EQ(-EOPNOTSUPP, number(self->target_fd, "error"));
	EXPECT_STRNE("none", field(self->target_fd, "reason"));
	EXPECT_LT(0, strlen(field(self->target_fd, "reason")));
	vfio_reset(self->target);
	EXPECT_TRUE(saving_devices_work(&self->saving));
}

/* Nobody is kept waiting, and a session that ends meanwhile harms nothing. */
TEST_F(fdinfo, during_the_end)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child) {
			unsigned int turn;

			for (turn = 0; turn < 50; turn++)
				field(self->source_fd, "state");
			_exit(0);
		}
		saving_restart(&self->saving);
		self->source_fd = self->saving.fd;
		ASSERT_TRUE(wait_until(waitpid(child, NULL, WNOHANG) == child, LATER));
	}
	EXPECT_STREQ("active", field(self->source_fd, "state"));
}

int main(int argc, char **argv)
{
	saving_prepare();
	return test_harness_run(argc, argv);
}

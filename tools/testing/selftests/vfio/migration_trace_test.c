// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the library tells of its work: trace events, and the files of a device in
 * debugfs. The kernel log is not for that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "file.h"
#include "module.h"
#include "ring.h"
#include "saving.h"
#include "trace.h"

#define BULK_SIZE	(300 << 10)
#define PIECE		(64 << 10)

FIXTURE(trace)
{
	struct pair pair;
	struct vfio_device *dev;
	struct trace trace;
};

FIXTURE_SETUP(trace)
{
	struct sim_config config = our_pair;

	module_load("vfio_mig", NULL);
	if (!trace_exists())
		SKIP(return, "needs tracefs with instances");
	config.chunk_size = PIECE;
	pair_open(&self->pair, &config);
	self->dev = &self->pair.source;
	sim_bulk_fill(self->dev->address, BULK_SIZE, 9);
	trace_open(&self->trace);
}

FIXTURE_TEARDOWN_PARENT(trace)
{
	trace_close();
	saving_teardown(_metadata->exit_code);
}

static const char *debug_file(struct vfio_device *dev, const char *name)
{
	return path("/sys/kernel/debug/vfio-mig/%s/%s", dev->address, name);
}

static const char *debug_text(struct vfio_device *dev, const char *name)
{
	static char text[8000];

	file_read(debug_file(dev, name), text, sizeof(text));
	return text;
}

static uint64_t debug_number(struct vfio_device *dev, const char *name)
{
	return file_read_number(debug_file(dev, name));
}

static void expect_arc(struct __test_metadata *_metadata, struct trace *trace,
		       const char *address, const char *arc, const char *op, int result)
{
	const char *end;

	EXPECT_NE(NULL, trace_find(trace, "vfio_mig_arc_begin", "%s: %s", address, arc))
		TH_LOG("%s did not begin", arc);
	EXPECT_NE(NULL, trace_find(trace, "vfio_mig_op", "%s: %s result=%d", address, op, result))
		TH_LOG("%s: no %s with result %d", arc, op, result);
	end = trace_find(trace, "vfio_mig_arc_end", "%s: %s result=%d ns=", address, arc, result);
	ASSERT_NE(NULL, end)
		TH_LOG("%s did not end with %d", arc, result);
	EXPECT_LT(0, strtoull(strstr(end, "ns=") + 3, NULL, 10));
}

TEST_F(trace, arcs)
{
	const char *address = self->dev->address;

	mig_set_state(self->dev, STATE_STOP, NULL);
	mig_set_state(self->dev, STATE_RUNNING, NULL);
	trace_read(&self->trace);
	expect_arc(_metadata, &self->trace, address, "RUNNING -> RUNNING_P2P", "suspend", 0);
	expect_arc(_metadata, &self->trace, address, "RUNNING_P2P -> STOP", "suspend", 0);
	expect_arc(_metadata, &self->trace, address, "STOP -> RUNNING_P2P", "resume", 0);
	expect_arc(_metadata, &self->trace, address, "RUNNING_P2P -> RUNNING", "resume", 0);
	EXPECT_EQ(4, trace_count(&self->trace, "vfio_mig_arc_begin", address));
	EXPECT_EQ(4, trace_count(&self->trace, "vfio_mig_arc_end", address));
}

/* A failure says what failed, on which way, and what the device said. */
TEST_F(trace, failure)
{
	uint64_t errors = debug_number(self->dev, "errors");
	uint64_t syndrome;

	sim_fail(&self->pair.sim, SIM_SUSPEND_VHCA, SIM_STATUS_INTERNAL, 1);
	EXPECT_EQ(-EIO, __mig_set_state(self->dev, STATE_STOP, NULL));
	trace_read(&self->trace);
	expect_arc(_metadata, &self->trace, self->dev->address, "RUNNING -> RUNNING_P2P",
		   "suspend", -EIO);
	EXPECT_STREQ("-5 RUNNING -> STOP", debug_text(self->dev, "last_error"));
	EXPECT_EQ(errors + 1, debug_number(self->dev, "errors"));
	syndrome = debug_number(self->dev, "last_syndrome");
	EXPECT_NE(0, syndrome);
	EXPECT_EQ(1, trace_count(&self->trace, "vfio_mig_syndrome",
				 path("syndrome=0x%llx", (unsigned long long)syndrome)));
}

/* What went wrong with a stream is there in words. */
TEST_F(trace, reason)
{
	struct blob blob = { 0 };
	int fd = mig_begin(self->dev, STATE_RESUMING);
	const char *text;

	blob_header(&blob, 8, 0, 0x7fffffff);
	EXPECT_EQ(-EOPNOTSUPP, __stream_write(fd, blob.data, blob.length, PIECE));
	vfio_reset(self->dev);
	close(fd);
	text = debug_text(self->dev, "last_error");
	EXPECT_EQ(text, strstr(text, "-95 RESUMING -> RESUMING"))
		TH_LOG("%s", text);
}

static const char *tag_name(uint32_t tag)
{
	switch (tag) {
	case VFIO_MIG_TAG_IMAGE: return "image";
	case VFIO_MIG_TAG_STOP_COPY_SIZE: return "size";
	case VFIO_MIG_TAG_PREAMBLE: return "preamble";
	case VFIO_MIG_TAG_CHECKSUM: return "checksum";
	case VFIO_MIG_TAG_END: return "end";
	default: return path("0x%x", tag);
	}
}

/* Each record of the stream has its event, in order. Returns bytes of payload. */
static uint64_t expect_records(struct __test_metadata *_metadata, struct trace *trace,
			       const char *address, const struct blob *blob)
{
	struct vfio_mig_record_header header;
	uint64_t payload = 0;
	size_t at;

	for (at = 0; at < blob->length; at += sizeof(header) + le64toh(header.size)) {
		unsigned long long size;

		memcpy(&header, blob->data + at, sizeof(header));
		size = le64toh(header.size);
		EXPECT_NE(NULL, trace_find(trace, "vfio_mig_record",
					   "%s: saving tag=%s length=%llu copied", address,
					   tag_name(le32toh(header.tag)), size))
			TH_LOG("at %zu, %llu bytes", at, size);
		payload += size;
	}
	return payload;
}

TEST_F(trace, session)
{
	struct vfio_device *from = self->dev, *to = &self->pair.target;
	uint64_t copied = debug_number(from, "bytes_copied");
	uint64_t saved = debug_number(from, "bytes_saved");
	uint64_t loaded = debug_number(to, "bytes_loaded");
	struct trace *trace = &self->trace;
	struct blob blob = { 0 };
	unsigned long long length;
	long at;

	mig_save(from, &blob, 4096);
	mig_load(to, &blob, 4096);
	length = blob.length;
	trace_read(trace);
	EXPECT_NE(NULL, trace_find(trace, "vfio_mig_session_begin", "%s: stop-copy",
				   from->address));
	EXPECT_EQ(copied + expect_records(_metadata, trace, from->address, &blob),
		  debug_number(from, "bytes_copied"));
	EXPECT_NE(NULL, trace_find(trace, "vfio_mig_session_end",
				   "%s: stop-copy status=0 bytes=%llu", from->address, length));
	EXPECT_NE(NULL, trace_find(trace, "vfio_mig_session_begin", "%s: resuming", to->address));
	for (at = blob_find_image(&blob, 0); at >= 0; at = blob_find_image(&blob, at + 1))
		EXPECT_NE(NULL, trace_find(trace, "vfio_mig_record",
					   "%s: loading tag=image length=%lu loaded", to->address,
					   blob_record_size(&blob, at)));
	EXPECT_NE(NULL, trace_find(trace, "vfio_mig_session_end", "%s: resuming", to->address));
	EXPECT_EQ(2, trace_count(trace, "vfio_mig_session_end", path(" bytes=%llu", length)));
	EXPECT_EQ(saved + length, debug_number(from, "bytes_saved"));
	EXPECT_EQ(loaded + length, debug_number(to, "bytes_loaded"));
}

/* Requests that wait are seen coming and going. */
TEST_F(trace, requests)
{
	struct ring_result results[2];
	static char memory[2 * PIECE];
	struct ring ring;
	unsigned int i;
	int fd;

	saving_set_parameter("prefetch", 0);
	fd = mig_begin(self->dev, STATE_STOP_COPY);
	ring_open(&ring, 0);
	for (i = 0; i < 2; i++)
		ring_read(&ring, fd, memory + i * PIECE, PIECE, i);
	ring_submit(&ring);
	ring_wait(&ring, results, 2, LATER);
	ring_close(&ring);
	mig_set_state(self->dev, STATE_STOP, NULL);
	close(fd);
	trace_read(&self->trace);
	EXPECT_LE(1, trace_count(&self->trace, "vfio_mig_request_queued",
				 path("length=%u", PIECE)));
	EXPECT_LE(1, trace_count(&self->trace, "vfio_mig_request_completed",
				 path("result=%d waited_ns=", ring_result_of(results, 2, 1))));
	EXPECT_EQ(trace_count(&self->trace, "vfio_mig_request_queued", ""),
		  trace_count(&self->trace, "vfio_mig_request_completed", ""));
}

/**
 * struct arc_times - a line of the file "arcs"
 * @count: number of arcs
 * @total: microseconds
 * @longest: microseconds
 * @in_buckets: number of arcs in all buckets
 */
struct arc_times {
	unsigned long long count;
	unsigned long long total;
	unsigned long long longest;
	unsigned long long in_buckets;
};

/* An arc that has not happened has no line. */
static void read_times(struct vfio_device *dev, const char *arc, struct arc_times *times)
{
	char text[8200], *line, *end, *bucket;

	memset(times, 0, sizeof(*times));
	snprintf(text, sizeof(text), "\n%s\n", debug_text(dev, "arcs"));
	line = strstr(text, path("\n%s count=", arc));
	if (!line)
		return;
	end = strchr(line + 1, '\n');
	*end = 0;
	if (sscanf(strstr(line, "count="), "count=%llu total=%llu max=%llu", &times->count,
		   &times->total, &times->longest) != 3)
		fail("no numbers in: %s", line + 1);
	for (bucket = strchr(line, ':'); bucket; bucket = strchr(bucket + 1, ':'))
		times->in_buckets += strtoull(bucket + 1, NULL, 10);
}

TEST_F(trace, arc_times)
{
	static const char * const arcs[] = {
		"STOP -> STOP_COPY", "STOP_COPY -> STOP", "STOP -> RESUMING",
	};
	struct arc_times before[3], after;
	unsigned int i;

	mig_set_state(self->dev, STATE_STOP, NULL);
	for (i = 0; i < 3; i++)
		read_times(self->dev, arcs[i], &before[i]);
	for (i = 0; i < 5; i++) {
		mig_set_state(self->dev, STATE_STOP_COPY, NULL);
		mig_set_state(self->dev, STATE_STOP, NULL);
	}
	for (i = 0; i < 3; i++) {
		read_times(self->dev, arcs[i], &after);
		EXPECT_EQ(before[i].count + (i == 2 ? 0 : 5), after.count)
			TH_LOG("%s", arcs[i]);
		EXPECT_EQ(after.count, after.in_buckets);
		EXPECT_LE(after.longest, after.total);
		EXPECT_LE(before[i].total, after.total);
		EXPECT_LE(after.total, after.count * (after.longest + 1));
	}
}

TEST_F(trace, open_session)
{
	char byte;
	int fd;

	EXPECT_STREQ("none", debug_text(self->dev, "session"));
	fd = mig_begin(self->dev, STATE_STOP_COPY);
	EXPECT_STREQ("stop-copy bytes=0 queued=0", debug_text(self->dev, "session"));
	EXPECT_EQ(1, read(fd, &byte, 1));
	EXPECT_STREQ("stop-copy bytes=1 queued=0", debug_text(self->dev, "session"));
	mig_set_state(self->dev, STATE_STOP, NULL);
	EXPECT_STREQ("none", debug_text(self->dev, "session"));
	close(fd);
}

/* Nothing that users do, right or wrong, shows in the kernel log. */
TEST_F(trace, log_stays_quiet)
{
	static const char * const names[] = { "vfio-mig", "vfio_mig" };
	char garbage[64], line[200] = "";
	unsigned int i;
	int fd, log;

	for (i = 0; i < 2; i++) {
		log = kmsg_open();
		memset(garbage, 0xff, sizeof(garbage));
		EXPECT_EQ(-EINVAL, __mig_set_state(self->dev, STATE_ERROR, NULL));
		sim_fail(&self->pair.sim, SIM_SUSPEND_VHCA, SIM_STATUS_INTERNAL, 1);
		EXPECT_EQ(-EIO, __mig_set_state(self->dev, STATE_STOP, NULL));
		fd = mig_begin(self->dev, STATE_RESUMING);
		EXPECT_EQ(-1, write(fd, garbage, sizeof(garbage)));
		EXPECT_GT(0, __mig_set_state(self->dev, STATE_STOP, NULL));
		vfio_reset(self->dev);
		close(fd);
		EXPECT_EQ(0, kmsg_count(log, 6, names[i], line, sizeof(line)))
			TH_LOG("%s", line);
		close(log);
	}
}

int main(int argc, char **argv)
{
	sim_prepare();
	return test_harness_run(argc, argv);
}

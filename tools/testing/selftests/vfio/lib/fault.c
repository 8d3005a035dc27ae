// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults through the counter of a thread, and through the controls in debugfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fault.h"
#include "file.h"

#define DEBUG		"/sys/kernel/debug"
#define LIBRARY		DEBUG "/vfio-mig"
#define COUNTER		"/proc/thread-self/fail-nth"

/* Controls of the kernel's own places, as a sweep wants them and as they were. */
static const struct {
	const char *name;
	const char *sweep;
	const char *normal;
} kernel_controls[] = {
	{ DEBUG "/failslab/ignore-gfp-wait", "N", "Y" },
	{ DEBUG "/fail_page_alloc/ignore-gfp-wait", "N", "Y" },
	{ DEBUG "/fail_page_alloc/min-order", "0", "1" },
};

/* Places that would print each fault. */
static const char * const places[] = {
	DEBUG "/failslab", DEBUG "/fail_page_alloc", LIBRARY "/fail_op", LIBRARY "/fail_alloc",
};

bool fault_exists(void)
{
	return file_exists(COUNTER) && file_exists(LIBRARY "/fail_op") &&
	       file_exists(DEBUG "/failslab");
}

static int be_quiet(void)
{
	int error = 0;
	unsigned int i;

	for (i = 0; !error && i < sizeof(places) / sizeof(*places); i++)
		error = __file_write(path("%s/verbose", places[i]), "0");
	return error;
}

static int set_kernel_controls(bool sweep)
{
	int error = 0;
	unsigned int i;

	for (i = 0; !error && i < sizeof(kernel_controls) / sizeof(*kernel_controls); i++)
		error = __file_write(kernel_controls[i].name,
				     sweep ? kernel_controls[i].sweep : kernel_controls[i].normal);
	return error;
}

int __fault_open(struct fault *fault, enum fault_kind kind)
{
	int error = be_quiet();

	fault->kind = kind;
	fault->nth = open(COUNTER, O_RDWR | O_CLOEXEC);
	if (fault->nth < 0)
		return -errno;
	if (!error && kind == FAULT_KERNEL)
		error = set_kernel_controls(true);
	if (!error && mlockall(MCL_CURRENT))
		error = -errno;
	return error;
}

static const char *place(enum fault_kind kind)
{
	return kind == FAULT_OPS ? LIBRARY "/fail_op" : LIBRARY "/fail_alloc";
}

static int set_place(const char *name, unsigned int n, unsigned int times)
{
	/* what is left of "space" is used up by the places that are spared */
	int error = __file_write(path("%s/probability", name), "0");

	if (!error)
		error = __file_write_number(path("%s/space", name), n);
	if (!error)
		error = __file_write_number(path("%s/times", name), times);
	if (!error && times)
		error = __file_write(path("%s/probability", name), "100");
	return error;
}

void fault_restore(void)
{
	if (!fault_exists())
		return;
	set_kernel_controls(false);
	set_place(place(FAULT_OPS), 0, 0);
	set_place(place(FAULT_ALLOCS), 0, 0);
}

static int write_counter(const struct fault *fault, unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	return pwrite(fault->nth, text, length, 0) == length ? 0 : -errno;
}

/* The fault may hit the reading itself. */
static bool counter_is_zero(const struct fault *fault)
{
	char text[16] = "";

	return pread(fault->nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
}

int __fault_arm(struct fault *fault, unsigned int n)
{
	if (fault->kind == FAULT_TASK || fault->kind == FAULT_KERNEL)
		return write_counter(fault, n);
	return set_place(place(fault->kind), n, 1);
}

int __fault_disarm(struct fault *fault)
{
	const char *name = place(fault->kind);
	uint64_t left = 0;
	int error;

	if (fault->kind == FAULT_TASK || fault->kind == FAULT_KERNEL) {
		bool hit = counter_is_zero(fault);

		error = write_counter(fault, 0);
		return error ?: hit;
	}
	error = __file_read_number(path("%s/times", name), &left);
	if (!error)
		error = set_place(name, 0, 0);
	return error ?: !left;
}

int __fault_ops(unsigned int n, unsigned int times)
{
	return set_place(place(FAULT_OPS), n, times);
}

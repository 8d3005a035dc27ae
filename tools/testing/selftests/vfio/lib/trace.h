/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events of vfio-mig, in a trace buffer of their own.
 */
#ifndef LIB_TRACE_H
#define LIB_TRACE_H

#include <stdbool.h>

#include "check.h"

/**
 * struct trace - what happened since the buffer was cleared
 * @text: the events, one a line, after trace_read()
 * @at: behind the last line that was found
 */
struct trace {
	char *text;
	char *at;
};

/* Whether the kernel has such buffers, and the library events. */
bool trace_exists(void);
/* A buffer that takes up the events of all devices from now on. */
int __trace_open(struct trace *trace);
/* Also after a test that did not get that far. */
void trace_close(void);

/* What has happened so far; the search begins anew. */
int __trace_read(struct trace *trace);
/*
 * The next event of this name that contains the text; later searches begin behind it.
 * Returns what follows the name, up to the end of the line, or NULL.
 */
const char *trace_find(struct trace *trace, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* How many there are in all, wherever the search is. */
unsigned int trace_count(const struct trace *trace, const char *event, const char *text);

#define trace_open(...)		must(__trace_open(__VA_ARGS__))
#define trace_read(...)		must(__trace_read(__VA_ARGS__))

#endif /* LIB_TRACE_H */

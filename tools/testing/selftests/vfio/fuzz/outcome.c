// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collects and compares outcomes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "outcome.h"

void always_or_end(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "# %s:%d: this does not hold: %s\n", file, line, condition);
	abort();
}

void outcome_add(struct outcome *outcome, enum event_kind kind, uint32_t tag, uint64_t at,
		 uint64_t value)
{
	always(outcome->count < MAX_EVENTS);
	outcome->events[outcome->count++] = (struct event) {
		.kind = kind,
		.tag = tag,
		.at = at,
		.value = value,
	};
}

static bool same(const char *what, uint64_t expected, uint64_t seen)
{
	if (expected != seen)
		fprintf(stderr, "# %s: %lld (%#llx), not %lld (%#llx)\n", what, (long long)seen,
			(unsigned long long)seen, (long long)expected,
			(unsigned long long)expected);
	return expected == seen;
}

static bool same_event(const struct event *expected, const struct event *seen)
{
	return same("event", expected->kind, seen->kind) &&
	       same("offset of event", expected->at, seen->at) &&
	       same("tag", expected->tag, seen->tag) &&
	       same("value", expected->value, seen->value);
}

bool outcome_match(const struct outcome *expected, const struct outcome *seen)
{
	unsigned int i;

	for (i = 0; i < expected->count && i < seen->count; i++)
		if (!same_event(&expected->events[i], &seen->events[i]))
			return false;
	return same("number of events", expected->count, seen->count) &&
	       same("error", expected->error, seen->error) &&
	       same("offset of error", expected->at, seen->at) &&
	       same("end", expected->end, seen->end) &&
	       same("images", expected->images, seen->images) &&
	       same("bytes", expected->bytes, seen->bytes);
}

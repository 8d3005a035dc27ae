// SPDX-License-Identifier: GPL-2.0-only
/*
 * Medians, and the table, in Markdown.
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "measure.h"

static unsigned int nr_rows;
static unsigned int nr_missed;

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static struct series sort(const struct series *series)
{
	struct series sorted = *series;

	if (!series->count)
		fail("nothing was measured");
	qsort(sorted.values, sorted.count, sizeof(*sorted.values), compare);
	return sorted;
}

void series_add(struct series *series, double value)
{
	if (series->count == SERIES_ROOM)
		fail("more than %u measurements", SERIES_ROOM);
	series->values[series->count++] = value;
}

static double median_of(const struct series *sorted)
{
	unsigned int middle = sorted->count / 2;

	if (sorted->count % 2)
		return sorted->values[middle];
	return (sorted->values[middle - 1] + sorted->values[middle]) / 2;
}

double series_median(const struct series *series)
{
	struct series sorted = sort(series);

	return median_of(&sorted);
}

static bool meets(double value, struct target target)
{
	switch (target.kind) {
	case AT_LEAST:
		return value >= target.value;
	case AT_MOST:
		return value <= target.value;
	default:
		return true;
	}
}

static void print_target(double median, struct target target)
{
	bool met = meets(median, target);

	if (target.kind == NO_TARGET) {
		printf(" | |\n");
		return;
	}
	nr_missed += !met;
	printf(" at %s %.2f | %s |\n", target.kind == AT_LEAST ? "least" : "most", target.value,
	       met ? "met" : "**missed**");
}

void table_add(const char *what, const char *unit, const struct series *series,
	       struct target target)
{
	struct series sorted = sort(series);
	double median = median_of(&sorted);

	if (!nr_rows++)
		printf("| | median | lowest to highest | runs | target | |\n"
		       "|---|---|---|---|---|---|\n");
	printf("| %s | %.2f%s | %.2f to %.2f | %u |", what, median, unit, sorted.values[0],
	       sorted.values[sorted.count - 1], sorted.count);
	print_target(median, target);
	/* what comes next may fail */
	fflush(stdout);
	fprintf(stderr, "   %s: %.2f%s\n", what, median, unit);
}

bool table_is_good(void)
{
	return nr_rows && !nr_missed;
}

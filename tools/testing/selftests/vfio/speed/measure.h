/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Repeated measurements, and the table of their results.
 */
#ifndef SPEED_MEASURE_H
#define SPEED_MEASURE_H

#include <stdbool.h>

#define SERIES_ROOM 32

/**
 * struct series - one thing, measured several times
 * @values: the results
 * @count: number of them
 */
struct series {
	double values[SERIES_ROOM];
	unsigned int count;
};

void series_add(struct series *series, double value);
double series_median(const struct series *series);

enum target_kind {
	NO_TARGET,
	AT_LEAST,
	AT_MOST,
};

/**
 * struct target - what a result has to be
 * @kind: on which side of @value
 * @value: the limit
 */
struct target {
	enum target_kind kind;
	double value;
};

/* Prints a row of the table: the median decides whether the target is met. @unit: or "". */
void table_add(const char *what, const char *unit, const struct series *series,
	       struct target target);
/* Whether all targets were met. */
bool table_is_good(void);

#endif /* SPEED_MEASURE_H */

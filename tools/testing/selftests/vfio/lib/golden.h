/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams that were saved once, in files of the folder beside the program.
 */
#ifndef LIB_GOLDEN_H
#define LIB_GOLDEN_H

#include "migration.h"

void golden_read(const char *name, struct blob *blob);
/* A new file in @folder for @blob; one that is there is left alone. */
void golden_write(const char *folder, const char *name, const struct blob *blob);
/* Whether there is one, which is said. */
bool golden_exists(const char *folder, const char *name);

#endif /* LIB_GOLDEN_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* Text on the first serial port, which is all that the outside sees of the guest. */
#ifndef PAYLOAD_CONSOLE_H
#define PAYLOAD_CONSOLE_H

#include <stdint.h>
#include <stdnoreturn.h>

void print(const char *text);
void print_number(uint64_t value);

/* Print "failed: " and the words given, end the line, stop the guest for good. */
noreturn void fail(const char *what);
noreturn void fail_compare(const char *what, uint64_t expected, uint64_t found);

#endif /* PAYLOAD_CONSOLE_H */

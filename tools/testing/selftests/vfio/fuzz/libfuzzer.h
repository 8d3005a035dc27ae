/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libFuzzer and its target know of each other, under names in the kernel's style.
 */
#ifndef FUZZ_LIBFUZZER_H
#define FUZZ_LIBFUZZER_H

#include <stddef.h>
#include <stdint.h>

/* The target: tries one input. Always returns 0. */
int fuzz_try(const uint8_t *data, size_t size) __asm__("LLVMFuzzerTestOneInput");
/* The target: changes an input in place. Returns its new size. */
size_t fuzz_change(uint8_t *data, size_t size, size_t room, unsigned int seed)
	__asm__("LLVMFuzzerCustomMutator");
/* libFuzzer's own way to change an input. */
size_t fuzz_change_blindly(uint8_t *data, size_t size, size_t room) __asm__("LLVMFuzzerMutate");

#endif /* FUZZ_LIBFUZZER_H */

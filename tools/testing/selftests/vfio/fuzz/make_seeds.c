// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes inputs to begin with: make_seeds <folder> [number]. Valid streams and damaged
 * ones take turns, for several kinds of devices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"

#define CIRCUMSTANCES 8

static int write_seed(const char *folder, unsigned int number)
{
	unsigned char data[4096] = { 0 };
	struct stream stream = {
		.data = data + CIRCUMSTANCES,
		.room = sizeof(data) - CIRCUMSTANCES,
	};
	struct chance chance = { .state = number };
	size_t length, written;
	char name[4096];
	FILE *file;

	data[6] = number;
	data[7] = number >> 8;
	if (number % 5 == 4)
		data[0] = 1 << number % 7;
	if (number % 7 == 6)
		data[4] = number;
	stream_make(&stream, &chance);
	if (number % 2)
		stream_damage(&stream, &chance);
	snprintf(name, sizeof(name), "%s/seed-%03u", folder, number);
	file = fopen(name, "wb");
	if (!file)
		return -1;
	length = CIRCUMSTANCES + stream.length;
	written = fwrite(data, 1, length, file);
	return fclose(file) || written != length ? -1 : 0;
}

int main(int argc, char **argv)
{
	unsigned int number, count = argc > 2 ? atoi(argv[2]) : 200;

	if (argc < 2) {
		fprintf(stderr, "%s <folder> [number]\n", argv[0]);
		return 2;
	}
	for (number = 0; number < count; number++) {
		if (write_seed(argv[1], number)) {
			perror(argv[1]);
			return 1;
		}
	}
	return 0;
}

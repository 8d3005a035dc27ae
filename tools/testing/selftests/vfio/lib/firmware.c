// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated adapter's firmware through the files of the simulator, and through those
 * in which mlx5_core takes commands.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "firmware.h"
#include "migration.h"

#define PCISIM	"/sys/kernel/debug/pcisim"
#define MLX5	"/sys/kernel/debug/mlx5"

const struct firmware_outcome firmware_outcomes[FIRMWARE_OUTCOMES] = {
	{ SIM_STATUS_INTERNAL, -EIO, -EIO },
	{ FIRMWARE_BAD_OPCODE, -EIO, -EINVAL },
	{ SIM_STATUS_PARAMETER, -EIO, -EINVAL },
	{ FIRMWARE_SYSTEM_STATE, -EIO, -EIO },
	{ FIRMWARE_BAD_RESOURCE, -EIO, -EINVAL },
	{ FIRMWARE_BUSY, -EBUSY, -EBUSY },
	{ FIRMWARE_NOT_READY, -EIO, -EIO },
	{ SIM_STATUS_LIMIT, -ENOMEM, -ENOMEM },
	{ FIRMWARE_RESOURCE_STATE, -EIO, -EINVAL },
	{ FIRMWARE_BAD_INDEX, -EIO, -EINVAL },
	{ FIRMWARE_NO_RESOURCES, -EIO, -EIO },
	{ FIRMWARE_INPUT_LENGTH, -EIO, -EIO },
	{ FIRMWARE_OUTPUT_LENGTH, -EIO, -EIO },
	/* one that nobody knows */
	{ 0xee, -EIO, -EIO },
};

int __firmware_without(struct sim *sim, const struct sim_config *config, const char *capability)
{
	int error = __sim_get(sim, config);

	if (!error)
		error = __sim_enable_vfs(sim, 0);
	if (!error)
		error = __file_write(SIM_HOST "/live", "0");
	if (!error)
		error = __file_write(path(SIM_HCA "/%s", capability), "0");
	if (!error)
		error = __file_write(SIM_HOST "/live", "1");
	return error ?: __sim_get(sim, config);
}

static int write_pf_file(const struct sim *sim, const char *name, uint64_t value)
{
	return __file_write_number(path(PCISIM "/%s/%s", sim->pf, name), value);
}

int __firmware_fault(const struct sim *sim, const struct firmware_fault *fault)
{
	/* the opcode comes first, it clears all others; the number of times comes last */
	int error = write_pf_file(sim, "fail_opcode", fault->opcode);

	if (!error)
		error = write_pf_file(sim, "fail_vhca", fault->vhca);
	if (!error)
		error = write_pf_file(sim, "fail_status", fault->status);
	if (!error && fault->syndrome)
		error = write_pf_file(sim, "fail_syndrome", fault->syndrome);
	if (!error)
		error = write_pf_file(sim, "fail_delay", fault->delay);
	if (!error)
		error = write_pf_file(sim, "fail_lost", fault->lost);
	if (!error && fault->field)
		error = write_pf_file(sim, fault->field, fault->value);
	return error ?: write_pf_file(sim, "fail_times", fault->times);
}

int __firmware_wrong(const struct sim *sim, enum sim_opcode opcode, const char *field,
		     uint64_t value)
{
	return __firmware_fault(sim, &(struct firmware_fault){
		.opcode = opcode, .field = field, .value = value, .times = 1 });
}

bool firmware_fault_is_over(const struct sim *sim)
{
	return !sim_counter(sim->pf, "fail_times");
}

int __firmware_answer_lost(const struct sim *sim)
{
	int error = write_pf_file(sim, "answer_lost", 1);

	/* until their interrupts have been taken */
	usleep(100000);
	return error;
}

int __firmware_timing(const struct sim *sim, const char *name, uint64_t value)
{
	return write_pf_file(sim, path("timing/%s", name), value);
}

int __firmware_strict(const struct sim *sim, bool strict)
{
	return write_pf_file(sim, "strict_tracking", strict);
}

int __firmware_calm(const struct sim *sim)
{
	static const char * const names[] = {
		"suspend_latency", "resume_latency", "query_latency", "save_latency",
		"load_latency", "memory_latency", "other_latency", "save_bandwidth",
		"load_bandwidth", "page_cost",
	};
	int error = __firmware_fault(sim, &(struct firmware_fault){ 0 });
	unsigned int i;

	for (i = 0; !error && i < sizeof(names) / sizeof(*names); i++)
		error = __firmware_timing(sim, names[i], 0);
	return error ?: __firmware_strict(sim, false);
}

uint32_t firmware_get(const void *message, unsigned int offset)
{
	uint32_t word;

	memcpy(&word, message + offset, sizeof(word));
	return be32toh(word);
}

void firmware_put(void *message, unsigned int offset, uint32_t value)
{
	value = htobe32(value);
	memcpy(message + offset, &value, sizeof(value));
}

void firmware_put64(void *message, unsigned int offset, uint64_t value)
{
	firmware_put(message, offset, value >> 32);
	firmware_put(message, offset + 4, value);
}

/* Of an image: its length and its checksum, for which its own place counts as zeros. */
#define IMAGE_LENGTH	32
#define IMAGE_CRC	40

void firmware_seal(unsigned char *image)
{
	uint32_t length, crc = ~0U;
	uint32_t i, bit;

	memcpy(&length, image + IMAGE_LENGTH, sizeof(length));
	memset(image + IMAGE_CRC, 0, sizeof(crc));
	for (i = 0; i < le32toh(length); i++) {
		crc ^= image[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	crc = htole32(crc);
	memcpy(image + IMAGE_CRC, &crc, sizeof(crc));
}

/* All of @data in one call, as the kernel wants it. @store: write it, else read it. */
static int transfer(const struct sim *sim, const char *name, void *data, size_t length,
		    bool store)
{
	const char *file = path(MLX5 "/%s/cmd/%s", sim->pf, name);
	int fd = open(file, (store ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	ssize_t done;
	int error;

	if (fd < 0)
		return -errno;
	done = store ? write(fd, data, length) : read(fd, data, length);
	error = done < 0 ? -errno : done == length ? 0 : -EIO;
	close(fd);
	return error;
}

int __firmware_command(const struct sim *sim, const void *in, size_t in_length, void *out,
		       size_t out_length)
{
	const char *room = path("%zu", out_length);
	int error = transfer(sim, "in", (void *)in, in_length, true);
	int answer;

	if (!error)
		error = transfer(sim, "out_len", (void *)room, strlen(room), true);
	if (error)
		return error;
	answer = transfer(sim, "run", "go", 2, true);
	error = transfer(sim, "out", out, out_length, false);
	return answer ?: error;
}

struct firmware_fault firmware_fault_of(enum sim_opcode opcode,
					const struct firmware_outcome *outcome)
{
	return (struct firmware_fault){
		.opcode = opcode,
		.status = outcome->status,
		.syndrome = FIRMWARE_SYNDROME + outcome->status,
		.times = 1,
	};
}

void firmware_pair_open(struct pair *pair, bool chunks)
{
	struct sim_config config = our_pair;

	if (!chunks)
		config.chunk_size = 0;
	pair_open(pair, &config);
	firmware_calm(&pair->sim);
	sim_bulk_fill(pair->source.address, FIRMWARE_BULK, 2);
}

bool firmware_pair_migrates(struct pair *pair)
{
	struct blob blob = { 0 };
	bool arrived;

	firmware_calm(&pair->sim);
	sim_bulk_fill(pair->source.address, FIRMWARE_BULK, 3);
	arrived = !__mig_save(&pair->source, &blob, MIB) &&
		  !__mig_load(&pair->target, &blob, MIB) &&
		  sim_bulk_matches(pair->target.address, FIRMWARE_BULK, 3);
	blob_free(&blob);
	return arrived && !__mig_set_state(&pair->target, STATE_RUNNING, NULL) &&
	       !__mig_set_state(&pair->source, STATE_RUNNING, NULL);
}

static bool runs(struct vfio_device *dev)
{
	char text[16];

	file_read(path(PCISIM "/%s/suspended", dev->address), text, sizeof(text));
	return mig_state(dev) == STATE_RUNNING && !strcmp(text, "none");
}

bool firmware_pair_recovers(struct pair *pair)
{
	pair_reset(pair);
	return runs(&pair->source) && runs(&pair->target) && firmware_pair_migrates(pair);
}

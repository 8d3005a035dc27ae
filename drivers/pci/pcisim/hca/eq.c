// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event queues: rings in the host's memory, each tied to an MSI-X vector.
 *
 * Consumer doorbells go to plain memory and are not seen. That is safe because
 * completions of commands are never more than slots in the command queue, and
 * every EQ of the driver is larger. Other events are one for each time the driver
 * has made room for messages, or rare.
 */
#include <linux/slab.h>

#include "hca.h"

struct pcisim_hca_eq {
	u8 log_size;
	u16 vector;
	u64 types;				/* bit: event that goes here */
	u32 producer;
	u32 page_count;
	u64 pages[] __counted_by(page_count);
};

/* How the image of a VF carries an event queue, in the order of the numbers. */
struct eq_image {
	__le64 types;
	__le32 producer;
	__le16 vector;
	u8 number;
	u8 log_size;
	__le64 pages[];
};

static u32 eq_pages(u8 log_size)
{
	return DIV_ROUND_UP(sizeof(struct mlx5_eqe) << log_size, MLX5_ADAPTER_PAGE_SIZE);
}

static struct pcisim_hca_eq *eq_new(u8 log_size)
{
	u32 pages = eq_pages(log_size);
	struct pcisim_hca_eq *eq = kvzalloc(struct_size(eq, pages, pages), GFP_KERNEL);

	if (!eq)
		return NULL;
	eq->page_count = pages;
	eq->log_size = log_size;
	return eq;
}

/* Number 0 stays free, so that a forgotten initialisation shows. */
static unsigned int eq_free_number(const struct pcisim_hca *hca)
{
	for (unsigned int number = 1; number < HCA_MAX_EQS; number++) {
		if (!hca->eqs[number])
			return number;
	}
	return 0;
}

u8 pcisim_hca_create_eq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	const void *eqc = MLX5_ADDR_OF(create_eq_in, cmd->in, eq_context_entry);
	bool commands = MLX5_GET64(create_eq_in, cmd->in, event_bitmask[0]) &
			BIT_ULL(MLX5_EVENT_TYPE_CMD);
	u8 log_size = MLX5_GET(eqc, eqc, log_eq_size);
	u16 vector = MLX5_GET(eqc, eqc, intr);
	const __be64 *list = MLX5_ADDR_OF(create_eq_in, cmd->in, pas);
	struct pcisim_hca_eq *eq;
	unsigned int number;

	if (log_size > HCA_LOG_MAX_EQ_SIZE || MLX5_GET(eqc, eqc, log_page_size))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_PARAM_ERR, HCA_SYND_EQ_GEOMETRY);
	if (cmd->in_len < MLX5_ST_SZ_BYTES(create_eq_in) + eq_pages(log_size) * sizeof(*list))
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_INP_LEN_ERR, HCA_SYND_IN_LENGTH);
	if (vector >= HCA_MSIX_VECTORS)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_IX_ERR, HCA_SYND_EQ_VECTOR);
	if (commands && hca->cmd_eq)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_RES_BUSY, HCA_SYND_EQ_SECOND_CMD_EQ);
	number = eq_free_number(hca);
	if (!number)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_LIM_ERR, HCA_SYND_EQ_LIMIT);
	eq = eq_new(log_size);
	if (!eq)
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_NO_RES_ERR, HCA_SYND_NO_MEMORY);

	for (u32 i = 0; i < eq->page_count; i++)
		eq->pages[i] = be64_to_cpu(list[i]);
	eq->vector = vector;
	eq->types = MLX5_GET64(create_eq_in, cmd->in, event_bitmask[0]);
	hca->eqs[number] = eq;
	if (commands)
		hca->cmd_eq = eq;
	MLX5_SET(create_eq_out, cmd->out, eq_number, number);
	return MLX5_CMD_STAT_OK;
}

static void eq_destroy(struct pcisim_hca *hca, unsigned int number)
{
	struct pcisim_hca_eq *eq = hca->eqs[number];

	if (hca->cmd_eq == eq)
		hca->cmd_eq = NULL;
	hca->eqs[number] = NULL;
	kvfree(eq);
}

u8 pcisim_hca_destroy_eq(struct pcisim_hca *hca, struct pcisim_hca_cmd *cmd)
{
	unsigned int number = MLX5_GET(destroy_eq_in, cmd->in, eq_number);

	if (number >= HCA_MAX_EQS || !hca->eqs[number])
		return pcisim_hca_fail(cmd, MLX5_CMD_STAT_BAD_RES_ERR, HCA_SYND_EQ_NUMBER);
	eq_destroy(hca, number);
	return MLX5_CMD_STAT_OK;
}

void pcisim_hca_eqs_destroy(struct pcisim_hca *hca)
{
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (hca->eqs[number])
			eq_destroy(hca, number);
	}
}

/*
 * The driver takes an entry once its owner bit is the parity of the pass over
 * the ring, so that bit goes out last.
 */
static void eq_post(struct pcisim_hca *hca, struct pcisim_hca_eq *eq, struct mlx5_eqe *eqe)
{
	u32 offset = (eq->producer & (BIT(eq->log_size) - 1)) * sizeof(*eqe);
	u64 address = eq->pages[offset >> MLX5_ADAPTER_PAGE_SHIFT] +
		      offset % MLX5_ADAPTER_PAGE_SIZE;

	eqe->owner = (eq->producer >> eq->log_size) & 1;
	eq->producer++;
	pcisim_hca_write(hca, address, eqe, offsetof(struct mlx5_eqe, owner));
	dma_wmb();
	pcisim_hca_write(hca, address + offsetof(struct mlx5_eqe, owner),
			 &eqe->owner, sizeof(eqe->owner));
	pcisim_msix_raise(hca->fn, eq->vector);
}

bool pcisim_hca_eq_exists(const struct pcisim_hca *hca, unsigned int number)
{
	return number < HCA_MAX_EQS && hca->eqs[number];
}

/* Dropped if the EQ is gone. */
void pcisim_hca_eq_post(struct pcisim_hca *hca, unsigned int number, struct mlx5_eqe *eqe)
{
	if (pcisim_hca_eq_exists(hca, number))
		eq_post(hca, hca->eqs[number], eqe);
}

/* To the EQ that the driver has for events of this type, if it has one. */
void pcisim_hca_eq_async(struct pcisim_hca *hca, struct mlx5_eqe *eqe)
{
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (hca->eqs[number] && hca->eqs[number]->types & BIT_ULL(eqe->type)) {
			eq_post(hca, hca->eqs[number], eqe);
			return;
		}
	}
}

/* Tell the driver that the command in @slot of the queue is done. */
void pcisim_hca_eq_complete(struct pcisim_hca *hca, unsigned int slot)
{
	struct mlx5_eqe eqe = { .type = MLX5_EVENT_TYPE_CMD };

	eqe.data.cmd.vector = cpu_to_be32(BIT(slot));
	eq_post(hca, hca->cmd_eq, &eqe);
}

/* Interrupts for all that may have been posted: one too many does no harm. */
void pcisim_hca_eqs_raise(struct pcisim_hca *hca)
{
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (hca->eqs[number])
			pcisim_msix_raise(hca->fn, hca->eqs[number]->vector);
	}
}

static size_t eq_image_size(u32 pages)
{
	return sizeof(struct eq_image) + pages * sizeof(__le64);
}

size_t pcisim_hca_eqs_size(const struct pcisim_hca *hca)
{
	size_t size = 0;

	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (hca->eqs[number])
			size += eq_image_size(hca->eqs[number]->page_count);
	}
	return size;
}

/* Write as many bytes as pcisim_hca_eqs_size() says. */
void pcisim_hca_eqs_save(const struct pcisim_hca *hca, void *to)
{
	const struct pcisim_hca_eq *eq;
	struct eq_image *image = to;

	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		eq = hca->eqs[number];
		if (!eq)
			continue;
		image->types = cpu_to_le64(eq->types);
		image->producer = cpu_to_le32(eq->producer);
		image->vector = cpu_to_le16(eq->vector);
		image->number = number;
		image->log_size = eq->log_size;
		for (u32 i = 0; i < eq->page_count; i++)
			image->pages[i] = cpu_to_le64(eq->pages[i]);
		image = (void *)image + eq_image_size(eq->page_count);
	}
}

/* Does the image begin with an event queue that could have been created? */
static bool eq_image_ok(const struct eq_image *image, size_t length, unsigned int first)
{
	return length >= sizeof(*image) && image->number >= first && image->number < HCA_MAX_EQS &&
	       image->log_size <= HCA_LOG_MAX_EQ_SIZE &&
	       length >= eq_image_size(eq_pages(image->log_size)) &&
	       le16_to_cpu(image->vector) < HCA_MSIX_VECTORS;
}

static struct pcisim_hca_eq *eq_parse(const struct eq_image *image)
{
	struct pcisim_hca_eq *eq = eq_new(image->log_size);

	if (!eq)
		return NULL;
	eq->types = le64_to_cpu(image->types);
	eq->producer = le32_to_cpu(image->producer);
	eq->vector = le16_to_cpu(image->vector);
	for (u32 i = 0; i < eq->page_count; i++)
		eq->pages[i] = le64_to_cpu(image->pages[i]);
	return eq;
}

/*
 * Make the event queues that @from describes, in @eqs, which is empty. Return 0, -EINVAL
 * or -ENOMEM; what has been made so far is the caller's to free.
 */
int pcisim_hca_eqs_parse(struct pcisim_hca_eq **eqs, const void *from, size_t length)
{
	const struct eq_image *image;
	unsigned int first = 1;
	bool commands = false;
	size_t size;

	for (; length; from += size, length -= size) {
		image = from;
		if (!eq_image_ok(image, length, first))
			return -EINVAL;
		if (le64_to_cpu(image->types) & BIT_ULL(MLX5_EVENT_TYPE_CMD)) {
			if (commands)
				return -EINVAL;
			commands = true;
		}
		eqs[image->number] = eq_parse(image);
		if (!eqs[image->number])
			return -ENOMEM;
		first = image->number + 1;
		size = eq_image_size(eq_pages(image->log_size));
	}
	return 0;
}

/* Take over event queues, which leaves @eqs empty, in place of those that there are. */
void pcisim_hca_eqs_take(struct pcisim_hca *hca, struct pcisim_hca_eq **eqs)
{
	pcisim_hca_eqs_destroy(hca);
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++) {
		if (!eqs[number])
			continue;
		if (eqs[number]->types & BIT_ULL(MLX5_EVENT_TYPE_CMD))
			hca->cmd_eq = eqs[number];
		swap(hca->eqs[number], eqs[number]);
	}
}

void pcisim_hca_eqs_free(struct pcisim_hca_eq **eqs)
{
	for (unsigned int number = 0; number < HCA_MAX_EQS; number++)
		kvfree(eqs[number]);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command queue: from a doorbell to the completion of an entry.
 *
 * Whatever the descriptor says, nothing is read or written beyond the lengths
 * it claims, and these are bounded before anything is allocated. A descriptor
 * that makes no sense completes with a delivery status and is not executed.
 *
 * Commands take time without occupying the thread. Each goes through the states
 * of enum cmdq_state, which only the thread of the function changes. A command takes
 * effect at the end of its latency and is answered when it has moved its data.
 * Commands that name the same VHCA do not overlap, all others do. What is not
 * answered when the driver starts over or the function is reset is forgotten: by then
 * the memory of its entry may belong to somebody else.
 */
#include <linux/bitops.h>
#include <linux/mlx5/driver.h>
#include <linux/slab.h>

#include "hca.h"

/* The delivery status shares a byte with the owner bit. */
#define CMDQ_STATUS_SHIFT	1

/* Values as in mlx5_core's enum of MLX5_CMD_DELIVERY_STAT_, which is private. */
enum cmdq_delivery {
	CMDQ_OK			= 0x0,
	CMDQ_TOKEN		= 0x2,
	CMDQ_BLOCK_NUMBER	= 0x3,
	CMDQ_OUT_POINTER	= 0x4,
	CMDQ_IN_POINTER		= 0x5,
	CMDQ_FIRMWARE		= 0x6,
	CMDQ_IN_LENGTH		= 0x7,
	CMDQ_OUT_LENGTH		= 0x8,
	CMDQ_DESCRIPTOR		= 0x10,
};

#define CMDQ_INLINE		sizeof_field(struct mlx5_cmd_layout, in)
/* opcode and op_mod of an input, status and syndrome of an output */
#define CMDQ_MIN_LENGTH		8

enum cmdq_state {
	CMDQ_FREE,
	CMDQ_QUEUED,				/* until earlier ones for its VHCA are done */
	CMDQ_STARTED,				/* until @due, when it takes effect */
	CMDQ_EXECUTED,				/* until @due, when it is answered */
};

struct cmdq_slot {
	enum cmdq_state state;
	struct mlx5_cmd_layout entry;
	u64 address;				/* of the entry */
	bool event;				/* there was an EQ for its completion */
	enum cmdq_delivery delivery;
	u64 arrival;				/* smaller: came earlier */
	ktime_t due;
	struct pcisim_hca_cmd cmd;
	void *in;
	__be64 out[HCA_MAX_OUT / sizeof(__be64)];
};

struct pcisim_hca_cmdq {
	u64 address;				/* of the driver's queue */
	u64 arrivals;
	struct cmdq_slot *executing;
	struct cmdq_slot slots[MLX5_MAX_COMMANDS];
};

int pcisim_hca_cmdq_init(struct pcisim_hca *hca)
{
	hca->cmdq = kvzalloc_obj(*hca->cmdq);
	return hca->cmdq ? 0 : -ENOMEM;
}

void pcisim_hca_cmdq_fini(struct pcisim_hca *hca)
{
	pcisim_hca_cmdq_forget(hca);
	kvfree(hca->cmdq);
}

static void cmdq_free(struct cmdq_slot *slot)
{
	kvfree(slot->in);
	slot->in = NULL;
	slot->state = CMDQ_FREE;
}

/* Nothing that is in flight will be answered, except the caller's own command. */
void pcisim_hca_cmdq_forget(struct pcisim_hca *hca)
{
	struct pcisim_hca_cmdq *cmdq = hca->cmdq;

	for (unsigned int i = 0; i < MLX5_MAX_COMMANDS; i++) {
		if (&cmdq->slots[i] != cmdq->executing)
			cmdq_free(&cmdq->slots[i]);
	}
}

static enum cmdq_delivery cmdq_check(const struct mlx5_cmd_layout *entry)
{
	u32 in_len = be32_to_cpu(entry->inlen);
	u32 out_len = be32_to_cpu(entry->outlen);

	if (entry->type != MLX5_PCI_CMD_XPORT)
		return CMDQ_DESCRIPTOR;
	if (in_len < CMDQ_MIN_LENGTH || in_len > HCA_MAX_IN)
		return CMDQ_IN_LENGTH;
	if (out_len < CMDQ_MIN_LENGTH)
		return CMDQ_OUT_LENGTH;
	if (in_len > CMDQ_INLINE &&
	    (!entry->in_ptr || be64_to_cpu(entry->in_ptr) % MLX5_CMD_DATA_BLOCK_SIZE))
		return CMDQ_IN_POINTER;
	if (out_len > CMDQ_INLINE &&
	    (!entry->out_ptr || be64_to_cpu(entry->out_ptr) % MLX5_CMD_DATA_BLOCK_SIZE))
		return CMDQ_OUT_POINTER;
	return CMDQ_OK;
}

/*
 * The chain may be longer than the command, with stale blocks at its end: the
 * length decides.
 */
static enum cmdq_delivery cmdq_read_input(struct pcisim_hca *hca,
					  const struct mlx5_cmd_layout *entry,
					  void *to, u32 len)
{
	u64 address = be64_to_cpu(entry->in_ptr);
	struct mlx5_cmd_prot_block block;
	u32 done, piece, number;

	memcpy(to, entry->in, min_t(u32, len, CMDQ_INLINE));
	for (done = CMDQ_INLINE, number = 0; done < len; done += piece, number++) {
		piece = min_t(u32, len - done, MLX5_CMD_DATA_BLOCK_SIZE);
		if (!address || address % MLX5_CMD_DATA_BLOCK_SIZE)
			return CMDQ_IN_POINTER;
		if (pcisim_dma_read(hca->fn, address, &block, sizeof(block)))
			return CMDQ_FIRMWARE;
		if (be32_to_cpu(block.block_num) != number)
			return CMDQ_BLOCK_NUMBER;
		if (block.token != entry->token)
			return CMDQ_TOKEN;
		memcpy(to + done, block.data, piece);
		address = be64_to_cpu(block.next);
	}
	return CMDQ_OK;
}

static enum cmdq_delivery cmdq_write_output(struct pcisim_hca *hca,
					    struct mlx5_cmd_layout *entry,
					    const void *from, u32 len)
{
	u64 address = be64_to_cpu(entry->out_ptr);
	u32 done, piece;
	__be64 next;

	memcpy(entry->out, from, min_t(u32, len, CMDQ_INLINE));
	for (done = CMDQ_INLINE; done < len; done += piece) {
		piece = min_t(u32, len - done, MLX5_CMD_DATA_BLOCK_SIZE);
		if (!address || address % MLX5_CMD_DATA_BLOCK_SIZE)
			return CMDQ_OUT_POINTER;
		if (pcisim_hca_write(hca, address, from + done, piece))
			return CMDQ_FIRMWARE;
		if (pcisim_dma_read(hca->fn, address + offsetof(struct mlx5_cmd_prot_block, next),
				    &next, sizeof(next)))
			return CMDQ_FIRMWARE;
		address = be64_to_cpu(next);
	}
	return CMDQ_OK;
}

static enum cmdq_delivery cmdq_take(struct pcisim_hca *hca, struct cmdq_slot *slot)
{
	u32 in_len = be32_to_cpu(slot->entry.inlen);
	enum cmdq_delivery delivery;

	delivery = cmdq_check(&slot->entry);
	if (delivery)
		return delivery;
	/* Handlers may read all of the inline input, however short the command is. */
	slot->in = kvzalloc(max_t(u32, in_len, CMDQ_INLINE), GFP_KERNEL);
	if (!slot->in)
		return CMDQ_FIRMWARE;
	delivery = cmdq_read_input(hca, &slot->entry, slot->in, in_len);
	if (delivery)
		return delivery;

	slot->cmd = (struct pcisim_hca_cmd) {
		.in = slot->in,
		.in_len = in_len,
		.out = slot->out,
	};
	pcisim_hca_arrive(hca, &slot->cmd);
	return CMDQ_OK;
}

static void cmdq_fetch(struct pcisim_hca *hca, struct cmdq_slot *slot, u64 address)
{
	/* A driver that rings twice for the same entry gets one answer. */
	if (slot->state != CMDQ_FREE)
		return;
	if (pcisim_dma_read(hca->fn, address, &slot->entry, sizeof(slot->entry)))
		return;
	/* An event for an entry that the driver has not posted would crash it. */
	if (!(slot->entry.status_own & CMD_OWNER_HW))
		return;

	atomic_inc(&hca->commands);
	slot->address = address;
	slot->arrival = hca->cmdq->arrivals++;
	slot->event = hca->cmd_eq;
	slot->due = ktime_get();
	slot->delivery = cmdq_take(hca, slot);
	slot->state = slot->delivery ? CMDQ_EXECUTED : CMDQ_QUEUED;
}

/* Must this command wait for an earlier one of the same VHCA? */
static bool cmdq_blocked(const struct pcisim_hca_cmdq *cmdq, const struct cmdq_slot *slot)
{
	const struct cmdq_slot *other;

	for (unsigned int i = 0; slot->cmd.vhca && i < MLX5_MAX_COMMANDS; i++) {
		other = &cmdq->slots[i];
		if (other->state != CMDQ_FREE && !other->delivery && !other->cmd.lost &&
		    other->cmd.vhca == slot->cmd.vhca && other->arrival < slot->arrival)
			return true;
	}
	return false;
}

static void cmdq_execute(struct pcisim_hca *hca, struct cmdq_slot *slot)
{
	struct pcisim_hca_cmdq *cmdq = hca->cmdq;

	memset(slot->out, 0, sizeof(slot->out));
	cmdq->executing = slot;
	pcisim_hca_dispatch(hca, &slot->cmd);
	cmdq->executing = NULL;
	slot->state = CMDQ_EXECUTED;
	slot->due = slot->cmd.lost ? KTIME_MAX : ktime_add_ns(slot->due, slot->cmd.busy_ns);
}

static void cmdq_answer(struct pcisim_hca *hca, struct cmdq_slot *slot)
{
	struct mlx5_cmd_layout *entry = &slot->entry;

	if (!slot->delivery)
		slot->delivery = cmdq_write_output(hca, entry, slot->out,
						   min(be32_to_cpu(entry->outlen),
						       slot->cmd.out_len));
	/* The driver may look at the rest as soon as it owns the entry. */
	pcisim_hca_write(hca, slot->address + offsetof(struct mlx5_cmd_layout, out),
			 entry->out, sizeof(entry->out));
	dma_wmb();
	entry->status_own = slot->delivery << CMDQ_STATUS_SHIFT;
	pcisim_hca_write(hca, slot->address + offsetof(struct mlx5_cmd_layout, status_own),
			 &entry->status_own, sizeof(entry->status_own));

	cmdq_free(slot);
	/* Nobody waits for an event of the commands that create and destroy its EQ. */
	if (slot->event && hca->cmd_eq)
		pcisim_hca_eq_complete(hca, slot - hca->cmdq->slots);
}

/* Return true if the command has got into another state. */
static bool cmdq_advance(struct pcisim_hca *hca, struct cmdq_slot *slot)
{
	switch (slot->state) {
	case CMDQ_QUEUED:
		if (cmdq_blocked(hca->cmdq, slot))
			return false;
		slot->due = ktime_add_ns(ktime_get(),
					 pcisim_hca_latency(hca, pcisim_hca_opcode(&slot->cmd)));
		slot->state = CMDQ_STARTED;
		return true;
	case CMDQ_STARTED:
		if (ktime_before(ktime_get(), slot->due))
			return false;
		cmdq_execute(hca, slot);
		return true;
	case CMDQ_EXECUTED:
		if (ktime_before(ktime_get(), slot->due))
			return false;
		cmdq_answer(hca, slot);
		return true;
	default:
		return false;
	}
}

/* Microseconds until the next command is due, UINT_MAX if there is none. */
static unsigned int cmdq_next_due(const struct pcisim_hca_cmdq *cmdq)
{
	s64 next = UINT_MAX;
	ktime_t now = ktime_get();

	for (unsigned int i = 0; i < MLX5_MAX_COMMANDS; i++) {
		if (cmdq->slots[i].state > CMDQ_QUEUED)
			next = min(next, ktime_us_delta(cmdq->slots[i].due, now) + 1);
	}
	return max_t(s64, next, 1);
}

/*
 * A driver that still counts on the answers cannot go away without them. By now only
 * the entry is there for sure, not the mailboxes of the output.
 */
static void cmdq_find_lost(struct pcisim_hca_cmdq *cmdq)
{
	for (unsigned int i = 0; i < MLX5_MAX_COMMANDS; i++) {
		if (cmdq->slots[i].state != CMDQ_EXECUTED || !cmdq->slots[i].cmd.lost)
			continue;
		cmdq->slots[i].delivery = CMDQ_FIRMWARE;
		cmdq->slots[i].due = ktime_get();
	}
}

/* Do what is due, and return the microseconds until something else is. */
unsigned int pcisim_hca_cmdq_run(struct pcisim_hca *hca)
{
	struct pcisim_hca_cmdq *cmdq = hca->cmdq;
	bool advanced;

	if (READ_ONCE(hca->fault.answer_lost)) {
		WRITE_ONCE(hca->fault.answer_lost, false);
		cmdq_find_lost(cmdq);
	}
	do {
		advanced = false;
		for (unsigned int i = 0; i < MLX5_MAX_COMMANDS; i++) {
			while (cmdq_advance(hca, &cmdq->slots[i]))
				advanced = true;
		}
	} while (advanced);
	return cmdq_next_due(cmdq);
}

/* Take what the driver has posted; it is executed when the queue runs next, which is at once. */
void pcisim_hca_doorbell(struct pcisim_hca *hca, u32 value)
{
	u64 queue = pcisim_hca_iseg_queue(hca);
	struct pcisim_hca_cmdq *cmdq = hca->cmdq;
	unsigned long slots = value;
	unsigned int slot;

	if (queue != cmdq->address)
		pcisim_hca_cmdq_forget(hca);
	cmdq->address = queue;
	for_each_set_bit(slot, &slots, pcisim_hca_iseg_queue_size(hca))
		cmdq_fetch(hca, &cmdq->slots[slot],
			   queue + slot * sizeof(struct mlx5_cmd_layout));
}

// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Submission and completion rings in memory shared with one process.
 *
 * Invariant: nothing the process writes there can make the kernel read or write
 * outside the rings, or see one entry twice with different contents: indices are
 * masked, the kernel trusts only its own sq_head and cq_tail, and an entry is
 * copied once before it is looked at.
 */
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "atomik_internal.h"

#define RUN_MAX 256	/* ACCUMs under one hold of a stripe's lock: about a microsecond */

struct atomik_ring_memory {
	u32 entries;		/* of the submission ring; the completion ring has twice that */
	u32 page_count;
	u32 sq_head;		/* the kernel's own */
	u32 cq_tail;
	struct atomik_ring_head *head;
	struct atomik_sqe *sqes;
	struct atomik_cqe *cqes;
	struct page **pages;
};

struct atomik_ring_memory *atomik_ring_create(struct atomik_ring *args)
{
	struct atomik_ring_memory *ring;
	u32 n = args->entries, got = 0;
	int error = -ENOMEM;
	void *base;

	if (!is_power_of_2(n) || n > ATOMIK_RING_ENTRIES_MAX)
		return ERR_PTR(-EINVAL);
	args->sqes_offset = sizeof(struct atomik_ring_head);
	args->cqes_offset = args->sqes_offset + n * sizeof(struct atomik_sqe);
	args->map_bytes = PAGE_ALIGN(args->cqes_offset + 2 * n * sizeof(struct atomik_cqe));

	ring = atomik_alloc(sizeof(*ring));
	if (!ring)
		return ERR_PTR(error);
	ring->entries = n;
	ring->page_count = args->map_bytes >> PAGE_SHIFT;
	ring->pages = atomik_alloc(ring->page_count * sizeof(*ring->pages));
	if (!ring->pages)
		goto free_ring;
	for (got = 0; got < ring->page_count; got++) {
		ring->pages[got] = atomik_alloc_page();
		if (!ring->pages[got])
			goto free_pages;
	}
	base = vmap(ring->pages, ring->page_count, VM_MAP, PAGE_KERNEL);
	if (!base)
		goto free_pages;
	ring->head = base;
	ring->sqes = base + args->sqes_offset;
	ring->cqes = base + args->cqes_offset;
	return ring;

free_pages:
	while (got-- > 0)
		atomik_free_page(ring->pages[got]);
	atomik_free(ring->pages, ring->page_count * sizeof(*ring->pages));
free_ring:
	atomik_free(ring, sizeof(*ring));
	return ERR_PTR(error);
}

void atomik_ring_destroy(struct atomik_ring_memory *ring)
{
	u32 i;

	vunmap(ring->head);
	for (i = 0; i < ring->page_count; i++)
		atomik_free_page(ring->pages[i]);
	atomik_free(ring->pages, ring->page_count * sizeof(*ring->pages));
	atomik_free(ring, sizeof(*ring));
}

int atomik_ring_map(struct atomik_ring_memory *ring, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff != 0 || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* vm_map_pages refuses a mapping that is longer than the ring. */
	return vm_map_pages(vma, ring->pages, ring->page_count);
}

static u32 completions_waiting(const struct atomik_ring_memory *ring)
{
	return ring->cq_tail - READ_ONCE(ring->head->cq_head);
}

/* A process that wrote nonsense in cq_head has no room, and hurts itself only. */
static bool completion_room(const struct atomik_ring_memory *ring)
{
	return completions_waiting(ring) < 2 * ring->entries;
}

__poll_t atomik_ring_poll(struct atomik_ring_memory *ring)
{
	return (completions_waiting(ring) ? EPOLLIN | EPOLLRDNORM : 0) |
	       (completion_room(ring) ? EPOLLOUT | EPOLLWRNORM : 0);
}

int atomik_op_check(const struct atomik_table *table, bool readonly, u32 opcode, u32 flags, u64 address)
{
	u32 swap = flags & ATOMIK_SWAP_MASK;

	if (opcode < ATOMIK_OP_LOAD || opcode > ATOMIK_OP_SWAP || (flags & ~ATOMIK_SWAP_MASK))
		return -EINVAL;
	if (opcode == ATOMIK_OP_SWAP ? hweight32(swap) != 1 : swap != 0)
		return -EINVAL;
	if (readonly && opcode != ATOMIK_OP_READ)
		return -EACCES;
	if (address >= table->contexts)
		return -ERANGE;
	return 0;
}

/*
 * The run of silent ACCUMs at the head of the ring, under one hold of this CPU's
 * stripe: what a storm of deltas is.  Stops at the first entry that is anything
 * else, which is then taken one by one.  Returns how many it folded.
 */
static u32 fold_run(struct atomik_ring_memory *ring, struct atomik_table *table, u32 count)
{
	const u32 mask = ring->entries - 1, contexts = table->contexts;
	const u64 unused = ~table->shape.top_mask;
	const bool add = table->shape.lane == ATOMIK_LANE_ADD;
	struct atomik_stripe *stripe = atomik_stripe_lock(table);
	u64 *accumulators = stripe->accumulators;
	u32 done;

	for (done = 0; done < count; done++) {
		const struct atomik_sqe *shared = &ring->sqes[(ring->sq_head + done) & mask];
		u64 address = READ_ONCE(shared->address);
		u64 value = READ_ONCE(shared->value);

		if (READ_ONCE(shared->opcode) != ATOMIK_OP_ACCUM ||
		    READ_ONCE(shared->flags) != ATOMIK_SQE_SILENT || address >= contexts || (value & unused))
			break;
		/* One word, as the ring requires: atomik_fold without its loop. */
		if (add)
			accumulators[address] = (accumulators[address] + value) & ~unused;
		else
			accumulators[address] ^= value;
	}
	stripe->changes += done;
	spin_unlock(&stripe->lock);
	ring->sq_head += done;
	return done;
}

static void run(struct atomik_table *table, u32 opcode, u32 flags, u32 address, u64 *value)
{
	u64 in = *value;

	*value = 0;
	switch (opcode) {
	case ATOMIK_OP_LOAD:
		atomik_load(table, address, &in);
		break;
	case ATOMIK_OP_ACCUM:
		atomik_accum(table, address, &in);
		break;
	case ATOMIK_OP_READ:
		atomik_read(table, address, value);
		break;
	case ATOMIK_OP_SWAP:
		atomik_swap(table, address, flags & ATOMIK_SWAP_REPLACE ? &in : NULL, value);
		break;
	}
}

static void post(struct atomik_ring_memory *ring, u64 user, u64 value, int result)
{
	struct atomik_cqe *cqe = &ring->cqes[ring->cq_tail & (2 * ring->entries - 1)];

	WRITE_ONCE(cqe->user, user);
	WRITE_ONCE(cqe->value, value);
	WRITE_ONCE(cqe->result, result);
	WRITE_ONCE(cqe->reserved, 0);
	ring->cq_tail++;
}

static void run_one(struct atomik_ring_memory *ring, struct atomik_table *table, bool readonly)
{
	const struct atomik_sqe *shared = &ring->sqes[ring->sq_head & (ring->entries - 1)];
	u32 opcode = READ_ONCE(shared->opcode);
	u32 flags = READ_ONCE(shared->flags);
	u64 address = READ_ONCE(shared->address);
	u64 value = READ_ONCE(shared->value);
	u64 user = READ_ONCE(shared->user);
	bool silent = (flags & ATOMIK_SQE_SILENT) && opcode != ATOMIK_OP_READ && opcode != ATOMIK_OP_SWAP;
	int result = atomik_op_check(table, readonly, opcode, flags & ~ATOMIK_SQE_SILENT, address);

	if (!result && !atomik_fits(&table->shape, &value))
		result = -EDOM;
	if (!result)
		run(table, opcode, flags, address, &value);
	ring->sq_head++;
	if (result || !silent)
		post(ring, user, result ? 0 : value, result);
}

int atomik_ring_enter(struct atomik_ring_memory *ring, struct atomik_table *table, bool readonly, u32 count)
{
	u32 ready = smp_load_acquire(&ring->head->sq_tail) - ring->sq_head;
	u32 done = 0;

	/* More than a ring full cannot be ready: the process wrote nonsense. */
	if (ready > ring->entries)
		return -EOVERFLOW;
	count = min(count, ready);

	while (done < count && completion_room(ring)) {
		u32 folded = readonly ? 0 : fold_run(ring, table, min_t(u32, count - done, RUN_MAX));

		done += folded;
		if (!folded) {
			run_one(ring, table, readonly);
			done++;
		}
		cond_resched();
	}
	smp_store_release(&ring->head->sq_head, ring->sq_head);
	smp_store_release(&ring->head->cq_tail, ring->cq_tail);
	if (done)
		atomik_table_wake(table);
	return done;
}

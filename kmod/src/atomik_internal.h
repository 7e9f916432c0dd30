/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the files of this module know of each other, lowest first:
 * alloc and core, table, ring, device; rows, cow and net, waste; main.
 */
#ifndef ATOMIK_INTERNAL_H
#define ATOMIK_INTERNAL_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "../include/atomik.h"
#include "core.h"

/* --- alloc.c: zeroed memory charged to the caller's cgroup; counted, so that a leak shows --- */

void *atomik_alloc(size_t bytes);
void atomik_free(void *memory, size_t bytes);
struct page *atomik_alloc_page(void);
void atomik_free_page(struct page *page);
u64 atomik_bytes_live(void);

/* --- table.c: contexts, their accumulators, and who may use them by name --- */

struct atomik_stripe {
	spinlock_t lock;
	u64 changes;		/* operations that changed a context through this stripe */
	u64 *accumulators;	/* contexts * words */
} ____cacheline_aligned_in_smp;

struct atomik_table {
	struct atomik_shape shape;
	u32 contexts;
	u32 stripe_count;
	struct atomik_stripe *stripes;
	u64 *references;	/* contexts * words; written with every stripe locked */
	spinlock_t fold_lock;	/* taken before the stripes by whoever wants them all */
	wait_queue_head_t changed;
	size_t words_bytes;

	/* Under the registry's mutex. */
	struct list_head named;
	u32 users;
	char name[ATOMIK_NAME_BYTES];
	unsigned int ipc_namespace;
	kuid_t uid;
	kgid_t gid;
	u32 mode;
};

struct atomik_table *atomik_table_open(struct atomik_table_args *args);
void atomik_table_close(struct atomik_table *table);
u64 atomik_tables_live(void);
u64 atomik_table_bytes_max(void);
u32 atomik_stripe_count(void);
u64 atomik_table_changes(struct atomik_table *table);
void atomik_table_wake(struct atomik_table *table);

/* For a run of ACCUMs: fold into stripe->accumulators, count changes, spin_unlock(&stripe->lock). */
struct atomik_stripe *atomik_stripe_lock(struct atomik_table *table);

void atomik_load(struct atomik_table *table, u32 address, const u64 *value);
void atomik_accum(struct atomik_table *table, u32 address, const u64 *delta);
void atomik_read(struct atomik_table *table, u32 address, u64 *state);
/* A null `replace` keeps: the state becomes the reference. */
void atomik_swap(struct atomik_table *table, u32 address, const u64 *replace, u64 *state);

/* --- ring.c: submission and completion rings in shared memory --- */

struct atomik_ring_memory;

struct atomik_ring_memory *atomik_ring_create(struct atomik_ring *args);
void atomik_ring_destroy(struct atomik_ring_memory *ring);
int atomik_ring_map(struct atomik_ring_memory *ring, struct vm_area_struct *vma);
/* Runs up to `count` entries; how many it consumed, or -errno.  The caller serialises. */
int atomik_ring_enter(struct atomik_ring_memory *ring, struct atomik_table *table, bool readonly, u32 count);
__poll_t atomik_ring_poll(struct atomik_ring_memory *ring);

/* What an operation's opcode and flags must be; 0 or -errno. */
int atomik_op_check(const struct atomik_table *table, bool readonly, u32 opcode, u32 flags, u64 address);

/* --- device.c: /dev/atomik --- */

int atomik_device_init(void);
void atomik_device_exit(void);

/* --- rows.c: one row of counters a cgroup --- */

enum atomik_counter {
	ROW_COPIES,		/* copy-on-write faults that copied a page */
	ROW_ZERO_FILLS,		/* first writes over the zero page: no source, not counted as copies */
	ROW_SAMPLED,		/* copies whose source was kept to look again */
	ROW_JUDGED,		/* of those, looked at for the last time */
	ROW_UNCHANGED,		/* of those, never seen to differ from the source */
	ROW_LINES,		/* 64-byte lines that differed, over the judged */
	ROW_BYTES,		/* bytes that differed at the last look */
	ROW_BITS,		/* bits that differed at the last look */
	ROW_LOST,		/* sampled, but gone before the look: swapped, moved, never mapped */
	ROW_SENDS,		/* sends that returned more than 0 */
	ROW_SEND_BYTES,
	ROW_COMPARED,		/* sends with a complete fingerprint of their own */
	ROW_REPEATS,		/* of those, equal in length and fingerprint to the one before on the socket */
	ROW_REPEAT_BYTES,
	ROW_COUNTERS
};

#define ATOMIK_ROWS 1024	/* a power of two; row 0 takes what finds no place */

int atomik_rows_init(void);
void atomik_rows_exit(void);
void atomik_rows_clear(void);
/* The current task's row.  Needs preemption off, as does counting. */
u32 atomik_row_of_current(void);
void atomik_row_add(u32 row, enum atomik_counter counter, u64 n);
u64 atomik_row_id(u32 row);
u64 atomik_row_sum(u32 row, enum atomik_counter counter);
extern const char *const atomik_counter_names[ROW_COUNTERS];

/* --- cow.c and net.c: the observers.  start fails whole; stop waits for the last probe --- */

struct atomik_cow_live { u32 copies, unchanged, lines; u64 bytes; };

int atomik_cow_start(u32 every, u32 slots);
void atomik_cow_stop(void);
/* Look at the copies still held: live has ATOMIK_ROWS entries.  Returns how many are held. */
u32 atomik_cow_look(struct atomik_cow_live *live);
u64 atomik_cow_no_slot(void);

int atomik_net_start(void);
void atomik_net_stop(void);
u64 atomik_net_missed(void);

/* --- waste.c: /dev/atomik-waste --- */

int atomik_waste_init(void);
void atomik_waste_exit(void);

#endif

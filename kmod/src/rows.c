// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * One row of counters for each cgroup v2 that wasted something, one copy of the
 * row a CPU, so that counting is an increment in the CPU's own cache line.
 *
 * Invariant: a row, once given to a cgroup, stays its own until atomik_rows_clear,
 * which the caller runs with every observer quiet.  What finds no row is counted in
 * row 0, under id 0, never dropped and never given to another cgroup.
 */
#include <linux/cgroup.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "atomik_internal.h"

#define PROBES_MAX 32

struct row {
	u64 counters[ROW_COUNTERS];
} ____cacheline_aligned;

static u64 ids[ATOMIK_ROWS];
static DEFINE_PER_CPU(struct row *, rows);

const char *const atomik_counter_names[ROW_COUNTERS] = {
	"copies", "zero_fills", "sampled", "judged", "unchanged", "lines", "bytes", "bits", "lost",
	"sends", "send_bytes", "compared", "repeats", "repeat_bytes",
};

int atomik_rows_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(rows, cpu) = atomik_alloc(ATOMIK_ROWS * sizeof(struct row));
		if (!per_cpu(rows, cpu)) {
			atomik_rows_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void atomik_rows_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		atomik_free(per_cpu(rows, cpu), ATOMIK_ROWS * sizeof(struct row));
		per_cpu(rows, cpu) = NULL;
	}
	memset(ids, 0, sizeof(ids));
}

void atomik_rows_clear(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu(rows, cpu), 0, ATOMIK_ROWS * sizeof(struct row));
	memset(ids, 0, sizeof(ids));
}

static u64 cgroup_of_current(void)
{
	u64 id;

	rcu_read_lock();
	id = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
	return id;
}

u32 atomik_row_of_current(void)
{
	u64 id = cgroup_of_current(), seen;
	u32 at = hash_64(id, ilog2(ATOMIK_ROWS)), i;

	for (i = 0; i < PROBES_MAX; i++, at++) {
		u32 row = at & (ATOMIK_ROWS - 1);

		if (row == 0)
			continue;
		seen = READ_ONCE(ids[row]);
		if (!seen)
			seen = cmpxchg64(&ids[row], 0, id);
		if (!seen || seen == id)
			return row;
	}
	return 0;
}

void atomik_row_add(u32 row, enum atomik_counter counter, u64 n)
{
	u64 *at = &__this_cpu_read(rows)[row].counters[counter];

	WRITE_ONCE(*at, *at + n);
}

u64 atomik_row_id(u32 row)
{
	return READ_ONCE(ids[row]);
}

u64 atomik_row_sum(u32 row, enum atomik_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(rows, cpu)[row].counters[counter]);
	return sum;
}

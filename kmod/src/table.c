// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * A table: `contexts` references, and for each CPU (64 stripes at most) its own
 * accumulators.  ACCUM takes the lock of its own stripe only, so CPUs do not
 * meet; whoever needs a state takes fold_lock and then every stripe, in order.
 *
 * Invariant: state = reference (.) all accumulators, and LOAD, READ and SWAP see
 * one moment: an ACCUM that returned before they began is in, whichever CPU ran it.
 */
#include <linux/cred.h>
#include <linux/ipc_namespace.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/smp.h>
#include <linux/uidgid.h>

#include "atomik_internal.h"

#define STRIPES_MAX 64	/* so that locking all stays within the preemption count's 255 */

static unsigned long table_bytes_max = 64UL << 20;
module_param(table_bytes_max, ulong, 0644);
MODULE_PARM_DESC(table_bytes_max, "the largest table, accumulators included, in bytes");

static DEFINE_MUTEX(registry_mutex);
static LIST_HEAD(registry);
static u64 tables_live;		/* under registry_mutex */

u64 atomik_table_bytes_max(void)
{
	/* kvmalloc refuses 2 GiB and more with a warning; the user gets ENOSPC before that. */
	return min(READ_ONCE(table_bytes_max), 1UL << 30);
}

u64 atomik_tables_live(void)
{
	u64 n;

	mutex_lock(&registry_mutex);
	n = tables_live;
	mutex_unlock(&registry_mutex);
	return n;
}

u32 atomik_stripe_count(void)
{
	return min_t(u32, nr_cpu_ids, STRIPES_MAX);
}

static void table_free(struct atomik_table *table)
{
	u32 i;

	if (table->stripes)
		for (i = 0; i < table->stripe_count; i++)
			atomik_free(table->stripes[i].accumulators, table->words_bytes);
	atomik_free(table->stripes, table->stripe_count * sizeof(*table->stripes));
	atomik_free(table->references, table->words_bytes);
	atomik_free(table, sizeof(*table));
}

static struct atomik_table *table_alloc(const struct atomik_table_args *args)
{
	struct atomik_table *table;
	struct atomik_shape shape;
	size_t words_bytes;
	u32 i;

	if (!atomik_shape_init(&shape, args->lane, args->width))
		return ERR_PTR(-EINVAL);
	if (args->contexts == 0 || args->contexts > ATOMIK_CONTEXTS_MAX)
		return ERR_PTR(-EINVAL);
	words_bytes = (size_t)args->contexts * shape.words * sizeof(u64);
	if (words_bytes > atomik_table_bytes_max() / (1 + atomik_stripe_count()))
		return ERR_PTR(-ENOSPC);

	table = atomik_alloc(sizeof(*table));
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->shape = shape;
	table->contexts = args->contexts;
	table->words_bytes = words_bytes;
	table->stripe_count = atomik_stripe_count();
	table->users = 1;
	spin_lock_init(&table->fold_lock);
	init_waitqueue_head(&table->changed);
	INIT_LIST_HEAD(&table->named);

	table->references = atomik_alloc(words_bytes);
	table->stripes = atomik_alloc(table->stripe_count * sizeof(*table->stripes));
	if (!table->references || !table->stripes)
		goto no_memory;
	for (i = 0; i < table->stripe_count; i++) {
		spin_lock_init(&table->stripes[i].lock);
		table->stripes[i].accumulators = atomik_alloc(words_bytes);
		if (!table->stripes[i].accumulators)
			goto no_memory;
	}
	return table;

no_memory:
	table_free(table);
	return ERR_PTR(-ENOMEM);
}

static bool permitted(const struct atomik_table *table, bool readonly)
{
	u32 want = readonly ? 4 : 6, have;

	if (uid_eq(current_fsuid(), table->uid))
		have = table->mode >> 6;
	else if (in_group_p(table->gid))
		have = table->mode >> 3;
	else
		have = table->mode;
	return (have & want) == want || capable(CAP_DAC_OVERRIDE);
}

/* Names are the IPC namespace's, as those of shared memory are. */
static unsigned int current_ipc_namespace(void)
{
	return current->nsproxy->ipc_ns->ns.inum;
}

static struct atomik_table *find(const char *name)
{
	struct atomik_table *table;

	list_for_each_entry(table, &registry, named)
		if (table->ipc_namespace == current_ipc_namespace() && !strcmp(table->name, name))
			return table;
	return NULL;
}

static struct atomik_table *open_locked(struct atomik_table_args *args)
{
	struct atomik_table *table = args->name[0] ? find(args->name) : NULL;
	bool create = args->flags & ATOMIK_TABLE_CREATE;
	bool readonly = args->flags & ATOMIK_TABLE_READONLY;

	if (table) {
		if (create && (args->flags & ATOMIK_TABLE_EXCLUSIVE))
			return ERR_PTR(-EEXIST);
		if (!permitted(table, readonly))
			return ERR_PTR(-EACCES);
		/* A caller that says what it wants must get that, or be told. */
		if (create && (args->lane != table->shape.lane || args->width != table->shape.width ||
			       args->contexts != table->contexts))
			return ERR_PTR(-ENXIO);
		table->users++;
		return table;
	}
	if (!create)
		return ERR_PTR(-ENOENT);

	table = table_alloc(args);
	if (IS_ERR(table))
		return table;
	memcpy(table->name, args->name, sizeof(table->name));
	table->uid = current_fsuid();
	table->gid = current_fsgid();
	table->mode = args->mode;
	table->ipc_namespace = current_ipc_namespace();
	if (table->name[0])
		list_add(&table->named, &registry);
	tables_live++;
	return table;
}

struct atomik_table *atomik_table_open(struct atomik_table_args *args)
{
	struct atomik_table *table;

	if (strnlen(args->name, sizeof(args->name)) == sizeof(args->name))
		return ERR_PTR(-ENAMETOOLONG);
	if (args->mode & ~0777)
		return ERR_PTR(-EINVAL);

	mutex_lock(&registry_mutex);
	table = open_locked(args);
	if (!IS_ERR(table)) {
		args->mode = table->mode;
		args->lane = table->shape.lane;
		args->width = table->shape.width;
		args->contexts = table->contexts;
	}
	mutex_unlock(&registry_mutex);
	return table;
}

void atomik_table_close(struct atomik_table *table)
{
	mutex_lock(&registry_mutex);
	if (--table->users) {
		mutex_unlock(&registry_mutex);
		return;
	}
	list_del(&table->named);
	tables_live--;
	mutex_unlock(&registry_mutex);
	table_free(table);
}

/* Two stripes may be locked by one task only under fold_lock, which the annotation tells lockdep. */
static void lock_all(struct atomik_table *table)
{
	u32 i;

	spin_lock(&table->fold_lock);
	for (i = 0; i < table->stripe_count; i++)
		spin_lock_nest_lock(&table->stripes[i].lock, &table->fold_lock);
}

static void unlock_all(struct atomik_table *table)
{
	u32 i;

	for (i = table->stripe_count; i-- > 0;)
		spin_unlock(&table->stripes[i].lock);
	spin_unlock(&table->fold_lock);
}

static u64 *accumulator(const struct atomik_table *table, const struct atomik_stripe *stripe, u32 address)
{
	return stripe->accumulators + (size_t)address * table->shape.words;
}

static u64 *reference(const struct atomik_table *table, u32 address)
{
	return table->references + (size_t)address * table->shape.words;
}

static void fold_state(struct atomik_table *table, u32 address, u64 *state)
{
	u32 i;

	atomik_copy(&table->shape, state, reference(table, address));
	for (i = 0; i < table->stripe_count; i++)
		atomik_fold(&table->shape, state, accumulator(table, &table->stripes[i], address));
}

static void set_reference(struct atomik_table *table, u32 address, const u64 *value)
{
	u32 i;

	atomik_copy(&table->shape, reference(table, address), value);
	for (i = 0; i < table->stripe_count; i++)
		atomik_clear(&table->shape, accumulator(table, &table->stripes[i], address));
	table->stripes[0].changes++;
}

u64 atomik_table_changes(struct atomik_table *table)
{
	u64 changes = 0;
	u32 i;

	for (i = 0; i < table->stripe_count; i++)
		changes += READ_ONCE(table->stripes[i].changes);
	return changes;
}

void atomik_table_wake(struct atomik_table *table)
{
	if (wq_has_sleeper(&table->changed))
		wake_up_interruptible_poll(&table->changed, EPOLLPRI);
}

struct atomik_stripe *atomik_stripe_lock(struct atomik_table *table)
{
	struct atomik_stripe *stripe = &table->stripes[raw_smp_processor_id() % table->stripe_count];

	/* Moving to another CPU here costs a shared cache line, not correctness. */
	spin_lock(&stripe->lock);
	return stripe;
}

void atomik_accum(struct atomik_table *table, u32 address, const u64 *delta)
{
	struct atomik_stripe *stripe = atomik_stripe_lock(table);

	atomik_fold(&table->shape, accumulator(table, stripe, address), delta);
	stripe->changes++;
	spin_unlock(&stripe->lock);
}

void atomik_load(struct atomik_table *table, u32 address, const u64 *value)
{
	lock_all(table);
	set_reference(table, address, value);
	unlock_all(table);
}

void atomik_read(struct atomik_table *table, u32 address, u64 *state)
{
	lock_all(table);
	fold_state(table, address, state);
	unlock_all(table);
}

void atomik_swap(struct atomik_table *table, u32 address, const u64 *replace, u64 *state)
{
	lock_all(table);
	fold_state(table, address, state);
	set_reference(table, address, replace ? replace : state);
	unlock_all(table);
}

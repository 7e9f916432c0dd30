// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * /dev/atomik: one file, at most one table, at most one ring.
 *
 * Invariant: a refused call changes nothing.  So the caller's answer buffer is
 * proved writable before a SWAP runs, and everything else is checked before
 * anything is done.  The files hold the module: it cannot be unloaded under them.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "atomik_internal.h"

struct atomik_file {
	/* Set once, by cmpxchg or under the mutex; never cleared before release. */
	struct atomik_table *table;
	struct atomik_ring_memory *ring;
	bool readonly;
	u64 changes_seen;
	struct mutex mutex;	/* attaching, making the ring, running it */
};

static int device_open(struct inode *inode, struct file *file)
{
	struct atomik_file *self = atomik_alloc(sizeof(*self));

	if (!self)
		return -ENOMEM;
	mutex_init(&self->mutex);
	file->private_data = self;
	return stream_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	struct atomik_file *self = file->private_data;

	if (self->ring)
		atomik_ring_destroy(self->ring);
	if (self->table)
		atomik_table_close(self->table);
	mutex_destroy(&self->mutex);
	atomik_free(self, sizeof(*self));
	return 0;
}

/* Every structure begins with its version. */
static int take(void *into, const void __user *from, size_t bytes)
{
	if (copy_from_user(into, from, bytes))
		return -EFAULT;
	return *(u32 *)into == ATOMIK_VERSION ? 0 : -EPROTO;
}

static int give(void __user *into, const void *from, size_t bytes)
{
	return copy_to_user(into, from, bytes) ? -EFAULT : 0;
}

static long do_info(void __user *user)
{
	struct atomik_info info;
	int error = take(&info, user, sizeof(info));

	if (error)
		return error;
	memset(&info, 0, sizeof(info));
	info.version = ATOMIK_VERSION;
	info.lanes = 1 << ATOMIK_LANE_XOR | 1 << ATOMIK_LANE_ADD;
	info.width_max = ATOMIK_WIDTH_MAX;
	info.contexts_max = ATOMIK_CONTEXTS_MAX;
	info.table_bytes_max = atomik_table_bytes_max();
	info.stripes = atomik_stripe_count();
	info.ring_entries_max = ATOMIK_RING_ENTRIES_MAX;
	info.tables_live = atomik_tables_live();
	info.bytes_live = atomik_bytes_live();
	return give(user, &info, sizeof(info));
}

static long do_table(struct atomik_file *self, fmode_t mode, void __user *user)
{
	const u32 known = ATOMIK_TABLE_CREATE | ATOMIK_TABLE_EXCLUSIVE | ATOMIK_TABLE_READONLY;
	struct atomik_table_args args;
	struct atomik_table *table;
	int error = take(&args, user, sizeof(args));

	if (error)
		return error;
	if (args.flags & ~known)
		return -EINVAL;
	if ((args.flags & ATOMIK_TABLE_EXCLUSIVE) && !(args.flags & ATOMIK_TABLE_CREATE))
		return -EINVAL;
	if (!args.name[0] && !(args.flags & ATOMIK_TABLE_CREATE))
		return -EINVAL;
	/* A descriptor opened for reading reads. */
	if (!(mode & FMODE_WRITE) && !(args.flags & ATOMIK_TABLE_READONLY))
		return -EACCES;

	mutex_lock(&self->mutex);
	if (self->table) {
		error = -EBUSY;
		goto unlock;
	}
	table = atomik_table_open(&args);
	if (IS_ERR(table)) {
		error = PTR_ERR(table);
		goto unlock;
	}
	error = give(user, &args, sizeof(args));
	if (error) {
		atomik_table_close(table);
		goto unlock;
	}
	self->readonly = args.flags & ATOMIK_TABLE_READONLY;
	/* Whoever sees the table sees it whole, and `readonly` with it. */
	smp_store_release(&self->table, table);
unlock:
	mutex_unlock(&self->mutex);
	return error;
}

static void run(struct atomik_table *table, const struct atomik_op *op, u64 *words, u64 *state)
{
	switch (op->opcode) {
	case ATOMIK_OP_LOAD:
		atomik_load(table, op->address, words);
		break;
	case ATOMIK_OP_ACCUM:
		atomik_accum(table, op->address, words);
		break;
	case ATOMIK_OP_READ:
		atomik_read(table, op->address, state);
		break;
	case ATOMIK_OP_SWAP:
		atomik_swap(table, op->address, op->flags & ATOMIK_SWAP_REPLACE ? words : NULL, state);
		break;
	}
	if (op->opcode != ATOMIK_OP_READ)
		atomik_table_wake(table);
}

static bool takes_value(const struct atomik_op *op)
{
	return op->opcode == ATOMIK_OP_LOAD || op->opcode == ATOMIK_OP_ACCUM ||
	       (op->flags & ATOMIK_SWAP_REPLACE);
}

static bool gives_state(const struct atomik_op *op)
{
	return op->opcode == ATOMIK_OP_READ || op->opcode == ATOMIK_OP_SWAP;
}

/* At most 64 bits: the word travels in the structure, and nothing is allocated. */
static long do_op_narrow(struct atomik_table *table, struct atomik_op *op, struct atomik_op __user *user)
{
	u64 state;

	if (op->words)
		return -EINVAL;
	if (takes_value(op) ? !atomik_fits(&table->shape, &op->value) : op->value != 0)
		return -EDOM;
	if (op->opcode == ATOMIK_OP_SWAP && put_user(op->value, &user->value))
		return -EFAULT;
	run(table, op, &op->value, &state);
	return gives_state(op) && put_user(state, &user->value) ? -EFAULT : 0;
}

static long do_op_wide(struct atomik_table *table, struct atomik_op *op)
{
	size_t bytes = table->shape.words * sizeof(u64);
	u64 __user *user = u64_to_user_ptr(op->words);
	u64 *words, *state;
	long error = -EFAULT;

	if (op->value)
		return -EINVAL;
	words = atomik_alloc(2 * bytes);
	if (!words)
		return -ENOMEM;
	state = words + table->shape.words;
	if (takes_value(op)) {
		if (copy_from_user(words, user, bytes))
			goto out;
		if (!atomik_fits(&table->shape, words)) {
			error = -EDOM;
			goto out;
		}
	}
	/* `words` is what was there, or zeros: the answer replaces it anyhow. */
	if (op->opcode == ATOMIK_OP_SWAP && copy_to_user(user, words, bytes))
		goto out;
	run(table, op, words, state);
	error = gives_state(op) ? give(user, state, bytes) : 0;
out:
	atomik_free(words, 2 * bytes);
	return error;
}

static long do_op(struct atomik_file *self, struct atomik_op __user *user)
{
	struct atomik_table *table = smp_load_acquire(&self->table);
	struct atomik_op op;
	int error = take(&op, user, sizeof(op));

	if (error)
		return error;
	if (!table)
		return -ENOTCONN;
	if (op.reserved)
		return -EINVAL;
	error = atomik_op_check(table, self->readonly, op.opcode, op.flags, op.address);
	if (error)
		return error;
	return table->shape.words == 1 ? do_op_narrow(table, &op, user) : do_op_wide(table, &op);
}

static long do_ring(struct atomik_file *self, void __user *user)
{
	struct atomik_ring_memory *ring;
	struct atomik_ring args;
	int error = take(&args, user, sizeof(args));

	if (error)
		return error;
	if (args.reserved || args.map_bytes || args.sqes_offset || args.cqes_offset)
		return -EINVAL;
	mutex_lock(&self->mutex);
	error = !self->table ? -ENOTCONN : self->ring ? -EBUSY :
		self->table->shape.words != 1 ? -EOPNOTSUPP : 0;
	if (error)
		goto unlock;
	ring = atomik_ring_create(&args);
	if (IS_ERR(ring)) {
		error = PTR_ERR(ring);
		goto unlock;
	}
	error = give(user, &args, sizeof(args));
	if (error)
		atomik_ring_destroy(ring);
	else
		smp_store_release(&self->ring, ring);
unlock:
	mutex_unlock(&self->mutex);
	return error;
}

static long do_enter(struct atomik_file *self, void __user *user)
{
	struct atomik_enter args;
	long result = take(&args, user, sizeof(args));

	if (result)
		return result;
	if (args.reserved)
		return -EINVAL;
	if (!smp_load_acquire(&self->ring))
		return -ENOTCONN;
	if (mutex_lock_interruptible(&self->mutex))
		return -ERESTARTSYS;
	result = atomik_ring_enter(self->ring, self->table, self->readonly, args.count);
	mutex_unlock(&self->mutex);
	return result;
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct atomik_file *self = file->private_data;
	void __user *user = (void __user *)argument;

	switch (command) {
	case ATOMIK_IOC_INFO:
		return do_info(user);
	case ATOMIK_IOC_TABLE:
		return do_table(self, file->f_mode, user);
	case ATOMIK_IOC_OP:
		return do_op(self, user);
	case ATOMIK_IOC_RING:
		return do_ring(self, user);
	case ATOMIK_IOC_ENTER:
		return do_enter(self, user);
	default:
		return -ENOTTY;
	}
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct atomik_file *self = file->private_data;
	struct atomik_ring_memory *ring = smp_load_acquire(&self->ring);

	return ring ? atomik_ring_map(ring, vma) : -ENOTCONN;
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct atomik_file *self = file->private_data;
	struct atomik_table *table = smp_load_acquire(&self->table);
	struct atomik_ring_memory *ring = smp_load_acquire(&self->ring);
	__poll_t events = 0;
	u64 changes;

	if (!table)
		return EPOLLERR;
	poll_wait(file, &table->changed, wait);
	changes = atomik_table_changes(table);
	/* Each change is reported to this file once. */
	if (changes != READ_ONCE(self->changes_seen)) {
		events |= EPOLLPRI;
		WRITE_ONCE(self->changes_seen, changes);
	}
	return ring ? events | atomik_ring_poll(ring) : events;
}

static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = device_mmap,
	.poll = device_poll,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "atomik",
	.fops = &device_operations,
	/* For everybody: what a process takes is charged to its own cgroup and bounded. */
	.mode = 0666,
};

int atomik_device_init(void)
{
	return misc_register(&device);
}

void atomik_device_exit(void)
{
	misc_deregister(&device);
}

// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * /dev/atomik-waste, for root: reading gives one report as text, writing commands it.
 *
 *   start [cow=N] [slots=N] [net=0|1]   cow=N looks at one copy in N; cow=0 not at all
 *   stop                                counters stay readable
 *   reset                               counters to zero, same settings
 *
 * The report's first line names its version.  A line is a word, then name=value
 * pairs; readers skip names they do not know.  live_* are copies still mapped, as
 * they are at this reading.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "atomik_internal.h"

#define COW_EVERY_DEFAULT	32
#define SLOTS_DEFAULT		4096	/* 16 MiB */
#define SLOTS_MAX		65536
#define COMMAND_BYTES_MAX	128

struct settings {
	u32 cow, slots, net;
};

static DEFINE_MUTEX(control);		/* everything below, and the observers' start and stop */
static bool rows_exist, running;
static struct settings settings;

static void stop(void)
{
	if (!running)
		return;
	if (settings.net)
		atomik_net_stop();
	if (settings.cow)
		atomik_cow_stop();
	running = false;
}

static int start(const struct settings *wanted)
{
	int error = 0;

	if (running)
		return -EBUSY;
	if (!rows_exist)
		error = atomik_rows_init();
	if (error)
		return error;
	rows_exist = true;
	atomik_rows_clear();
	if (wanted->cow)
		error = atomik_cow_start(wanted->cow, wanted->slots);
	if (error)
		return error;
	if (wanted->net)
		error = atomik_net_start();
	if (error) {
		if (wanted->cow)
			atomik_cow_stop();
		return error;
	}
	settings = *wanted;
	running = true;
	return 0;
}

static int reset(void)
{
	struct settings same = settings;

	if (!running) {
		if (rows_exist)
			atomik_rows_clear();
		return 0;
	}
	/* The observers must be quiet while their counters go. */
	stop();
	return start(&same);
}

static int parse_setting(char *word, struct settings *into)
{
	char *value = strchr(word, '=');
	u32 number;

	if (!value)
		return -EINVAL;
	*value++ = 0;
	if (kstrtou32(value, 10, &number))
		return -EINVAL;
	if (!strcmp(word, "cow") && number <= 1u << 20)
		into->cow = number;
	else if (!strcmp(word, "slots") && number >= 1 && number <= SLOTS_MAX)
		into->slots = number;
	else if (!strcmp(word, "net") && number <= 1)
		into->net = number;
	else
		return -EINVAL;
	return 0;
}

static int command(char *line)
{
	struct settings wanted = { COW_EVERY_DEFAULT, SLOTS_DEFAULT, 1 };
	char *verb = strsep(&line, " "), *word;
	int error = 0;

	if (!strcmp(verb, "start")) {
		while (!error && (word = strsep(&line, " ")))
			error = *word ? parse_setting(word, &wanted) : 0;
		if (!error && !wanted.cow && !wanted.net)
			error = -EINVAL;
		return error ? error : start(&wanted);
	}
	if (line)
		return -EINVAL;
	if (!strcmp(verb, "stop")) {
		stop();
		return 0;
	}
	return strcmp(verb, "reset") ? -EINVAL : reset();
}

static ssize_t waste_write(struct file *file, const char __user *user, size_t bytes, loff_t *position)
{
	char line[COMMAND_BYTES_MAX + 1];
	int error;

	if (bytes == 0 || bytes > COMMAND_BYTES_MAX)
		return -EINVAL;
	if (copy_from_user(line, user, bytes))
		return -EFAULT;
	line[bytes] = 0;
	if (line[bytes - 1] == '\n')
		line[bytes - 1] = 0;
	if (mutex_lock_interruptible(&control))
		return -ERESTARTSYS;
	error = command(line);
	mutex_unlock(&control);
	return error ? error : bytes;
}

static void show_row(struct seq_file *out, u32 row, const struct atomik_cow_live *live)
{
	u64 sums[ROW_COUNTERS], any = 0;
	int i;

	for (i = 0; i < ROW_COUNTERS; i++)
		any |= sums[i] = atomik_row_sum(row, i);
	if (!any)
		return;
	seq_printf(out, "cgroup id=%llu", atomik_row_id(row));
	for (i = 0; i < ROW_COUNTERS; i++)
		seq_printf(out, " %s=%llu", atomik_counter_names[i], sums[i]);
	seq_printf(out, " live=%u live_unchanged=%u live_lines=%u live_bytes=%llu\n",
		   live->copies, live->unchanged, live->lines, live->bytes);
}

static int waste_show(struct seq_file *out, void *unused)
{
	struct atomik_cow_live *live;
	u32 held = 0, row;

	live = kvcalloc(ATOMIK_ROWS, sizeof(*live), GFP_KERNEL_ACCOUNT);
	if (!live)
		return -ENOMEM;
	mutex_lock(&control);
	if (running && settings.cow)
		held = atomik_cow_look(live);
	seq_puts(out, "atomik-waste version=1\n");
	seq_printf(out, "state running=%d cow=%u slots=%u net=%u held=%u no_slot=%llu net_missed=%llu\n",
		   running, settings.cow, settings.slots, settings.net, held,
		   settings.cow ? atomik_cow_no_slot() : 0, settings.net ? atomik_net_missed() : 0);
	if (rows_exist)
		for (row = 0; row < ATOMIK_ROWS; row++)
			show_row(out, row, &live[row]);
	mutex_unlock(&control);
	kvfree(live);
	return 0;
}

static int waste_open(struct inode *inode, struct file *file)
{
	/* misc_open leaves its device here, which seq_file takes for another seq_file. */
	file->private_data = NULL;
	/* Room for a hundred rows at once; seq_file grows it, and runs show again, beyond that. */
	return single_open_size(file, waste_show, NULL, 32768);
}

static const struct file_operations waste_operations = {
	.owner = THIS_MODULE,
	.open = waste_open,
	.read = seq_read,
	.write = waste_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static struct miscdevice waste_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "atomik-waste",
	.fops = &waste_operations,
	.mode = 0600,
};

int atomik_waste_init(void)
{
	return misc_register(&waste_device);
}

void atomik_waste_exit(void)
{
	misc_deregister(&waste_device);
	stop();
	if (rows_exist)
		atomik_rows_exit();
}

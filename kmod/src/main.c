// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* The module: two devices.  Nothing is probed or allocated until somebody asks. */
#include <linux/module.h>

#include "atomik_internal.h"

static int __init atomik_init(void)
{
	int error;

	error = atomik_device_init();
	if (error)
		return error;
	error = atomik_waste_init();
	if (error)
		goto no_waste;
	pr_info("atomik: version %d\n", ATOMIK_VERSION);
	return 0;

no_waste:
	atomik_device_exit();
	return error;
}

static void __exit atomik_exit(void)
{
	atomik_waste_exit();
	atomik_device_exit();
	WARN(atomik_bytes_live(), "atomik: %llu bytes leaked\n", atomik_bytes_live());
}

module_init(atomik_init);
module_exit(atomik_exit);

MODULE_DESCRIPTION("ATOMiK: delta-state tables, and a tracker of copies and sends that were not needed");
MODULE_VERSION("1.0.0");
/* Dual with Apache-2.0; the kernel's list has no such pair, and its GPL symbols need this one. */
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Every allocation a caller can cause goes through here: zeroed, charged to the
 * caller's cgroup, failing with NULL rather than calling the OOM killer, and
 * counted, so that INFO and the module's exit can show a leak.
 *
 * Built with ATOMIK_FAULTS=1 the parameter fail_nth makes the n-th allocation
 * from now fail, once.  The shipped module has no such parameter.
 */
#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "atomik_internal.h"

#define ATOMIK_GFP (GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

static atomic64_t bytes_live = ATOMIC64_INIT(0);

#ifdef ATOMIK_FAULTS
static int fail_nth;
module_param(fail_nth, int, 0600);
MODULE_PARM_DESC(fail_nth, "test only: fail the n-th allocation from now");

static bool fault(void)
{
	/* The test that sets it allocates from one task. */
	return fail_nth > 0 && --fail_nth == 0;
}
#else
static bool fault(void)
{
	return false;
}
#endif

void *atomik_alloc(size_t bytes)
{
	void *memory = fault() ? NULL : kvmalloc(bytes, ATOMIK_GFP);

	if (memory)
		atomic64_add(bytes, &bytes_live);
	return memory;
}

void atomik_free(void *memory, size_t bytes)
{
	if (!memory)
		return;
	atomic64_sub(bytes, &bytes_live);
	kvfree(memory);
}

struct page *atomik_alloc_page(void)
{
	struct page *page = fault() ? NULL : alloc_page(ATOMIK_GFP);

	if (page)
		atomic64_add(PAGE_SIZE, &bytes_live);
	return page;
}

void atomik_free_page(struct page *page)
{
	atomic64_sub(PAGE_SIZE, &bytes_live);
	/* A mapping may still hold it; the last reference frees it. */
	put_page(page);
}

u64 atomik_bytes_live(void)
{
	return atomic64_read(&bytes_live);
}

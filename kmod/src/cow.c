// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Copy on write: was the copy needed?
 *
 * A kprobe on wp_page_copy counts every copy, and for one in `every` (at random)
 * keeps what the source held: its contents, not a reference to its frame, since
 * the other owner may write there the moment it is alone, and an extra reference
 * would itself cause copies.  The copy is looked at again before its page tables
 * go (exit_mmap, unmap_page_range), when it is itself copied over, or, in a process
 * that lives on, after settle_ms.  A line that ever differed at a look counts.
 *
 * Why kprobes: no tracepoint stands at the copy, at the last moment of a mapping,
 * or tells old from new (exceptions:page_fault_user is not exported and fires for
 * every fault); fprobes and BPF trampolines hook the same functions, the first is
 * not configured in Debian's 6.1, and BPF cannot keep and compare pages.  An MMU
 * notifier would be the stable way to see an unmap, but registering one in every
 * forked process locks all its mappings and costs more than the copies.
 *
 * Invariant: an entry in the hashes holds its mm_struct; under `lock` its page
 * tables stand, for exit_mmap's probe removes it, under `lock`, before they go.
 */
#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "atomik_internal.h"

#define PAGE_BUCKETS_BITS	12
#define MM_BUCKETS_BITS		10

static unsigned int settle_ms = 30000;
module_param(settle_ms, uint, 0644);
MODULE_PARM_DESC(settle_ms, "a copy still mapped after this long is judged, and its slot freed");

struct slot {
	struct hlist_node by_page;	/* in by_page[], and in free_slots while unused */
	struct hlist_node by_mm;
	struct mm_struct *mm;		/* null: unused */
	unsigned long address;
	unsigned long source_pfn;
	unsigned long born;		/* jiffies */
	u64 lines_seen;			/* lines that differed at any look */
	u32 row;
	u64 *before;			/* what the source held */
};

enum look { LOOK_DONE, LOOK_GONE, LOOK_SOURCE };

static struct hlist_head by_page[1 << PAGE_BUCKETS_BITS];
static struct hlist_head by_mm[1 << MM_BUCKETS_BITS];
static HLIST_HEAD(free_slots);
static DEFINE_RAW_SPINLOCK(lock);	/* the hashes and the free list */
static struct slot *slots;
static u64 *contents;
static u32 slot_count, sample_every;
static u64 no_slot;			/* under lock */

struct sampler {
	u64 random;
	u32 gap;
};
static DEFINE_PER_CPU(struct sampler, samplers);

static struct hlist_head *page_bucket(struct mm_struct *mm, unsigned long address)
{
	return &by_page[hash_64((unsigned long)mm / sizeof(long) + (address >> PAGE_SHIFT) * GOLDEN_RATIO_64,
				PAGE_BUCKETS_BITS)];
}

static struct hlist_head *mm_bucket(struct mm_struct *mm)
{
	return &by_mm[hash_ptr(mm, MM_BUCKETS_BITS)];
}

/* The frame at an address, as get_user_pages_fast finds it; interrupts are off, so tables stay. */
static pte_t *walk(struct mm_struct *mm, unsigned long address, pte_t *huge)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, address));
	p4d_t p4d;
	pud_t pud;
	pmd_t *pmdp, pmd;

	if (pgd_none(pgd) || pgd_bad(pgd))
		return NULL;
	p4d = READ_ONCE(*p4d_offset(pgd_offset(mm, address), address));
	if (p4d_none(p4d) || p4d_bad(p4d))
		return NULL;
	pud = READ_ONCE(*pud_offset(p4d_offset(pgd_offset(mm, address), address), address));
	if (pud_none(pud) || pud_bad(pud))
		return NULL;
	pmdp = pmd_offset(pud_offset(p4d_offset(pgd_offset(mm, address), address), address), address);
	pmd = READ_ONCE(*pmdp);
	if (pmd_none(pmd) || !pmd_present(pmd))
		return NULL;
	if (pmd_trans_huge(pmd)) {
		*huge = pfn_pte(pmd_pfn(pmd) + ((address & ~PMD_MASK) >> PAGE_SHIFT), PAGE_KERNEL);
		return huge;
	}
	if (pmd_bad(pmd))
		return NULL;
	return pte_offset_kernel(pmdp, address);
}

static enum look look(struct slot *slot, struct atomik_page_diff *diff)
{
	enum look result = LOOK_GONE;
	unsigned long flags;
	pte_t huge, *at, pte;

	local_irq_save(flags);
	at = walk(slot->mm, slot->address, &huge);
	if (!at)
		goto out;
	pte = READ_ONCE(*at);
	if (!pte_present(pte) || !pfn_valid(pte_pfn(pte)))
		goto out;
	if (pte_pfn(pte) == slot->source_pfn) {
		result = LOOK_SOURCE;
		goto out;
	}
	atomik_page_compare(diff, slot->before, page_address(pfn_to_page(pte_pfn(pte))));
	/* If it went meanwhile the comparison means nothing. */
	if (pte_pfn(READ_ONCE(*at)) == pte_pfn(pte))
		result = LOOK_DONE;
out:
	local_irq_restore(flags);
	return result;
}

/* Under lock. */
static void detach(struct slot *slot, struct hlist_head *into)
{
	hlist_del(&slot->by_page);
	hlist_del_init(&slot->by_mm);
	hlist_add_head(&slot->by_page, into);
}

static void give_back(struct slot *slot)
{
	struct mm_struct *mm = slot->mm;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	hlist_del(&slot->by_page);
	slot->mm = NULL;
	hlist_add_head(&slot->by_page, &free_slots);
	raw_spin_unlock_irqrestore(&lock, flags);
	mmdrop(mm);	/* never the last in a probe: the running fault or exit holds one */
}

/* The last look at a detached slot. */
static void judge(struct slot *slot, enum look result, const struct atomik_page_diff *diff)
{
	preempt_disable();
	if (result != LOOK_DONE) {
		atomik_row_add(slot->row, ROW_LOST, 1);
	} else {
		u64 lines = slot->lines_seen | diff->lines;

		atomik_row_add(slot->row, ROW_JUDGED, 1);
		atomik_row_add(slot->row, ROW_UNCHANGED, lines == 0);
		atomik_row_add(slot->row, ROW_LINES, hweight64(lines));
		atomik_row_add(slot->row, ROW_BYTES, diff->bytes);
		atomik_row_add(slot->row, ROW_BITS, diff->bits);
	}
	preempt_enable();
	give_back(slot);
}

static void judge_all(struct hlist_head *list)
{
	struct atomik_page_diff diff;
	struct hlist_node *next;
	struct slot *slot;

	hlist_for_each_entry_safe(slot, next, list, by_page)
		judge(slot, look(slot, &diff), &diff);
}

/* The copy at this address is about to be copied over: `page` is that copy. */
static void retire_copied(struct mm_struct *mm, unsigned long address, struct page *page)
{
	struct atomik_page_diff diff;
	struct slot *slot, *found = NULL;
	HLIST_HEAD(one);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	hlist_for_each_entry(slot, page_bucket(mm, address), by_page)
		if (slot->mm == mm && slot->address == address) {
			found = slot;
			detach(slot, &one);
			break;
		}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (!found)
		return;
	atomik_page_compare(&diff, found->before, page_address(page));
	judge(found, page_to_pfn(page) == found->source_pfn ? LOOK_SOURCE : LOOK_DONE, &diff);
}

static void keep(struct mm_struct *mm, unsigned long address, struct page *page, u32 row)
{
	struct slot *slot = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	if (hlist_empty(&free_slots)) {
		no_slot++;
	} else {
		slot = hlist_entry(free_slots.first, struct slot, by_page);
		hlist_del(&slot->by_page);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (!slot)
		return;

	/* Not memcpy, which copies by bytes where the CPU says that is fast: under TCG 20 us a page. */
	copy_page(slot->before, page_address(page));
	mmgrab(mm);
	slot->address = address;
	slot->source_pfn = page_to_pfn(page);
	slot->born = jiffies;
	slot->lines_seen = 0;
	slot->row = row;
	atomik_row_add(row, ROW_SAMPLED, 1);

	raw_spin_lock_irqsave(&lock, flags);
	slot->mm = mm;
	hlist_add_head(&slot->by_page, page_bucket(mm, address));
	hlist_add_head(&slot->by_mm, mm_bucket(mm));
	raw_spin_unlock_irqrestore(&lock, flags);
}

/* vm_fault_t wp_page_copy(struct vm_fault *vmf); preemption is off, page tables are not locked. */
static int on_copy(struct kprobe *probe, struct pt_regs *regs)
{
	struct vm_fault *vmf = (struct vm_fault *)regs_get_kernel_argument(regs, 0);
	struct mm_struct *mm = vmf->vma->vm_mm;
	unsigned long address = vmf->address & PAGE_MASK;
	u32 row = atomik_row_of_current();
	struct sampler *sampler;

	if (!vmf->page) {
		atomik_row_add(row, ROW_ZERO_FILLS, 1);
		return 0;
	}
	atomik_row_add(row, ROW_COPIES, 1);
	if (!hlist_empty(page_bucket(mm, address)))
		retire_copied(mm, address, vmf->page);

	sampler = this_cpu_ptr(&samplers);
	if (--sampler->gap)
		return 0;
	sampler->gap = atomik_sample_gap(&sampler->random, sample_every);
	keep(mm, address, vmf->page, row);
	return 0;
}

static void retire_range(struct mm_struct *mm, unsigned long from, unsigned long end)
{
	struct hlist_head *bucket = mm_bucket(mm);
	struct hlist_node *next;
	struct slot *slot;
	unsigned long flags;
	HLIST_HEAD(gone);

	if (hlist_empty(bucket))
		return;
	raw_spin_lock_irqsave(&lock, flags);
	hlist_for_each_entry_safe(slot, next, bucket, by_mm)
		if (slot->mm == mm && slot->address >= from && slot->address < end)
			detach(slot, &gone);
	raw_spin_unlock_irqrestore(&lock, flags);
	judge_all(&gone);
}

/* void exit_mmap(struct mm_struct *mm) */
static int on_exit_mmap(struct kprobe *probe, struct pt_regs *regs)
{
	retire_range((struct mm_struct *)regs_get_kernel_argument(regs, 0), 0, ULONG_MAX);
	return 0;
}

/* void unmap_page_range(tlb, vma, address, end, details) */
static int on_unmap(struct kprobe *probe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)regs_get_kernel_argument(regs, 1);
	struct zap_details *details = (struct zap_details *)regs_get_kernel_argument(regs, 4);

	/* Truncating a file leaves private copies where they are. */
	if (details && !details->even_cows)
		return 0;
	retire_range(vma->vm_mm, regs_get_kernel_argument(regs, 2), regs_get_kernel_argument(regs, 3));
	return 0;
}

static struct kprobe copy_probe = { .symbol_name = "wp_page_copy", .pre_handler = on_copy };
static struct kprobe exit_probe = { .symbol_name = "exit_mmap", .pre_handler = on_exit_mmap };
static struct kprobe unmap_probe = { .symbol_name = "unmap_page_range", .pre_handler = on_unmap };
/* Those that judge first: nothing may be kept while nobody would look. */
static struct kprobe *probes[] = { &exit_probe, &unmap_probe, &copy_probe };

static void settle(struct work_struct *work);
static DECLARE_DELAYED_WORK(settle_work, settle);

/* Pages a slot's mm so that its tables stay while the slot is off the hashes. */
static struct mm_struct *detach_old(struct slot *slot, struct hlist_head *into)
{
	struct mm_struct *mm = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	if (slot->mm && !hlist_unhashed(&slot->by_mm) &&
	    time_after(jiffies, slot->born + msecs_to_jiffies(settle_ms)) && mmget_not_zero(slot->mm)) {
		mm = slot->mm;
		detach(slot, into);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return mm;
}

static void settle(struct work_struct *work)
{
	u32 i;

	for (i = 0; i < slot_count; i++) {
		HLIST_HEAD(one);
		struct mm_struct *mm = detach_old(&slots[i], &one);

		if (mm) {
			judge_all(&one);
			mmput(mm);
		}
		cond_resched();
	}
	schedule_delayed_work(&settle_work, HZ);
}

u32 atomik_cow_look(struct atomik_cow_live *live)
{
	u32 held = 0, i;

	for (i = 0; i < slot_count; i++) {
		struct slot *slot = &slots[i];
		struct mm_struct *mm = NULL;
		struct atomik_page_diff diff;
		unsigned long flags;

		raw_spin_lock_irqsave(&lock, flags);
		if (slot->mm && !hlist_unhashed(&slot->by_mm) && mmget_not_zero(slot->mm)) {
			mm = slot->mm;
			held++;
			if (look(slot, &diff) == LOOK_DONE) {
				struct atomik_cow_live *of = &live[slot->row];

				slot->lines_seen |= diff.lines;
				of->copies++;
				of->unchanged += slot->lines_seen == 0;
				of->lines += hweight64(slot->lines_seen);
				of->bytes += diff.bytes;
			}
		}
		raw_spin_unlock_irqrestore(&lock, flags);
		if (mm)
			mmput(mm);
		cond_resched();
	}
	return held;
}

u64 atomik_cow_no_slot(void)
{
	return READ_ONCE(no_slot);
}

static void forget_all(void)
{
	u32 i;

	for (i = 0; i < slot_count; i++)
		if (slots[i].mm) {
			hlist_del(&slots[i].by_page);
			hlist_del(&slots[i].by_mm);
			mmdrop(slots[i].mm);
			slots[i].mm = NULL;
		}
	INIT_HLIST_HEAD(&free_slots);
}

static void free_memory(void)
{
	atomik_free(contents, (size_t)slot_count * PAGE_SIZE);
	atomik_free(slots, (size_t)slot_count * sizeof(*slots));
	contents = NULL;
	slots = NULL;
	slot_count = 0;
}

int atomik_cow_start(u32 every, u32 count)
{
	int error, cpu;
	u32 i;

	sample_every = every;
	no_slot = 0;
	slot_count = count;
	slots = atomik_alloc((size_t)count * sizeof(*slots));
	contents = atomik_alloc((size_t)count * PAGE_SIZE);
	if (!slots || !contents) {
		free_memory();
		return -ENOMEM;
	}
	INIT_HLIST_HEAD(&free_slots);
	for (i = 0; i < count; i++) {
		slots[i].before = contents + (size_t)i * (PAGE_SIZE / sizeof(u64));
		INIT_HLIST_NODE(&slots[i].by_mm);
		hlist_add_head(&slots[i].by_page, &free_slots);
	}
	for_each_possible_cpu(cpu) {
		struct sampler *sampler = per_cpu_ptr(&samplers, cpu);

		sampler->random = get_random_u64() | 1;
		sampler->gap = atomik_sample_gap(&sampler->random, every);
	}

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		/* A kprobe that has been unregistered keeps state that registering refuses. */
		probes[i]->addr = NULL;
		probes[i]->flags = 0;
		error = register_kprobe(probes[i]);
		if (error) {
			pr_err("atomik: no probe on %s: %d\n", probes[i]->symbol_name, error);
			goto unregister;
		}
	}
	schedule_delayed_work(&settle_work, HZ);
	return 0;

unregister:
	while (i-- > 0)
		unregister_kprobe(probes[i]);
	forget_all();
	free_memory();
	return error;
}

void atomik_cow_stop(void)
{
	int i;

	for (i = ARRAY_SIZE(probes) - 1; i >= 0; i--)
		unregister_kprobe(probes[i]);
	cancel_delayed_work_sync(&settle_work);
	forget_all();
	free_memory();
}

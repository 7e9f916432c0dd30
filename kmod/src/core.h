/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The pure core: lanes over words, and how two pages differ.  No locks, no
 * allocation, no kernel services, so that the same file is also built in user
 * space, tested against a slow model and fuzzed.  Whoever calls holds the locks.
 *
 * Invariant: the bits of a context above its width are always zero.
 */
#ifndef ATOMIK_CORE_H
#define ATOMIK_CORE_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
#define hweight64(x) ((unsigned int)__builtin_popcountll(x))
#endif

#define ATOMIK_WORDS_MAX	64	/* 4,096 bits */
#define ATOMIK_PAGE_BYTES	4096
#define ATOMIK_LINE_BYTES	64
#define ATOMIK_PAGE_LINES	(ATOMIK_PAGE_BYTES / ATOMIK_LINE_BYTES)

struct atomik_shape {
	u32 lane;		/* enum atomik_lane */
	u32 width;		/* bits, 1 to 4,096 */
	u32 words;		/* ceil(width / 64) */
	u64 top_mask;		/* the bits of the last word in use */
};

struct atomik_page_diff {
	u64 lines;		/* bit i: line i differs */
	u32 bytes;		/* bytes that differ */
	u32 bits;		/* population count of the XOR */
};

/* False for a width or lane there is none of. */
bool atomik_shape_init(struct atomik_shape *shape, u32 lane, u32 width);

/* Does the value fit the width? */
bool atomik_fits(const struct atomik_shape *shape, const u64 *value);

void atomik_clear(const struct atomik_shape *shape, u64 *into);
void atomik_copy(const struct atomik_shape *shape, u64 *into, const u64 *from);

/* into = into (.) delta, modulo 2^width */
void atomik_fold(const struct atomik_shape *shape, u64 *into, const u64 *delta);

/* How two pages of 4,096 bytes, 8-byte aligned, differ. */
void atomik_page_compare(struct atomik_page_diff *diff, const u64 *before, const u64 *after);

/* The next gap of a sampler that takes one in `every` on average, never in step with the load. */
u32 atomik_sample_gap(u64 *random, u32 every);

#endif

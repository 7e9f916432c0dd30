// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
#include "core.h"

bool atomik_shape_init(struct atomik_shape *shape, u32 lane, u32 width)
{
	u32 rest = width % 64;

	if (lane > 1 || width == 0 || width > 64 * ATOMIK_WORDS_MAX)
		return false;
	shape->lane = lane;
	shape->width = width;
	shape->words = (width + 63) / 64;
	shape->top_mask = rest ? (1ULL << rest) - 1 : ~0ULL;
	return true;
}

bool atomik_fits(const struct atomik_shape *shape, const u64 *value)
{
	return (value[shape->words - 1] & ~shape->top_mask) == 0;
}

void atomik_clear(const struct atomik_shape *shape, u64 *into)
{
	u32 i;

	for (i = 0; i < shape->words; i++)
		into[i] = 0;
}

void atomik_copy(const struct atomik_shape *shape, u64 *into, const u64 *from)
{
	u32 i;

	for (i = 0; i < shape->words; i++)
		into[i] = from[i];
}

static void fold_xor(u32 words, u64 *into, const u64 *delta)
{
	u32 i;

	for (i = 0; i < words; i++)
		into[i] ^= delta[i];
}

static void fold_add(u32 words, u64 *into, const u64 *delta)
{
	u64 carry = 0;
	u32 i;

	for (i = 0; i < words; i++) {
		u64 sum = into[i] + delta[i];
		u64 carried = sum + carry;

		/* Both cannot overflow: the first leaves at most 2^64 - 2. */
		carry = (sum < delta[i]) | (carried < sum);
		into[i] = carried;
	}
}

void atomik_fold(const struct atomik_shape *shape, u64 *into, const u64 *delta)
{
	if (shape->lane == 0)
		fold_xor(shape->words, into, delta);
	else
		fold_add(shape->words, into, delta);
	into[shape->words - 1] &= shape->top_mask;
}

/* How many of the eight bytes of x are not zero. */
static u32 bytes_set(u64 x)
{
	u64 low = 0x7f7f7f7f7f7f7f7fULL;

	return hweight64((((x & low) + low) | x) & ~low);
}

void atomik_page_compare(struct atomik_page_diff *diff, const u64 *before, const u64 *after)
{
	u32 line, i;

	diff->lines = 0;
	diff->bytes = 0;
	diff->bits = 0;
	for (line = 0; line < ATOMIK_PAGE_LINES; line++, before += 8, after += 8) {
		u64 any = 0;

		/* The common line is unchanged: look at it once, without a branch a word. */
		for (i = 0; i < 8; i++)
			any |= before[i] ^ after[i];
		if (!any)
			continue;
		diff->lines |= 1ULL << line;
		for (i = 0; i < 8; i++) {
			diff->bytes += bytes_set(before[i] ^ after[i]);
			diff->bits += hweight64(before[i] ^ after[i]);
		}
	}
}

u32 atomik_sample_gap(u64 *random, u32 every)
{
	u64 x = *random;

	/* Marsaglia's xorshift64: enough to keep the sampler out of step with a periodic load. */
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*random = x;
	/* Uniform in [1, 2 * every - 1], whose mean is `every`. */
	return every <= 1 ? 1 : 1 + (u32)((x >> 32) % (2 * (u64)every - 1));
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The pure core in user space, under the address and undefined-behaviour sanitizers,
 * against a model that works bit by bit and byte by byte.  Seeded: a failure prints the
 * seed, and `core_test SEED` replays it.
 *
 * Usage: core_test [SEED [ROUNDS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/core.h"

static u64 seed, state;
static unsigned int passed;

static u64 draw(void)
{
	u64 z = (state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void check(bool holds, const char *what)
{
	passed++;
	if (holds)
		return;
	printf("  FAIL %s (replay: core_test %llu)\n", what, (unsigned long long)seed);
	exit(1);
}

static unsigned int bit(const u64 *words, u32 i)
{
	return words[i / 64] >> (i % 64) & 1;
}

/* Values at the edges as often as random ones. */
static void draw_value(const struct atomik_shape *shape, u64 *value)
{
	u64 kind = draw() % 4;
	u32 i;

	for (i = 0; i < shape->words; i++)
		value[i] = kind == 0 ? 0 : kind == 1 ? ~0ULL : kind == 2 ? draw() : draw() & draw() & draw();
	value[shape->words - 1] &= shape->top_mask;
}

static void fold_against_model(u32 lane, u32 width)
{
	u64 into[ATOMIK_WORDS_MAX + 1], delta[ATOMIK_WORDS_MAX], before[ATOMIK_WORDS_MAX];
	struct atomik_shape shape;
	unsigned int carry = 0;
	u32 i;

	check(atomik_shape_init(&shape, lane, width), "a shape there is");
	draw_value(&shape, into);
	draw_value(&shape, delta);
	into[shape.words] = 0x5ca1ab1e;
	memcpy(before, into, sizeof(before));
	atomik_fold(&shape, into, delta);
	for (i = 0; i < width; i++) {
		unsigned int sum = bit(before, i) + bit(delta, i) + carry;

		check(bit(into, i) == (sum & 1), "each bit is the model's");
		carry = lane == 1 ? sum >> 1 : 0;
	}
	check(atomik_fits(&shape, into), "no bit above the width");
	check(into[shape.words] == 0x5ca1ab1e, "nothing written beyond");
	if (shape.top_mask != ~0ULL) {
		into[shape.words - 1] |= shape.top_mask + 1;
		check(!atomik_fits(&shape, into), "one bit above the width does not fit");
	}
}

static void compare_against_model(void)
{
	static u64 before[512], after[512];
	const unsigned char *a = (void *)before, *b = (void *)after;
	struct atomik_page_diff diff;
	u32 bytes = 0, bits = 0, i, n = draw() % 3 == 0 ? 0 : 1 + draw() % 200;
	u64 lines = 0;

	for (i = 0; i < 512; i++)
		after[i] = before[i] = draw();
	for (i = 0; i < n; i++)
		((unsigned char *)after)[draw() % 4096] ^= draw() % 5 ? 1u << (draw() % 8) : draw();
	for (i = 0; i < 4096; i++) {
		bytes += a[i] != b[i];
		bits += __builtin_popcount(a[i] ^ b[i]);
		if (a[i] != b[i])
			lines |= 1ULL << (i / 64);
	}
	atomik_page_compare(&diff, before, after);
	check(diff.bytes == bytes && diff.bits == bits && diff.lines == lines, "a page's lines, bytes and bits are the model's");
}

static void sampler(u32 every)
{
	u64 random = draw() | 1, sum = 0, hits[4] = { 0 }, at = 0;
	double mean;
	u32 i, n = 200000;

	for (i = 0; i < n; i++) {
		u32 gap = atomik_sample_gap(&random, every);

		check(gap >= 1 && (every <= 1 ? gap == 1 : gap <= 2 * every - 1), "a gap within its bounds");
		sum += gap;
		at += gap;
		hits[at % 4]++;
	}
	mean = (double)sum / n;
	check(mean > 0.98 * every && mean < 1.02 * every, "the mean gap is `every`");
	if (every > 1)
		for (i = 0; i < 4; i++)
			check(hits[i] > 0.24 * n && hits[i] < 0.26 * n, "a load of period four is not favoured");
}

int main(int argc, char **argv)
{
	u64 rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 20000, i;
	static const u32 edges[] = { 1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 4095, 4096 };
	struct atomik_shape shape;
	u32 lane, width;

	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	state = seed;
	check(!atomik_shape_init(&shape, 0, 0) && !atomik_shape_init(&shape, 0, 4097) && !atomik_shape_init(&shape, 2, 64),
	      "no shape of width 0, width 4,097 or lane max");
	for (lane = 0; lane < 2; lane++)
		for (width = 0; width < sizeof(edges) / sizeof(*edges); width++)
			for (i = 0; i < 64; i++)
				fold_against_model(lane, edges[width]);
	for (i = 0; i < rounds; i++)
		fold_against_model(draw() % 2, 1 + draw() % (draw() % 8 ? 200 : 4096));
	for (i = 0; i < rounds / 10; i++)
		compare_against_model();
	sampler(1);
	sampler(2);
	sampler(16);
	sampler(1000);
	printf("core: 1 passed, 0 failed (%u checks against the model, seed %llu)\n", passed, (unsigned long long)seed);
	return 0;
}

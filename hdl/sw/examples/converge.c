// Two contexts take the same deltas in different orders and end in the same state.
#include "../atomik.h"
#include "console.h"
#include "plain.h"
#define COUNT 256
static uint64_t deltas[COUNT];
static struct context left, right;

int main(void) {
  uint64_t word = 0x9e3779b97f4a7c15ull;
  for (int i = 0; i < COUNT; i++) {
    word ^= word << 13; word ^= word >> 7; word ^= word << 17;
    deltas[i] = word;
  }
  uint64_t start = clocks();
  atomik_load(1, 0xcafebabe);
  atomik_load(2, 0xcafebabe);
  for (int i = 0; i < COUNT; i++) {
    atomik_accum(1, deltas[i]);
    atomik_accum(2, deltas[COUNT - 1 - i]);
  }
  uint64_t a = atomik_read(1), b = atomik_read(2);
  uint64_t with = clocks() - start;

  start = clocks();
  plain_load(&left, 0xcafebabe);
  plain_load(&right, 0xcafebabe);
  for (int i = 0; i < COUNT; i++) {
    plain_accum(&left, deltas[i]);
    plain_accum(&right, deltas[COUNT - 1 - i]);
    BARRIER();
  }
  uint64_t c = plain_read(&left), d = plain_read(&right);
  uint64_t without = clocks() - start;
  if (a != b) return 1;
  if (c != d) return 2;
  if (a != c) return 3;
  report("converge", with, without);
  return 0;
}

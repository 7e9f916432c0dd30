// A run of edits and their undo: the same deltas again, in any order, and the state is what it was.
#include "../atomik.h"
#include "console.h"
#include "plain.h"
#define COUNT 128
static struct context plain;

int main(void) {
  uint64_t start = clocks();
  atomik_load(3, 0xcafebabe);
  for (uint64_t i = 1; i <= COUNT; i++) atomik_accum(3, i << (i & 31));
  uint64_t edited = atomik_read(3);
  for (uint64_t i = COUNT; i >= 1; i--) atomik_accum(3, i << (i & 31));
  uint64_t undone = atomik_read(3);
  uint64_t with = clocks() - start;

  start = clocks();
  plain_load(&plain, 0xcafebabe);
  for (uint64_t i = 1; i <= COUNT; i++) { plain_accum(&plain, i << (i & 31)); BARRIER(); }
  uint64_t edited_plain = plain_read(&plain);
  for (uint64_t i = COUNT; i >= 1; i--) { plain_accum(&plain, i << (i & 31)); BARRIER(); }
  uint64_t undone_plain = plain_read(&plain);
  uint64_t without = clocks() - start;

  if (edited == 0xcafebabe || edited != edited_plain) return 1;
  if (undone != 0xcafebabe) return 2;
  if (undone_plain != 0xcafebabe) return 3;
  // the introductory figures
  atomik_load(4, 0xcafebabe);
  atomik_accum(4, 0x0000ff00);
  atomik_accum(4, 0x00ff0000);
  if (atomik_read(4) != 0xca0145be) return 4;
  atomik_accum(4, 0x0000ff00);
  if (atomik_read(4) != 0xca01babe) return 5;
  report("undo", with, without);
  return 0;
}

// Every 16 deltas a checkpoint: the state becomes the reference in one instruction, and is logged.
#include "../atomik.h"
#include "console.h"
#include "plain.h"
#define ROUNDS 32
static uint64_t log_with[ROUNDS], log_without[ROUNDS];
static struct context plain;

int main(void) {
  uint64_t start = clocks();
  atomik_load(5, 1);
  for (int round = 0; round < ROUNDS; round++) {
    for (uint64_t i = 0; i < 16; i++) atomik_accum(5, i << round);
    log_with[round] = atomik_checkpoint(5);
    atomik_accum(5, (uint64_t)round);
  }
  uint64_t last = atomik_swap(5, 0);
  uint64_t with = clocks() - start;

  start = clocks();
  plain_load(&plain, 1);
  for (int round = 0; round < ROUNDS; round++) {
    for (uint64_t i = 0; i < 16; i++) { plain_accum(&plain, i << round); BARRIER(); }
    log_without[round] = plain_checkpoint(&plain);
    BARRIER();
    plain_accum(&plain, (uint64_t)round);
  }
  uint64_t last_plain = plain_swap(&plain, 0);
  uint64_t without = clocks() - start;

  for (int round = 0; round < ROUNDS; round++)
    if (log_with[round] != log_without[round]) return 1;
  if (last != last_plain) return 2;
  if (atomik_read(5) != 0) return 3;
  report("checkpoint", with, without);
  return 0;
}

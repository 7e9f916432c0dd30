// A sensor-fusion loop: eight sensors report changes of the bits they see; each has a context, and a ninth holds the
// fold of all. A consumer takes the fused word and starts the next interval with one SWAP.
#include "../atomik.h"
#include "console.h"
#include "plain.h"
#define SENSORS 8
#define INTERVALS 64
#define FUSED 16
static struct context plain[SENSORS + 1];
static uint64_t fused_with[INTERVALS], fused_without[INTERVALS];

static inline uint64_t sample(uint64_t sensor, uint64_t time) {
  uint64_t x = (sensor + 1) << 56 ^ time << 3 ^ time;
  x ^= x << 13; x ^= x >> 7; x ^= x << 17;
  return x;
}

int main(void) {
  for (uint64_t s = 0; s < SENSORS; s++) atomik_load(s, 0);
  atomik_load(FUSED, 0);
  uint64_t start = clocks();
  for (uint64_t t = 0; t < INTERVALS; t++) {
    for (uint64_t s = 0; s < SENSORS; s++) {
      uint64_t now = sample(s, t);
      atomik_accum(FUSED, atomik_swap(s, now) ^ now);
    }
    fused_with[t] = atomik_swap(FUSED, 0);
  }
  uint64_t with = clocks() - start;

  start = clocks();
  for (uint64_t t = 0; t < INTERVALS; t++) {
    for (uint64_t s = 0; s < SENSORS; s++) {
      uint64_t now = sample(s, t);
      plain_accum(&plain[SENSORS], plain_swap(&plain[s], now) ^ now);
      BARRIER();
    }
    fused_without[t] = plain_swap(&plain[SENSORS], 0);
    BARRIER();
  }
  uint64_t without = clocks() - start;
  for (int t = 0; t < INTERVALS; t++)
    if (fused_with[t] != fused_without[t]) return 1;
  report("fusion", with, without);
  return 0;
}

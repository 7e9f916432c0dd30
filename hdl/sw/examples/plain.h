// The same four operations in plain RV64I, as a competent user would write them: a context is two words in memory.
#ifndef PLAIN_H
#define PLAIN_H
#include <stdint.h>
struct context { uint64_t reference, accumulator; };
static inline void plain_load(struct context *c, uint64_t value) { c->reference = value; c->accumulator = 0; }
static inline void plain_accum(struct context *c, uint64_t delta) { c->accumulator ^= delta; }
static inline uint64_t plain_read(const struct context *c) { return c->reference ^ c->accumulator; }
static inline uint64_t plain_swap(struct context *c, uint64_t value) {
  uint64_t state = c->reference ^ c->accumulator;
  c->reference = value;
  c->accumulator = 0;
  return state;
}
static inline uint64_t plain_checkpoint(struct context *c) {
  uint64_t state = c->reference ^ c->accumulator;
  c->reference = state;
  c->accumulator = 0;
  return state;
}
#define BARRIER() __asm__ volatile("" ::: "memory")
#endif

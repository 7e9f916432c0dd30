// atomik.h: the four operations of the core's contexts, one instruction each (custom-0, opcode 0x0b).
//
//   instruction            funct3  rs1      rs2    rd
//   atomik_load (c, v)     0       context  value  state before
//   atomik_accum(c, d)     1       context  delta  state before
//   atomik_read (c)        2       context  -      state
//   atomik_swap (c, v)     3       context  value  state before; v is the new reference, the accumulator is empty
//   atomik_checkpoint(c)   3, funct7 1: as swap, but the state itself becomes the reference
//
// state = reference ^ accumulator. A context's number counts modulo the contexts that are built in (32).
#ifndef ATOMIK_H
#define ATOMIK_H
#include <stdint.h>

static inline uint64_t atomik_load(uint64_t context, uint64_t value) {
  uint64_t state;
  __asm__ volatile(".insn r 0x0b, 0, 0, %0, %1, %2" : "=r"(state) : "r"(context), "r"(value));
  return state;
}
static inline uint64_t atomik_accum(uint64_t context, uint64_t delta) {
  uint64_t state;
  __asm__ volatile(".insn r 0x0b, 1, 0, %0, %1, %2" : "=r"(state) : "r"(context), "r"(delta));
  return state;
}
static inline uint64_t atomik_read(uint64_t context) {
  uint64_t state;
  __asm__ volatile(".insn r 0x0b, 2, 0, %0, %1, x0" : "=r"(state) : "r"(context));
  return state;
}
static inline uint64_t atomik_swap(uint64_t context, uint64_t value) {
  uint64_t state;
  __asm__ volatile(".insn r 0x0b, 3, 0, %0, %1, %2" : "=r"(state) : "r"(context), "r"(value));
  return state;
}
static inline uint64_t atomik_checkpoint(uint64_t context) {
  uint64_t state;
  __asm__ volatile(".insn r 0x0b, 3, 1, %0, %1, x0" : "=r"(state) : "r"(context));
  return state;
}
#endif

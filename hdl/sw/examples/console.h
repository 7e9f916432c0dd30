// Printing from a program on the core: the bench's console takes a byte a store.
#ifndef CONSOLE_H
#define CONSOLE_H
#include <stdint.h>
static inline void put(char c) { *(volatile char *)0x10000000 = c; }
static inline void print(const char *text) { while (*text) put(*text++); }
static inline void print_number(uint64_t n) {
  char digits[20];
  int count = 0;
  do { uint64_t q = 0, r = 0; for (int i = 63; i >= 0; i--) { r = r << 1 | (n >> i & 1); if (r >= 10) { r -= 10; q |= 1ull << i; } }
       digits[count++] = (char)('0' + r); n = q; } while (n);
  while (count) put(digits[--count]);
}
static inline uint64_t clocks(void) { uint64_t n; __asm__ volatile("csrr %0, mcycle" : "=r"(n) :: "memory"); return n; }
static inline uint64_t retired(void) { uint64_t n; __asm__ volatile("csrr %0, minstret" : "=r"(n) :: "memory"); return n; }
// One line that the bench reads: name, clocks with the four operations, clocks in plain RV64I.
static inline void report(const char *name, uint64_t with, uint64_t without) {
  print(name); print(" atomik "); print_number(with); print(" plain "); print_number(without); put('\n');
}
#endif

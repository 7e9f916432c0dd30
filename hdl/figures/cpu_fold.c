// The fold of delta_fold on this CPU, one thread, with what the compiler makes of it at -O3 -march=native. Prints words
// folded a second for a block in cache and for one in memory, of the process's own time, so that other work on the machine
// counts for less; the word that it prints last keeps the work alive.
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static double rate(const uint64_t *words, size_t count, uint64_t *sum) {
  double best = 0;
  for (int round = 0; round < 7; round++) {
    size_t folded = 0;
    double start = now();
    do {
      uint64_t fold = *sum;
      for (size_t i = 0; i < count; i++) fold ^= words[i];
      *sum = fold + 1;
      folded += count;
    } while (now() - start < 0.1);
    double r = folded / (now() - start);
    if (r > best) best = r;
  }
  return best;
}
int main(void) {
  const size_t small = 2048, large = (size_t)32 << 20;   // 16 KiB and 256 MiB
  uint64_t *words = malloc(large * 8), sum = 0;
  if (!words) return 1;
  for (size_t i = 0; i < large; i++) words[i] = i * 0x9e3779b97f4a7c15ull;
  printf("%.0f ", rate(words, small, &sum));
  printf("%.0f\n", rate(words, large, &sum));
  fprintf(stderr, "%llx\n", (unsigned long long)sum);
  return 0;
}

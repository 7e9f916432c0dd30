// The instruction mix of a classic integer benchmark: calls, branches, record copies, string comparison, array walks, a
// little multiplication (in software: the core has no M). Our own program, in the proportions of Dhrystone: about half
// plain assignments, a third control, the rest calls. It reports clocks and retired instructions of its timed part.
#include "console.h"
#define RUNS 40
struct record { struct record *next; int kind, number; char text[32]; };
static struct record first, second;
static int table[50], square[50][50];
static char text_one[32] = "A PROGRAM OF PLAIN STATEMENTS, 1", text_two[32];
static volatile int global_flag;
static char global_letter;

__attribute__((noinline)) static int same(const char *a, const char *b) {
  while (*a && *a == *b) { a++; b++; }
  return (unsigned char)*a - (unsigned char)*b;
}
__attribute__((noinline)) static void copy(char *to, const char *from) { while ((*to++ = *from++)) { } }
__attribute__((noinline)) static int letter(char a, char b) {
  char c = a;
  if (c != b) return 0;
  global_letter = c;
  return 1;
}
__attribute__((noinline)) static void fill(int *line, int (*grid)[50], int at, int value) {
  int index = at + 5;
  line[index] = value;
  line[index + 1] = line[index];
  line[index + 30] = index;
  for (int i = index; i <= index + 1; i++) grid[index][i] = index;
  grid[index][index - 1] += 1;
  grid[index + 20][index] = line[index];
}
__attribute__((noinline)) static void step(struct record *r) {
  struct record *next = r->next;
  *next = *r;
  next->number = 5;
  next->next = r->next;
  if (next->kind == 0) {
    next->number = 6;
    next->kind = r->kind == 2 ? 1 : 2;
    next->next = &first;
  } else *r = *r->next;
}
__attribute__((noinline)) static int choose(int kind) {
  switch (kind) {
    case 0: return 1;
    case 1: return global_flag > 100 ? 0 : 3;
    case 2: return 1;
    case 3: return 2;
    default: return kind;
  }
}
__attribute__((noinline)) static int times(int a, int b) {
  int sum = 0;
  while (b) { if (b & 1) sum += a; a <<= 1; b = (int)((unsigned)b >> 1); }
  return sum;
}

int main(void) {
  first.next = &second;
  first.kind = 0;
  first.number = 40;
  copy(first.text, "A RECORD'S OWN TEXT");
  text_one[31] = 0;
  uint64_t clock_start = clocks(), retired_start = retired();
  int one = 0, two = 0, three = 0;
  for (int run = 1; run <= RUNS; run++) {
    global_flag = run & 1;
    one = 2;
    two = 3;
    copy(text_two, "A PROGRAM OF PLAIN STATEMENTS, 2");
    text_two[31] = 0;
    int kind = same(text_one, text_two) < 0 ? 1 : 0;
    while (one < two) { three = times(5, one) - two; one++; }
    fill(table, square, one, three);
    step(&first);
    for (char c = 'A'; c <= 'C'; c++) if (kind == letter(c, 'C')) kind = choose(kind);
    three = times(two, one);
    one = three >> 1;
    two = times(7, three - one) - one;
    for (int i = 0; i < 8; i++) table[i] = table[i + 1] ^ one;
  }
  uint64_t clock_count = clocks() - clock_start, retired_count = retired() - retired_start;
  print("mixture clocks "); print_number(clock_count); print(" retired "); print_number(retired_count); put('\n');
  return global_letter == 'C' && table[8] >= 0 ? 0 : 1;
}

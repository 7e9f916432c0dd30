/*
 * The kernels as one writes them in C with gcc's intrinsics, for comparison. Compiled at run time by c.ts (gcc -O3 -pthread), and
 * driven over stdin, one command a line; each answers with one line. Times are taken here, so the pipe costs nothing.
 *
 *   has avx512                             1 or 0
 *   setup BYTES COUNT                      COUNT operands of BYTES, filled with the same pattern as in kernels.ts
 *   sparse BYTES CHANGED                   operand 0 zero but for CHANGED random words at random places
 *   scatter BYTES COUNT                    operand 0 of BYTES, COUNT random places and deltas
 *   run KERNEL TIMES                       nanoseconds for TIMES runs, and a check of the result
 */
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define AVX2 __attribute__((target("avx2,popcnt,bmi,lzcnt"), noinline))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,popcnt,bmi,lzcnt"), noinline))

static uint8_t *arena;
static const size_t arena_bytes = (size_t)1400 << 20;
static uint8_t *op[8];
static size_t bytes, words;
static uint32_t *places;
static uint64_t *deltas;
static size_t delta_count;
static uint8_t *out;
static uint16_t found[65536];

/* ---- fold ---- */

static uint64_t fold_128(const uint8_t *p, size_t n) {
  __m128i s[8];
  for (int i = 0; i < 8; i++) s[i] = _mm_setzero_si128();
  size_t at = 0;
  for (; at + 128 <= n; at += 128)
    for (int i = 0; i < 8; i++) s[i] = _mm_xor_si128(s[i], _mm_loadu_si128((const __m128i *)(p + at + 16 * i)));
  for (int i = 1; i < 8; i++) s[0] = _mm_xor_si128(s[0], s[i]);
  uint64_t sum = _mm_cvtsi128_si64(s[0]) ^ _mm_cvtsi128_si64(_mm_unpackhi_epi64(s[0], s[0]));
  for (; at < n; at += 8) sum ^= *(const uint64_t *)(p + at);
  return sum;
}

AVX2 static uint64_t fold_avx2(const uint8_t *p, size_t n) {
  __m256i s[8];
  for (int i = 0; i < 8; i++) s[i] = _mm256_setzero_si256();
  size_t at = 0;
  for (; at + 256 <= n; at += 256)
    for (int i = 0; i < 8; i++) s[i] = _mm256_xor_si256(s[i], _mm256_loadu_si256((const __m256i *)(p + at + 32 * i)));
  for (int i = 1; i < 8; i++) s[0] = _mm256_xor_si256(s[0], s[i]);
  uint64_t sum = _mm256_extract_epi64(s[0], 0) ^ _mm256_extract_epi64(s[0], 1) ^ _mm256_extract_epi64(s[0], 2) ^
                 _mm256_extract_epi64(s[0], 3);
  for (; at < n; at += 8) sum ^= *(const uint64_t *)(p + at);
  return sum;
}

/* Eight ranges side by side: what our fold does from memory, with wider vectors. */
AVX512 static uint64_t fold_avx512(const uint8_t *p, size_t n) {
  __m512i s[8];
  for (int i = 0; i < 8; i++) s[i] = _mm512_setzero_si512();
  size_t part = (n / 8) & ~(size_t)63, at = 0;
  for (; at < part; at += 64)
    for (int i = 0; i < 8; i++) s[i] = _mm512_xor_si512(s[i], _mm512_loadu_si512(p + i * part + at));
  for (int i = 1; i < 8; i++) s[0] = _mm512_xor_si512(s[0], s[i]);
  uint64_t lanes[8], sum = 0;
  _mm512_storeu_si512(lanes, s[0]);
  for (int i = 0; i < 8; i++) sum ^= lanes[i];
  for (at = 8 * part; at < n; at += 8) sum ^= *(const uint64_t *)(p + at);
  return sum;
}

/* ---- xor-into, four deltas, SWAP ---- */

AVX2 static void xor_avx2(uint8_t *to, const uint8_t *from, size_t n) {
  size_t at = 0;
  for (; at + 128 <= n; at += 128)
    for (int i = 0; i < 128; i += 32)
      _mm256_storeu_si256((__m256i *)(to + at + i),
                          _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(to + at + i)),
                                           _mm256_loadu_si256((const __m256i *)(from + at + i))));
  for (; at < n; at += 8) *(uint64_t *)(to + at) ^= *(const uint64_t *)(from + at);
}

AVX512 static void xor_avx512(uint8_t *to, const uint8_t *from, size_t n) {
  size_t at = 0;
  for (; at + 256 <= n; at += 256)
    for (int i = 0; i < 256; i += 64)
      _mm512_storeu_si512(to + at + i, _mm512_xor_si512(_mm512_loadu_si512(to + at + i), _mm512_loadu_si512(from + at + i)));
  for (; at < n; at += 8) *(uint64_t *)(to + at) ^= *(const uint64_t *)(from + at);
}

AVX2 static void swap_avx2(uint8_t *reference, uint8_t *accumulator, size_t n) {
  size_t at = 0;
  const __m256i zero = _mm256_setzero_si256();
  for (; at + 32 <= n; at += 32) {
    _mm256_storeu_si256((__m256i *)(reference + at),
                        _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(reference + at)),
                                         _mm256_loadu_si256((const __m256i *)(accumulator + at))));
    _mm256_storeu_si256((__m256i *)(accumulator + at), zero);
  }
  for (; at < n; at += 8) {
    *(uint64_t *)(reference + at) ^= *(uint64_t *)(accumulator + at);
    *(uint64_t *)(accumulator + at) = 0;
  }
}

/* ---- scatter ---- */

__attribute__((noinline)) static void scatter(uint64_t *to, const uint32_t *at, const uint64_t *with, size_t count) {
  for (size_t i = 0; i < count; i++) to[at[i]] ^= with[i];
}

/* ---- sparse encoding, in the format of packages/atomik/kernels/sparse.ts ---- */

AVX512 static uint32_t collect_avx512(const uint64_t *w, uint32_t n) {
  uint32_t count = 0, i = 0;
  for (; i + 32 <= n; i += 32) {
    __m512i a = _mm512_loadu_si512(w + i), b = _mm512_loadu_si512(w + i + 8);
    __m512i c = _mm512_loadu_si512(w + i + 16), d = _mm512_loadu_si512(w + i + 24);
    __m512i any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d));
    if (_mm512_test_epi64_mask(any, any) == 0) continue;
    uint32_t mask = _mm512_test_epi64_mask(a, a) | _mm512_test_epi64_mask(b, b) << 8 |
                    _mm512_test_epi64_mask(c, c) << 16 | (uint32_t)_mm512_test_epi64_mask(d, d) << 24;
    for (; mask; mask &= mask - 1) found[count++] = i + __builtin_ctz(mask);
  }
  for (; i < n; i++)
    if (w[i]) found[count++] = i;
  return count;
}

AVX2 static uint32_t collect_avx2(const uint64_t *w, uint32_t n) {
  uint32_t count = 0, i = 0;
  const __m256i zero = _mm256_setzero_si256();
  for (; i + 16 <= n; i += 16) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(w + i)), b = _mm256_loadu_si256((const __m256i *)(w + i + 4));
    __m256i c = _mm256_loadu_si256((const __m256i *)(w + i + 8)), d = _mm256_loadu_si256((const __m256i *)(w + i + 12));
    __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (_mm256_testz_si256(any, any)) continue;
    uint32_t mask = _mm256_movemask_pd((__m256d)_mm256_cmpeq_epi64(a, zero)) |
                    _mm256_movemask_pd((__m256d)_mm256_cmpeq_epi64(b, zero)) << 4 |
                    _mm256_movemask_pd((__m256d)_mm256_cmpeq_epi64(c, zero)) << 8 |
                    _mm256_movemask_pd((__m256d)_mm256_cmpeq_epi64(d, zero)) << 12;
    for (mask ^= 0xffff; mask; mask &= mask - 1) found[count++] = i + __builtin_ctz(mask);
  }
  for (; i < n; i++)
    if (w[i]) found[count++] = i;
  return count;
}

static uint8_t *varint(uint8_t *at, uint32_t value) {
  for (; value >= 128; value >>= 7) *at++ = value | 128;
  *at++ = value;
  return at;
}

AVX2 static size_t encode(const uint64_t *w, size_t n, uint8_t *to, uint32_t (*collect)(const uint64_t *, uint32_t)) {
  uint8_t *at = varint(to, n);
  for (size_t done = 0; done < n; done += 65536) {
    uint32_t part = n - done < 65536 ? n - done : 65536;
    const uint64_t *base = w + done;
    uint32_t count = collect(base, part);
    at = varint(at, count);
    if (count == 0) continue;
    uint64_t all = 0;
    uint32_t not_zero = 0, pieces = 0;
    for (uint32_t i = 0; i < count; i++) {
      __m128i word = _mm_loadl_epi64((const __m128i *)(base + found[i]));
      uint32_t mask = _mm_movemask_epi8(_mm_cmpeq_epi8(word, _mm_setzero_si128())) ^ 0xffff;
      all |= base[found[i]];
      not_zero += __builtin_popcount(mask);
      pieces += __builtin_popcount(mask & ~(mask << 1));
    }
    uint32_t width = 8 - __builtin_clzll(all) / 8, ratio = (part - count) / count;
    uint32_t k = ratio == 0 ? 0 : 31 - __builtin_clz(ratio), next = 0;
    /* The other form, which random words never take, is left out here. */
    if (4 * (count * width - not_zero) > 3 * pieces) return 0;
    *at++ = k | (width - 1) << 5;
    for (uint32_t i = 0; i < count; i++, at += width) memcpy(at, base + found[i], 8);
    uint64_t pending = 0, filled = 0;
    for (uint32_t i = 0; i < count; i++) {
      uint32_t zeros = found[i] - next;
      uint64_t ones = zeros >> k;
      next = found[i] + 1;
      if (ones > 32) {
        for (filled += ones, ones = 0; filled >= 8; filled -= 8, pending >>= 8) *at++ = pending;
      }
      pending |= (1 | (uint64_t)(zeros & ((1u << k) - 1)) << 1) << ones << filled;
      filled += ones + 1 + k;
      memcpy(at, &pending, 8);
      at += filled >> 3;
      pending >>= filled & ~7;
      filled &= 7;
    }
    at += filled != 0;
  }
  return at - to;
}

/* ---- the linear digest of packages/atomik/kernels/digest.ts, of whole lines of sixteen words ---- */

#define STEP(x, shl, shr, xor) x = xor(x, shl(x, 13)), x = xor(x, shr(x, 7)), x = xor(x, shl(x, 17))
#define SHL(x, n) ((x) << (n))
#define SHR(x, n) ((x) >> (n))
#define XOR(x, y) ((x) ^ (y))

/* Column c of matrix b: T to the power 2^(40 + b) times the bit c. */
static uint64_t jumps[4][64];

static uint64_t times(const uint64_t *matrix, uint64_t x) {
  uint64_t sum = 0;
  for (; x; x &= x - 1) sum ^= matrix[__builtin_ctzll(x)];
  return sum;
}

static void build_jumps(void) {
  uint64_t power[64], square[64];
  for (int c = 0; c < 64; c++) {
    power[c] = (uint64_t)1 << c;
    STEP(power[c], SHL, SHR, XOR);
  }
  for (int b = 0; b < 44; b++) {
    if (b >= 40) memcpy(jumps[b - 40], power, sizeof power);
    for (int c = 0; c < 64; c++) square[c] = times(power, power[c]);
    memcpy(power, square, sizeof power);
  }
}

static uint64_t joined(uint64_t *lanes) {
  for (int b = 3; b >= 0; b--)
    for (int lane = 0; lane < 1 << b; lane++) lanes[lane] ^= times(jumps[b], lanes[lane + (1 << b)]);
  return lanes[0];
}

AVX2 static uint64_t digest_avx2(const uint8_t *p, size_t n) {
  __m256i h[4];
  for (int i = 0; i < 4; i++) h[i] = _mm256_setzero_si256();
  for (size_t at = n & ~(size_t)127; at > 0;) {
    at -= 128;
    for (int i = 0; i < 4; i++) {
      STEP(h[i], _mm256_slli_epi64, _mm256_srli_epi64, _mm256_xor_si256);
      h[i] = _mm256_xor_si256(h[i], _mm256_loadu_si256((const __m256i *)(p + at + 32 * i)));
    }
  }
  uint64_t lanes[16];
  memcpy(lanes, h, 128);
  return joined(lanes);
}

/* Two vectors are enough: their shifts fill the one port that shifts 64 bytes. */
AVX512 static uint64_t digest_avx512(const uint8_t *p, size_t n) {
  __m512i a = _mm512_setzero_si512(), b = a;
  for (size_t at = n & ~(size_t)127; at > 0;) {
    at -= 128;
    STEP(a, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_xor_si512);
    STEP(b, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_xor_si512);
    a = _mm512_xor_si512(a, _mm512_loadu_si512(p + at));
    b = _mm512_xor_si512(b, _mm512_loadu_si512(p + at + 64));
  }
  uint64_t lanes[16];
  _mm512_storeu_si512(lanes, a);
  _mm512_storeu_si512(lanes + 8, b);
  return joined(lanes);
}

/* ---- one context ---- */

static uint64_t cell;

__attribute__((noinline)) static void accum(uint64_t *context, uint64_t delta) {
  *context ^= delta;
  __asm__ volatile("" ::: "memory");
}

/* ---- two threads ---- */

struct share {
  const uint8_t *p;
  size_t n, times;
  uint64_t sum;
};
static int wide;

static void *fold_share(void *argument) {
  struct share *share = argument;
  for (size_t i = 0; i < share->times; i++) {
    share->sum ^= wide ? fold_avx512(share->p, share->n) : fold_avx2(share->p, share->n);
    __asm__ volatile("" ::: "memory");
  }
  return NULL;
}

static uint64_t fold_threads(size_t times) {
  struct share shares[2] = {{op[0], words / 2 * 8, times, 0}, {op[0] + words / 2 * 8, (words - words / 2) * 8, times, 0}};
  pthread_t thread;
  pthread_create(&thread, NULL, fold_share, &shares[1]);
  fold_share(&shares[0]);
  pthread_join(thread, NULL);
  return shares[0].sum ^ shares[1].sum;
}

/* ---- commands ---- */

static uint32_t draw_state;
static uint32_t draw(void) {
  draw_state ^= draw_state << 13;
  draw_state ^= draw_state >> 17;
  return draw_state ^= draw_state << 5;
}

static void layout(size_t size, int count) {
  bytes = size;
  words = size / 8;
  uint8_t *at = arena;
  for (int i = 0; i < count; i++) {
    op[i] = at;
    at += (size + 1344 + 63) / 64 * 64;
  }
  out = at;
}

static void setup(size_t size, int count) {
  layout(size, count);
  for (int i = 0; i < count; i++)
    for (size_t half = 0; half < size / 4; half++) ((uint32_t *)op[i])[half] = (uint32_t)(half + i + 1) * 0x9e3779b1u;
}

static uint64_t sum_of(const uint8_t *p) { return fold_128(p, bytes); }

static uint64_t run(const char *kernel, size_t times) {
  uint64_t check = 0;
#define EACH(statement)                      \
  for (size_t i = 0; i < times; i++) {       \
    statement;                               \
    __asm__ volatile("" ::: "memory");       \
  }
  if (!strcmp(kernel, "fold_128")) EACH(check = fold_128(op[0], bytes))
  else if (!strcmp(kernel, "fold_avx2")) EACH(check = fold_avx2(op[0], bytes))
  else if (!strcmp(kernel, "fold_avx512")) EACH(check = fold_avx512(op[0], bytes))
  else if (!strcmp(kernel, "fold_threads_avx2")) wide = 0, check = fold_threads(times);
  else if (!strcmp(kernel, "fold_threads_avx512")) wide = 1, check = fold_threads(times);
  else if (!strcmp(kernel, "memcpy")) EACH(memcpy(op[0], op[1], bytes))
  else if (!strcmp(kernel, "xor_avx2")) EACH(xor_avx2(op[0], op[1], bytes))
  else if (!strcmp(kernel, "xor_avx512")) EACH(xor_avx512(op[0], op[1], bytes))
  else if (!strcmp(kernel, "four_avx2")) EACH(for (int d = 1; d < 5; d++) xor_avx2(op[0], op[d], bytes))
  else if (!strcmp(kernel, "four_avx512")) EACH(for (int d = 1; d < 5; d++) xor_avx512(op[0], op[d], bytes))
  else if (!strcmp(kernel, "swap_avx2")) EACH(swap_avx2(op[0], op[1], bytes))
  else if (!strcmp(kernel, "scatter")) EACH(scatter((uint64_t *)op[0], places, deltas, delta_count))
  else if (!strcmp(kernel, "encode_avx2")) EACH(check = encode((uint64_t *)op[0], words, out, collect_avx2))
  else if (!strcmp(kernel, "encode_avx512")) EACH(check = encode((uint64_t *)op[0], words, out, collect_avx512))
  else if (!strcmp(kernel, "digest_avx2")) EACH(check = digest_avx2(op[0], bytes))
  else if (!strcmp(kernel, "digest_avx512")) EACH(check = digest_avx512(op[0], bytes))
  else if (!strcmp(kernel, "accum")) {
    uint64_t delta = 1;
    for (size_t i = 0; i < times; i++) {
      accum(&cell, delta);
      delta = delta * 5 + 1;
    }
    check = cell;
  }
  return check;
}

int main(void) {
  arena = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena == MAP_FAILED) return 1;
  build_jumps();
  char line[256], name[64];
  setvbuf(stdout, NULL, _IONBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    size_t a = 0, b = 0;
    if (sscanf(line, "run %63s %zu", name, &a) == 2) {
      /* Two threads can only be timed by the wall. */
      clockid_t clock = strstr(name, "threads") ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
      struct timespec from, to;
      clock_gettime(clock, &from);
      uint64_t check = run(name, a);
      clock_gettime(clock, &to);
      if (check == 0 && strncmp(name, "fold", 4)) check = sum_of(op[0] ? op[0] : arena);
      printf("%.0f %llx\n", (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec), (unsigned long long)check);
    } else if (sscanf(line, "setup %zu %zu", &a, &b) == 2) {
      setup(a, (int)b);
      printf("ok\n");
    } else if (sscanf(line, "sparse %zu %zu", &a, &b) == 2) {
      layout(a, 1);
      memset(op[0], 0, bytes);
      draw_state = 1;
      for (size_t i = 0; i < b; i++) {
        uint32_t *word = (uint32_t *)(op[0] + (size_t)(draw() % words) * 8);
        word[0] = draw();
        word[1] = draw();
      }
      printf("ok\n");
    } else if (sscanf(line, "scatter %zu %zu", &a, &b) == 2) {
      setup(a, 1);
      places = (uint32_t *)out;
      deltas = (uint64_t *)(out + 8 * b);
      delta_count = b;
      draw_state = 1;
      for (size_t i = 0; i < b; i++) {
        places[i] = draw() % words;
        deltas[i] = (uint64_t)i << 20 | 1;
      }
      printf("ok\n");
    } else if (!strncmp(line, "has avx512", 10))
      printf("%d\n", __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"));
    else if (!strncmp(line, "has avx2", 8))
      printf("%d\n", __builtin_cpu_supports("avx2") != 0);
    else
      printf("unknown\n");
  }
  return 0;
}

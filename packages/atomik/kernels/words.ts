/** Word by word over whole blocks: XOR, sum, comparison, count of bits, and SWAP. Operands are equal or do not overlap. */

import { rangeBytes } from './fold'

/** Bytes in a page, which has a byte of dirty marks, and in what one bit of them stands for. */
const pageBytes: usize = 4096
const eighthBytes: usize = 512

/** `to ⊕= from`. Two ranges side by side, as in fold: what one waits for, the next page of it above all, the other does not. */
export function xorInto(to: usize, from: usize, words: usize): void {
  const end = to + (words << 3)
  if (ASC_FEATURE_SIMD) {
    const apart = 2 * rangeBytes
    while (end - to >= 2 * apart) {
      const rangeEnd = to + apart
      while (to < rangeEnd) {
        xorLine(to, from)
        xorLine(to + 64, from + 64)
        xorLine(to + apart, from + apart)
        xorLine(to + apart + 64, from + apart + 64)
        to += 128
        from += 128
      }
      to += apart
      from += apart
    }
    while (end - to >= 128) {
      xorLine(to, from)
      xorLine(to + 64, from + 64)
      to += 128
      from += 128
    }
  } else {
    const unrolledEnd = to + ((words << 3) & ~31)
    while (to < unrolledEnd) {
      store<u64>(to, load<u64>(to) ^ load<u64>(from))
      store<u64>(to, load<u64>(to, 8) ^ load<u64>(from, 8), 8)
      store<u64>(to, load<u64>(to, 16) ^ load<u64>(from, 16), 16)
      store<u64>(to, load<u64>(to, 24) ^ load<u64>(from, 24), 24)
      to += 32
      from += 32
    }
  }
  while (to < end) {
    store<u64>(to, load<u64>(to) ^ load<u64>(from))
    to += 8
    from += 8
  }
}

/** 64 bytes. */
function xorLine(to: usize, from: usize): void {
  v128.store(to, v128.xor(v128.load(to), v128.load(from)))
  v128.store(to, v128.xor(v128.load(to, 16), v128.load(from, 16)), 16)
  v128.store(to, v128.xor(v128.load(to, 32), v128.load(from, 32)), 32)
  v128.store(to, v128.xor(v128.load(to, 48), v128.load(from, 48)), 48)
}

/** `to ⊕= a ⊕ b ⊕ c ⊕ d`: four deltas for one reading and writing of `to`. */
export function xorInto4(to: usize, a: usize, b: usize, c: usize, d: usize, words: usize): void {
  const end = to + (words << 3)
  if (ASC_FEATURE_SIMD) {
    const unrolledEnd = to + ((words << 3) & ~63)
    while (to < unrolledEnd) {
      v128.store(to, v128.xor(v128.load(to), sum4(v128.load(a), v128.load(b), v128.load(c), v128.load(d))))
      v128.store(
        to,
        v128.xor(
          v128.load(to, 16),
          sum4(v128.load(a, 16), v128.load(b, 16), v128.load(c, 16), v128.load(d, 16)),
        ),
        16,
      )
      v128.store(
        to,
        v128.xor(
          v128.load(to, 32),
          sum4(v128.load(a, 32), v128.load(b, 32), v128.load(c, 32), v128.load(d, 32)),
        ),
        32,
      )
      v128.store(
        to,
        v128.xor(
          v128.load(to, 48),
          sum4(v128.load(a, 48), v128.load(b, 48), v128.load(c, 48), v128.load(d, 48)),
        ),
        48,
      )
      to += 64
      a += 64
      b += 64
      c += 64
      d += 64
    }
  }
  while (to < end) {
    store<u64>(to, load<u64>(to) ^ load<u64>(a) ^ load<u64>(b) ^ load<u64>(c) ^ load<u64>(d))
    to += 8
    a += 8
    b += 8
    c += 8
    d += 8
  }
}

function sum4(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.xor(v128.xor(a, b), v128.xor(c, d))
}

/** `to = a ⊕ b`. */
export function xorOut(to: usize, a: usize, b: usize, words: usize): void {
  const end = to + (words << 3)
  if (ASC_FEATURE_SIMD) {
    const unrolledEnd = to + ((words << 3) & ~63)
    while (to < unrolledEnd) {
      v128.store(to, v128.xor(v128.load(a), v128.load(b)))
      v128.store(to, v128.xor(v128.load(a, 16), v128.load(b, 16)), 16)
      v128.store(to, v128.xor(v128.load(a, 32), v128.load(b, 32)), 32)
      v128.store(to, v128.xor(v128.load(a, 48), v128.load(b, 48)), 48)
      to += 64
      a += 64
      b += 64
    }
  }
  while (to < end) {
    store<u64>(to, load<u64>(a) ^ load<u64>(b))
    to += 8
    a += 8
    b += 8
  }
}

/** `to += from`, each word modulo 2⁶⁴. */
export function addInto(to: usize, from: usize, words: usize): void {
  const end = to + (words << 3)
  if (ASC_FEATURE_SIMD) {
    const unrolledEnd = to + ((words << 3) & ~63)
    while (to < unrolledEnd) {
      v128.store(to, i64x2.add(v128.load(to), v128.load(from)))
      v128.store(to, i64x2.add(v128.load(to, 16), v128.load(from, 16)), 16)
      v128.store(to, i64x2.add(v128.load(to, 32), v128.load(from, 32)), 32)
      v128.store(to, i64x2.add(v128.load(to, 48), v128.load(from, 48)), 48)
      to += 64
      from += 64
    }
  }
  while (to < end) {
    store<u64>(to, load<u64>(to) + load<u64>(from))
    to += 8
    from += 8
  }
}

/** 1 when both blocks hold the same words, else 0; stops within 64 bytes of the first difference. */
export function equal(a: usize, b: usize, words: usize): i32 {
  const end = a + (words << 3)
  if (ASC_FEATURE_SIMD) {
    const unrolledEnd = a + ((words << 3) & ~63)
    while (a < unrolledEnd) {
      const difference = v128.or(
        v128.or(v128.xor(v128.load(a), v128.load(b)), v128.xor(v128.load(a, 16), v128.load(b, 16))),
        v128.or(v128.xor(v128.load(a, 32), v128.load(b, 32)), v128.xor(v128.load(a, 48), v128.load(b, 48))),
      )
      if (v128.any_true(difference)) return 0
      a += 64
      b += 64
    }
  }
  while (a < end) {
    if (load<u64>(a) !== load<u64>(b)) return 0
    a += 8
    b += 8
  }
  return 1
}

/** Bits that are 1. Scalar in both modules: the machine counts the bits of a word in one instruction, of a vector in none. */
export function popcount(at: usize, words: usize): f64 {
  let sum: u64 = 0
  const end = at + (words << 3)
  const unrolledEnd = at + ((words << 3) & ~31)
  while (at < unrolledEnd) {
    sum +=
      popcnt<u64>(load<u64>(at)) +
      popcnt<u64>(load<u64>(at, 8)) +
      (popcnt<u64>(load<u64>(at, 16)) + popcnt<u64>(load<u64>(at, 24)))
    at += 32
  }
  while (at < end) {
    sum += popcnt<u64>(load<u64>(at))
    at += 8
  }
  return <f64>sum
}

/** SWAP of a block: `reference ⊕= accumulator`, `accumulator = 0`. */
export function swap(reference: usize, accumulator: usize, words: usize): void {
  const end = reference + (words << 3)
  if (ASC_FEATURE_SIMD) {
    const zero = i64x2.splat(0)
    const unrolledEnd = reference + ((words << 3) & ~63)
    while (reference < unrolledEnd) {
      v128.store(reference, v128.xor(v128.load(reference), v128.load(accumulator)))
      v128.store(reference, v128.xor(v128.load(reference, 16), v128.load(accumulator, 16)), 16)
      v128.store(reference, v128.xor(v128.load(reference, 32), v128.load(accumulator, 32)), 32)
      v128.store(reference, v128.xor(v128.load(reference, 48), v128.load(accumulator, 48)), 48)
      v128.store(accumulator, zero)
      v128.store(accumulator, zero, 16)
      v128.store(accumulator, zero, 32)
      v128.store(accumulator, zero, 48)
      reference += 64
      accumulator += 64
    }
  }
  while (reference < end) {
    store<u64>(reference, load<u64>(reference) ^ load<u64>(accumulator))
    store<u64>(accumulator, 0)
    reference += 8
    accumulator += 8
  }
}

/**
 * SWAP of what is marked: a byte a page at `marks`, a bit for each eighth of it (64 words), cleared by this. The last page may be short.
 * @returns the number of pages with a mark
 */
export function swapPages(reference: usize, accumulator: usize, words: usize, marks: usize): u32 {
  const bytes = words << 3
  const pages = (bytes + pageBytes - 1) / pageBytes
  let swapped: u32 = 0
  let page: usize = 0
  while (page < pages) {
    // Marks are padded to a multiple of 8: most words of eight marks are zero.
    if ((page & 7) === 0 && load<u64>(marks + page) === 0) {
      page += 8
      continue
    }
    let mark = <u32>load<u8>(marks + page)
    if (mark !== 0) {
      store<u8>(marks + page, 0)
      swapped++
      const from = page * pageBytes
      if (mark === 0xff) swap(reference + from, accumulator + from, min<usize>(bytes - from, pageBytes) >> 3)
      else
        while (mark !== 0) {
          const at = from + <usize>ctz<u32>(mark) * eighthBytes
          if (at < bytes) swap(reference + at, accumulator + at, min<usize>(bytes - at, eighthBytes) >> 3)
          mark &= mark - 1
        }
    }
    page++
  }
  return swapped
}

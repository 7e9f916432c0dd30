/**
 * Sparse blocks: lengths of the runs of zero words, Rice-coded, beside the words that are not zero; or the same by bytes.
 *
 *   encoding  varint words, then for each 65,536 words (the last part may be short):
 *   part      varint count of non-zero words; when it is not 0 the byte form (sparse-bytes.ts) or:
 *             byte    k | (width − 1) << 5
 *             words   count × width bytes, least significant first: `width` is the fewest that hold each of them
 *             runs    for each word the zeros before it, as Rice code: ⌊zeros / 2^k⌋ 0-bits, a 1-bit, the k low bits;
 *                     bits fill bytes from the least significant; the last byte is padded with 0-bits
 *
 * k = ⌊log₂((n − count) / count)⌋ for n words in the part, at least 0: within 0.05 bits of the best for random positions, and a plain
 * bitmap when every second word has changed. The byte form is taken when it will be shorter as far as sums tell: when four times
 * the zero bytes among those of `words` are more than three times the runs of other bytes in them, each word by itself (8 bits
 * won for a zero byte, about 6 paid for a run). One block has one encoding, and `apply` refuses every other.
 */

import { applyBytes, fitsBytes, putBytes } from './sparse-bytes'

export const partWords: u32 = 65_536

/** k for `count` non-zero words among `words`. */
function riceBits(words: u32, count: u32): u32 {
  const ratio = (words - count) / count
  return ratio === 0 ? 0 : 31 - clz<u32>(ratio)
}

/**
 * Encodes `words` words at `from` to `to`, at most `capacity` bytes (8 bytes beyond the encoding may be overwritten within it).
 * `scratch`: 131,072 bytes. @returns bytes, or −1 when they might not fit
 */
export function encode(from: usize, words: u32, to: usize, capacity: usize, scratch: usize): i32 {
  if (capacity < 5) return -1
  const limit = to + capacity
  let at = putVarint(to, words)
  for (let done: u32 = 0; done < words; done += partWords) {
    const part = min<u32>(words - done, partWords)
    const base = from + ((<usize>done) << 3)
    const count = collect(base, part, scratch)
    if (words - done >= 2 * partWords) readAhead(base + 8 * partWords)
    if (at + 4 > limit) return -1
    at = putVarint(at, count)
    if (count === 0) continue
    const indexesEnd = scratch + ((<usize>count) << 1)
    let all: u64 = 0
    let bytes: u32 = 0
    let pieces: u32 = 0
    for (let index = scratch; index < indexesEnd; index += 2) {
      const word = base + ((<usize>load<u16>(index)) << 3)
      all |= load<u64>(word)
      const mask = nonZeroBytesAt(word)
      bytes += popcnt<u32>(mask)
      pieces += popcnt<u32>(mask & ~(mask << 1))
    }
    const width: u32 = 8 - (<u32>clz<u64>(all) >> 3)
    if (fitsBytes(count * width - bytes, pieces)) {
      at = putBytes(base, part, at, limit, scratch)
      if (at === 0) return -1
      continue
    }
    const k = riceBits(part, count)
    const bits = count * (k + 1) + ((part - count) >> k)
    if (at + 1 + <usize>(count * width) + ((bits + 7) >> 3) + 8 > limit) return -1
    store<u8>(at, k | ((width - 1) << 5))
    at++
    for (let index = scratch; index < indexesEnd; index += 2) {
      store<u64>(at, load<u64>(base + ((<usize>load<u16>(index)) << 3)))
      at += width
    }
    at = putRuns(at, scratch, indexesEnd, k)
  }
  return <i32>(at - to)
}

/** A bit for each of the 8 bytes at `at` that is not 0. */
function nonZeroBytesAt(at: usize): u32 {
  if (ASC_FEATURE_SIMD) return i8x16.bitmask(i8x16.eq(v128.load64_zero(at), i64x2.splat(0))) ^ 0xffff
  return nonZeroBytes(load<u64>(at))
}

export function nonZeroBytes(word: u64): u32 {
  word |= word >> 4
  word |= word >> 2
  word |= word >> 1
  // The lowest bit of each byte, all moved to the top one.
  return <u32>(((word & (~(<u64>0) / 255)) * 0x0102_0408_1020_4080) >> 56)
}

/** All bits of the lowest `bytes` bytes, 1 to 8. */
export function keepBytes(bytes: u32): u64 {
  return ~(<u64>0) >> (64 - ((<u64>bytes) << 3))
}

export function putVarint(at: usize, value: u32): usize {
  while (value >= 0x80) {
    store<u8>(at++, value | 0x80)
    value >>= 7
  }
  store<u8>(at, value)
  return at + 1
}

/** Writes the indexes of all words that are not zero as 16 bits each. @returns how many */
function collect(at: usize, words: u32, indexes: usize): u32 {
  let to = indexes
  let i: u32 = 0
  if (ASC_FEATURE_SIMD) {
    if (words === partWords) {
      to = collectRanges(at, indexes)
      i = 4 * rangeWords
      at += 8 * i
    }
    const unrolled = words & ~31
    for (; i < unrolled; i += 32) {
      if (any32(at)) to = put32(at, i, to)
      at += 256
    }
  } else {
    const unrolled = words & ~3
    while (i < unrolled) {
      if ((load<u64>(at) | load<u64>(at, 8) | (load<u64>(at, 16) | load<u64>(at, 24))) !== 0)
        for (let word: u32 = 0; word < 4; word++)
          if (load<u64>(at + ((<usize>word) << 3)) !== 0) {
            store<u16>(to, i + word)
            to += 2
          }
      at += 32
      i += 4
    }
  }
  while (i < words) {
    if (load<u64>(at) !== 0) {
      store<u16>(to, i)
      to += 2
    }
    at += 8
    i++
  }
  return <u32>((to - indexes) >> 1)
}

/** A little less than a quarter of a part, so that lines of four ranges lie in different sets of a cache; and the bytes that indexes of so many take. */
const rangeWords: u32 = partWords / 4 - 32
const rangeBytes: usize = 2 * rangeWords

/** The first four ranges of a part side by side, as in fold: more of the memory's answers are awaited at a time. @returns where the indexes end */
function collectRanges(at: usize, indexes: usize): usize {
  let a = indexes
  let b = a + rangeBytes
  let c = b + rangeBytes
  let d = c + rangeBytes
  for (let i: u32 = 0; i < rangeWords; i += 32) {
    if (any32(at)) a = put32(at, i, a)
    if (any32(at + 8 * rangeWords)) b = put32(at + 8 * rangeWords, i + rangeWords, b)
    if (any32(at + 16 * rangeWords)) c = put32(at + 16 * rangeWords, i + 2 * rangeWords, c)
    if (any32(at + 24 * rangeWords)) d = put32(at + 24 * rangeWords, i + 3 * rangeWords, d)
    at += 256
  }
  // Each range's indexes to the end of those before it.
  const ofB = b - (indexes + rangeBytes)
  const ofC = c - (indexes + 2 * rangeBytes)
  const ofD = d - (indexes + 3 * rangeBytes)
  memory.copy(a, indexes + rangeBytes, ofB)
  memory.copy(a + ofB, indexes + 2 * rangeBytes, ofC)
  memory.copy(a + ofB + ofC, indexes + 3 * rangeBytes, ofD)
  return a + ofB + ofC + ofD
}

/** Reads the first lines of the ranges of the part at `at`: the memory brings them while the part before is encoded. */
function readAhead(at: usize): void {
  const end = at + 512
  while (at < end) {
    load<u8>(at)
    load<u8>(at + 8 * rangeWords)
    load<u8>(at + 16 * rangeWords)
    load<u8>(at + 24 * rangeWords)
    at += 64
  }
}

/** Whether any of 32 words is not zero. */
function any32(at: usize): bool {
  return v128.any_true(v128.or(any8(at), any8(at + 128)))
}

/** The indexes of those of 32 words that are not zero, at least one; the first word has index `i`. @returns where they end */
function put32(at: usize, i: u32, to: usize): usize {
  let changed = changedOf16(at) | (changedOf16(at + 128) << 16)
  do {
    store<u16>(to, i + ctz<u32>(changed))
    to += 2
    changed &= changed - 1
  } while (changed !== 0)
  return to
}

/** The OR of 128 bytes. */
function any8(at: usize): v128 {
  return v128.or(
    v128.or(v128.or(v128.load(at), v128.load(at, 16)), v128.or(v128.load(at, 32), v128.load(at, 48))),
    v128.or(v128.or(v128.load(at, 64), v128.load(at, 80)), v128.or(v128.load(at, 96), v128.load(at, 112))),
  )
}

/** A bit for each of sixteen words that is not zero: eight comparisons, narrowed to bytes. */
function changedOf16(at: usize): u32 {
  return (
    ~i8x16.bitmask(
      i8x16.narrow_i16x8_s(
        i16x8.narrow_i32x4_s(zerosOf4(at), zerosOf4(at + 32)),
        i16x8.narrow_i32x4_s(zerosOf4(at + 64), zerosOf4(at + 96)),
      ),
    ) & 0xffff
  )
}

/** −1 in 32 bits for each of four words that is zero. */
function zerosOf4(at: usize): v128 {
  const zero = i64x2.splat(0)
  return v128.shuffle<i32>(i64x2.eq(v128.load(at), zero), i64x2.eq(v128.load(at, 16), zero), 0, 2, 4, 6)
}

/** Rice codes of the runs before each index. May write 7 bytes past the end that it returns. */
function putRuns(at: usize, indexes: usize, indexesEnd: usize, k: u32): usize {
  let pending: u64 = 0
  let filled: u64 = 0
  let next: u32 = 0
  const mask: u32 = (1 << k) - 1
  while (indexes < indexesEnd) {
    const index = <u32>load<u16>(indexes)
    const zeros = index - next
    next = index + 1
    indexes += 2
    let ones = <u64>(zeros >> k)
    if (ones > 32) {
      filled += ones
      ones = 0
      while (filled >= 8) {
        store<u8>(at++, pending)
        pending >>= 8
        filled -= 8
      }
    }
    const code = (<u64>1 | ((<u64>(zeros & mask)) << 1)) << ones
    pending |= code << filled
    filled += ones + 1 + k
    store<u64>(at, pending)
    at += <usize>(filled >> 3)
    pending >>= filled & ~7
    filled &= 7
  }
  return filled === 0 ? at : at + 1
}

/**
 * `to ⊕=` the block encoded in the `bytes` bytes at `from`; 8 readable bytes follow them. `scratch`: 32 bytes.
 * @returns −1, or the offset of the first byte that is wrong (`bytes` when they end too early); then nothing has changed
 */
export function apply(to: usize, words: u32, from: usize, bytes: u32, scratch: usize): i32 {
  const wrong = applyUpTo(to, words, from, bytes, scratch)
  // Applied once more up to the same place, the words before it cancel.
  if (wrong >= 0) applyUpTo(to, words, from, bytes, scratch)
  return wrong
}

function applyUpTo(to: usize, words: u32, from: usize, bytes: u32, scratch: usize): i32 {
  const end = from + bytes
  const first = getVarint(from, end)
  if (first < 0) return first === truncated ? bytes : 0
  if (<u32>first !== words) return 0
  let at = from + varintBytes(words)
  for (let done: u32 = 0; done < words; done += partWords) {
    const part = min<u32>(words - done, partWords)
    const base = to + ((<usize>done) << 3)
    const got = getVarint(at, end)
    if (got === truncated) return bytes
    const count = <u32>got
    if (got < 0 || count > part) return <i32>(at - from)
    at += varintBytes(count)
    if (count === 0) continue
    if (at === end) return bytes
    const head = <u32>load<u8>(at)
    if ((head & 16) !== 0) {
      const next = applyBytes(base, part, count, at + 1, end, head, scratch)
      if (next < 0) return <i32>(<usize>-next - from)
      at = <usize>next
      continue
    }
    const k = head & 15
    const width = (head >> 5) + 1
    if (k !== riceBits(part, count)) return <i32>(at - from)
    const headAt = at
    at++
    if (end - at < <usize>(count * width)) return bytes
    const runs = at + count * width
    const bitsEnd = (<u64>(end - runs)) << 3
    const keep = keepBytes(width)
    const mask: u64 = ((<u64>1) << k) - 1
    let all: u64 = 0
    let nonZero: u32 = 0
    let pieces: u32 = 0
    const inWord = ((<u32>1) << width) - 1
    let bit: u64 = 0
    let index: u32 = 0
    for (let i: u32 = 0; i < count; i++) {
      const codeAt = bit
      let window = load<u64>(runs + <usize>(bit >> 3)) >> (bit & 7)
      let zeros: u64 = 0
      // Each 0-bit stands for 2^k zero words, so the end of the part bounds their number.
      while (<u32>window === 0 && bit < bitsEnd && zeros << k < part) {
        zeros += 32
        bit += 32
        window = load<u64>(runs + <usize>(bit >> 3)) >> (bit & 7)
      }
      const more = ctz<u64>(window)
      zeros += more
      if (index + (min<u64>(zeros, bitsEnd - codeAt) << k) >= part)
        return <i32>(runs - from + <usize>(codeAt >> 3))
      bit = codeAt + zeros + 1 + k
      if (bit > bitsEnd) return bytes
      index += <u32>((zeros << k) | ((window >> (more + 1)) & mask))
      if (index >= part) return <i32>(runs - from + <usize>(codeAt >> 3))
      const word = load<u64>(at) & keep
      if (word === 0) return <i32>(at - from)
      all |= word
      const bytesMask = nonZeroBytesAt(at) & inWord
      nonZero += popcnt<u32>(bytesMask)
      pieces += popcnt<u32>(bytesMask & ~(bytesMask << 1))
      const target = base + ((<usize>index) << 3)
      store<u64>(target, load<u64>(target) ^ word)
      at += width
      index++
    }
    if (all >> ((width - 1) << 3) === 0 || fitsBytes(count * width - nonZero, pieces))
      return <i32>(headAt - from)
    if ((bit & 7) !== 0 && <u32>load<u8>(runs + <usize>(bit >> 3)) >> <u32>(bit & 7) !== 0)
      return <i32>(runs - from + <usize>(bit >> 3))
    at = runs + <usize>((bit + 7) >> 3)
  }
  return at === end ? -1 : <i32>(at - from)
}

export const truncated: i64 = -2

/** @returns the number, −1 when it is not the shortest or above 32 bits, `truncated` when the bytes end */
export function getVarint(at: usize, end: usize): i64 {
  let value: u64 = 0
  for (let shift: u64 = 0; shift < 35; shift += 7) {
    if (at === end) return truncated
    const byte = <u64>load<u8>(at++)
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return (byte === 0 && shift > 0) || value > 0xffff_ffff ? -1 : <i64>value
  }
  return -1
}

export function varintBytes(value: u32): u32 {
  let bytes: u32 = 1
  while (value >= 0x80) {
    value >>= 7
    bytes++
  }
  return bytes
}

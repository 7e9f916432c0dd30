/**
 * The byte form of a part of a sparse block, for text, small numbers and pages of mixed data: runs of bytes that are 0 and runs of
 * bytes that are not, in turn. sparse.ts says when it is taken.
 *
 *   byte    16 + z + 4 n: which of k = 0, 2, 3, 5 the lengths are coded with
 *   varint  runs of bytes that are not 0 · varint how many bytes they have in all
 *   bytes   those bytes
 *   bits    for each run: how many zeros stand before it, less the one that must (at the start none must), then its bytes less one.
 *           x as exponential Golomb code: q = ⌊x / 2^k⌋ + 1 of m bits as m − 1 0-bits, a 1-bit, the m − 1 low bits of q, the k low bits of x
 *
 * Each k is the one with the fewest bits; of equals the smaller.
 */

import { getVarint, keepBytes, nonZeroBytes, putVarint, truncated, varintBytes } from './sparse'

/** k of a choice: 0, 2, 3, 5. */
function kOf(choice: u32): u32 {
  return choice + ((choice + 1) >> 1)
}

// ── choosing k ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Where sums of ⌊log₂ (x + 2^k)⌋ lie: 16 bytes for lengths of zeros, 16 for the others. */
const tallyBytes: usize = 16

/**
 * Adds ⌊log₂ (x + 2^k)⌋ for each k. The bits of all codes are twice the sum and (1 − k) a code, so the sums are all that choosing needs.
 * Vectors have no count of leading zeros; the exponent of a float is one, and exact here, since x is below 2^19.
 */
function tallyLength(tally: usize, x: u32): void {
  if (ASC_FEATURE_SIMD) {
    const floats = f32x4.convert_i32x4_s(i32x4.add(i32x4.splat(<i32>x), i32x4(1, 4, 8, 32)))
    const exponents = i32x4.sub(i32x4.shr_u(floats, 23), i32x4.splat(127))
    v128.store(tally, i32x4.add(v128.load(tally), exponents))
  } else {
    store<u32>(tally, load<u32>(tally) + 31 - clz<u32>(x + 1))
    store<u32>(tally, load<u32>(tally, 4) + 31 - clz<u32>(x + 4), 4)
    store<u32>(tally, load<u32>(tally, 8) + 31 - clz<u32>(x + 8), 8)
    store<u32>(tally, load<u32>(tally, 12) + 31 - clz<u32>(x + 32), 12)
  }
}

/** The bits of all codes with a choice. */
function bitsWith(tally: usize, runs: u32, choice: u32): u32 {
  return 2 * load<u32>(tally + ((<usize>choice) << 2)) + runs - runs * kOf(choice)
}

function bestChoice(tally: usize, runs: u32): u32 {
  let best: u32 = 0
  for (let choice: u32 = 1; choice < 4; choice++)
    if (bitsWith(tally, runs, choice) < bitsWith(tally, runs, best)) best = choice
  return best
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A bit for each of at most 64 bytes that is not 0. */
function nonZeroOf64(at: usize, words: u32): u64 {
  if (ASC_FEATURE_SIMD && words >= 8) {
    const zero = i64x2.splat(0)
    return ~(
      <u64>i8x16.bitmask(i8x16.eq(v128.load(at), zero)) |
      ((<u64>i8x16.bitmask(i8x16.eq(v128.load(at, 16), zero))) << 16) |
      ((<u64>i8x16.bitmask(i8x16.eq(v128.load(at, 32), zero))) << 32) |
      ((<u64>i8x16.bitmask(i8x16.eq(v128.load(at, 48), zero))) << 48)
    )
  }
  let mask: u64 = 0
  for (let i: u32 = 0; i < min<u32>(words, 8); i++)
    mask |= (<u64>nonZeroBytes(load<u64>(at + ((<usize>i) << 3)))) << (i << 3)
  return mask
}

/**
 * Writes the byte form of the `words` words at `from`, without the count before it, to `at`, below `limit`. `scratch`: 32 bytes.
 * @returns where it ends, or 0 when it might not fit
 */
export function putBytes(from: usize, words: u32, at: usize, limit: usize, scratch: usize): usize {
  memory.fill(scratch, 0, 2 * tallyBytes)
  let runs: u32 = 0
  let bytes: u32 = 0
  // Once to count. A byte whose state is not that of the byte before begins a run, in turn of one kind and of the other.
  let last: u32 = -1
  let isRun = false
  let before: u64 = 0
  for (let i: u32 = 0; i < words; i += 8) {
    const mask = nonZeroOf64(from + ((<usize>i) << 3), words - i)
    let turns = mask ^ ((mask << 1) | before)
    before = mask >> 63
    while (turns !== 0) {
      const place = (i << 3) + <u32>ctz<u64>(turns)
      turns &= turns - 1
      if (isRun) {
        bytes += place - last
        tallyLength(scratch + tallyBytes, place - last - 1)
      } else {
        tallyLength(scratch, place - last - 1)
        runs++
      }
      isRun = !isRun
      last = place
    }
  }
  if (isRun) {
    bytes += (words << 3) - last
    tallyLength(scratch + tallyBytes, (words << 3) - last - 1)
  }
  const z = bestChoice(scratch, runs)
  const n = bestChoice(scratch + tallyBytes, runs)
  const bits = bitsWith(scratch, runs, z) + bitsWith(scratch + tallyBytes, runs, n)
  if (at + 7 + <usize>bytes + <usize>((bits + 7) >> 3) + 8 > limit) return 0
  store<u8>(at, 16 | z | (n << 2))
  at = putVarint(putVarint(at + 1, runs), bytes)
  // And once to write: bytes and bits side by side.
  const bytesEnd = at + bytes
  let to = bytesEnd
  const kz = kOf(z)
  const kn = kOf(n)
  let pending: u64 = 0
  let filled: u64 = 0
  last = -1
  isRun = false
  before = 0
  for (let i: u32 = 0; i < words || isRun; i += 8) {
    const mask = i < words ? nonZeroOf64(from + ((<usize>i) << 3), words - i) : 0
    let turns = mask ^ ((mask << 1) | before)
    before = mask >> 63
    while (turns !== 0) {
      const place = (i << 3) + <u32>ctz<u64>(turns)
      turns &= turns - 1
      if (isRun) {
        copy(from + last, place - last, at, bytesEnd)
        at += place - last
      }
      const k = isRun ? kn : kz
      const x = place - last - 1
      const q = (x >> k) + 1
      const m = 31 - clz<u32>(q)
      const low = (<u64>(q ^ (1 << m)) | ((<u64>(x & ((1 << k) - 1))) << m)) << 1
      pending |= ((low | 1) << m) << filled
      filled += 2 * m + 1 + k
      store<u64>(to, pending)
      to += <usize>(filled >> 3)
      pending >>= filled & ~7
      filled &= 7
      isRun = !isRun
      last = place
    }
  }
  return filled === 0 ? to : to + 1
}

/** Copies `count` bytes, eight at a time while that writes nothing from `end` on. */
function copy(from: usize, count: usize, to: usize, end: usize): void {
  const last = to + count
  while (to < last && to + 8 <= end) {
    store<u64>(to, load<u64>(from))
    from += 8
    to += 8
  }
  while (to < last) store<u8>(to++, load<u8>(from++))
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** x of a code whose m − 1 0-bits and 1-bit have been taken off `rest`. */
function lengthOf(rest: u64, below: u32, k: u32): u32 {
  const q = (1 << below) | (<u32>rest & ((1 << below) - 1))
  return ((q - 1) << k) | (<u32>(rest >> below) & ((1 << k) - 1))
}

/** No q of a part has more bits below its highest. */
const belowMax: u32 = 19

/**
 * Folds the byte form that follows `head` at `at` into the `words` words at `base`, `count` of which it says it changes.
 * @returns where it ends, or minus the place that is wrong; minus `end` when the bytes end too early
 */
export function applyBytes(
  base: usize,
  words: u32,
  count: u32,
  at: usize,
  end: usize,
  head: u32,
  scratch: usize,
): i64 {
  const headAt = <i64>at - 1
  const bytesMax = words << 3
  if (head > 31) return -headAt
  const runs = getVarint(at, end)
  if (runs < 0) return -(<i64>(runs === truncated ? end : at))
  const runsAt = <i64>at
  at += varintBytes(<u32>runs)
  const bytes = getVarint(at, end)
  if (bytes < 0) return -(<i64>(bytes === truncated ? end : at))
  const bytesAt = <i64>at
  at += varintBytes(<u32>bytes)
  if (runs === 0 || runs > bytes) return -runsAt
  if (bytes > <i64>bytesMax) return -bytesAt
  if (<i64>(end - at) < bytes) return -(<i64>end)
  memory.fill(scratch, 0, 2 * tallyBytes)
  const bytesEnd = at + <usize>bytes
  const bitsEnd = (<u64>(end - bytesEnd)) << 3
  const kz = kOf(head & 3)
  const kn = kOf((head >> 2) & 3)
  let bit: u64 = 0
  let last: u32 = -1
  let lastWord: u32 = -1
  // What the word form would see: its words, the runs in each of them, the highest byte of all.
  let found: u32 = 0
  let pieces: u32 = 0
  let width: u32 = 0
  for (let run: u32 = 0; run < <u32>runs; run++) {
    let codeAt = bytesEnd + <usize>(bit >> 3)
    let window = load<u64>(codeAt) >> (bit & 7)
    let below = <u32>ctz<u64>(window)
    bit += 2 * below + 1 + kz
    if (bit > bitsEnd) return -(<i64>end)
    if (below > belowMax) return -(<i64>codeAt)
    const zeros = lengthOf(window >> (below + 1), below, kz)
    const start = last + 1 + zeros
    if (zeros >= bytesMax || start >= bytesMax) return -(<i64>codeAt)
    codeAt = bytesEnd + <usize>(bit >> 3)
    window = load<u64>(codeAt) >> (bit & 7)
    below = <u32>ctz<u64>(window)
    bit += 2 * below + 1 + kn
    if (bit > bitsEnd) return -(<i64>end)
    if (below > belowMax) return -(<i64>codeAt)
    const length = lengthOf(window >> (below + 1), below, kn) + 1
    if (length > bytesMax - start) return -(<i64>codeAt)
    if (<usize>length > bytesEnd - at) return -bytesAt
    if (!foldIn(base + start, length, at, base + bytesMax)) return -(<i64>at)
    at += length
    last = start + length
    const firstWord = start >> 3
    const endWord = (last - 1) >> 3
    pieces += endWord - firstWord + 1
    found += endWord - firstWord + (firstWord === lastWord ? 0 : 1)
    lastWord = endWord
    width = max<u32>(width, endWord > firstWord ? 8 : ((last - 1) & 7) + 1)
    tallyLength(scratch, zeros)
    tallyLength(scratch + tallyBytes, length - 1)
  }
  if (at !== bytesEnd) return -bytesAt
  if (found !== count || !fitsBytes(count * width - <u32>bytes, pieces)) return -headAt
  if ((head & 3) !== bestChoice(scratch, <u32>runs)) return -headAt
  if (((head >> 2) & 3) !== bestChoice(scratch + tallyBytes, <u32>runs)) return -headAt
  const padded = bytesEnd + <usize>(bit >> 3)
  if ((bit & 7) !== 0 && <u32>load<u8>(padded) >> <u32>(bit & 7) !== 0) return -(<i64>padded)
  return <i64>(bytesEnd + <usize>((bit + 7) >> 3))
}

/** 1 in each byte. */
const ones: u64 = ~(<u64>0) / 255

/** `to ⊕=` so many bytes, none of which may be 0. @returns false at the first that is; those before it may be in */
function foldIn(to: usize, count: usize, from: usize, end: usize): bool {
  while (count > 0) {
    const taken = min<usize>(count, 8)
    const keep = keepBytes(<u32>taken)
    const bytes = load<u64>(from)
    const others = bytes | ~keep
    // The lowest byte that is 0 borrows from itself.
    if (((others - ones) & ~others & (ones << 7)) !== 0) return false
    if (to + 8 <= end) store<u64>(to, load<u64>(to) ^ (bytes & keep))
    else for (let i: usize = 0; i < taken; i++) store<u8>(to + i, load<u8>(to + i) ^ load<u8>(from + i))
    to += taken
    from += taken
    count -= taken
  }
  return true
}

/** The rule of sparse.ts: with so many zero bytes within the words, and so many runs of other bytes in them, the byte form is taken. */
export function fitsBytes(zeroBytes: u32, pieces: u32): bool {
  return 4 * zeroBytes > 3 * pieces
}

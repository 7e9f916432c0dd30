/**
 * Many words into one. In cache, one stream with eight accumulators hides the latency of the XOR. From memory, one stream waits on
 * address translation: eight ranges read side by side keep more misses in flight. XOR commutes, so both are the same fold.
 */

/**
 * Bytes of a range: a number of cache lines that no page and no set of a cache divides, so that the lines read side by side lie in different sets,
 * and so that no two ranges come to a new page at once.
 */
export const rangeBytes: usize = 521 * 64

/** From here on the block does not lie in a second-level cache, and several streams pay. */
const streamedBytesMin: usize = 2 * 1024 * 1024

/** Writes the XOR of `words` words at `at` to `result` (8 bytes). */
export function fold(at: usize, words: usize, result: usize): void {
  const bytes = words << 3
  if (ASC_FEATURE_SIMD) {
    const sum = bytes < streamedBytesMin ? foldRun(at, bytes) : foldStreams(at, bytes)
    store<u64>(result, i64x2.extract_lane(sum, 0) ^ i64x2.extract_lane(sum, 1))
  } else {
    store<u64>(result, foldScalar(at, bytes))
  }
}

function foldRun(at: usize, bytes: usize): v128 {
  let a = i64x2.splat(0)
  let b = a
  let c = a
  let d = a
  let e = a
  let f = a
  let g = a
  let h = a
  // V8 looks at the stack limit once a turn: 256 bytes make that one load among seventeen.
  const unrolledEnd = at + (bytes & ~255)
  const end = at + bytes
  while (at < unrolledEnd) {
    a = v128.xor(a, v128.load(at))
    b = v128.xor(b, v128.load(at, 16))
    c = v128.xor(c, v128.load(at, 32))
    d = v128.xor(d, v128.load(at, 48))
    e = v128.xor(e, v128.load(at, 64))
    f = v128.xor(f, v128.load(at, 80))
    g = v128.xor(g, v128.load(at, 96))
    h = v128.xor(h, v128.load(at, 112))
    a = v128.xor(a, v128.load(at, 128))
    b = v128.xor(b, v128.load(at, 144))
    c = v128.xor(c, v128.load(at, 160))
    d = v128.xor(d, v128.load(at, 176))
    e = v128.xor(e, v128.load(at, 192))
    f = v128.xor(f, v128.load(at, 208))
    g = v128.xor(g, v128.load(at, 224))
    h = v128.xor(h, v128.load(at, 240))
    at += 256
  }
  while (at < end) {
    a = v128.xor(a, v128.load64_zero(at))
    at += 8
  }
  a = v128.xor(v128.xor(a, b), v128.xor(c, d))
  e = v128.xor(v128.xor(e, f), v128.xor(g, h))
  return v128.xor(a, e)
}

/** Eight ranges at a time, a cache line of each in turn; what is left over goes in one run. */
function foldStreams(at: usize, bytes: usize): v128 {
  const end = at + bytes
  let a = i64x2.splat(0)
  let b = a
  let c = a
  let d = a
  while (end - at >= 8 * rangeBytes) {
    const rangeEnd = at + rangeBytes
    while (at < rangeEnd) {
      a = line(at, a)
      b = line(at + rangeBytes, b)
      c = line(at + 2 * rangeBytes, c)
      d = line(at + 3 * rangeBytes, d)
      a = line(at + 4 * rangeBytes, a)
      b = line(at + 5 * rangeBytes, b)
      c = line(at + 6 * rangeBytes, c)
      d = line(at + 7 * rangeBytes, d)
      at += 64
    }
    at += 7 * rangeBytes
  }
  return v128.xor(foldRun(at, end - at), v128.xor(v128.xor(a, b), v128.xor(c, d)))
}

/** `sum` with the 64 bytes at `at` folded in. */
function line(at: usize, sum: v128): v128 {
  return v128.xor(
    v128.xor(sum, v128.xor(v128.load(at), v128.load(at, 16))),
    v128.xor(v128.load(at, 32), v128.load(at, 48)),
  )
}

function foldScalar(at: usize, bytes: usize): u64 {
  let a: u64 = 0
  let b: u64 = 0
  let c: u64 = 0
  let d: u64 = 0
  const unrolledEnd = at + (bytes & ~63)
  const end = at + bytes
  while (at < unrolledEnd) {
    a ^= load<u64>(at) ^ load<u64>(at, 32)
    b ^= load<u64>(at, 8) ^ load<u64>(at, 40)
    c ^= load<u64>(at, 16) ^ load<u64>(at, 48)
    d ^= load<u64>(at, 24) ^ load<u64>(at, 56)
    at += 64
  }
  while (at < end) {
    a ^= load<u64>(at)
    at += 8
  }
  return a ^ b ^ (c ^ d)
}

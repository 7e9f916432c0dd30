/**
 * Many words into one. In cache, one stream with eight accumulators hides the latency of the XOR. From memory, one stream waits on
 * address translation: eight ranges of the block read side by side keep more misses in flight. XOR commutes, so both are the same fold.
 */

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

/** Eight equal ranges, a cache line of each in turn; what is left over goes in one run. */
function foldStreams(at: usize, bytes: usize): v128 {
  const part = (bytes >> 3) & ~63
  let p0 = at
  let p1 = p0 + part
  let p2 = p1 + part
  let p3 = p2 + part
  let p4 = p3 + part
  let p5 = p4 + part
  let p6 = p5 + part
  let p7 = p6 + part
  const end = p1
  let a = foldRun(p7 + part, bytes - (part << 3))
  let b = i64x2.splat(0)
  let c = b
  let d = b
  while (p0 < end) {
    a = line(p0, a)
    b = line(p1, b)
    c = line(p2, c)
    d = line(p3, d)
    a = line(p4, a)
    b = line(p5, b)
    c = line(p6, c)
    d = line(p7, d)
    p0 += 64
    p1 += 64
    p2 += 64
    p3 += 64
    p4 += 64
    p5 += 64
    p6 += 64
    p7 += 64
  }
  return v128.xor(v128.xor(a, b), v128.xor(c, d))
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

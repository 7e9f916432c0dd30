/**
 * The linear digest (spec/semantics.md gives the formula): word i counts as Jᵢ · word, where Jᵢ is a power of one 64 × 64 bit matrix T
 * over GF(2), and the digest is the XOR of all. T is three shifts with XOR, and its powers T¹ … T^(2⁶⁴ − 2) are all different from 1.
 *
 *   lane i mod 16, step ⌊i / 16⌋:   Jᵢ = T^(step + 2⁴⁰ · lane)
 *
 * So sixteen lanes run side by side, from the last step to the first (h ← T h ⊕ word), and are joined once. A single word goes
 * to its place in one multiplication for each 1-bit of its index, by tables of T^(2^b).
 *
 *   table   16 windows of 4 bits × 16 entries × 8 bytes: entry e of window w is the matrix times (e << 4 w)
 *   jumps   29 tables, one for each bit of an index: lane bits 0–3, then step bits 0–24
 */

const tableBytes: usize = 2048
const laneBits: u32 = 4
const indexBits: u32 = 29
const laneShift: u32 = 40

function step(x: u64): u64 {
  x ^= x << 13
  x ^= x >> 7
  return x ^ (x << 17)
}

function times(table: usize, x: u64): u64 {
  let sum: u64 = 0
  for (let window: usize = 0; window < 16; window += 4) {
    const at = table + (window << 7)
    sum ^=
      load<u64>(at + ((<usize>x & 15) << 3)) ^
      load<u64>(at + ((<usize>(x >> 4) & 15) << 3), 128) ^
      (load<u64>(at + ((<usize>(x >> 8) & 15) << 3), 256) ^
        load<u64>(at + ((<usize>(x >> 12) & 15) << 3), 384))
    x >>= 16
  }
  return sum
}

/** Completes a table from the entries 1, 2, 4, 8 of each window. */
function complete(table: usize): void {
  const end = table + tableBytes
  for (; table < end; table += 128) {
    store<u64>(table, 0)
    for (let entry: usize = 3; entry < 16; entry++) {
      const rest = entry & (entry - 1)
      if (rest !== 0) {
        const lowest = entry ^ rest
        store<u64>(table + (entry << 3), load<u64>(table + (rest << 3)) ^ load<u64>(table + (lowest << 3)))
      }
    }
  }
}

/** Fills `jumps` (59,392 bytes); `scratch`: 4,096 bytes. */
export function buildJumps(jumps: usize, scratch: usize): void {
  let table = scratch
  let square = scratch + tableBytes
  for (let bit: usize = 0; bit < 64; bit++)
    store<u64>(table + ((bit >> 2) << 7) + (((<usize>1) << (bit & 3)) << 3), step((<u64>1) << bit))
  complete(table)
  for (let power: u32 = 0; power < laneShift + laneBits; power++) {
    if (power < indexBits - laneBits) memory.copy(jumps + (power + laneBits) * tableBytes, table, tableBytes)
    if (power >= laneShift) memory.copy(jumps + (power - laneShift) * tableBytes, table, tableBytes)
    for (let bit: usize = 0; bit < 64; bit++) {
      const entry = ((bit >> 2) << 7) + (((<usize>1) << (bit & 3)) << 3)
      store<u64>(square + entry, times(table, load<u64>(table + entry)))
    }
    complete(square)
    const old = table
    table = square
    square = old
  }
}

/** `sum ⊕=` the digest of the word (low, high) at `index`; `sum`: 8 bytes. */
export function digestWord(index: u32, low: u32, high: u32, sum: usize, jumps: usize): void {
  let x = <u64>low | ((<u64>high) << 32)
  while (index !== 0) {
    x = times(jumps + <usize>ctz<u32>(index) * tableBytes, x)
    index &= index - 1
  }
  store<u64>(sum, load<u64>(sum) ^ x)
}

/** Writes the digest of `words` words at `at` to `result`: 128 bytes, of which the first 8 are the digest. */
export function digest(at: usize, words: u32, result: usize, jumps: usize): void {
  const whole = at + ((<usize>(words & ~15)) << 3)
  memory.fill(result, 0, 128)
  memory.copy(result, whole, (words & 15) << 3)
  if (ASC_FEATURE_SIMD) lanesSimd(at, whole, result)
  else {
    lanesScalar(at, whole, result)
    lanesScalar(at + 32, whole + 32, result + 32)
    lanesScalar(at + 64, whole + 64, result + 64)
    lanesScalar(at + 96, whole + 96, result + 96)
  }
  for (let bit = laneBits; bit > 0; ) {
    bit--
    const half = (<usize>8) << bit
    for (let lane: usize = 0; lane < half; lane += 8)
      store<u64>(
        result + lane,
        load<u64>(result + lane) ^ times(jumps + bit * tableBytes, load<u64>(result + lane + half)),
      )
  }
}

function stepSimd(x: v128): v128 {
  x = v128.xor(x, i64x2.shl(x, 13))
  x = v128.xor(x, i64x2.shr_u(x, 7))
  return v128.xor(x, i64x2.shl(x, 17))
}

/**
 * Fourteen lanes in vectors and two in registers of 64 bits: a step is all shifts and XORs, and a processor has units for those of vectors and
 * for those of words. The last lines of the page below are read early, which brings its translation and starts the prefetcher on it.
 */
function lanesSimd(start: usize, at: usize, lanes: usize): void {
  let a = v128.load(lanes)
  let b = v128.load(lanes, 16)
  let c = v128.load(lanes, 32)
  let d = v128.load(lanes, 48)
  let e = v128.load(lanes, 64)
  let f = v128.load(lanes, 80)
  let g = v128.load(lanes, 96)
  let h = load<u64>(lanes, 112)
  let i = load<u64>(lanes, 120)
  while (at > start) {
    const page = (at - 128) & ~4095
    const stop = max<usize>(start, page + (at & 127))
    if (page > start + 64) {
      load<u8>(page - 1)
      load<u8>(page - 65)
    }
    while (at > stop) {
      at -= 128
      a = v128.xor(stepSimd(a), v128.load(at))
      b = v128.xor(stepSimd(b), v128.load(at, 16))
      c = v128.xor(stepSimd(c), v128.load(at, 32))
      h = step(h) ^ load<u64>(at, 112)
      d = v128.xor(stepSimd(d), v128.load(at, 48))
      e = v128.xor(stepSimd(e), v128.load(at, 64))
      f = v128.xor(stepSimd(f), v128.load(at, 80))
      i = step(i) ^ load<u64>(at, 120)
      g = v128.xor(stepSimd(g), v128.load(at, 96))
    }
  }
  v128.store(lanes, a)
  v128.store(lanes, b, 16)
  v128.store(lanes, c, 32)
  v128.store(lanes, d, 48)
  v128.store(lanes, e, 64)
  v128.store(lanes, f, 80)
  v128.store(lanes, g, 96)
  store<u64>(lanes, h, 112)
  store<u64>(lanes, i, 120)
}

/** Four of the sixteen lanes: as many as there are registers for. */
function lanesScalar(start: usize, at: usize, lanes: usize): void {
  let a = load<u64>(lanes)
  let b = load<u64>(lanes, 8)
  let c = load<u64>(lanes, 16)
  let d = load<u64>(lanes, 24)
  while (at > start) {
    at -= 128
    a = step(a) ^ load<u64>(at)
    b = step(b) ^ load<u64>(at, 8)
    c = step(c) ^ load<u64>(at, 16)
    d = step(d) ^ load<u64>(at, 24)
  }
  store<u64>(lanes, a)
  store<u64>(lanes, b, 8)
  store<u64>(lanes, c, 16)
  store<u64>(lanes, d, 24)
}

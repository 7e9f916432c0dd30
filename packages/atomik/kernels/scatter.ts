/**
 * Deltas by index: `to[indexes[i]] ⊕= deltas[i]`. An index may occur often. A bad index is found while the deltas before it are in
 * already; XOR is its own inverse, so doing the same again takes them out. Above cache size the deltas are first sorted by
 * the high bits of their index, so that each part of the block is brought in once.
 */

const pageShift: usize = 9 // words in a page, as a power of two

/**
 * Folds `count` deltas (8 bytes each) at 32-bit indexes into a block of `words` words, and sets the byte of each page touched at `marks`
 * (0: no marks). @returns `count`, or the position of the first index outside the block; then nothing has changed
 */
export function scatter(to: usize, words: u32, indexes: usize, deltas: usize, count: u32, marks: usize): u32 {
  const taken = scatterUpTo(to, words, indexes, deltas, count)
  if (taken < count) scatterUpTo(to, words, indexes, deltas, taken)
  else if (marks !== 0) mark(indexes, count, marks)
  return taken
}

function scatterUpTo(to: usize, words: u32, indexes: usize, deltas: usize, count: u32): u32 {
  let i: u32 = 0
  const pairs = count & ~3
  while (i < pairs) {
    const a = load<u32>(indexes)
    const b = load<u32>(indexes, 4)
    const c = load<u32>(indexes, 8)
    const d = load<u32>(indexes, 12)
    if (i32(a >= words) | i32(b >= words) | i32(c >= words) | i32(d >= words)) break
    let at = to + ((<usize>a) << 3)
    store<u64>(at, load<u64>(at) ^ load<u64>(deltas))
    at = to + ((<usize>b) << 3)
    store<u64>(at, load<u64>(at) ^ load<u64>(deltas, 8))
    at = to + ((<usize>c) << 3)
    store<u64>(at, load<u64>(at) ^ load<u64>(deltas, 16))
    at = to + ((<usize>d) << 3)
    store<u64>(at, load<u64>(at) ^ load<u64>(deltas, 24))
    indexes += 16
    deltas += 32
    i += 4
  }
  while (i < count) {
    const index = load<u32>(indexes)
    if (index >= words) break
    const at = to + ((<usize>index) << 3)
    store<u64>(at, load<u64>(at) ^ load<u64>(deltas))
    indexes += 4
    deltas += 8
    i++
  }
  return i
}

function mark(indexes: usize, count: u32, marks: usize): void {
  const end = indexes + ((<usize>count) << 2)
  while (indexes < end) {
    store<u8>(marks + (load<u32>(indexes) >> pageShift), 1)
    indexes += 4
  }
}

/**
 * The same for blocks larger than the caches. `scratch` takes 16 bytes a delta and then 4 bytes for each of 2^`partBits` + 1 parts;
 * a part is 2^`partShift` words.
 */
export function scatterPartitioned(
  to: usize,
  words: u32,
  indexes: usize,
  deltas: usize,
  count: u32,
  marks: usize,
  scratch: usize,
  partShift: u32,
): u32 {
  const parts: u32 = ((words - 1) >> partShift) + 1
  const ends = scratch + ((<usize>count) << 4)
  memory.fill(ends, 0, (<usize>parts) << 2)
  // How many deltas fall into each part; every index is looked at before anything changes.
  for (let i: u32 = 0; i < count; i++) {
    const index = load<u32>(indexes + ((<usize>i) << 2))
    if (index >= words) return i
    const at = ends + ((<usize>(index >> partShift)) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
  let sum: u32 = 0
  for (let part: u32 = 0; part < parts; part++) {
    const at = ends + ((<usize>part) << 2)
    const here = load<u32>(at)
    store<u32>(at, sum)
    sum += here
  }
  for (let i: u32 = 0; i < count; i++) {
    const index = load<u32>(indexes + ((<usize>i) << 2))
    const at = ends + ((<usize>(index >> partShift)) << 2)
    const slot = load<u32>(at)
    store<u32>(at, slot + 1)
    const record = scratch + ((<usize>slot) << 4)
    store<u64>(record, load<u64>(deltas + ((<usize>i) << 3)))
    store<u32>(record, index, 8)
  }
  for (let record = scratch; record < ends; record += 16) {
    const at = to + ((<usize>load<u32>(record, 8)) << 3)
    store<u64>(at, load<u64>(at) ^ load<u64>(record))
  }
  if (marks !== 0) mark(indexes, count, marks)
  return count
}

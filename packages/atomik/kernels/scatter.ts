/**
 * Deltas by index: `to[indexes[i]] ⊕= deltas[i]`. An index may occur often. All indexes are looked at before anything changes. Above
 * cache size the deltas are first sorted by the high bits of their index, so that the translations of a part of the block are brought in once.
 * Loops do four at a turn: the fewer instructions a delta takes, the more misses are in flight at a time.
 */

/**
 * Folds `count` deltas (8 bytes each) at 32-bit indexes into a block of `words` words, and sets the bit of each 64 words touched at `marks`
 * (0: no marks). @returns `count`, or the position of the first index outside the block; then nothing has changed
 */
export function scatter(to: usize, words: u32, indexes: usize, deltas: usize, count: u32, marks: usize): u32 {
  const bad = firstOutside(words, indexes, count)
  if (bad < count) return bad
  const end = indexes + ((<usize>count) << 2)
  const unrolledEnd = indexes + ((<usize>(count & ~3)) << 2)
  let at = indexes
  while (at < unrolledEnd) {
    foldIn(to, load<u32>(at), load<u64>(deltas))
    foldIn(to, load<u32>(at, 4), load<u64>(deltas, 8))
    foldIn(to, load<u32>(at, 8), load<u64>(deltas, 16))
    foldIn(to, load<u32>(at, 12), load<u64>(deltas, 24))
    at += 16
    deltas += 32
  }
  while (at < end) {
    foldIn(to, load<u32>(at), load<u64>(deltas))
    at += 4
    deltas += 8
  }
  if (marks !== 0) mark(indexes, count, marks)
  return count
}

function foldIn(to: usize, index: u32, delta: u64): void {
  const at = to + ((<usize>index) << 3)
  store<u64>(at, load<u64>(at) ^ delta)
}

/** Position of the first index that is not below `words`, or `count`. */
function firstOutside(words: u32, indexes: usize, count: u32): u32 {
  let i: u32 = 0
  if (ASC_FEATURE_SIMD) {
    const unrolled = count & ~15
    const last = i32x4.splat(<i32>(words - 1))
    if (words !== 0)
      while (i < unrolled) {
        const at = indexes + ((<usize>i) << 2)
        const most = i32x4.max_u(
          i32x4.max_u(v128.load(at), v128.load(at, 16)),
          i32x4.max_u(v128.load(at, 32), v128.load(at, 48)),
        )
        if (v128.any_true(i32x4.gt_u(most, last))) break
        i += 16
      }
  }
  while (i < count && load<u32>(indexes + ((<usize>i) << 2)) < words) i++
  return i
}

function mark(indexes: usize, count: u32, marks: usize): void {
  const end = indexes + ((<usize>count) << 2)
  while (indexes < end) {
    const index = load<u32>(indexes)
    const at = marks + <usize>(index >> 9)
    store<u8>(at, <u32>load<u8>(at) | (1 << ((index >> 6) & 7)))
    indexes += 4
  }
}

/** A delta and its index, as short as they can be: the records go out to memory and come back. */
const recordBytes: usize = 12

/**
 * The same for blocks larger than the caches. `scratch` takes a record of 12 bytes a delta, then 4 bytes for each part of 2^`partShift` words;
 * up to 128 bytes behind the records are read and not used.
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
  const bad = firstOutside(words, indexes, count)
  if (bad < count || count === 0) return bad
  const parts: usize = (<usize>(words - 1) >> partShift) + 1
  const ends = scratch + <usize>count * recordBytes
  memory.fill(ends, 0, parts << 2)
  const indexesEnd = indexes + ((<usize>count) << 2)
  const unrolledEnd = indexes + ((<usize>(count & ~3)) << 2)
  let at = indexes
  while (at < unrolledEnd) {
    tally(ends, load<u32>(at) >> partShift)
    tally(ends, load<u32>(at, 4) >> partShift)
    tally(ends, load<u32>(at, 8) >> partShift)
    tally(ends, load<u32>(at, 12) >> partShift)
    at += 16
  }
  while (at < indexesEnd) {
    tally(ends, load<u32>(at) >> partShift)
    at += 4
  }
  // From counts to the place of each part's first record.
  let place = scratch
  const endsEnd = ends + (parts << 2)
  for (let end = ends; end < endsEnd; end += 4) {
    const here = <usize>load<u32>(end)
    store<u32>(end, <u32>place)
    place += here * recordBytes
  }
  at = indexes
  while (at < unrolledEnd) {
    file(ends, partShift, load<u32>(at), load<u64>(deltas))
    file(ends, partShift, load<u32>(at, 4), load<u64>(deltas, 8))
    file(ends, partShift, load<u32>(at, 8), load<u64>(deltas, 16))
    file(ends, partShift, load<u32>(at, 12), load<u64>(deltas, 24))
    at += 16
    deltas += 32
  }
  while (at < indexesEnd) {
    file(ends, partShift, load<u32>(at), load<u64>(deltas))
    at += 4
    deltas += 8
  }
  let record = scratch
  const recordsEnd = scratch + <usize>(count & ~3) * recordBytes
  while (record < recordsEnd) {
    foldIn(to, load<u32>(record, 8), load<u64>(record))
    foldIn(to, load<u32>(record, 20), load<u64>(record, 12))
    foldIn(to, load<u32>(record, 32), load<u64>(record, 24))
    foldIn(to, load<u32>(record, 44), load<u64>(record, 36))
    record += 4 * recordBytes
  }
  while (record < ends) {
    foldIn(to, load<u32>(record, 8), load<u64>(record))
    record += recordBytes
  }
  if (marks !== 0) mark(indexes, count, marks)
  return count
}

function tally(ends: usize, part: u32): void {
  const at = ends + ((<usize>part) << 2)
  store<u32>(at, load<u32>(at) + 1)
}

/** Writes a record (delta, index) at the next place of its part. The line after next is read, so that it is in the cache when its turn comes. */
function file(ends: usize, partShift: u32, index: u32, delta: u64): void {
  const end = ends + ((<usize>(index >> partShift)) << 2)
  const record = <usize>load<u32>(end)
  store<u32>(end, <u32>(record + recordBytes))
  store<u64>(record, delta)
  store<u32>(record, index, 8)
  load<u8>(record, 128)
}

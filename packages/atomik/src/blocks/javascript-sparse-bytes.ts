/** The byte form of a part of a sparse block in plain JavaScript; kernels/sparse-bytes.ts draws it. */

const choices = [0, 2, 3, 5] as const

/** The rule of kernels/sparse.ts: so many zero bytes within the words, so many runs of other bytes in them. */
export function fitsBytes(zeroBytes: number, pieces: number): boolean {
  return 4 * zeroBytes > 3 * pieces
}

export function varintBytes(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5
}

export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let to = at
  while (rest >= 0x80) {
    bytes[to++] = rest | 0x80
    rest >>>= 7
  }
  bytes[to] = rest
  return to + 1
}

/** The number, −1 when it is not the shortest or above 32 bits, −2 when the bytes end. */
export function getVarint(bytes: Uint8Array, from: number, end: number): number {
  let value = 0
  for (let i = 0; i < 5; i++) {
    if (from + i === end) return -2
    const byte = bytes[from + i]
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return (byte === 0 && i > 0) || value >= 2 ** 32 ? -1 : value
  }
  return -1
}

/** Bits of all codes, for each k. */
class Tally {
  readonly bits = new Float64Array(choices.length)

  add(x: number): void {
    for (let i = 0; i < choices.length; i++) this.bits[i] += codeBits(x, choices[i])
  }

  best(): number {
    return this.bits.indexOf(Math.min(...this.bits))
  }
}

const lowBits = (x: number, k: number) => 31 - Math.clz32((x >>> k) + 1)
const codeBits = (x: number, k: number) => 2 * lowBits(x, k) + 1 + k

/** The next place from `at` on whose byte is not 0 (or is, when `isRun`), or `end`. */
function turn(bytes: Uint8Array, from: number, end: number, isRun: boolean): number {
  let at = from
  while (at < end && (bytes[at] !== 0) === isRun) at++
  return at
}

/** Writes the byte form of the bytes `from` to `fromEnd` − 1 to `at`. @returns where it ends, or 0 when it might not fit below `limit` */
export function putBytes(
  bytes: Uint8Array,
  from: number,
  fromEnd: number,
  start: number,
  limit: number,
): number {
  const [z, n] = [new Tally(), new Tally()]
  let runs = 0
  let count = 0
  for (let last = from - 1; ; runs++) {
    const begin = turn(bytes, last + 1, fromEnd, false)
    if (begin >= fromEnd) break
    z.add(begin - last - 1)
    last = turn(bytes, begin, fromEnd, true)
    n.add(last - begin - 1)
    count += last - begin
  }
  const [zBest, nBest] = [z.best(), n.best()]
  if (start + 7 + count + Math.ceil((z.bits[zBest] + n.bits[nBest]) / 8) + 8 > limit) return 0
  bytes[start] = 16 | zBest | (nBest << 2)
  let at = putVarint(bytes, putVarint(bytes, start + 1, runs), count)
  let to = at + count
  let pending = 0
  let filled = 0
  const putBit = (bit: number) => {
    pending |= bit << filled
    if (++filled < 8) return
    bytes[to++] = pending
    pending = 0
    filled = 0
  }
  const putCode = (x: number, k: number) => {
    const below = lowBits(x, k)
    for (let i = 0; i < below; i++) putBit(0)
    putBit(1)
    for (let i = 0; i < below; i++) putBit((((x >>> k) + 1) >>> i) & 1)
    for (let i = 0; i < k; i++) putBit((x >>> i) & 1)
  }
  for (let last = from - 1; ; ) {
    const begin = turn(bytes, last + 1, fromEnd, false)
    if (begin >= fromEnd) break
    putCode(begin - last - 1, choices[zBest])
    last = turn(bytes, begin, fromEnd, true)
    putCode(last - begin - 1, choices[nBest])
    bytes.copyWithin(at, begin, last)
    at += last - begin
  }
  if (filled > 0) bytes[to++] = pending
  return to
}

/**
 * Folds the byte form that follows `head` at `start` into the bytes `base` to `baseEnd` − 1.
 * @returns where it ends, or minus the place that is wrong; minus `end` when the bytes end too early
 */
export function applyBytes(
  bytes: Uint8Array,
  { base, baseEnd, count }: { readonly base: number; readonly baseEnd: number; readonly count: number },
  start: number,
  end: number,
  head: number,
): number {
  const headAt = start - 1
  if (head > 31) return -headAt
  let at = start
  const runs = getVarint(bytes, at, end)
  if (runs < 0) return -(runs === -2 ? end : at)
  const runsAt = at
  at += varintBytes(runs)
  const length = getVarint(bytes, at, end)
  if (length < 0) return -(length === -2 ? end : at)
  const lengthAt = at
  at += varintBytes(length)
  if (runs === 0 || runs > length) return -runsAt
  if (length > baseEnd - base) return -lengthAt
  if (end - at < length) return -end
  const bitsAt = at + length
  const bitsEnd = 8 * (end - bitsAt)
  let bit = 0
  const bitAt = (place: number) => (bytes[bitsAt + (place >>> 3)] >>> (place & 7)) & 1
  /** x, −1 when it is too large, −2 when the bits end. */
  const getCode = (k: number) => {
    let below = 0
    while (bit < bitsEnd && below <= 64 && bitAt(bit) === 0) {
      below++
      bit++
    }
    if (bit + below + 1 + k > bitsEnd) return -2
    if (below > 19) return -1
    bit++
    let q = 2 ** below
    for (let i = 0; i < below; i++) q += bitAt(bit++) * 2 ** i
    let x = (q - 1) * 2 ** k
    for (let i = 0; i < k; i++) x += bitAt(bit++) * 2 ** i
    return x
  }
  const [z, n] = [new Tally(), new Tally()]
  const [kz, kn] = [choices[head & 3], choices[(head >>> 2) & 3]]
  let last = base - 1
  let lastWord = -1
  let found = 0
  let pieces = 0
  let width = 0
  for (let run = 0; run < runs; run++) {
    let codeAt = bitsAt + (bit >>> 3)
    const zeros = getCode(kz)
    if (zeros === -2) return -end
    const begin = last + 1 + zeros
    if (zeros < 0 || begin >= baseEnd) return -codeAt
    codeAt = bitsAt + (bit >>> 3)
    const more = getCode(kn)
    if (more === -2) return -end
    if (more < 0 || more >= baseEnd - begin) return -codeAt
    if (more >= bitsAt - at) return -lengthAt
    for (let i = 0; i <= more; i++, at++) {
      if (bytes[at] === 0) return -at
      bytes[begin + i] ^= bytes[at]
    }
    last = begin + more + 1
    const [firstWord, endWord] = [(begin - base) >>> 3, (last - 1 - base) >>> 3]
    pieces += endWord - firstWord + 1
    found += endWord - firstWord + (firstWord === lastWord ? 0 : 1)
    lastWord = endWord
    width = Math.max(width, endWord > firstWord ? 8 : ((last - 1 - base) & 7) + 1)
    z.add(zeros)
    n.add(more)
  }
  if (at !== bitsAt) return -lengthAt
  if (found !== count || !fitsBytes(count * width - length, pieces)) return -headAt
  if ((head & 3) !== z.best() || ((head >>> 2) & 3) !== n.best()) return -headAt
  const padded = bitsAt + (bit >>> 3)
  if ((bit & 7) !== 0 && bytes[padded] >>> (bit & 7) !== 0) return -padded
  return bitsAt + ((bit + 7) >>> 3)
}

/**
 * What an implementation of the bulk kernels offers: the same functions over one flat memory in plain JavaScript and in WebAssembly.
 * Arguments are byte offsets (multiples of 8, of 4 for indexes, any for encodings) and counts of 64-bit words. Nobody checks here;
 * `BlockMemory` does. `kernels.contract.ts` holds every implementation to the same bytes.
 */

/** Fastest first. */
export const implementations = ['simd', 'scalar', 'javascript'] as const

export type Implementation = (typeof implementations)[number]

export interface Kernels {
  /** XOR of all words at `at` into the 8 bytes at `result`. */
  fold(at: number, words: number, result: number): void
  /** `to ⊕= from`. Like all operands of word-wise kernels: the same place or places that do not overlap. */
  xorInto(to: number, from: number, words: number): void
  /** `to ⊕= a ⊕ b ⊕ c ⊕ d` in one pass. */
  xorInto4(to: number, a: number, b: number, c: number, d: number, words: number): void
  /** `to = a ⊕ b`. */
  xorOut(to: number, a: number, b: number, words: number): void
  /** `to += from`, word by word modulo 2⁶⁴. */
  addInto(to: number, from: number, words: number): void
  /** 1 when both hold the same words, else 0. */
  equal(a: number, b: number, words: number): number
  /** Bits that are 1. */
  popcount(at: number, words: number): number
  /** `reference ⊕= accumulator`, `accumulator = 0`. */
  swap(reference: number, accumulator: number, words: number): void
  /**
   * The same for what is marked: a byte for each page of 512 words (readable to a multiple of 8), a bit for each 64 words. Clears the
   * marks, returns how many pages had any.
   */
  swapPages(reference: number, accumulator: number, words: number, marks: number): number
  /**
   * `to[indexes[i]] ⊕= deltas[i]`, and the mark of each place unless `marks` is 0. Returns `count`, or the position of the first
   * index that is not below `words`; then nothing has changed.
   */
  scatter(to: number, words: number, indexes: number, deltas: number, count: number, marks: number): number
  /** The same, deltas sorted by parts of 2^`partShift` words first; `scratch`: 12 bytes a delta, 4 a part, 128 more. */
  scatterPartitioned(
    to: number,
    words: number,
    indexes: number,
    deltas: number,
    count: number,
    marks: number,
    scratch: number,
    partShift: number,
  ): number
  /** Sparse encoding of a block (kernels/sparse.ts, sparse-bytes.ts draw it). Bytes, or −1 when they might not fit. `scratch`: 131,072 bytes. */
  encode(from: number, words: number, to: number, capacity: number, scratch: number): number
  /** `to ⊕=` the encoded block. −1, or the offset of the first wrong byte (`bytes` at a premature end); then nothing has changed. `scratch`: 32 bytes. */
  apply(to: number, words: number, from: number, bytes: number, scratch: number): number
  /** Fills the tables of the digest: 59,392 bytes at `jumps`. `scratch`: 4,096 bytes. */
  buildJumps(jumps: number, scratch: number): void
  /** Linear digest of a block into the first 8 of 128 bytes at `result`. */
  digest(at: number, words: number, result: number, jumps: number): void
  /** `sum ⊕=` the digest of one word at an index. */
  digestWord(index: number, low: number, high: number, sum: number, jumps: number): void
}

/** Words in a page: what one byte of dirty marks stands for, a bit for each eighth. */
export const pageWords = 512
/** Bytes of `encode`'s scratch. */
export const encodeScratchBytes = 131_072
/** Bytes of the digest's tables. */
export const jumpsBytes = 29 * 2048

/** The most bytes `encode` can need for `words` words, and what it asks for beyond its end. */
export function encodedBytesMax(words: number): number {
  return 16 + Math.ceil(words / 65_536) * 12 + 8 * words + Math.ceil(words / 8)
}

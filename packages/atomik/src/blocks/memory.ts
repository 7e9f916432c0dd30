/**
 * A memory for blocks of 64-bit words, and the bulk operations on them. State lives where the kernels work, so nothing is copied in
 * or out: programs read and write it through views. The memory has its size from the start; views stay valid for ever.
 *
 *   0 … 199,936   results, the digest's tables, scratch        then blocks, on cache lines        64 bytes of nothing
 *
 * Every range is checked here, before a kernel runs. A refusal changes nothing.
 */
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { javascriptKernels } from './javascript.ts'
import {
  encodedBytesMax,
  encodeScratchBytes,
  type Implementation,
  implementations,
  jumpsBytes,
  type Kernels,
} from './kernels.ts'
import { type FlatMemory, flatMemory, pageOfMemoryBytes, runs, webAssemblyKernels } from './webassembly.ts'

const resultAt = 64
const lanesAt = 128
const jumpsAt = 512
const scratchAt = jumpsAt + jumpsBytes
const blocksAt = scratchAt + encodeScratchBytes + 64
/** Kernels read up to 8 bytes beyond an encoding. */
const tailBytes = 64
/** Up to here plain JavaScript is done before a call into WebAssembly (about 4 ns) has begun. */
const fewWords = 4
/** Blocks above this are larger than second-level caches and most translation buffers: deltas are sorted before they are scattered. */
const partitionedWordsMin = 2 ** 21
/** Words of a part of such a block, as a power of two: its pages fit every second-level translation buffer. */
const partShift = 18
/** Blocks begin at different places of a page, so that equal offsets in two blocks do not meet in one cache set. */
const staggerBytes = 1344

/** `words` words in a `BlockMemory`. */
export class Block {
  /** The memory it lies in. */
  readonly memory: BlockMemory
  /** Byte offset in the memory. */
  readonly at: number
  readonly words: number
  /** The words: two signed halves of 32 bits each, the less significant first. */
  readonly halves: Int32Array
  /** The same as bytes, little-endian. */
  readonly bytes: Uint8Array

  /** @internal Blocks come from `BlockMemory.allocate` and `part`. */
  constructor(memory: BlockMemory, at: number, words: number) {
    this.memory = memory
    this.at = at
    this.words = words
    this.halves = new Int32Array(memory.buffer, at, 2 * words)
    this.bytes = new Uint8Array(memory.buffer, at, 8 * words)
  }

  /**
   * Words `from` to `end` − 1, in place.
   * @throws AtomikError `range`
   */
  part(from: number, end: number): Block {
    if (!Number.isInteger(from) || !Number.isInteger(end) || from < 0 || end < from || end > this.words)
      throw new AtomikError('range', `part must lie in 0 to ${this.words}, got ${from} to ${end}`)
    return new Block(this.memory, this.at + 8 * from, end - from)
  }
}

export interface BlockMemoryOptions {
  /** Room for blocks, in bytes; rounded up to what the platform hands out. At most `limits.blockMemoryBytesMax`. */
  readonly bytes: number
  /** Default: the fastest that runs here. */
  readonly implementation?: Implementation
  /** Whether threads may share it (`FoldThreads`). Default false. */
  readonly shared?: boolean
}

/**
 * @example
 * ```ts
 * import { BlockMemory } from 'atomik/blocks'
 * const memory = new BlockMemory({ bytes: 1 << 20 })
 * const state = memory.allocate(1024)
 * const delta = memory.allocate(1024)
 * delta.halves[2 * 7] = 0xff // word 7
 * memory.xorInto(state, delta)
 * memory.fold(state)
 * console.assert(memory.low === 0xff && memory.high === 0)
 * const wire = memory.allocate(64)
 * const bytes = memory.encode(delta, wire)
 * console.assert(bytes === 7) // 1,024 words, of which one is not zero
 * memory.apply(state, wire, bytes)
 * console.assert(memory.popcount(state) === 0)
 * ```
 */
export class BlockMemory {
  readonly implementation: Implementation
  readonly shared: boolean
  readonly buffer: ArrayBufferLike
  /** What threads are sent; undefined in plain JavaScript. */
  readonly flat: FlatMemory | undefined
  /** Result of the last `fold` or `digest`, as signed 32-bit halves. */
  low = 0
  high = 0
  /** The kernels over this memory, for programs that place words themselves; they check nothing. */
  readonly kernels: Kernels
  readonly #few: Kernels
  readonly #halves: Int32Array
  #next = blocksAt
  #count = 0
  #hasJumps = false

  /** @throws AtomikError `range` when there is no such size or implementation, or this platform lacks it */
  constructor(options: BlockMemoryOptions) {
    const { bytes, shared = false } = options
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > limits.blockMemoryBytesMax)
      throw new AtomikError('range', `bytes must be 0 to ${limits.blockMemoryBytesMax}, got ${bytes}`)
    const wanted = options.implementation
    if (wanted !== undefined && !implementations.includes(wanted))
      throw new AtomikError(
        'range',
        `implementation must be one of ${implementations.join(', ')}, got ${wanted}`,
      )
    const total = Math.ceil((blocksAt + bytes + tailBytes) / pageOfMemoryBytes) * pageOfMemoryBytes
    const implementation =
      wanted ?? implementations.find(one => one === 'javascript' || runs(one, shared)) ?? 'javascript'
    this.implementation = implementation
    this.shared = shared
    try {
      this.flat = implementation === 'javascript' ? undefined : flatMemory(total, shared)
      this.buffer = this.flat?.buffer ?? new (shared ? SharedArrayBuffer : ArrayBuffer)(total)
      this.#few = javascriptKernels(this.buffer)
      this.kernels =
        implementation === 'javascript' || this.flat === undefined
          ? this.#few
          : webAssemblyKernels(implementation, this.flat, shared)
    } catch (cause) {
      throw new AtomikError('range', `no ${implementation} memory of ${total} bytes on this platform`, {
        cause,
      })
    }
    this.#halves = new Int32Array(this.buffer)
  }

  /**
   * A block of zeros on a cache line. Blocks are not given back; drop the memory.
   * @throws AtomikError `range` when the memory is full
   */
  allocate(words: number): Block {
    const stagger = words >= 512 ? (this.#count++ * staggerBytes) % 4096 : 0
    const at = this.#next + stagger
    if (!Number.isInteger(words) || words < 0 || at + 8 * words + tailBytes > this.buffer.byteLength)
      throw new AtomikError(
        'range',
        `no room for ${words} words after byte ${this.#next} of ${this.buffer.byteLength}`,
      )
    this.#next = Math.ceil((at + 8 * words) / 64) * 64
    return new Block(this, at, words)
  }

  /** The XOR of all words of a block, into `low` and `high`. @throws AtomikError `range` (another memory's block) */
  fold(block: Block): void {
    this.#own(block)
    const kernels = block.words <= fewWords ? this.#few : this.kernels
    kernels.fold(block.at, block.words, resultAt)
    this.#take(resultAt)
  }

  /** `to ⊕= from`. @throws AtomikError `range` when sizes differ or blocks overlap in part; so in all word-wise operations */
  xorInto(to: Block, from: Block): void {
    this.#pair(to, from)
    const kernels = to.words <= fewWords ? this.#few : this.kernels
    kernels.xorInto(to.at, from.at, to.words)
  }

  /** `to ⊕= a ⊕ b ⊕ c ⊕ d`, in one pass over `to`. @throws AtomikError `range` */
  xorInto4(to: Block, a: Block, b: Block, c: Block, d: Block): void {
    this.#pair(to, a)
    this.#pair(to, b)
    this.#pair(to, c)
    this.#pair(to, d)
    this.kernels.xorInto4(to.at, a.at, b.at, c.at, d.at, to.words)
  }

  /** `to = a ⊕ b`. @throws AtomikError `range` */
  xorOut(to: Block, a: Block, b: Block): void {
    this.#pair(to, a)
    this.#pair(to, b)
    const kernels = to.words <= fewWords ? this.#few : this.kernels
    kernels.xorOut(to.at, a.at, b.at, to.words)
  }

  /** `to += from`, each word modulo 2⁶⁴. @throws AtomikError `range` */
  addInto(to: Block, from: Block): void {
    this.#pair(to, from)
    const kernels = to.words <= fewWords ? this.#few : this.kernels
    kernels.addInto(to.at, from.at, to.words)
  }

  /** Whether both hold the same words. @throws AtomikError `range` */
  equal(a: Block, b: Block): boolean {
    this.#pair(a, b)
    const kernels = a.words <= fewWords ? this.#few : this.kernels
    return kernels.equal(a.at, b.at, a.words) === 1
  }

  /** Bits that are 1. @throws AtomikError `range` */
  popcount(block: Block): number {
    this.#own(block)
    return this.kernels.popcount(block.at, block.words)
  }

  /** SWAP: `reference ⊕= accumulator`, `accumulator = 0`. @throws AtomikError `range` */
  swap(reference: Block, accumulator: Block): void {
    this.#pair(reference, accumulator)
    if (reference.at === accumulator.at && reference.words > 0)
      throw new AtomikError('range', 'reference and accumulator must be two blocks')
    this.kernels.swap(reference.at, accumulator.at, reference.words)
  }

  /**
   * SWAP of what is marked: a byte for each page of 512 words in `marks`, a bit for each 64 words, cleared by this.
   * @returns pages that had a mark
   * @throws AtomikError `range`
   */
  swapPages(reference: Block, accumulator: Block, marks: Block): number {
    this.#pair(reference, accumulator)
    this.#marks(marks, reference)
    if (reference.at === accumulator.at && reference.words > 0)
      throw new AtomikError('range', 'reference and accumulator must be two blocks')
    return this.kernels.swapPages(reference.at, accumulator.at, reference.words, marks.at)
  }

  /**
   * `to[indexes[i]] ⊕= deltas[i]` for i below `count`. Indexes are 32-bit, two in a word of their block, and may repeat.
   * @param options.marks a byte for each page of 512 words, a bit for each 64 words, set where a delta went in
   * @param options.scratch 12 bytes a delta and 8 a 2^16 words of `to`: large blocks then get their deltas in order of place
   * @throws AtomikError `range` (an index outside `to`, by its position; a block too small); then nothing has changed
   */
  scatter(
    to: Block,
    indexes: Block,
    deltas: Block,
    count: number,
    options: { readonly marks?: Block; readonly scratch?: Block } = {},
  ): void {
    this.#own(to)
    this.#own(indexes)
    this.#own(deltas)
    if (!Number.isInteger(count) || count < 0 || count > 2 * indexes.words || count > deltas.words)
      throw new AtomikError('range', `${count} deltas do not fit their blocks`)
    this.#apart(to, indexes)
    this.#apart(to, deltas)
    const { marks, scratch } = options
    if (marks !== undefined) {
      this.#marks(marks, to)
      for (const block of [to, indexes, deltas]) this.#apart(block, marks)
    }
    if (scratch !== undefined) {
      this.#own(scratch)
      for (const block of [to, indexes, deltas, marks]) if (block !== undefined) this.#apart(block, scratch)
    }
    const done =
      scratch !== undefined &&
      to.words >= partitionedWordsMin &&
      scratch.words >= 1.5 * count + to.words / 2 ** 16
        ? this.kernels.scatterPartitioned(
            to.at,
            to.words,
            indexes.at,
            deltas.at,
            count,
            marks?.at ?? 0,
            scratch.at,
            partShift,
          )
        : this.kernels.scatter(to.at, to.words, indexes.at, deltas.at, count, marks?.at ?? 0)
    if (done !== count)
      throw new AtomikError('range', `index ${done} lies outside a block of ${to.words} words`)
  }

  /**
   * Encodes the words of a block that are not zero; `encodedBytesMax(words)` is always room enough.
   * @returns bytes written to `to`; the few bytes behind them may be overwritten too
   * @throws AtomikError `oversized` when `to` might not hold the encoding
   */
  encode(from: Block, to: Block): number {
    this.#own(from)
    this.#own(to)
    this.#apart(from, to)
    const bytes = this.kernels.encode(from.at, from.words, to.at, 8 * to.words, scratchAt)
    if (bytes < 0)
      throw new AtomikError(
        'oversized',
        `the encoding may need more than ${8 * to.words} bytes, at most ${encodedBytesMax(from.words)}`,
      )
    return bytes
  }

  /**
   * `to ⊕=` the block encoded in the first `bytes` bytes of `from`.
   * @throws AtomikError `truncated`, `malformed` (any bytes that `encode` would not write), with the offset; then nothing has changed
   */
  apply(to: Block, from: Block, bytes: number): void {
    this.#own(from)
    this.#own(to)
    this.#apart(to, from)
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > 8 * from.words)
      throw new AtomikError('range', `expected 0 to ${8 * from.words} bytes, got ${bytes}`)
    const offset = this.kernels.apply(to.at, to.words, from.at, bytes, scratchAt)
    if (offset < 0) return
    if (offset === bytes) throw new AtomikError('truncated', 'the encoded block ends too early', { offset })
    throw new AtomikError('malformed', `not the encoding of a block of ${to.words} words`, { offset })
  }

  /**
   * The linear digest of a block, into `low` and `high` (spec/semantics.md). It depends on where words stand; zeros at the end do not
   * show; digest(a ⊕ b) = digest(a) ⊕ digest(b).
   * @throws AtomikError `range`
   */
  digest(block: Block): void {
    this.#own(block)
    this.kernels.digest(block.at, block.words, lanesAt, this.#jumps())
    this.#take(lanesAt)
  }

  /**
   * The digest of a block of zeros but for (low, high) at `index`, into `low` and `high`. A digest is kept up to date by XOR with it: a
   * multiplication for each 1-bit of the index, whatever the size of the state.
   * @throws AtomikError `range`
   */
  digestWord(index: number, low: number, high: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= 2 ** 29)
      throw new AtomikError('range', `index must be below 2^29, got ${index}`)
    this.#halves[resultAt >> 2] = 0
    this.#halves[(resultAt >> 2) + 1] = 0
    this.kernels.digestWord(index, low, high, resultAt, this.#jumps())
    this.#take(resultAt)
  }

  #jumps(): number {
    if (!this.#hasJumps) this.kernels.buildJumps(jumpsAt, scratchAt)
    this.#hasJumps = true
    return jumpsAt
  }

  #take(at: number): void {
    this.low = this.#halves[at >> 2]
    this.high = this.#halves[(at >> 2) + 1]
  }

  #own(block: Block): void {
    if (block.memory !== this) throw new AtomikError('range', 'the block lies in another memory')
  }

  #pair(a: Block, b: Block): void {
    this.#own(a)
    this.#own(b)
    if (a.words !== b.words)
      throw new AtomikError('range', `blocks must be of one size, got ${a.words} and ${b.words} words`)
    if (a.at !== b.at) this.#apart(a, b)
  }

  #apart(a: Block, b: Block): void {
    if (a.at < b.at + 8 * b.words && b.at < a.at + 8 * a.words)
      throw new AtomikError('range', 'blocks must not overlap')
  }

  #marks(marks: Block, of: Block): void {
    this.#own(marks)
    this.#apart(marks, of)
    if (8 * marks.words * 512 < of.words)
      throw new AtomikError('range', `${of.words} words need a mark a page of 512, got ${8 * marks.words}`)
  }
}

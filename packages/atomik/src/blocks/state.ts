/**
 * reference ⊙ accumulator over a large state in the `xor` lane: a block each, and a mark for every 64 words that the accumulator has
 * touched. SWAP looks at what is marked, so a checkpoint costs what changed, not what there is.
 */
import { AtomikError } from '../errors.ts'
import { pageWords } from './kernels.ts'
import type { Block, BlockMemory } from './memory.ts'

/**
 * @example
 * ```ts
 * import { BlockMemory, BlockState } from 'atomik/blocks'
 * const state = new BlockState(new BlockMemory({ bytes: 1 << 20 }), 10_000)
 * state.accum(9_999, 5, 0)
 * state.read(9_999)
 * console.assert(state.low === 5)
 * console.assert(state.swap() === 1) // one page
 * console.assert(state.reference.halves[2 * 9_999] === 5)
 * ```
 */
export class BlockState {
  readonly memory: BlockMemory
  readonly words: number
  readonly reference: Block
  /** Written by the operations below only: they set the marks. */
  readonly accumulator: Block
  readonly #marks: Block
  /** Result of the last `read`, as signed 32-bit halves. */
  low = 0
  high = 0

  /** @throws AtomikError `range` when the memory has no room for two blocks and the marks */
  constructor(memory: BlockMemory, words: number) {
    this.memory = memory
    this.words = words
    this.reference = memory.allocate(words)
    this.accumulator = memory.allocate(words)
    this.#marks = memory.allocate(Math.ceil(Math.ceil(words / pageWords) / 8))
  }

  /** ACCUM of one word. @throws AtomikError `range` */
  accum(index: number, low: number, high: number): void {
    this.#check(index)
    const halves = this.accumulator.halves
    halves[2 * index] ^= low
    halves[2 * index + 1] ^= high
    this.#marks.bytes[index >>> 9] |= 1 << ((index >>> 6) & 7)
  }

  /** ACCUM of `count` words by index, as `BlockMemory.scatter`. @throws AtomikError `range`; then nothing has changed */
  accumAt(indexes: Block, deltas: Block, count: number, scratch?: Block): void {
    const marks = this.#marks
    this.memory.scatter(this.accumulator, indexes, deltas, count, scratch ? { marks, scratch } : { marks })
  }

  /** ACCUM of a whole block of deltas. @throws AtomikError `range` */
  accumBlock(deltas: Block): void {
    this.memory.xorInto(this.accumulator, deltas)
    this.#marks.bytes.fill(0xff, 0, Math.ceil(this.words / pageWords))
  }

  /** READ of one word, into `low` and `high`. @throws AtomikError `range` */
  read(index: number): void {
    this.#check(index)
    this.low = this.reference.halves[2 * index] ^ this.accumulator.halves[2 * index]
    this.high = this.reference.halves[2 * index + 1] ^ this.accumulator.halves[2 * index + 1]
  }

  /** READ of all words into another block. @throws AtomikError `range` */
  readInto(to: Block): void {
    this.memory.xorOut(to, this.reference, this.accumulator)
  }

  /** SWAP: the state becomes the reference, the accumulator is empty. @returns pages that had changed */
  swap(): number {
    return this.memory.swapPages(this.reference, this.accumulator, this.#marks)
  }

  /** The linear digest of the state, into `low` and `high`: that of the reference XOR that of the accumulator. */
  digest(): void {
    const { memory } = this
    memory.digest(this.reference)
    const { low, high } = memory
    memory.digest(this.accumulator)
    this.low = low ^ memory.low
    this.high = high ^ memory.high
  }

  #check(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.words)
      throw new AtomikError('range', `index must be 0 to ${this.words - 1}, got ${index}`)
  }
}

/**
 * The shape of a row in a delta: which of its groups are there. Consecutive rows of one shape are coded together, so a shape
 * is written once for all of them (spec/wire.md §3).
 *
 *   group   one word, or a register: its stamp and the values after it. It is there when its first word is not 0
 *   sparse  the row's `xor` words hold few bits: they are listed one by one and are not in the shape
 */
import { type RowLayout, WordKind } from '../algebra/index.ts'

/** Bits a word of a sparse row has on average, at most. */
export const sparseBitsMax = 4

export class Shape {
  /** First words of the groups that are there, ascending: the first `count` entries. */
  words = new Int32Array(16)
  count = 0
  isSparse = false

  clear(): void {
    this.count = 0
    this.isSparse = false
  }

  push(word: number): void {
    if (this.count === this.words.length) {
      const words = new Int32Array(2 * this.count)
      words.set(this.words)
      this.words = words
    }
    this.words[this.count++] = word
  }

  equals(other: Shape): boolean {
    if (this.count !== other.count || this.isSparse !== other.isSparse) return false
    for (let i = 0; i < this.count; i++) if (this.words[i] !== other.words[i]) return false
    return true
  }

  /** Becomes the shape of the row at `at`. */
  take(layout: RowLayout, words: Int32Array, at: number): void {
    this.clear()
    let xorWords = 0
    for (let w = 0; w < layout.words; w += layout.groups[w]) {
      if ((words[at + 2 * w] | words[at + 2 * w + 1]) === 0) continue
      if (layout.kinds[w] === WordKind.xor) xorWords++
      this.push(w)
    }
    if (xorWords < 2 || !fewBits(this, layout, words, at, xorWords)) return
    this.isSparse = true
    let kept = 0
    for (let i = 0; i < this.count; i++)
      if (layout.kinds[this.words[i]] !== WordKind.xor) this.words[kept++] = this.words[i]
    this.count = kept
  }
}

/** True when the `xor` words of a shape, `xorWords` ≥ 2 of them, hold few enough bits to be listed. */
export function fewBits(
  { words: places, count }: Shape,
  layout: RowLayout,
  words: Int32Array,
  at: number,
  xorWords: number,
): boolean {
  let room = sparseBitsMax * xorWords
  for (let i = 0; i < count && room >= 0; i++) {
    if (layout.kinds[places[i]] !== WordKind.xor) continue
    const half = at + 2 * places[i]
    room -= countBits(words[half]) + countBits(words[half + 1])
  }
  return room >= 0
}

/** Bits that are set in 32. */
export function countBits(value: number): number {
  let v = value - ((value >>> 1) & 0x5555_5555)
  v = (v & 0x3333_3333) + ((v >>> 2) & 0x3333_3333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

/** True when neither the first nor the last byte of a word is 0: its span is all of it. */
export function isFull(low: number, high: number): boolean {
  return (low & 0xff) !== 0 && high >>> 24 !== 0
}

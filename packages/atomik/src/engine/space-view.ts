/**
 * What a reader sees of a space whose schema has grown: the tables and words of its own, shorter schema. Fields are only ever appended, so
 * that is the first words of each row; the life of a row is its first word, so every reader sees every row, and numbers stay
 * the same for all.
 */
import { Delta, type RowLayout } from '../algebra/index.ts'
import type { Reference } from './reference.ts'

export class View {
  /** Words of each table's rows that are seen; 0 for a table that is not. */
  readonly words: readonly number[]
  /** Equal for equal views. */
  readonly key: string
  /** It sees everything. */
  readonly isWhole: boolean
  /** The layouts of what is seen, those of whole tables being the space's own. */
  readonly layouts: readonly RowLayout[]

  /** @param widths words a row of each table has at the reader; it may know more than the space does */
  constructor(layouts: readonly RowLayout[], widths: readonly number[]) {
    this.words = layouts.map(({ words }, t) => Math.min(words, widths[t] ?? 0))
    this.key = this.words.join()
    this.isWhole = layouts.every(({ words }, t) => words === this.words[t])
    this.layouts = layouts.map((layout, t) => {
      const words = this.words[t]
      if (words === layout.words) return layout
      return {
        words,
        kinds: layout.kinds.subarray(0, words),
        groups: layout.groups.subarray(0, words),
        bits: layout.bits.subarray(0, words),
      }
    })
  }

  /** The part of a delta that is seen. */
  restrict(delta: Delta): Delta {
    if (this.isWhole) return delta
    const part = new Delta(this.layouts)
    for (let t = 0; t < this.words.length; t++) {
      if (this.words[t] === 0) continue
      const { rows, words, count, layout } = delta.tables[t]
      const to = part.tables[t]
      for (let slot = 0; slot < count; slot++) {
        const from = 2 * slot * layout.words
        const at = to.open(rows[slot])
        to.words.set(words.subarray(from, from + 2 * this.words[t]), at)
      }
    }
    return part
  }

  /** The fingerprint of what is seen. */
  digest(reference: Reference): { low: number; high: number } {
    if (this.isWhole) return { low: reference.fingerprint.low, high: reference.fingerprint.high }
    return reference.columnPrint(this.words)
  }
}

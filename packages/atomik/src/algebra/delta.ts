/**
 * A delta: a sparse set of (table, row, word), with identity, composition and, lane by lane, an inverse.
 *
 * Rows are local indices; what a row is called is its directory's business. Words live in one growing array a table, and
 * `clear` keeps the memory, so a delta that is reused allocates nothing.
 */
import { foldRow, invertRow, type RowLayout, releaseGroup, releaseRow } from './layout.ts'

const nothing = new Int32Array(0)
/** Up to here, looking through the rows is cheaper than a map. */
const searchedRowsMax = 8

/** Spreads row numbers, which are mostly dense, over an index. */
function scatter(row: number): number {
  return Math.imul(row, 0x9e37_79b1) >>> 12
}

/** The part of a delta that falls into one table. Slots are in order of first touch. */
export class TableDelta {
  readonly layout: RowLayout
  /** Rows touched. Slots 0 to count − 1 of `rows` and `words` are in use. */
  count = 0
  /** Row index by slot. */
  rows: Int32Array = nothing
  /** Words by slot: 2 × layout.words halves each. Unused slots are zero. */
  words: Int32Array = nothing
  /** Slot + 1 by row for the first `#indexed` slots, in open addressing, once there are too many to look through; 0 is free. */
  #index: Int32Array = nothing
  #indexed = 0

  constructor(layout: RowLayout) {
    this.layout = layout
  }

  #slotOf(row: number): number {
    if (this.count > searchedRowsMax) {
      if (this.#indexed < this.count) this.#indexRest()
      const index = this.#index
      const mask = index.length - 1
      for (let i = scatter(row) & mask; index[i] !== 0; i = (i + 1) & mask)
        if (this.rows[index[i] - 1] === row) return index[i] - 1
      return -1
    }
    for (let slot = 0; slot < this.count; slot++) if (this.rows[slot] === row) return slot
    return -1
  }

  /** Takes the slots opened since into the index, which stays at most half full. */
  #indexRest(): void {
    if (2 * this.count > this.#index.length) {
      let length = 32
      while (length < 4 * this.count) length *= 2
      this.#index = new Int32Array(length)
      this.#indexed = 0
    }
    const mask = this.#index.length - 1
    for (; this.#indexed < this.count; this.#indexed++) {
      let i = scatter(this.rows[this.#indexed]) & mask
      while (this.#index[i] !== 0) i = (i + 1) & mask
      this.#index[i] = this.#indexed + 1
    }
  }

  /** Offset in `words` of this row's first half, or −1 when the row is untouched. */
  find(row: number): number {
    const slot = this.#slotOf(row)
    return slot < 0 ? -1 : slot * 2 * this.layout.words
  }

  /** The same, adding the row as identity when untouched. Invalidates earlier references to `words`. */
  open(row: number): number {
    const known = this.#slotOf(row)
    return known >= 0 ? known * 2 * this.layout.words : this.append(row)
  }

  /** The same for a row that is known to be untouched, without looking. */
  append(row: number): number {
    const stride = 2 * this.layout.words
    const slot = this.count
    if (slot === this.rows.length) {
      const capacity = Math.max(2, slot * 2)
      const rows = new Int32Array(capacity)
      rows.set(this.rows)
      this.rows = rows
      const words = new Int32Array(capacity * stride)
      words.set(this.words)
      this.words = words
    }
    this.rows[slot] = row
    this.count = slot + 1
    return slot * stride
  }

  /** True when the row in this slot holds only identities. */
  isZero(slot: number): boolean {
    const stride = 2 * this.layout.words
    for (let i = slot * stride; i < (slot + 1) * stride; i++) if (this.words[i] !== 0) return false
    return true
  }

  clear(): void {
    const halves = this.count * 2 * this.layout.words
    // A call for a few numbers costs more than they do.
    if (halves > 64) this.words.fill(0, 0, halves)
    else for (let i = 0; i < halves; i++) this.words[i] = 0
    this.count = 0
    if (this.#indexed > 0) this.#index.fill(0)
    this.#indexed = 0
  }
}

export class Delta {
  readonly tables: readonly TableDelta[]

  constructor(layouts: readonly RowLayout[]) {
    this.tables = layouts.map(layout => new TableDelta(layout))
  }

  /** Rows touched, over all tables. */
  get rowCount(): number {
    let rows = 0
    for (let t = 0; t < this.tables.length; t++) rows += this.tables[t].count
    return rows
  }

  get isEmpty(): boolean {
    for (let t = 0; t < this.tables.length; t++) if (this.tables[t].count > 0) return false
    return true
  }

  clear(): void {
    for (let t = 0; t < this.tables.length; t++) if (this.tables[t].count > 0) this.tables[t].clear()
  }

  /** Composes: `this ⊙= other`. The order does not matter; lanes commute. */
  fold(other: Delta): void {
    for (let t = 0; t < this.tables.length; t++) {
      const from = other.tables[t]
      const to = this.tables[t]
      const stride = 2 * from.layout.words
      for (let slot = 0; slot < from.count; slot++) {
        const at = to.open(from.rows[slot])
        foldRow(from.layout, to.words, at, from.words, slot * stride)
      }
    }
  }

  /**
   * Takes a part out again: `this` is the fold of `part` and of own changes made after it, and becomes the fold of those. In `xor` and
   * `add` by the inverse. In `max` a later own write is larger than every earlier one, so what is equal to the part's goes, and all else stays.
   */
  release(part: Delta): void {
    for (let t = 0; t < this.tables.length; t++) {
      const from = part.tables[t]
      const to = this.tables[t]
      const stride = 2 * from.layout.words
      for (let slot = 0; slot < from.count; slot++) {
        const at = to.open(from.rows[slot])
        releaseRow(from.layout, to.words, at, from.words, slot * stride)
      }
    }
  }

  /** The same of one group of one row, where `part` has nothing else there: it begins at `from` in `words`. */
  releaseGroup(table: number, row: number, word: number, words: Int32Array, from: number): void {
    const to = this.tables[table]
    const at = to.open(row) + 2 * word
    const { kinds, groups } = to.layout
    releaseGroup(kinds[word], groups[word], to.words, at, words, from)
  }

  /** The inverse in `xor` and `add`; identity in `max`. */
  inverse(): Delta {
    const result = new Delta(this.tables.map(table => table.layout))
    for (let t = 0; t < this.tables.length; t++) {
      const from = this.tables[t]
      const to = result.tables[t]
      const stride = 2 * from.layout.words
      for (let slot = 0; slot < from.count; slot++) {
        const at = to.open(from.rows[slot])
        invertRow(from.layout, to.words, at, from.words, slot * stride)
      }
    }
    return result
  }

  clone(): Delta {
    const result = new Delta(this.tables.map(table => table.layout))
    result.fold(this)
    return result
  }
}

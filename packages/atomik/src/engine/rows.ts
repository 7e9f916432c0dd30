/** Rows by table and index, and the low-level edits a change is made of. */
import type { Delta } from '../algebra/index.ts'
import type { Reference } from './reference.ts'

export interface RowRef {
  readonly table: number
  readonly row: number
}

/** Anything that can be READ by rows: a reference, a replica, a branch. */
export interface RowReader {
  /** READ of a whole row into `out`: 2 × words halves. */
  readRow(table: number, row: number, out: Int32Array): void
}

/** Edits by word. Each brings the row to life when it is not. Handles in `client` give them types. */
export interface Edit {
  /** Flips the set bits (`xor` lane). */
  xor(table: number, row: number, word: number, low: number, high: number): void
  /** Adds (low, high) modulo 2^64 (`add` lane). */
  add(table: number, row: number, word: number, low: number, high: number): void
  /** Writes a register: `word` is its stamp, `value` the halves after it (`max` lane). */
  write(table: number, row: number, word: number, value: Int32Array): void
  /** Sets or clears a flag (`max` lane, causal length). */
  set(table: number, row: number, word: number, on: boolean): void
  /** Ends the row's life; a later edit begins the next. */
  remove(table: number, row: number): void
}

/** A set of rows, in order of first touch. */
export class TouchedRows {
  readonly rows: RowRef[] = []
  readonly #seen = new Set<number>()

  addRow(table: number, row: number): void {
    const id = row * 64 + table
    if (this.#seen.has(id)) return
    this.#seen.add(id)
    this.rows.push({ table, row })
  }

  add(delta: Delta): void {
    for (let table = 0; table < delta.tables.length; table++) {
      const { rows, count } = delta.tables[table]
      for (let slot = 0; slot < count; slot++) this.addRow(table, rows[slot])
    }
  }

  addAll(reference: Reference): void {
    for (let table = 0; table < reference.tables.length; table++)
      for (let row = 0; row < reference.tables[table].count; row++) this.addRow(table, row)
  }
}

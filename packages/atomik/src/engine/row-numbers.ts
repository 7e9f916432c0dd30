/**
 * The numbers by which replica and hub call rows. A row gets the next number of its table when the log entry that introduces
 * it is applied, so every replica that has the same log agrees on them and none of them travels. A number means something
 * only along one history of the log: `forget` when that breaks.
 */
import type { Delta } from '../algebra/index.ts'
import { assert } from '../errors.ts'
import {
  compareBytes,
  type DecodedDelta,
  encodeUtf8,
  type Halves,
  type RowDirectory,
  type RowNames,
} from '../wire/index.ts'
import type { Reference } from './reference.ts'

export class RowNumbers {
  readonly #reference: Reference
  /** Row by number, and number by row, by table. */
  readonly #rowOf: number[][]
  readonly #numberOf: Map<number, number>[]
  /** How deltas of the log are read. */
  readonly directory: RowDirectory
  /** The same before any number is agreed: how a whole snapshot is read. */
  readonly unnumbered: RowDirectory
  /** How own batches are written: by number where there is one. */
  readonly names: RowNames

  constructor(reference: Reference) {
    this.#reference = reference
    this.#rowOf = reference.tables.map(() => [])
    this.#numberOf = reference.tables.map(() => new Map())
    this.directory = {
      rowNumbered: (table, number) => this.#rowOf[table]?.[number] ?? -1,
      rowNamed: (table, key) => reference.tables[table].find(key),
      rowCount: table => reference.tables[table].count,
      knownRows: table => this.#rowOf[table].length,
      hasLiterals: false,
      hasNumber: (table, row) => this.#numberOf[table].has(row),
    }
    this.unnumbered = {
      ...this.directory,
      rowNumbered: () => -1,
      knownRows: () => 0,
      hasNumber: () => false,
    }
    this.names = {
      numberOf: (table, row) => this.#numberOf[table].get(row) ?? -1,
      keyOf: (table, row) => reference.tables[table].keys[row],
      knownRows: table => this.#rowOf[table].length,
    }
  }

  forget(): void {
    for (const rows of this.#rowOf) rows.length = 0
    for (const numbers of this.#numberOf) numbers.clear()
  }

  /** Creates and numbers the rows a decoded delta introduces. */
  admit(decoded: DecodedDelta): void {
    for (const { table, key, row } of decoded.named) {
      const opened = this.#reference.tables[table].open(key)
      assert(opened === row, 'rows are created in the order of their names')
      this.#number(table, row)
    }
  }

  /** Rows an own batch introduced get their numbers at its place in the log, in the order of its literals. */
  admitOwn(delta: Delta): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count } = delta.tables[t]
      const literals: number[] = []
      for (let slot = 0; slot < count; slot++)
        if (!this.#numberOf[t].has(rows[slot]) && !delta.tables[t].isZero(slot)) literals.push(rows[slot])
      if (literals.length === 0) continue
      const keyOf = (row: number) => encodeUtf8(this.#reference.tables[t].keys[row])
      literals.sort((a, b) => compareBytes(keyOf(a), keyOf(b)))
      for (const row of literals) this.#number(t, row)
    }
  }

  /** The address that fingerprints and labels know a row by. */
  addressOf(table: number, row: number): Halves {
    const { addresses } = this.#reference.tables[table]
    return { low: addresses[2 * row], high: addresses[2 * row + 1] }
  }

  #number(table: number, row: number): void {
    this.#numberOf[table].set(row, this.#rowOf[table].length)
    this.#rowOf[table].push(row)
  }
}

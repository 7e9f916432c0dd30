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
  type RowDirectory,
  type RowNames,
} from '../wire/index.ts'
import type { Reference, RowAddresses } from './reference.ts'

/** Itself, how deltas of the log are read, and how own batches are written: by number where there is one. */
export class RowNumbers implements RowDirectory, RowNames {
  readonly #reference: Reference
  /** Row by number, and number by row, by table. */
  readonly #rowOf: number[][]
  /** 1 + the number of each row, 0 where it has none. */
  readonly #numbers: Int32Array[]
  /** A client's log has no literals: rows by key get the next numbers. */
  readonly hasLiterals: boolean = false
  /** The same before any number is agreed: how a whole snapshot is read. */
  readonly unnumbered: RowDirectory

  constructor(reference: Reference) {
    this.#reference = reference
    this.#rowOf = reference.tables.map(() => [])
    this.#numbers = reference.tables.map(() => new Int32Array(16))
    this.unnumbered = {
      hasLiterals: false,
      rowNumbered: () => -1,
      rowNamed: (table, key) => this.rowNamed(table, key),
      rowCount: table => this.rowCount(table),
      knownRows: () => 0,
      hasNumber: () => false,
    }
  }

  rowNamed(table: number, key: string): number {
    return this.#reference.tables[table].find(key)
  }

  rowCount(table: number): number {
    return this.#reference.tables[table].count
  }

  keyOf(table: number, row: number): string {
    return this.#reference.tables[table].keys[row]
  }

  hasNumber(table: number, row: number): boolean {
    return this.numberOf(table, row) >= 0
  }

  /** The row with this number, or −1. */
  rowNumbered(table: number, number: number): number {
    const rows = this.#rowOf[table]
    return rows !== undefined && number < rows.length ? rows[number] : -1
  }

  /** Numbers given so far. */
  knownRows(table: number): number {
    return this.#rowOf[table].length
  }

  /** Gives a row the next number of its table: as the log does, or as a store remembers it. */
  number(table: number, row: number): void {
    if (row >= this.#numbers[table].length) {
      const numbers = new Int32Array(Math.max(2 * this.#numbers[table].length, row + 1))
      numbers.set(this.#numbers[table])
      this.#numbers[table] = numbers
    }
    this.#rowOf[table].push(row)
    this.#numbers[table][row] = this.#rowOf[table].length
  }

  /** The number of a row, or −1. */
  numberOf(table: number, row: number): number {
    const numbers = this.#numbers[table]
    return row < numbers.length ? numbers[row] - 1 : -1
  }

  forget(): void {
    for (const rows of this.#rowOf) rows.length = 0
    for (const numbers of this.#numbers) numbers.fill(0)
  }

  /** Creates and numbers the rows a decoded delta introduces. */
  admit(decoded: DecodedDelta): void {
    const { named } = decoded
    for (let i = 0; i < named.length; i++) {
      const { table, key, row } = named[i]
      const opened = this.#reference.tables[table].open(key)
      assert(opened === row, 'rows are created in the order of their names')
      this.number(table, row)
    }
  }

  /** Rows an own batch introduced get their numbers at its place in the log, in the order of its literals. */
  admitOwn(delta: Delta): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count } = delta.tables[t]
      let literals: number[] | undefined
      for (let slot = 0; slot < count; slot++) {
        if (this.numberOf(t, rows[slot]) >= 0 || delta.tables[t].isZero(slot)) continue
        literals ??= []
        literals.push(rows[slot])
      }
      if (literals !== undefined) this.#numberLiterals(t, literals)
    }
  }

  #numberLiterals(table: number, rows: number[]): void {
    const { keys } = this.#reference.tables[table]
    rows.sort((a, b) => compareBytes(encodeUtf8(keys[a]), encodeUtf8(keys[b])))
    for (const row of rows) this.number(table, row)
  }

  /** What the rows are of. */
  get reference(): Reference {
    return this.#reference
  }

  /** The addresses that fingerprints and labels know rows by. */
  get addresses(): readonly RowAddresses[] {
    return this.#reference.tables
  }
}

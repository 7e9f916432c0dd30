/**
 * Which row a number means on the wire. The page's replica knows it and keeps it to itself, so this reads the log a second time, for
 * the names alone (spec/wire.md §3).
 */
import type { Schema } from 'atomik'
import { Delta } from 'atomik/algebra'
import { DeltaDecoder, type DownlinkFrame, Reader, type RowDirectory, type Stamp } from 'atomik/wire'

/** Stamps are coded against an earlier one, up or down. Names do not depend on it: any in the middle will do. */
export const someStamp: Stamp = { ms: 2 ** 40, count: 2 ** 15 }

export class RowBook {
  readonly #keys: string[][]
  readonly #numbers: Map<string, number>[]
  readonly #decoder: DeltaDecoder
  readonly #delta: Delta
  #lsn = 0
  readonly #directory: RowDirectory

  constructor(schema: Schema) {
    this.#keys = schema.tables.map(() => [])
    this.#numbers = schema.tables.map(() => new Map())
    this.#decoder = new DeltaDecoder(schema.layouts)
    this.#delta = new Delta(schema.layouts)
    this.#directory = this.#directoryOf(table => this.#keys[table].length)
  }

  /** How many rows of each table have a number now. */
  known(): number[] {
    return this.#keys.map(keys => keys.length)
  }

  /** How deltas are read where so many rows are known. Literals are a client's. */
  directoryAt(known: readonly number[], hasLiterals: boolean): RowDirectory {
    return { ...this.#directoryOf(table => known[table]), hasLiterals }
  }

  #directoryOf(knownRows: (table: number) => number): RowDirectory {
    return {
      rowNumbered: (table, number) => (number < knownRows(table) ? number : -1),
      rowNamed: (table, key) => {
        const number = this.#numbers[table].get(key) ?? -1
        return number < knownRows(table) ? number : -1
      },
      rowCount: knownRows,
      knownRows,
      hasLiterals: false,
      hasNumber: (table, row) => row < knownRows(table),
    }
  }

  keyOf(table: number, number: number): string | undefined {
    return this.#keys[table]?.[number]
  }

  /** Follows a frame of the log. What cannot be followed makes the book empty until a whole snapshot comes. */
  follow(frame: DownlinkFrame): void {
    if (frame.type === 'welcome') {
      if (frame.lsn !== this.#lsn) this.#forget()
      this.#lsn = frame.lsn
    } else if (frame.type === 'entry') {
      this.#learn(frame.body)
      this.#lsn++
    } else if (frame.type === 'stream') {
      for (const [i, entry] of frame.entries.entries()) {
        if (frame.lsn + i < this.#lsn) continue
        if (entry.kind === 'delta') this.#learn(entry.body)
        this.#lsn = frame.lsn + i + 1
      }
    } else if (frame.type === 'fold' || frame.type === 'snapshot') {
      if (frame.toLsn <= this.#lsn) return
      if (frame.lsn === 0) this.#forget()
      this.#learn(frame.body)
      this.#lsn = frame.toLsn
    }
  }

  #learn(body: Uint8Array): void {
    try {
      const { named } = this.#decoder.decode(new Reader(body), this.#directory, someStamp, this.#delta)
      for (const { table, key } of named) this.#numbers[table].set(key, this.#keys[table].push(key) - 1)
    } catch {
      this.#forget()
    }
  }

  #forget(): void {
    for (const keys of this.#keys) keys.length = 0
    for (const numbers of this.#numbers) numbers.clear()
  }
}

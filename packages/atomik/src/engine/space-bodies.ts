/**
 * The state and the log of a space as bytes for its readers: entries one by one, or everything since a log number in one body. Readers
 * who see the same and stand together share an encoding.
 */
import { Delta } from '../algebra/index.ts'
import {
  DeltaDecoder,
  DeltaEncoder,
  type NamedRow,
  type PointReader,
  Reader,
  type RowDirectory,
  type RowNames,
  type Stamp,
  StampMark,
  Writer,
  writePoint,
} from '../wire/index.ts'
import type { Reference } from './reference.ts'
import type { SpaceLog } from './space-log.ts'
import type { SpaceStore } from './space-store.ts'
import type { View } from './space-view.ts'

/** A fold of the log is to be accumulated, a snapshot replaces rows. */
export interface CatchUp {
  readonly type: 'fold' | 'snapshot'
  readonly body: Uint8Array
}

/** Rows as clients name them: by the numbers that all of them have. */
export class HubDirectory implements RowDirectory {
  /** A client never introduces numbers: an unknown one is refused, not taken for a new row. */
  readonly hasLiterals: boolean = true
  readonly #reference: Reference

  constructor(reference: Reference) {
    this.#reference = reference
  }

  rowNumbered(table: number, number: number): number {
    return number < this.rowCount(table) ? number : -1
  }

  rowNamed(table: number, key: string): number {
    return this.#reference.tables[table]?.find(key) ?? -1
  }

  /** A client may know tables that are not stored. */
  rowCount(table: number): number {
    return table < this.#reference.tables.length ? this.#reference.tables[table].count : 0
  }

  knownRows(table: number): number {
    return this.rowCount(table)
  }

  hasNumber(): boolean {
    return false
  }
}

/** Rows by number, as the hub has them; those from `known` on, by table, are new to the reader. */
class HubNames implements RowNames {
  readonly known: number[] = []
  readonly #reference: Reference

  constructor(reference: Reference) {
    this.#reference = reference
  }

  numberOf(_table: number, row: number): number {
    return row
  }

  keyOf(table: number, row: number): string {
    return this.#reference.tables[table].keys[row]
  }

  knownRows(table: number): number {
    return this.known[table]
  }
}

export class SpaceBodies {
  readonly #reference: Reference
  readonly #store: SpaceStore
  readonly #log: SpaceLog
  /** Before any stamp is known: the base of folds and snapshots. */
  readonly #opening: Stamp
  readonly #encoder = new DeltaEncoder()
  readonly #w = new Writer()
  readonly #names: HubNames
  readonly #base = new StampMark()
  #last:
    | { readonly from: number; readonly lsn: number; readonly view: string; readonly made: CatchUp }
    | undefined

  constructor(reference: Reference, store: SpaceStore, log: SpaceLog, stampBaseMs: number) {
    this.#reference = reference
    this.#store = store
    this.#log = log
    this.#opening = new StampMark(stampBaseMs)
    this.#names = new HubNames(reference)
  }

  /** A batch that was just applied, as readers of the whole schema get it: rows by number, those it created with their key; stamps against `base`. */
  relay(delta: Delta, named: readonly NamedRow[], base: Stamp): Writer {
    const { known } = this.#names
    for (let t = 0; t < delta.tables.length; t++) known[t] = this.#reference.tables[t].count
    for (let i = 0; i < named.length; i++) if (named[i].isNew) known[named[i].table]--
    this.#w.reset()
    this.#encoder.encode(this.#w, delta, this.#names, base)
    return this.#w
  }

  /** The same of one group of a row that all know. */
  relayGroup({ table, word, words }: PointReader, row: number, base: StampMark): Writer {
    this.#w.reset()
    this.#base.set(base)
    writePoint(this.#w, table, row, word, this.#reference.tables[table].layout, words, 0, this.#base)
    return this.#w
  }

  /** The part of an accepted delta that a view sees, as its readers get it; undefined when it sees nothing of it. */
  part(view: View, delta: Delta, named: readonly NamedRow[], base: Stamp): Uint8Array | undefined {
    const part = view.restrict(delta)
    const isSeen = part.tables.some(table => {
      for (let slot = 0; slot < table.count; slot++) if (!table.isZero(slot)) return true
      return false
    })
    return isSeen ? this.relay(part, named, base).finish() : undefined
  }

  /** Everything from `from` to `lsn`, the present: the fold of the log or the rows changed since, whichever is smaller. */
  catchUp(view: View, from: number, lsn: number): CatchUp {
    const last = this.#last
    if (last?.from === from && last.lsn === lsn && last.view === view.key) return last.made
    const known = (table: number) => this.#store.rowsAt(table, from)
    let made: CatchUp = {
      type: 'snapshot',
      body: this.#encode(view.restrict(this.#store.changedSince(from)), known, this.#opening),
    }
    if (from >= this.#log.from) {
      const fold = this.#encode(view.restrict(this.#fold(from, lsn)), known, this.#opening)
      if (fold.length < made.body.length) made = { type: 'fold', body: fold }
    }
    this.#last = { from, lsn, view: view.key, made }
    return made
  }

  #fold(from: number, lsn: number): Delta {
    const sum = new Delta(this.#layouts)
    const arrived = new Delta(this.#layouts)
    const decoder = new DeltaDecoder(this.#layouts)
    const known = this.#layouts.map((_, table) => this.#store.rowsAt(table, from))
    const { tables } = this.#reference
    const directory: RowDirectory = {
      rowNumbered: (_table, number) => number,
      rowNamed: (table, key) => tables[table].find(key),
      rowCount: table => tables[table].count,
      knownRows: table => known[table],
      hasLiterals: false,
      hasNumber: (table, row) => row < known[table],
    }
    for (let at = from; at < lsn; at++) {
      const entry = this.#log.after(at)
      if (entry.refused !== undefined) continue
      const reader = new Reader(entry.body)
      const { delta, named } = decoder.decode(reader, directory, entry.base, arrived)
      for (const { table } of named) known[table]++
      sum.fold(delta)
    }
    return sum
  }

  get #layouts() {
    return this.#reference.tables.map(({ layout }) => layout)
  }

  #encode(delta: Delta, knownRows: (table: number) => number, base: Stamp): Uint8Array {
    for (let t = 0; t < delta.tables.length; t++) this.#names.known[t] = knownRows(t)
    this.#w.reset()
    this.#encoder.encode(this.#w, delta, this.#names, base)
    return this.#w.finish()
  }
}

/**
 * One space of a hub, whatever its schema: the page becomes a replica of it. Rows keep their place in the order they were first
 * seen; when a row changed is kept beside, in flat arrays, because there may be ten thousand of them.
 */
import {
  AtomikError,
  type ConnectedSpace,
  connect,
  decodeSchema,
  isRegion,
  type Region,
  type RegionSchema,
  type RegionTable,
  region,
  type Schema,
  type Status,
  type Table,
  type TableSchema,
} from 'atomik'
import type { PageTotals } from './history.ts'
import { RowBook } from './row-book.ts'
import { TapTransport } from './tap.ts'
import { valueText } from './values.ts'

type AnyTables = Record<string, TableSchema>
type AnySpace = ConnectedSpace<AnyTables>
export type AnyRow = ReturnType<Table<TableSchema['fields']>['row']>
/** A field's handle, as far as the page uses it. */
export interface AnyHandle {
  readonly value: unknown
  flip?(bit?: number): number
  add?(by: number): number
  set?(value: unknown): number
}

const tellMs = 100
/** A change is lit for this long, in so many steps of paling. */
export const fadeMs = 1500
export const fadeSteps = 64

/** Time in steps of paling. */
export const stepAt = (ms: number): number => Math.floor((ms * fadeSteps) / fadeMs)

const foreverMs = 2 ** 31 - 1

/** How a page of a region is called among the keys of its table. */
const pageName = (name: string, page: number) => `${name}:${page}`
export function pageOf(key: string): { readonly name: string; readonly page: number } {
  const colon = key.lastIndexOf(':')
  return { name: key.slice(0, colon), page: Number(key.slice(colon + 1)) }
}

export class TableModel {
  readonly name: string
  readonly schema: TableSchema
  /** Its rows are pages of byte arrays. */
  readonly isRegions: boolean
  /** Of rows; of regions, a name for each page (`pageOf`). */
  readonly keys: string[] = []
  /** `stepAt` of the last change of each row, by its place in `keys`. */
  changedAt = new Int32Array(1024)
  /** Called when a row has changed. */
  onTouch: () => void = () => {}
  /** Bytes of all rows that changed, counted each time: key and words. */
  changedBytes = 0
  readonly #places = new Map<string, number>()

  constructor(name: string, schema: TableSchema) {
    this.name = name
    this.schema = schema
    this.isRegions = isRegion(schema)
  }

  /** @param step when it changed, as `stepAt` */
  touch(key: string, step: number): void {
    let place = this.#places.get(key)
    if (place === undefined) {
      place = this.keys.push(key) - 1
      this.#places.set(key, place)
      if (place >= this.changedAt.length) {
        const larger = new Int32Array(2 * this.changedAt.length)
        larger.set(this.changedAt)
        this.changedAt = larger
      }
    }
    this.changedAt[place] = step
    this.changedBytes += key.length + 8 * this.schema.layout.words
    this.onTouch()
  }
}

export class SpaceModel {
  readonly name: string
  readonly tables: readonly TableModel[]
  readonly tap: TapTransport
  readonly schema: Schema
  /** Names of rows by their numbers on the wire. */
  readonly book: RowBook
  readonly #listeners = new Set<() => void>()
  readonly #own: number[] = []
  /** Undone, and nothing changed here since. */
  readonly #undone: number[] = []
  #space: AnySpace | undefined
  /** When the oldest change made here that is not confirmed was made; 0 when there is none. */
  #madeAt = 0
  #confirmMs: number | null = null
  #problem = ''
  #closed = false
  #scheduled = false

  /** @throws AtomikError `schema` */
  constructor(origin: string, name: string, description: string, token: string | undefined) {
    this.name = name
    const schema = decodeSchema(new TextEncoder().encode(description))
    const tables: AnyTables = Object.fromEntries(
      schema.names.map((table, t) => [table, opened(schema.tables[t])]),
    )
    this.tables = schema.names.map((table, t) => new TableModel(table, schema.tables[t]))
    const url = `${origin}/${encodeURIComponent(name)}`
    this.schema = schema
    this.book = new RowBook(schema)
    this.tap = new TapTransport(url, this.book)
    connect(url, {
      tables,
      transport: this.tap,
      timeoutMs: foreverMs,
      ...(token !== undefined && { token }),
    }).then(
      space => this.#follow(space),
      error => this.#fail(error),
    )
  }

  get problem(): string {
    return this.#problem
  }

  /** Undefined before the first state. */
  get status(): Status | undefined {
    return this.#space?.status()
  }

  /** For the plots. */
  get totals(): PageTotals {
    const { bytesSent = 0, bytesReceived = 0 } = this.#space?.status() ?? {}
    return {
      carriedBytes: bytesSent + bytesReceived,
      rowBytes: this.tables.reduce((sum, { changedBytes }) => sum + changedBytes, 0),
      confirmMs: this.#confirmMs,
    }
  }

  get undoable(): number {
    return this.#own.length
  }

  get redoable(): number {
    return this.#undone.length
  }

  row(table: string, key: string): AnyRow | undefined {
    return this.#rows(table)?.row(key)
  }

  region(table: string, name: string): Region | undefined {
    return this.#regions(table)?.region(name)
  }

  #rows(table: string) {
    return this.#space?.[table] as unknown as Table<TableSchema['fields']> | undefined
  }

  #regions(table: string) {
    return this.#space?.[table] as unknown as RegionTable | undefined
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Makes one change; it can be undone. */
  change(make: () => number): void {
    try {
      this.#own.push(make())
      this.#undone.length = 0
      this.#madeAt ||= performance.now()
      this.#problem = ''
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      this.#problem = error.message
    }
    this.#tell()
  }

  /** Does what may be refused and is not undone: then the problem says why. */
  async attempt(act: () => unknown): Promise<void> {
    try {
      this.#problem = ''
      await act()
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      this.#problem = error.message
    }
    this.#tell()
  }

  /** Undoes the last change made here, whatever others did since. */
  undo(): void {
    const change = this.#own.pop()
    if (change === undefined || this.#space === undefined) return
    this.#space.undo(change)
    this.#undone.push(change)
    this.#tell()
  }

  /** Brings back what was undone last. */
  redo(): void {
    const change = this.#undone.pop()
    if (change === undefined || this.#space === undefined) return
    this.#space.redo(change)
    this.#own.push(change)
    this.#tell()
  }

  /** All rows as plain values, for a file. Numbers beyond 2^53 become text, and regions hexadecimal. */
  export(): string {
    const entriesOf = ({ name, isRegions }: TableModel) =>
      isRegions
        ? [...(this.#regions(name)?.regions() ?? [])].map(one => [one.name, valueText(one.read())])
        : [...(this.#rows(name)?.rows() ?? [])].map(row => [row.key, row.read()])
    const plain = Object.fromEntries(
      this.tables.map(table => [table.name, Object.fromEntries(entriesOf(table))]),
    )
    return JSON.stringify(
      plain,
      (_, value) =>
        typeof value === 'bigint' ? value.toString() : value instanceof Uint8Array ? [...value] : value,
      2,
    )
  }

  close(): void {
    this.#closed = true
    this.#space?.close()
  }

  #follow(space: AnySpace): void {
    if (this.#closed) {
      space.close()
      return
    }
    this.#space = space
    for (const table of this.tables) {
      const touch = (key: string) => {
        table.touch(key, stepAt(performance.now()))
        this.#tell()
      }
      if (!table.isRegions) {
        this.#rows(table.name)?.subscribe(row => touch(row.key))
        continue
      }
      const regions = this.#regions(table.name)
      for (const { name, length, pageBytes } of regions?.regions() ?? [])
        for (let page = 0; page === 0 || page * pageBytes < length; page++) touch(pageName(name, page))
      regions?.subscribe(({ name }, page) => touch(pageName(name, page)))
    }
    space.on('status', ({ pending }) => {
      if (pending === 0 && this.#madeAt > 0) {
        this.#confirmMs = performance.now() - this.#madeAt
        this.#madeAt = 0
      }
      this.#tell()
    })
    space.on('error', error => this.#fail(error))
    space.on('refused', ({ code }) =>
      this.#fail(new AtomikError(code, `the hub refused the change (${code})`)),
    )
    this.#tell()
  }

  #fail(error: unknown): void {
    this.#problem = error instanceof AtomikError ? error.message : String(error)
    this.#tell()
  }

  /** At most ten times a second; what is lit is drawn every frame by itself. */
  #tell(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setTimeout(() => {
      this.#scheduled = false
      for (const listener of this.#listeners) listener()
    }, tellMs)
  }
}

/** A table of pages, as the code that reads and patches regions opens it. */
function opened(schema: TableSchema): TableSchema {
  return isRegion(schema)
    ? region({ pageBytes: ((schema as RegionSchema).fields.page.count ?? 0) / 8 })
    : schema
}

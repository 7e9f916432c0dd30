/** What a program holds of a table: rows by key, those that exist, and who is told when one changes. */
import type { Fields, RegionSchema, TableSchema } from '../schema/index.ts'
import { type Host, type Row, rowFactory } from './handles.ts'
import type { OpensItself, RegionHost, RegionTable } from './regions.ts'

export type TablesOf = Readonly<Record<string, TableSchema>>
export type FieldsOf<T> = T extends TableSchema<infer F> ? F : never

/** What a program holds of a table: rows, or regions. */
export type TableOf<S> = S extends RegionSchema ? RegionTable : Table<FieldsOf<S>>

export interface Table<F extends Fields> {
  /** The row with this key. Asking for it does not make it exist; the first change does. */
  row(key: string): Row<F>
  /** Rows that exist. */
  rows(): Iterable<Row<F>>
  readonly size: number
  /**
   * Calls back for every row that exists, at once, and then for every row that changes, here or elsewhere: once a batch,
   * after all of it is applied. Returns the way to stop.
   */
  subscribe(listener: (row: Row<F>) => void): () => void
  /**
   * Calls back when the row with this key has changed, here or elsewhere: once a batch. Returns the way to stop. One field alone is
   * followed by its handle: `row(key).name.subscribe(…)`.
   */
  watch(key: string, listener: (row: Row<F>) => void): () => void
}

/** Makes the table that a program sees, and the way to tell its listeners of a row. */
export function openAny(
  schema: TableSchema,
  table: number,
  host: RegionHost,
): { readonly face: unknown; notify(row: number): void } {
  const { open } = schema as TableSchema & Partial<OpensItself>
  return open === undefined ? openTable(schema, table, host) : open(table, host)
}

function openTable<F extends Fields>(
  schema: TableSchema<F>,
  table: number,
  host: Host,
): { readonly face: Table<F>; notify(row: number): void } {
  const rows: Row<F>[] = []
  const listeners = new Set<(row: Row<F>) => void>()
  const watchers = new Map<number, Set<() => void>>()
  const watch = (row: number, changed: () => void) => {
    // A listener of its own, so that one function may be given twice.
    const watcher = () => changed()
    const those = watchers.get(row) ?? new Set()
    watchers.set(row, those.add(watcher))
    return () => {
      those.delete(watcher)
      if (those.size === 0 && watchers.get(row) === those) watchers.delete(row)
    }
  }
  const make = rowFactory(schema, table, host, watch)
  const reference = host.replica.reference.tables[table]
  const rowAt = (index: number): Row<F> => {
    rows[index] ??= make(index, reference.keys[index])
    return rows[index]
  }
  function* existing(): Iterable<Row<F>> {
    for (let index = 0; index < reference.count; index++) {
      const row = rowAt(index)
      if (row.exists) yield row
    }
  }
  const face: Table<F> = {
    // The replica refuses keys that cannot travel.
    row: key => rowAt(host.replica.row(table, key)),
    rows: existing,
    get size() {
      let size = 0
      for (const _ of existing()) size++
      return size
    },
    subscribe: listener => {
      for (const row of existing()) listener(row)
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    watch: (key, listener) => {
      const row = rowAt(host.replica.row(table, key))
      return watch(host.replica.row(table, key), () => listener(row))
    },
  }
  return {
    face,
    notify: index => {
      for (const listener of listeners) listener(rowAt(index))
      for (const watcher of watchers.get(index) ?? []) watcher()
    },
  }
}

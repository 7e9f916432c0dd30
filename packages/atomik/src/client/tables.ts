/** What a program holds of a table: rows by key, those that exist, and who is told when one changes. */
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Fields, TableSchema } from '../schema/index.ts'
import { encodeUtf8 } from '../wire/index.ts'
import { type Host, type Row, rowFactory } from './handles.ts'

export type TablesOf = Readonly<Record<string, TableSchema>>
export type FieldsOf<T> = T extends TableSchema<infer F> ? F : never

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
}

/** Makes the table that a program sees, and the way to tell its listeners of a row. */
export function openTable<F extends Fields>(
  schema: TableSchema<F>,
  table: number,
  host: Host,
): { readonly face: Table<F>; notify(row: number): void } {
  const make = rowFactory(schema, table, host)
  const rows: Row<F>[] = []
  const listeners = new Set<(row: Row<F>) => void>()
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
    row: key => {
      const known = host.replica.findRow(table, key)
      if (known >= 0) return rowAt(known)
      const bytes = encodeUtf8(key).length
      if (bytes < 1 || bytes > limits.keyBytesMax)
        throw new AtomikError('range', `a row key has 1 to ${limits.keyBytesMax} UTF-8 bytes, got ${bytes}`)
      return rowAt(host.replica.row(table, key))
    },
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
  }
  return {
    face,
    notify: index => {
      for (const listener of listeners) listener(rowAt(index))
    },
  }
}

/**
 * React hooks over stores (`atomik/react`): a component is rendered again when what it selected is another, and at no other
 * time. The space is made outside of components; nothing here opens or closes one. React 18 or later.
 */
import { useMemo, useRef, useSyncExternalStore } from 'react'
import type { Row, Status, Table } from '../client/index.ts'
import type { Fields } from '../schema/index.ts'
import { isSame, type Store, type Watch } from '../store/index.ts'

/** The value of a store. */
export function useStore<Value>(store: Store<Value>): Value {
  return useSyncExternalStore(store.subscribe, store.get, store.get)
}

/**
 * What `select` takes from one row; by default all its fields as plain values. The function may be another at each rendering.
 *
 * @example
 * ```ts no-run
 * // no-run: hooks live in components, and these in a browser (react.test.ts runs one there)
 * const visits = useRow(space.rooms, 'hall', row => row.visits.value)
 * ```
 */
export function useRow<F extends Fields, Value = ReturnType<Row<F>['read']>>(
  table: Table<F>,
  key: string,
  select: (row: Row<F>) => Value = row => row.read() as Value,
): Value {
  const watch = useMemo<Watch>(() => changed => table.watch(key, changed), [table, key])
  return useSelected(watch, () => select(table.row(key)))
}

/** What `select` takes from the rows that exist, for instance their keys. */
export function useTable<F extends Fields, Value>(table: Table<F>, select: (rows: Row<F>[]) => Value): Value {
  const watch = useMemo<Watch>(() => changed => table.subscribe(changed), [table])
  return useSelected(watch, () => select([...table.rows()]))
}

/** What `select` takes from the status of a connected space: whether it is live, how many changes are pending. */
export function useStatus<Value>(
  space: {
    status(): Status
    on(event: 'status', listener: (status: Status) => void): () => void
  },
  select: (status: Status) => Value,
): Value {
  const watch = useMemo<Watch>(() => changed => space.on('status', changed), [space])
  return useSelected(watch, () => select(space.status()))
}

/** What `read` reads as of now; rendered again when that is another, looked at once a turn in which `watch` has called. */
function useSelected<Value>(watch: Watch, read: () => Value): Value {
  const kept = useRef<{ readonly value: Value } | undefined>(undefined)
  const subscribe = useMemo(
    () => (listener: () => void) => {
      let isScheduled = false
      let isOver = false
      const stop = watch(() => {
        if (isScheduled) return
        isScheduled = true
        queueMicrotask(() => {
          isScheduled = false
          if (!isOver) listener()
        })
      })
      return () => {
        isOver = true
        stop()
      }
    },
    [watch],
  )
  const get = (): Value => {
    const value = read()
    if (kept.current === undefined || !isSame(kept.current.value, value)) kept.current = { value }
    return kept.current.value
  }
  return useSyncExternalStore(subscribe, get, get)
}

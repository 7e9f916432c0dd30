/**
 * Values that follow a space, for any user interface: `get` and `subscribe`, and nothing else. `subscribe` calls back at once and then
 * when the value is another, so a store is a Svelte store as it stands, and Solid's `from` and RxJS's `new Observable` take it. Equal values keep
 * their identity, so what depends on one is not made again for nothing. Nothing is watched while nobody subscribes.
 */
import type { Row, Status, Table } from '../client/index.ts'
import type { Fields } from '../schema/index.ts'

export interface Store<Value> {
  /** Reads the value as of now. The same object as long as it is equal. */
  readonly get: () => Value
  /** Calls back with the value at once, and whenever it has become another, at most once a turn. Returns the way to stop. */
  readonly subscribe: (run: (value: Value) => void) => () => void
}

/** Calls back when something may have changed; returns the way to stop. */
export type Watch = (changed: () => void) => () => void

/**
 * A store of whatever `read` reads, read again after `watch` has called.
 *
 * @example
 * ```ts
 * import { connect, counter, table } from 'atomik'
 * import { rowStore, storeOf, tableStore } from 'atomik/store'
 *
 * const space = await connect(url, { tables: { rooms: table({ visits: counter() }) } })
 * const visits = rowStore(space.rooms, 'hall', row => row.visits.value)
 * const names = tableStore(space.rooms, rows => rows.map(row => row.key))
 * const pending = storeOf(changed => space.on('status', changed), () => space.status().pending)
 * const seen: number[] = []
 * const stop = visits.subscribe(value => seen.push(value))
 * space.rooms.row('hall').visits.add(3)
 * await space.synced()
 * console.assert(seen.join() === '0,3' && names.get().join() === 'hall' && pending.get() === 0)
 * stop()
 * space.close()
 * ```
 */
export function storeOf<Value>(watch: Watch, read: () => Value): Store<Value> {
  const listeners = new Set<(value: Value) => void>()
  let kept: { readonly value: Value } | undefined
  const get = (): Value => {
    const value = read()
    if (kept === undefined || !isSame(kept.value, value)) kept = { value }
    return kept.value
  }
  let stop = () => {}
  let isScheduled = false
  let told: Value
  const changed = () => {
    if (isScheduled) return
    isScheduled = true
    // Whoever changes many rows tells of each: they are read once, when all are told.
    queueMicrotask(() => {
      isScheduled = false
      const now = get()
      if (Object.is(now, told)) return
      told = now
      for (const listener of [...listeners]) listener(now)
    })
  }
  return {
    get,
    subscribe: run => {
      // A listener of its own, so that one function may be given twice.
      const listener = (now: Value) => run(now)
      if (listeners.size === 0) stop = watch(changed)
      listeners.add(listener)
      told = get()
      run(told)
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) stop()
      }
    },
  }
}

/** What `select` takes from one row; by default all its fields as plain values. */
export function rowStore<F extends Fields, Value = ReturnType<Row<F>['read']>>(
  table: Table<F>,
  key: string,
  select: (row: Row<F>) => Value = row => row.read() as Value,
): Store<Value> {
  return storeOf(
    changed => table.watch(key, changed),
    () => select(table.row(key)),
  )
}

/** What `select` takes from the rows that exist. It is called once a turn in which any row has changed. */
export function tableStore<F extends Fields, Value>(
  table: Table<F>,
  select: (rows: Row<F>[]) => Value,
): Store<Value> {
  return storeOf(
    changed => table.subscribe(changed),
    () => select([...table.rows()]),
  )
}

/** What `select` takes from the status of a connected space. */
export function statusStore<Value>(
  space: {
    status(): Status
    on(event: 'status', listener: (status: Status) => void): () => void
  },
  select: (status: Status) => Value,
): Store<Value> {
  return storeOf(
    changed => space.on('status', changed),
    () => select(space.status()),
  )
}

/** Equality of plain values: scalars, bytes, lists and records of them, to any depth. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const prototype = Object.getPrototypeOf(a)
  if (prototype !== Object.getPrototypeOf(b)) return false
  if (Array.isArray(a) || a instanceof Uint8Array) {
    const [x, y] = [a, b] as [ArrayLike<unknown>, ArrayLike<unknown>]
    if (x.length !== y.length) return false
    for (let i = 0; i < x.length; i++) if (!isSame(x[i], y[i])) return false
    return true
  }
  // Handles and other objects of classes are equal only to themselves.
  if (prototype !== Object.prototype && prototype !== null) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(key => Object.hasOwn(b, key) && isSame((a as never)[key], (b as never)[key]))
  )
}

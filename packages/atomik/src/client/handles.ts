/**
 * What a program holds: rows with a typed handle a field. A handle is a place in a row, not a copy: reading it reads the
 * replica, changing it makes a change. Every changing method returns the number of the change, for `undo`.
 */
import type { Edit, Reference, RowReader } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import type {
  Bits,
  Counter,
  Field,
  FieldArray,
  Fields,
  Flag,
  Place,
  Register,
  ScalarField,
  TableSchema,
  Toggle,
  ValueCodec,
} from '../schema/index.ts'

/** Rows by table and key: a replica, or a branch of one. */
export interface RowStore extends RowReader {
  readonly reference: Reference
  row(table: number, key: string): number
  findRow(table: number, key: string): number
}

/** What every handle of one value can do. */
export interface Subscribable<Value> {
  /**
   * Calls back with the value at once, and then when it has become another, here or elsewhere: once a batch, after all of it is applied.
   * Returns the way to stop.
   */
  subscribe(run: (value: Value) => void): () => void
}

/** What handles need of the client they belong to. */
export interface Host {
  readonly replica: RowStore
  /** Makes one change to this row, or joins the one being made; returns its number. */
  edit(table: number, row: number, make: (edit: Edit) => void): number
}

export interface ToggleHandle extends Subscribable<boolean> {
  readonly value: boolean
  flip(): number
}
export interface BitsHandle extends Subscribable<readonly boolean[]> {
  readonly count: number
  /** @throws AtomikError `range` */
  get(bit: number): boolean
  /** @throws AtomikError `range` */
  flip(bit: number): number
}
export interface FlagHandle extends Subscribable<boolean> {
  readonly value: boolean
  set(on: boolean): number
}
export interface CounterHandle extends Subscribable<number> {
  /** The sum as a number: exact to 2^53 in magnitude. */
  readonly value: number
  /** The sum, exact. */
  readonly exact: bigint
  /** @throws AtomikError `range` unless `by` is a safe integer */
  add(by: number): number
}
export interface RegisterHandle<Value> extends Subscribable<Value> {
  readonly value: Value
  /** @throws AtomikError `range` or `width` when the value does not fit */
  set(value: Value): number
}

type ScalarHandle<F> = F extends Toggle
  ? ToggleHandle
  : F extends Flag
    ? FlagHandle
    : F extends Counter
      ? CounterHandle
      : F extends Register<infer Value>
        ? RegisterHandle<Value>
        : never

/** The handle of a field. */
export type HandleOf<F> = F extends Bits
  ? BitsHandle
  : F extends FieldArray<infer Element>
    ? readonly ScalarHandle<Element>[]
    : ScalarHandle<F>

type ScalarValue<F> = F extends Toggle | Flag
  ? boolean
  : F extends Counter
    ? number
    : F extends Register<infer Value>
      ? Value
      : never

/** The plain value of a field. */
export type ValueOf<F> = F extends Bits
  ? readonly boolean[]
  : F extends FieldArray<infer Element>
    ? readonly ScalarValue<Element>[]
    : ScalarValue<F>

export type Row<F extends Fields> = { readonly [Name in keyof F]: HandleOf<F[Name]> } & {
  readonly key: string
  /** False before the first change and after `remove`. */
  readonly exists: boolean
  /** All fields as plain values, from one state. */
  read(): { readonly [Name in keyof F]: ValueOf<F[Name]> }
  /** Ends the row's life. A later change, here or elsewhere, begins a new one. */
  remove(): number
}

/** Reads and edits one row for its handles. */
class RowPlace {
  readonly host: Host
  readonly table: number
  readonly row: number
  readonly out: Int32Array
  /** Calls back when the row has changed. */
  readonly watch: (changed: () => void) => () => void

  constructor(host: Host, table: number, row: number, out: Int32Array, watch: RowPlace['watch']) {
    this.host = host
    this.table = table
    this.row = row
    this.out = out
    this.watch = watch
  }

  /** READ of the whole row into `out`. */
  load(): Int32Array {
    this.host.replica.readRow(this.table, this.row, this.out)
    return this.out
  }

  edit(make: (edit: Edit) => void): number {
    return this.host.edit(this.table, this.row, make)
  }
}

function subscribeTo<Value>(at: RowPlace, read: () => Value, run: (value: Value) => void): () => void {
  let told = read()
  run(told)
  return at.watch(() => {
    const now = read()
    if (isSame(now, told)) return
    told = now
    run(now)
  })
}

/** Equality of field values: scalars, bytes, and lists of them. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  const [x, y] = [a, b] as (ArrayLike<unknown> | undefined)[]
  if (typeof a !== 'object' || typeof b !== 'object' || x?.length !== y?.length) return false
  for (let i = 0; i < (x?.length ?? 0); i++) if (!isSame(x?.[i], y?.[i])) return false
  return true
}

function toggleHandle(at: RowPlace, { word, bit }: Place): ToggleHandle {
  const low = bit < 32 ? 1 << bit : 0
  const high = bit < 32 ? 0 : 1 << (bit - 32)
  return {
    get value() {
      const out = at.load()
      return ((out[2 * word] & low) | (out[2 * word + 1] & high)) !== 0
    },
    flip: () => at.edit(edit => edit.xor(at.table, at.row, word, low, high)),
    subscribe(run) {
      return subscribeTo(at, () => this.value, run)
    },
  }
}

function bitsHandle(at: RowPlace, { word }: Place, count: number): BitsHandle {
  const check = (bit: number) => {
    if (!Number.isInteger(bit) || bit < 0 || bit >= count)
      throw new AtomikError('range', `expected a bit from 0 to ${count - 1}, got ${bit}`)
  }
  return {
    count,
    get(bit) {
      check(bit)
      return ((at.load()[2 * word + (bit >> 5)] >>> (bit & 31)) & 1) === 1
    },
    flip(bit) {
      check(bit)
      const mask = 1 << (bit & 31)
      const isHigh = ((bit >> 5) & 1) === 1
      return at.edit(edit =>
        edit.xor(at.table, at.row, word + (bit >> 6), isHigh ? 0 : mask, isHigh ? mask : 0),
      )
    },
    subscribe(run) {
      return subscribeTo(at, () => Array.from({ length: count }, (_, bit) => this.get(bit)), run)
    },
  }
}

function flagHandle(at: RowPlace, { word }: Place): FlagHandle {
  return {
    get value() {
      return (at.load()[2 * word] & 1) === 1
    },
    set: on => at.edit(edit => edit.set(at.table, at.row, word, on)),
    subscribe(run) {
      return subscribeTo(at, () => this.value, run)
    },
  }
}

function counterHandle(at: RowPlace, { word }: Place): CounterHandle {
  return {
    get value() {
      const out = at.load()
      return out[2 * word + 1] * 2 ** 32 + (out[2 * word] >>> 0)
    },
    get exact() {
      const out = at.load()
      return BigInt.asIntN(64, (BigInt(out[2 * word + 1]) << 32n) | BigInt(out[2 * word] >>> 0))
    },
    add(by) {
      if (!Number.isSafeInteger(by)) throw new AtomikError('range', `expected a safe integer, got ${by}`)
      return at.edit(edit => edit.add(at.table, at.row, word, by | 0, Math.floor(by / 2 ** 32) | 0))
    },
    subscribe(run) {
      return subscribeTo(at, () => this.value, run)
    },
  }
}

function registerHandle<Value>(
  at: RowPlace,
  { word }: Place,
  codec: ValueCodec<Value>,
): RegisterHandle<Value> {
  const halves = new Int32Array(2 * codec.words)
  return {
    get value() {
      return codec.read(at.load(), 2 * word + 2)
    },
    set(value) {
      codec.write(value, halves, 0)
      return at.edit(edit => edit.write(at.table, at.row, word, halves))
    },
    subscribe(run) {
      return subscribeTo(at, () => this.value, run)
    },
  }
}

function scalarHandle(at: RowPlace, field: ScalarField, place: Place): unknown {
  if (field.kind === 'toggle') return toggleHandle(at, place)
  if (field.kind === 'flag') return flagHandle(at, place)
  if (field.kind === 'counter') return counterHandle(at, place)
  return registerHandle(at, place, field.codec)
}

function fieldHandle(at: RowPlace, field: Field, places: readonly Place[]): unknown {
  if (field.kind === 'bits') return bitsHandle(at, places[0], field.count)
  if (field.kind === 'array') return places.map(place => scalarHandle(at, field.element, place))
  return scalarHandle(at, field, places[0])
}

function fieldValue(handle: unknown): unknown {
  if (Array.isArray(handle)) return handle.map(fieldValue)
  const scalar = handle as { value: unknown } | BitsHandle
  if ('count' in scalar) return Array.from({ length: scalar.count }, (_, bit) => scalar.get(bit))
  return scalar.value
}

/**
 * Makes the row objects of one table. Handles are made when first used, and kept.
 * @param watch calls back when a row has changed
 */
export function rowFactory<F extends Fields>(
  schema: TableSchema<F>,
  table: number,
  host: Host,
  watch: (row: number, changed: () => void) => () => void,
): (row: number, key: string) => Row<F> {
  const out = new Int32Array(2 * schema.layout.words)

  class TableRow {
    readonly key: string
    readonly #at: RowPlace
    readonly #handles = new Map<string, unknown>()

    constructor(row: number, key: string) {
      this.key = key
      this.#at = new RowPlace(host, table, row, out, changed => watch(row, changed))
    }

    get exists(): boolean {
      return (this.#at.load()[0] & 1) === 1
    }

    read(): Record<string, unknown> {
      return Object.fromEntries(Object.keys(schema.fields).map(name => [name, fieldValue(this.handle(name))]))
    }

    remove(): number {
      return this.#at.edit(edit => edit.remove(this.#at.table, this.#at.row))
    }

    handle(name: string): unknown {
      let handle = this.#handles.get(name)
      if (handle === undefined) {
        handle = fieldHandle(this.#at, schema.fields[name], schema.places.get(name) ?? [])
        this.#handles.set(name, handle)
      }
      return handle
    }
  }
  for (const name of Object.keys(schema.fields))
    Object.defineProperty(TableRow.prototype, name, {
      enumerable: true,
      get(this: TableRow) {
        return this.handle(name)
      },
    })
  return (row, key) => new TableRow(row, key) as unknown as Row<F>
}

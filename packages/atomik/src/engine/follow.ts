/**
 * What a follower and the leader of one store say to each other, within one machine: the leader holds the replica, followers are further
 * windows on it (leader.ts, follower.ts). The link keeps order and loses nothing but its end. Both ends are this library; another version
 * of these frames is refused.
 *
 *   to the leader    hello    1  version, 16 bytes who, schema hash, last change known to be saved
 *                    changes  2  number of the first, count, rows of each
 *   to a follower    welcome  1  last change taken in, all rows
 *                    rows     2  last change that is in them, rows
 *                    fate     3  saved, confirmed, log number, changes the hub has not confirmed, 1 live + 2 loaded + 4 ready
 *                    refused  4  from, to, code
 *                    forked   5  16 bytes
 *                    fail     6  code, fatal, text
 *
 * Rows are whole: table, key, words as spans. In a change they are what it accumulates, from the leader they are READ.
 */
import { Delta, type RowLayout } from '../algebra/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { errorCodes, Reader, Writer } from '../wire/index.ts'
import type { Reference } from './reference.ts'
import type { RowRef } from './rows.ts'

const version = 1
const numberMax = Number.MAX_SAFE_INTEGER

export interface NamedRowWords {
  readonly table: number
  readonly key: string
  readonly words: Int32Array
}

export type LeaderFrame =
  | { readonly type: 'hello'; readonly id: Uint8Array; readonly schema: string; readonly saved: number }
  | {
      readonly type: 'changes'
      readonly first: number
      readonly changes: readonly (readonly NamedRowWords[])[]
    }

export interface Fate {
  readonly saved: number
  readonly confirmed: number
  readonly lsn: number
  /** Changes of the leader's replica that the hub has not confirmed, whoever made them. */
  readonly pending: number
  readonly isLive: boolean
  readonly isLoaded: boolean
  readonly isReady: boolean
}

export type FollowerFrame =
  | { readonly type: 'welcome'; readonly taken: number; readonly rows: readonly NamedRowWords[] }
  | { readonly type: 'rows'; readonly included: number; readonly rows: readonly NamedRowWords[] }
  | ({ readonly type: 'fate' } & Fate)
  | { readonly type: 'refused'; readonly from: number; readonly to: number; readonly code: ErrorCode }
  | { readonly type: 'forked'; readonly incarnation: Uint8Array }
  | { readonly type: 'fail'; readonly error: AtomikError; readonly fatal: boolean }

export function encodeHello(id: Uint8Array, schema: string, saved: number): Uint8Array {
  const w = new Writer()
  w.u8(1)
  w.u8(version)
  w.bytes(id)
  w.text(schema)
  w.varint(saved)
  return w.finish()
}

/** Changes `first`, `first` + 1, … whose rows are those of `reference`. */
export function encodeChanges(first: number, changes: readonly Delta[], reference: Reference): Uint8Array {
  const w = new Writer()
  w.u8(2)
  w.varint(first)
  w.varint(changes.length)
  for (const { tables } of changes) {
    w.varint(tables.reduce((sum, { count }) => sum + count, 0))
    for (let t = 0; t < tables.length; t++) {
      const { rows, count, words, layout } = tables[t]
      for (let slot = 0; slot < count; slot++)
        writeRow(w, t, reference.tables[t].keys[rows[slot]], words, 2 * slot * layout.words, layout)
    }
  }
  return w.finish()
}

/** Reads whole rows. */
interface Readable {
  readonly reference: Reference
  readRow(table: number, row: number, out: Int32Array): void
}

/** READ of these rows, as part of a frame for any number of followers. */
export function encodeRows(rows: Iterable<RowRef>, state: Readable): Uint8Array {
  const { tables } = state.reference
  const words = new Int32Array(2 * Math.max(...tables.map(({ layout }) => layout.words)))
  const body = new Writer()
  let count = 0
  for (const { table, row } of rows) {
    state.readRow(table, row, words)
    writeRow(body, table, tables[table].keys[row], words, 0, tables[table].layout)
    count++
  }
  const w = new Writer()
  w.varint(count)
  w.bytes(body.view())
  return w.finish()
}

/** @param rows from `encodeRows` */
export function encodeWelcome(taken: number, rows: Uint8Array): Uint8Array {
  return withRows(1, taken, rows)
}

/** @param rows from `encodeRows` */
export function encodeChanged(included: number, rows: Uint8Array): Uint8Array {
  return withRows(2, included, rows)
}

function withRows(type: number, number: number, rows: Uint8Array): Uint8Array {
  const w = new Writer()
  w.u8(type)
  w.varint(number)
  w.bytes(rows)
  return w.finish()
}

export function encodeFate({ saved, confirmed, lsn, pending, isLive, isLoaded, isReady }: Fate): Uint8Array {
  const w = new Writer()
  w.u8(3)
  w.varint(saved)
  w.varint(confirmed)
  w.varint(lsn)
  w.varint(pending)
  w.u8((isLive ? 1 : 0) + (isLoaded ? 2 : 0) + (isReady ? 4 : 0))
  return w.finish()
}

export function encodeRefused(from: number, to: number, code: ErrorCode): Uint8Array {
  const w = new Writer()
  w.u8(4)
  w.varint(from)
  w.varint(to)
  w.u8(Math.max(0, errorCodes.indexOf(code)))
  return w.finish()
}

export function encodeForked(incarnation: Uint8Array): Uint8Array {
  const w = new Writer()
  w.u8(5)
  w.bytes(incarnation)
  return w.finish()
}

export function encodeFail(error: AtomikError, fatal: boolean): Uint8Array {
  const w = new Writer()
  w.u8(6)
  w.u8(Math.max(0, errorCodes.indexOf(error.code)))
  w.u8(fatal ? 1 : 0)
  w.text(error.message.slice(0, limits.errorTextBytesMax / 4))
  return w.finish()
}

function writeRow(
  w: Writer,
  table: number,
  key: string,
  words: Int32Array,
  at: number,
  layout: RowLayout,
): void {
  w.varint(table)
  w.text(key)
  w.beginSpans()
  for (let half = at; half < at + 2 * layout.words; half += 2) w.span(words[half], words[half + 1])
}

/** @throws AtomikError as the decoders of the wire */
export function decodeForLeader(bytes: Uint8Array, layouts: readonly RowLayout[]): LeaderFrame {
  const r = new Reader(bytes)
  const type = r.u8()
  if (type === 1) {
    const found = r.u8()
    if (found !== version)
      throw new AtomikError('version', `another version of this program is open: ${found}, not ${version}`)
    const id = r.bytes(16).slice()
    const schema = r.text(limits.schemaBytesMax, 'schema hash')
    return { type: 'hello', id, schema, saved: r.varint(numberMax, 'change') }
  }
  if (type !== 2) r.fail('malformed', `a frame of type ${type} to a leader`)
  const first = r.varint(numberMax, 'change')
  const changes: NamedRowWords[][] = []
  for (let count = r.varint(bytes.length, 'changes'); count > 0; count--) changes.push(readRows(r, layouts))
  return { type: 'changes', first, changes }
}

/** @throws AtomikError as the decoders of the wire */
export function decodeForFollower(bytes: Uint8Array, layouts: readonly RowLayout[]): FollowerFrame {
  const r = new Reader(bytes)
  const type = r.u8()
  switch (type) {
    case 1:
      return { type: 'welcome', taken: r.varint(numberMax, 'change'), rows: readRows(r, layouts) }
    case 2:
      return { type: 'rows', included: r.varint(numberMax, 'change'), rows: readRows(r, layouts) }
    case 3: {
      const saved = r.varint(numberMax, 'change')
      const confirmed = r.varint(numberMax, 'change')
      const lsn = r.varint(numberMax, 'log number')
      const pending = r.varint(numberMax, 'changes')
      const flags = r.u8()
      return {
        type: 'fate',
        saved,
        confirmed,
        lsn,
        pending,
        isLive: (flags & 1) === 1,
        isLoaded: (flags & 2) === 2,
        isReady: (flags & 4) === 4,
      }
    }
    case 4: {
      const from = r.varint(numberMax, 'change')
      const to = r.varint(numberMax, 'change')
      return { type: 'refused', from, to, code: errorCodes[r.u8()] ?? 'malformed' }
    }
    case 5:
      return { type: 'forked', incarnation: r.bytes(16).slice() }
    case 6: {
      const code = errorCodes[r.u8()] ?? 'malformed'
      const fatal = r.u8() === 1
      return { type: 'fail', error: new AtomikError(code, r.text(limits.errorTextBytesMax, 'text')), fatal }
    }
    default:
      return r.fail('malformed', `a frame of type ${type} to a follower`)
  }
}

function readRows(r: Reader, layouts: readonly RowLayout[]): NamedRowWords[] {
  const rows: NamedRowWords[] = []
  for (let count = r.varint(limits.rowsMax * limits.tablesMax, 'rows'); count > 0; count--) {
    const table = r.varint(layouts.length - 1, 'table')
    const key = r.text(limits.keyBytesMax, 'key')
    const words = new Int32Array(2 * layouts[table].words)
    r.beginSpans()
    for (let half = 0; half < words.length; half += 2) {
      r.span()
      words[half] = r.low
      words[half + 1] = r.high
    }
    r.endSpans()
    rows.push({ table, key, words })
  }
  return rows
}

/** These rows as a delta over `reference`, which gets those it lacks. */
export function deltaOf(rows: readonly NamedRowWords[], reference: Reference): Delta {
  const delta = new Delta(reference.tables.map(({ layout }) => layout))
  for (const { table, key, words } of rows) {
    const part = delta.tables[table]
    const at = part.open(reference.tables[table].open(key))
    part.words.set(words, at)
  }
  return delta
}

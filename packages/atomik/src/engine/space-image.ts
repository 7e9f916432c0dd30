/**
 * Reads a space from a hub's storage, and judges what it finds. Everything but rows must be there and whole: who wrote how much cannot be had
 * from anywhere else, so damage there is refused. Rows that are damaged or missing can be had from a replica (space-repair.ts): they
 * are named when the caller can mend them, and refused like the rest when not.
 */
import { Delta, Fingerprint } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeSchema, type Schema } from '../schema/index.ts'
import { type Halves, Reader, Writer } from '../wire/index.ts'
import { IncarnationHead } from './heads.ts'
import { sameLabel } from './label.ts'
import { openRecord, spacePrefix } from './records.ts'
import { Reference } from './reference.ts'
import {
  accountRecord,
  type Epoch,
  readEpoch,
  readSpaceHead,
  type SpaceHead,
  u32At,
} from './space-records.ts'
import type { Storage } from './storage.ts'

/** An opening as it is remembered: its place in the order, and its record's hash. */
export interface StoredEpoch extends Epoch {
  readonly ordinal: number
  readonly sum: Halves
}

/** A row as a record holds it. */
export interface StoredRow {
  /** Log numbers of birth and last change. */
  readonly born: number
  readonly changed: number
  readonly key: string
  /** Two halves a word. */
  readonly words: Int32Array
}

/** What a storage holds of one space. */
export interface SpaceImage {
  readonly schema: Schema
  readonly reference: Reference
  readonly heads: Map<string, IncarnationHead>
  readonly lsn: number
  readonly epochs: readonly StoredEpoch[]
  /** The principal that owns a row, by table. */
  readonly owners: readonly Map<number, string>[]
  /** Log numbers of birth and last change, by table and row. */
  readonly born: readonly number[][]
  readonly changed: readonly number[][]
  /** Sum over the hashes of all records but rows. */
  readonly recordPrint: Fingerprint
}

/** A space of which rows are damaged, and nothing else. */
export interface DamagedSpace {
  readonly schema: Schema
  readonly head: SpaceHead
  readonly epochs: readonly StoredEpoch[]
  readonly recordPrint: Fingerprint
  /** By table and row; undefined where the record is damaged, missing, or one of those that do not add up. */
  readonly rows: readonly (StoredRow | undefined)[][]
  /** Records that belong nowhere. */
  readonly strays: readonly Uint8Array[]
  /** What was found first, in words. */
  readonly reason: string
}

/** Names of the spaces in a storage. */
export function listSpaces(storage: Storage): string[] {
  const names: string[] = []
  for (const { key } of storage.range(new Uint8Array(0))) {
    const end = key.indexOf(0)
    if (end < 0 || key[end + 1] !== 's'.charCodeAt(0) || key.length !== end + 2) continue
    const w = new Writer()
    w.varint(end)
    w.bytes(key.subarray(0, end))
    names.push(new Reader(w.finish()).text(limits.spaceNameBytesMax, 'space name'))
  }
  return names
}

/**
 * Reads a space.
 * @returns undefined when the storage holds no such space
 * @throws AtomikError `storage` when a record is damaged or missing
 */
export function loadSpace(storage: Storage, space: string): SpaceImage | undefined {
  const image = inspectSpace(storage, space)
  if (image !== undefined && 'reason' in image) throw new AtomikError('storage', image.reason)
  return image
}

/**
 * The same, but when rows are damaged and nothing else, it says which.
 * @throws AtomikError `storage` when anything but rows is damaged or missing
 */
export function inspectSpace(storage: Storage, space: string): SpaceImage | DamagedSpace | undefined {
  const records = readRecords(storage, space)
  if (records === undefined) return undefined
  const { head, schema, heads, epochs, ownerList, recordPrint } = records
  const refuse = (what: string) => new AtomikError('storage', `space ${space} ${what}`)
  if (schema === undefined) throw refuse('does not add up to its digest: its schema is missing')
  if (!sameLabel(recordPrint, head.recordDigest))
    throw refuse('does not add up to its digest: heads, openings, owners or the schema are missing or old')
  if (head.rows.length !== schema.layouts.length) throw refuse('has another number of tables than its schema')
  const { rows, strays, reason } = placeRows(records, schema, space)
  const damaged = { schema, head, epochs, recordPrint, rows, strays }
  if (reason !== undefined) return { ...damaged, reason }
  const whole = rows as StoredRow[][]
  const reference = referenceOf(schema, whole)
  if (reference === undefined || !sameLabel(reference.fingerprint, head.digest))
    // Each record is whole, one of them is old: nobody can tell which.
    return {
      ...damaged,
      rows: rows.map(table => table.map(() => undefined)),
      reason: `space ${space} does not add up to its digest: rows are old`,
    }
  const owners = schema.layouts.map(() => new Map<number, string>())
  for (const { table, row, owner } of ownerList) owners[table]?.set(row, owner)
  return {
    schema,
    reference,
    heads,
    lsn: head.lsn,
    epochs,
    owners,
    born: whole.map(table => table.map(({ born }) => born)),
    changed: whole.map(table => table.map(({ changed }) => changed)),
    recordPrint,
  }
}

interface Records {
  readonly head: SpaceHead
  readonly schema: Schema | undefined
  readonly heads: Map<string, IncarnationHead>
  readonly epochs: StoredEpoch[]
  readonly ownerList: { readonly table: number; readonly row: number; readonly owner: string }[]
  readonly recordPrint: Fingerprint
  readonly rowRecords: { readonly table: number; readonly row: number; key: Uint8Array; value: Uint8Array }[]
  readonly strays: Uint8Array[]
}

function readRecords(storage: Storage, space: string): Records | undefined {
  const prefix = spacePrefix(space)
  const at = prefix.length + 1
  let head: SpaceHead | undefined
  let schema: Schema | undefined
  const records: Omit<Records, 'head' | 'schema'> = {
    heads: new Map(),
    epochs: [],
    ownerList: [],
    recordPrint: new Fingerprint(),
    rowRecords: [],
    strays: [],
  }
  const open = (key: Uint8Array, value: Uint8Array, what: string) => {
    const opened = openRecord(key, value, `${what} of space ${space}`)
    accountRecord(records.recordPrint, undefined, opened.sum)
    return opened
  }
  for (const { key, value } of storage.range(prefix)) {
    const kind = String.fromCharCode(key[prefix.length])
    if (kind === 's' && key.length === at) {
      head = readSpaceHead(openRecord(key, value, `the head of space ${space}`).r)
    } else if (kind === 'd' && key.length === at) {
      const { r } = open(key, value, 'the schema')
      schema = decodeSchema(r.bytes(r.varint(limits.schemaBytesMax, 'schema')))
    } else if (kind === 'h' && key.length === at + 16) {
      const { r, sum } = open(key, value, 'a head')
      const incarnation = IncarnationHead.decode(r)
      incarnation.sum = sum
      records.heads.set(incarnation.name, incarnation)
    } else if (kind === 'e' && key.length === at + 4) {
      const { r, sum } = open(key, value, 'an opening')
      records.epochs.push({ ...readEpoch(r), ordinal: u32At(key, at), sum })
    } else if (kind === 'o' && key.length === at + 5) {
      const { r } = open(key, value, 'an owner')
      const owner = r.text(limits.principalBytesMax, 'bytes in a principal')
      records.ownerList.push({ table: key[at], row: u32At(key, at + 1), owner })
    } else if (kind === 'r' && key.length === at + 5) {
      records.rowRecords.push({ table: key[at], row: u32At(key, at + 1), key, value })
    } else {
      records.strays.push(key)
    }
  }
  if (head === undefined) {
    const { heads, epochs, ownerList, rowRecords, strays } = records
    if (schema || heads.size + epochs.length + ownerList.length + rowRecords.length + strays.length > 0)
      throw new AtomikError('storage', `space ${space} has records but no head: the store is incomplete`)
    return undefined
  }
  return { ...records, head, schema }
}

/** Rows by table and number, as far as they are whole. */
function placeRows({ head, rowRecords, strays }: Records, schema: Schema, space: string) {
  const rows = head.rows.map((count): (StoredRow | undefined)[] => Array(count).fill(undefined))
  let reason: string | undefined
  const note = (what: string) => {
    reason ??= what
  }
  const astray = [...strays]
  if (astray.length > 0) note(`space ${space} has a record of unknown kind: its key is damaged`)
  for (const { table, row, key, value } of rowRecords) {
    const what = `row ${row} of table ${table} in space ${space}`
    if (row >= (rows[table]?.length ?? 0)) {
      astray.push(key)
      note(`${what} is none that it has: its key is damaged`)
      continue
    }
    try {
      rows[table][row] = readRow(openRecord(key, value, what).r, schema.layouts[table].words)
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      note(error.message)
    }
  }
  for (const [table, list] of rows.entries())
    for (let row = 0; row < list.length; row++)
      if (list[row] === undefined) note(`row ${row} of table ${table} in space ${space} is missing`)
  return { rows, strays: astray, reason }
}

function readRow(r: Reader, words: number): StoredRow {
  const born = r.varint(Number.MAX_SAFE_INTEGER, 'birth')
  const changed = r.varint(Number.MAX_SAFE_INTEGER, 'change')
  const key = r.text(limits.keyBytesMax, 'key')
  const halves = new Int32Array(2 * words)
  // A row written before fields were appended ends earlier, and words of 0 at the end take no bytes.
  r.beginSpans()
  for (let i = 0; i < halves.length && !r.done; i += 2) {
    r.span()
    halves[i] = r.low
    halves[i + 1] = r.high
  }
  return { born, changed, key, words: halves }
}

/** The reference these rows make; undefined when two of a table have one key. */
export function referenceOf(schema: Schema, rows: readonly (readonly StoredRow[])[]): Reference | undefined {
  const reference = new Reference(schema.layouts)
  for (const [table, list] of rows.entries()) {
    const delta = new Delta(schema.layouts)
    for (const [row, { key, words }] of list.entries()) {
      if (reference.tables[table].open(key) !== row) return undefined
      const at = delta.tables[table].open(row)
      delta.tables[table].words.set(words, at)
    }
    reference.load(delta)
  }
  return reference
}

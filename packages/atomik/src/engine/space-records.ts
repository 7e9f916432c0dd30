/**
 * The records of a space in a hub's storage: their keys and their bytes. What is written is state, not history:
 *
 *   space NUL 's'                    format, log number, digest of all words, digest of the records below, rows of each table
 *   space NUL 'd'                    the schema's description
 *   space NUL 'e' u32                an opening: its epoch and the log number at which it was; numbered in order
 *   space NUL 'h' incarnation        a head (heads.ts)
 *   space NUL 'o' table row          the principal that owns this row
 *   space NUL 'r' table row          log numbers of birth and last change, key, words; those at the end that are absent are 0
 *
 * Numbers in keys are big endian. Every record ends in 8 bytes of hash over its key and the rest (records.ts), and the digests in the
 * first record cover all others: a flipped bit, a missing record, an old or a misplaced one is found when the space is opened.
 * A commit writes the first record and those that changed.
 */
import type { Fingerprint } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Halves, Reader, Writer } from '../wire/index.ts'
import { recordKey } from './records.ts'

/** Of the records of a space; raised when they change. */
const format = 2

/** Openings remembered: a reader from before them gets a whole snapshot. */
export const epochsKept = 1024

export interface Epoch {
  readonly id: Halves
  /** Log number at which it opened. */
  readonly lsn: number
}

export interface SpaceHead {
  readonly lsn: number
  /** Fingerprint of all words. */
  readonly digest: Halves
  /** Sum over the hashes of all records but rows and this one. */
  readonly recordDigest: Halves
  /** Rows of each table. */
  readonly rows: readonly number[]
}

export const headKey = (space: string): Uint8Array => recordKey(space, 's')
export const schemaKey = (space: string): Uint8Array => recordKey(space, 'd')
export const epochKey = (space: string, ordinal: number): Uint8Array => recordKey(space, 'e', u32(ordinal))
export const incarnationKey = (space: string, id: Uint8Array): Uint8Array => recordKey(space, 'h', id)
export const ownerKey = (space: string, table: number, row: number): Uint8Array =>
  recordKey(space, 'o', [table, ...u32(row)])
/** What the keys of all rows begin with. */
export const rowKeyPrefix = (space: string): Uint8Array => recordKey(space, 'r')

/** Keys of rows: `rowKeyPrefix`, then where the row is. */
export function rowKeys(space: string): (table: number, row: number) => Uint8Array {
  const any = recordKey(space, 'r', [0, 0, 0, 0, 0])
  const at = any.length - 5
  return (table, row) => {
    const key = any.slice()
    key[at] = table
    key[at + 1] = row >>> 24
    key[at + 2] = row >>> 16
    key[at + 3] = row >>> 8
    key[at + 4] = row
    return key
  }
}

function u32(n: number): number[] {
  return [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
}

/** The number in a key at this offset. */
export function u32At(key: Uint8Array, at: number): number {
  return ((key[at] << 24) | (key[at + 1] << 16) | (key[at + 2] << 8) | key[at + 3]) >>> 0
}

/** Adds a record's hash to the sum over all of them, replaces it there, or takes it out. A hash covers the key, so a constant address does. */
export function accountRecord(print: Fingerprint, before: Halves | undefined, sum: Halves | undefined): void {
  print.replace(0, 0, before?.low ?? 0, before?.high ?? 0, sum?.low ?? 0, sum?.high ?? 0)
}

export function writeSpaceHead(w: Writer, { lsn, digest, recordDigest, rows }: SpaceHead): void {
  w.varint(format)
  w.varint(lsn)
  w.u64(digest.low, digest.high)
  w.u64(recordDigest.low, recordDigest.high)
  w.varint(rows.length)
  for (const count of rows) w.varint(count)
}

/** @throws AtomikError `storage` for another format */
export function readSpaceHead(r: Reader): SpaceHead {
  const found = r.varint(Number.MAX_SAFE_INTEGER, 'format')
  if (found !== format)
    throw new AtomikError('storage', `the store is of format ${found}, this version reads ${format}`)
  const lsn = r.varint(Number.MAX_SAFE_INTEGER, 'log number')
  const digest = readHalves(r)
  const recordDigest = readHalves(r)
  const rows: number[] = []
  for (let count = r.varint(limits.tablesMax, 'tables'); count > 0; count--)
    rows.push(r.varint(limits.rowsMax, 'rows'))
  return { lsn, digest, recordDigest, rows }
}

export function writeEpoch(w: Writer, { id, lsn }: Epoch): void {
  w.u64(id.low, id.high)
  w.varint(lsn)
}

export function readEpoch(r: Reader): Epoch {
  return { id: readHalves(r), lsn: r.varint(Number.MAX_SAFE_INTEGER, 'log number') }
}

/** A row: `at` is the offset of its first half in `words`, `halves` how many it has. */
export function writeRow(
  w: Writer,
  born: number,
  changed: number,
  key: string,
  words: Int32Array,
  at: number,
  halves: number,
): void {
  w.varint(born)
  w.varint(changed)
  w.text(key)
  w.beginSpans()
  for (let half = 0; half < halves; half += 2) w.span(words[at + half], words[at + half + 1])
}

function readHalves(r: Reader): Halves {
  r.u64()
  return { low: r.low, high: r.high }
}

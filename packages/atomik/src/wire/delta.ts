/**
 * The bytes of a delta, drawn; and what writer (encode.ts) and reader (decode.ts) must know about rows. Canonical: under one
 * naming of rows, equal deltas have equal bytes, and the decoder accepts no others (spec/wire.md §3).
 *
 *   delta    a point, or varint 0 · varint tables, then each table in ascending order
 *   point    one group of one known row: varint 1 + 2 × (4 × number + place) + (words full ? 1 : 0) · [ varint pair ] · [ stamp ] ·
 *            words. Places 0, 1, 2 are words 1, 2, 3 of table 0; 3 is any other, as a pair (table, word)
 *   table    varint 4 × (index − previous index − 1) + (0 known rows, 1 rows by key, 2 both) · known blocks · keyed blocks
 *   block    rows of one shape. Known ones follow each other by number; the rest come with their keys
 *   known    varint 8 × gap + 4 × last + 2 × (shape as before) + (several ? 1 : 0) · [ varint rows − 2 ] · [ shape ] · content
 *   keyed    varint 2 × last + (several ? 1 : 0) · [ varint rows − 2 ] · shape · text key of each row · content
 *   shape    varint 2 × runs + (sparse ? 1 : 0) · runs of groups: varint 2 × gap + (several ? 1 : 0) · [ varint groups − 2 ]
 *   content  stamps (stamp.ts), row by row · [ listed bits, row by row ] · words (writer.ts, spans), place by place; `add`
 *            words zigzag first
 *
 * Rows are named by number where both sides have agreed on one, by key otherwise. A decoded delta is complete before the
 * caller sees it; names it introduces are listed, and rows are created only when it is applied.
 */
import type { Delta } from '../algebra/index.ts'

/** What the encoder must know about rows. */
export interface RowNames {
  /** The agreed number of a row, or −1 when only its key may be sent. */
  numberOf(table: number, row: number): number
  keyOf(table: number, row: number): string
  /** Numbers below this are known to the reader; those from here on are sent with their key. */
  knownRows(table: number): number
}

/** What the decoder must know about rows. */
export interface RowDirectory {
  /** The local row with this number, or −1. */
  rowNumbered(table: number, number: number): number
  /** The local row with this key, or −1. */
  rowNamed(table: number, key: string): number
  /** Local rows in use: the next to be created gets this index. */
  rowCount(table: number): number
  /** Numbers agreed so far: the next row to be numbered gets this one. */
  knownRows(table: number): number
  /** Rows by key are literals, in order of their keys: a client's. Otherwise they get the next numbers, in their order. */
  readonly hasLiterals: boolean
  /** True when this local row has a number. Asked only without literals. */
  hasNumber(table: number, row: number): boolean
}

/** A row that a decoded delta names by key. */
export interface NamedRow {
  readonly table: number
  readonly key: string
  /** Its local index: of an existing row, or the index it will have when created in the order of this list. */
  readonly row: number
  readonly isNew: boolean
}

export interface DecodedDelta {
  readonly delta: Delta
  /** Rows named by key, in the order in which they must be created and numbered. */
  readonly named: readonly NamedRow[]
}

/** The rows of a delta by key alone: the form that vectors, stores and people see. */
export function namesByKey(keyOf: (table: number, row: number) => string): RowNames {
  return { numberOf: () => -1, keyOf, knownRows: () => 0 }
}

/** Places of a point that need no further byte: words 1 to this many of table 0. */
export const nearPlaces = 3

/** A table and a word as one number, small when both are: 0 (0, 0) · 1 (1, 0) · 2 (0, 1) · 3 (2, 0) … It knows no schema. */
export function pairPlace(table: number, word: number): number {
  return ((table + word) * (table + word + 1)) / 2 + word
}

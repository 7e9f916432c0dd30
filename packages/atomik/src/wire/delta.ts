/**
 * The bytes of a delta. Canonical: under one naming of rows, equal deltas have equal bytes, and the decoder accepts no
 * others (spec/wire.md §3).
 *
 *   delta    varint tables, then each table in ascending order
 *   table    varint index − previous index − 1 · varint numbered × 2 + (literals follow ? 1 : 0) · numbered rows
 *            [ varint literals ≥ 1 · literal rows ]
 *   numbered varint number − previous number − 1 · [ text key, when the reader cannot know this number yet ] · runs
 *   literal  text key, in ascending order of its UTF-8 bytes · runs
 *   runs     of non-zero words, each: varint gap × 2 + (last run ? 1 : 0) · varint length · its words
 *   word     packed (writer.ts); `add` words zigzag first; stamps as below
 *   stamp    varint 0 for the stamp before it in this delta, else varint 1 + zigzag(ms − ms before) · varint count
 *
 * Rows are named by number where both sides have agreed on one, by key otherwise. A decoded delta is complete before the
 * caller sees it; names it introduces are listed, and rows are created only when it is applied.
 */
import { Delta, fitsBits, type RowLayout, WordKind } from '../algebra/index.ts'
import { limits } from '../limits.ts'
import type { Reader } from './reader.ts'
import { compareBytes, decodeUtf8, encodeUtf8 } from './utf8.ts'
import type { Writer } from './writer.ts'

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

/** The largest stamp time: 48 bits of milliseconds. */
const msMax = 2 ** 48 - 1

/** Running state of the stamp coding inside one delta. */
interface StampState {
  ms: number
  count: number
}

/**
 * Appends a delta. Rows that hold only identities are left out.
 * @param stampBaseMs time that stamps are coded against; the decoder needs the same
 */
export function encodeDelta(writer: Writer, delta: Delta, names: RowNames, stampBaseMs: number): void {
  const stamp: StampState = { ms: stampBaseMs, count: 0 }
  const tables: { index: number; numbered: number[]; literal: { key: Uint8Array; at: number }[] }[] = []
  for (let index = 0; index < delta.tables.length; index++) {
    const table = delta.tables[index]
    const halves = 2 * table.layout.words
    const numbered: number[] = []
    const literal: { key: Uint8Array; at: number }[] = []
    for (let slot = 0; slot < table.count; slot++) {
      if (table.isZero(slot)) continue
      if (names.numberOf(index, table.rows[slot]) >= 0) numbered.push(slot)
      else literal.push({ key: encodeUtf8(names.keyOf(index, table.rows[slot])), at: slot * halves })
    }
    if (numbered.length + literal.length === 0) continue
    numbered.sort((a, b) => names.numberOf(index, table.rows[a]) - names.numberOf(index, table.rows[b]))
    literal.sort((a, b) => compareBytes(a.key, b.key))
    tables.push({ index, numbered, literal })
  }
  writer.varint(tables.length)
  let indexBefore = -1
  for (const { index, numbered, literal } of tables) {
    const table = delta.tables[index]
    writer.varint(index - indexBefore - 1)
    indexBefore = index
    writer.varint(numbered.length * 2 + (literal.length > 0 ? 1 : 0))
    let numberBefore = -1
    for (const slot of numbered) {
      const row = table.rows[slot]
      const number = names.numberOf(index, row)
      writer.varint(number - numberBefore - 1)
      numberBefore = number
      if (number >= names.knownRows(index)) writer.text(names.keyOf(index, row))
      encodeRuns(writer, table.layout, table.words, slot * 2 * table.layout.words, stamp)
    }
    if (literal.length === 0) continue
    writer.varint(literal.length)
    for (const { key, at } of literal) {
      writer.varint(key.length)
      writer.bytes(key)
      encodeRuns(writer, table.layout, table.words, at, stamp)
    }
  }
}

function encodeRuns(
  writer: Writer,
  layout: RowLayout,
  words: Int32Array,
  at: number,
  stamp: StampState,
): void {
  const end = layout.words
  const isZero = (word: number) => (words[at + 2 * word] | words[at + 2 * word + 1]) === 0
  let word = 0
  let runBefore = 0
  while (isZero(word)) word++
  while (word < end) {
    let runEnd = word + 1
    while (runEnd < end && !isZero(runEnd)) runEnd++
    let next = runEnd
    while (next < end && isZero(next)) next++
    writer.varint((word - runBefore) * 2 + (next === end ? 1 : 0))
    writer.varint(runEnd - word)
    for (; word < runEnd; word++)
      encodeWord(writer, layout.kinds[word], words[at + 2 * word], words[at + 2 * word + 1], stamp)
    runBefore = runEnd
    word = next
  }
}

function encodeWord(writer: Writer, kind: number, low: number, high: number, stamp: StampState): void {
  if (kind === WordKind.add) {
    const sign = high >> 31
    writer.word((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign)
  } else if (kind === WordKind.stamp) {
    const ms = (high >>> 0) * 2 ** 16 + (low >>> 16)
    const count = low & 0xffff
    if (ms === stamp.ms && count === stamp.count) {
      writer.varint(0)
      return
    }
    const distance = ms - stamp.ms
    writer.varint(1 + (distance < 0 ? -2 * distance - 1 : 2 * distance))
    writer.varint(count)
    stamp.ms = ms
    stamp.count = count
  } else {
    writer.word(low, high)
  }
}

/**
 * Reads a delta. Touches neither the directory nor any state: on an error nothing has happened.
 * @throws AtomikError `truncated`, `malformed`, `oversized`, `range`, `width`, with the offset
 */
export function decodeDelta(
  reader: Reader,
  layouts: readonly RowLayout[],
  directory: RowDirectory,
  stampBaseMs: number,
): DecodedDelta {
  const delta = new Delta(layouts)
  const named: NamedRow[] = []
  const stamp: StampState = { ms: stampBaseMs, count: 0 }
  let words = 0
  const tables = reader.varint(layouts.length, 'tables in a delta')
  let index = -1
  for (let t = 0; t < tables; t++) {
    index += 1 + reader.varint(layouts.length - index - 2, 'table index')
    const table = delta.tables[index]
    const head = reader.varint(limits.rowsMax * 2 + 1, 'rows in a table')
    const known = directory.knownRows(index)
    const created = new Set<string>()
    const open = (row: number, start: number): number => {
      if (table.find(row) >= 0) reader.fail('malformed', 'one row twice in a delta', start)
      words += table.layout.words
      if (words > limits.deltaWordsMax)
        reader.fail('oversized', `a delta of more than ${limits.deltaWordsMax} words`, start)
      return table.open(row)
    }
    const name = (key: string, start: number): number => {
      const existing = directory.rowNamed(index, key)
      const row = existing >= 0 ? existing : directory.rowCount(index) + created.size
      if (row >= limits.rowsMax)
        reader.fail('oversized', `more than ${limits.rowsMax} rows in a table`, start)
      if (created.has(key)) reader.fail('malformed', 'one row twice in a delta', start)
      if (existing < 0) created.add(key)
      named.push({ table: index, key, row, isNew: existing < 0 })
      return row
    }
    let number = -1
    let fresh = 0
    for (let r = 0; r < head >> 1; r++) {
      const start = reader.position
      number += 1 + reader.varint(limits.rowsMax, 'row number')
      let row: number
      if (number < known) {
        row = directory.rowNumbered(index, number)
        if (row < 0) reader.fail('range', `row number ${number} is not known here`, start)
      } else {
        if (number !== known + fresh)
          reader.fail(
            'range',
            `row number ${number} is not known here, ${known + fresh} would be next`,
            start,
          )
        fresh++
        row = name(readKey(reader), start)
      }
      decodeRuns(reader, table.layout, open(row, start), table.words, stamp)
    }
    if ((head & 1) === 0) {
      if (head === 0) reader.fail('malformed', 'a table without rows')
      continue
    }
    const literals = reader.varint(limits.rowsMax, 'literal rows in a table')
    if (literals === 0) reader.fail('malformed', 'literal rows announced, none there')
    let keyBefore: Uint8Array | undefined
    for (let r = 0; r < literals; r++) {
      const start = reader.position
      const key = readKeyBytes(reader)
      if (keyBefore !== undefined && compareBytes(keyBefore, key) >= 0)
        reader.fail('malformed', 'row keys out of order', start)
      keyBefore = key
      const row = name(keyText(reader, key, start), start)
      decodeRuns(reader, table.layout, open(row, start), table.words, stamp)
    }
  }
  return { delta, named }
}

function readKeyBytes(reader: Reader): Uint8Array {
  const start = reader.position
  const length = reader.varint(limits.keyBytesMax, 'bytes in a row key')
  if (length === 0) reader.fail('malformed', 'an empty row key', start)
  return reader.bytes(length)
}

function keyText(reader: Reader, bytes: Uint8Array, start: number): string {
  const text = decodeUtf8(bytes)
  if (text === undefined) reader.fail('malformed', 'a row key that is not UTF-8', start)
  return text
}

function readKey(reader: Reader): string {
  const start = reader.position
  return keyText(reader, readKeyBytes(reader), start)
}

function decodeRuns(
  reader: Reader,
  layout: RowLayout,
  at: number,
  words: Int32Array,
  stamp: StampState,
): void {
  const start = reader.position
  let word = 0
  for (let last = false, first = true; !last; first = false) {
    const head = reader.varint(limits.rowWordsMax * 2 + 1, 'gap between runs')
    last = (head & 1) === 1
    if (!first && head >> 1 === 0) reader.fail('malformed', 'two runs that touch')
    word += head >> 1
    const length = reader.varint(limits.rowWordsMax, 'words in a run')
    if (length === 0) reader.fail('malformed', 'an empty run')
    if (word + length > layout.words)
      reader.fail('range', `words ${word} to ${word + length - 1} of a row of ${layout.words}`)
    for (const end = word + length; word < end; word++) {
      const wordStart = reader.position
      decodeWord(reader, layout.kinds[word], stamp)
      if ((reader.low | reader.high) === 0) reader.fail('malformed', 'a zero word inside a run', wordStart)
      if (!fitsBits(reader.low, reader.high, layout.bits[word]))
        reader.fail('width', `word ${word} is wider than its ${layout.bits[word]} bits`, wordStart)
      words[at + 2 * word] = reader.low
      words[at + 2 * word + 1] = reader.high
    }
  }
  for (let w = 0; w < layout.words; w++) {
    if (layout.kinds[w] !== WordKind.stamp || (words[at + 2 * w] | words[at + 2 * w + 1]) !== 0) continue
    for (let v = 1; v < layout.groups[w]; v++)
      if ((words[at + 2 * (w + v)] | words[at + 2 * (w + v) + 1]) !== 0)
        reader.fail('malformed', 'a register value without a stamp', start)
  }
}

/** Leaves the word in `reader.low` and `reader.high`. */
function decodeWord(reader: Reader, kind: number, stamp: StampState): void {
  if (kind !== WordKind.stamp) {
    reader.word()
    if (kind === WordKind.add) {
      const sign = -(reader.low & 1)
      const low = ((reader.low >>> 1) | (reader.high << 31)) ^ sign
      reader.high = (reader.high >>> 1) ^ sign
      reader.low = low
    }
    return
  }
  const start = reader.position
  const code = reader.varint(2 * msMax + 3, 'stamp')
  if (code > 0) {
    const distance = code - 1
    const ms = stamp.ms + (distance % 2 === 1 ? -(distance + 1) / 2 : distance / 2)
    const count = reader.varint(0xffff, 'stamp count')
    if (ms < 0 || ms > msMax) reader.fail('range', `a stamp outside 48 bits of milliseconds`, start)
    if (ms === stamp.ms && count === stamp.count)
      reader.fail('malformed', 'a repeated stamp spelt out', start)
    stamp.ms = ms
    stamp.count = count
  }
  reader.low = ((stamp.ms % 2 ** 16) << 16) | stamp.count
  reader.high = Math.floor(stamp.ms / 2 ** 16) | 0
}

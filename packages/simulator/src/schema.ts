/**
 * What simulated replicas write. `ledger` holds one digit for every change ever made, in the `add` lane and in base 16: its value is
 * how often that change counts, as a whole number, where `xor` would show only odd or even. `cells` are few rows that all write
 * at once, in every lane, and the oracle derives from the ledger what must stand in them. `files` are few small regions, in slots of four bytes.
 */
import { array, counter, flag, regionTable, register, Schema, table, toggle } from 'atomik/schema'

/** Counters in a ledger row, and digits in a counter: −8 … 7 each, kept apart by the bias in `readDigit`. */
export const ledgerCounters = 4
export const digitsPerCounter = 16
export const digitsPerRow = ledgerCounters * digitsPerCounter

const ledger = table({ digits: array(counter(), ledgerCounters) })
const cells = {
  sum: counter(),
  left: toggle(),
  name: register.u32(),
  on: flag(),
  right: toggle(),
  pair: register.text(16),
} as const

/** Bytes of a page, slots in it, and slots of a region: two pages. */
const pageBytes = 16
export const slotsPerPage = pageBytes / 4
export const slotsPerFile = 2 * slotsPerPage
const files = regionTable({ pageBytes })

/** Before and after the upgrade that appends two fields. */
export const schemas: readonly [Schema, Schema] = [
  new Schema({ ledger, cells: table(cells), files }),
  new Schema({ ledger, cells: table({ ...cells, extra: counter(), note: register.u16() }), files }),
]

export const ledgerTable = 0
export const cellsTable = 1
export const filesTable = 2

function wordOf(tableIndex: number, field: string, element = 0): number {
  const place = schemas[1].tables[tableIndex].places.get(field)?.[element]
  if (place === undefined) throw new Error(`no field ${field}`)
  return place.word
}

export const words = {
  digits: wordOf(ledgerTable, 'digits'),
  sum: wordOf(cellsTable, 'sum'),
  bits: wordOf(cellsTable, 'left'),
  name: wordOf(cellsTable, 'name'),
  on: wordOf(cellsTable, 'on'),
  pair: wordOf(cellsTable, 'pair'),
  extra: wordOf(cellsTable, 'extra'),
  note: wordOf(cellsTable, 'note'),
} as const

/** Where the digit of a change lies. */
export function placeOfDigit(digit: number): { key: string; word: number; low: number; high: number } {
  const within = digit % digitsPerRow
  const nibble = within % digitsPerCounter
  return {
    key: `l${Math.floor(digit / digitsPerRow)}`,
    word: words.digits + Math.floor(within / digitsPerCounter),
    low: nibble < 8 ? 1 << (4 * nibble) : 0,
    high: nibble < 8 ? 0 : 1 << (4 * (nibble - 8)),
  }
}

/** How often the change with this nibble counts, of a counter's halves: −8 … 7. */
export function readDigit(low: number, high: number, nibble: number): number {
  const biasedLow = (low >>> 0) + 0x8888_8888
  const carry = biasedLow > 0xffff_ffff ? 1 : 0
  const biasedHigh = (high >>> 0) + 0x8888_8888 + carry
  const half = nibble < 8 ? biasedLow : biasedHigh
  return (((Math.floor(half / 2 ** (4 * (nibble % 8))) % 16) + 16) % 16) - 8
}

/**
 * Stamps on the wire: each against the one before it, the first of a delta against a base both sides know. Every stamp has
 * one code (spec/wire.md §3):
 *
 *   same millisecond   varint 2 z(count − count before)
 *   any other          varint 1 + 2 (2 (z(ms − ms before) − 1) + (count > 0 ? 1 : 0)) · [ varint count − 1 ]
 */
import { type Delta, type TableDelta, WordKind } from '../algebra/index.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/** The largest stamp time: 48 bits of milliseconds. */
export const stampMsMax = 2 ** 48 - 1
export const countMax = 0xffff

/** What a stamp is coded against: milliseconds since 1970, and a count. */
export interface Stamp {
  readonly ms: number
  readonly count: number
}

/** A stamp that moves: the one before, or the largest seen. In halves, since a number of 48 bits would be an object each time. */
export class StampMark implements Stamp {
  /** The 64 bits of the stamp. */
  low = 0
  high = 0

  constructor(ms = 0, count = 0) {
    this.low = ((ms % 2 ** 16) << 16) | count
    this.high = Math.floor(ms / 2 ** 16) | 0
  }

  /** The stamp of these 64 bits. */
  static of(low: number, high: number): StampMark {
    const mark = new StampMark()
    mark.low = low
    mark.high = high
    return mark
  }

  clone(): StampMark {
    return StampMark.of(this.low, this.high)
  }

  get ms(): number {
    return stampMs(this.low, this.high)
  }

  get count(): number {
    return this.low & countMax
  }

  set(to: Stamp): void {
    if (to instanceof StampMark) {
      this.low = to.low
      this.high = to.high
    } else {
      this.low = ((to.ms % 2 ** 16) << 16) | to.count
      this.high = Math.floor(to.ms / 2 ** 16) | 0
    }
  }

  /** Becomes the other stamp when that is larger. */
  raise({ low, high }: StampMark): void {
    if (!isLess(this.low, this.high, low, high)) return
    this.low = low
    this.high = high
  }

  /** Becomes the largest stamp of the delta, when that is larger than itself. */
  see(delta: Delta): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const table = delta.tables[t]
      if (table.count === 0) continue
      const { layout } = table
      for (let word = 0; word < layout.words; word += layout.groups[word])
        if (layout.kinds[word] === WordKind.stamp) this.seeWord(table, word)
    }
  }

  /** The same for the stamps at one word of a table's rows. True when there was a larger one. */
  seeWord({ layout, words, count }: TableDelta, word: number): boolean {
    let isLarger = false
    for (let slot = 0; slot < count; slot++) {
      const at = 2 * (slot * layout.words + word)
      if (!isLess(this.low, this.high, words[at], words[at + 1])) continue
      this.low = words[at]
      this.high = words[at + 1]
      isLarger = true
    }
    return isLarger
  }
}

function isLess(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  return aHigh === bHigh ? aLow >>> 0 < bLow >>> 0 : aHigh >>> 0 < bHigh >>> 0
}

function stampMs(low: number, high: number): number {
  return (high >>> 0) * 2 ** 16 + (low >>> 16)
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function unzigzag(code: number): number {
  return code % 2 === 1 ? -(code + 1) / 2 : code / 2
}

/** Appends the stamp (low, high); `before` becomes it. */
export function encodeStamp(writer: Writer, low: number, high: number, before: StampMark): void {
  const count = low & countMax
  // Near ones stay in 32-bit arithmetic, which makes no object of the number.
  const near = (low >>> 16) - (before.low >>> 16)
  if (high === before.high && near === 0) {
    const moved = count - (before.low & countMax)
    writer.varint(((moved << 1) ^ (moved >> 31)) << 1)
  } else {
    const hasCount = count > 0 ? 1 : 0
    if (high === before.high) writer.varint(1 + ((2 * (((near << 1) ^ (near >> 31)) - 1) + hasCount) << 1))
    else {
      const distance = ((high >>> 0) - (before.high >>> 0)) * 2 ** 16 + near
      writer.varint(1 + 2 * (2 * (zigzag(distance) - 1) + hasCount))
    }
    if (count > 0) writer.varint(count - 1)
  }
  before.low = low
  before.high = high
}

/** A stamp that is near the one before, in the arithmetic of 32 bits: fractions are slow. */
function decodeNear(reader: Reader, code: number, before: StampMark, start: number): void {
  const rest = code >>> 1
  if ((code & 1) === 0) {
    const count = (before.low & countMax) + ((rest >>> 1) ^ -(rest & 1))
    if (count < 0 || count > countMax) reader.fail('range', 'a stamp count outside 16 bits', start)
    before.low = (before.low & ~countMax) | count
    return
  }
  const moved = (rest >>> 1) + 1
  // Milliseconds of the low half, which may carry into the high one or borrow from it.
  const low = (before.low >>> 16) + ((moved >>> 1) ^ -(moved & 1))
  const high = (before.high >>> 0) + (low >> 16)
  if (high < 0 || high >= 2 ** 32) reader.fail('range', 'a stamp outside 48 bits of milliseconds', start)
  const count = (rest & 1) === 1 ? 1 + reader.varint(countMax - 1, 'stamp count') : 0
  before.low = (low << 16) | count
  before.high = high | 0
}

/** Leaves the stamp in `reader.low` and `reader.high`; `before` becomes it. */
export function decodeStamp(reader: Reader, before: StampMark): void {
  const start = reader.position
  const code = reader.varint(4 * (2 * stampMsMax + 1) + 3, 'stamp')
  if (code < 2 ** 31) {
    decodeNear(reader, code, before, start)
  } else if (code % 2 === 0) {
    const count = (before.low & countMax) + unzigzag(code / 2)
    if (count < 0 || count > countMax) reader.fail('range', 'a stamp count outside 16 bits', start)
    before.low = (before.low & ~countMax) | count
  } else {
    const rest = (code - 1) / 2
    const moved = Math.floor(rest / 2) + 1
    // Written out: a function that is not inlined would return an object.
    const ms =
      (before.high >>> 0) * 2 ** 16 + (before.low >>> 16) + (moved % 2 === 1 ? -(moved + 1) / 2 : moved / 2)
    if (ms < 0 || ms > stampMsMax) reader.fail('range', 'a stamp outside 48 bits of milliseconds', start)
    const count = rest % 2 === 1 ? 1 + reader.varint(countMax - 1, 'stamp count') : 0
    before.low = ((ms % 2 ** 16) << 16) | count
    before.high = Math.floor(ms / 2 ** 16) | 0
  }
  if ((before.low | before.high) === 0) reader.fail('malformed', 'a stamp of zero', start)
  reader.low = before.low
  reader.high = before.high
}

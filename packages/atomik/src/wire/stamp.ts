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
const countMax = 0xffff

/** What a stamp is coded against: milliseconds since 1970, and a count. */
export interface Stamp {
  readonly ms: number
  readonly count: number
}

/** A stamp that moves: the one before, or the largest seen. */
export class StampMark implements Stamp {
  ms: number
  count: number

  constructor(ms = 0, count = 0) {
    this.ms = ms
    this.count = count
  }

  set(to: Stamp): void {
    this.ms = to.ms
    this.count = to.count
  }

  /** Becomes the larger of two stamps. */
  setLarger(a: Stamp, b: Stamp): void {
    this.set(a.ms > b.ms || (a.ms === b.ms && a.count > b.count) ? a : b)
  }

  /** Becomes the largest stamp of the delta, when that is larger than itself. */
  see(delta: Delta): void {
    for (const table of delta.tables) {
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
      const ms = stampMs(words[at], words[at + 1])
      if (ms < this.ms || (ms === this.ms && (words[at] & countMax) <= this.count)) continue
      this.ms = ms
      this.count = words[at] & countMax
      isLarger = true
    }
    return isLarger
  }
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
  const ms = stampMs(low, high)
  const count = low & countMax
  if (ms === before.ms) {
    writer.varint(2 * zigzag(count - before.count))
  } else {
    writer.varint(1 + 2 * (2 * (zigzag(ms - before.ms) - 1) + (count > 0 ? 1 : 0)))
    if (count > 0) writer.varint(count - 1)
    before.ms = ms
  }
  before.count = count
}

/** Leaves the stamp in `reader.low` and `reader.high`; `before` becomes it. */
export function decodeStamp(reader: Reader, before: StampMark): void {
  const start = reader.position
  const code = reader.varint(4 * (2 * stampMsMax + 1) + 3, 'stamp')
  let count: number
  if (code % 2 === 0) {
    count = before.count + unzigzag(code / 2)
    if (count < 0 || count > countMax) reader.fail('range', 'a stamp count outside 16 bits', start)
  } else {
    const rest = (code - 1) / 2
    const ms = before.ms + unzigzag(Math.floor(rest / 2) + 1)
    if (ms < 0 || ms > stampMsMax) reader.fail('range', 'a stamp outside 48 bits of milliseconds', start)
    count = rest % 2 === 1 ? 1 + reader.varint(countMax - 1, 'stamp count') : 0
    before.ms = ms
  }
  before.count = count
  if (before.ms === 0 && count === 0) reader.fail('malformed', 'a stamp of zero', start)
  reader.low = ((before.ms % 2 ** 16) << 16) | count
  reader.high = Math.floor(before.ms / 2 ** 16) | 0
}

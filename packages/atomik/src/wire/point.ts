/**
 * Reads a point where it lies: one group of one known row, what most messages are (delta.ts draws it). It judges nothing: what it does not
 * take, for whatever reason, is for the decoder, which says why or reads it. So all it takes the decoder takes too, and to the
 * same words (point.test.ts); and nothing is made for it, neither delta nor number.
 */
import { fitsBits, type RowLayout, WordKind } from '../algebra/index.ts'
import { limits } from '../limits.ts'
import { nearPlaces, pairPlace } from './delta.ts'
import { spanEnds, spanStarts } from './reader.ts'
import { isFull } from './shape.ts'
import { countMax, type StampMark } from './stamp.ts'
import { spanKinds, spanWordsMax } from './writer.ts'

/** Words in a group: a longer register is for the decoder. */
export const pointWordsMax = 16
/** Bytes in a varint that 32-bit arithmetic holds. */
const varintBytesMax = 4
const pairMax = pairPlace(0, limits.tablesMax + limits.rowWordsMax)

export class PointReader {
  /** Where it is: a table, the agreed number of a row, and the first word of a group. */
  table = 0
  number = 0
  word = 0
  /** The group, in halves: the first `halves` of `words`. */
  halves = 0
  readonly words = new Int32Array(2 * pointWordsMax)
  #bytes: Uint8Array = nothing
  #at = 0
  #end = 0

  /** A varint, or −1 for one that is too long, too short or none. */
  #varint(): number {
    const bytes = this.#bytes
    const start = this.#at
    let value = 0
    for (let i = 0; i < varintBytesMax; i++) {
      if (start + i >= this.#end) return -1
      const byte = bytes[start + i]
      value |= (byte & 0x7f) << (7 * i)
      if (byte >= 0x80) continue
      if (byte === 0 && i > 0) return -1
      this.#at = start + i + 1
      return value
    }
    return -1
  }

  /**
   * True when the bytes from `start` to `end` − 1 are a point of these layouts, and nothing else.
   * @param base what its stamp is coded against; it stays as it is
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    layouts: readonly RowLayout[],
    base: StampMark,
  ): boolean {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    const code = this.#varint() - 1
    if (code < 0) return false
    const near = (code >> 1) & nearPlaces
    let table = 0
    let word = near + 1
    if (near === nearPlaces) {
      const pair = this.#varint()
      if (pair < 0 || pair > pairMax) return false
      const sum = Math.floor((Math.sqrt(8 * pair + 1) - 1) / 2)
      word = pair - (sum * (sum + 1)) / 2
      table = sum - word
      if (table === 0 && word > 0 && word <= nearPlaces) return false
    }
    if (table >= layouts.length) return false
    const { words, kinds, groups, bits } = layouts[table]
    if (word >= words) return false
    const kind = kinds[word]
    const group = groups[word]
    if (kind === WordKind.value || group > pointWordsMax) return false
    const to = this.words
    let half = 0
    if (kind === WordKind.stamp) {
      if (!this.#stamp(base)) return false
      half = 2
    }
    const full = (code & 1) === 1
    const halves = 2 * group
    if (!(full ? this.#fullWords(half, halves) : this.#spans(half, halves)) || this.#at !== end) return false
    for (; half < halves; half += 2) {
      const w = word + (half >> 1)
      if (kinds[w] !== WordKind.value && (to[half] | to[half + 1]) === 0) return false
      if (kinds[w] === WordKind.add) {
        const sign = -(to[half] & 1)
        to[half] = ((to[half] >>> 1) | (to[half + 1] << 31)) ^ sign
        to[half + 1] = (to[half + 1] >>> 1) ^ sign
      }
      if (bits[w] < 64 && !fitsBits(to[half], to[half + 1], bits[w])) return false
    }
    this.table = table
    this.number = code >> 3
    this.word = word
    this.halves = halves
    return true
  }

  #stamp(base: StampMark): boolean {
    const code = this.#varint()
    if (code < 0) return false
    const rest = code >>> 1
    let { low, high } = base
    if ((code & 1) === 0) {
      const count = (low & countMax) + ((rest >>> 1) ^ -(rest & 1))
      if (count < 0 || count > countMax) return false
      low = (low & ~countMax) | count
    } else {
      const moved = (rest >>> 1) + 1
      const ms = (low >>> 16) + ((moved >>> 1) ^ -(moved & 1))
      const carry = ms >> 16
      // At the ends of time the decoder knows what is right.
      if (carry !== 0 && ((high >>> 0) + carry < 0 || (high >>> 0) + carry >= 2 ** 32)) return false
      high = (high + carry) | 0
      let count = 0
      if ((rest & 1) === 1) {
        const more = this.#varint()
        if (more < 0 || more >= countMax) return false
        count = 1 + more
      }
      low = (ms << 16) | count
    }
    if ((low | high) === 0) return false
    this.words[0] = low
    this.words[1] = high
    return true
  }

  /** Words of 8 bytes each. */
  #fullWords(from: number, to: number): boolean {
    const { words } = this
    const bytes = this.#bytes
    let at = this.#at
    if (at + 4 * (to - from) > this.#end) return false
    for (let half = from; half < to; half++, at += 4)
      words[half] = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    for (let half = from; half < to; half += 2) if (!isFull(words[half], words[half + 1])) return false
    this.#at = at
    return true
  }

  /** Words by their spans; not all of them full. */
  #spans(from: number, to: number): boolean {
    const { words } = this
    const bytes = this.#bytes
    const limit = this.#end
    let at = this.#at
    let span = -1
    let left = 0
    let isMost = false
    let allFull = true
    for (let half = from; half < to; half += 2) {
      if (left === 0) {
        if (at === limit) return false
        const control = bytes[at++]
        if (control >= spanKinds * spanWordsMax) return false
        const next = control % spanKinds
        if (next === span && !isMost) return false
        span = next
        left = 1 + (control - span) / spanKinds
        isMost = left === spanWordsMax
      }
      left--
      let low = 0
      let high = 0
      if (span > 0) {
        const start = spanStarts[span]
        const end = spanEnds[span]
        const first = at
        if (first + end - start > limit) return false
        for (let i = start; i < end && i < 4; i++) low |= bytes[at++] << (8 * i)
        for (let i = start < 4 ? 4 : start; i < end; i++) high |= bytes[at++] << (8 * i - 32)
        if (bytes[first] === 0 || bytes[at - 1] === 0) return false
      }
      if (!isFull(low, high)) allFull = false
      words[half] = low
      words[half + 1] = high
    }
    this.#at = at
    return left === 0 && !allFull
  }
}

const nothing = new Uint8Array(0)

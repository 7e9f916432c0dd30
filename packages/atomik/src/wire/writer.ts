/**
 * Appends to a buffer that grows and is reused. The integers of the format:
 *
 *   varint   7 bits a byte, least significant first, high bit = more follow; shortest form only; below 2^53
 *   u64      8 bytes little endian
 *   spans    a list of words, each by its bytes from the lowest to the highest that is not zero. A control byte says which
 *            span the next 1 to 6 words have: span + 37 × (words − 1); span is 0 for the word 0, else 1 + end (end − 1) / 2 +
 *            start, for bytes start to end − 1. Words of one span stand under as few control bytes as will do
 */
import { assert } from '../errors.ts'
import { encodeUtf8 } from './utf8.ts'

/** Spans of a word: none, or from any of its eight bytes to the same or a later one. */
export const spanKinds = 37
/** Words under one control byte. */
export const spanWordsMax = 6

/** Number of the span of bytes `start` to `end` − 1; 0 when `end` is 0. */
export function spanIndex(start: number, end: number): number {
  return end === 0 ? 0 : 1 + (end * (end - 1)) / 2 + start
}

function lowestBit(value: number): number {
  return 31 - Math.clz32(value & -value)
}

/** Up to here bytes are copied one by one. */
const shortBytes = 64
/** Views kept are of fewer bytes than this. */
const keptViews = 128

function emptyViews(): (Uint8Array | undefined)[] {
  return Array.from({ length: keptViews }, () => undefined)
}

export class Writer {
  #bytes = new Uint8Array(256)
  /** Views of the first bytes by their number, made when first asked for: the same memory needs no second one. */
  #views = emptyViews()
  /** Bytes written so far. */
  length = 0
  /** Where the control byte of the span written last stands; −1 before the first of a list. */
  #spanControl = -1

  /** Forgets what was written; keeps the memory. */
  reset(): void {
    this.length = 0
  }

  /** The memory written to, its first `length` bytes in use: another after the next write that needs more. */
  get memory(): Uint8Array {
    return this.#bytes
  }

  /** What was written from `start` on, borrowed: it holds until the next reset, or a write that needs more memory. */
  view(start = 0): Uint8Array {
    if (start > 0 || this.length >= keptViews) return this.#bytes.subarray(start, this.length)
    const kept = this.#views[this.length]
    if (kept !== undefined) return kept
    const view = this.#bytes.subarray(0, this.length)
    this.#views[this.length] = view
    return view
  }

  /** A copy of what was written, from `start` on. */
  finish(start = 0): Uint8Array {
    return this.#bytes.slice(start, this.length)
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + count))
    bytes.set(this.#bytes)
    this.#bytes = bytes
    this.#views = emptyViews()
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = value
  }

  varint(value: number): void {
    this.#reserve(8)
    const small = value | 0
    if (small === value && small >= 0) {
      this.#smallVarint(small)
      return
    }
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is 0 to 2^53 − 1')
    let rest = value
    for (; rest >= 2 ** 31; rest = Math.floor(rest / 0x80)) this.#bytes[this.length++] = (rest % 0x80) | 0x80
    this.#smallVarint(rest)
  }

  /** In the arithmetic of 32 bits. */
  #smallVarint(value: number): void {
    const bytes = this.#bytes
    let at = this.length
    let rest = value
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = rest | 0x80
    bytes[at++] = rest
    this.length = at
  }

  u32(value: number): void {
    this.#reserve(4)
    const bytes = this.#bytes
    bytes[this.length++] = value
    bytes[this.length++] = value >>> 8
    bytes[this.length++] = value >>> 16
    bytes[this.length++] = value >>> 24
  }

  u64(low: number, high: number): void {
    this.u32(low)
    this.u32(high)
  }

  /** Begins a list of words: the first brings a control byte of its own. */
  beginSpans(): void {
    this.#spanControl = -1
  }

  /** Appends a word to the list begun last. */
  span(low: number, high: number): void {
    this.#reserve(9)
    const bytes = this.#bytes
    let start = 0
    let end = 0
    if ((low | high) !== 0) {
      start = low !== 0 ? lowestBit(low) >> 3 : 4 + (lowestBit(high) >> 3)
      end = high !== 0 ? 8 - (Math.clz32(high) >> 3) : 4 - (Math.clz32(low) >> 3)
    }
    const span = spanIndex(start, end)
    const control = this.#spanControl
    if (
      control >= 0 &&
      bytes[control] < spanKinds * (spanWordsMax - 1) &&
      bytes[control] % spanKinds === span
    )
      bytes[control] += spanKinds
    else {
      this.#spanControl = this.length
      bytes[this.length++] = span
    }
    let at = this.length
    for (let i = start; i < end && i < 4; i++) bytes[at++] = low >>> (8 * i)
    for (let i = Math.max(start, 4); i < end; i++) bytes[at++] = high >>> (8 * i - 32)
    this.length = at
  }

  bytes(value: Uint8Array): void {
    this.copy(value, 0, value.length)
  }

  /** The bytes from `start` to `end` − 1. */
  copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start)
    const bytes = this.#bytes
    let at = this.length
    if (end - start > shortBytes) {
      bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), at)
      at += end - start
    } else {
      // A call for a few bytes costs more than they do.
      for (let i = start; i < end; i++) bytes[at++] = from[i]
    }
    this.length = at
  }

  /** Short text of ASCII, which is its own UTF-8; false, and nothing written, for any other. */
  #ascii(value: string): boolean {
    const { length } = value
    if (length > shortBytes) return false
    this.#reserve(1 + length)
    const bytes = this.#bytes
    const start = this.length
    bytes[start] = length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code >= 0x80) return false
      bytes[start + 1 + i] = code
    }
    this.length = start + 1 + length
    return true
  }

  /** A varint of the byte length, then UTF-8. */
  text(value: string): void {
    if (this.#ascii(value)) return
    const bytes = encodeUtf8(value)
    this.varint(bytes.length)
    this.bytes(bytes)
  }
}

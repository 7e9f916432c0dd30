/**
 * Reads what `Writer` writes, and nothing else: every method checks the end of input and its limit first, refuses forms
 * the writer would not have chosen, and throws `AtomikError` with the offset. It never allocates on the word of the input.
 */
import { AtomikError, assert, type ErrorCode } from '../errors.ts'
import { decodeUtf8 } from './utf8.ts'
import { spanIndex, spanKinds, spanWordsMax } from './writer.ts'

/** First byte, and the one after the last, by number of the span. */
export const spanStarts = new Uint8Array(spanKinds)
export const spanEnds = new Uint8Array(spanKinds)
for (let end = 1; end <= 8; end++)
  for (let start = 0; start < end; start++) {
    spanStarts[spanIndex(start, end)] = start
    spanEnds[spanIndex(start, end)] = end
  }

/** Error codes that travel, by number. Their order is part of the format. */
// biome-ignore format: one list, in wire order
export const errorCodes: readonly ErrorCode[] = [
  'malformed', 'truncated', 'oversized', 'range', 'width', 'version', 'schema', 'unauthorized', 'readonly',
  'unknown-space', 'stamp', 'fork', 'closed', 'storage', 'owner',
]

/** The number of an error, from 0. */
export function errorNumber(code: ErrorCode): number {
  const number = errorCodes.indexOf(code)
  assert(number >= 0, `the code ${code} has a number`)
  return number
}

export class Reader {
  #bytes: Uint8Array
  #end: number
  /** Offset of the next byte. */
  position = 0
  /** Halves of the word or u64 read last. */
  low = 0
  high = 0
  /** Span of the words under the last control byte, how many are still to come, and whether it stood for as many as can be. */
  #span = -1
  #spanWords = 0
  #spanFull = false

  /** Borrows `bytes`: they must not change while reading. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#end = bytes.length
  }

  /** Begins anew on other bytes, from `start` to `end`; offsets count from the beginning of `bytes`. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#bytes = bytes
    this.position = start
    this.#end = end
  }

  get done(): boolean {
    return this.position === this.#end
  }

  get remaining(): number {
    return this.#end - this.position
  }

  fail(code: ErrorCode, what: string, offset = this.position): never {
    throw new AtomikError(code, what, { offset })
  }

  #need(count: number): void {
    if (this.position + count > this.#end)
      this.fail('truncated', `expected ${count} more bytes, found ${this.#end - this.position}`)
  }

  u8(): number {
    this.#need(1)
    return this.#bytes[this.position++]
  }

  /** A varint of at most `max`; `what` names it in the error. */
  varint(max: number, what: string): number {
    const start = this.position
    // Most are short: up to four bytes stay in 32-bit arithmetic, which makes no object of the number.
    const bytes = this.#bytes
    const end = Math.min(this.#end, start + 4)
    let short = 0
    for (let at = start, shift = 0; at < end; at++, shift += 7) {
      const byte = bytes[at]
      short |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if ((byte === 0 && at > start) || short > max) break
      this.position = at + 1
      return short
    }
    return this.#longVarint(max, what)
  }

  /** Any varint, and why one is refused. */
  #longVarint(max: number, what: string): number {
    const start = this.position
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      this.#need(1)
      const byte = this.#bytes[this.position++]
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && i > 0)
          this.fail('malformed', `${what}: a varint in more bytes than it needs`, start)
        if (value > max) this.fail('oversized', `${what}: expected at most ${max}, got ${value}`, start)
        return value
      }
      scale *= 0x80
    }
    return this.fail('malformed', `${what}: a varint of more than 8 bytes`, start)
  }

  u32(): number {
    this.#need(4)
    const b = this.#bytes
    const p = this.position
    this.position += 4
    return b[p] | (b[p + 1] << 8) | (b[p + 2] << 16) | (b[p + 3] << 24)
  }

  /** Leaves the value in `low` and `high`. */
  u64(): void {
    this.#need(8)
    this.low = this.u32()
    this.high = this.u32()
  }

  /** Begins a list of words. */
  beginSpans(): void {
    this.#span = -1
    this.#spanWords = 0
  }

  /** The next word of the list, left in `low` and `high`. Its first and its last byte must not be zero. */
  span(): void {
    if (this.#spanWords === 0) {
      const control = this.u8()
      const span = control % spanKinds
      if (control >= spanKinds * spanWordsMax)
        this.fail('malformed', `a control byte of ${control}`, this.position - 1)
      if (span === this.#span && this.#spanFull === false)
        this.fail('malformed', 'words of one span under two control bytes', this.position - 1)
      this.#span = span
      this.#spanWords = 1 + (control - span) / spanKinds
      this.#spanFull = this.#spanWords === spanWordsMax
    }
    this.#spanWords--
    this.low = 0
    this.high = 0
    if (this.#span === 0) return
    const end = spanEnds[this.#span]
    const start = spanStarts[this.#span]
    this.#need(end - start)
    const bytes = this.#bytes
    const first = this.position
    this.position = first + end - start
    if (bytes[first] === 0 || bytes[this.position - 1] === 0)
      this.fail('malformed', 'a word whose span begins or ends with a zero byte', first)
    let low = 0
    let high = 0
    let at = first
    for (let i = start; i < end && i < 4; i++) low |= bytes[at++] << (8 * i)
    for (let i = start < 4 ? 4 : start; i < end; i++) high |= bytes[at++] << (8 * i - 32)
    this.low = low
    this.high = high
  }

  /** Ends the list: the last control byte must not have promised more. */
  endSpans(): void {
    if (this.#spanWords > 0) this.fail('malformed', 'a control byte for more words than there are')
  }

  /** The bytes read since this position, borrowed from the input. */
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.position)
  }

  /** Passes over the next `count` bytes. */
  skip(count: number): void {
    this.#need(count)
    this.position += count
  }

  /** The number of an error. */
  errorCode(): ErrorCode {
    const code = errorCodes[this.u8()]
    if (code === undefined) this.fail('malformed', 'an unknown error code', this.position - 1)
    return code
  }

  /** The next `count` bytes, borrowed from the input. */
  bytes(count: number): Uint8Array {
    this.#need(count)
    const result = this.#bytes.subarray(this.position, this.position + count)
    this.position += count
    return result
  }

  /** Text of at most `bytesMax` UTF-8 bytes. */
  text(bytesMax: number, what: string): string {
    const start = this.position
    const text = decodeUtf8(this.bytes(this.varint(bytesMax, what)))
    if (text === undefined) this.fail('malformed', `${what}: not UTF-8`, start)
    return text
  }
}

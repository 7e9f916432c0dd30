/**
 * Reads what `Writer` writes, and nothing else: every method checks the end of input and its limit first, refuses forms
 * the writer would not have chosen, and throws `AtomikError` with the offset. It never allocates on the word of the input.
 */
import { AtomikError, type ErrorCode } from '../errors.ts'
import { decodeUtf8 } from './utf8.ts'

export class Reader {
  readonly #bytes: Uint8Array
  /** Offset of the next byte. */
  position = 0
  /** Halves of the word or u64 read last. */
  low = 0
  high = 0

  /** Borrows `bytes`: they must not change while reading. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.position === this.#bytes.length
  }

  get remaining(): number {
    return this.#bytes.length - this.position
  }

  fail(code: ErrorCode, what: string, offset = this.position): never {
    throw new AtomikError(code, what, { offset })
  }

  #need(count: number): void {
    if (this.position + count > this.#bytes.length)
      this.fail('truncated', `expected ${count} more bytes, found ${this.#bytes.length - this.position}`)
  }

  u8(): number {
    this.#need(1)
    return this.#bytes[this.position++]
  }

  /** A varint of at most `max`; `what` names it in the error. */
  varint(max: number, what: string): number {
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

  /** Leaves the word in `low` and `high`. A byte the tag announces must not be zero. */
  word(): void {
    const start = this.position
    const tag = this.u8()
    let low = 0
    let high = 0
    for (let i = 0; i < 8; i++) {
      if ((tag & (1 << i)) === 0) continue
      const byte = this.u8()
      if (byte === 0) this.fail('malformed', 'a zero byte where the tag promises another', start)
      if (i < 4) low |= byte << (8 * i)
      else high |= byte << (8 * (i - 4))
    }
    this.low = low
    this.high = high
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

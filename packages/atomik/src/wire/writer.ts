/**
 * Appends to a buffer that grows and is reused. The integers of the format:
 *
 *   varint   7 bits a byte, least significant first, high bit = more follow; shortest form only; below 2^53
 *   word     1 tag byte, bit i set when byte i (little endian) is not zero, then those bytes
 *   u64      8 bytes little endian
 */
import { assert } from '../errors.ts'
import { encodeUtf8 } from './utf8.ts'

export class Writer {
  #bytes = new Uint8Array(256)
  /** Bytes written so far. */
  length = 0

  /** Forgets what was written; keeps the memory. */
  reset(): void {
    this.length = 0
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
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = value
  }

  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is 0 to 2^53 − 1')
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80
      rest = rest < 2 ** 31 ? rest >>> 7 : Math.floor(rest / 0x80)
    }
    this.#bytes[this.length++] = rest
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

  word(low: number, high: number): void {
    this.#reserve(9)
    const bytes = this.#bytes
    const tagAt = this.length++
    let tag = 0
    let rest = low >>> 0
    for (let bit = 1; rest !== 0; bit <<= 1, rest >>>= 8)
      if ((rest & 255) !== 0) {
        tag |= bit
        bytes[this.length++] = rest & 255
      }
    rest = high >>> 0
    for (let bit = 16; rest !== 0; bit <<= 1, rest >>>= 8)
      if ((rest & 255) !== 0) {
        tag |= bit
        bytes[this.length++] = rest & 255
      }
    bytes[tagAt] = tag
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.length)
    this.length += value.length
  }

  /** A varint of the byte length, then UTF-8. */
  text(value: string): void {
    const bytes = encodeUtf8(value)
    this.varint(bytes.length)
    this.bytes(bytes)
  }
}

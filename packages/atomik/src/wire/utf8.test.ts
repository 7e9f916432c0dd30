/** Goal: our UTF-8 is the platform's, strict. Method: beside TextEncoder and TextDecoder, on every code point and random bytes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, decodeUtf8, encodeUtf8 } from './utf8.ts'

const encoder = new TextEncoder()
const strict = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

describe('UTF-8', () => {
  it('encodes and decodes every code point as the platform does', () => {
    for (let from = 0; from < 0x11_0000; from += 0x800) {
      if (from === 0xd800) continue
      const text = String.fromCodePoint(...Array.from({ length: 0x800 }, (_, i) => from + i))
      const bytes = encodeUtf8(text)
      expect(compareBytes(bytes, encoder.encode(text))).toBe(0)
      expect(decodeUtf8(bytes)).toBe(text)
    }
  })

  it('writes U+FFFD for an unpaired surrogate, as the platform does', () => {
    for (const text of ['\ud800', 'a\udfffb', '\udc00\ud800', '\ud83d', '\ud83d\ud83d\ude00'])
      expect([...encodeUtf8(text)]).toEqual([...encoder.encode(text)])
  })

  it('encodes any string as the platform does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(compareBytes(encodeUtf8(text), encoder.encode(text))).toBe(0)
      }),
      { numRuns: 2000, seed: 1 },
    )
  })

  it('takes exactly the bytes that a strict decoder takes', () => {
    const differing: string[] = []
    const compare = (...bytes: number[]) => {
      if (decodeUtf8(Uint8Array.from(bytes)) !== strict(Uint8Array.from(bytes))) differing.push(bytes.join())
    }
    for (let a = 0; a < 256; a++) {
      compare(a)
      for (let b = 0; b < 256; b++) {
        compare(a, b)
        if (a < 0xe0 || a > 0xf5) continue
        for (const c of [0x7f, 0x80, 0xbf, 0xc0]) {
          compare(a, b, c)
          if (a >= 0xf0) compare(a, b, c, 0x80)
        }
      }
    }
    expect(differing).toEqual([])
  })

  it('takes exactly the random bytes that a strict decoder takes', () => {
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4),
    )
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), bytes => {
        expect(decodeUtf8(Uint8Array.from(bytes))).toBe(strict(Uint8Array.from(bytes)))
      }),
      { numRuns: 5000, seed: 2 },
    )
  })

  it('orders by bytes, which is by code point and not by UTF-16 unit', () => {
    const order = (a: string, b: string) => Math.sign(compareBytes(encodeUtf8(a), encodeUtf8(b)))
    expect(order('\uffff', '\u{10000}')).toBe(-1)
    expect('\uffff' < '\u{10000}').toBe(false)
    expect(order('a', 'ab')).toBe(-1)
    expect(order('b', 'ab')).toBe(1)
    expect(order('é', 'é')).toBe(0)
  })
})

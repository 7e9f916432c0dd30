/**
 * One 64-bit mixing function under fingerprints, row hashes and labels, on 32-bit halves so that no bigint is made.
 *
 * For a fixed address it is a bijection of the value (four Feistel rounds, each invertible), so two different words at
 * one address never mix to the same 64 bits. It resists accidents, not adversaries: it has no key.
 * spec/semantics.md gives it as a formula; spec/vectors/digest.json gives values.
 */
export class Mixer {
  /** Results of the last call, as signed 32-bit halves. */
  low = 0
  high = 0

  /** Mixes the value (low, high) at the address (addressLow, addressHigh) into `this.low` and `this.high`. */
  mix(addressLow: number, addressHigh: number, low: number, high: number): void {
    let x = low | 0
    let y = high | 0
    let f = Math.imul(y ^ addressLow, 0x85eb_ca6b)
    x = (x + (f ^ (f >>> 15))) | 0
    f = Math.imul(x ^ addressHigh, 0xc2b2_ae35)
    y ^= f ^ (f >>> 13)
    f = Math.imul(y + addressHigh, 0x27d4_eb2f)
    x = (x + (f ^ (f >>> 16))) | 0
    f = Math.imul(x + addressLow, 0x1656_67b1)
    y ^= f ^ (f >>> 14)
    this.low = x
    this.high = y
  }

  /** Hashes bytes (a row key in UTF-8) under a seed (its table). Two multiplicative streams, joined by `mix`. */
  hash(seed: number, bytes: Uint8Array): void {
    this.hashPart(seed, bytes, 0, bytes.length)
  }

  /** The same of the bytes from `start` to `end` − 1. */
  hashPart(seed: number, bytes: Uint8Array, start: number, end: number): void {
    let a = (0x811c_9dc5 ^ seed) | 0
    let b = (0x9e37_79b9 + seed) | 0
    for (let i = start; i < end; i++) {
      a = Math.imul(a ^ bytes[i], 0x0100_0193)
      b = Math.imul(b ^ bytes[i] ^ (b >>> 15), 0x85eb_ca6b)
    }
    this.mix(end - start, seed, a, b)
  }
}

/** Sixteen lower-case hexadecimal digits of two halves, most significant first. */
export function formatHalves(low: number, high: number): string {
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
}

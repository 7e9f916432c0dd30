/**
 * An incremental digest of addressed words: the sum modulo 2^64 of `mix(address, word)` over all non-zero words.
 *
 * Addition keeps it order-free and O(1) a change; the address inside the mix makes swapped words and equal flips in two
 * words visible, where a bare XOR of words sees neither. Agreement of two honest replicas, not proof against a forger.
 */
import { formatHalves, Mixer } from './mix.ts'

/**
 * @example
 * ```ts
 * import { Fingerprint } from 'atomik'
 * const print = new Fingerprint()
 * print.replace(0, 0, 0, 0, 5, 0) // at address 0: the word 0 becomes 5
 * print.replace(1, 0, 0, 0, 6, 0)
 * const before = print.digest(2) // of two words
 * print.replace(0, 0, 5, 0, 6, 0)
 * print.replace(1, 0, 6, 0, 5, 0)
 * console.assert(print.digest(2) !== before) // the words changed places
 * ```
 */
export class Fingerprint {
  #mixer = new Mixer()
  /** The running sum, as signed 32-bit halves. */
  low = 0
  high = 0

  /** The word at (addressLow, addressHigh) was (oldLow, oldHigh) and is now (newLow, newHigh). */
  replace(
    addressLow: number,
    addressHigh: number,
    oldLow: number,
    oldHigh: number,
    newLow: number,
    newHigh: number,
  ): void {
    const mixer = this.#mixer
    if ((oldLow | oldHigh) !== 0) {
      mixer.mix(addressLow, addressHigh, oldLow, oldHigh)
      const low = this.low - mixer.low
      const borrow = this.low >>> 0 < mixer.low >>> 0 ? 1 : 0
      this.high = (this.high - mixer.high - borrow) | 0
      this.low = low | 0
    }
    if ((newLow | newHigh) !== 0) {
      mixer.mix(addressLow, addressHigh, newLow, newHigh)
      const low = (this.low + mixer.low) | 0
      const carry = low >>> 0 < mixer.low >>> 0 ? 1 : 0
      this.high = (this.high + mixer.high + carry) | 0
      this.low = low
    }
  }

  /**
   * Becomes the sum over words of one row: those in the halves from `start` to `end` − 1, at addresses that begin at (addressLow, addressHigh)
   * and go on by `step` in the low half. The same as `replace` by each of them; written out, since one group is what most changes are.
   */
  sum(
    addressLow: number,
    addressHigh: number,
    step: number,
    words: Int32Array,
    start: number,
    end: number,
  ): void {
    let sumLow = 0
    let sumHigh = 0
    let address = addressLow | 0
    for (let i = start; i < end; i += 2, address = (address + step) | 0) {
      let x = words[i]
      let y = words[i + 1]
      if ((x | y) === 0) continue
      let f = Math.imul(y ^ address, 0x85eb_ca6b)
      x = (x + (f ^ (f >>> 15))) | 0
      f = Math.imul(x ^ addressHigh, 0xc2b2_ae35)
      y ^= f ^ (f >>> 13)
      f = Math.imul(y + addressHigh, 0x27d4_eb2f)
      x = (x + (f ^ (f >>> 16))) | 0
      f = Math.imul(x + address, 0x1656_67b1)
      y ^= f ^ (f >>> 14)
      sumLow = (sumLow + x) | 0
      sumHigh = (sumHigh + y + (sumLow >>> 0 < x >>> 0 ? 1 : 0)) | 0
    }
    this.low = sumLow
    this.high = sumHigh
  }

  /** Puts one sum in the place of another. */
  move(oldLow: number, oldHigh: number, newLow: number, newHigh: number): void {
    let low = (this.low - oldLow) | 0
    let high = (this.high - oldHigh - (this.low >>> 0 < oldLow >>> 0 ? 1 : 0)) | 0
    low = (low + newLow) | 0
    high = (high + newHigh + (low >>> 0 < newLow >>> 0 ? 1 : 0)) | 0
    this.low = low
    this.high = high
  }

  clear(): void {
    this.low = 0
    this.high = 0
  }

  /** The digest of a state of `words` words as 16 hexadecimal digits; the count makes padding visible. */
  digest(words: number): string {
    this.#mixer.mix(words, 0x61_74_6f_6d, this.low, this.high)
    return formatHalves(this.#mixer.low, this.#mixer.high)
  }
}

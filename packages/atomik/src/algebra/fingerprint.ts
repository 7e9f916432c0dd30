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

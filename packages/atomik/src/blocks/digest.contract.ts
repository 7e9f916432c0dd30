/** Goal: the digest is the sum of T^e(i) · wordᵢ (spec/semantics.md) at every size. Method: the powers by squaring, on bigints. */
import { describe, expect, it } from 'vitest'
import type { Kernels } from './kernels.ts'
import { dataAt, jumpsAt, randomWords, resultAt, scratchAt } from './testbed.contract.ts'

const m64 = 2n ** 64n

export function digestContract(kernels: Kernels, buffer: ArrayBufferLike): void {
  const words = new BigUint64Array(buffer)
  describe('digest', () => {
    const bit = (i: number) => 1n << BigInt(i)
    /** T, as spec/semantics.md gives it. */
    const step = (x: bigint) => {
      x ^= (x << 13n) % m64
      x ^= x >> 7n
      return x ^ ((x << 17n) % m64)
    }
    const times = (columns: readonly bigint[], x: bigint) =>
      columns.reduce((sum, column, i) => ((x & bit(i)) === 0n ? sum : sum ^ column), 0n)
    const squares: bigint[][] = [Array.from({ length: 64 }, (_, i) => step(bit(i)))]
    for (let i = 1; i < 64; i++) squares.push(squares[i - 1].map(column => times(squares[i - 1], column)))
    /** T^e x. */
    const power = (exponent: bigint, x: bigint) => {
      let result = x
      for (let i = 0; i < 64; i++) if ((exponent & bit(i)) !== 0n) result = times(squares[i], result)
      return result
    }
    const plain = (index: number, word: bigint) =>
      power(BigInt(index >>> 4) + (BigInt(index & 15) << 40n), word)

    const digestOf = (at: number, size: number) => {
      kernels.digest(at, size, resultAt, jumpsAt)
      return words[resultAt / 8]
    }
    const digestWord = (index: number, word: bigint) => {
      words[resultAt / 8] = 0n
      kernels.digestWord(index, Number(word & 0xffff_ffffn), Number(word >> 32n), resultAt, jumpsAt)
      return words[resultAt / 8]
    }

    it('gives each word to its own power of the matrix', () => {
      kernels.buildJumps(jumpsAt, scratchAt)
      const random = randomWords(9)
      for (const index of [0, 1, 2, 15, 16, 17, 31, 32, 255, 4096, 65_535, 1_000_003, 2 ** 29 - 1]) {
        const word = random()
        expect(digestWord(index, word)).toBe(plain(index, word))
      }
    })

    it('is the sum of its words, at every size and alignment', () => {
      for (let size = 0; size < 100; size++)
        for (const at of [dataAt / 8 + (size % 8), dataAt / 8 + ((size + 5) % 8)]) {
          const random = randomWords(size + at)
          let sum = 0n
          for (let i = -3; i < size + 3; i++) {
            words[at + i] = random()
            if (i >= 0 && i < size) sum ^= plain(i, words[at + i])
          }
          expect([size, digestOf(8 * at, size)]).toEqual([size, sum])
        }
    })

    it('is the sum of its words over several pages, wherever it begins', () => {
      for (const size of [496, 511, 512, 528, 1024, 1041, 4100])
        for (const at of [0, 1, 8, 15, 16, 20, 511].map(word => dataAt / 8 + word)) {
          const random = randomWords(size + at)
          for (let i = -20; i < size + 20; i++) words[at + i] = random()
          let sum = 0n
          for (let i = 0; i < size; i++) sum ^= digestWord(i, words[at + i])
          expect([size, at, digestOf(8 * at, size)]).toEqual([size, at, sum])
        }
    })

    it('is linear: digest(a ⊕ b) = digest(a) ⊕ digest(b)', () => {
      const random = randomWords(3)
      const [a, b, c] = [dataAt / 8, dataAt / 8 + 2000, dataAt / 8 + 4000]
      for (let i = 0; i < 1000; i++) {
        words[a + i] = random()
        words[b + i] = random()
        words[c + i] = words[a + i] ^ words[b + i]
      }
      for (const size of [1, 15, 16, 17, 500, 1000])
        expect(digestOf(8 * c, size)).toBe(digestOf(8 * a, size) ^ digestOf(8 * b, size))
    })

    it('sees words that changed places and equal flips in two words, of any two places', () => {
      const random = randomWords(4)
      for (let round = 0; round < 300; round++) {
        const i = Number(random() % 4096n)
        const j = Number(random() % 2n ** 29n)
        if (i === j) continue
        const flip = round % 2 === 0 ? bit(round % 64) : random()
        expect(digestWord(i, flip)).not.toBe(digestWord(j, flip))
      }
    })
  })
}

/**
 * Goal: every implementation of the kernels leaves the same bytes as loops over bigints, at every size and alignment, and touches nothing
 * else. Method: the whole memory is compared after each call, not the result alone; sizes run from 0 across every unrolled loop, places
 * over all eight words of a cache line.
 */
import { describe, expect, it } from 'vitest'
import { digestContract } from './digest.contract.ts'
import type { Kernels } from './kernels.ts'
import { sparseContract } from './sparse.contract.ts'
import { dataAt, memoryBytes, randomWords, resultAt, same } from './testbed.contract.ts'

const m64 = 2n ** 64n

/** All sizes over the longest unrolled loop and its rest; then pages, parts of an encoding, and what takes the fold's streams. */
const sizes = [
  ...Array.from({ length: 70 }, (_, i) => i),
  127,
  128,
  129,
  511,
  512,
  513,
  1535,
  1536,
  1537,
  2047,
  4097,
]
const places = [0, 1, 2, 3, 4, 5, 6, 7]
/** Of the ranges that kernels go over side by side (kernels/fold.ts). */
const rangeWords = 521 * 8

export function kernelsContract(
  name: string,
  over: (buffer: number) => { kernels: Kernels; buffer: ArrayBufferLike },
): void {
  const { kernels, buffer } = over(memoryBytes)
  const words = new BigUint64Array(buffer)
  const bytes = new Uint8Array(buffer)

  /** Runs `kernel` on random blocks at all sizes and places, and compares all of the memory with what `plain` makes of a copy. */
  function everywhere(
    operands: number,
    kernel: (at: readonly number[], size: number) => unknown,
    plain: (copy: BigUint64Array, at: readonly number[], size: number) => unknown,
    sizesHere: readonly number[] = sizes,
  ): void {
    for (const size of sizesHere)
      for (const place of places) {
        const random = randomWords(size * 8 + place)
        // Every operand at another alignment; a word of room between them that must stay as it is.
        const at = Array.from(
          { length: operands },
          (_, i) => dataAt / 8 + i * (size + 17) + ((place * (i + 1)) % 8),
        )
        const end = dataAt / 8 + operands * (size + 17) + 8
        for (let i = dataAt / 8 - 8; i < end; i++) words[i] = random()
        const copy = words.slice(0, end)
        const result = kernel(
          at.map(word => 8 * word),
          size,
        )
        expect([size, place, result]).toEqual([size, place, plain(copy, at, size)])
        const low = dataAt / 8 - 8
        const kept = same(words.subarray(low, end), copy.subarray(low))
        expect([size, place, kept]).toEqual([size, place, true])
      }
  }

  const each = (size: number, step: (i: number) => void) => {
    for (let i = 0; i < size; i++) step(i)
  }

  describe(name, () => {
    it('folds', () => {
      const plainFold = (copy: BigUint64Array, [a]: readonly number[], size: number) =>
        copy.subarray(a, a + size).reduce((sum, word) => sum ^ word, 0n)
      const fold = ([a]: readonly number[], size: number) => {
        kernels.fold(a, size, resultAt)
        return words[resultAt / 8]
      }
      everywhere(1, fold, plainFold)
      // 2 MiB and more: eight ranges of 521 lines at a time, and a rest of many lengths, and of none.
      const random = randomWords(5)
      for (let i = dataAt / 8; i < words.length; i++) words[i] = random()
      const eight = 8 * rangeWords
      for (const size of [262_143, 262_144, 262_145, 262_151, 8 * eight - 1, 8 * eight, 8 * eight + 9]) {
        const at = dataAt / 8 + (size & 7)
        expect(fold([8 * at], size)).toBe(plainFold(words, [at], size))
      }
    })

    it('xors into', () => {
      everywhere(
        2,
        ([to, from], size) => kernels.xorInto(to, from, size),
        (copy, [to, from], size) =>
          each(size, i => {
            copy[to + i] ^= copy[from + i]
          }),
        // Above that, two ranges of 1,042 lines at a time, and a rest.
        [...sizes, 4 * rangeWords - 1, 4 * rangeWords, 4 * rangeWords + 17, 8 * rangeWords + 1],
      )
    })

    it('xors four into one', () => {
      everywhere(
        5,
        ([to, a, b, c, d], size) => kernels.xorInto4(to, a, b, c, d, size),
        (copy, [to, ...from], size) =>
          each(size, i => {
            for (const one of from) copy[to + i] ^= copy[one + i]
          }),
      )
    })

    it('xors out, also onto an operand', () => {
      everywhere(
        3,
        ([to, a, b], size) => kernels.xorOut(to, a, b, size),
        (copy, [to, a, b], size) =>
          each(size, i => {
            copy[to + i] = copy[a + i] ^ copy[b + i]
          }),
      )
      everywhere(
        2,
        ([a, b], size) => kernels.xorOut(a, a, b, size),
        (copy, [a, b], size) =>
          each(size, i => {
            copy[a + i] ^= copy[b + i]
          }),
      )
    })

    it('adds, carrying from the low half', () => {
      everywhere(
        2,
        ([to, from], size) => kernels.addInto(to, from, size),
        (copy, [to, from], size) =>
          each(size, i => {
            copy[to + i] += copy[from + i] // modulo 2^64 by the array
          }),
      )
      for (const [a, b] of [
        [0xffff_ffffn, 1n],
        [m64 - 1n, 1n],
        [m64 - 1n, m64 - 1n],
        [0x8000_0000n, 0x8000_0000n],
      ]) {
        words[dataAt / 8] = a
        words[dataAt / 8 + 1] = b
        kernels.addInto(dataAt, dataAt + 8, 1)
        expect(words[dataAt / 8]).toBe((a + b) % m64)
      }
    })

    it('compares, and sees a single bit in any word', () => {
      for (const size of sizes) {
        const random = randomWords(size)
        const [a, b] = [dataAt / 8, dataAt / 8 + size + 3]
        each(size, i => {
          words[a + i] = random()
          words[b + i] = words[a + i]
        })
        expect([size, kernels.equal(8 * a, 8 * b, size)]).toEqual([size, 1])
        const step = Math.max(1, Math.floor(size / 40))
        for (let i = 0; i < size; i += step) {
          words[b + i] ^= 1n << BigInt((i * 7) % 64)
          expect([size, i, kernels.equal(8 * a, 8 * b, size)]).toEqual([size, i, 0])
          words[b + i] = words[a + i]
        }
      }
    })

    it('counts bits', () => {
      const ones = (word: bigint) => word.toString(2).replaceAll('0', '').length
      everywhere(
        1,
        ([a], size) => kernels.popcount(a, size),
        (copy, [a], size) => copy.subarray(a, a + size).reduce((sum, word) => sum + ones(word), 0),
        sizes.filter(size => size < 600),
      )
      words.fill(m64 - 1n, dataAt / 8, dataAt / 8 + 300_000)
      expect(kernels.popcount(dataAt, 300_000)).toBe(64 * 300_000)
    })

    it('swaps', () => {
      everywhere(
        2,
        ([reference, accumulator], size) => kernels.swap(reference, accumulator, size),
        (copy, [reference, accumulator], size) =>
          each(size, i => {
            copy[reference + i] ^= copy[accumulator + i]
            copy[accumulator + i] = 0n
          }),
      )
    })

    it.each([1, 511, 512, 513, 4096, 4097, 9000])('swaps what is marked, of %i words, and no more', size => {
      const pages = Math.ceil(size / 512)
      const marksAt = dataAt - 512
      for (let seed = 0; seed < 20; seed++) {
        const random = randomWords(seed)
        const [reference, accumulator] = [dataAt / 8, dataAt / 8 + size + 5]
        each(size + 40, i => {
          words[reference + i] = random()
          words[accumulator + i] = random()
        })
        bytes.fill(0, marksAt, dataAt)
        const marked = Array.from(
          { length: pages },
          () => [0, 0, 0xff, Number(random() & 255n)][Number(random() % 4n)],
        )
        marked.forEach((mark, page) => {
          bytes[marksAt + page] = mark
        })
        const copy = words.slice(0, accumulator + size + 40)
        const swapped = kernels.swapPages(8 * reference, 8 * accumulator, size, marksAt)
        expect(swapped).toBe(marked.filter(mark => mark !== 0).length)
        each(size, i => {
          if (((marked[i >>> 9] >>> ((i >>> 6) & 7)) & 1) === 0) return
          copy[reference + i] ^= copy[accumulator + i]
          copy[accumulator + i] = 0n
        })
        copy.fill(0n, marksAt / 8, dataAt / 8)
        expect(same(words.subarray(0, copy.length), copy)).toBe(true)
      }
    })

    describe.each(['scatter', 'scatterPartitioned'] as const)('%s', kind => {
      const size = 3000
      const to = dataAt / 8
      const deltas = to + size + 8
      const indexes = 8 * (deltas + 1000)
      const marksAt = dataAt - 512
      const scatter = (count: number, marks: number) =>
        kind === 'scatter'
          ? kernels.scatter(dataAt, size, indexes, 8 * deltas, count, marks)
          : kernels.scatterPartitioned(dataAt, size, indexes, 8 * deltas, count, marks, 2 * 1024 * 1024, 8)
      const fill = (seed: number, count: number) => {
        const random = randomWords(seed)
        each(size + 8 + count, i => {
          words[to + i] = random()
        })
        const places = new Uint32Array(buffer, indexes, count)
        each(count, i => {
          // The first and last words, and some of them again and again.
          const draw = Number(random() % 100n)
          places[i] = draw < 10 ? 0 : draw < 20 ? size - 1 : Number(random() % BigInt(size))
        })
        bytes.fill(0, marksAt, dataAt)
        return places
      }

      it.each([0, 1, 3, 4, 5, 100, 999])('folds %i deltas in by index and marks their places', count => {
        const places = fill(count, count)
        const copy = words.slice(0, deltas)
        each(count, i => {
          copy[to + places[i]] ^= words[deltas + i]
        })
        expect(scatter(count, marksAt)).toBe(count)
        expect(same(words.subarray(to, deltas), copy.subarray(to))).toBe(true)
        const marks = new Uint8Array(6)
        for (const place of places) marks[place >>> 9] |= 1 << ((place >>> 6) & 7)
        expect(bytes.slice(marksAt, marksAt + 6)).toEqual(marks)
      })

      it.each([0, 1, 2, 3, 5, 47, 99])('changes nothing when index %i is bad', bad => {
        for (const index of [size, size + 1, 2 ** 31, 2 ** 32 - 1]) {
          const places = fill(bad, 100)
          places[bad] = index
          const copy = words.slice(to, deltas)
          expect(scatter(100, marksAt)).toBe(bad)
          expect(same(words.subarray(to, deltas), copy)).toBe(true)
          expect(bytes.subarray(marksAt, dataAt).every(byte => byte === 0)).toBe(true)
        }
      })
    })

    sparseContract(kernels, buffer)
    digestContract(kernels, buffer)
  })
}

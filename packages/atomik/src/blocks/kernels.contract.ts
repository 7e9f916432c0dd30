/**
 * Goal: every implementation of the kernels leaves the same bytes as loops over bigints, at every size and alignment, and touches nothing
 * else. Method: the whole memory is compared after each call, not the result alone; sizes run from 0 across every unrolled loop, places
 * over all eight words of a cache line.
 */
import { describe, expect, it } from 'vitest'
import { encodedBytesMax, encodeScratchBytes, jumpsBytes, type Kernels } from './kernels.ts'

const memoryBytes = 8 * 1024 * 1024
const resultAt = 0
const jumpsAt = 4096
const scratchAt = jumpsAt + jumpsBytes
const dataAt = 256 * 1024
const m64 = 2n ** 64n

/** All sizes over the longest unrolled loop and its rest; then pages, parts of an encoding, and what takes the fold's streams. */
const sizes = [...Array.from({ length: 70 }, (_, i) => i), 127, 128, 129, 511, 512, 513, 4097]
const places = [0, 1, 2, 3, 4, 5, 6, 7]

/** A small generator: kernels' inputs need to be odd, not unpredictable. */
export function randomWords(seed: number): () => bigint {
  let state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n
  return () => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % m64
    return state ^ (state >> 29n)
  }
}

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
        const same = Buffer.compare(
          new Uint8Array(buffer, 8 * low, 8 * (end - low)),
          new Uint8Array(copy.buffer, 8 * low, 8 * (end - low)),
        )
        expect([size, place, same]).toEqual([size, place, 0])
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
      // 2 MiB and more: eight streams, and a rest of every length below one line each.
      const random = randomWords(5)
      for (let i = dataAt / 8; i < words.length; i++) words[i] = random()
      for (const extra of [-1, 0, 1, 7, 8, 9, 63, 64, 65, 511]) {
        const [size, at] = [262_144 + extra, dataAt / 8 + (extra & 7)]
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

    it.each([1, 511, 512, 513, 4096, 4097, 9000])(
      'swaps the pages with marks, of %i words, and no others',
      size => {
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
          const marked = Array.from({ length: pages }, () => random() % 3n === 0n)
          marked.forEach((mark, page) => {
            if (mark) bytes[marksAt + page] = 1
          })
          const copy = words.slice(0, accumulator + size + 40)
          const swapped = kernels.swapPages(8 * reference, 8 * accumulator, size, marksAt)
          expect(swapped).toBe(marked.filter(mark => mark).length)
          each(size, i => {
            if (!marked[i >>> 9]) return
            copy[reference + i] ^= copy[accumulator + i]
            copy[accumulator + i] = 0n
          })
          copy.fill(0n, marksAt / 8, dataAt / 8)
          expect(
            Buffer.compare(new Uint8Array(buffer, 0, copy.byteLength), new Uint8Array(copy.buffer)),
          ).toBe(0)
        }
      },
    )

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

      it.each([0, 1, 3, 4, 5, 100, 999])('folds %i deltas in by index and marks their pages', count => {
        const places = fill(count, count)
        const copy = words.slice(0, deltas)
        each(count, i => {
          copy[to + places[i]] ^= words[deltas + i]
        })
        expect(scatter(count, marksAt)).toBe(count)
        expect(words.slice(to, deltas)).toEqual(copy.slice(to, deltas))
        const touched = new Set(places.map(place => place >>> 9))
        each(6, page => expect([page, bytes[marksAt + page]]).toEqual([page, touched.has(page) ? 1 : 0]))
      })

      it.each([0, 1, 2, 3, 5, 47, 99])('changes nothing when index %i is bad', bad => {
        for (const index of [size, size + 1, 2 ** 31, 2 ** 32 - 1]) {
          const places = fill(bad, 100)
          places[bad] = index
          const copy = words.slice(to, deltas)
          expect(scatter(100, marksAt)).toBe(bad)
          expect(words.slice(to, deltas)).toEqual(copy)
          expect(bytes.subarray(marksAt, dataAt).every(byte => byte === 0)).toBe(true)
        }
      })
    })

    describe('sparse', () => {
      const encodingAt = 4 * 1024 * 1024
      const encode = (at: number, size: number, capacity = encodedBytesMax(size)) =>
        kernels.encode(at, size, encodingAt, capacity, scratchAt)

      /** Random words at random places of a block at `dataAt`. */
      function fill(size: number, changed: number, width: number, seed: number): void {
        const random = randomWords(seed)
        words.fill(0n, dataAt / 8, dataAt / 8 + size)
        for (let i = 0; i < changed; i++) {
          const word = random() % 2n ** BigInt(8 * width)
          words[dataAt / 8 + Number(random() % BigInt(size))] = word === 0n ? 1n : word
        }
      }

      /** The encoding as its drawing says, one bit after the other. */
      function plainEncode(block: BigUint64Array): Uint8Array {
        const out: number[] = []
        const varint = (value: number) => {
          for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128)
          out.push(value)
        }
        varint(block.length)
        for (let from = 0; from < block.length; from += 65_536) {
          const part = block.subarray(from, from + 65_536)
          const changed = [...part.keys()].filter(i => part[i] !== 0n)
          varint(changed.length)
          if (changed.length === 0) continue
          const bytesOf = (word: bigint) => Math.ceil(word.toString(16).length / 2)
          const width = changed.reduce((most, i) => Math.max(most, bytesOf(part[i])), 1)
          let k = 0
          while (2 ** (k + 1) <= Math.floor((part.length - changed.length) / changed.length)) k++
          out.push(k | ((width - 1) << 5))
          for (const i of changed)
            for (let byte = 0; byte < width; byte++) out.push(Number((part[i] >> BigInt(8 * byte)) & 255n))
          let bits = ''
          let next = 0
          for (const i of changed) {
            const zeros = i - next
            next = i + 1
            bits += `${'0'.repeat(Math.floor(zeros / 2 ** k))}1`
            for (let bit = 0; bit < k; bit++) bits += (zeros >> bit) & 1
          }
          for (let at = 0; at < bits.length; at += 8)
            out.push([...bits.slice(at, at + 8)].reduce((sum, bit, place) => sum + (Number(bit) << place), 0))
        }
        return Uint8Array.from(out)
      }

      const scenes = [1, 2, 3, 4, 15, 16, 17, 31, 100, 1000, 65_535, 65_536, 65_537, 140_000].flatMap(size =>
        [0, 1, 2, 0.001, 0.01, 0.1, 0.5, 3]
          .map(share => (share === 1 || share === 2 ? share : Math.ceil(size * share)))
          .filter((changed, i, all) => changed <= 3 * size && all.indexOf(changed) === i)
          .map(changed => [size, changed] as const),
      )

      it.each(scenes)(
        'encodes %i words of which about %i have changed as drawn, and applies them',
        (size, changed) => {
          for (const width of size > 60_000 ? [3, 8] : [1, 2, 3, 4, 5, 6, 7, 8]) {
            fill(size, changed, width, size + changed + width)
            const block = words.slice(dataAt / 8, dataAt / 8 + size)
            const encoded = encode(dataAt, size)
            const plain = plainEncode(block)
            expect(encoded).toBe(plain.length)
            expect(Buffer.compare(bytes.subarray(encodingAt, encodingAt + encoded), plain)).toBe(0)
            expect(words.slice(dataAt / 8, dataAt / 8 + size)).toEqual(block)
            // Applied to itself it leaves zeros; applied again, the block.
            expect(kernels.apply(dataAt, size, encodingAt, encoded)).toBe(-1)
            expect(words.subarray(dataAt / 8, dataAt / 8 + size).every(word => word === 0n)).toBe(true)
            expect(kernels.apply(dataAt, size, encodingAt, encoded)).toBe(-1)
            expect(
              Buffer.compare(new Uint8Array(buffer, dataAt, 8 * size), new Uint8Array(block.buffer)),
            ).toBe(0)
          }
        },
      )

      it('encodes from and to every alignment', () => {
        for (const place of places) {
          fill(200, 40, 8, place)
          const plain = plainEncode(words.slice(dataAt / 8 + place, dataAt / 8 + 150))
          const at = encodingAt + place
          const encoded = kernels.encode(dataAt + 8 * place, 150 - place, at, 4096, scratchAt)
          expect(bytes.slice(at, at + encoded)).toEqual(plain)
          const before = words.slice(dataAt / 8, dataAt / 8 + 200)
          kernels.apply(dataAt + 8 * place, 150 - place, at, encoded)
          expect(words.subarray(dataAt / 8 + place, dataAt / 8 + 150).every(word => word === 0n)).toBe(true)
          expect(words.slice(dataAt / 8 + 150, dataAt / 8 + 200)).toEqual(before.slice(150))
        }
      })

      it('never writes past its capacity, and fits in what encodedBytesMax says', () => {
        for (const [size, changed] of [
          [0, 0],
          [1, 1],
          [100, 10],
          [100, 300],
          [66_000, 200_000],
        ]) {
          fill(Math.max(1, size), changed, 8, size)
          const whole = encode(dataAt, size)
          expect(whole).toBeGreaterThan(0)
          for (let capacity = 0; capacity < whole + 20; capacity += size > 1000 ? 9973 : 1) {
            bytes.fill(0xaa, encodingAt, encodingAt + whole + 64)
            const got = encode(dataAt, size, capacity)
            expect(got === -1 || got === whole).toBe(true)
            if (capacity < whole) expect(got).toBe(-1)
            expect(
              bytes.subarray(encodingAt + capacity, encodingAt + whole + 64).every(byte => byte === 0xaa),
            ).toBe(true)
          }
        }
      })

      it('refuses every truncation, names its end, and changes nothing', () => {
        fill(300, 25, 8, 1)
        const encoded = encode(dataAt, 300)
        const before = words.slice(dataAt / 8 - 8, dataAt / 8 + 308)
        for (let length = 0; length < encoded; length++) {
          expect([length, kernels.apply(dataAt, 300, encodingAt, length)]).toEqual([length, length])
          expect(words.slice(dataAt / 8 - 8, dataAt / 8 + 308)).toEqual(before)
        }
        expect(kernels.apply(dataAt, 300, encodingAt, encoded + 1)).toBe(encoded)
        expect(kernels.apply(dataAt, 299, encodingAt, encoded)).toBe(0)
        expect(words.slice(dataAt / 8 - 8, dataAt / 8 + 308)).toEqual(before)
      })

      it('takes a mutated encoding only when it is the encoding of another block, and writes nowhere else', () => {
        let taken = 0
        for (const [size, changed] of [
          [40, 4],
          [300, 25],
          [1000, 3],
          [64, 64],
          [65_600, 9],
        ]) {
          fill(size, changed, 3, size)
          const encoded = encode(dataAt, size)
          const original = bytes.slice(encodingAt, encodingAt + encoded)
          const random = randomWords(size)
          for (let round = 0; round < 600; round++) {
            words.fill(0n, dataAt / 8 - 8, dataAt / 8 + size + 8)
            bytes.set(original, encodingAt)
            const bit = Number(random() % BigInt(8 * encoded))
            bytes[encodingAt + (bit >> 3)] ^= 1 << (bit & 7)
            if (round % 3 === 0)
              bytes[encodingAt + Number(random() % BigInt(encoded))] = Number(random() & 255n)
            const mutant = bytes.slice(encodingAt, encodingAt + encoded)
            const wrong = kernels.apply(dataAt, size, encodingAt, encoded)
            const block = words.slice(dataAt / 8, dataAt / 8 + size)
            if (wrong === -1) {
              taken++
              expect(plainEncode(block)).toEqual(mutant)
            } else {
              expect(wrong).toBeGreaterThanOrEqual(0)
              expect(wrong).toBeLessThanOrEqual(encoded)
              expect(block.every(word => word === 0n)).toBe(true)
            }
            expect(words[dataAt / 8 - 1] | words[dataAt / 8 + size]).toBe(0n)
          }
        }
        expect(taken).toBeGreaterThan(0)
      })
    })

    describe('digest', () => {
      const bit = (i: number) => 1n << BigInt(i)
      /** T as S-numbers of spec/semantics.md give it. */
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
        everywhere(
          1,
          ([a], size) => digestOf(a, size),
          (copy, [a], size) => {
            let sum = 0n
            for (let i = 0; i < size; i++) sum ^= plain(i, copy[a + i])
            return sum
          },
          sizes.filter(size => size < 140 || size === 513),
        )
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
  })
}

/** For tests of what holds between implementations. */
export const contractLayout = { resultAt, jumpsAt, scratchAt, dataAt, memoryBytes, encodeScratchBytes }

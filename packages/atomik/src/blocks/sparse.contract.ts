/**
 * Goal: the sparse encoding is, bit for bit, what kernels/sparse.ts draws; it comes back; hostile bytes are refused and change nothing.
 * Method: an encoder that writes strings of bits; all truncations; mutants, which may pass only as the encoding of what they gave.
 */
import { describe, expect, it } from 'vitest'
import { encodedBytesMax, type Kernels } from './kernels.ts'
import { dataAt, randomWords, same, scratchAt } from './testbed.contract.ts'

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

/** Large blocks take the bit-by-bit encoder a while; each implementation is held to the same ones. */
const encodings = new Map<string, Uint8Array>()

const isZero = (block: BigUint64Array) => same(block, new BigUint64Array(block.length))

export function sparseContract(kernels: Kernels, buffer: ArrayBufferLike): void {
  const words = new BigUint64Array(buffer)
  const bytes = new Uint8Array(buffer)
  const places = [0, 1, 2, 3, 4, 5, 6, 7]
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

    const scenes = [1, 2, 3, 4, 15, 16, 17, 31, 100, 1000, 65_537, 140_000].flatMap(size =>
      (size > 1000 ? [1, 0.01, 3] : [0, 1, 2, 0.01, 0.1, 0.5, 3])
        .map(share => (share === 1 || share === 2 ? share : Math.ceil(size * share)))
        .filter((changed, i, all) => changed <= 3 * size && all.indexOf(changed) === i)
        .map(changed => [size, changed] as const),
    )

    it.each(scenes)(
      'encodes %i words of which about %i have changed as drawn, and applies them',
      (size, changed) => {
        for (const width of size > 1000 ? [changed % 2 === 0 ? 8 : 3] : [1, 2, 3, 4, 5, 6, 7, 8]) {
          fill(size, changed, width, size + changed + width)
          const block = words.slice(dataAt / 8, dataAt / 8 + size)
          const encoded = encode(dataAt, size)
          const scene = [size, changed, width].join()
          const plain = encodings.get(scene) ?? plainEncode(block)
          encodings.set(scene, plain)
          expect(encoded).toBe(plain.length)
          expect(same(bytes.subarray(encodingAt, encodingAt + encoded), plain)).toBe(true)
          expect(same(words.subarray(dataAt / 8, dataAt / 8 + size), block)).toBe(true)
          // Applied to itself it leaves zeros; applied again, the block.
          expect(kernels.apply(dataAt, size, encodingAt, encoded)).toBe(-1)
          expect(isZero(words.subarray(dataAt / 8, dataAt / 8 + size))).toBe(true)
          expect(kernels.apply(dataAt, size, encodingAt, encoded)).toBe(-1)
          expect(same(words.subarray(dataAt / 8, dataAt / 8 + size), block)).toBe(true)
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
        for (let capacity = 0; capacity < whole + 20; capacity += size > 1000 ? 49_999 : 1) {
          bytes.fill(0xaa, encodingAt, encodingAt + whole + 64)
          const got = encode(dataAt, size, capacity)
          expect(got === -1 || got === whole).toBe(true)
          if (capacity < whole) expect(got).toBe(-1)
          const beyond = bytes.subarray(encodingAt + capacity, encodingAt + whole + 64)
          expect(same(beyond, new Uint8Array(beyond.length).fill(0xaa))).toBe(true)
        }
      }
    })

    it('refuses every truncation, names its end, and changes nothing', () => {
      fill(300, 25, 8, 1)
      const encoded = encode(dataAt, 300)
      const before = words.slice(dataAt / 8 - 8, dataAt / 8 + 308)
      for (let length = 0; length < encoded; length++) {
        expect([length, kernels.apply(dataAt, 300, encodingAt, length)]).toEqual([length, length])
        expect(same(words.subarray(dataAt / 8 - 8, dataAt / 8 + 308), before)).toBe(true)
      }
      expect(kernels.apply(dataAt, 300, encodingAt, encoded + 1)).toBe(encoded)
      expect(kernels.apply(dataAt, 299, encodingAt, encoded)).toBe(0)
      expect(same(words.subarray(dataAt / 8 - 8, dataAt / 8 + 308), before)).toBe(true)
    })

    it('takes a mutated encoding only when it is the encoding of another block, and writes nowhere else', () => {
      let taken = 0
      for (const [size, changed] of [
        [40, 4],
        [300, 25],
        [1000, 3],
        [64, 64],
        [65_600, 9], // two parts
      ]) {
        fill(size, changed, 3, size)
        const encoded = encode(dataAt, size)
        const original = bytes.slice(encodingAt, encodingAt + encoded)
        const random = randomWords(size)
        for (let round = 0; round < (size > 1000 ? 20 : 300); round++) {
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
            expect(isZero(block)).toBe(true)
          }
          expect(words[dataAt / 8 - 1] | words[dataAt / 8 + size]).toBe(0n)
        }
      }
      expect(taken).toBeGreaterThan(0)
    })
  })
}

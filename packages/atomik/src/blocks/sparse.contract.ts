/**
 * Goal: the sparse encoding is, bit for bit, what kernels/sparse.ts and sparse-bytes.ts draw; it comes back; hostile bytes are refused
 * and change nothing. Method: an encoder that writes strings of bits; all truncations; mutants, which may pass only as the encoding
 * of what they gave.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { formatSparse } from '../../../../spec/vectors/generate-sparse.ts'
import { encodedBytesMax, type Kernels } from './kernels.ts'
import { dataAt, randomWords, same, scratchAt } from './testbed.contract.ts'

/** What a scene was encoded as, so that no form goes untested. */
const formsSeen = new Set<'words' | 'bytes'>()

/** `x` less than 2^20 as the byte form draws it. */
function expGolomb(x: number, k: number): string {
  const q = (Math.floor(x / 2 ** k) + 1).toString(2)
  const low = k === 0 ? '' : (x % 2 ** k).toString(2).padStart(k, '0')
  return `${'0'.repeat(q.length - 1)}1${[...q.slice(1)].reverse().join('')}${[...low].reverse().join('')}`
}

/** The encoding as its drawing says, one bit after the other. */
function plainEncode(block: BigUint64Array): Uint8Array {
  const out: number[] = []
  const varint = (value: number) => {
    for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128)
    out.push(value)
  }
  const pack = (bits: string) => {
    for (let at = 0; at < bits.length; at += 8)
      out.push([...bits.slice(at, at + 8)].reduce((sum, bit, place) => sum + (Number(bit) << place), 0))
  }
  /** The byte form of a part, as runs found in its bytes. */
  const byteForm = (part: BigUint64Array) => {
    const bytes = [...new Uint8Array(part.slice().buffer)]
    const lengths: [number, number][] = []
    let zeros = 0
    bytes.forEach((byte, i) => {
      if (byte === 0) zeros++
      else if (i > 0 && bytes[i - 1] !== 0) lengths[lengths.length - 1][1]++
      else {
        lengths.push([lengths.length === 0 ? zeros : zeros - 1, 0])
        zeros = 0
      }
      if (byte !== 0) zeros = 0
    })
    const ks = [0, 2, 3, 5]
    const [z, n] = [0, 1].map(which => {
      const sizes = ks.map(k => lengths.reduce((sum, pair) => sum + expGolomb(pair[which], k).length, 0))
      return sizes.indexOf(Math.min(...sizes))
    })
    const literals = bytes.filter(byte => byte !== 0)
    out.push(16 + z + 4 * n)
    varint(lengths.length)
    varint(literals.length)
    for (const byte of literals) out.push(byte)
    pack(lengths.map(([a, b]) => expGolomb(a, ks[z]) + expGolomb(b, ks[n])).join(''))
  }
  varint(block.length)
  for (let from = 0; from < block.length; from += 65_536) {
    const part = block.subarray(from, from + 65_536)
    const changed = [...part.keys()].filter(i => part[i] !== 0n)
    varint(changed.length)
    if (changed.length === 0) continue
    const bytesOf = (word: bigint) => Math.ceil(word.toString(16).length / 2)
    const width = changed.reduce((most, i) => Math.max(most, bytesOf(part[i])), 1)
    const wordBytes = changed.map(i =>
      Array.from({ length: width }, (_, b) => (part[i] >> BigInt(8 * b)) & 255n),
    )
    const zeroBytes = wordBytes.flat().filter(byte => byte === 0n).length
    const pieces = wordBytes.flatMap(word =>
      word.filter((byte, b) => byte !== 0n && (b === 0 || word[b - 1] === 0n)),
    )
    if (4 * zeroBytes > 3 * pieces.length) {
      formsSeen.add('bytes')
      byteForm(part)
      continue
    }
    formsSeen.add('words')
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
    pack(bits)
  }
  return Uint8Array.from(out)
}

/** Large blocks take the bit-by-bit encoder a while; each implementation is held to the same ones. */
const encodings = new Map<string, Uint8Array>()

const vectorsText = readFileSync(new URL('../../../../spec/vectors/sparse.json', import.meta.url), 'utf8')
const vectors = JSON.parse(vectorsText) as {
  readonly blocks: readonly {
    readonly name: string
    readonly words: number
    readonly changed: readonly { readonly index: number; readonly word: string }[]
    readonly bytes: string
  }[]
}
if (vectorsText !== formatSparse())
  throw new Error('spec/vectors/sparse.json is not what tools/vectors.ts writes')

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
          expect(kernels.apply(dataAt, size, encodingAt, encoded, scratchAt)).toBe(-1)
          expect(isZero(words.subarray(dataAt / 8, dataAt / 8 + size))).toBe(true)
          expect(kernels.apply(dataAt, size, encodingAt, encoded, scratchAt)).toBe(-1)
          expect(same(words.subarray(dataAt / 8, dataAt / 8 + size), block)).toBe(true)
        }
      },
    )

    /** Bytes in runs, as text and small numbers leave them: of zeros up to `zerosMax`, of others up to `othersMax`. */
    function fillRuns(size: number, zerosMax: number, othersMax: number, seed: number): void {
      const random = randomWords(seed)
      const below = (n: number) => Number(random() % BigInt(n))
      words.fill(0n, dataAt / 8, dataAt / 8 + size)
      const end = dataAt + 8 * size
      for (let at = dataAt + below(zerosMax + 1); at < end; at += 1 + below(zerosMax))
        for (let left = 1 + below(othersMax); left > 0 && at < end; left--) bytes[at++] = 1 + below(255)
    }

    const runScenes = [1, 2, 3, 7, 8, 9, 17, 100, 1000, 65_537, 140_000].flatMap(size =>
      [
        [1, 1],
        [3, 2],
        [7, 7],
        [30, 9],
        [2, 40],
        [5000, 3],
        [100, 30],
      ]
        .filter((_, i) => size <= 1000 || i % 3 === 2)
        .map(([zerosMax, othersMax]) => [size, zerosMax, othersMax] as const),
    )

    it.each(runScenes)(
      'encodes %i words with runs of up to %i zero bytes and %i others as drawn, and applies them',
      (size, zerosMax, othersMax) => {
        fillRuns(size, zerosMax, othersMax, size + 7 * zerosMax + othersMax)
        const block = words.slice(dataAt / 8, dataAt / 8 + size)
        const scene = ['runs', size, zerosMax, othersMax].join()
        const plain = encodings.get(scene) ?? plainEncode(block)
        encodings.set(scene, plain)
        const encoded = encode(dataAt, size)
        expect(encoded).toBe(plain.length)
        expect(same(bytes.subarray(encodingAt, encodingAt + encoded), plain)).toBe(true)
        // Words beside the block keep what they have.
        words[dataAt / 8 - 1] = words[dataAt / 8 + size] = 0x0123_4567_89ab_cdefn
        expect(kernels.apply(dataAt, size, encodingAt, encoded, scratchAt)).toBe(-1)
        expect(isZero(words.subarray(dataAt / 8, dataAt / 8 + size))).toBe(true)
        expect(kernels.apply(dataAt, size, encodingAt, encoded, scratchAt)).toBe(-1)
        expect(same(words.subarray(dataAt / 8, dataAt / 8 + size), block)).toBe(true)
        expect([words[dataAt / 8 - 1], words[dataAt / 8 + size]]).toEqual([
          0x0123_4567_89ab_cdefn,
          0x0123_4567_89ab_cdefn,
        ])
      },
    )

    it('gives the bytes of spec/vectors/sparse.json, and they give the blocks', () => {
      for (const vector of vectors.blocks) {
        words.fill(0n, dataAt / 8, dataAt / 8 + vector.words)
        for (const { index, word } of vector.changed) words[dataAt / 8 + index] = BigInt(word)
        const block = words.slice(dataAt / 8, dataAt / 8 + vector.words)
        const encoded = encode(dataAt, vector.words)
        const hex = Buffer.from(bytes.slice(encodingAt, encodingAt + encoded)).toString('hex')
        expect([vector.name, hex]).toEqual([vector.name, vector.bytes])
        expect(Buffer.from(plainEncode(block)).toString('hex')).toBe(vector.bytes)
        expect(kernels.apply(dataAt, vector.words, encodingAt, encoded, scratchAt)).toBe(-1)
        expect(isZero(words.subarray(dataAt / 8, dataAt / 8 + vector.words))).toBe(true)
      }
    })

    it('has met both forms', () => {
      expect([...formsSeen].sort()).toEqual(['bytes', 'words'])
    })

    it('encodes from and to every alignment', () => {
      for (const place of [...places, ...places.map(place => place + 8)]) {
        if (place < 8) fill(200, 40, 8, place)
        else fillRuns(200, 20, 5, place)
        const plain = plainEncode(words.slice(dataAt / 8 + place, dataAt / 8 + 150))
        const at = encodingAt + place
        const encoded = kernels.encode(dataAt + 8 * place, 150 - place, at, 4096, scratchAt)
        expect(bytes.slice(at, at + encoded)).toEqual(plain)
        const before = words.slice(dataAt / 8, dataAt / 8 + 200)
        kernels.apply(dataAt + 8 * place, 150 - place, at, encoded, scratchAt)
        expect(words.subarray(dataAt / 8 + place, dataAt / 8 + 150).every(word => word === 0n)).toBe(true)
        expect(words.slice(dataAt / 8 + 150, dataAt / 8 + 200)).toEqual(before.slice(150))
      }
    })

    it('never writes past its capacity, and fits in what encodedBytesMax says', () => {
      for (const [size, changed, zerosMax] of [
        [0, 0, 0],
        [1, 1, 0],
        [100, 10, 0],
        [100, 300, 0],
        [66_000, 200_000, 0],
        [1, 1, 3],
        [100, 2, 9],
        [100, 40, 1],
        [66_000, 1, 1],
      ]) {
        if (zerosMax === 0) fill(Math.max(1, size), changed, 8, size)
        else fillRuns(size, zerosMax, changed, size)
        const whole = encode(dataAt, size)
        expect(whole).toBeGreaterThan(0)
        expect(whole + 8).toBeLessThanOrEqual(encodedBytesMax(size))
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

    it.each(['words', 'bytes'])(
      'refuses every truncation of the form by %s, names its end, and changes nothing',
      form => {
        if (form === 'words') fill(300, 25, 8, 1)
        else fillRuns(300, 40, 9, 1)
        const encoded = encode(dataAt, 300)
        const before = words.slice(dataAt / 8 - 8, dataAt / 8 + 308)
        for (let length = 0; length < encoded; length++) {
          expect([length, kernels.apply(dataAt, 300, encodingAt, length, scratchAt)]).toEqual([
            length,
            length,
          ])
          expect(same(words.subarray(dataAt / 8 - 8, dataAt / 8 + 308), before)).toBe(true)
        }
        expect(kernels.apply(dataAt, 300, encodingAt, encoded + 1, scratchAt)).toBe(encoded)
        expect(kernels.apply(dataAt, 299, encodingAt, encoded, scratchAt)).toBe(0)
        expect(same(words.subarray(dataAt / 8 - 8, dataAt / 8 + 308), before)).toBe(true)
      },
    )

    it('takes a mutated encoding only when it is the encoding of another block, and writes nowhere else', () => {
      let taken = 0
      for (const [size, changed, zerosMax] of [
        [40, 4, 0],
        [300, 25, 0],
        [1000, 3, 0],
        [64, 64, 0],
        [65_600, 9, 0], // two parts
        [3, 2, 9],
        [40, 5, 9],
        [65, 30, 4],
        [300, 2, 400],
        [65_600, 3, 60_000],
      ]) {
        if (zerosMax === 0) fill(size, changed, 3, size)
        else fillRuns(size, zerosMax, changed, size)
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
          const wrong = kernels.apply(dataAt, size, encodingAt, encoded, scratchAt)
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

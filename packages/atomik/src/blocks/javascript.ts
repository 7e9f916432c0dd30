/**
 * The kernels in plain JavaScript, on signed 32-bit halves: the fallback where WebAssembly is missing, the fast way for a few words, and
 * the second opinion in the contract suite. Loops are unrolled by eight, which is what makes V8 keep sums in registers.
 */
import { javascriptDigest } from './javascript-digest.ts'
import { javascriptSparse } from './javascript-sparse.ts'
import { type Kernels, pageWords } from './kernels.ts'

export function javascriptKernels(buffer: ArrayBufferLike): Kernels {
  const halves = new Int32Array(buffer)
  const bytes = new Uint8Array(buffer)

  function fold(at: number, words: number, result: number): void {
    let low = 0
    let high = 0
    let i = at >>> 2
    const end = i + 2 * words
    for (const unrolledEnd = end - 7; i < unrolledEnd; i += 8) {
      low ^= halves[i] ^ halves[i + 2] ^ (halves[i + 4] ^ halves[i + 6])
      high ^= halves[i + 1] ^ halves[i + 3] ^ (halves[i + 5] ^ halves[i + 7])
    }
    for (; i < end; i += 2) {
      low ^= halves[i]
      high ^= halves[i + 1]
    }
    halves[result >>> 2] = low
    halves[(result >>> 2) + 1] = high
  }

  function xorInto(to: number, from: number, words: number): void {
    let i = to >>> 2
    let j = from >>> 2
    const end = i + 2 * words
    for (const unrolledEnd = end - 3; i < unrolledEnd; i += 4, j += 4) {
      halves[i] ^= halves[j]
      halves[i + 1] ^= halves[j + 1]
      halves[i + 2] ^= halves[j + 2]
      halves[i + 3] ^= halves[j + 3]
    }
    for (; i < end; i++, j++) halves[i] ^= halves[j]
  }

  function swap(reference: number, accumulator: number, words: number): void {
    xorInto(reference, accumulator, words)
    halves.fill(0, accumulator >>> 2, (accumulator >>> 2) + 2 * words)
  }

  function scatterUpTo(to: number, words: number, indexes: number, deltas: number, count: number): number {
    const base = to >>> 2
    for (let i = 0; i < count; i++) {
      const index = halves[(indexes >>> 2) + i] >>> 0
      if (index >= words) return i
      halves[base + 2 * index] ^= halves[(deltas >>> 2) + 2 * i]
      halves[base + 2 * index + 1] ^= halves[(deltas >>> 2) + 2 * i + 1]
    }
    return count
  }

  function scatter(
    to: number,
    words: number,
    indexes: number,
    deltas: number,
    count: number,
    marks: number,
  ): number {
    const taken = scatterUpTo(to, words, indexes, deltas, count)
    if (taken < count) scatterUpTo(to, words, indexes, deltas, taken)
    else if (marks !== 0)
      for (let i = 0; i < count; i++) {
        const index = halves[(indexes >>> 2) + i]
        bytes[marks + (index >>> 9)] |= 1 << ((index >>> 6) & 7)
      }
    return taken
  }

  return {
    fold,
    xorInto,
    swap,
    scatter,
    // Sorting first is for memory bandwidth that these loops do not reach.
    scatterPartitioned: scatter,

    xorInto4(to, a, b, c, d, words) {
      const end = 2 * words
      const [t, p, q, r, s] = [to >>> 2, a >>> 2, b >>> 2, c >>> 2, d >>> 2]
      for (let i = 0; i < end; i++)
        halves[t + i] ^= halves[p + i] ^ halves[q + i] ^ (halves[r + i] ^ halves[s + i])
    },

    xorOut(to, a, b, words) {
      const end = 2 * words
      const [t, p, q] = [to >>> 2, a >>> 2, b >>> 2]
      for (let i = 0; i < end; i++) halves[t + i] = halves[p + i] ^ halves[q + i]
    },

    addInto(to, from, words) {
      let j = from >>> 2
      for (let i = to >>> 2, end = i + 2 * words; i < end; i += 2, j += 2) {
        const mine = halves[i]
        const low = (mine + halves[j]) | 0
        halves[i + 1] += halves[j + 1] + (low >>> 0 < mine >>> 0 ? 1 : 0)
        halves[i] = low
      }
    },

    equal(a, b, words) {
      const [p, q] = [a >>> 2, b >>> 2]
      for (let i = 0; i < 2 * words; i++) if (halves[p + i] !== halves[q + i]) return 0
      return 1
    },

    popcount(at, words) {
      let sum = 0
      for (let i = at >>> 2, end = i + 2 * words; i < end; i++) {
        let x = halves[i]
        x -= (x >>> 1) & 0x5555_5555
        x = (x & 0x3333_3333) + ((x >>> 2) & 0x3333_3333)
        sum += Math.imul((x + (x >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
      }
      return sum
    },

    swapPages(reference, accumulator, words, marks) {
      let swapped = 0
      for (let page = 0; page * pageWords < words; page++) {
        const mark = bytes[marks + page]
        if (mark === 0) continue
        for (let eighth = 0; eighth < 8; eighth++) {
          const from = page * pageWords + eighth * (pageWords / 8)
          const size = Math.min(pageWords / 8, words - from)
          if (((mark >>> eighth) & 1) !== 0 && size > 0)
            swap(reference + 8 * from, accumulator + 8 * from, size)
        }
        bytes[marks + page] = 0
        swapped++
      }
      return swapped
    },

    ...javascriptSparse(halves, bytes),
    ...javascriptDigest(halves),
  }
}

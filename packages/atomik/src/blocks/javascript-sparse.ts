/** The sparse encoding in plain JavaScript; kernels/sparse.ts draws its bytes. */
import {
  applyBytes,
  fitsBytes,
  getVarint,
  putBytes,
  putVarint,
  varintBytes,
} from './javascript-sparse-bytes.ts'
import type { Kernels } from './kernels.ts'

const partWords = 65_536

function riceBits(words: number, count: number): number {
  const ratio = Math.floor((words - count) / count)
  return ratio === 0 ? 0 : 31 - Math.clz32(ratio)
}

/** A bit for each byte of a word that is not 0. */
function nonZeroBytes(low: number, high: number): number {
  let mask = 0
  for (let b = 0; b < 4; b++) {
    if (((low >>> (8 * b)) & 255) !== 0) mask |= 1 << b
    if (((high >>> (8 * b)) & 255) !== 0) mask |= 16 << b
  }
  return mask
}

function bitsOf(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}

export function javascriptSparse(halves: Int32Array, bytes: Uint8Array): Pick<Kernels, 'encode' | 'apply'> {
  function applyUpTo(to: number, words: number, from: number, length: number): number {
    const end = from + length
    const first = getVarint(bytes, from, end)
    if (first === -2) return length
    if (first !== words) return 0
    let at = from + varintBytes(words)
    for (let done = 0; done < words; done += partWords) {
      const part = Math.min(words - done, partWords)
      const base = (to >>> 2) + 2 * done
      const count = getVarint(bytes, at, end)
      if (count === -2) return length
      if (count < 0 || count > part) return at - from
      at += varintBytes(count)
      if (count === 0) continue
      if (at === end) return length
      const headAt = at++
      if ((bytes[headAt] & 16) !== 0) {
        const region = { base: 4 * base, baseEnd: 4 * base + 8 * part, count }
        const next = applyBytes(bytes, region, at, end, bytes[headAt])
        if (next < 0) return -next - from
        at = next
        continue
      }
      const k = bytes[headAt] & 15
      const width = (bytes[headAt] >>> 5) + 1
      if (k !== riceBits(part, count)) return headAt - from
      if (end - at < count * width) return length
      const runs = at + count * width
      const bitsEnd = 8 * (end - runs)
      let topByte = 0
      let nonZero = 0
      let pieces = 0
      let bit = 0
      let index = 0
      for (let i = 0; i < count; i++) {
        const codeAt = runs - from + (bit >>> 3)
        let zeros = 0
        while (
          bit < bitsEnd &&
          index + zeros * 2 ** k < part &&
          ((bytes[runs + (bit >>> 3)] >>> (bit & 7)) & 1) === 0
        ) {
          zeros++
          bit++
        }
        if (index + zeros * 2 ** k >= part) return codeAt
        if (bit + 1 + k > bitsEnd) return length
        bit++
        let low = 0
        for (let b = 0; b < k; b++, bit++) low |= ((bytes[runs + (bit >>> 3)] >>> (bit & 7)) & 1) << b
        index += zeros * 2 ** k + low
        if (index >= part) return codeAt
        let wordLow = 0
        let wordHigh = 0
        for (let b = 0; b < width; b++)
          if (b < 4) wordLow |= bytes[at + b] << (8 * b)
          else wordHigh |= bytes[at + b] << (8 * (b - 4))
        if ((wordLow | wordHigh) === 0) return at - from
        topByte |= bytes[at + width - 1]
        const mask = nonZeroBytes(wordLow, wordHigh)
        nonZero += bitsOf(mask)
        pieces += bitsOf(mask & ~(mask << 1))
        halves[base + 2 * index] ^= wordLow
        halves[base + 2 * index + 1] ^= wordHigh
        at += width
        index++
      }
      if (topByte === 0 || fitsBytes(count * width - nonZero, pieces)) return headAt - from
      if ((bit & 7) !== 0 && bytes[runs + (bit >>> 3)] >>> (bit & 7) !== 0) return runs - from + (bit >>> 3)
      at = runs + ((bit + 7) >>> 3)
    }
    return at === end ? -1 : at - from
  }

  return {
    encode(from, words, to, capacity, scratch) {
      if (capacity < 5) return -1
      const indexes = new Uint16Array(halves.buffer, scratch, partWords)
      const limit = to + capacity
      let at = putVarint(bytes, to, words)
      for (let done = 0; done < words; done += partWords) {
        const part = Math.min(words - done, partWords)
        const base = (from >>> 2) + 2 * done
        let count = 0
        let allLow = 0
        let allHigh = 0
        let nonZero = 0
        let pieces = 0
        for (let i = 0; i < part; i++) {
          const low = halves[base + 2 * i]
          const high = halves[base + 2 * i + 1]
          if ((low | high) === 0) continue
          indexes[count++] = i
          allLow |= low
          allHigh |= high
          const mask = nonZeroBytes(low, high)
          nonZero += bitsOf(mask)
          pieces += bitsOf(mask & ~(mask << 1))
        }
        if (at + 4 > limit) return -1
        at = putVarint(bytes, at, count)
        if (count === 0) continue
        const width = allHigh === 0 ? 4 - (Math.clz32(allLow) >>> 3) : 8 - (Math.clz32(allHigh) >>> 3)
        if (fitsBytes(count * width - nonZero, pieces)) {
          at = putBytes(bytes, 4 * base, 4 * base + 8 * part, at, limit)
          if (at === 0) return -1
          continue
        }
        const k = riceBits(part, count)
        const bits = count * (k + 1) + ((part - count) >>> k)
        if (at + 1 + count * width + ((bits + 7) >>> 3) + 8 > limit) return -1
        bytes[at++] = k | ((width - 1) << 5)
        for (let i = 0; i < count; i++) {
          const word = base + 2 * indexes[i]
          for (let b = 0; b < width; b++)
            bytes[at + b] = b < 4 ? halves[word] >>> (8 * b) : halves[word + 1] >>> (8 * (b - 4))
          at += width
        }
        let pending = 0
        let filled = 0
        const put = (bit: number) => {
          pending |= bit << filled
          if (++filled < 8) return
          bytes[at++] = pending
          pending = 0
          filled = 0
        }
        let next = 0
        for (let i = 0; i < count; i++) {
          const zeros = indexes[i] - next
          next = indexes[i] + 1
          for (let q = zeros >>> k; q > 0; q--) put(0)
          put(1)
          for (let b = 0; b < k; b++) put((zeros >>> b) & 1)
        }
        if (filled > 0) bytes[at++] = pending
      }
      return at - to
    },

    apply(to, words, from, length) {
      const wrong = applyUpTo(to, words, from, length)
      if (wrong >= 0) applyUpTo(to, words, from, length)
      return wrong
    },
  }
}

/** The linear digest in plain JavaScript; kernels/digest.ts explains tables and lanes, spec/semantics.md gives the formula. */
import type { Kernels } from './kernels.ts'

const tableHalves = 512
const laneBits = 4
const indexBits = 29
const laneShift = 40

export function javascriptDigest(halves: Int32Array): Pick<Kernels, 'buildJumps' | 'digest' | 'digestWord'> {
  /** Results of `step` and `times`. */
  let low = 0
  let high = 0

  function step(l: number, h: number): void {
    h ^= (h << 13) | (l >>> 19)
    l ^= l << 13
    l ^= (l >>> 7) | (h << 25)
    h ^= h >>> 7
    high = h ^ ((h << 17) | (l >>> 15))
    low = l ^ (l << 17)
  }

  /** The matrix of the table at this index of `halves`, times (l, h). */
  function times(table: number, l: number, h: number): void {
    let x = 0
    let y = 0
    for (let window = 0; window < 8; window++) {
      const at = table + 32 * window + 2 * (l & 15)
      const above = table + 32 * (window + 8) + 2 * (h & 15)
      x ^= halves[at] ^ halves[above]
      y ^= halves[at + 1] ^ halves[above + 1]
      l >>>= 4
      h >>>= 4
    }
    low = x
    high = y
  }

  const entryOf = (bit: number) => 32 * (bit >>> 2) + 2 * (1 << (bit & 3))

  function complete(table: number): void {
    for (let window = table; window < table + tableHalves; window += 32) {
      halves[window] = 0
      halves[window + 1] = 0
      for (let entry = 3; entry < 16; entry++) {
        const rest = entry & (entry - 1)
        if (rest === 0) continue
        for (let half = 0; half < 2; half++)
          halves[window + 2 * entry + half] =
            halves[window + 2 * rest + half] ^ halves[window + 2 * (entry ^ rest) + half]
      }
    }
  }

  function digestWord(index: number, l: number, h: number, sum: number, jumps: number): void {
    low = l
    high = h
    for (let bit = 0; index >>> bit !== 0; bit++)
      if (((index >>> bit) & 1) !== 0) times((jumps >>> 2) + bit * tableHalves, low, high)
    halves[sum >>> 2] ^= low
    halves[(sum >>> 2) + 1] ^= high
  }

  return {
    digestWord,

    buildJumps(jumps, scratch) {
      let table = scratch >>> 2
      let square = table + tableHalves
      for (let bit = 0; bit < 64; bit++) {
        step(bit < 32 ? 1 << bit : 0, bit < 32 ? 0 : 1 << (bit - 32))
        halves[table + entryOf(bit)] = low
        halves[table + entryOf(bit) + 1] = high
      }
      complete(table)
      const keep = (bit: number) => {
        halves.copyWithin((jumps >>> 2) + bit * tableHalves, table, table + tableHalves)
      }
      for (let power = 0; power < laneShift + laneBits; power++) {
        if (power < indexBits - laneBits) keep(power + laneBits)
        if (power >= laneShift) keep(power - laneShift)
        for (let bit = 0; bit < 64; bit++) {
          const entry = entryOf(bit)
          times(table, halves[table + entry], halves[table + entry + 1])
          halves[square + entry] = low
          halves[square + entry + 1] = high
        }
        complete(square)
        const old = table
        table = square
        square = old
      }
    },

    digest(at, words, result, jumps) {
      const lanes = result >>> 2
      const start = at >>> 2
      halves.fill(0, lanes, lanes + 32)
      for (let word = words - 1; word >= 0; word--) {
        const lane = lanes + 2 * (word & 15)
        step(halves[lane], halves[lane + 1])
        halves[lane] = low ^ halves[start + 2 * word]
        halves[lane + 1] = high ^ halves[start + 2 * word + 1]
      }
      for (let lane = 1; lane < 16; lane++)
        digestWord(lane, halves[lanes + 2 * lane], halves[lanes + 2 * lane + 1], result, jumps)
    },
  }
}

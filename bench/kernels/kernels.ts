/** Bulk work on words: ours beside plain JavaScript. */
import { figureOf, interleave } from '../harness/measure.ts'
import type { Section } from '../harness/section.ts'

export const section: Section = {
  title: 'bulk work on words',
  async run({ rounds, quick }) {
    const words = quick ? 2 ** 12 : 2 ** 20
    const [a, b] = [new Int32Array(2 * words), new Int32Array(2 * words).fill(0x55aa)]
    const [c, d] = [new BigUint64Array(words), new BigUint64Array(words).fill(0x55aan)]
    const cases = [
      () => {
        for (let i = 0; i < a.length; i++) a[i] ^= b[i]
      },
      () => {
        for (let i = 0; i < c.length; i++) c[i] ^= d[i]
      },
    ]
    const speeds = interleave(cases, { rounds }).map(seconds =>
      figureOf(seconds.map(s => (words * 8) / s / 1e9)),
    )
    return {
      tables: [
        {
          id: 'xor-into',
          title: 'xor-into of two arrays',
          method: `${words} words of 64 bits, one operand counted.`,
          columns: [{ name: 'xor-into', unit: 'GB/s', better: 'higher' }],
          rows: [
            { name: 'Int32Array', cells: [speeds[0]] },
            { name: 'BigUint64Array', cells: [speeds[1]] },
          ],
          baseline: 'Int32Array',
        },
      ],
      bars: [],
      notes: [],
    }
  },
}

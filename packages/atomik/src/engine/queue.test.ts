/** Goal: the ring is a queue. Method: random calls beside a plain array, from seeds. */
import { describe, expect, it } from 'vitest'
import { Queue } from './queue.ts'
import { SeededRandom } from './random.ts'

describe('a queue', () => {
  it.each([1, 2, 3, 4, 5])('equals an array under all it can do, seed %i', seed => {
    const random = new SeededRandom(seed)
    const queue = new Queue<number>()
    const plain: number[] = []
    for (let step = 0; step < 3000; step++) {
      const kind = random.below(20)
      if (kind < 10 || plain.length < 3) {
        queue.push(step)
        plain.push(step)
      } else if (kind < 17) {
        expect(queue.shift()).toBe(plain.shift())
      } else if (kind === 17) {
        const from = plain.length - random.below(3)
        expect(queue.takeFrom(from)).toEqual(plain.splice(from))
      } else if (kind === 18) {
        expect(queue.takeFirst(2)).toEqual(plain.splice(0, 2))
      } else if (random.below(40) === 0) {
        queue.clear()
        plain.length = 0
      }
      expect([queue.length, ...queue]).toEqual([plain.length, ...plain])
      const index = random.below(plain.length + 1) - 1
      expect(queue.at(index)).toBe(plain.at(index))
      const sought = plain[random.below(plain.length)]
      // biome-ignore lint/complexity/useIndexOf: it is findIndex that is tested, and a queue has no indexOf.
      expect(queue.findIndex(item => item === sought)).toBe(plain.indexOf(sought))
    }
    expect(queue.at(plain.length)).toBeUndefined()
  })
})

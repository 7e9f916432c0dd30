/** Goal: threads give what one thread gives, whatever the split. Method: real worker threads (of the build) beside a plain loop. */
import { BlockMemory } from 'atomik/blocks'
import { startFoldThreads } from 'atomik/blocks/node'
import { afterAll, describe, expect, it } from 'vitest'

const memory = new BlockMemory({ bytes: 4 << 20, shared: true })
const started = await Promise.all([2, 3].map(threads => startFoldThreads(memory, threads)))
afterAll(() => {
  for (const threads of started) threads.close()
})

const block = memory.allocate(100_000)
for (let i = 0; i < block.halves.length; i++) block.halves[i] = Math.imul(i + 1, 0x9e37_79b1)
function plainFold(from: number, end: number): [number, number] {
  let [low, high] = [0, 0]
  for (let i = from; i < end; i++) {
    low ^= block.halves[2 * i]
    high ^= block.halves[2 * i + 1]
  }
  return [low, high]
}

describe.each(started)('$threads threads', threads => {
  it('are up', () => {
    expect(threads.workersUp).toBe(threads.threads - 1)
  })

  it('fold any number of words', () => {
    for (const words of [0, 1, 7, 8, 9, 15, 16, 17, 24, 25, 1000, 99_999, 100_000]) {
      threads.clear()
      threads.accum(block.part(0, words))
      threads.read()
      expect([words, threads.low, threads.high]).toEqual([words, ...plainFold(0, words)])
    }
  })

  it('keep what they accumulated over many jobs, and take a block folded twice out again', () => {
    threads.clear()
    let [low, high] = [0, 0]
    for (let job = 0; job < 300; job++) {
      const [from, end] = [job * 7, job * 7 + (job % 300)]
      threads.accum(block.part(from, end))
      const sum = plainFold(from, end)
      low ^= sum[0]
      high ^= sum[1]
    }
    threads.read()
    expect([threads.low, threads.high]).toEqual([low, high])
    const parts = [block.part(0, 10), block.part(10, 1000), block.part(5, 6)]
    threads.accumEach(parts, 2)
    threads.read()
    expect([threads.low, threads.high]).toEqual([low, high])
    threads.accumEach(parts, 3)
    threads.accum(block.part(0, 1000))
    threads.accum(block.part(5, 6))
    threads.read()
    expect([threads.low, threads.high]).toEqual([low, high])
  })

  it('wake again after they have slept', async () => {
    threads.clear()
    await new Promise(resolve => setTimeout(resolve, 50))
    threads.accum(block)
    threads.read()
    expect([threads.low, threads.high]).toEqual(plainFold(0, 100_000))
  })

  it('refuse what is not theirs, and anything once closed', () => {
    const other = new BlockMemory({ bytes: 0, shared: true })
    expect(() => threads.accum(other.allocate(0))).toThrow(/another memory/)
    expect(() => threads.accumEach([other.allocate(1)])).toThrow(/another memory/)
    expect(() => threads.accumEach(Array(4097).fill(block))).toThrow(/at most 4096/)
    expect(() => threads.accumEach([block], -1)).toThrow(/times/)
    threads.close()
    expect(() => threads.accum(block)).toThrow(expect.objectContaining({ code: 'closed' }))
  })
})

it('threads need a memory they can share', async () => {
  await expect(startFoldThreads(new BlockMemory({ bytes: 0 }), 2)).rejects.toMatchObject({ code: 'range' })
  const plain = new BlockMemory({ bytes: 0, shared: true, implementation: 'javascript' })
  await expect(startFoldThreads(plain, 2)).rejects.toMatchObject({ code: 'range' })
  for (const threads of [1, 65, 2.5])
    await expect(startFoldThreads(memory, threads)).rejects.toMatchObject({ code: 'range' })
})

/**
 * Goal: whatever a program asks of a block memory is checked before a kernel runs, and refusals change nothing. Method: the edges of every
 * check by hand; random operations on a state beside a plain map.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { encodedBytesMax, implementations } from './kernels.ts'
import { type Block, BlockMemory } from './memory.ts'
import { BlockState } from './state.ts'

function codeOf(play: () => unknown): ErrorCode | 'none' {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError) return error.code
    throw error
  }
  return 'none'
}

const fill = (block: Block, seed: number) => {
  for (let i = 0; i < block.halves.length; i++) block.halves[i] = Math.imul(i + seed, 0x9e37_79b1)
}

describe.each(implementations)('a %s memory', implementation => {
  const memory = new BlockMemory({ bytes: 1 << 20, implementation })

  it('hands out zeros on cache lines that do not overlap, until it is full', () => {
    const small = new BlockMemory({ bytes: 1000, implementation })
    const blocks: Block[] = []
    const grab = () => blocks.push(small.allocate(513))
    expect(codeOf(() => blocks.push(small.allocate(0)))).toBe('none')
    while (codeOf(grab) === 'none') expect(blocks.length).toBeLessThan(100)
    expect(codeOf(grab)).toBe('range')
    blocks.forEach((block, i) => {
      expect(block.at % 64).toBe(0)
      expect(block.bytes.every(byte => byte === 0)).toBe(true)
      block.bytes.fill(i)
    })
    for (const [i, block] of blocks.entries()) expect(block.bytes.every(byte => byte === i)).toBe(true)
    for (const words of [-1, 0.5, Number.NaN, 2 ** 40])
      expect(codeOf(() => small.allocate(words))).toBe('range')
  })

  it('does small and large blocks alike, as views of one memory', () => {
    for (const words of [0, 1, 3, 4, 5, 100]) {
      const [a, b, c] = [1, 2, 3].map(() => memory.allocate(words))
      fill(a, 1)
      fill(b, 2)
      memory.xorOut(c, a, b)
      memory.xorInto(c, b)
      expect(memory.equal(a, c)).toBe(true)
      memory.fold(a)
      let low = 0
      for (let i = 0; i < 2 * words; i += 2) low ^= a.halves[i]
      expect(memory.low).toBe(low)
      memory.xorInto4(c, a, b, b, a)
      memory.addInto(c, b)
      expect([words, memory.equal(a, c)]).toEqual([words, words === 0])
      expect(memory.popcount(a.part(0, 0))).toBe(0)
    }
  })

  it('refuses blocks of other sizes, of another memory, and those that overlap in part', () => {
    const other = new BlockMemory({ bytes: 1 << 16, implementation })
    const a = memory.allocate(16)
    const foreign = other.allocate(16)
    const shorter = memory.allocate(15)
    const wide = memory.allocate(32)
    fill(a, 1)
    const before = a.bytes.slice()
    const calls: ((block: Block) => void)[] = [
      block => memory.xorInto(a, block),
      block => memory.xorInto4(a, a, a, a, block),
      block => memory.xorOut(a, a, block),
      block => memory.xorOut(block, a, a),
      block => memory.addInto(a, block),
      block => memory.equal(a, block),
      block => memory.swap(a, block),
    ]
    for (const call of calls) {
      expect(codeOf(() => call(foreign))).toBe('range')
      expect(codeOf(() => call(shorter))).toBe('range')
    }
    expect(codeOf(() => memory.xorInto(wide.part(0, 16), wide.part(15, 31)))).toBe('range')
    expect(codeOf(() => memory.xorInto(wide.part(0, 16), wide.part(16, 32)))).toBe('none')
    expect(codeOf(() => memory.swap(a, a))).toBe('range')
    for (const call of [memory.fold, memory.popcount, memory.digest])
      expect(codeOf(() => call.call(memory, foreign))).toBe('range')
    for (const [from, end] of [
      [-1, 1],
      [2, 1],
      [0, 33],
      [0.5, 1],
    ])
      expect(codeOf(() => wide.part(from, end))).toBe('range')
    expect(a.bytes.slice()).toEqual(before)
  })

  it('scatters what its blocks hold and no more', () => {
    const [to, deltas, indexes] = [memory.allocate(1000), memory.allocate(10), memory.allocate(5)]
    fill(deltas, 1)
    indexes.halves.set([0, 999, 5, 5, 5, 512, 511, 1, 2, 3])
    memory.scatter(to, indexes, deltas, 10)
    expect(to.halves[2 * 5]).toBe(deltas.halves[4] ^ deltas.halves[6] ^ deltas.halves[8])
    expect(to.halves[2 * 999 + 1]).toBe(deltas.halves[3])
    memory.scatter(to, indexes, deltas, 10, { scratch: memory.allocate(21) })
    expect(memory.popcount(to)).toBe(0)
    const few = memory.allocate(0)
    for (const count of [-1, 11, 0.5, Number.NaN])
      expect(codeOf(() => memory.scatter(to, indexes, deltas, count))).toBe('range')
    expect(codeOf(() => memory.scatter(to, indexes, deltas, 10, { marks: few }))).toBe('range')
    expect(codeOf(() => memory.scatter(to, indexes, deltas, 10, { marks: to }))).toBe('range')
    expect(codeOf(() => memory.scatter(to, indexes, deltas, 10, { scratch: deltas }))).toBe('range')
    expect(codeOf(() => memory.scatter(to, to.part(0, 5), deltas, 10))).toBe('range')
    indexes.halves[9] = 1000
    expect(codeOf(() => memory.scatter(to, indexes, deltas, 10))).toBe('range')
    expect(memory.popcount(to)).toBe(0)
  })

  it('scatters into a large block by parts when there is scratch for it, with what no scratch gives', () => {
    const words = 2 ** 21
    const large = new BlockMemory({ bytes: 9 * words })
    const [to, deltas, indexes] = [large.allocate(words), large.allocate(3001), large.allocate(1501)]
    fill(deltas, 1)
    for (let i = 0; i < 3001; i++) indexes.halves[i] = Math.imul(i, 0x9e37_79b1) & (words - 1)
    large.scatter(to, indexes, deltas, 3001, { scratch: large.allocate(Math.ceil(1.5 * 3001) + 32) })
    expect(large.popcount(to)).toBe(large.popcount(deltas))
    large.scatter(to, indexes, deltas, 3001)
    expect(large.popcount(to)).toBe(0)
  })

  it('encodes into what is large enough, and says which bytes it could not apply', () => {
    const [delta, state] = [memory.allocate(100), memory.allocate(100)]
    const wire = memory.allocate(Math.ceil(encodedBytesMax(100) / 8))
    delta.halves[20] = 1
    delta.halves[151] = -1
    const bytes = memory.encode(delta, wire)
    memory.apply(state, wire, bytes)
    expect(memory.equal(delta, state)).toBe(true)
    const encoded = wire.bytes.slice(0, bytes)
    for (const [offset, flip] of [
      [0, 0x80],
      [1, 0x80],
      [2, 0x20],
      [bytes - 1, 0x80],
    ]) {
      wire.bytes.set(encoded)
      wire.bytes[offset] ^= flip
      try {
        memory.apply(state, wire, bytes)
        expect.unreachable()
      } catch (error) {
        expect(error).toMatchObject({ name: 'AtomikError', code: 'malformed', offset })
      }
    }
    wire.bytes.set(encoded)
    expect(codeOf(() => memory.apply(state, wire, bytes - 1))).toBe('truncated')
    expect(codeOf(() => memory.apply(state, wire, 8 * wire.words + 1))).toBe('range')
    expect(codeOf(() => memory.encode(delta, memory.allocate(2)))).toBe('oversized')
    expect(codeOf(() => memory.encode(delta, delta))).toBe('range')
    expect(codeOf(() => memory.apply(state, state, 8))).toBe('range')
    expect(memory.equal(delta, state)).toBe(true)
  })

  it('keeps a digest up to date word by word', () => {
    const block = memory.allocate(5000)
    let [low, high] = [0, 0]
    for (let i = 0; i < 200; i++) {
      const index = Math.imul(i, 0x9e37_79b1) >>> 20
      const [l, h] = [Math.imul(i, 77_777), ~i]
      block.halves[2 * index] ^= l
      block.halves[2 * index + 1] ^= h
      memory.digestWord(index, l, h)
      low ^= memory.low
      high ^= memory.high
    }
    memory.digest(block)
    expect([memory.low, memory.high]).toEqual([low, high])
    for (const index of [-1, 0.5, 2 ** 29]) expect(codeOf(() => memory.digestWord(index, 1, 0))).toBe('range')
    expect(codeOf(() => memory.digestWord(2 ** 29 - 1, 1, 0))).toBe('none')
  })

  it('holds a state that is what a map of words says', () => {
    const words = 3000
    const index = fc.integer({ min: 0, max: words - 1 })
    const half = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    const step = fc.oneof(
      fc.tuple(fc.constant('accum' as const), fc.array(fc.tuple(index, half, half), { maxLength: 20 })),
      fc.tuple(fc.constant('scatter' as const), fc.array(fc.tuple(index, half, half), { maxLength: 20 })),
      fc.tuple(fc.constant('block' as const), fc.array(fc.tuple(index, half, half), { maxLength: 3 })),
      fc.tuple(fc.constant('swap' as const), fc.constant([] as [number, number, number][])),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        const state = new BlockState(new BlockMemory({ bytes: 1 << 18, implementation }), words)
        const { memory } = state
        const [deltas, places, copy] = [memory.allocate(words), memory.allocate(10), memory.allocate(words)]
        const plain = new Int32Array(2 * words)
        const touched = new Set<number>()
        for (const [kind, changes] of steps) {
          deltas.halves.fill(0)
          changes.forEach(([at, low, high], i) => {
            plain[2 * at] ^= low
            plain[2 * at + 1] ^= high
            touched.add(at >>> 9)
            if (kind === 'accum') state.accum(at, low, high)
            else if (kind === 'scatter') {
              places.halves[i] = at
              deltas.halves[2 * i] = low
              deltas.halves[2 * i + 1] = high
            } else {
              deltas.halves[2 * at] ^= low
              deltas.halves[2 * at + 1] ^= high
            }
          })
          if (kind === 'scatter') state.accumAt(places, deltas, changes.length)
          else if (kind === 'block') {
            state.accumBlock(deltas)
            for (let page = 0; page < 6; page++) touched.add(page)
          } else if (kind === 'swap') {
            expect(state.swap()).toBe(touched.size)
            touched.clear()
            expect(memory.popcount(state.accumulator)).toBe(0)
          }
        }
        state.readInto(copy)
        expect(copy.halves).toEqual(plain)
        state.read(words - 1)
        expect([state.low, state.high]).toEqual([plain[2 * words - 2], plain[2 * words - 1]])
        state.digest()
        memory.digest(copy)
        expect([state.low, state.high]).toEqual([memory.low, memory.high])
        state.swap()
        expect(state.reference.halves).toEqual(plain)
      }),
      { numRuns: 40, seed: 1 },
    )
    const state = new BlockState(new BlockMemory({ bytes: 1 << 18, implementation }), words)
    for (const bad of [-1, words, 0.5]) {
      expect(codeOf(() => state.accum(bad, 1, 1))).toBe('range')
      expect(codeOf(() => state.read(bad))).toBe('range')
    }
  })
})

describe('a block memory', () => {
  it('takes the fastest implementation that runs here', () => {
    expect(new BlockMemory({ bytes: 0 }).implementation).toBe('simd')
    expect(new BlockMemory({ bytes: 0, shared: true }).buffer).toBeInstanceOf(SharedArrayBuffer)
  })
  it('has a largest size, which works', () => {
    // Untouched pages cost no memory.
    const largest = new BlockMemory({ bytes: limits.blockMemoryBytesMax })
    const block = largest.allocate(2 ** 29 - 2 ** 15)
    block.halves[block.halves.length - 1] = 7
    largest.fold(block.part(block.words - 100, block.words))
    expect(largest.high).toBe(7)
    for (const bytes of [limits.blockMemoryBytesMax + 1, -1, 0.5, Number.NaN])
      expect(codeOf(() => new BlockMemory({ bytes }))).toBe('range')
  })
  it('knows three implementations', () => {
    expect(codeOf(() => new BlockMemory({ bytes: 0, implementation: 'gpu' as 'simd' }))).toBe('range')
  })
})

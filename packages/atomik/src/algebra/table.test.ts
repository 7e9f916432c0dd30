/**
 * Goal: the four operations on flat arrays do what the blackboard says, at every width, and refuse what does not fit without
 * changing anything. Method: random operations beside `PlainTable`, which shares no code; the edges by hand.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { type Lane, lanes } from './lane.ts'
import { PlainTable, plainInverse } from './plain.ts'
import { AtomikContext, AtomikTable } from './table.ts'

const top = (width: number) => 2n ** BigInt(width) - 1n
/** Every width up to 130 bits, then halves and bytes that straddle, up to the limit. */
const widths = [
  ...Array.from({ length: 130 }, (_, i) => i + 1),
  255,
  256,
  257,
  1000,
  2047,
  2048,
  2049,
  4064,
  4095,
  4096,
]
const wordOf = (width: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: top(width) }) },
    { weight: 1, arbitrary: fc.constantFrom(0n, 1n % (top(width) + 1n), top(width), top(width) >> 1n) },
  )

function codeOf(play: () => unknown): ErrorCode | 'none' {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError) return error.code
    throw error
  }
  return 'none'
}

const contexts = 3
const joined = ({ low, high }: { low: number; high: number }) =>
  (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)

/** Plays random operations on both and compares what they return, and every context at the end. */
function play(
  lane: Lane,
  width: number,
  steps: readonly [kind: number, address: number, word: bigint][],
): void {
  const table = new AtomikTable(contexts, { lane, width })
  const plain = new PlainTable(lane, width)
  for (const [kind, address, word] of steps) {
    if (kind === 0) {
      table.load(address, word)
      plain.load(address, word)
    } else if (kind === 1) expect(table.swap(address)).toBe(plain.swap(address))
    else if (kind === 2) expect(table.swap(address, word)).toBe(plain.swap(address, word))
    else if (kind === 3) expect(table.read(address)).toBe(plain.read(address))
    else if (kind === 4 && width <= 64) {
      table.accumHalves(address, Number(word & 0xffff_ffffn), Number(word >> 32n))
      plain.accum(address, word)
    } else if (kind === 6 && width <= 64) {
      table.readHalves(address)
      expect(joined(table)).toBe(plain.read(address))
    } else if (kind === 7 && width <= 64) {
      table.swapHalves(address)
      expect(joined(table)).toBe(plain.swap(address))
    } else if (kind === 8 && width <= 64) {
      table.loadHalves(address, Number(word & 0xffff_ffffn) | 0, Number(word >> 32n))
      plain.load(address, word)
    } else if (kind === 5 && lane !== 'max') {
      table.rollback(address, word)
      plain.accum(address, plainInverse(lane, width, word) ?? 0n)
    } else {
      table.accum(address, word)
      plain.accum(address, word)
    }
  }
  for (let address = 0; address < contexts; address++) expect(table.read(address)).toBe(plain.read(address))
}

describe.each(lanes)('the %s lane', lane => {
  it('agrees with the blackboard at every width', () => {
    for (const width of widths) {
      const steps = fc.array(
        fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: contexts - 1 }), wordOf(width)),
        {
          maxLength: 24,
        },
      )
      fc.assert(
        fc.property(steps, steps => play(lane, width, steps)),
        { numRuns: 12, seed: width },
      )
    }
  })

  it('agrees at random widths between 1 and 4,096', () => {
    const scene = fc
      .integer({ min: 1, max: limits.widthBitsMax })
      .chain(width =>
        fc.tuple(
          fc.constant(width),
          fc.array(
            fc.tuple(
              fc.integer({ min: 0, max: 12 }),
              fc.integer({ min: 0, max: contexts - 1 }),
              wordOf(width),
            ),
            { maxLength: 16 },
          ),
        ),
      )
    fc.assert(
      fc.property(scene, ([width, steps]) => play(lane, width, steps)),
      { numRuns: 150, seed: 1 },
    )
  })

  it('does not depend on the order of deltas', () => {
    const scene = fc
      .constantFrom(1, 31, 64, 65, 4096)
      .chain(width => fc.tuple(fc.constant(width), fc.array(wordOf(width), { maxLength: 8 }), fc.nat()))
    fc.assert(
      fc.property(scene, ([width, deltas, turn]) => {
        const a = new AtomikContext(width, lane)
        const b = new AtomikContext(width, lane)
        for (const delta of deltas) a.accum(delta)
        for (let i = 0; i < deltas.length; i++) b.accum(deltas[(i + turn) % deltas.length])
        expect(b.read()).toBe(a.read())
      }),
      { numRuns: 150, seed: 2 },
    )
  })

  it.each([1, 33, 64, 4096])('swap() keeps and swap(0n) replaces, at %i bits', width => {
    const word = new AtomikContext(width, lane)
    word.load(top(width))
    word.accum(0n)
    const state = word.read()
    expect(word.swap()).toBe(state)
    expect(word.read()).toBe(state)
    expect(word.swap(undefined)).toBe(state)
    expect(word.read()).toBe(state)
    expect(word.swap(0n)).toBe(state)
    expect(word.read()).toBe(0n)
    word.accum(1n)
    expect(word.swap(0n)).toBe(1n)
    // The accumulator is empty now: a further delta counts from the reference alone.
    word.accum(1n)
    expect(word.read()).toBe(1n)
  })

  it('merges what both accumulated since a common reference', () => {
    const scene = fc
      .constantFrom(5, 64, 100)
      .chain(width =>
        fc.tuple(
          fc.constant(width),
          wordOf(width),
          fc.array(wordOf(width), { maxLength: 5 }),
          fc.array(wordOf(width), { maxLength: 5 }),
        ),
      )
    fc.assert(
      fc.property(scene, ([width, reference, ours, theirs]) => {
        const a = new AtomikTable(2, { width, lane })
        const b = new AtomikTable(2, { width, lane })
        const whole = new PlainTable(lane, width)
        for (const table of [a, b, whole]) table.load(1, reference)
        for (const delta of ours) {
          a.accum(1, delta)
          whole.accum(1, delta)
        }
        for (const delta of theirs) {
          b.accum(1, delta)
          whole.accum(1, delta)
        }
        const untouched = b.read(1)
        a.merge(b)
        expect(a.read(1)).toBe(whole.read(1))
        expect(a.read(0)).toBe(0n)
        expect(b.read(1)).toBe(untouched)
      }),
      { numRuns: 100, seed: 3 },
    )
  })

  it('merges tables of every length, word by word', () => {
    const random = fc.sample(wordOf(63), { numRuns: 60, seed: 5 })
    for (const width of [63, 64])
      for (let contexts = 1; contexts <= 11; contexts++) {
        const [a, b] = [0, 1].map(() => new AtomikTable(contexts, { width, lane }))
        const whole = new PlainTable(lane, width)
        for (let i = 0; i < 2 * contexts; i++) {
          const [table, address, word] = [i % 2 ? a : b, i >> 1, random[i]]
          table.accumHalves(address, Number(word & 0xffff_ffffn), Number(word >> 32n))
          whole.accum(address, word)
        }
        a.merge(b)
        for (let address = 0; address < contexts; address++) expect(a.read(address)).toBe(whole.read(address))
      }
  })

  it.each(widths)('refuses a word wider than %i bits in every operation, and changes nothing', width => {
    const table = new AtomikTable(2, { width, lane })
    table.load(1, top(width) >> 1n)
    table.accum(1, 1n)
    const before = table.read(1)
    for (const word of [top(width) + 1n, -1n, 2n ** 5000n]) {
      expect(codeOf(() => table.load(1, word))).toBe('width')
      expect(codeOf(() => table.accum(1, word))).toBe('width')
      expect(codeOf(() => table.swap(1, word))).toBe('width')
      if (lane !== 'max') expect(codeOf(() => table.rollback(1, word))).toBe('width')
    }
    expect(table.read(1)).toBe(before)
    expect(table.read(0)).toBe(0n)
    // Nor was a refused swap a checkpoint: reference and accumulator are as they were.
    expect(table.swap(1)).toBe(before)
    expect(codeOf(() => table.load(1, top(width)))).toBe('none')
    expect(table.read(1)).toBe(top(width))
  })
})

describe('a context in halves', () => {
  it('agrees with the blackboard at every width up to 64, mixed with bigints', () => {
    for (const lane of lanes)
      for (const width of [1, 5, 31, 32, 33, 63, 64]) {
        const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), wordOf(width)), { maxLength: 20 })
        fc.assert(
          fc.property(steps, steps => {
            const word = new AtomikContext(width, lane)
            const other = new AtomikContext(width, lane)
            const plain = new PlainTable(lane, width)
            for (const [kind, value] of steps) {
              const [low, high] = [Number(value & 0xffff_ffffn), Number(value >> 32n)]
              if (kind === 0) {
                word.loadHalves(low, high)
                plain.load(0, value)
              } else if (kind === 1) {
                word.swapHalves()
                expect(joined(word)).toBe(plain.swap(0))
              } else if (kind === 2) {
                word.readHalves()
                expect(joined(word)).toBe(plain.read(0))
              } else if (kind === 3) expect(word.swap(value)).toBe(plain.swap(0, value))
              else {
                if (kind === 4) word.accum(value)
                else if (kind === 5) word.accumHalves(low | 0, high | 0)
                else if (kind === 6) {
                  other.swap(0n)
                  other.accumHalves(low, high)
                  word.merge(other)
                } else word.accumHalves(low, high)
                plain.accum(0, value)
              }
            }
            expect(word.read()).toBe(plain.read(0))
          }),
          { numRuns: 40, seed: width },
        )
      }
  })
  it('refuses what does not fit, and keeps what it had', () => {
    for (const [width, lane] of [1, 31, 32, 33, 63].flatMap(width =>
      lanes.map(lane => [width, lane] as const),
    )) {
      const word = new AtomikContext(width, lane)
      word.accumHalves(1, 0)
      const over = top(width) + 1n
      const halves = [Number(over & 0xffff_ffffn), Number(over >> 32n)] as const
      expect(codeOf(() => word.accumHalves(...halves))).toBe('width')
      expect(codeOf(() => word.loadHalves(...halves))).toBe('width')
      expect(codeOf(() => word.accumHalves(0.5, 0))).toBe('width')
      expect(codeOf(() => word.accumHalves(0, 2 ** 32))).toBe('width')
      expect(codeOf(() => word.accumHalves(Number.NaN, 0))).toBe('width')
      expect(word.read()).toBe(1n)
    }
    const wide = new AtomikContext(65)
    for (const play of [() => wide.accumHalves(1, 0), () => wide.readHalves(), () => wide.swapHalves()])
      expect(codeOf(play)).toBe('range')
  })
})

describe('the introduction', () => {
  it('gives 0xCA0145BE, then 0xCA01BABE', () => {
    const word = new AtomikContext(32)
    word.load(0xcafebaben)
    word.accum(0x0000ff00n)
    word.accum(0x00ff0000n)
    expect(word.read()).toBe(0xca0145ben)
    word.rollback(0x0000ff00n)
    expect(word.read()).toBe(0xca01baben)
  })
  it('gives 0xDEADBE10', () => {
    const word = new AtomikContext(32)
    word.load(0xdeadbeefn)
    word.accum(0xffn)
    expect(word.read()).toBe(0xdeadbe10n)
  })
})

describe('rollback', () => {
  it.each(['xor', 'add'] as const)('removes a delta at any position in the %s lane', lane => {
    const scene = fc
      .integer({ min: 1, max: 200 })
      .chain(width =>
        fc.tuple(
          fc.constant(width),
          wordOf(width),
          fc.array(wordOf(width), { minLength: 1, maxLength: 10 }),
          fc.nat(),
        ),
      )
    fc.assert(
      fc.property(scene, ([width, reference, deltas, pick]) => {
        const undone = pick % deltas.length
        const all = new AtomikContext(width, lane)
        const rest = new AtomikContext(width, lane)
        all.load(reference)
        rest.load(reference)
        deltas.forEach((delta, i) => {
          all.accum(delta)
          if (i !== undone) rest.accum(delta)
        })
        all.rollback(deltas[undone])
        expect(all.read()).toBe(rest.read())
      }),
      { numRuns: 300, seed: 4 },
    )
  })

  it('is refused in the max lane, which has no inverse', () => {
    const word = new AtomikContext(64, 'max')
    word.accum(7n)
    expect(codeOf(() => word.rollback(7n))).toBe('lane')
    expect(word.read()).toBe(7n)
  })
})

describe('refusals', () => {
  it.each([0, -1, limits.widthBitsMax + 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'no context of %d bits',
    width => {
      expect(codeOf(() => new AtomikContext(width))).toBe('range')
      expect(codeOf(() => new AtomikTable(1, { width }))).toBe('range')
    },
  )
  it('takes the widest context', () => {
    expect(new AtomikContext(limits.widthBitsMax).width).toBe(4096)
  })
  it.each([0, -1, 0.5, Number.NaN, limits.contextsMax + 1])('no table of %d contexts', count => {
    expect(codeOf(() => new AtomikTable(count))).toBe('range')
  })
  it('takes as many contexts as there may be', () => {
    // Untouched pages of a fresh array cost no memory.
    const table = new AtomikTable(limits.contextsMax)
    table.accum(limits.contextsMax - 1, 5n)
    expect(table.read(limits.contextsMax - 1)).toBe(5n)
    expect(codeOf(() => table.read(limits.contextsMax))).toBe('range')
  })
  it('counts wide contexts as several words', () => {
    expect(codeOf(() => new AtomikTable(limits.contextsMax / 64 + 1, { width: 4096 }))).toBe('range')
  })
  it('no other lane', () => {
    expect(codeOf(() => new AtomikContext(8, 'min' as Lane))).toBe('range')
  })
  it.each([3, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])(
    'no address %d in a table of 3',
    address => {
      const table = new AtomikTable(3)
      for (const play of [
        () => table.load(address, 1n),
        () => table.accum(address, 1n),
        () => table.accumHalves(address, 1, 0),
        () => table.read(address),
        () => table.swap(address),
        () => table.swap(address, 1n),
        () => table.rollback(address, 1n),
      ])
        expect(codeOf(play)).toBe('range')
      for (let a = 0; a < 3; a++) expect(table.read(a)).toBe(0n)
    },
  )
  it.each([1, '1', null, Number.NaN, undefined])('no word %s', word => {
    const table = new AtomikTable(1)
    expect(codeOf(() => table.load(0, word as unknown as bigint))).toBe('width')
    expect(codeOf(() => table.accum(0, word as unknown as bigint))).toBe('width')
  })
  it('no merge of different shapes', () => {
    const table = new AtomikTable(2, { width: 8, lane: 'xor' })
    expect(codeOf(() => table.merge(new AtomikTable(3, { width: 8, lane: 'xor' })))).toBe('range')
    expect(codeOf(() => table.merge(new AtomikTable(2, { width: 9, lane: 'xor' })))).toBe('range')
    expect(codeOf(() => table.merge(new AtomikTable(2, { width: 8, lane: 'add' })))).toBe('range')
  })
})

describe('accumHalves', () => {
  it.each([1, 8, 31, 32, 33, 63, 64])('takes all that fits %i bits, and no more', width => {
    for (const lane of lanes) {
      const table = new AtomikTable(1, { width, lane })
      const half = (shift: bigint) => Number((top(width) >> shift) & 0xffff_ffffn)
      table.accumHalves(0, half(0n), half(32n))
      expect(table.read(0)).toBe(top(width))
      // Signed halves are the same bits.
      const signed = new AtomikTable(1, { width, lane })
      signed.accumHalves(0, half(0n) | 0, half(32n) | 0)
      expect(signed.read(0)).toBe(top(width))
      if (width === 64) continue
      const over = top(width) + 1n
      const wide = () => table.accumHalves(0, Number(over & 0xffff_ffffn), Number(over >> 32n))
      expect(codeOf(wide)).toBe('width')
      expect(table.read(0)).toBe(top(width))
    }
  })
  it.each([2 ** 32, 2 ** 40, -(2 ** 31) - 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses %d as a half',
    half => {
      const table = new AtomikTable(1)
      expect(codeOf(() => table.accumHalves(0, half, 0))).toBe('width')
      expect(codeOf(() => table.accumHalves(0, 0, half))).toBe('width')
      expect(table.read(0)).toBe(0n)
    },
  )
  it('serves no width above 64', () => {
    expect(codeOf(() => new AtomikTable(1, { width: 65 }).accumHalves(0, 1, 0))).toBe('range')
  })
})

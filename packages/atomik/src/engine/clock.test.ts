/** Goal: stamps only ever grow, whatever the wall clock and other nodes do. Method: random clocks; the edges of both counters by hand. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StampClock, SteadyClock } from './clock.ts'

const stampOf = ({ low, high }: StampClock) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
const partsOf = (ms: number, count: number) => {
  const stamp = BigInt(ms) * 65_536n + BigInt(count)
  return { low: Number(BigInt.asIntN(32, stamp)), high: Number(BigInt.asIntN(32, stamp >> 32n)) }
}

describe('StampClock', () => {
  it('lays 48 bits of milliseconds above 16 of count', () => {
    const clock = new StampClock()
    for (const [ms, count] of [
      [0, 0],
      [0, 65_535],
      [1, 0],
      [2 ** 32, 7],
      [1_790_000_000_000, 3],
      [2 ** 48 - 1, 65_535],
    ] as const) {
      const { low, high } = partsOf(ms, count)
      clock.see(low, high)
      expect([clock.ms, clock.count]).toEqual([ms, count])
      expect(stampOf(clock)).toBe(BigInt(ms) * 65_536n + BigInt(count))
    }
  })

  it('gives larger stamps than all it gave or saw, under any wall clock', () => {
    const ms = fc.oneof(
      fc.integer({ min: 0, max: 50 }),
      fc.double({ min: 0, max: 50, noNaN: true }),
      fc.integer({ min: 0, max: 2 ** 47 }),
    )
    const event = fc.oneof(
      fc.record({ kind: fc.constant('next' as const), ms }),
      fc.record({
        kind: fc.constant('see' as const),
        ms: ms.map(Math.floor),
        count: fc.constantFrom(0, 1, 65_534, 65_535),
      }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), events => {
        const clock = new StampClock()
        let largest = 0n
        for (const one of events) {
          if (one.kind === 'see') {
            const { low, high } = partsOf(one.ms, one.count)
            clock.see(low, high)
            const seen = BigInt(one.ms) * 65_536n + BigInt(one.count)
            if (seen > largest) largest = seen
            expect(stampOf(clock)).toBeGreaterThanOrEqual(largest)
          } else {
            clock.next(one.ms)
            expect(stampOf(clock)).toBeGreaterThan(largest)
            largest = stampOf(clock)
          }
          expect(Number.isInteger(clock.ms) && Number.isInteger(clock.count)).toBe(true)
        }
      }),
      { numRuns: 1000, seed: 1 },
    )
  })

  it('carries a full count into the milliseconds', () => {
    const clock = new StampClock()
    clock.see(partsOf(9, 65_535).low, partsOf(9, 65_535).high)
    clock.next(5)
    expect([clock.ms, clock.count]).toEqual([10, 0])
  })

  it('follows the wall clock as soon as that is ahead', () => {
    const clock = new StampClock()
    clock.next(100)
    clock.next(100)
    expect([clock.ms, clock.count]).toEqual([100, 1])
    clock.next(100.9)
    expect([clock.ms, clock.count]).toEqual([100, 2])
    clock.next(101)
    expect([clock.ms, clock.count]).toEqual([101, 0])
  })
})

describe('SteadyClock', () => {
  it('goes on by what a clock goes forward, and stands while that is set back', () => {
    const clock = new SteadyClock()
    const read = [1000, 1010, 400, 405, 405, 900, 9_000_000].map(nowMs => clock.at(nowMs))
    expect(read).toEqual([0, 10, 10, 15, 15, 510, 5510])
  })
})

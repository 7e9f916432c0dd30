/**
 * Goal: the mixing function loses nothing, and the digest sees what a bare XOR of words does not. Method: the inverse of mix written
 * out from its rounds; states beside the plain XOR and the plain sum of their words, which are shown to be blind.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fingerprint } from './fingerprint.ts'
import { formatHalves, Mixer } from './mix.ts'

const half = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

describe('mix', () => {
  /** The four rounds backwards: that it exists is what makes mix a bijection. */
  function unmix(
    addressLow: number,
    addressHigh: number,
    low: number,
    high: number,
  ): { low: number; high: number } {
    let x = low
    let y = high
    let f = Math.imul(x + addressLow, 0x1656_67b1)
    y ^= f ^ (f >>> 14)
    f = Math.imul(y + addressHigh, 0x27d4_eb2f)
    x = (x - (f ^ (f >>> 16))) | 0
    f = Math.imul(x ^ addressHigh, 0xc2b2_ae35)
    y ^= f ^ (f >>> 13)
    f = Math.imul(y ^ addressLow, 0x85eb_ca6b)
    x = (x - (f ^ (f >>> 15))) | 0
    return { low: x, high: y }
  }

  it('can be undone for every address, so no two words at one address collide', () => {
    fc.assert(
      fc.property(half, half, half, half, (addressLow, addressHigh, low, high) => {
        const mixer = new Mixer()
        mixer.mix(addressLow, addressHigh, low, high)
        expect(unmix(addressLow, addressHigh, mixer.low, mixer.high)).toEqual({ low, high })
      }),
      { numRuns: 5000, seed: 1 },
    )
  })

  it('spreads a change of one bit over about half of the result', () => {
    const mixer = new Mixer()
    let flipped = 0
    let count = 0
    for (let seed = 1; seed <= 64; seed++)
      for (let bit = 0; bit < 64; bit++) {
        const [low, high] = [Math.imul(seed, 0x9e37_79b9), Math.imul(seed, 0x85eb_ca6b)]
        mixer.mix(seed, 0, low, high)
        const [a, b] = [mixer.low, mixer.high]
        mixer.mix(seed, 0, bit < 32 ? low ^ (1 << bit) : low, bit < 32 ? high : high ^ (1 << (bit - 32)))
        flipped += ones(a ^ mixer.low) + ones(b ^ mixer.high)
        count++
      }
    expect(flipped / count).toBeGreaterThan(24)
    expect(flipped / count).toBeLessThan(40)
  })

  const ones = (x: number) => {
    let count = 0
    for (let rest = x >>> 0; rest !== 0; rest >>>= 1) count += rest & 1
    return count
  }
})

describe('hash', () => {
  it('gives 200,000 keys in 8 tables different addresses', () => {
    const mixer = new Mixer()
    const seen = new Set<string>()
    for (let table = 0; table < 8; table++)
      for (let i = 0; i < 25_000; i++) {
        mixer.hash(table, new TextEncoder().encode(`key-${i}`))
        seen.add(formatHalves(mixer.low, mixer.high))
      }
    expect(seen.size).toBe(200_000)
  })
})

type Words = readonly (readonly [low: number, high: number])[]

function printOf(words: Words, order: readonly number[] = words.map((_, i) => i)): Fingerprint {
  const print = new Fingerprint()
  for (const i of order) print.replace(i, 0, 0, 0, words[i][0], words[i][1])
  return print
}

describe('Fingerprint', () => {
  const states = fc.array(fc.tuple(half, half), { minLength: 2, maxLength: 12 })

  it('does not depend on the order of changes', () => {
    fc.assert(
      fc.property(states, fc.nat(), (words, turn) => {
        const order = words.map((_, i) => (i + turn) % words.length).reverse()
        expect(printOf(words, order).digest(words.length)).toBe(printOf(words).digest(words.length))
      }),
      { seed: 2 },
    )
  })

  it('is the same whether words came at once or over many changes', () => {
    fc.assert(
      fc.property(states, fc.array(fc.tuple(fc.nat(), half, half), { maxLength: 30 }), (words, detours) => {
        const now = words.map(([low, high]) => [low, high] as [number, number])
        const print = printOf(words)
        for (const [pick, low, high] of detours) {
          const i = pick % words.length
          print.replace(i, 0, now[i][0], now[i][1], low, high)
          now[i] = [low, high]
        }
        expect(print.digest(now.length)).toBe(printOf(now).digest(now.length))
        for (let i = 0; i < now.length; i++) print.replace(i, 0, now[i][0], now[i][1], 0, 0)
        expect([print.low, print.high]).toEqual([0, 0])
      }),
      { seed: 3 },
    )
  })

  it('sees two words that changed places, where XOR and sum of words do not', () => {
    fc.assert(
      fc.property(half, half, (a, b) => {
        fc.pre(a !== b)
        expect(a ^ b).toBe(b ^ a)
        expect(
          printOf([
            [a, 0],
            [b, 0],
          ]).digest(2),
        ).not.toBe(
          printOf([
            [b, 0],
            [a, 0],
          ]).digest(2),
        )
      }),
      { seed: 4, numRuns: 2000 },
    )
  })

  it('sees the same bits flipped in two words, where XOR does not', () => {
    fc.assert(
      fc.property(half, half, half, (a, b, mask) => {
        fc.pre(mask !== 0)
        expect(a ^ mask ^ (b ^ mask)).toBe(a ^ b)
        expect(
          printOf([
            [a ^ mask, 0],
            [b ^ mask, 0],
          ]).digest(2),
        ).not.toBe(
          printOf([
            [a, 0],
            [b, 0],
          ]).digest(2),
        )
      }),
      { seed: 5, numRuns: 2000 },
    )
  })

  it('sees padding: a state with more zero words is another state', () => {
    fc.assert(
      fc.property(states, fc.integer({ min: 1, max: 100 }), (words, more) => {
        const print = printOf(words)
        expect(print.digest(words.length + more)).not.toBe(print.digest(words.length))
      }),
      { seed: 6 },
    )
    expect(new Fingerprint().digest(0)).not.toBe(new Fingerprint().digest(1))
  })

  it('sees every single flipped bit', () => {
    const words: Words = Array.from({ length: 4 }, (_, i) => [Math.imul(i + 1, 0x9e37_79b9), i])
    const digests = new Set([printOf(words).digest(4)])
    for (let i = 0; i < 4; i++)
      for (let bit = 0; bit < 64; bit++) {
        const flipped = words.map(([low, high], w): [number, number] =>
          w !== i ? [low, high] : bit < 32 ? [low ^ (1 << bit), high] : [low, high ^ (1 << (bit - 32))],
        )
        digests.add(printOf(flipped).digest(4))
      }
    expect(digests.size).toBe(1 + 4 * 64)
  })

  it('starts again after clear', () => {
    const print = printOf([[1, 2]])
    print.clear()
    expect(print.digest(0)).toBe(new Fingerprint().digest(0))
  })
})

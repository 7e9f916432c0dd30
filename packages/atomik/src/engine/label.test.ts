/**
 * Goal: a label depends on all that it chains, so that another history shows another label. Method: change one input at a time.
 * Values are in spec/vectors/digest.json (algebra/vectors.test.ts recomputes them from the formula).
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstLabel, formatIncarnation, nextLabel, sameLabel } from './label.ts'

const halves = fc.record({ low: fc.integer(), high: fc.integer() })
const sequence = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

describe('labels', () => {
  it('begin with the first eight bytes of the incarnation, little-endian', () => {
    const incarnation = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
    expect(firstLabel(incarnation)).toEqual({ low: 0x04030201, high: 0x08070605 })
    expect(firstLabel(new Uint8Array(16).fill(255))).toEqual({ low: -1, high: -1 })
  })

  it.each(['from', 'salt', 'digest', 'to'] as const)('differ when only %s does', part => {
    fc.assert(
      fc.property(
        halves,
        halves,
        halves,
        sequence,
        halves,
        sequence,
        (from, salt, digest, to, other, otherTo) => {
          const inputs = { from, salt, digest, to }
          const changed = { ...inputs, [part]: part === 'to' ? otherTo : other }
          fc.pre(part === 'to' ? to !== otherTo : !sameLabel(inputs[part], other))
          const a = nextLabel(inputs.from, inputs.salt, inputs.digest, inputs.to)
          const b = nextLabel(changed.from, changed.salt, changed.digest, changed.to)
          expect(sameLabel(a, b)).toBe(false)
        },
      ),
      { numRuns: 2000, seed: 1 },
    )
  })

  it('differ for two machines that run as one incarnation: they draw different salts', () => {
    const incarnation = Uint8Array.from({ length: 16 }, (_, i) => i * 3)
    const start = firstLabel(incarnation)
    const digest = { low: 5, high: 6 }
    const seen = new Set(
      Array.from({ length: 1000 }, (_, salt) => {
        const { low, high } = nextLabel(start, { low: salt, high: 0 }, digest, 1)
        return `${low}/${high}`
      }),
    )
    expect(seen.size).toBe(1000)
  })

  it('name an incarnation by its digits', () => {
    expect(formatIncarnation(Uint8Array.of(0, 1, 15, 16, 255))).toBe('00010f10ff')
  })
})

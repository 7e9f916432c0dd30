/**
 * Goal: a head remembers what its author, or a copy of its author, may come back to, and no more. Method: bounds beside a plain list;
 * the edges of what is kept; encode, decode and every truncation.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { Reader, Writer } from '../wire/index.ts'
import { type Bound, IncarnationHead } from './heads.ts'
import { firstLabel } from './label.ts'

const id = Uint8Array.from({ length: 16 }, (_, i) => i * 7)
const bound = (sequence: number, refused?: Bound['refused']): Bound => ({
  sequence,
  label: { low: Math.imul(sequence, 31), high: ~sequence },
  salt: { low: sequence | 0, high: 1 },
  refused,
})
const headWith = (count: number, step = 1) => {
  const head = new IncarnationHead(id)
  for (let i = 1; i <= count; i++) head.move(bound(i * step))
  return head
}

describe('IncarnationHead', () => {
  it('begins at 0 with the incarnation’s first label, and keeps a copy of the name', () => {
    const name = id.slice()
    const head = new IncarnationHead(name)
    name.fill(0)
    expect(head.head).toEqual({
      sequence: 0,
      label: firstLabel(id),
      salt: { low: 0, high: 0 },
      refused: undefined,
    })
    expect(head.id).toEqual(id)
    expect(head.knows(0, firstLabel(id))).toBe(true)
  })

  it('knows the bounds it stood on, with their labels, and nothing between', () => {
    const head = headWith(5, 10)
    for (let sequence = 1; sequence <= 60; sequence++) {
      const known = sequence % 10 === 0 && sequence <= 50
      expect([sequence, head.bound(sequence)?.sequence]).toEqual([sequence, known ? sequence : undefined])
      expect(head.knows(sequence, bound(sequence).label)).toBe(known)
      expect(head.knows(sequence, { low: 1, high: 1 })).toBe(false)
    }
  })

  it('reports refusals until their author has confirmed to know them', () => {
    const head = new IncarnationHead(id)
    head.move(bound(1, 'stamp'))
    head.move(bound(2))
    head.move(bound(5, 'readonly'))
    expect(head.refusals()).toEqual([
      { to: 1, code: 'stamp' },
      { to: 5, code: 'readonly' },
    ])
    head.confirm(2)
    expect(head.refusals()).toEqual([{ to: 5, code: 'readonly' }])
    head.confirm(5)
    expect(head.refusals()).toEqual([])
  })

  it('takes no confirmation of what it never was, and none backwards', () => {
    const head = headWith(5, 10)
    head.confirm(15)
    head.confirm(60)
    head.confirm(Number.MAX_SAFE_INTEGER)
    expect(head.confirmed).toBe(0)
    head.confirm(40)
    head.confirm(20)
    expect(head.confirmed).toBe(40)
  })

  it('keeps 64 confirmed bounds, all that are not confirmed, and always the head', () => {
    const head = headWith(500)
    head.confirm(300)
    expect(head.bounds[0].sequence).toBe(300 - 64)
    expect(head.bounds).toHaveLength(64 + 1 + 200)
    expect(head.bound(300 - 65)).toBeUndefined()
    expect(head.knows(300 - 64, bound(300 - 64).label)).toBe(true)
    head.confirm(500)
    expect(head.bounds).toHaveLength(65)
    expect(head.head.sequence).toBe(500)
  })

  it('has room for 1,024 bounds, and again once some are confirmed', () => {
    const head = headWith(limits.unconfirmedBatchesMax - 2)
    expect(head.hasRoom).toBe(true)
    head.move(bound(limits.unconfirmedBatchesMax - 1))
    expect(head.hasRoom).toBe(false)
    head.confirm(500)
    expect(head.hasRoom).toBe(true)
  })

  const moves = fc.array(
    fc.tuple(
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.constantFrom(undefined, 'stamp' as const, 'range' as const),
    ),
    {
      maxLength: 40,
    },
  )
  it('survives its record, and every truncation of it is refused', () => {
    fc.assert(
      fc.property(moves, fc.nat(), fc.constantFrom(0, 1, 2 ** 40), (steps, confirm, regionsRefused) => {
        const head = new IncarnationHead(id)
        head.regionsRefused = regionsRefused
        let sequence = 0
        for (const [by, refused] of steps) {
          sequence += by
          head.move(bound(sequence, refused))
        }
        head.confirm(head.bounds[confirm % head.bounds.length].sequence)
        const w = new Writer()
        head.encode(w)
        const bytes = w.finish()
        const again = IncarnationHead.decode(new Reader(bytes))
        expect(again.owner).toBe(head.owner)
        expect(again.bounds).toEqual(head.bounds)
        expect(again.confirmed).toBe(head.confirmed)
        expect(again.regionsRefused).toBe(regionsRefused)
        expect(again.id).toEqual(head.id)
        for (let end = 0; end < bytes.length; end++)
          expect(() => IncarnationHead.decode(new Reader(bytes.subarray(0, end)))).toThrow(AtomikError)
      }),
      { numRuns: 40, seed: 1 },
    )
  })

  it('refuses a record without bounds or with an error nobody gives, and makes none', () => {
    const w = new Writer()
    w.bytes(id)
    w.text('somebody')
    w.varint(0)
    w.varint(0)
    expect(() => IncarnationHead.decode(new Reader(w.finish()))).toThrow('without a head')
    const head = new IncarnationHead(id)
    expect(() => head.move(bound(1, 'nonsense' as Bound['refused']))).toThrow('has a number')
    head.move(bound(1, 'owner'))
    w.reset()
    head.encode(w)
    const record = w.finish()
    record[record.length - 1] = 200
    expect(() => IncarnationHead.decode(new Reader(record))).toThrow(AtomikError)
  })
})

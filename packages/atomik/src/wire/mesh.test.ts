/**
 * Goal: whatever bytes come from another node, the decoder gives frames it would write again byte for byte, or one typed error.
 * Method: golden bytes of every frame, every truncation, seeded mutations, and the edges of the limits.
 */
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../engine/random.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeMesh, type MeshFrame, meshBuckets, writeMesh } from './mesh.ts'
import { Writer } from './writer.ts'

const id = (first: number) => Uint8Array.from({ length: 16 }, (_, i) => first + i)
const bound = (sequence: number, low: number) => ({ sequence, label: { low, high: -1 } })
const body = Uint8Array.of(0xaa, 0xbb)
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
function encode(frames: readonly MeshFrame[]): Uint8Array {
  const w = new Writer()
  for (const frame of frames) writeMesh(w, frame)
  return w.finish()
}

const ids = '101112131415161718191a1b1c1d1e1f'
const golden: readonly [string, MeshFrame, string][] = [
  [
    'greet',
    {
      type: 'greet',
      version: 1,
      space: 's',
      schema: Uint8Array.of(0x61),
      summary: { vector: { low: 1, high: 2 }, state: { low: 3, high: 4 } },
      isAnswer: true,
    },
    '40 41544d4d 01 0173 0161 0100000002000000 0300000004000000 01',
  ],
  [
    'summary',
    { type: 'summary', summary: { vector: { low: 1, high: 2 }, state: { low: 3, high: 4 } } },
    '41 0100000002000000 0300000004000000',
  ],
  [
    'buckets',
    { type: 'buckets', digests: Array.from({ length: meshBuckets }, (_, i) => ({ low: i, high: 0 })) },
    `42 ${Array.from({ length: 16 }, (_, i) => `0${i.toString(16)}00000000000000`).join('')}`,
  ],
  [
    'vector',
    {
      type: 'vector',
      round: 1,
      buckets: 0x8001,
      entries: [{ incarnation: id(16), leaves: [bound(3, 7)], ladder: [bound(1, 5), bound(0, 4)] }],
    },
    `43 01 818002 01 ${ids} 01 03 07000000ffffffff 02 01 05000000ffffffff 00 04000000ffffffff`,
  ],
  [
    'segments, the second after the first',
    {
      type: 'segments',
      incarnation: id(16),
      segments: [
        { from: bound(1, 5), to: bound(3, 7), body },
        { from: bound(3, 7), to: bound(4, 8), body },
      ],
    },
    `44 ${ids} 02 00 01 05000000ffffffff 02 07000000ffffffff 02aabb 01 01 08000000ffffffff 02aabb`,
  ],
  [
    'whole',
    {
      type: 'whole',
      incarnation: id(16),
      to: bound(3, 7),
      inside: [bound(1, 5)],
      beside: [bound(4, 8)],
      body,
    },
    `45 ${ids} 03 07000000ffffffff 01 01 05000000ffffffff 01 04 08000000ffffffff 02aabb`,
  ],
  ['error', { type: 'error', error: new AtomikError('schema', 'no') }, '46 06 026e6f'],
]

describe('frames of a mesh', () => {
  it.each(golden)('%s has these bytes, and they mean it', (_, frame, hex) => {
    expect(hexOf(encode([frame]))).toBe(hexOf(bytesOf(hex)))
    expect(decodeMesh(bytesOf(hex))).toEqual([frame])
  })
  it('are refused at every truncation', () => {
    for (const [name, , hex] of golden)
      for (let end = 0; end < bytesOf(hex).length; end++)
        expect(() => decodeMesh(bytesOf(hex).slice(0, end)), `${name} at ${end}`).toThrow(
          expect.objectContaining({ code: 'truncated' }),
        )
  })
  it('mean what they would be written as, however they are damaged', () => {
    const random = new SeededRandom(12)
    let accepted = 0
    for (let step = 0; step < 50_000; step++) {
      const bytes = bytesOf(golden[random.below(golden.length)][2])
      for (let flips = random.below(3); flips >= 0; flips--)
        bytes[random.below(bytes.length)] = random.below(2) === 0 ? random.below(256) : random.below(4)
      let frames: MeshFrame[]
      try {
        frames = decodeMesh(bytes)
      } catch (error) {
        if (!(error instanceof AtomikError)) throw error
        continue
      }
      accepted++
      expect(hexOf(encode(frames)), `step ${step}: ${hexOf(bytes)}`).toBe(hexOf(bytes))
    }
    expect(accepted).toBeGreaterThan(5000)
  })
  it.each([
    ['another magic', '40 41544d4e 01', 'malformed'],
    ['another version', '40 41544d4d 02', 'version'],
    ['a type of no frame', '47', 'malformed'],
    ['a fourth round', `43 03 00 00`, 'malformed'],
    ['incarnations out of order', `43 00 00 02 ${ids} 00 00 ${ids} 00 00`, 'malformed'],
    ['a first segment that follows', `44 ${ids} 01 01 01 08000000ffffffff 00`, 'malformed'],
    ['no segments', `44 ${ids} 00`, 'malformed'],
    ['a segment of no changes', `44 ${ids} 01 00 01 05000000ffffffff 00`, 'malformed'],
    ['bounds inside out of order', `45 ${ids} 01 07000000ffffffff 01 01 05000000ffffffff 00 00`, 'malformed'],
    ['an answer bit of 2', '40 41544d4d 01 0173 0161 0100000002000000 0300000004000000 02', 'malformed'],
    ['an unknown error', '46 ff 00', 'malformed'],
  ])('refuse %s', (_, hex, code) => {
    expect(() => decodeMesh(bytesOf(hex))).toThrow(expect.objectContaining({ code }))
  })
  it('stand on their limits: the limit itself is read, one more is refused before it is allocated', () => {
    const vector = (leaves: number) =>
      encode([
        {
          type: 'vector',
          round: 0,
          buckets: 0,
          entries: [
            { incarnation: id(1), leaves: Array.from({ length: leaves }, (_, i) => bound(i, i)), ladder: [] },
          ],
        },
      ])
    const whole = (inside: number) =>
      encode([
        {
          type: 'whole',
          incarnation: id(1),
          to: bound(inside, 0),
          inside: Array.from({ length: inside }, (_, i) => bound(i, i)),
          beside: [],
          body,
        },
      ])
    const segments = (count: number) =>
      encode([
        {
          type: 'segments',
          incarnation: id(1),
          segments: Array.from({ length: count }, (_, i) => ({
            from: bound(i, i),
            to: bound(i + 1, i + 1),
            body,
          })),
        },
      ])
    const oversized = expect.objectContaining({ code: 'oversized' })
    for (const [make, max] of [
      [vector, limits.meshLeavesMax],
      [whole, limits.meshInsideMax],
      [segments, limits.meshSegmentsMax],
    ] as const) {
      expect(decodeMesh(make(max))).toHaveLength(1)
      expect(() => decodeMesh(make(max + 1))).toThrow(oversized)
    }
    expect(() => decodeMesh(bytesOf('43 00 00 8180 04'))).toThrow(oversized)
    expect(() => decodeMesh(new Uint8Array(limits.downlinkBytesMax + 1))).toThrow(oversized)
  })
})

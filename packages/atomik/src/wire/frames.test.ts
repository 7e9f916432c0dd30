/**
 * Goal: whatever bytes come, a decoder gives frames it would write again byte for byte, or one typed error. Method: every
 * truncation of every golden message; 100,000 seeded mutations that know where bytes matter (lengths, counts, types), of messages and
 * of deltas; the edges of every limit. A failure names the step and its bytes.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { layoutsOf } from '../../../../spec/vectors/decode.ts'
import type { DeltaCase } from '../../../../spec/vectors/generate-codec.ts'
import { encodeFrames, type Frame, frameCases } from '../../../../spec/vectors/generate-frames.ts'
import { mutate } from '../../../../spec/vectors/mutate.ts'
import { respell } from '../../../../spec/vectors/respell.ts'
import { hexBytes, parseBytes } from '../../../../spec/vectors/text.ts'
import { SeededRandom } from '../engine/random.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeDownlink, decodeUplink, writeError, writeStream } from './frames.ts'
import { compareBytes, encodeUtf8 } from './utf8.ts'
import { Writer } from './writer.ts'

type Direction = 'up' | 'down'
const vectors = (name: string) =>
  readFileSync(new URL(`../../../../spec/vectors/${name}`, import.meta.url), 'utf8')
const golden = (
  JSON.parse(vectors('frames.json')) as {
    messages: { name: string; direction: Direction; frames: unknown[]; bytes: string }[]
  }
).messages.map(one => ({ ...one, bytes: parseBytes(one.bytes) }))
const { deltas } = JSON.parse(vectors('codec.json')) as { deltas: DeltaCase[] }

const decode = (direction: Direction, bytes: Uint8Array): Frame[] =>
  direction === 'up' ? decodeUplink(bytes) : decodeDownlink(bytes)

function codeOf(play: () => unknown): ErrorCode | 'none' {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError) return error.code
    throw error
  }
  return 'none'
}

describe('every golden message', () => {
  it.each(golden)(
    '$direction: $name, is refused at every truncation that is not a frame’s end',
    ({ direction, bytes }) => {
      const frames = decode(direction, bytes)
      // The rest of a message belongs to a short frame, whatever it is.
      if (frames.some(({ type }) => type === 'change' || type === 'entry')) return
      const whole = frames.length
      let ends = 0
      for (let end = 0; end < bytes.length; end++) {
        const part = bytes.slice(0, end)
        const code = codeOf(() => {
          const frames = decode(direction, part)
          ends++
          if (compareBytes(encodeFrames(frames), part) !== 0) throw new Error(`another meaning at ${end}`)
        })
        if (code !== 'none' && code !== 'truncated') throw new Error(`${code} at ${end}`)
      }
      expect(ends).toBe(whole - 1)
    },
  )

  it.each(golden)('$direction: $name, is refused by the other direction', ({ direction, bytes }) => {
    expect(codeOf(() => decode(direction === 'up' ? 'down' : 'up', bytes))).toBe('malformed')
  })
})

const messageSteps = 70_000
const deltaSteps = 30_000

describe(`${messageSteps + deltaSteps} seeded mutations`, () => {
  it('of messages: frames that are written again as they were, or a typed error', () => {
    const random = new SeededRandom(7)
    const bytesOf = (direction: Direction) =>
      golden.filter(one => one.direction === direction && one.bytes.length < 400).map(one => one.bytes)
    const pools = { up: bytesOf('up'), down: bytesOf('down') }
    const seen: Record<string, number> = {}
    for (let step = 0; step < messageSteps; step++) {
      const direction: Direction = step % 2 === 0 ? 'up' : 'down'
      const pool = pools[direction]
      const bytes = mutate(random, pool[random.below(pool.length)], pool)
      let outcome: string
      try {
        const frames = decode(direction, bytes)
        outcome = compareBytes(encodeFrames(frames), bytes) === 0 ? 'accepted' : 'another spelling'
      } catch (error) {
        outcome =
          error instanceof AtomikError && (error.offset ?? -1) <= bytes.length ? error.code : String(error)
      }
      seen[outcome] = (seen[outcome] ?? 0) + 1
      if (!outcomes.includes(outcome))
        throw new Error(`step ${step}, ${direction} ${hexBytes(bytes)}: ${outcome}`)
    }
    // The mutator reaches what it should: neither all refused nor all accepted, and every way to be refused.
    for (const outcome of outcomes)
      if (outcome !== 'range' && outcome !== 'width')
        expect([outcome, seen[outcome] ?? 0]).not.toEqual([outcome, 0])
    const { accepted = 0 } = seen
    expect(accepted).toBeGreaterThan(messageSteps / 20)
    expect(accepted).toBeLessThan(messageSteps / 2)
  }, 30_000)

  it('of deltas: rows that are written again as they were, or a typed error', () => {
    const random = new SeededRandom(8)
    const pool = deltas.map(one => ({ ...one, bytes: parseBytes(one.bytes), layouts: layoutsOf(one.schema) }))
    const seen: Record<string, number> = {}
    for (let step = 0; step < deltaSteps; step++) {
      const one = pool[random.below(pool.length)]
      const bytes = mutate(
        random,
        one.bytes,
        pool.filter(other => other.schema === one.schema).map(other => other.bytes),
      )
      let outcome: string
      try {
        outcome = respell(bytes, one) ? 'accepted' : 'another spelling'
      } catch (error) {
        outcome =
          error instanceof AtomikError && (error.offset ?? -1) <= bytes.length ? error.code : String(error)
      }
      seen[outcome] = (seen[outcome] ?? 0) + 1
      if (!outcomes.includes(outcome) || outcome === 'version')
        throw new Error(`step ${step}, ${one.name} (${one.naming}) ${hexBytes(bytes)}: ${outcome}`)
    }
    for (const outcome of outcomes)
      if (outcome !== 'version') expect([outcome, seen[outcome] ?? 0]).not.toEqual([outcome, 0])
  }, 30_000)
})

const outcomes = ['accepted', 'truncated', 'malformed', 'oversized', 'range', 'width', 'version']

describe('limits of messages', () => {
  const hello = (direction: Direction) => (direction === 'up' ? '0600' : '150000')
  it.each([
    ['up', limits.uplinkBytesMax],
    ['down', limits.downlinkBytesMax],
  ] as const)('%s: %i bytes are read, one more is not', (direction, max) => {
    const filled = new Uint8Array(max + 1)
    const frame = parseBytes(hello(direction))
    // The error comes from the size: the bytes themselves are nonsense from some point on.
    filled.set(frame)
    expect(codeOf(() => decode(direction, filled))).toBe('oversized')
    expect(codeOf(() => decode(direction, filled.subarray(0, max)))).toBe('malformed')
  })

  it('takes the largest batch that fits a message', () => {
    const body = new Uint8Array(limits.uplinkBytesMax - 7)
    const message = encodeFrames([{ type: 'batch', alias: 0, from: 0, to: 1, salt: undefined, body }])
    expect(message.length).toBe(limits.uplinkBytesMax)
    expect(decodeUplink(message)).toHaveLength(1)
  })

  it('takes 64 incarnations, heads and confirmations, and 1,024 refusals', () => {
    const claims = Array.from({ length: 64 }, (_, i) => ({
      incarnation: new Uint8Array(16).fill(i),
      sequence: i,
      label: { low: i, high: 0 },
    }))
    const zero = { low: 0, high: 0 }
    const subscribe: Frame = {
      type: 'subscribe',
      attempt: 1,
      space: 's'.repeat(120),
      schema: new Uint8Array(limits.schemaBytesMax),
      epoch: zero,
      lsn: 0,
      stampBaseMs: 0,
      isOrdered: true,
      claims,
    }
    const have: Frame = {
      type: 'have',
      lsn: 0,
      confirmed: claims.map((_, alias) => ({ alias, sequence: 1 })),
    }
    const refused = Array.from({ length: limits.unconfirmedBatchesMax }, (_, to) => ({
      to,
      code: 'stamp' as const,
    }))
    const heads = claims.map(({ label, sequence }, alias) => ({ alias, sequence, label, refused }))
    const ack: Frame = { type: 'ack', lsn: 0, digest: zero, heads }
    expect(decodeUplink(encodeFrames([subscribe, have]))).toEqual([subscribe, have])
    expect(decodeDownlink(encodeFrames([ack]))).toEqual([ack])
  })

  it('believes no count: what is announced and not there costs no memory', () => {
    const before = process.memoryUsage().arrayBuffers
    const claims: [Direction, string][] = [
      ['up', '02 8020'],
      ['up', '04 00 00 01 808040'],
      ['up', '05 00 40'],
      ['down', '11 00 80808008'],
      ['down', '11 00 01 80808020'],
      ['down', '12 00 01 00 80808020'],
      ['down', '13 00 01 40'],
    ]
    for (const [direction, bytes] of claims)
      expect(codeOf(() => decode(direction, parseBytes(bytes.replaceAll(' ', ''))))).toBe('truncated')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
  })
})

describe('error frames', () => {
  const textOf = (text: string) => {
    const w = new Writer()
    writeError(w, 'storage', true, text)
    const [frame] = decodeDownlink(w.finish())
    return frame.type === 'error' ? frame.text : undefined
  }
  it('cut long text between characters', () => {
    expect(textOf('x'.repeat(1024))).toBe('x'.repeat(1024))
    expect(textOf('x'.repeat(1025))).toBe('x'.repeat(1024))
    expect(textOf(`${'x'.repeat(1023)}é`)).toBe('x'.repeat(1023))
    expect(textOf('é'.repeat(600))).toBe('é'.repeat(512))
    expect(textOf('\u{1f6eb}'.repeat(300))).toBe('\u{1f6eb}'.repeat(256))
    expect(encodeUtf8(textOf(`xx${'\u{1f6eb}'.repeat(300)}`) ?? '').length).toBe(1022)
  })
  it('carry a code without a number as malformed', () => {
    const w = new Writer()
    writeError(w, 'lane', false, '')
    expect(decodeDownlink(w.finish())).toEqual([{ type: 'error', code: 'malformed', fatal: false, text: '' }])
  })
  it('are the only place for such a code: elsewhere it is a bug', () => {
    expect(() => writeStream(new Writer(), 0, [{ kind: 'refused', alias: 0, to: 1, code: 'lane' }])).toThrow(
      'invariant',
    )
  })
})

it('the golden messages are those of the generator', () => {
  expect(golden.map(one => one.name)).toEqual(frameCases.map(one => one.name))
})

/**
 * Goal: the straight reader of points takes what the decoder takes, and nothing else. Method: points of random schemas, written by the
 * encoder, whole and with bytes changed, cut and added; the decoder is the judge. What is taken must be equal word by word; a point that
 * the encoder wrote with small numbers must be taken.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Delta, type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { array, bits, counter, flag, register, Schema, table, toggle } from '../schema/index.ts'
import { DeltaDecoder } from './decode.ts'
import { DeltaEncoder } from './encode.ts'
import { PointReader } from './point.ts'
import { Reader } from './reader.ts'
import { StampMark } from './stamp.ts'
import { Writer } from './writer.ts'

const schema = new Schema({
  first: table({
    value: register.u64(),
    sum: counter(),
    small: register.u8(),
    bits: bits(130),
    flag: flag(),
    on: toggle(),
    text: register.text(40),
  }),
  second: table({ one: toggle(), many: array(counter(), 3), long: register.bytes(300) }),
  third: table({ text: register.text(9) }),
})
const known = 5000
const directory = {
  hasLiterals: true,
  rowNumbered: (_: number, number: number) => number,
  rowNamed: () => -1,
  rowCount: () => known,
  knownRows: () => known,
  hasNumber: () => true,
}
const names = { numberOf: (_: number, row: number) => row, keyOf: () => '', knownRows: () => known }

/** First words of groups, by table. */
const groups = schema.layouts.flatMap(({ words, groups }, t) => {
  const firsts: { t: number; word: number }[] = []
  for (let word = 0; word < words; word += groups[word]) firsts.push({ t, word })
  return firsts
})
const half = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(0, 1, 255, -1, -256, 0x0100_0000, 0x00ff_ff00),
)
const stampMs = 1_790_000_000_000
const pointOf = fc.record({
  place: fc.constantFrom(...groups),
  row: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: known - 1 })),
  values: fc.array(half, { minLength: 90, maxLength: 90 }),
  ms: fc.oneof(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -200_000, max: 200_000 })),
  count: fc.oneof(fc.constantFrom(0, 1, 0xffff), fc.integer({ min: 0, max: 0xffff })),
})

interface Point {
  readonly place: { readonly t: number; readonly word: number }
  readonly row: number
  readonly values: readonly number[]
  readonly ms: number
  readonly count: number
}

function masked(layout: RowLayout, word: number, low: number, high: number): [number, number] {
  const width = layout.bits[word]
  if (width >= 64) return [low, high]
  if (width > 32) return [low, high & (2 ** (width - 32) - 1)]
  return [width === 32 ? low : low & (2 ** width - 1), 0]
}

function write({ place: { t, word }, row, values, ms, count }: Point, base: StampMark): Uint8Array {
  const delta = new Delta(schema.layouts)
  const layout = schema.layouts[t]
  const at = delta.tables[t].open(row) + 2 * word
  const to = delta.tables[t].words
  for (let i = 0; i < layout.groups[word]; i++) {
    const stamp = new StampMark(stampMs + ms, count)
    const isStamp = layout.kinds[word + i] === WordKind.stamp
    const pair = [values[2 * (i % 45)], values[2 * (i % 45) + 1]]
    const [low, high] = isStamp ? [stamp.low, stamp.high] : masked(layout, word + i, pair[0], pair[1])
    to[at + 2 * i] = low
    to[at + 2 * i + 1] = high
  }
  if ((to[at] | to[at + 1]) === 0) to[at] = 1
  const w = new Writer()
  new DeltaEncoder().encode(w, delta, names, base)
  return w.finish()
}

/** What the decoder makes of it, as a point; undefined when it refuses, or it is none. */
function judged(bytes: Uint8Array, base: StampMark) {
  try {
    const reader = new Reader(bytes)
    const { delta } = new DeltaDecoder(schema.layouts).decode(reader, directory, base)
    if (!reader.done || bytes[0] === 0) return undefined
    const t = delta.tables.findIndex(({ count }) => count > 0)
    const { rows, words, layout } = delta.tables[t]
    for (let word = 0; word < layout.words; word += layout.groups[word])
      if ((words[2 * word] | words[2 * word + 1]) !== 0)
        return {
          table: t,
          number: rows[0],
          word,
          halves: [...words.subarray(2 * word, 2 * (word + layout.groups[word]))],
        }
    return undefined
  } catch (error) {
    if (error instanceof AtomikError) return undefined
    throw error
  }
}

function taken(point: PointReader, bytes: Uint8Array, base: StampMark) {
  // Among other bytes: it must not look beyond its own.
  const among = new Uint8Array(bytes.length + 20).fill(0x81)
  among.set(bytes, 7)
  if (!point.read(among, 7, 7 + bytes.length, schema.layouts, base)) return undefined
  const { table, number, word, halves, words } = point
  return { table, number, word, halves: [...words.subarray(0, halves)] }
}

describe('a point read where it lies', () => {
  const base = new StampMark(stampMs, 5)
  const point = new PointReader()

  it('is what the encoder wrote', () => {
    fc.assert(
      fc.property(pointOf, input => {
        const bytes = write(input, base)
        const layout = schema.layouts[input.place.t]
        const got = taken(point, bytes, base)
        expect(got).toEqual(layout.groups[input.place.word] > 16 ? undefined : judged(bytes, base))
      }),
      { numRuns: 3000 },
    )
  })

  it('is refused wherever the decoder refuses it: changed, cut and longer bytes', () => {
    let accepted = 0
    fc.assert(
      fc.property(
        pointOf,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
        fc.integer({ min: -3, max: 3 }),
        (input, edits, longer) => {
          const written = write(input, base)
          const bytes = new Uint8Array(Math.max(0, written.length + longer))
          bytes.set(written.subarray(0, bytes.length))
          for (const [at, byte] of edits) if (bytes.length > 0) bytes[at % bytes.length] = byte
          const got = taken(point, bytes, base)
          if (got === undefined) return
          const expected = judged(bytes, base)
          // A number that the decoder does not know is the caller's to refuse.
          if (expected === undefined && got.number >= known) return
          accepted++
          expect(got).toEqual(expected)
        },
      ),
      { numRuns: 20_000 },
    )
    expect(accepted).toBeGreaterThan(1000)
  })

  it('near the ends of time is for the decoder, or equal to it', () => {
    for (const mark of [new StampMark(3, 1), new StampMark(2 ** 48 - 3, 9), new StampMark(65_536, 0)])
      for (let code = 0; code < 2000; code++) {
        const w = new Writer()
        w.varint(1 + 2 * (4 * 7 + 0) + 1)
        w.varint(code)
        if ((code & 3) === 3) w.varint(code % 77)
        w.u64(0x0101_0101, 0x0101_0101)
        const bytes = w.finish()
        expect(taken(point, bytes, mark)).toEqual(judged(bytes, mark))
      }
  })
})

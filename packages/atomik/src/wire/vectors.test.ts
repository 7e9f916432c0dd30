/**
 * Goal: the committed vectors are what this library writes and reads. Method: compare each file with a fresh run of its
 * generator, then read the file as a stranger would: decode the bytes, compare with the meaning, encode the meaning,
 * compare with the bytes. A few bytes are spelt out by hand from spec/wire.md, so that writer and reader cannot err together.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeVector, rowsOf, sortRows } from '../../../../spec/vectors/decode.ts'
import { type DeltaCase, deltaOf, formatCodec, namesFor } from '../../../../spec/vectors/generate-codec.ts'
import {
  encodeFrames,
  type Frame,
  formatFrames,
  frameToJson,
} from '../../../../spec/vectors/generate-frames.ts'
import { formatRefused, type RefusedCase } from '../../../../spec/vectors/generate-refused.ts'
import { hexBytes, hexHalves, hexWord, parseBytes, parseHalves } from '../../../../spec/vectors/text.ts'
import { Delta, type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { decodeSchema } from '../schema/index.ts'
import { decodeDelta } from './decode.ts'
import { encodeDelta } from './encode.ts'
import { decodeDownlink, decodeUplink, FrameType } from './frames.ts'
import { errorCodes, Reader } from './reader.ts'
import { encodeUtf8 } from './utf8.ts'
import { Writer } from './writer.ts'

const path = (name: string) => new URL(`../../../../spec/vectors/${name}`, import.meta.url)
const text = (name: string) => readFileSync(path(name), 'utf8')

interface Codec {
  varints: { value: string; bytes: string }[]
  spans: { values: string[]; bytes: string }[]
  texts: { text: string; bytes: string }[]
  deltas: DeltaCase[]
}
interface Message {
  name: string
  direction: 'up' | 'down'
  frames: unknown[]
  bytes: string
}
const codec = JSON.parse(text('codec.json')) as Codec
const { messages } = JSON.parse(text('frames.json')) as { messages: Message[] }
const refused = (JSON.parse(text('refused.json')) as { cases: RefusedCase[] }).cases

describe('codec.json', () => {
  it('is what the generator writes', () => {
    expect(text('codec.json')).toBe(formatCodec())
  })

  it.each(codec.varints)('varint $value is $bytes', ({ value, bytes }) => {
    const r = new Reader(parseBytes(bytes))
    expect(hexWord(r.varint(Number.MAX_SAFE_INTEGER, 'value'))).toBe(value)
    expect(r.done).toBe(true)
    const w = new Writer()
    w.varint(Number(value))
    expect(hexBytes(w.finish())).toBe(bytes)
  })

  it.each(codec.spans)('words $values are $bytes', ({ values, bytes }) => {
    const r = new Reader(parseBytes(bytes))
    r.beginSpans()
    for (const value of values) {
      r.span()
      expect(hexHalves(r)).toBe(value)
    }
    r.endSpans()
    expect(r.done).toBe(true)
    const w = new Writer()
    w.beginSpans()
    for (const value of values) {
      const { low, high } = parseHalves(value)
      w.span(low, high)
    }
    expect(hexBytes(w.finish())).toBe(bytes)
  })

  it.each(codec.texts)('text $text is $bytes', ({ text, bytes }) => {
    const r = new Reader(parseBytes(bytes))
    expect(r.text(1000, 'text')).toBe(text)
    expect(r.done).toBe(true)
    expect(hexBytes(new TextEncoder().encode(text))).toBe(
      bytes.slice(2 * (r.position - encodeUtf8(text).length)),
    )
  })

  it.each(codec.deltas)('delta: $name', one => {
    const decoded = decodeVector(parseBytes(one.bytes), one)
    expect(rowsOf(decoded, one.known)).toEqual(sortRows(one.rows))
    const { delta, keys } = deltaOf(decodeSchema(encodeUtf8(one.schema)).layouts, one.known, one.rows)
    const w = new Writer()
    encodeDelta(w, delta, namesFor(one.naming, one.known, keys), { ms: one.stampBaseMs, count: 0 })
    expect(hexBytes(w.finish())).toBe(one.bytes)
  })
})

describe('frames.json', () => {
  it('is what the generator writes', () => {
    expect(text('frames.json')).toBe(formatFrames())
  })

  it('holds every type of frame', () => {
    const types = new Set(messages.flatMap(({ frames }) => frames.map(frame => (frame as Frame).type)))
    expect([...types].sort()).toEqual([...Object.keys(FrameType), 'change', 'entry'].sort())
  })

  it.each(messages)('$direction: $name', ({ direction, frames, bytes }) => {
    const decoded: Frame[] =
      direction === 'up' ? decodeUplink(parseBytes(bytes)) : decodeDownlink(parseBytes(bytes))
    // `undefined` and an absent field are one in JSON.
    expect(JSON.parse(JSON.stringify(decoded.map(frameToJson)))).toEqual(frames)
    expect(hexBytes(encodeFrames(decoded))).toBe(bytes)
  })
})

describe('refused.json', () => {
  it('is what the generator writes', () => {
    expect(text('refused.json')).toBe(formatRefused())
  })

  it.each(refused)('$read: $name is $code at $offset', one => {
    const bytes = parseBytes(one.bytes)
    const read = () => {
      if (one.read === 'up') return decodeUplink(bytes)
      if (one.read === 'down') return decodeDownlink(bytes)
      const { schema = '', stampBaseMs = 0, naming = 'key', known = [] } = one
      return decodeVector(bytes, { schema, stampBaseMs, naming, known })
    }
    let error: unknown
    try {
      read()
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(AtomikError)
    const { code, offset } = error as AtomikError
    expect({ code, offset }).toEqual({ code: one.code, offset: one.offset })
  })
})

describe('bytes spelt out by hand', () => {
  const finish = (play: (w: Writer) => void) => {
    const w = new Writer()
    play(w)
    return hexBytes(w.finish())
  }
  it('has the integers of wire.md §2', () => {
    expect(finish(w => w.varint(300))).toBe('ac02')
    expect(
      finish(w => {
        w.beginSpans()
        w.span(0x100, 0xff)
        w.span(0, 0)
        for (let i = 1; i < 8; i++) w.span(i, 0)
      }),
    ).toBe('0c' + '010000ff' + '00' + 'ba' + '010203040506' + '01' + '07')
    expect(finish(w => w.u32(0x4b4d5441))).toBe('41544d4b')
    expect(finish(w => w.text('é'))).toBe('02c3a9')
  })

  it('has a delta: the long form, one table, rows by key, the last block, a shape of two groups, ATL, life 1, counter −1', () => {
    const layouts = decodeSchema(encodeUtf8('c(n:counter)\n')).layouts
    const rows = [{ table: 0, key: 'ATL', words: { 0: '0x1', 1: '0xffffffffffffffff' } }]
    const { delta, keys } = deltaOf(layouts, [], rows)
    expect(finish(w => encodeDelta(w, delta, namesFor('key', [], keys), { ms: 0, count: 0 }))).toBe(
      '00' + '01' + '01' + '02' + '020100' + '0341544c' + '26' + '01' + '01',
    )
  })

  it('numbers errors as wire.md §5 does', () => {
    const section =
      text('../wire.md')
        .split(/^## /m)
        .find(part => part.startsWith('5.')) ?? ''
    const rows = [...section.matchAll(/^\| (\d+) +\| ([a-z-]+) +\|/gm)].map(row => [Number(row[1]), row[2]])
    expect(rows).toEqual(errorCodes.map((code, number) => [number, code]))
  })

  it('numbers frames as wire.md §4 does', () => {
    const section =
      text('../wire.md')
        .split(/^## /m)
        .find(part => part.startsWith('4.')) ?? ''
    const rows = [...section.matchAll(/^\| (\d+) +\| ([a-z]+) +\|/gm)].map(row => [row[2], Number(row[1])])
    expect(Object.fromEntries(rows)).toEqual(FrameType)
  })
})

describe('the specification names code that is there', () => {
  it.each(['wire.md', 'semantics.md'])('%s', file => {
    const references = [...text(`../${file}`).matchAll(/`([a-z-]+\/[a-z-]+\.ts):([^`]+)`/g)]
    expect(references.length).toBeGreaterThan(5)
    for (const [, source, names] of references) {
      const code = readFileSync(new URL(`../${source}`, import.meta.url), 'utf8')
      for (const name of names.split(/[\s,.]+/)) expect(code, `${source} has ${name}`).toContain(name)
    }
  })

  it('has every writer and reader that wire.md names alone', () => {
    const code = ['encode.ts', 'decode.ts', 'shape.ts', 'stamp.ts', 'frames.ts']
      .map(file => readFileSync(new URL(file, import.meta.url), 'utf8'))
      .join()
    const names = new Set(
      [...text('../wire.md').matchAll(/`((?:write|read|encode|decode)[A-Z]\w+)`/g)].map(m => m[1]),
    )
    expect(names.size).toBeGreaterThan(20)
    for (const name of names) expect(code).toContain(`function ${name}(`)
  })
})

/** Written by the proofs' model: another mind's reading of the same format. */
describe('codec-proofs.json', () => {
  type Kind = 'xor' | 'add'
  interface ModelRow {
    number: number
    words: [number, string][]
  }
  interface ModelDelta {
    kinds: Kind[]
    tables: { gap: number; rows: ModelRow[] }[]
    bytes: string
  }
  interface Proofs {
    varints: { value: number; bytes: string }[]
    words: { values: string[]; bytes: string }[]
    deltas: ModelDelta[]
    refused: { what: string; of: 'varint' | 'words' | 'delta'; bytes: string }[]
  }
  const { varints, words, deltas, refused: bad } = JSON.parse(text('codec-proofs.json')) as Proofs
  /** The model has three tables of one layout, and every row is known by its number. */
  const layoutOf = (kinds: readonly Kind[]): RowLayout => ({
    words: kinds.length,
    kinds: Uint8Array.from(kinds, kind => WordKind[kind]),
    groups: new Uint16Array(kinds.length).fill(1),
    bits: new Uint8Array(kinds.length).fill(64),
  })
  const layoutsFor = (kinds: readonly Kind[]) => Array<RowLayout>(3).fill(layoutOf(kinds))
  const known = 10_000
  const base = { ms: 0, count: 0 }
  const directory = {
    rowNumbered: (_: number, number: number) => number,
    rowNamed: () => -1,
    rowCount: () => known,
    knownRows: () => known,
    hasLiterals: true,
    hasNumber: () => true,
  }
  const names = { numberOf: (_: number, row: number) => row, keyOf: () => '', knownRows: () => known }
  const readDelta = (bytes: string, kinds: readonly Kind[]) => {
    const r = new Reader(parseBytes(bytes))
    const { delta } = decodeDelta(r, layoutsFor(kinds), directory, base)
    if (!r.done) r.fail('malformed', 'a byte after the end')
    return delta
  }
  const readWords = (bytes: string, count: number) => {
    const r = new Reader(parseBytes(bytes))
    const values: string[] = []
    r.beginSpans()
    for (let i = 0; i < count; i++) {
      r.span()
      values.push(hexHalves(r))
    }
    r.endSpans()
    if (!r.done) r.fail('malformed', 'a byte after the end')
    return values
  }
  const plain = (delta: Delta) =>
    delta.tables.map(({ count, rows, words, layout }) =>
      Array.from({ length: count }, (_, slot) => ({
        number: rows[slot],
        words: Array.from({ length: layout.words }, (_, w): [number, string] => {
          const at = 2 * (slot * layout.words + w)
          return [w, hexHalves({ low: words[at], high: words[at + 1] })]
        }).filter(([, word]) => word !== '0x0'),
      })),
    )

  it('holds cases of each kind', () => {
    for (const list of [varints, words, deltas, bad]) expect(list.length).toBeGreaterThan(0)
  })
  it.each(varints)('varint $value is $bytes', ({ value, bytes }) => {
    const w = new Writer()
    w.varint(value)
    expect(hexBytes(w.finish())).toBe(bytes)
    expect(new Reader(parseBytes(bytes)).varint(Number.MAX_SAFE_INTEGER, 'value')).toBe(value)
  })
  it.each(words)('words $values are $bytes', ({ values, bytes }) => {
    const w = new Writer()
    w.beginSpans()
    for (const value of values) {
      const { low, high } = parseHalves(value)
      w.span(low, high)
    }
    expect(hexBytes(w.finish())).toBe(bytes)
    expect(readWords(bytes, values.length)).toEqual(values)
  })
  it.each(deltas)('delta $bytes', ({ kinds, tables, bytes }) => {
    const delta = new Delta(layoutsFor(kinds))
    const meant: ModelRow[][] = delta.tables.map(() => [])
    let index = -1
    for (const { gap, rows } of tables) {
      index += 1 + gap
      meant[index] = rows
      // Touched backwards: the order must not matter.
      for (const { number, words } of [...rows].reverse()) {
        const at = delta.tables[index].open(number)
        for (const [w, value] of words) {
          const { low, high } = parseHalves(value)
          delta.tables[index].words[at + 2 * w] = low
          delta.tables[index].words[at + 2 * w + 1] = high
        }
      }
    }
    const w = new Writer()
    encodeDelta(w, delta, names, base)
    expect(hexBytes(w.finish())).toBe(bytes)
    expect(plain(readDelta(bytes, kinds))).toEqual(meant)
  })
  it.each(bad)('$of refused: $what, $bytes', ({ of, bytes }) => {
    expect(() => {
      const r = new Reader(parseBytes(bytes))
      if (of === 'words') return readWords(bytes, 2)
      if (of === 'delta') return readDelta(bytes, Array<Kind>(10).fill('xor'))
      r.varint(Number.MAX_SAFE_INTEGER, 'value')
      if (!r.done) r.fail('malformed', 'a byte after the end')
    }).toThrow(AtomikError)
  })
})

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
import { type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { Schema } from '../schema/index.ts'
import { decodeDelta } from './decode.ts'
import { namesByKey } from './delta.ts'
import { encodeDelta } from './encode.ts'
import { decodeDownlink, decodeUplink, errorCodes, FrameType } from './frames.ts'
import { Reader } from './reader.ts'
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
    const { delta, keys } = deltaOf(Schema.decode(encodeUtf8(one.schema)).layouts, one.known, one.rows)
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
    const layouts = Schema.decode(encodeUtf8('c(n:counter)\n')).layouts
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
  interface Proofs {
    varints: { value: number; bytes: string }[]
    words: { kind: Kind; value: string; bytes: string }[]
    runs: { kinds: Kind[]; words: string[]; bytes: string }[]
    refused: { what: string; of: 'varint' | 'word' | 'runs'; bytes: string }[]
  }
  const { varints, words, runs, refused: bad } = JSON.parse(text('codec-proofs.json')) as Proofs
  /** A row of these kinds alone in a delta under the key `a`: the runs begin after six bytes. */
  const head = '010001010161'
  const layoutOf = (kinds: readonly Kind[]): RowLayout => ({
    words: kinds.length,
    kinds: Uint8Array.from(kinds, kind => WordKind[kind]),
    groups: new Uint16Array(kinds.length).fill(1),
    bits: new Uint8Array(kinds.length).fill(64),
  })
  const none = {
    rowNumbered: () => -1,
    rowNamed: () => -1,
    rowCount: () => 0,
    knownRows: () => 0,
    hasLiterals: true,
    hasNumber: () => false,
  }
  const readRuns = (bytes: string, kinds: readonly Kind[]) => {
    const r = new Reader(parseBytes(head + bytes))
    const { delta } = decodeDelta(r, [layoutOf(kinds)], none, 0)
    if (!r.done) r.fail('malformed', 'a byte after the end')
    return Array.from({ length: kinds.length }, (_, w) =>
      hexHalves({ low: delta.tables[0].words[2 * w], high: delta.tables[0].words[2 * w + 1] }),
    )
  }
  const writeRuns = (row: readonly string[], kinds: readonly Kind[]) => {
    const words = Object.fromEntries(row.map((word, w) => [w, word]))
    const { delta } = deltaOf([layoutOf(kinds)], [], [{ table: 0, key: 'a', words }])
    const w = new Writer()
    encodeDelta(
      w,
      delta,
      namesByKey(() => 'a'),
      0,
    )
    return hexBytes(w.finish()).slice(head.length)
  }

  it('holds cases of each kind', () => {
    for (const list of [varints, words, runs, bad]) expect(list.length).toBeGreaterThan(0)
  })
  it.each(varints)('varint $value is $bytes', ({ value, bytes }) => {
    const w = new Writer()
    w.varint(value)
    expect(hexBytes(w.finish())).toBe(bytes)
    expect(new Reader(parseBytes(bytes)).varint(Number.MAX_SAFE_INTEGER, 'value')).toBe(value)
  })
  it.each(words)('$kind word $value is $bytes', ({ kind, value, bytes }) => {
    // Alone in a run, where it is not 0; a run never holds a 0.
    if (BigInt(value) === 0n) expect(bytes).toBe('00')
    else {
      expect(writeRuns([value], [kind])).toBe(`0101${bytes}`)
      expect(readRuns(`0101${bytes}`, [kind])).toEqual([value])
    }
  })
  it.each(runs)('runs $bytes', ({ kinds, words, bytes }) => {
    expect(writeRuns(words, kinds)).toBe(bytes)
    expect(readRuns(bytes, kinds)).toEqual(words)
  })
  it.each(bad)('$of refused: $what, $bytes', ({ of, bytes }) => {
    expect(() => {
      const r = new Reader(parseBytes(bytes))
      if (of === 'varint') r.varint(Number.MAX_SAFE_INTEGER, 'value')
      else if (of === 'word') r.word()
      else return readRuns(bytes, Array<Kind>(limits.rowWordsMax).fill('xor'))
      if (!r.done) r.fail('malformed', 'a byte after the end')
    }).toThrow(AtomikError)
  })
})

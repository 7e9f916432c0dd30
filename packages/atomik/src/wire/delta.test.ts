/**
 * Goal: a delta survives its bytes, and has only one spelling. Method: random schemas and deltas, kept as a plain Map from
 * (table, key, word) to bigint; the same delta with its rows touched in another order must give the same bytes; every
 * truncation must be refused; what the decoder accepts it must write again.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DeltaInput,
  decodeVector,
  layoutsOf,
  rowsOf,
  sortRows,
} from '../../../../spec/vectors/decode.ts'
import {
  type DeltaCase,
  deltaOf,
  type Naming,
  namesFor,
  type RowCase,
} from '../../../../spec/vectors/generate-codec.ts'
import { hexBytes, hexWord, parseBytes } from '../../../../spec/vectors/text.ts'
import { WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import {
  array,
  bits,
  counter,
  decodeSchema,
  type Field,
  flag,
  register,
  Schema,
  table,
  toggle,
} from '../schema/index.ts'
import { decodeDelta } from './decode.ts'
import { namesByKey } from './delta.ts'
import { encodeDelta } from './encode.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const field = fc.oneof(
  fc.constantFrom<Field>(
    toggle(),
    flag(),
    counter(),
    register.bool(),
    register.u8(),
    register.i32(),
    register.u64(),
  ),
  fc.constantFrom<Field>(register.f64(), register.enum('a', 'b', 'c'), register.bytes(3), register.text(20)),
  fc.integer({ min: 1, max: 150 }).map(bits),
  fc.integer({ min: 1, max: 5 }).map(n => array(register.u16(), n)),
  fc.integer({ min: 1, max: 70 }).map(n => array(toggle(), n)),
)
const schemaOf = fc
  .array(fc.array(field, { maxLength: 6 }), { minLength: 1, maxLength: 4 })
  .map(
    tables =>
      new Schema(
        Object.fromEntries(
          tables.map((fields, t) => [
            `t${t}`,
            table(Object.fromEntries(fields.map((one, f) => [`f${f}`, one]))),
          ]),
        ),
      ),
  )
const key = fc.oneof(
  fc.constantFrom('a', 'b', 'ab', 'é', '\uffff', '\u{10000}', 'k'.repeat(255), ' '),
  fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }),
)
const stampBaseMs = 1_790_000_000_000

interface Scene extends DeltaInput {
  readonly rows: readonly RowCase[]
}

/** A schema, what the reader knows, and rows in random order with random words that fit. */
const scenes: fc.Arbitrary<Scene> = schemaOf.chain(schema => {
  const { layouts } = schema
  const rowsOfTable = (t: number) => {
    const layout = layouts[t]
    const word = (w: number) =>
      layout.kinds[w] === WordKind.stamp
        ? fc.oneof(
            fc.integer({ min: -3, max: 3 }).map(d => BigInt(stampBaseMs + d) * 65_536n + 1n),
            fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
          )
        : layout.kinds[w] === WordKind.add
          ? fc.oneof(
              fc.integer({ min: -300, max: 300 }).map(n => BigInt.asUintN(64, BigInt(n))),
              fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
            )
          : fc.bigInt({ min: 0n, max: 2n ** BigInt(layout.bits[w]) - 1n })
    const groups = Array.from({ length: layout.words }, (_, w) => w).filter(
      w => layout.kinds[w] !== WordKind.value,
    )
    const one = fc
      .subarray(groups)
      .chain(chosen =>
        fc
          .tuple(
            ...chosen.flatMap(w =>
              Array.from({ length: layout.groups[w] }, (_, v) => fc.tuple(fc.constant(w + v), word(w + v))),
            ),
          )
          .map(words =>
            Object.fromEntries(
              words.filter(([, value]) => value !== 0n).map(([w, value]) => [w, hexWord(value)]),
            ),
          ),
      )
    return fc.array(fc.record({ table: fc.constant(t), key, words: one }), { maxLength: 4 })
  }
  return fc.record({
    schema: fc.constant(schema.description),
    stampBaseMs: fc.constantFrom(0, stampBaseMs),
    naming: fc.constantFrom<Naming>('key', 'uplink', 'downlink'),
    known: fc.tuple(...layouts.map(() => fc.uniqueArray(key, { maxLength: 3 }))),
    rows: fc
      .tuple(...layouts.map((_, t) => rowsOfTable(t)))
      .map(tables =>
        tables.flatMap(rows => rows.filter((row, i) => rows.findIndex(r => r.key === row.key) === i)),
      )
      .map(rows => rows.filter(({ words }) => Object.keys(words).length > 0)),
  })
})

function encode(
  { schema, known, naming, stampBaseMs: base }: DeltaInput,
  rows: readonly RowCase[],
): Uint8Array {
  const { layouts } = decodeSchema(new TextEncoder().encode(schema))
  const { delta, keys } = deltaOf(layouts, known, rows)
  const w = new Writer()
  encodeDelta(w, delta, namesFor(naming, known, keys), { ms: base, count: 0 })
  return w.finish()
}

describe('a delta', () => {
  it('survives its bytes, by key and by number', () => {
    fc.assert(
      fc.property(scenes, ({ rows, ...input }) => {
        expect(rowsOf(decodeVector(encode(input, rows), input), input.known)).toEqual(sortRows(rows))
      }),
      { numRuns: 1000, seed: 1 },
    )
  })

  it('has the same bytes in whatever order its rows were touched', () => {
    fc.assert(
      fc.property(scenes, fc.nat(), ({ rows, ...input }, turn) => {
        // New numbers are given in order of first touch, so there the order is part of the naming.
        fc.pre(input.naming !== 'downlink')
        const turned = rows.map((_, i) => rows[(i + turn) % rows.length]).reverse()
        expect(hexBytes(encode(input, turned))).toBe(hexBytes(encode(input, rows)))
      }),
      { numRuns: 500, seed: 2 },
    )
  })

  it('is written again as it was read', () => {
    fc.assert(
      fc.property(scenes, ({ rows, ...input }) => {
        fc.pre(input.naming === 'key')
        const bytes = encode(input, rows)
        expect(hexBytes(encode(input, rowsOf(decodeVector(bytes, input), input.known)))).toBe(hexBytes(bytes))
      }),
      { numRuns: 300, seed: 3 },
    )
  })

  it('leaves out rows that hold only identities', () => {
    const { layouts } = new Schema({ c: table({ n: counter() }) })
    const { delta, keys } = deltaOf(layouts, [], [{ table: 0, key: 'a', words: { 1: '0x1' } }])
    const w = new Writer()
    encodeDelta(w, delta, namesFor('key', [], keys), { ms: 0, count: 0 })
    const before = hexBytes(w.finish())
    delta.tables[0].open(7)
    w.reset()
    encodeDelta(w, delta, namesFor('key', [], keys), { ms: 0, count: 0 })
    expect(hexBytes(w.finish())).toBe(before)
  })

  it('is refused at every truncation', () => {
    fc.assert(
      fc.property(scenes, ({ rows, ...input }) => {
        const bytes = encode(input, rows)
        const layouts = layoutsOf(input.schema)
        for (let end = 0; end < bytes.length; end++)
          expectTruncated(() => decodeVector(bytes.slice(0, end), input, layouts))
      }),
      { numRuns: 150, seed: 4 },
    )
  })

  it('costs few bytes: a counter of a known row in 3, one register more in 2', () => {
    const input = {
      schema: 'c(n:counter,a:u8,b:u8,c:u8)\n',
      stampBaseMs: 0,
      naming: 'uplink',
      known: [['x']],
    } as const
    expect(encode(input, [{ table: 0, key: 'x', words: { 1: '0x1' } }]).length).toBe(3)
    const of = (words: Record<string, string>) => encode(input, [{ table: 0, key: 'x', words }]).length
    const two = { 2: '0x50000', 3: '0x1', 4: '0x50000', 5: '0x1' }
    expect(of({ ...two, 6: '0x50000', 7: '0x1' }) - of(two)).toBe(2)
  })
})

const { deltas } = JSON.parse(
  readFileSync(new URL('../../../../spec/vectors/codec.json', import.meta.url), 'utf8'),
) as {
  deltas: DeltaCase[]
}

describe('every golden delta', () => {
  it.each(deltas)('$name is refused at every truncation', one => {
    const bytes = parseBytes(one.bytes)
    const layouts = layoutsOf(one.schema)
    for (let end = 0; end < bytes.length; end++)
      expectTruncated(() => decodeVector(bytes.slice(0, end), one, layouts))
  })
})

/** Plain checks, for there are many of them. */
function expectTruncated(play: () => unknown): void {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError && error.code === 'truncated' && error.offset !== undefined) return
    throw error
  }
  throw new Error('a truncated delta was accepted')
}

describe('limits', () => {
  const wide = new Schema({ w: table({ blob: bits(64 * (limits.rowWordsMax - 1)) }) })
  const rowsMax = limits.deltaWordsMax / limits.rowWordsMax
  /** Rows of 4,096 words with one bit set each: 8 bytes name 32 kB. */
  const narrow = (rows: number) => {
    const w = new Writer()
    w.varint(0)
    w.varint(1)
    w.varint(1)
    w.varint(3)
    w.varint(rows - 2)
    w.varint(2)
    w.varint(0)
    for (let row = 0; row < rows; row++) w.text(String(row).padStart(6, '0'))
    w.beginSpans()
    for (let row = 0; row < rows; row++) w.span(1, 0)
    return w.finish()
  }
  const none = {
    rowNumbered: () => -1,
    rowNamed: () => -1,
    rowCount: () => 0,
    knownRows: () => 0,
    hasLiterals: true,
    hasNumber: () => false,
  }
  const zero = { ms: 0, count: 0 }
  const read = (bytes: Uint8Array) => decodeDelta(new Reader(bytes), wide.layouts, none, zero)

  it('takes deltaWordsMax words and refuses one row more', () => {
    expect(read(narrow(rowsMax)).delta.rowCount).toBe(rowsMax)
    let error: unknown
    try {
      read(narrow(rowsMax + 1))
    } catch (thrown) {
      error = thrown
    }
    expect((error as AtomikError).code).toBe('oversized')
  })

  it('believes no count: what is announced and not there costs no memory', () => {
    const before = process.memoryUsage().arrayBuffers
    const claims = [
      '000101 03feff7f',
      '000101 03feffff01 0200',
      '000101 03fe3f 0200 0161',
      '000101 02 0201fe1f 0161',
    ]
    for (const claim of claims) expect(() => read(parseBytes(claim.replaceAll(' ', '')))).toThrow(AtomikError)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
  })

  it('takes a key of 255 bytes; 256 are in refused.json', () => {
    const { layouts } = new Schema({ c: table({ n: counter() }) })
    const longest = `${'é'.repeat(127)}x`
    const { delta } = deltaOf(layouts, [], [{ table: 0, key: longest, words: { 0: '0x1' } }])
    const w = new Writer()
    encodeDelta(
      w,
      delta,
      namesByKey(() => longest),
      zero,
    )
    expect(decodeDelta(new Reader(w.finish()), layouts, none, zero).named[0].key).toBe(longest)
  })
})

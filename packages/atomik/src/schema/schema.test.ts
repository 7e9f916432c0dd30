/**
 * Goal: fields lie where spec/semantics.md S13 says, values survive their words, a description is enough to rebuild a schema, and no
 * description from outside costs more than its bytes. Method: layouts by hand, values beside the platform's own typed arrays, random
 * schemas through their description, hostile descriptions with time and memory measured.
 * Over 500 lines because each field type and each hostile description is a case of its own.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeSchema, differenceOf } from './description.ts'
import { array, bits, counter, type Field, flag, type Register, register, toggle } from './fields.ts'
import { type Fields, reservedFieldNames, Schema, type Tables, table } from './schema.ts'

function codeOf(play: () => unknown): ErrorCode | 'none' {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError) return error.code
    throw error
  }
  return 'none'
}
const bytesOf = (text: string) => new TextEncoder().encode(text)
const kindNames = Object.keys(WordKind)
/** A layout as text: kind/group/bits of each word. */
const spell = ({ kinds, groups, bits }: RowLayout) =>
  [...kinds].map((kind, w) => `${kindNames[kind]}/${groups[w]}/${bits[w]}`).join(' ')
const numbered = (count: number, field: Field): Fields =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, field]))
const tableOf = (fields: Fields) => table(fields as Record<string, Field>)

describe('layout', () => {
  it('begins with life, then places fields in order of declaration', () => {
    const { layout, places } = table({
      on: flag(),
      first: toggle(),
      sum: counter(),
      second: toggle(),
      name: register.text(12),
      set: bits(70),
      size: register.u16(),
    })
    expect(spell(layout)).toBe(
      'max/1/64 max/1/64 xor/1/64 add/1/64 stamp/3/64 value/1/64 value/1/32 xor/1/64 xor/1/6 stamp/2/64 value/1/16',
    )
    expect(layout.words).toBe(11)
    expect(Object.fromEntries(places)).toEqual({
      on: [{ word: 1, words: 1, bit: 0 }],
      first: [{ word: 2, words: 1, bit: 0 }],
      sum: [{ word: 3, words: 1, bit: 0 }],
      second: [{ word: 2, words: 1, bit: 1 }],
      name: [{ word: 4, words: 3, bit: 0 }],
      set: [{ word: 7, words: 2, bit: 0 }],
      size: [{ word: 9, words: 2, bit: 0 }],
    })
  })

  it('gives the 65th toggle a word of its own, wherever toggles stand', () => {
    const { layout, places } = tableOf({ ...numbered(64, toggle()), n: counter(), last: toggle() })
    expect(layout.words).toBe(1 + 1 + 1 + 1)
    expect(places.get('f63')).toEqual([{ word: 1, words: 1, bit: 63 }])
    expect(places.get('last')).toEqual([{ word: 3, words: 1, bit: 0 }])
  })

  it('lays arrays out element by element, toggles packed', () => {
    const { layout, places } = table({ pairs: array(register.u8(), 2), lamps: array(toggle(), 65) })
    expect(spell(layout)).toBe('max/1/64 stamp/2/64 value/1/8 stamp/2/64 value/1/8 xor/1/64 xor/1/64')
    expect(places.get('pairs')).toEqual([
      { word: 1, words: 2, bit: 0 },
      { word: 3, words: 2, bit: 0 },
    ])
    expect(places.get('lamps')?.[64]).toEqual({ word: 6, words: 1, bit: 0 })
  })

  it('moves nothing when a field, a toggle included, is appended', () => {
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 8 }), fields, (before, appended) => {
        const small = tableOf(Object.fromEntries(before.map((field, i) => [`f${i}`, field])))
        const large = tableOf(Object.fromEntries([...before, appended].map((field, i) => [`f${i}`, field])))
        expect(spell(large.layout).startsWith(spell(small.layout))).toBe(true)
        for (const [name, places] of small.places) expect(large.places.get(name)).toEqual(places)
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('takes a row of 4,096 words and refuses one of 4,097', () => {
    expect(table({ a: bits(64 * 4095) }).layout.words).toBe(limits.rowWordsMax)
    expect(codeOf(() => table({ a: bits(64 * 4095), b: counter() }))).toBe('range')
    expect(codeOf(() => bits(64 * 4095 + 1))).toBe('range')
  })

  it('takes 1,024 fields and refuses 1,025', () => {
    expect(tableOf(numbered(limits.fieldsMax, toggle())).layout.words).toBe(17)
    expect(codeOf(() => tableOf(numbered(limits.fieldsMax + 1, toggle())))).toBe('range')
  })

  it('takes 65,536 elements in a space and refuses more, in one table or several', () => {
    const half = tableOf(numbered(8, array(toggle(), 4096 - 1)))
    const rest = tableOf({ a: array(toggle(), 8), b: array(toggle(), 8) })
    expect(codeOf(() => new Schema({ a: half, b: half, c: rest }))).toBe('none')
    expect(codeOf(() => new Schema({ a: half, b: half, c: rest, d: table({ x: array(toggle(), 1) }) }))).toBe(
      'range',
    )
    expect(codeOf(() => tableOf(numbered(17, array(toggle(), 4095))))).toBe('range')
  })

  it.each([...reservedFieldNames])('reserves the name %s', name => {
    expect(codeOf(() => tableOf({ [name]: counter() }))).toBe('range')
  })

  it.each(['', ' ', 'a b', '1a', 'a:b', 'a,b', 'é', 'x'.repeat(256), '-a', 'a\n'])(
    'refuses the name %j',
    name => {
      expect(codeOf(() => tableOf({ [name]: counter() }))).toBe('range')
      expect(codeOf(() => new Schema({ [name]: table({ a: counter() }) }))).toBe('range')
    },
  )

  it.each(['x'.repeat(255), '__proto__', 'constructor', 'a-b_9', 'toString'])('takes the name %s', name => {
    const schema = new Schema({ [name]: tableOf({ [name]: counter() }) })
    expect(schema.tables[0].places.get(name)).toEqual([{ word: 1, words: 1, bit: 0 }])
    expect(decodeSchema(schema.encode()).description).toBe(schema.description)
  })

  it('takes 1 to 64 tables', () => {
    const one = table({ a: counter() })
    const tables = (count: number): Tables =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, one]))
    expect(codeOf(() => new Schema(tables(0)))).toBe('range')
    expect(codeOf(() => new Schema(tables(limits.tablesMax)))).toBe('none')
    expect(codeOf(() => new Schema(tables(limits.tablesMax + 1)))).toBe('range')
  })

  it('refuses a description that no handshake would carry', () => {
    const long = tableOf(
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${'x'.repeat(240)}${i}`, counter()])),
    )
    expect(codeOf(() => new Schema({ long }))).toBe('range')
  })
})

const scalars: Field[] = [
  toggle(),
  flag(),
  counter(),
  register.u8(),
  register.i16(),
  register.u32(),
  register.i64(),
]
const fields: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(
    ...scalars,
    register.bool(),
    register.f32(),
    register.f64(),
    register.u64(),
    register.i8(),
    register.u16(),
    register.i32(),
  ),
  fc
    .uniqueArray(fc.stringMatching(/^[a-zé-]{1,5}$/), { minLength: 1, maxLength: 5 })
    .map(names => register.enum(...(names as [string]))),
  fc.integer({ min: 1, max: 300 }).map(n => bits(n)),
  fc.integer({ min: 1, max: 60 }).map(n => register.bytes(n)),
  fc.integer({ min: 1, max: 60 }).map(n => register.text(n)),
  fc
    .tuple(fc.constantFrom(toggle(), counter(), register.text(9)), fc.integer({ min: 1, max: 70 }))
    .map(([one, n]) => array(one, n)),
)
const schemas = fc
  .array(fc.array(fields, { maxLength: 6 }), { minLength: 1, maxLength: 4 })
  .map(
    tables =>
      new Schema(
        Object.fromEntries(
          tables.map((fields, t) => [
            `t${t}`,
            tableOf(Object.fromEntries(fields.map((field, f) => [`f${f}`, field]))),
          ]),
        ),
      ),
  )

describe('description', () => {
  it('is one line a table', () => {
    const schema = new Schema({
      airports: table({ departures: counter(), pulse: toggle(), delayed: flag(), route: register.text(8) }),
      gates: table({
        open: array(toggle(), 40),
        state: register.enum('shut', 'open'),
        mask: bits(9),
        raw: register.bytes(3),
      }),
    })
    expect(schema.description).toBe(
      'airports(departures:counter,pulse:toggle,delayed:flag,route:text(8))\n' +
        'gates(open:toggle*40,state:enum(shut,open),mask:bits(9),raw:bytes(3))\n',
    )
    expect(schema.hash).toMatch(/^[0-9a-f]{16}$/)
  })

  it('is enough to build the same schema', () => {
    fc.assert(
      fc.property(schemas, schema => {
        const again = decodeSchema(schema.encode())
        expect(again.description).toBe(schema.description)
        expect(again.hash).toBe(schema.hash)
        expect(again.names).toEqual(schema.names)
        expect(again.layouts.map(spell)).toEqual(schema.layouts.map(spell))
        expect(again.tables.map(t => [...t.places])).toEqual(schema.tables.map(t => [...t.places]))
        expect(differenceOf(schema, again)).toBeUndefined()
      }),
      { numRuns: 300, seed: 2 },
    )
  })

  it('has another hash when anything differs', () => {
    fc.assert(
      fc.property(schemas, schemas, (a, b) => {
        expect(a.hash === b.hash).toBe(a.description === b.description)
      }),
      { numRuns: 300, seed: 3 },
    )
  })
})

describe('difference', () => {
  const base = { a: table({ n: counter(), t: toggle() }), b: table({ x: register.u8() }) }
  const schema = new Schema(base)
  it.each<[Tables, string]>([
    [{ a: table({ n: counter(), t: flag() }), b: base.b }, 'field 2 of a is t:toggle here and t:flag there'],
    [{ a: table({ n: counter() }), b: base.b }, 'field 2 of a is t:toggle here and absent there'],
    [
      { a: table({ n: counter(), t: toggle(), u: toggle() }), b: base.b },
      'field 3 of a is absent here and u:toggle there',
    ],
    [
      { a: table({ m: counter(), t: toggle() }), b: base.b },
      'field 1 of a is n:counter here and m:counter there',
    ],
    [{ a: base.a }, 'table 2 is b here and absent there'],
    [{ a: base.a, c: base.b }, 'table 2 is b here and c there'],
    [{ a: base.a, b: base.b, c: base.b }, 'table 3 is absent here and c there'],
    [{ a: base.a, b: table({ x: register.u16() }) }, 'field 1 of b is x:u8 here and x:u16 there'],
    [{ a: base.a, b: table({ x: array(register.u8(), 2) }) }, 'field 1 of b is x:u8 here and x:u8*2 there'],
  ])('case %#: %s', (other, message) => {
    expect(differenceOf(schema, new Schema(other))).toBe(message)
  })
  it('is nothing between equals', () => {
    expect(differenceOf(schema, new Schema(base))).toBeUndefined()
  })
})

describe('descriptions from outside', () => {
  it.each([
    ['', 'empty'],
    ['a(n:counter)', 'no newline'],
    ['a(n:counter)\n\n', 'an empty line'],
    ['a(n:counter)\r\n', 'another newline'],
    ['a(n:counter)\na(n:counter)\n', 'one table twice'],
    ['a(n:counter,n:counter)\n', 'one field twice'],
    ['a(n:counter,)\n', 'a comma at the end'],
    ['a( n:counter)\n', 'a space'],
    ['a(n:Counter)\n', 'a type that is none'],
    ['a(n:constructor)\n', 'a type every object has'],
    ['a(n:enum)\n', 'an enum without names'],
    ['a(n:enum(a,a))\n', 'a name twice'],
    ['a(n:text)\n', 'a text without length'],
    ['a(n:text(0))\n', 'a text of no bytes'],
    ['a(n:text(08))\n', 'a number in another spelling'],
    ['a(n:text(8e0))\n', 'a number in yet another'],
    ['a(n:text(4097))\n', 'a text too long'],
    ['a(n:text(-1))\n', 'a negative length'],
    ['a(n:bits(262081))\n', 'too many bits'],
    ['a(n:bits(8)*2)\n', 'an array of bits'],
    ['a(n:u8*0)\n', 'an array of nothing'],
    ['a(n:u8*01)\n', 'a count in another spelling'],
    ['a(n:u8*4096)\n', 'an array too long'],
    ['a(n:u8*2*2)\n', 'an array of arrays'],
    ['a(n:counter(1))\n', 'a parameter too many'],
    ['a(key:counter)\n', 'a reserved name'],
    ['1(n:counter)\n', 'a table named like an index'],
    ['a(1:counter)\n', 'a field named like an index'],
    ['a(n:counter', 'cut'],
    [`${'('.repeat(1000)}\n`, 'brackets'],
    [`a(n:${'enum('.repeat(1000)})\n`, 'depth'],
    [`a(${'n:u8*4095,'.repeat(10)}m:u8)\n`, 'one name often'],
  ])('%j is refused: %s', description => {
    expect(codeOf(() => decodeSchema(bytesOf(description)))).toBe('schema')
  })

  it('bytes that are not UTF-8 are refused', () => {
    expect(codeOf(() => decodeSchema(Uint8Array.of(0x61, 0xff)))).toBe('schema')
  })

  it('one byte more than the limit is refused', () => {
    expect(codeOf(() => decodeSchema(new Uint8Array(limits.schemaBytesMax + 1).fill(0x61)))).toBe('schema')
  })

  const fill = (piece: (i: number) => string, wrap = (text: string) => text) => {
    let text = ''
    for (let i = 0; ; i++) {
      const next = piece(i)
      if (text.length + next.length > limits.schemaBytesMax - 64) break
      text += next
    }
    return wrap(text)
  }
  it.each([
    [
      '64 kB of the longest arrays',
      fill(i => `t${i}(${Array.from({ length: 16 }, (_, f) => `f${f}:toggle*4095`).join()})\n`),
    ],
    [
      '64 tables of the longest arrays, 14 kB',
      Array.from(
        { length: 64 },
        (_, t) => `t${t}(${Array.from({ length: 16 }, (_, f) => `f${f}:toggle*4095`).join()})\n`,
      ).join(''),
    ],
    ['64 kB of tables', fill(i => `t${i}(b:bits(262080))\n`)],
    [
      '64 kB of fields',
      fill(
        i => `f${i}:bits(262080),`,
        text => `t(${text}z:u8)\n`,
      ),
    ],
    [
      '64 kB of arrays in one table',
      fill(
        i => `f${i}:u64*4095,`,
        text => `t(${text}z:u8)\n`,
      ),
    ],
    [
      '64 kB of names of one enum',
      fill(
        i => `n${i},`,
        text => `t(f:enum(${text}z))\n`,
      ),
    ],
    [
      '64 kB of brackets',
      fill(
        () => '(',
        text => `t(${text})\n`,
      ),
    ],
    [
      '64 kB of commas',
      fill(
        () => ',',
        text => `t(${text})\n`,
      ),
    ],
    [
      '64 kB of one word',
      fill(
        () => 'a',
        text => `${text}\n`,
      ),
    ],
    [
      '64 kB of stars',
      fill(
        () => '*1',
        text => `t(a:u8${text})\n`,
      ),
    ],
    ['64 kB of empty lines', fill(() => '\n')],
  ])('%s: refused in bounded time and memory', (_, description) => {
    expect(description.length).toBeLessThanOrEqual(limits.schemaBytesMax)
    const bytes = bytesOf(description)
    const heapBefore = process.memoryUsage().heapUsed
    const startMs = performance.now()
    expect(codeOf(() => decodeSchema(bytes))).toBe('schema')
    expect(performance.now() - startMs).toBeLessThan(1000)
    // Garbage counts too: this is what was touched, not what was kept.
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(64 * 2 ** 20)
  })
})

describe('values', () => {
  const halves = new Int32Array(600)
  /** Writes and reads back; what stands outside the value's words must stay. */
  const through = <Value>({ codec }: Register<Value>, value: Value): Value => {
    halves.fill(0x5a5a_5a5a)
    codec.write(value, halves, 2)
    expect(halves[1]).toBe(0x5a5a_5a5a)
    expect(halves[2 + 2 * codec.words]).toBe(0x5a5a_5a5a)
    for (let w = 0; w < codec.words; w++) {
      const word = (BigInt(halves[3 + 2 * w] >>> 0) << 32n) | BigInt(halves[2 + 2 * w] >>> 0)
      expect(word >> BigInt(codec.bits[w])).toBe(0n)
    }
    return codec.read(halves, 2)
  }
  const untouched = <Value>({ codec }: Register<Value>): Value => {
    halves.fill(0)
    return codec.read(halves, 0)
  }

  it.each([
    ['u8', 0, 255],
    ['u16', 0, 65_535],
    ['u32', 0, 2 ** 32 - 1],
    ['i8', -128, 127],
    ['i16', -32_768, 32_767],
    ['i32', -(2 ** 31), 2 ** 31 - 1],
  ] as const)('%s holds %i to %i and refuses the rest', (type, min, max) => {
    const field = register[type]()
    for (const value of [min, max, 0, 1, Math.trunc(min / 2), Math.trunc(max / 2)])
      expect(through(field, value)).toBe(value)
    fc.assert(
      fc.property(fc.integer({ min, max }), value => {
        expect(through(field, value)).toBe(value)
      }),
    )
    for (const value of [min - 1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, 1n])
      expect(codeOf(() => field.codec.write(value as number, halves, 0))).toBe('range')
    expect(untouched(field)).toBe(0)
  })

  it.each([
    ['u64', 0n, 2n ** 64n - 1n],
    ['i64', -(2n ** 63n), 2n ** 63n - 1n],
  ] as const)('%s holds %i to %i and refuses the rest', (type, min, max) => {
    const field = register[type]()
    fc.assert(
      fc.property(fc.bigInt({ min, max }), value => {
        expect(through(field, value)).toBe(value)
      }),
    )
    for (const value of [min, max, 0n]) expect(through(field, value)).toBe(value)
    for (const value of [min - 1n, max + 1n, 1, '1', undefined])
      expect(codeOf(() => field.codec.write(value as bigint, halves, 0))).toBe('range')
    expect(untouched(field)).toBe(0n)
  })

  it('codes small magnitudes of either sign as small words', () => {
    register.i32().codec.write(-3, halves, 0)
    expect([halves[0], halves[1]]).toEqual([5, 0])
    register.i64().codec.write(-3n, halves, 0)
    expect([halves[0], halves[1]]).toEqual([5, 0])
  })

  it('f64 keeps every number, f32 what Math.fround keeps', () => {
    fc.assert(
      fc.property(fc.double(), value => {
        expect(through(register.f64(), value)).toBe(value)
        expect(through(register.f32(), value)).toBe(Math.fround(value))
      }),
    )
    for (const value of [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE])
      expect(Object.is(through(register.f64(), value), value)).toBe(true)
    expect(codeOf(() => register.f64().codec.write('1' as unknown as number, halves, 0))).toBe('range')
    expect(untouched(register.f64())).toBe(0)
  })

  it('bool is a boolean and nothing like one', () => {
    expect(through(register.bool(), true)).toBe(true)
    expect(through(register.bool(), false)).toBe(false)
    for (const value of [0, 1, 'true', undefined])
      expect(codeOf(() => register.bool().codec.write(value as unknown as boolean, halves, 0))).toBe('range')
    expect(untouched(register.bool())).toBe(false)
  })

  it('enum holds its names, reads the first when unwritten or unknown', () => {
    const field = register.enum('shut', 'open', 'ajar')
    for (const name of ['shut', 'open', 'ajar'] as const) expect(through(field, name)).toBe(name)
    expect(codeOf(() => field.codec.write('wide' as 'open', halves, 0))).toBe('range')
    expect(untouched(field)).toBe('shut')
    halves[0] = 3
    expect(field.codec.read(halves, 0)).toBe('shut')
  })
  it('enum takes 1 to 256 different plain names', () => {
    const names = Array.from({ length: 257 }, (_, i) => `n${i}`) as [string, ...string[]]
    expect(register.enum(...(names.slice(0, 256) as [string])).codec.bits).toEqual([8])
    expect(register.enum('one').codec.bits).toEqual([1])
    for (const bad of [names, ['a', 'a'], ['a b'], ['a,b'], ['(a'], []])
      expect(codeOf(() => register.enum(...(bad as [string])))).toBe('range')
  })

  it('bytes holds exactly its length', () => {
    for (const length of [1, 7, 8, 9, 64, 2048]) {
      const value = Uint8Array.from({ length }, (_, i) => (i * 37 + 1) & 255)
      expect(through(register.bytes(length), value)).toEqual(value)
    }
    const field = register.bytes(4)
    for (const value of [new Uint8Array(3), new Uint8Array(5), [1, 2, 3, 4], undefined])
      expect(codeOf(() => field.codec.write(value as Uint8Array, halves, 0))).toBe('width')
    expect(untouched(field)).toEqual(new Uint8Array(4))
    for (const count of [0, 2049, 1.5, Number.NaN]) expect(codeOf(() => register.bytes(count))).toBe('range')
  })

  it('text holds what fits its bytes, and no NUL or half a character', () => {
    const field = register.text(9)
    for (const value of ['', 'a', 'Zürich', '東京都', '\u{1f6eb}', 'abcdefghi'])
      expect(through(field, value)).toBe(value)
    for (const value of ['abcdefghij', '東京都x'])
      expect(codeOf(() => field.codec.write(value, halves, 0))).toBe('width')
    for (const value of ['a\0b', '\ud800', 'x\udc00', 7, undefined])
      expect(codeOf(() => field.codec.write(value as string, halves, 0))).toBe('range')
    expect(untouched(field)).toBe('')
    halves[0] = 0xff
    expect(field.codec.read(halves, 0)).toBe('\u{fffd}')
  })

  it('a refused value leaves its words alone', () => {
    const registers: [Register<never>, unknown][] = [
      [register.u8() as Register<never>, 256],
      [register.u64() as Register<never>, -1n],
      [register.f64() as Register<never>, '1'],
      [register.bool() as Register<never>, 1],
      [register.enum('a') as Register<never>, 'b'],
      [register.bytes(4) as Register<never>, new Uint8Array(5)],
      [register.text(4) as Register<never>, 'abcde'],
    ]
    for (const [{ codec }, value] of registers) {
      halves.fill(9)
      expect(codeOf(() => codec.write(value as never, halves, 0))).not.toBe('none')
      expect(halves.every(half => half === 9)).toBe(true)
    }
  })
})

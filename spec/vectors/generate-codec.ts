/**
 * Writes spec/vectors/codec.json: the integers of the wire format, runs of one row, and whole deltas with their bytes.
 * Edges by hand, the rest seeded. `npx tsx tools/vectors.ts`; a test compares the file with a fresh run and decodes it.
 */
import { Delta, type RowLayout, WordKind } from '../../packages/atomik/src/algebra/index.ts'
import { SeededRandom } from '../../packages/atomik/src/engine/random.ts'
import { decodeSchema } from '../../packages/atomik/src/schema/index.ts'
import {
  encodeDelta,
  encodeUtf8,
  namesByKey,
  type RowNames,
  Writer,
} from '../../packages/atomik/src/wire/index.ts'
import { formatLists, hexBytes, hexWord, parseHalves } from './text.ts'

/** How rows are named: all by key; as a client sends; as a hub sends. */
export type Naming = 'key' | 'uplink' | 'downlink'

export interface RowCase {
  table: number
  key: string
  /** Words that are not 0, by index in the row. */
  words: Record<string, string>
}
export interface DeltaCase {
  name: string
  schema: string
  stampBaseMs: number
  naming: Naming
  /** Keys by agreed number, by table: what the reader knows before. */
  known: string[][]
  /** In order of table, then as named. */
  rows: RowCase[]
  bytes: string
}

export const vectorSchemas = {
  counter: 'c(n:counter)\n',
  kinds: 'cells(on:flag,sum:counter,bit:toggle,name:text(12),size:u16,set:bits(70))\n',
  tables: 'a(n:counter,r:u32)\nb(t:toggle)\nc(v:i64*3)\n',
  wide: 'w(blob:bytes(256),m:f64*4)\n',
} as const

const write = (play: (w: Writer) => void): string => {
  const w = new Writer()
  play(w)
  return hexBytes(w.finish())
}

/** A delta from rows as vectors spell them. Local rows are numbered by first mention, after the known ones. */
export function deltaOf(
  layouts: readonly RowLayout[],
  known: readonly (readonly string[])[],
  rows: readonly RowCase[],
) {
  const keys = layouts.map((_, table) => [...(known[table] ?? [])])
  const delta = new Delta(layouts)
  for (const { table, key, words } of rows) {
    let row = keys[table].indexOf(key)
    if (row < 0) row = keys[table].push(key) - 1
    const at = delta.tables[table].open(row)
    for (const [word, value] of Object.entries(words)) {
      const { low, high } = parseHalves(value)
      delta.tables[table].words[at + 2 * Number(word)] = low
      delta.tables[table].words[at + 2 * Number(word) + 1] = high
    }
  }
  return { delta, keys }
}

export function namesFor(naming: Naming, known: readonly (readonly string[])[], keys: string[][]): RowNames {
  const keyOf = (table: number, row: number) => keys[table][row]
  if (naming === 'key') return namesByKey(keyOf)
  const knownRows = (table: number) => known[table]?.length ?? 0
  return {
    keyOf,
    knownRows,
    numberOf: (table, row) => (naming === 'downlink' || row < knownRows(table) ? row : -1),
  }
}

export function codecVectors() {
  const random = new SeededRandom(20_261_123)
  const word = () => (BigInt(random.next32()) << 32n) | BigInt(random.next32())

  const varints = [
    ...[
      0,
      1,
      127,
      128,
      129,
      300,
      16_383,
      16_384,
      2_097_151,
      2_097_152,
      2 ** 28 - 1,
      2 ** 28,
      2 ** 31 - 1,
      2 ** 31,
    ],
    ...[2 ** 32 - 1, 2 ** 32, 2 ** 35 - 1, 2 ** 35, 2 ** 42 - 1, 2 ** 42, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1],
    ...Array.from({ length: 24 }, (_, i) => Math.floor(random.next() * 2 ** (2 * i + 6))),
  ].map(value => ({ value: hexWord(value), bytes: write(w => w.varint(value)) }))

  const spanCase = (values: readonly bigint[]) => ({
    values: values.map(hexWord),
    bytes: write(w => {
      w.beginSpans()
      for (const value of values) {
        const { low, high } = parseHalves(hexWord(value))
        w.span(low, high)
      }
    }),
  })
  const edges = [0n, 1n, 0xffn, 0x100n, 0xffffn, 0x1_0000n, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n]
  const spans = [
    [],
    ...[
      ...edges,
      0xff_0000_0100n,
      0x8000_0000_0000_0000n,
      2n ** 64n - 1n,
      0x0100_0000_0000_0001n,
      0xff00ff00_ff00ff00n,
    ].map(value => [value]),
    ...[2, 5, 6, 7, 12, 13].map(count => Array.from({ length: count }, (_, i) => BigInt(i + 1))),
    Array.from({ length: 8 }, () => 0n),
    [1n, 0n, 0n, 0x100n, 0x200n, 2n ** 64n - 1n, 0n, 3n],
    ...Array.from({ length: 12 }, (_, i) => Array.from({ length: i + 1 }, () => word() & word() & word())),
    Array.from({ length: 20 }, () => word()),
    Array.from({ length: 20 }, () => word() >> BigInt(8 * random.below(8))),
  ].map(spanCase)

  const texts = [
    '',
    'a',
    'ATL',
    'Zürich',
    '東京',
    'a\u0000b',
    '\u{10ffff}',
    '\u{1f6eb} \ufeff',
    'x'.repeat(128),
  ].map(text => ({ text, bytes: write(w => w.text(text)) }))

  const schema = (text: string) => decodeSchema(encodeUtf8(text))
  const deltas: DeltaCase[] = []
  const add = (
    name: string,
    description: string,
    rows: RowCase[],
    options: { stampBaseMs?: number; naming?: Naming; known?: string[][] } = {},
  ) => {
    const { layouts } = schema(description)
    const { stampBaseMs = 0, naming = 'key', known = layouts.map(() => []) } = options
    const { delta, keys } = deltaOf(layouts, known, rows)
    const w = new Writer()
    encodeDelta(w, delta, namesFor(naming, known, keys), { ms: stampBaseMs, count: 0 })
    deltas.push({ name, schema: description, stampBaseMs, naming, known, rows, bytes: hexBytes(w.finish()) })
  }
  const row = (table: number, key: string, words: Record<number, bigint>): RowCase => ({
    table,
    key,
    words: Object.fromEntries(Object.entries(words).map(([at, value]) => [at, hexWord(value)])),
  })
  const minus = (value: bigint) => 2n ** 64n - value
  const stamp = (ms: number, count: number) => BigInt(ms) * 65_536n + BigInt(count)

  add('empty', vectorSchemas.counter, [])
  add('life and one', vectorSchemas.counter, [row(0, 'ATL', { 0: 1n, 1: 1n })])
  add('minus one', vectorSchemas.counter, [row(0, 'ATL', { 1: minus(1n) })])
  add('add edges', vectorSchemas.counter, [
    row(0, 'a', { 1: 63n }),
    row(0, 'b', { 1: minus(64n) }),
    row(0, 'c', { 1: 2n ** 63n - 1n }),
    row(0, 'd', { 1: 2n ** 63n }),
    row(0, 'e', { 1: minus(129n) }),
  ])
  add('keys in order of bytes', vectorSchemas.counter, [
    row(0, '\u{10000}', { 1: 3n }),
    row(0, '\uffff', { 1: 2n }),
    row(0, 'b', { 1: 1n }),
    row(0, 'ab', { 1: 1n }),
    row(0, 'a', { 1: 1n }),
  ])
  add('longest key', vectorSchemas.counter, [row(0, 'k'.repeat(255), { 0: 1n })])
  const { places } = schema(vectorSchemas.kinds).tables[0]
  const at = (field: string) => places.get(field)?.[0].word ?? -1
  const base = 1_790_000_000_000
  const all: RowCase = row(0, 'r', {
    0: 1n,
    [at('on')]: 3n,
    [at('sum')]: minus(500n),
    [at('bit')]: 1n,
    [at('name')]: stamp(base + 20, 1),
    [at('name') + 1]: 0x6b69_6d6f_7461n,
    [at('size')]: stamp(base + 20, 1),
    [at('size') + 1]: 0xffffn,
    [at('set')]: 2n ** 63n,
    [at('set') + 1]: 63n,
  })
  add('all kinds', vectorSchemas.kinds, [all], { stampBaseMs: base })
  add('all kinds, base 0', vectorSchemas.kinds, [all])
  add(
    'stamps: the base itself, then before and after it',
    vectorSchemas.kinds,
    [
      row(0, 'a', { [at('size')]: stamp(base, 0) }),
      row(0, 'b', { [at('size')]: stamp(base - 1, 65_535), [at('size') + 1]: 1n }),
      row(0, 'c', { [at('size')]: stamp(base - 1, 65_535), [at('size') + 1]: 2n }),
      row(0, 'd', { [at('size')]: stamp(2 ** 48 - 1, 0) }),
      row(0, 'e', { [at('size')]: stamp(0, 1) }),
    ],
    { stampBaseMs: base },
  )
  add('gaps', vectorSchemas.kinds, [
    row(0, 'first', { 0: 1n }),
    row(0, 'last', { [at('set') + 1]: 1n }),
    row(0, 'alternate', { 0: 1n, 2: 1n, [at('name')]: 65_536n, [at('set')]: 1n }),
  ])
  add('tables 0 and 2', vectorSchemas.tables, [
    row(0, 'x', { 0: 1n, 1: 7n }),
    row(2, 'x', { 0: 1n, 5: 65_536n, 6: 2n ** 64n - 1n }),
  ])
  const known = [['p', 'q', 'r'], [], ['x']]
  const mixed = [
    row(0, 'q', { 1: 2n }),
    row(0, 'z', { 0: 1n, 1: 1n }),
    row(0, 'y', { 0: 1n, 1: 4n }),
    row(1, 't', { 0: 1n, 1: 1n }),
    row(2, 'x', { 1: stamp(5, 5), 2: 9n }),
  ]
  add('known and new rows, client to hub', vectorSchemas.tables, mixed, { naming: 'uplink', known })
  add('known and new rows, hub to client', vectorSchemas.tables, mixed, { naming: 'downlink', known })
  add('one known row', vectorSchemas.counter, [row(0, 'b', { 1: 1n })], {
    naming: 'uplink',
    known: [['a', 'b']],
  })

  const known8 = { naming: 'uplink', known: [Array.from({ length: 200 }, (_, i) => `k${i}`)] } as const
  const point = (name: string, description: string, words: Record<number, bigint>) =>
    add(name, description, [row(0, 'k150', words)], {
      ...known8,
      stampBaseMs: base,
      known: [[...known8.known[0]]],
    })
  point('point: full word', vectorSchemas.counter, { 1: 0x0123_4567_89ab_cdefn })
  point('point: first byte zero', vectorSchemas.counter, { 0: 0x0123_4567_89ab_cd00n })
  point('point: register', vectorSchemas.kinds, { [at('size')]: stamp(base + 3, 0), [at('size') + 1]: 9n })
  point('point: register of value zero', vectorSchemas.kinds, { [at('size')]: stamp(base + 3, 2) })
  point('point: text', vectorSchemas.kinds, {
    [at('name')]: stamp(base + 3000, 0),
    [at('name') + 1]: 0x6b69_6d6f_7461_6262n,
    [at('name') + 2]: 0x21n,
  })
  const registers = 'r(v:u64)\n'
  const many = (
    name: string,
    description: string,
    numbers: readonly number[],
    words: (i: number) => Record<number, bigint>,
  ) =>
    add(
      name,
      description,
      numbers.map(i => row(0, `k${i}`, words(i))),
      {
        naming: 'uplink',
        stampBaseMs: base,
        known: [[...known8.known[0]]],
      },
    )
  const eight = [0, 1, 2, 3, 4, 5, 6, 7]
  many('rows that follow each other', registers, eight, i => ({ 1: stamp(base + i, 0), 2: word() }))
  many('rows apart, of one shape', registers, [3, 9, 12, 150], i => ({ 1: stamp(base, i), 2: BigInt(i) }))
  many('two shapes in turn', vectorSchemas.counter, eight, i => ({ [i % 2]: BigInt(i + 1) }))
  many('some values zero', registers, eight, i => ({
    1: stamp(base + i, 0),
    ...(i % 3 > 0 && { 2: BigInt(i) }),
  }))
  const wideToggles = 't(n:counter,b:bits(500))\n'
  const bit = (n: number) => 1n << BigInt(n)
  many('few bits of many', wideToggles, [0, 1], i => ({ 2: bit(i), 5: bit(63) + bit(3), 9: bit(51) }))
  many('few bits and a counter', wideToggles, [0], () => ({ 1: 5n, 2: 1n, 9: bit(51) }))
  many('four bits a word', wideToggles, [0], () => ({ 2: 15n, 3: 15n }))
  many('more than four bits a word', wideToggles, [0], () => ({ 2: 15n, 3: 31n }))
  many('many bits of one word', wideToggles, [0, 1], () => ({ 1: 1n, 3: 31n }))
  add(
    '200 rows hub to client, some new',
    vectorSchemas.counter,
    [
      row(0, 'k7', { 1: 1n }),
      row(0, 'z', { 0: 1n, 1: 3n }),
      row(0, 'b', { 0: 1n, 1: 4n }),
      row(0, 'a', { 0: 1n }),
    ],
    { naming: 'downlink', known: [[...known8.known[0]]] },
  )

  for (let i = 0; i < 24; i++) {
    const names = Object.keys(vectorSchemas) as (keyof typeof vectorSchemas)[]
    const description = vectorSchemas[names[i % names.length]]
    const { layouts } = schema(description)
    const rows: RowCase[] = []
    const known = layouts.map((_, t) => Array.from({ length: random.below(4) }, (_, k) => `k${t}${k}`))
    layouts.forEach((layout, table) => {
      for (const key of new Set(
        Array.from({ length: random.below(4) }, () => `k${table}${random.below(8)}`),
      )) {
        const words: Record<number, bigint> = {}
        for (let w = 0; w < layout.words; w += layout.groups[w]) {
          if (random.next() < 0.6) continue
          words[w] =
            layout.kinds[w] === WordKind.stamp
              ? stamp(base + random.below(100) - 50, random.below(3))
              : layout.kinds[w] === WordKind.add
                ? random.next() < 0.5
                  ? BigInt(1 + random.below(1000))
                  : minus(BigInt(1 + random.below(1000)))
                : clip(word() & word(), layout.bits[w])
          for (let v = 1; v < layout.groups[w]; v++)
            if (random.next() < 0.7) words[w + v] = clip(word() & word() & word(), layout.bits[w + v])
        }
        for (const w of Object.keys(words)) if (words[Number(w)] === 0n) delete words[Number(w)]
        if (Object.keys(words).length > 0) rows.push(row(table, key, words))
      }
    })
    const naming = (['key', 'uplink', 'downlink'] as const)[i % 3]
    add(`seeded-${i}`, description, rows, {
      stampBaseMs: base,
      naming,
      known: naming === 'key' ? layouts.map(() => []) : known,
    })
  }
  return { varints, spans, texts, deltas }
}

function clip(value: bigint, bits: number): bigint {
  return value % 2n ** BigInt(bits)
}

export function formatCodec(): string {
  return formatLists(codecVectors())
}

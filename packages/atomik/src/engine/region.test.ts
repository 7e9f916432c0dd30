/**
 * Goal: a region holds the bytes that were put there, whoever reads; the hub takes them from one writer at a time; digests tell
 * where two copies differ. Method: patches against a plain byte array; a hub that is sent what a client would not send; digests
 * of pages reckoned afresh.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Delta } from '../algebra/index.ts'
import { decodeSchema, isRegion, regionTable, register, Schema, table, toggle } from '../schema/index.ts'
import type { NamedRow } from '../wire/index.ts'
import {
  objectionToPages,
  PageDigests,
  pageKey,
  parsePageKey,
  patchPage,
  Reference,
  Replica,
  readPage,
  regionWords,
  SeededRandom,
  writerOf,
} from './index.ts'

const files = regionTable({ pageBytes: 64 })
const schema = new Schema({ notes: table({ on: toggle() }), files })
const stride = 2 * files.layout.words
const [alice, bob] = [1, 2].map(seed => Uint8Array.from({ length: 16 }, (_, i) => seed * 16 + i))

describe('the names of pages', () => {
  it('are the number and the name, in one spelling', () => {
    for (const name of ['a', 'a:b', '7:a', 'ä b\n'])
      expect(parsePageKey(pageKey(12, name))).toEqual({ page: 12, name })
    for (const key of ['', 'a', ':a', '1:', '01:a', '1a:b', '-1:a', '12345678:a'])
      expect(parsePageKey(key)).toBeUndefined()
  })
})

describe('a region in a schema', () => {
  it('survives its description, which names the page', () => {
    expect(schema.description).toContain('files(writer:u64,length:u32,page:page(64))')
    const theirs = decodeSchema(schema.encode())
    expect(theirs.tables.map(isRegion)).toEqual([false, true])
    expect(theirs.layouts[1]).toEqual(files.layout)
    const place = (name: string) => files.places.get(name)?.[0].word
    expect([place('writer'), place('length'), place('page')]).toEqual([
      regionWords.writer,
      regionWords.length,
      regionWords.bytes,
    ])
  })
  it.each([
    'files(page:page(64))\n',
    'files(writer:u64,length:u32,page:page(64),more:u8)\n',
    'files(writer:u64,length:u32,bytes:page(64))\n',
    'files(writer:u64,length:u32,page:page(63))\n',
    'files(writer:u64,length:u32,page:page(16392))\n',
    'files(writer:u64,length:u32,page:page(64)*2)\n',
  ])('is refused in any other form: %s', text => {
    expect(() => decodeSchema(new TextEncoder().encode(text))).toThrow(
      expect.objectContaining({ code: 'schema' }),
    )
  })
})

describe('patches of a page', () => {
  it('put bytes where a plain array has them, and are undone by the same bits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(63), fc.uint8Array({ minLength: 1, maxLength: 64 })), { maxLength: 12 }),
        fc.boolean(),
        (patches, removes) => {
          const random = new SeededRandom(1)
          const replica = new Replica({ schema, space: 's', random32: () => random.next32() })
          const row = replica.row(1, pageKey(0, 'x'))
          const words = new Int32Array(stride)
          const plain = new Uint8Array(64)
          const changes: number[] = []
          const read = () => {
            replica.readRow(1, row, words)
            const bytes = new Uint8Array(64)
            if ((words[0] & 1) === 1) readPage(words, 0, bytes)
            return bytes
          }
          for (const [offset, given] of patches) {
            const bytes = given.subarray(0, 64 - offset)
            plain.set(bytes, offset)
            const before = replica.lastChange
            replica.change(1, edit => {
              replica.readRow(1, row, words)
              patchPage(edit, 1, row, words, offset, bytes)
            })
            if (replica.lastChange > before) changes.push(replica.lastChange)
            expect(read()).toEqual(plain)
            if (removes && bytes[0] % 5 === 0) {
              replica.change(1, edit => edit.remove(1, row))
              plain.fill(0)
              expect(read()).toEqual(plain)
            }
          }
          if (removes) return
          for (const change of changes.reverse()) replica.undo(1, change)
          expect(read()).toEqual(new Uint8Array(64))
        },
      ),
      { numRuns: 500, seed: 1 },
    )
  })
})

/** What a batch of these rows, each by key with words to set, is told by a hub that holds `held`. */
function judge(
  author: Uint8Array,
  held: Record<string, Record<number, readonly [number, number]>>,
  batch: Record<string, Record<number, readonly [number, number]>>,
) {
  const reference = new Reference(schema.layouts)
  const fill = (delta: Delta, row: number, words: Record<number, readonly [number, number]>) => {
    const at = delta.tables[1].open(row)
    for (const [word, [low, high]] of Object.entries(words)) {
      delta.tables[1].words[at + 2 * Number(word)] = low
      delta.tables[1].words[at + 2 * Number(word) + 1] = high
    }
  }
  for (const [key, words] of Object.entries(held)) {
    const delta = new Delta(schema.layouts)
    fill(delta, reference.tables[1].open(key), words)
    reference.accum(delta)
  }
  const delta = new Delta(schema.layouts)
  const named: NamedRow[] = []
  for (const [key, words] of Object.entries(batch)) {
    const known = reference.tables[1].find(key)
    const row = known >= 0 ? known : reference.tables[1].count + named.length
    if (known < 0) named.push({ table: 1, key, row, isNew: true })
    fill(delta, row, words)
  }
  return objectionToPages({ delta, named }, schema.tables, reference, writerOf(author))
}

const life: readonly [number, number] = [1, 0]
const names = (who: Uint8Array, at = 1) => {
  const { low, high } = writerOf(who)
  return { [regionWords.writer]: [at, 0], [regionWords.writer + 1]: [low, high] } as const
}
const bytes = { [regionWords.bytes]: [7, 0] } as const
const length = { [regionWords.length]: [1, 0], [regionWords.length + 1]: [8, 0] } as const

describe('who may write, as the hub judges', () => {
  const held = { '0:x': { 0: life, ...names(alice) }, '1:x': { 0: life, ...bytes } }
  it('the writer named before the batch: head, pages old and new, removal', () => {
    for (const batch of [
      { '0:x': bytes },
      { '0:x': length },
      { '1:x': bytes },
      { '2:x': { 0: life, ...bytes } },
      { '1:x': { 0: [2, 0] as const } },
      { '0:x': { 0: [2, 0] as const } },
    ]) {
      expect(judge(alice, held, batch)).toBeUndefined()
      expect(judge(bob, held, batch)).toBe('owner')
    }
  })
  it('anybody may name a writer, but not write in the same batch where one was named already', () => {
    expect(judge(bob, held, { '0:x': names(bob, 2) })).toBeUndefined()
    expect(judge(bob, held, { '0:x': { ...names(bob, 2), ...bytes } })).toBe('owner')
    expect(judge(bob, held, { '0:x': names(bob, 2), '1:x': bytes })).toBe('owner')
    expect(judge(bob, held, { '0:x': { ...names(bob, 2), 0: [2, 0] } })).toBe('owner')
  })
  it('who names itself in the batch that makes the region', () => {
    expect(
      judge(bob, held, { '0:y': { 0: life, ...names(bob), ...length }, '1:y': { 0: life, ...bytes } }),
    ).toBeUndefined()
    expect(judge(bob, held, { '0:y': { 0: life, ...names(alice), ...length } })).toBe('owner')
    expect(judge(bob, held, { '0:y': { 0: life, ...length } })).toBe('owner')
    expect(judge(bob, held, { '1:y': { 0: life, ...bytes } })).toBe('owner')
  })
  it('nobody after it was given up, until somebody is named', () => {
    const free = { '0:x': { 0: life, [regionWords.writer]: [5, 0] as const } }
    expect(judge(alice, free, { '0:x': bytes })).toBe('owner')
    expect(judge(alice, free, { '0:x': { ...names(alice, 6), ...bytes } })).toBe('owner')
    expect(judge(alice, free, { '0:x': names(alice, 6) })).toBeUndefined()
  })
  it('refuses rows that are no pages', () => {
    expect(judge(alice, held, { x: { 0: life, ...bytes } })).toBe('range')
  })
})

describe('digests of pages', () => {
  const random = new SeededRandom(9)
  const page = () => {
    const words = new Int32Array(stride)
    for (let i = 2 * regionWords.bytes; i < stride; i++) words[i] = random.next32()
    return words
  }
  it('tell pages apart by content and by place, and are kept until marked', () => {
    const pages = [page(), page(), undefined]
    const digests = new PageDigests()
    const all = () => pages.map((words, i) => digests.page(i, () => words))
    const before = all()
    const whole = digests.whole(192)
    expect(before[2]).toEqual({ low: 0, high: 0 })
    expect(before[0]).not.toEqual(before[1])
    ;[pages[0], pages[1]] = [pages[1], pages[0]]
    expect(all()).toEqual(before)
    for (const i of [0, 1]) digests.mark(i)
    expect(all()).not.toEqual(before)
    expect(digests.whole(192)).not.toBe(whole)
    ;[pages[0], pages[1]] = [pages[1], pages[0]]
    for (const i of [0, 1]) digests.mark(i)
    expect(all()).toEqual(before)
    expect(digests.whole(192)).toBe(whole)
    expect(digests.whole(191)).not.toBe(whole)
  })
  it('of a page of zeros and of one that is not there are equal', () => {
    const digests = new PageDigests()
    expect(digests.page(3, () => new Int32Array(stride))).toEqual({ low: 0, high: 0 })
  })
  it('see every single bit', () => {
    const words = page()
    const of = () => {
      const { low, high } = new PageDigests().page(1, () => words)
      return `${low}/${high}`
    }
    const seen = new Set([of()])
    for (let bit = 0; bit < 8 * 64; bit++) {
      const half = 2 * regionWords.bytes + (bit >> 5)
      words[half] ^= 1 << (bit & 31)
      seen.add(of())
      words[half] ^= 1 << (bit & 31)
    }
    expect(seen.size).toBe(8 * 64 + 1)
  })
})

it('limits on regions: a row of the largest page fits, registers beside it keep their words', () => {
  expect(regionTable({ pageBytes: 16_384 }).layout.words).toBe(regionWords.bytes + 2048)
  expect(() => regionTable({ pageBytes: 16_392 })).toThrow(expect.objectContaining({ code: 'range' }))
  expect(() => table({ writer: register.u64(), page: files.fields.page })).toThrow(/region\(\)/)
})

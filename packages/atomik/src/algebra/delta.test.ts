/**
 * Goal: rows of mixed kinds fold as spec/semantics.md S11 and S12 say. Method: random layouts and rows, beside the same fold on
 * bigints, where a register is one wide number; laws of deltas on random deltas; edges of growth and reuse by hand.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Delta } from './delta.ts'
import { fitsBits, foldRow, invertRow, type RowLayout, WordKind } from './layout.ts'

type Part = 'xor' | 'add' | 'max' | { values: number }

function layoutOf(parts: readonly Part[]): RowLayout {
  const kinds: number[] = []
  const groups: number[] = []
  for (const part of parts) {
    if (typeof part === 'string') {
      kinds.push(WordKind[part])
      groups.push(1)
    } else {
      kinds.push(WordKind.stamp, ...Array<number>(part.values).fill(WordKind.value))
      groups.push(1 + part.values, ...Array<number>(part.values).fill(1))
    }
  }
  const words = kinds.length
  return {
    words,
    kinds: Uint8Array.from(kinds),
    groups: Uint16Array.from(groups),
    bits: new Uint8Array(words).fill(64),
  }
}

const m64 = 2n ** 64n
const get = (halves: Int32Array, at: number) =>
  (BigInt(halves[at + 1] >>> 0) << 32n) | BigInt(halves[at] >>> 0)
const set = (halves: Int32Array, at: number, value: bigint) => {
  halves[at] = Number(value & 0xffff_ffffn)
  halves[at + 1] = Number(value >> 32n)
}
const rowOf = (words: readonly bigint[]) => {
  const halves = new Int32Array(2 * words.length)
  words.forEach((word, i) => {
    set(halves, 2 * i, word)
  })
  return halves
}
const wordsOf = (halves: Int32Array) =>
  Array.from({ length: halves.length / 2 }, (_, i) => get(halves, 2 * i))

/** S11, on bigints: a register is the number that its words, most significant first, spell. */
function plainFold(parts: readonly Part[], a: readonly bigint[], b: readonly bigint[]): bigint[] {
  const result: bigint[] = []
  let at = 0
  for (const part of parts) {
    if (part === 'xor') result.push(a[at] ^ b[at])
    else if (part === 'add') result.push((a[at] + b[at]) % m64)
    else if (part === 'max') result.push(a[at] > b[at] ? a[at] : b[at])
    else {
      const end = at + 1 + part.values
      const number = (words: readonly bigint[]) =>
        words.slice(at, end).reduce((sum, word) => sum * m64 + word, 0n)
      result.push(...(number(a) >= number(b) ? a : b).slice(at, end))
      at += part.values
    }
    at++
  }
  return result
}

const parts = fc.array(
  fc.oneof(fc.constantFrom<Part>('xor', 'add', 'max'), fc.record({ values: fc.integer({ min: 1, max: 4 }) })),
  { minLength: 1, maxLength: 6 },
)
/** Words that are often equal, often extreme: ties and carries are where folds go wrong. */
const word = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 2n ** 63n, m64 - 1n),
  fc.bigInt({ min: 0n, max: m64 - 1n }),
)
const scene = parts.chain(parts => {
  const { words } = layoutOf(parts)
  const row = fc.array(word, { minLength: words, maxLength: words })
  return fc.record({ parts: fc.constant(parts), a: row, b: row, c: row })
})

describe('foldRow', () => {
  it('agrees with the fold on bigints', () => {
    fc.assert(
      fc.property(scene, ({ parts, a, b }) => {
        const to = rowOf(a)
        foldRow(layoutOf(parts), to, 0, rowOf(b), 0)
        expect(wordsOf(to)).toEqual(plainFold(parts, a, b))
      }),
      { numRuns: 2000, seed: 1 },
    )
  })

  it('is commutative and associative, with 0 as its identity', () => {
    fc.assert(
      fc.property(scene, ({ parts, a, b, c }) => {
        const layout = layoutOf(parts)
        const fold = (x: readonly bigint[], y: readonly bigint[]) => {
          const to = rowOf(x)
          foldRow(layout, to, 0, rowOf(y), 0)
          return wordsOf(to)
        }
        expect(fold(a, b)).toEqual(fold(b, a))
        expect(fold(fold(a, b), c)).toEqual(fold(a, fold(b, c)))
        expect(
          fold(
            a,
            a.map(() => 0n),
          ),
        ).toEqual(a)
      }),
      { numRuns: 1000, seed: 2 },
    )
  })

  it('moves a register whole: no mixture of two writes', () => {
    const layout = layoutOf([{ values: 2 }])
    const to = rowOf([5n, 9n, 9n])
    foldRow(layout, to, 0, rowOf([6n, 0n, 1n]), 0)
    expect(wordsOf(to)).toEqual([6n, 0n, 1n])
    // Equal stamps: the larger value, first word first, wherever it is folded from.
    foldRow(layout, to, 0, rowOf([6n, 1n, 0n]), 0)
    expect(wordsOf(to)).toEqual([6n, 1n, 0n])
    foldRow(layout, to, 0, rowOf([6n, 0n, m64 - 1n]), 0)
    expect(wordsOf(to)).toEqual([6n, 1n, 0n])
  })

  it('touches nothing beside its row', () => {
    const layout = layoutOf(['xor', 'add', 'max', { values: 1 }])
    const to = new Int32Array(30).fill(7)
    foldRow(layout, to, 10, new Int32Array(20).fill(9), 4)
    expect([...to.slice(0, 10), ...to.slice(20)]).toEqual(Array(20).fill(7))
  })
})

describe('invertRow', () => {
  it('gives back what stood there in xor and add, and the identity in max', () => {
    fc.assert(
      fc.property(scene, ({ parts, a, b }) => {
        const layout = layoutOf(parts)
        const inverse = new Int32Array(2 * layout.words).fill(-1)
        invertRow(layout, inverse, 0, rowOf(b), 0)
        const to = rowOf(plainFold(parts, a, b))
        foldRow(layout, to, 0, inverse, 0)
        const back = wordsOf(to)
        for (let w = 0; w < layout.words; w++) {
          if (layout.kinds[w] === WordKind.xor || layout.kinds[w] === WordKind.add) expect(back[w]).toBe(a[w])
          else expect(get(inverse, 2 * w)).toBe(0n)
        }
      }),
      { numRuns: 1000, seed: 3 },
    )
  })
})

describe('fitsBits', () => {
  it('is true up to 2^bits − 1 and false from there', () => {
    for (let bits = 1; bits <= 64; bits++) {
      const fits = (value: bigint) =>
        fitsBits(Number(value & 0xffff_ffffn) | 0, Number(value >> 32n) | 0, bits)
      expect([bits, fits(2n ** BigInt(bits) - 1n)]).toEqual([bits, true])
      if (bits < 64) expect([bits, fits(2n ** BigInt(bits))]).toEqual([bits, false])
      expect(fits(m64 - 1n)).toBe(bits === 64)
    }
  })
})

const layouts = [layoutOf(['max', 'add', 'xor', { values: 1 }]), layoutOf(['max', 'add'])]
const edits = fc.array(
  fc.record({
    table: fc.integer({ min: 0, max: 1 }),
    row: fc.integer({ min: 0, max: 40 }),
    words: fc.array(word, { minLength: 5, maxLength: 5 }),
  }),
  { maxLength: 30 },
)
type Edit = { table: number; row: number; words: bigint[] }

function deltaOf(edits: readonly Edit[]): Delta {
  const delta = new Delta(layouts)
  for (const { table, row, words } of edits) {
    const one = new Delta(layouts)
    const at = one.tables[table].open(row)
    for (let w = 0; w < layouts[table].words; w++) set(one.tables[table].words, at + 2 * w, words[w])
    delta.fold(one)
  }
  return delta
}
/** What a delta says, whatever the order of its slots: rows that hold only identities are as if absent. */
function meaning(delta: Delta): Map<string, string> {
  const rows = new Map<string, string>()
  delta.tables.forEach((part, table) => {
    const stride = 2 * part.layout.words
    for (let slot = 0; slot < part.count; slot++)
      if (!part.isZero(slot))
        rows.set(
          `${table}/${part.rows[slot]}`,
          wordsOf(part.words.slice(slot * stride, (slot + 1) * stride)).join(),
        )
  })
  return new Map([...rows].sort())
}

describe('Delta', () => {
  it('composes in any order to the same', () => {
    fc.assert(
      fc.property(edits, edits, edits, (a, b, c) => {
        const left = deltaOf(a)
        left.fold(deltaOf(b))
        left.fold(deltaOf(c))
        const right = deltaOf(c)
        right.fold(deltaOf(a))
        right.fold(deltaOf(b))
        expect(meaning(left)).toEqual(meaning(right))
        expect(meaning(left)).toEqual(meaning(deltaOf([...a, ...b, ...c])))
      }),
      { seed: 4 },
    )
  })

  it('has the empty delta as its identity and shares nothing with its clone', () => {
    fc.assert(
      fc.property(edits, a => {
        const delta = deltaOf(a)
        const before = meaning(delta)
        delta.fold(new Delta(layouts))
        const clone = delta.clone()
        expect(meaning(clone)).toEqual(before)
        clone.fold(deltaOf([{ table: 0, row: 1, words: [0n, 1n, 0n, 0n, 0n] }]))
        expect(meaning(delta)).toEqual(before)
      }),
      { seed: 5 },
    )
  })

  it('cancels with its inverse in xor and add', () => {
    fc.assert(
      fc.property(edits, a => {
        const delta = deltaOf(a)
        delta.fold(delta.inverse())
        delta.tables.forEach(({ layout, count, words }) => {
          for (let slot = 0; slot < count; slot++)
            for (let w = 0; w < layout.words; w++)
              if (layout.kinds[w] === WordKind.xor || layout.kinds[w] === WordKind.add)
                expect(get(words, 2 * (slot * layout.words + w))).toBe(0n)
        })
      }),
      { seed: 6 },
    )
  })

  it('releases its oldest part and is the fold of the rest, when max words only grow', () => {
    const layouts = [layoutOf(['max', 'add', 'xor', { values: 2 }])]
    const change = fc.record({
      row: fc.integer({ min: 0, max: 20 }),
      sum: fc.bigInt(0n, m64 - 1n),
      bits: fc.bigInt(0n, m64 - 1n),
      value: fc.bigInt(0n, m64 - 1n),
      writes: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), changes => {
        const parts = changes.map(({ row, sum, bits, value, writes }, i) => {
          const part = new Delta(layouts)
          const at = part.tables[0].open(row)
          const growing = writes ? BigInt(i + 1) : 0n
          const written = [growing, sum, bits, growing << 40n, writes ? value : 0n, writes ? value ^ 5n : 0n]
          part.tables[0].words.set(rowOf(written), at)
          return part
        })
        const sumOf = (list: readonly Delta[]) => {
          const total = new Delta(layouts)
          for (const part of list) total.fold(part)
          return total
        }
        const left = sumOf(parts)
        parts.forEach((part, done) => {
          left.release(part)
          const rest = sumOf(parts.slice(done + 1))
          for (let row = 0; row <= 20; row++) {
            const at = left.tables[0].find(row)
            const restAt = rest.tables[0].find(row)
            const words = (delta: Delta, from: number) =>
              from < 0 ? Array(12).fill(0) : [...delta.tables[0].words.subarray(from, from + 12)]
            expect(words(left, at)).toEqual(words(rest, restAt))
          }
        })
      }),
    )
  })

  it('is empty again after clear, and reads as identity when rows are opened anew', () => {
    const delta = deltaOf(
      Array.from({ length: 100 }, (_, row) => ({ table: 0, row, words: [1n, 2n, 3n, 4n, 5n] })),
    )
    expect(delta.rowCount).toBe(100)
    delta.clear()
    expect(delta.isEmpty).toBe(true)
    expect(delta.tables[0].find(3)).toBe(-1)
    for (let row = 200; row < 300; row++) delta.tables[0].open(row)
    for (let slot = 0; slot < 100; slot++) expect(delta.tables[0].isZero(slot)).toBe(true)
  })

  it('keeps rows apart while it grows', () => {
    const { tables } = new Delta(layouts)
    for (let row = 0; row < 1000; row++) {
      const at = tables[1].open(row * 7)
      tables[1].words[at] = row
    }
    for (let row = 0; row < 1000; row++) expect(tables[1].words[tables[1].find(row * 7)]).toBe(row)
    expect(tables[1].open(7)).toBe(tables[1].find(7))
    expect(tables[1].count).toBe(1000)
  })
})

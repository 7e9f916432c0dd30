/**
 * Goal: undo takes out one change, in whatever order changes are undone, and never more than it. Method: a replica on its own;
 * for counters and toggles every subset of random changes beside the plain fold of the rest; for registers, flags and life the
 * histories by hand, backwards, forwards and with another's write between.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WordKind } from '../algebra/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { bits, counter, flag, register, Schema, table, toggle } from '../schema/index.ts'
import { SeededRandom } from './random.ts'
import { Replica } from './replica.ts'

const schema = new Schema({
  cells: table({
    sum: counter(),
    bit: toggle(),
    set: bits(100),
    name: register.u32(),
    wide: register.bytes(12),
    on: flag(),
  }),
})
const { layout, places } = schema.tables[0]
const at = (name: string) => places.get(name)?.[0].word ?? -1

function codeOf(play: () => unknown): ErrorCode | 'none' {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError) return error.code
    throw error
  }
  return 'none'
}

/** A replica that nobody connects, with its state in plain values. */
class Alone {
  readonly replica: Replica
  now = 1_000_000
  constructor(undoDepth?: number) {
    const random = new SeededRandom(1)
    this.replica = new Replica({
      schema,
      space: 's',
      random32: () => random.next32(),
      ...(undoDepth === undefined ? {} : { undoDepth }),
    })
  }
  words(key: string): bigint[] {
    const out = new Int32Array(2 * layout.words)
    this.replica.readRow(0, this.replica.row(0, key), out)
    return Array.from(
      { length: layout.words },
      (_, w) => (BigInt(out[2 * w + 1] >>> 0) << 32n) | BigInt(out[2 * w] >>> 0),
    )
  }
  name(key = 'k'): number {
    return Number(this.words(key)[at('name') + 1])
  }
  on(key = 'k'): boolean {
    return this.words(key)[at('on')] % 2n === 1n
  }
  alive(key = 'k'): boolean {
    return this.words(key)[0] % 2n === 1n
  }
  write(value: number, key = 'k'): number {
    const row = this.replica.row(0, key)
    return this.replica.change(++this.now, edit => edit.write(0, row, at('name'), Int32Array.of(value, 0)))
  }
  turn(on: boolean, key = 'k'): number {
    const row = this.replica.row(0, key)
    return this.replica.change(++this.now, edit => edit.set(0, row, at('on'), on))
  }
  add(by: number, key = 'k'): number {
    const row = this.replica.row(0, key)
    return this.replica.change(++this.now, edit => edit.add(0, row, at('sum'), by, by < 0 ? -1 : 0))
  }
  undo(change: number): number {
    return this.replica.undo(++this.now, change)
  }
}

describe('undo in xor and add', () => {
  const edit = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    by: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    mask: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    word: fc.constantFrom(at('bit'), at('set'), at('set') + 1),
  })

  it('leaves the fold of all other changes, whichever and in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(edit, { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        (edits, picks) => {
          const alone = new Alone()
          const { replica } = alone
          for (const key of ['a', 'b', 'c']) replica.row(0, key)
          const changes = edits.map(({ key, by, mask, word }) =>
            replica.change(++alone.now, edit => {
              edit.add(0, replica.row(0, key), at('sum'), by, by < 0 ? -1 : 0)
              edit.xor(0, replica.row(0, key), word, mask, word === at('set') + 1 ? 0 : mask)
            }),
          )
          const left = new Set(edits.keys())
          const pick = picks[Symbol.iterator]()
          for (let undone = 0; undone < edits.length; undone++) {
            const candidates = [...left]
            const i = candidates[Number(pick.next().value) % candidates.length]
            left.delete(i)
            alone.undo(changes[i])
            for (const key of ['a', 'b', 'c']) {
              const words = alone.words(key)
              const rest = [...left].map(n => edits[n]).filter(one => one.key === key)
              expect(BigInt.asIntN(64, words[at('sum')])).toBe(
                rest.reduce((sum, one) => sum + BigInt(one.by), 0n),
              )
              for (const word of [at('bit'), at('set'), at('set') + 1]) {
                const masks = rest.filter(one => one.word === word).map(one => BigInt(one.mask))
                const low = masks.reduce((x, mask) => x ^ mask, 0n)
                expect(words[word]).toBe(word === at('set') + 1 ? low : (low << 32n) | low)
              }
            }
          }
        },
      ),
      { numRuns: 100, seed: 1 },
    )
  })

  it('undone and brought back in any order, each change counts exactly while it stands', () => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom('change' as const, 'undo' as const, 'redo' as const), fc.nat()),
      {
        minLength: 1,
        maxLength: 60,
      },
    )
    fc.assert(
      fc.property(steps, steps => {
        const alone = new Alone()
        // By hand: what each began with adds, and whether it is in; of each change to which it belongs, and whether it takes out.
        const begun: { readonly by: number; isIn: boolean; last: number }[] = []
        const made: { readonly of: number; readonly takesOut: boolean }[] = []
        for (const [kind, pick] of steps) {
          const { lastChange } = alone.replica
          if (kind === 'change' || made.length === 0) {
            made.push({ of: begun.length, takesOut: false })
            begun.push({ by: 1 + (pick % 1000), isIn: true, last: made.length })
            expect(alone.add(1 + (pick % 1000))).toBe(made.length)
          } else {
            const asked = 1 + (pick % made.length)
            const { of, takesOut } = made[asked - 1]
            const family = begun[of]
            const isIn = (kind === 'undo') === takesOut
            const change = alone.replica[kind](++alone.now, asked)
            if (family.isIn === isIn) {
              expect([change, alone.replica.lastChange]).toEqual([family.last, lastChange])
            } else {
              made.push({ of, takesOut: !isIn })
              expect(change).toBe(made.length)
              family.isIn = isIn
              family.last = change
            }
          }
          const sum = begun.reduce((total, { by, isIn }) => total + (isIn ? by : 0), 0)
          expect(BigInt.asIntN(64, alone.words('k')[at('sum')])).toBe(BigInt(sum))
        }
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('once: a second undo of the same change makes nothing, and a redo of one that stands neither', () => {
    const alone = new Alone()
    const change = alone.add(5)
    const undone = alone.undo(change)
    expect([alone.undo(change), alone.replica.lastChange]).toEqual([undone, undone])
    expect(alone.words('k')[at('sum')]).toBe(0n)
    const again = alone.replica.redo(++alone.now, change)
    expect(alone.words('k')[at('sum')]).toBe(5n)
    expect([alone.replica.redo(++alone.now, change), alone.replica.lastChange]).toEqual([again, again])
    const stands = alone.add(1)
    expect(alone.replica.redo(++alone.now, stands)).toBe(stands)
    expect(codeOf(() => alone.replica.redo(1, 99))).toBe('unknown-change')
  })

  it('can itself be undone, which is redo, any number of times', () => {
    const alone = new Alone()
    let last = alone.add(5)
    for (let i = 0; i < 6; i++) {
      last = alone.undo(last)
      expect(alone.words('k')[at('sum')]).toBe(i % 2 === 0 ? 0n : 5n)
    }
  })
})

describe('undo of a register', () => {
  it('brings back what stood there, whole', () => {
    const alone = new Alone()
    const row = alone.replica.row(0, 'k')
    const write = (value: number[]) =>
      alone.replica.change(++alone.now, edit => edit.write(0, row, at('wide'), Int32Array.from(value)))
    write([1, 2, 3, 0])
    const second = write([9, 8, 7, 0])
    alone.undo(second)
    expect(alone.words('k').slice(at('wide') + 1, at('wide') + 3)).toEqual([(2n << 32n) | 1n, 3n])
  })

  it('walks backwards through a history, and forwards again', () => {
    const alone = new Alone()
    const changes = [11, 22, 33, 44].map(value => alone.write(value))
    const undos = []
    for (const [i, want] of [33, 22, 11, 0].entries()) {
      undos.push(alone.undo(changes[3 - i]))
      expect(alone.name()).toBe(want)
    }
    for (const [i, want] of [11, 22, 33, 44].entries()) {
      alone.undo(undos[3 - i])
      expect(alone.name()).toBe(want)
    }
    alone.undo(changes[3])
    expect(alone.name()).toBe(33)
  })

  it('leaves a later write alone', () => {
    const alone = new Alone()
    const first = alone.write(1)
    alone.write(2)
    alone.undo(first)
    expect(alone.name()).toBe(2)
  })

  it('leaves a later write of the same value alone: it is another write', () => {
    const alone = new Alone()
    alone.write(1)
    const second = alone.write(2)
    alone.write(2)
    alone.undo(second)
    expect(alone.name()).toBe(2)
  })

  it('does nothing the second time, unless what it undid was brought back', () => {
    const alone = new Alone()
    alone.write(1)
    const second = alone.write(2)
    const undone = alone.undo(second)
    alone.undo(second)
    expect(alone.name()).toBe(1)
    alone.undo(undone)
    expect(alone.name()).toBe(2)
    alone.undo(second)
    expect(alone.name()).toBe(1)
  })

  it('brought back gives the value again, and leaves alone what was written since', () => {
    const alone = new Alone()
    alone.write(1)
    const second = alone.write(2)
    alone.undo(second)
    alone.replica.redo(++alone.now, second)
    expect(alone.name()).toBe(2)
    alone.undo(second)
    alone.write(3)
    alone.replica.redo(++alone.now, second)
    expect(alone.name()).toBe(3)
  })

  it('makes a new stamp, so that it holds against what others saw', () => {
    const alone = new Alone()
    const first = alone.write(1)
    const before = alone.words('k')[at('name')]
    alone.undo(first)
    expect(alone.words('k')[at('name')]).toBeGreaterThan(before)
  })
})

describe('undo of a flag and of life', () => {
  it('walks backwards through turns, and forwards again', () => {
    const alone = new Alone()
    const changes = [true, false, true, false].map(on => alone.turn(on))
    const undos = []
    for (const [i, want] of [true, false, true, false].entries()) {
      undos.push(alone.undo(changes[3 - i]))
      expect([i, alone.on()]).toEqual([i, want])
    }
    for (const [i, want] of [true, false, true, false].entries()) {
      alone.undo(undos[3 - i])
      expect([i, alone.on()]).toEqual([i, want])
    }
  })

  it('leaves a later turn alone', () => {
    const alone = new Alone()
    const first = alone.turn(true)
    alone.turn(false)
    alone.turn(true)
    alone.undo(first)
    expect(alone.on()).toBe(true)
  })

  it('ends the life that a change began, and gives back the one it ended', () => {
    const alone = new Alone()
    const born = alone.add(3)
    expect(alone.alive()).toBe(true)
    const undone = alone.undo(born)
    expect(alone.alive()).toBe(false)
    alone.undo(undone)
    expect(alone.alive()).toBe(true)
    expect(alone.words('k')[at('sum')]).toBe(3n)
    const removed = alone.replica.change(++alone.now, edit => edit.remove(0, alone.replica.row(0, 'k')))
    expect(alone.alive()).toBe(false)
    alone.undo(removed)
    expect(alone.alive()).toBe(true)
    expect(alone.words('k')[at('sum')]).toBe(3n)
  })

  it('does not end a life while the row holds what came later', () => {
    const alone = new Alone()
    const born = alone.add(3)
    const later = alone.add(10)
    alone.undo(born)
    expect(alone.alive()).toBe(true)
    expect(alone.words('k')[at('sum')]).toBe(10n)
    alone.undo(later)
    expect(alone.alive()).toBe(true)
    expect(alone.words('k')[at('sum')]).toBe(0n)
  })

  it('does not end a life that others use', () => {
    const alone = new Alone()
    alone.add(1)
    const second = alone.add(2)
    alone.undo(second)
    expect(alone.alive()).toBe(true)
  })
})

describe('undo of a change over many fields', () => {
  it('undoes each field by its own rule', () => {
    const alone = new Alone()
    const row = alone.replica.row(0, 'k')
    alone.write(1)
    const change = alone.replica.change(++alone.now, edit => {
      edit.add(0, row, at('sum'), 4, 0)
      edit.xor(0, row, at('bit'), 1, 0)
      edit.write(0, row, at('name'), Int32Array.of(2, 0))
      edit.set(0, row, at('on'), true)
    })
    alone.add(10)
    alone.write(3)
    alone.undo(change)
    expect(alone.words('k')[at('sum')]).toBe(10n)
    expect(alone.words('k')[at('bit')]).toBe(0n)
    expect(alone.name()).toBe(3)
    expect(alone.on()).toBe(false)
  })
})

describe('what cannot be undone', () => {
  it('is a change that never was, and one further back than undoDepth', () => {
    const alone = new Alone(3)
    const changes = [1, 2, 3, 4].map(by => alone.add(by))
    expect(codeOf(() => alone.undo(changes[0]))).toBe('unknown-change')
    expect(codeOf(() => alone.undo(99))).toBe('unknown-change')
    expect(codeOf(() => alone.undo(0))).toBe('unknown-change')
    expect(alone.replica.lastChange).toBe(4)
    expect(alone.words('k')[at('sum')]).toBe(10n)
    expect(codeOf(() => alone.undo(changes[1]))).toBe('none')
    expect(alone.words('k')[at('sum')]).toBe(8n)
  })

  it('is anything, when nothing is kept', () => {
    const alone = new Alone(0)
    const change = alone.add(1)
    expect(codeOf(() => alone.undo(change))).toBe('unknown-change')
    alone.add(1)
    expect(alone.words('k')[at('sum')]).toBe(2n)
  })
})

it('the schema here has every kind of word', () => {
  expect(new Set(layout.kinds)).toEqual(new Set(Object.values(WordKind)))
})

/** Goal: what the algebra view shows is true. Method: arbitrary programs against integers, and the code it shows is run. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { lanes } from 'atomik'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accum,
  canUndo,
  checkOrders,
  codeFor,
  fromParameters,
  load,
  move,
  type Program,
  reshape,
  run,
  swap,
  toParameters,
  undo,
  widthMax,
} from './program.ts'
import { bases, formatWord, parseWord } from './words.ts'

const programs: fc.Arbitrary<Program> = fc
  .tuple(fc.constantFrom(...lanes), fc.integer({ min: 1, max: widthMax }))
  .chain(([lane, width]) => {
    const word = fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n })
    return fc.tuple(word, fc.array(word, { maxLength: 8 })).map(([reference, deltas]) =>
      deltas.reduce((program, delta) => accum(program, delta), {
        lane,
        width,
        reference,
        steps: [],
      } as Program),
    )
  })

/** The same by plain integers. */
function expected({ lane, width, reference, steps }: Program): bigint {
  let state = reference
  for (const { delta } of steps)
    state = lane === 'xor' ? state ^ delta : lane === 'add' ? state + delta : state > delta ? state : delta
  return BigInt.asUintN(width, state)
}

describe('a program', () => {
  it('has the state that plain integers give, and the same in every order', () => {
    fc.assert(
      fc.property(programs, fc.nat(), fc.nat(), (program, from, to) => {
        expect(run(program).state).toBe(expected(program))
        const moved = move(program, from % (program.steps.length + 1), to)
        expect(moved.steps).toHaveLength(program.steps.length)
        expect(run(moved).state).toBe(expected(program))
      }),
    )
  })

  it('counts the orders it tried', () => {
    fc.assert(
      fc.property(programs, program => {
        const { tried, agreeing, all } = checkOrders(program)
        expect(agreeing).toBe(tried)
        expect(all).toBe(program.steps.length <= 5)
        if (all) expect(tried).toBe([1, 1, 2, 6, 24, 120][program.steps.length])
      }),
      { numRuns: 30 },
    )
  })

  it('takes a delta back whatever came after it, once, and never in max', () => {
    fc.assert(
      fc.property(programs, fc.nat(), (program, at) => {
        fc.pre(program.steps.length > 0)
        const { id } = program.steps[at % program.steps.length]
        const without = { ...program, steps: program.steps.filter(step => step.id !== id) }
        const undone = undo(program, id)
        if (program.lane === 'max') expect(undone).toBe(program)
        else {
          expect(run(undone).state).toBe(run(without).state)
          expect(canUndo(undone, id)).toBe(false)
          expect(canUndo(undone, undone.steps[undone.steps.length - 1].id)).toBe(false)
        }
      }),
    )
  })

  it('reads the same after SWAP, with an empty accumulator; LOAD forgets what was accumulated', () => {
    fc.assert(
      fc.property(programs, program => {
        const { state } = run(program)
        expect(run(swap(program))).toEqual({ accumulator: 0n, state })
        expect(run(load(program, 0n))).toEqual({ accumulator: 0n, state: 0n })
      }),
    )
  })

  it('comes back from its address, and refuses one that does not fit', () => {
    fc.assert(
      fc.property(programs, program => {
        const back = fromParameters(new URLSearchParams(toParameters(program)))
        expect(back && run(back)).toEqual(run(program))
        expect(back?.steps.map(({ delta }) => delta)).toEqual(program.steps.map(({ delta }) => delta))
      }),
    )
    for (const wrong of [
      '',
      'lane=xor',
      'lane=xor&width=4&load=10',
      'lane=xor&width=4&load=f&deltas=zz',
      'lane=or&width=4&load=1',
      'lane=xor&width=1e9&load=1',
    ])
      expect(fromParameters(new URLSearchParams(wrong))).toBeUndefined()
  })

  it('fits into another width', () => {
    fc.assert(
      fc.property(
        programs,
        fc.constantFrom(...lanes),
        fc.integer({ min: 1, max: widthMax }),
        (program, lane, width) => {
          const shaped = reshape(program, lane, width)
          expect(run(shaped).state).toBe(expected(shaped))
        },
      ),
    )
  })

  it('is shown as code that runs and prints the state', async () => {
    const folder = fileURLToPath(new URL('.', import.meta.url))
    for (const program of fc.sample(programs, { numRuns: 3, seed: 5 })) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', codeFor(program)],
        { cwd: folder },
      )
      expect(stdout.trim()).toBe(run(program).state.toString(16))
    }
  })
})

describe('a word as text', () => {
  it('is read back in every base', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(...bases), (value, base) => {
        expect(parseWord(formatWord(value, 64, base), 64, base)).toBe(value)
      }),
    )
  })

  it('says what is wrong', () => {
    expect(parseWord('', 8, 'decimal')).toBe('a number is wanted')
    expect(parseWord('12x', 8, 'decimal')).toBe('not a decimal number')
    expect(parseWord('256', 8, 'decimal')).toBe('it does not fit into 8 bits')
    expect(parseWord('2', 8, 'binary')).toBe('not a binary number')
    expect(parseWord('-1', 8, 'decimal')).toBe('not a decimal number')
    expect(parseWord('0xff', 8, 'decimal')).toBe(255n)
    expect(parseWord('0b1', 16, 'hexadecimal')).toBe(0xb1n)
  })
})

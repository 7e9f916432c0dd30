/** One delta a call, into one context. */
import { AtomikContext, AtomikTable } from 'atomik'
import { BlockMemory } from 'atomik/blocks'
import type { Figure } from '../harness/section.ts'
import { type Measured, ratioBar, type Setting } from './kernels.ts'
import { type Case, inC, measure, ours } from './rounds.ts'

/** Deltas of one run. */
const calls = 100_000

/** Functions of their own, so that each loop is compiled for the one class it sees. */
function intoContext(context: AtomikContext): void {
  let delta = 1
  for (let i = 0; i < calls; i++) {
    context.accumHalves(delta, i)
    delta = (Math.imul(delta, 5) + 1) | 0
  }
}
function intoTable(table: AtomikTable): void {
  let delta = 1
  for (let i = 0; i < calls; i++) {
    table.accumHalves(0, delta, i)
    delta = (Math.imul(delta, 5) + 1) | 0
  }
}
function asBigint(context: AtomikContext): void {
  let delta = 1n
  for (let i = 0; i < calls; i++) {
    context.accum(delta)
    delta = BigInt.asUintN(64, delta * 5n + 1n)
  }
}

export async function accumTable(setting: Setting): Promise<Measured> {
  const { c } = setting
  const [context, table, wide] = [new AtomikContext(), new AtomikTable(1), new AtomikContext()]
  const memory = new BlockMemory({ bytes: 8 * calls })
  const deltas = memory.allocate(calls)
  const cases: Case[] = [
    ours('AtomikContext.accumHalves', () => intoContext(context)),
    ours('AtomikTable.accumHalves', () => intoTable(table)),
    ours('AtomikContext.accum, with a bigint', () => asBigint(wide)),
    ours('BlockMemory.fold, all in one call', () => memory.fold(deltas)),
  ]
  if (c !== undefined) {
    const call = inC(c, 'C, a function call each', 'accum')
    cases.push({ row: call.row, run: times => call.run(times * calls) })
  }
  const figures: ReadonlyMap<string, Figure> = await measure(cases, { ...setting, units: calls, scale: 1e-6 })
  return {
    tables: [
      {
        id: 'accum',
        title: 'accum: one delta into one context',
        method:
          'Each delta is computed from the one before (a multiplication and an addition) and accumulated by a call; in C by a function that is not inlined.',
        columns: [{ name: 'deltas', unit: 'M/s', better: 'higher' }],
        rows: cases.map(({ row }) => ({ name: row, cells: [figures.get(row) ?? null] })),
        ...(c === undefined ? {} : { baseline: 'C, a function call each' }),
        plot: { kind: 'bars' },
      },
    ],
    bars: ratioBar(
      'scalar accum, one context',
      1,
      figures.get('AtomikContext.accumHalves'),
      figures.get('C, a function call each'),
      { against: 'a C function call' },
    ),
  }
}

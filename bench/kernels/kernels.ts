/**
 * Bulk work on words, beside C, memcpy and plain JavaScript. Each table is one function: it lays out the same operands on both
 * sides, checks that both get the same result, and measures in interleaved rounds. Bars are judged on medians; threads, whose
 * second core may be busy with something else, on their best rounds.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Bar, Figure, ResultTable, Section } from '../harness/section.ts'
import { CBaseline } from './c.ts'
import { digestTable, foldTable, fourTable, xorTable } from './dense.ts'
import { accumTable } from './scalar.ts'
import { scatterTable, sparseTables, swapTable } from './sparse.ts'

/** What a table's function gets. */
export interface Setting {
  readonly c: CBaseline | undefined
  readonly hasAvx512: boolean
  readonly quick: boolean
  readonly rounds: number
  readonly roundSeconds: number
}

/** What it gives back. */
export interface Measured {
  readonly tables: readonly ResultTable[]
  readonly bars: readonly Bar[]
}

/** baseline.c is beside the sources, not beside what the compiler made of them. */
function sourceOfC(): string {
  for (const path of ['../../kernels/baseline.c', 'baseline.c']) {
    const file = fileURLToPath(new URL(path, import.meta.url))
    if (existsSync(file)) return file
  }
  throw new Error('baseline.c is not where it should be')
}

/** A bar that is a ratio of two figures in one column; nothing where one of them was not measured. */
export function ratioBar(
  name: string,
  least: number,
  ours: Figure | undefined,
  theirs: Figure | undefined,
  options: { readonly by?: 'median' | 'max'; readonly against: string; readonly reason?: string },
): Bar[] {
  if (ours === undefined || theirs === undefined) return []
  const by = options.by ?? 'median'
  const ratio = ours[by] / theirs[by]
  const met = ratio >= least
  return [
    {
      name,
      wanted: `≥ ${least} × ${options.against}`,
      measured: `${ratio.toPrecision(3)} ×${by === 'max' ? ' (best of each)' : ''}`,
      met,
      margin: ratio / least,
      ...(met || options.reason === undefined ? {} : { reason: options.reason }),
    },
  ]
}

/** Whether one side had huge pages and the other not: translations are half of what large blocks wait for. */
function pagesNote(c: CBaseline | undefined): string[] {
  const hugeOf = (process: number | 'self') =>
    /AnonHugePages:\s*(\d+ kB)/.exec(readFileSync(`/proc/${process}/smaps_rollup`, 'utf8'))?.[1]
  try {
    if (c?.pid === undefined) return []
    return [`Memory in huge pages: ${hugeOf('self')} here, ${hugeOf(c.pid)} in the C baseline.`]
  } catch {
    return []
  }
}

export const section: Section = {
  title: 'bulk work on words: WebAssembly and JavaScript beside C and memcpy',
  async run({ quick, rounds, say }) {
    const c = await CBaseline.start(sourceOfC())
    const hasAvx512 = c !== undefined && (await c.has('avx512'))
    const setting: Setting = {
      c,
      hasAvx512,
      quick,
      rounds: quick ? 2 : Math.max(9, 3 * rounds),
      roundSeconds: quick ? 0.0005 : 0.02,
    }
    const tables: ResultTable[] = []
    const bars: Bar[] = []
    const steps = {
      accumTable,
      foldTable,
      xorTable,
      fourTable,
      scatterTable,
      swapTable,
      sparseTables,
      digestTable,
    }
    for (const [name, step] of Object.entries(steps)) {
      say(name)
      const measured = await step(setting)
      tables.push(...measured.tables)
      bars.push(...measured.bars)
    }
    const pages = pagesNote(c)
    c?.stop()
    return {
      tables,
      bars: quick ? [] : bars,
      notes: [
        `${setting.rounds} interleaved rounds of at least ${setting.roundSeconds * 1000} ms for each figure, after a run that is not timed; one operand is counted where several move.`,
        ...pages,
        ...(c === undefined
          ? ['No gcc or no x86-64 here: the C rows and the bars against them are missing.']
          : hasAvx512
            ? []
            : ['This processor has no AVX-512: its rows are missing.']),
      ],
    }
  },
}

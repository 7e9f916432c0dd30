/** Interleaved rounds of cases in this process and in the C baseline, each long enough to be timed and short enough to miss other work. */
import { figureOf, orderOf } from '../harness/measure.ts'
import type { Figure } from '../harness/section.ts'
import type { CBaseline } from './c.ts'

export interface Case {
  /** The row of the table it fills. */
  readonly row: string
  /** How often the work is done for each of `times`; 1 when not given. */
  readonly repeats?: number
  /** Does the work `times` times. @returns seconds */
  run(times: number): number | Promise<number>
}

/** Processor time of this process in seconds: what other work on the machine takes does not count. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** A case in this process, on one thread. */
export function ours(row: string, work: () => void): Case {
  return {
    row,
    run(times) {
      const startedAt = processorSeconds()
      for (let i = 0; i < times; i++) work()
      return processorSeconds() - startedAt
    },
  }
}

/** A kernel of baseline.c. */
export function inC(c: CBaseline, row: string, kernel: string): Case {
  return { row, run: async times => (await c.run(kernel, times)).seconds }
}

/**
 * @param units what one run does (bytes, operations); figures are units a second, times `scale`
 * @param roundSeconds least time of a round of one case
 */
export async function measure(
  cases: readonly Case[],
  options: { units: number; scale: number; rounds: number; roundSeconds: number },
): Promise<Map<string, Figure>> {
  const { units, scale, rounds, roundSeconds } = options
  const times: number[] = []
  for (const { run } of cases) {
    // Until compilers have finished: they replace code in the background, and only for calls that begin after.
    const warmUntil = performance.now() + 5 * roundSeconds * 1000
    let seconds = 0
    for (let calls = 0; calls < 8 || (performance.now() < warmUntil && calls < 1000); calls++)
      seconds = await run(1)
    let count = seconds > 0 ? Math.max(1, Math.floor(roundSeconds / seconds / 4)) : 1
    while ((await run(count)) < roundSeconds && count < 2 ** 30) count *= 2
    times.push(count)
  }
  const rates: number[][] = cases.map(() => [])
  for (let round = 0; round < rounds; round++)
    for (const index of orderOf(cases.length, round)) {
      const { run, repeats = 1 } = cases[index]
      // Not timed: brings back to the caches what the case before has pushed out, or a case of few runs would pay most for it.
      await run(1)
      const seconds = await run(times[index])
      rates[index].push((units * repeats * times[index] * scale) / seconds)
    }
  return new Map(cases.map(({ row }, index) => [row, figureOf(rates[index])]))
}

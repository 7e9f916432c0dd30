/** Interleaved rounds of cases in this process and in the C baseline, each long enough to be timed and short enough to miss other work. */
import { figureOf, orderOf } from '../harness/measure.ts'
import type { Figure } from '../harness/section.ts'
import type { CBaseline } from './c.ts'

export interface Case {
  /** The row of the table it fills. */
  readonly row: string
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
    let count = 1
    await run(1)
    // Doubling until it is long enough also lets the compiler finish.
    for (;;) {
      const seconds = await run(count)
      if (seconds >= roundSeconds || count >= 2 ** 30) break
      count *= seconds * 8 < roundSeconds ? 8 : 2
    }
    times.push(count)
  }
  const rates: number[][] = cases.map(() => [])
  for (let round = 0; round < rounds; round++)
    for (const index of orderOf(cases.length, round)) {
      const seconds = await cases[index].run(times[index])
      rates[index].push((units * times[index] * scale) / seconds)
    }
  return new Map(cases.map(({ row }, index) => [row, figureOf(rates[index])]))
}

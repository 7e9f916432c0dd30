/**
 * Timing in interleaved rounds: every case once a round, in an order that changes from round to round, so that other work on the
 * machine and the state of its caches hit all of them alike. Figures of one run may be compared with each other, not with those of another.
 */
import type { Figure } from './section.ts'

/** Sorts in place. */
export function figureOf(values: number[]): Figure {
  if (values.length === 0) throw new Error('a figure of no rounds')
  values.sort((a, b) => a - b)
  const middle = values.length >> 1
  const median = values.length % 2 === 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2
  return { median, min: values[0], max: values[values.length - 1], rounds: values.length }
}

/** A figure that was counted, not timed. */
export function counted(value: number): Figure {
  return { median: value, min: value, max: value, rounds: 1 }
}

/** The order of cases in a round: rotated, and reversed every other time. */
export function orderOf(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, i) => (i + round) % count)
  return round % 2 === 0 ? order : order.reverse()
}

/**
 * Runs functions of one process in interleaved rounds.
 * @param cases each does the same amount of work at every call
 * @returns seconds of each round, by case
 */
export function interleave(
  cases: readonly (() => unknown)[],
  { rounds, warmups = 2 }: { rounds: number; warmups?: number },
): number[][] {
  const seconds: number[][] = cases.map(() => [])
  for (let round = -warmups; round < rounds; round++)
    for (const index of orderOf(cases.length, round + warmups)) {
      const startedAt = performance.now()
      cases[index]()
      if (round >= 0) seconds[index].push((performance.now() - startedAt) / 1000)
    }
  return seconds
}

/** The exponent e of y ∝ xᵉ, by least squares on logarithms. */
export function exponentOf(xs: readonly number[], ys: readonly number[]): number {
  const [lx, ly] = [xs.map(Math.log), ys.map(Math.log)]
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
  const [mx, my] = [mean(lx), mean(ly)]
  let [above, below] = [0, 0]
  for (let i = 0; i < lx.length; i++) {
    above += (lx[i] - mx) * (ly[i] - my)
    below += (lx[i] - mx) ** 2
  }
  return above / below
}

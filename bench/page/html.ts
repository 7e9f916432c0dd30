/** What the parts of the page share: text that is safe in HTML, places on a logarithmic axis, and whose rows are ours. */
import type { ResultTable } from '../harness/section.ts'

export const quoted = (text: string) =>
  text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c)

/** Rows of this library, which the plots bring out. */
export const isOurs = (name: string) => /^(ATOMiK|Atomik|BlockMemory|WebAssembly|ours)/.test(name)

/** A logarithmic axis that holds all the values, as shares of its length. */
export interface Axis {
  at(value: number): number
  readonly ticks: readonly number[]
}

export function axisOf(values: readonly number[]): Axis {
  const low = Math.log10(Math.min(...values))
  const high = Math.log10(Math.max(...values))
  // Room at both ends, and at least a third of a decade in all.
  const room = Math.max(0.06 * (high - low), (0.33 - (high - low)) / 2, 0.02)
  const [from, to] = [low - room, high + room]
  const at = (value: number) => (Math.log10(value) - from) / (to - from)
  const steps = to - from > 5 ? [1] : to - from > 1.2 ? [1, 3] : [1, 2, 3, 5, 7]
  const all: number[] = []
  for (let decade = Math.floor(from); decade <= to; decade++)
    for (const step of steps) {
      const value = step * 10 ** decade
      if (at(value) >= 0 && at(value) <= 1) all.push(value)
    }
  const every = Math.max(1, Math.ceil(all.length / 6))
  return { at, ticks: all.filter((_, i) => i % every === 0) }
}

export const percent = (share: number) => `${(100 * share).toFixed(2)}%`

export const plotId = (section: string, { id }: ResultTable) => `plot-${section}-${id}`

/** Two points are no curve: they are shown as rows side by side. */
export const isCurve = ({ plot, columns }: ResultTable) =>
  plot?.kind === 'curve' && columns.filter(({ x }) => x !== undefined).length > 2

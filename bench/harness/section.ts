/**
 * What a section of the benchmarks gives back: tables of figures, and the bars it was held against. Everything else (text, JSON,
 * plots) is made from these.
 */

/** One figure as measured: the median of its rounds, and their range. A figure counted once has them equal. */
export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: number
}

export interface Column {
  readonly name: string
  /** `1/s`, `B`, `ms`, `GB/s`, … */
  readonly unit: string
  readonly better: 'higher' | 'lower'
  /** Where it lies on the axis of a curve. */
  readonly x?: number
}

export interface Row {
  /** Who was measured. */
  readonly name: string
  /** One for each column; null where it does not apply. */
  readonly cells: readonly (Figure | null)[]
  /** What the reader must know about this row: a reduced count, a peer that does less. */
  readonly note?: string
}

export interface ResultTable {
  /** Unique within the section, for links and tests. */
  readonly id: string
  readonly title: string
  /** What was done, in a sentence or two. */
  readonly method: string
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  /** The row the others are shown as multiples of. */
  readonly baseline?: string
  /** `bars`: rows side by side, by column. `curve`: columns are points of an axis, rows are lines. Both logarithmic. */
  readonly plot?: { readonly kind: 'bars' | 'curve'; readonly xLabel?: string }
}

/** A promise and what came of it. */
export interface Bar {
  readonly name: string
  readonly wanted: string
  readonly measured: string
  readonly met: boolean
  /** How many times better than asked: 1 is just met. Not there where the promise is no ratio. */
  readonly margin?: number
  /** Why it was missed, and what would reach it. */
  readonly reason?: string
}

export interface SectionResult {
  readonly tables: readonly ResultTable[]
  readonly bars: readonly Bar[]
  /** Said beside the figures: what was not there, what differs between the sides. */
  readonly notes: readonly string[]
}

export interface SectionContext {
  /** A smoke run: every path once, on little; its figures mean nothing. */
  readonly quick: boolean
  /** Interleaved rounds of each case. */
  readonly rounds: number
  /** Progress, for people. */
  say(line: string): void
}

export interface Section {
  readonly title: string
  run(context: SectionContext): Promise<SectionResult>
}

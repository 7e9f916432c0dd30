/** The JSON file: what every section measured, each with the machine as it was then. */
import type { Machine } from './machine.ts'
import type { SectionResult } from './section.ts'

export interface SectionRecord extends SectionResult {
  readonly title: string
  readonly seconds: number
  readonly rounds: number
  readonly machine: Machine
}

export interface ResultsFile {
  readonly format: 1
  readonly sections: Record<string, SectionRecord>
}

/** Other work took part: figures are low, ratios less so. */
export function wasShared({ machine }: SectionRecord): boolean {
  return machine.loadBefore > 0.5
}

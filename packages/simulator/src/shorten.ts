/** Takes items out of a failing plan for as long as it still fails in the same way (delta debugging, after Zeller and Hildebrandt). */
import type { Plan } from './plan.ts'
import { Simulation } from './simulation.ts'
import type { FailureKind } from './verdict.ts'

/**
 * @param runsMax how many runs may be spent on it
 * @returns a plan with fewer items that fails with the same kind, or the plan itself
 */
export function shorten(plan: Plan, kind: FailureKind, runsMax: number): Plan {
  let items = plan.items
  let runs = 0
  const fails = (candidate: typeof items): boolean => {
    runs++
    const simulation = new Simulation({ seed: plan.seed, plan: { ...plan, items: candidate } })
    return simulation.run().failure?.kind === kind
  }
  let pieces = 2
  while (items.length > 1 && runs < runsMax) {
    const size = Math.ceil(items.length / pieces)
    let isShorter = false
    for (let start = 0; start < items.length && runs < runsMax; start += size) {
      const rest = [...items.slice(0, start), ...items.slice(start + size)]
      if (!fails(rest)) continue
      items = rest
      pieces = Math.max(2, pieces - 1)
      isShorter = true
      break
    }
    if (isShorter) continue
    if (size === 1) break
    pieces = Math.min(items.length, 2 * pieces)
  }
  return { ...plan, items }
}

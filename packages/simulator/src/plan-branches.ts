/** Branches in a plan: opened, changed, undone on, merged or dropped; some are branches of branches, some nobody ends. */
import type { SeededRandom } from 'atomik/engine'
import type { PlanItem } from './plan.ts'
import { drawChange } from './workload.ts'

interface BranchRoom {
  readonly replicas: number
  readonly healAtMs: number
  readonly cells: number
}

/** In nearly half of the runs, among everything else that happens. */
export function* drawBranches(
  random: SeededRandom,
  { replicas, healAtMs, cells }: BranchRoom,
): Iterable<PlanItem> {
  if (random.next() >= 0.45) return
  let branch = 0
  for (let trees = 1 + random.below(3); trees > 0; trees--) {
    const node = random.below(replicas)
    const atMs = 100 + random.below(healAtMs - 300)
    const lastsMs = 50 + random.below(3000)
    let under: number | undefined
    for (let depth = random.next() < 0.3 ? 2 : 1; depth > 0; depth--) {
      const id = ++branch
      const time = () => Math.min(healAtMs - 20, atMs + 1 + random.below(lastsMs))
      yield {
        kind: 'branch',
        atMs: under === undefined ? atMs : time(),
        node,
        branch: id,
        ...(under && { under }),
      }
      for (let changes = 1 + random.below(8); changes > 0; changes--)
        yield {
          kind: 'change',
          atMs: time(),
          node,
          branch: id,
          ...drawChange(random, 20_000 + 100 * id + changes, { cells, upgraded: random.next() < 0.2 }),
        }
      for (let undos = random.below(4); undos > 0; undos--)
        yield { kind: 'undo', atMs: time(), node, branch: id, back: random.below(4) }
      // What the branch wrote is in the registers of everybody else too, earlier or later.
      for (let changes = random.below(4); changes > 0; changes--)
        yield {
          kind: 'change',
          atMs: time(),
          node,
          ...drawChange(random, 30_000 + 100 * id + changes, { cells, upgraded: false }),
        }
      if (random.next() < 0.85)
        yield {
          kind: 'branch ends',
          atMs: under === undefined ? atMs + lastsMs : time(),
          node,
          branch: id,
          how: random.next() < 0.7 ? 'merge' : 'drop',
        }
      under = id
    }
  }
}

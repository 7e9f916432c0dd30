/**
 * What chance alone would meet once in thousands of runs: a few things that happen to one replica, in the order in which they are
 * dangerous. Each is in a part of the runs, on top of all else.
 */
import type { SeededRandom } from 'atomik/engine'
import type { PlanItem } from './plan.ts'
import { drawChange, type Effect } from './workload.ts'

export interface StoryOptions {
  /** By replica. */
  readonly durable: readonly boolean[]
  readonly ordered: readonly boolean[]
  readonly healAtMs: number
  readonly cells: number
  readonly files: number
  readonly hasClockJumps: boolean
  /** Few batches are kept apart while there is no hub. */
  readonly hasSmallOutbox: boolean
  readonly hasHubRestore: boolean
}

export function drawStories(random: SeededRandom, options: StoryOptions): PlanItem[] {
  return [lateAnswers, fullDisk, clockAhead].flatMap(story => story(random, options))
}

const share = 0.4

/** Answers come late on a link that keeps order, and behind one change that is on its way about as many follow as a short frame can count. */
function lateAnswers(random: SeededRandom, { ordered, healAtMs, cells }: StoryOptions): PlanItem[] {
  const node = ordered.indexOf(true)
  if (node < 0 || random.next() >= share) return []
  const items: PlanItem[] = []
  const atMs = 300 + random.below(healAtMs - 2300)
  const change = (ms: number) =>
    items.push({
      kind: 'change',
      atMs: atMs + ms,
      node,
      ...drawChange(random, 9000 + items.length, { cells, upgraded: false }),
    })
  items.push({ kind: 'partition', atMs, untilMs: atMs + 1900, node, way: 'down' })
  change(-150)
  change(5)
  for (let more = 61 + random.below(6); more > 0; more--) change(60)
  return items
}

/** A disk fills up under a replica without a hub; it is back with the hub before it is back with its disk, and then it dies. */
function fullDisk(random: SeededRandom, options: StoryOptions): PlanItem[] {
  const { durable, healAtMs, cells, hasSmallOutbox, hasHubRestore } = options
  const node = durable.indexOf(true)
  // A refusal that this disk does not take is forgotten by all when the hub's is set back.
  if (!hasSmallOutbox || hasHubRestore || node < 0 || random.next() >= share) return []
  const items: PlanItem[] = []
  const atMs = 300 + random.below(healAtMs - 2300)
  for (let ms = 0; ms < 900; ms += 60 + random.below(60))
    items.push({
      kind: 'change',
      atMs: atMs + ms,
      node,
      ...drawChange(random, 9200 + items.length, { cells, upgraded: false }),
    })
  items.push({ kind: 'partition', atMs, untilMs: atMs + 900, node, way: 'both' })
  const fullMs = atMs + 150 + random.below(600)
  items.push({ kind: 'disk full', atMs: fullMs, untilMs: atMs + 1900, node })
  const [point, loss, downMs] = ['idle', 'lost', 50] as const
  items.push({ kind: 'crash', atMs: atMs + 1300 + random.below(500), node, point, loss, downMs })
  return items
}

/** The clock of a region's writer is set hours ahead while it patches: some of its changes are refused, with others behind them. */
function clockAhead(random: SeededRandom, { healAtMs, files, hasClockJumps }: StoryOptions): PlanItem[] {
  if (files === 0 || !hasClockJumps || random.next() >= share) return []
  const node = 0
  const items: PlanItem[] = []
  const atMs = 300 + random.below(healAtMs - 1500)
  const change = (ms: number, ...effects: Effect[]) =>
    items.push({ kind: 'change', atMs: atMs + ms, node, effects })
  const patch = (value: number): Effect => ({ kind: 'patch', key: 'f0', slot: random.below(3), value })
  change(0, { kind: 'claim', key: 'f0' })
  change(400, patch(9400))
  items.push({ kind: 'clock jump', atMs: atMs + 600, node, byMs: 7_200_000 })
  for (let i = 0; i < 6; i++) {
    const value = 9401 + i
    change(610 + 8 * i, patch(value), ...(i % 2 === 0 ? [{ kind: 'name', key: 'c0', value } as const] : []))
  }
  return items
}

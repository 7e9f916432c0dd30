/**
 * A mesh in a plan: nodes of a space without a hub beside the cluster that has one, their links, and what happens to them. Some of its
 * nodes meet only through others. A link is to the network what a replica's way to the hub is: `up` leads from the first of its ends.
 */
import type { SeededRandom } from 'atomik/engine'
import type { PlanItem } from './plan.ts'
import { drawChange } from './workload.ts'

export interface MeshPlan {
  readonly nodes: number
  /** Pairs of nodes. */
  readonly links: readonly (readonly [number, number])[]
  /** By link: it keeps order. */
  readonly ordered: readonly boolean[]
  /** Segments a node keeps apart: few, so that beginnings are folded and sent whole. */
  readonly segmentsKept: number
  readonly skewMsMax: number
}

/** In two of five runs. */
export function drawMesh(random: SeededRandom): MeshPlan | undefined {
  if (random.next() >= 0.4) return undefined
  const nodes = 2 + random.below(4)
  const links: [number, number][] = []
  // A tree, and in some runs a few links more: then the same reaches a node by two ways.
  for (let node = 1; node < nodes; node++) links.push([random.below(node), node])
  for (let more = random.below(3); more > 0; more--) {
    const [a, b] = [random.below(nodes), random.below(nodes)]
    if (a !== b && !links.some(([x, y]) => (x === a && y === b) || (x === b && y === a))) links.push([a, b])
  }
  const orderedShare = [0, 0.5, 1][random.below(3)]
  return {
    nodes,
    links,
    ordered: links.map(() => random.next() < orderedShare),
    segmentsKept: [1, 4, 64][random.below(3)],
    skewMsMax: [2000, 600_000][random.below(2)],
  }
}

/** What happens in it. */
export function* drawMeshItems(
  random: SeededRandom,
  { nodes, links, skewMsMax }: MeshPlan,
  healAtMs: number,
): Iterable<PlanItem> {
  const space = 'mesh' as const
  const time = () => 50 + random.below(healAtMs - 100)
  const node = () => random.below(nodes)
  const link = () => random.below(links.length)
  const cells = 1 + random.below(4)
  const isOn = () => random.next() < 0.5
  const lasting = (longestMs: number) => {
    const atMs = time()
    return { atMs, untilMs: Math.min(healAtMs, atMs + 100 + random.below(longestMs)) }
  }
  for (let changes = 15 + random.below(50); changes > 0; changes--) {
    const change = drawChange(random, 40_000 + changes, { cells, upgraded: false })
    yield { kind: 'change', space, atMs: time(), node: node(), ...change }
  }
  for (let undos = random.below(8); undos > 0; undos--)
    yield { kind: 'undo', space, atMs: time(), node: node(), back: random.below(5) }
  if (isOn()) {
    const [atMs, at] = [100 + random.below(healAtMs - 300), node()]
    const within = () => Math.min(healAtMs - 20, atMs + 1 + random.below(1500))
    yield { kind: 'branch', space, atMs, node: at, branch: 1 }
    for (let changes = 1 + random.below(6); changes > 0; changes--) {
      const change = drawChange(random, 45_000 + changes, { cells, upgraded: false })
      yield { kind: 'change', space, atMs: within(), node: at, branch: 1, ...change }
    }
    const how = random.next() < 0.7 ? 'merge' : 'drop'
    yield { kind: 'branch ends', space, atMs: atMs + 1500, node: at, branch: 1, how }
  }
  const isStormy = random.next() < 0.3
  for (let i = 0; isStormy && i < links.length; i++)
    yield {
      kind: 'weather',
      space,
      atMs: 0,
      untilMs: healAtMs,
      node: i,
      drop: 0.25,
      repeat: 0.25,
      delayMs: 150,
      reorder: true,
    }
  for (let some = isOn() ? 1 + random.below(4) : 0; some > 0; some--)
    yield {
      kind: 'weather',
      space,
      ...lasting(3000),
      node: link(),
      drop: random.next() * 0.6,
      repeat: random.next() * 0.6,
      delayMs: random.below(600),
      reorder: random.next() < 0.7,
    }
  for (let some = isOn() ? 1 + random.below(5) : 0; some > 0; some--) {
    const way = (['up', 'down', 'both', 'both'] as const)[random.below(4)]
    yield { kind: 'partition', space, ...lasting(2500), node: link(), way }
  }
  for (let some = isOn() ? 1 + random.below(6) : 0; some > 0; some--)
    yield { kind: 'cut', space, atMs: time(), node: link(), midFrame: random.next() < 0.6 }
  // What a node alone knew goes with it; what it has told goes on through others.
  for (let some = isOn() ? 1 + random.below(5) : 0; some > 0; some--) {
    const atMs = 200 + random.below(healAtMs - 250)
    const takenAtMs = random.next() < 0.4 ? Math.max(20, atMs - random.below(2000)) : undefined
    const downMs = 10 + random.below(1500)
    yield { kind: 'mesh restart', space, atMs, node: node(), downMs, ...(takenAtMs && { takenAtMs }) }
  }
  if (random.next() < 0.3) {
    // All clocks are set back just when everybody has something to tell, and little of it arrives.
    const [atMs, untilMs, most] = [healAtMs - 400, healAtMs, Math.floor(skewMsMax * 0.4)]
    for (const [i] of links.entries())
      yield {
        kind: 'weather',
        space,
        atMs,
        untilMs,
        node: i,
        drop: 0.9,
        repeat: 0,
        delayMs: 20,
        reorder: true,
      }
    for (let i = 0; i < nodes; i++) {
      yield { kind: 'clock jump', space, atMs: atMs + 100, node: i, byMs: -most }
      yield { kind: 'change', space, atMs: atMs + 200, node: i, effects: [] }
    }
  } else if (isOn()) {
    // Each clock is set once, so that no two are further apart than one segment may lie ahead, or by little.
    const most = skewMsMax < 10_000 ? 3 * skewMsMax : skewMsMax * 0.4
    for (let i = 0; i < nodes; i++)
      if (isOn())
        yield {
          kind: 'clock jump',
          space,
          atMs: time(),
          node: i,
          byMs: Math.floor((random.next() - 0.5) * 2 * most),
        }
  }
  if (isOn())
    yield { kind: 'clock drift', space, atMs: time(), node: node(), rate: 0.7 + random.next() * 0.6 }
}

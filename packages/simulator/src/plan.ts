/**
 * What will happen in a run, drawn from its seed before it starts: changes and faults, each with its time. A run is a function
 * of its plan, so a failing plan can be shortened item by item.
 */
import { SeededRandom } from 'atomik/engine'
import type { CrashLoss } from './disk.ts'
import { drawBranches } from './plan-branches.ts'
import { drawMesh, drawMeshItems, type MeshPlan } from './plan-mesh.ts'
import { drawStories } from './plan-stories.ts'
import { drawTabs } from './plan-tabs.ts'
import { type Change, drawChange } from './workload.ts'

/** Where in the writing of a commit the power fails. */
export type CrashPoint = 'idle' | 'before write' | 'after write' | 'after sync'
export type Way = 'up' | 'down' | 'both'

interface Timed {
  readonly atMs: number
  /** It happens in the mesh, where `node` is a node, or a link. */
  readonly space?: 'mesh'
}
interface AtNode extends Timed {
  readonly node: number
}
interface Lasting extends AtNode {
  readonly untilMs: number
}

/** Where a program does something: in which of the tabs, and on a branch it has opened, or on the replica itself. */
interface InTab {
  readonly tab?: number
}
interface OnBranch extends InTab {
  readonly branch?: number
}

export type PlanItem =
  | (AtNode & OnBranch & Change & { readonly kind: 'change' })
  /** Undoes one of the replica's own changes, counted back from its last, or brings it back. */
  | (AtNode & OnBranch & { readonly kind: 'undo'; readonly back: number })
  /** The replica's program opens a branch of this number, of branch `under` when that is open. */
  | (AtNode & InTab & { readonly kind: 'branch'; readonly branch: number; readonly under?: number })
  | (AtNode &
      InTab & { readonly kind: 'branch ends'; readonly branch: number; readonly how: 'merge' | 'drop' })
  | (Lasting & {
      readonly kind: 'weather'
      readonly drop: number
      readonly repeat: number
      readonly delayMs: number
      readonly reorder: boolean
    })
  | (Lasting & { readonly kind: 'partition'; readonly way: Way })
  | (Lasting & { readonly kind: 'slow' })
  | (AtNode & { readonly kind: 'cut'; readonly midFrame: boolean })
  /** The replica's process ends and starts again; one with a disk ends at this point of its next commit. */
  | (AtNode & {
      readonly kind: 'crash'
      readonly point: CrashPoint
      readonly loss: CrashLoss
      readonly downMs: number
    })
  /** A tab ends: the leading one, at this point of its next commit, whereupon another leads after `downMs`; or one that follows. */
  | (AtNode & {
      readonly kind: 'tab dies'
      readonly leads: boolean
      readonly tab: number
      readonly point: CrashPoint
      readonly downMs: number
    })
  /** What other tabs say reaches this one late. */
  | (Lasting & { readonly kind: 'tab stalls'; readonly tab: number })
  /** A copy of the whole machine wakes up beside it, under another name. */
  | (AtNode & { readonly kind: 'clone' })
  /** The machine goes back to how it was at `takenAtMs`. */
  | (AtNode & { readonly kind: 'restore'; readonly takenAtMs: number })
  /** `node` −1 is the hub. */
  | (AtNode & { readonly kind: 'clock jump'; readonly byMs: number })
  | (AtNode & { readonly kind: 'clock drift'; readonly rate: number })
  | (Timed & {
      readonly kind: 'hub crash'
      readonly point: CrashPoint
      readonly loss: CrashLoss
      readonly downMs: number
    })
  /** The replica's program starts again in the version that knows two more fields, and uses them. */
  | (AtNode & { readonly kind: 'schema upgrade'; readonly downMs: number })
  | (Timed & { readonly kind: 'checkpoint' })
  /** A node of the mesh ends; the next process begins empty, or with what the last held at `takenAtMs`. */
  | (AtNode & { readonly kind: 'mesh restart'; readonly downMs: number; readonly takenAtMs?: number })
  | (Timed & { readonly kind: 'hub restore'; readonly takenAtMs: number })
  /** `node` −1 is the hub; of a replica without a disk it says nothing. */
  | (Lasting & { readonly kind: 'disk full' })

export interface Plan {
  readonly seed: number
  /** By replica: it has a disk, and what it reported saved survives the machine. */
  readonly durable: readonly boolean[]
  /** By replica, copies like their originals: its link keeps order and loses nothing until it is cut, and both ends know. */
  readonly ordered: readonly boolean[]
  /** Batches without a hub are folded from this many on. */
  readonly unsentBatchesMax: number
  /** All faults end here. */
  readonly healAtMs: number
  /** Bytes of log the hub keeps: small, so that readers get folds and snapshots. */
  readonly logBytesMax: number
  /** By replica: so many tabs share it; 0 when its program has it for itself. */
  readonly tabs?: readonly number[]
  /** Nodes of another space, without a hub, live beside the others. */
  readonly mesh?: MeshPlan
  readonly items: readonly PlanItem[]
}

/** How many of a kind, at most, in a run that has the kind at all. */
const kinds = {
  weather: 6,
  partition: 5,
  slow: 3,
  cut: 6,
  crash: 3,
  clone: 3,
  restore: 3,
  'clock jump': 3,
  'clock drift': 3,
  'hub crash': 4,
  'hub restore': 1,
  'disk full': 2,
  checkpoint: 12,
} as const

/** Draws a plan. Each run has some of the kinds, not all: rare faults are then not drowned by frequent ones. */
export function drawPlan(seed: number): Plan {
  const random = new SeededRandom(seed)
  const between = (low: number, high: number) => low + random.below(high - low + 1)
  const replicas = between(2, 5)
  // In a quarter of the runs nobody has a disk, in a quarter all have.
  const durableShare = [0, 0.5, 0.5, 1][random.below(4)]
  const durable = Array.from({ length: replicas }, () => random.next() < durableShare)
  const links = new SeededRandom(seed ^ 0x6c_69_6e_6b)
  const orderedShare = [0, 0, 0.5, 1][links.below(4)]
  const ordered = durable.map(() => links.next() < orderedShare)
  const healAtMs = between(3000, 9000)
  const cells = between(1, 6)
  const hasClockJumps = random.next() < 0.45
  const files = random.below(3)
  const items: PlanItem[] = []
  const time = () => between(50, healAtMs - 50)
  const node = () => random.below(replicas)
  const changes = between(40, 160)
  for (let i = 0; i < changes; i++)
    items.push({
      kind: 'change',
      atMs: time(),
      node: node(),
      ...drawChange(random, i + 1, { cells, upgraded: false, files }),
    })
  for (let undos = random.below(15); undos > 0; undos--)
    items.push({ kind: 'undo', atMs: time(), node: node(), back: random.below(6) })

  const isOn = () => random.next() < 0.45
  const many = (kind: keyof typeof kinds, make: () => PlanItem, isIn = isOn()) => {
    if (!isIn) return
    for (let count = between(1, kinds[kind]); count > 0; count--) items.push(make())
  }
  const lasting = (longestMs: number) => {
    const atMs = time()
    return { atMs, untilMs: Math.min(healAtMs, atMs + between(100, longestMs)) }
  }
  // Bad weather everywhere for the whole of a run: the commonest of all tests.
  const isStormy = random.next() < 0.3
  for (let i = 0; isStormy && i < replicas; i++)
    items.push({
      kind: 'weather',
      atMs: 0,
      untilMs: healAtMs,
      node: i,
      drop: 0.2,
      repeat: 0.2,
      delayMs: 120,
      reorder: true,
    })
  many('weather', () => ({
    kind: 'weather',
    ...lasting(4000),
    node: node(),
    drop: random.next() * 0.5,
    repeat: random.next() * 0.5,
    delayMs: random.below(600),
    reorder: random.next() < 0.7,
  }))
  many('partition', () => ({
    kind: 'partition',
    ...lasting(2500),
    node: node(),
    way: (['up', 'down', 'both', 'both'] as const)[random.below(4)],
  }))
  many('slow', () => ({ kind: 'slow', ...lasting(4000), node: node() }))
  many('cut', () => ({ kind: 'cut', atMs: time(), node: node(), midFrame: random.next() < 0.6 }))
  const points = ['idle', 'before write', 'after write', 'after sync'] as const
  const losses = ['lost', 'kept', 'torn', 'sectors'] as const
  many('crash', () => ({
    kind: 'crash',
    atMs: time(),
    node: node(),
    point: points[random.below(4)],
    loss: losses[random.below(4)],
    downMs: between(10, 1500),
  }))
  const hasHubRestore = random.next() < 0.2
  const before = items.length
  if (!hasHubRestore) {
    // Original and copy go on writing at once: they are told apart while much is on its way.
    let copies = 0
    many('clone', () => {
      const [atMs, original, copy] = [time(), node(), replicas + copies++]
      for (let more = between(0, 8); more > 0; more--)
        items.push({
          kind: 'change',
          atMs: Math.min(healAtMs - 10, atMs + between(1, 300)),
          node: random.next() < 0.5 ? original : copy,
          ...drawChange(random, 5000 + items.length, { cells, upgraded: false, files }),
        })
      return { kind: 'clone', atMs, node: original }
    })
    many('restore', () => {
      const atMs = between(300, healAtMs - 50)
      return { kind: 'restore', atMs, takenAtMs: Math.max(20, atMs - between(20, 2000)), node: node() }
    })
  }
  // What was folded after a copy was made may count twice (spec/semantics.md S33).
  const hasCopies = items.length > before
  const anyone = () => random.below(replicas + 1) - 1
  const jump = (): PlanItem => {
    const byMs = Math.floor(10 ** (2 + random.next() * 5.3)) * (random.next() < 0.5 ? -1 : 1)
    return { kind: 'clock jump', atMs: time(), node: anyone(), byMs }
  }
  many('clock jump', jump, hasClockJumps)
  many('clock drift', () => ({
    kind: 'clock drift',
    atMs: time(),
    node: anyone(),
    rate: 0.7 + random.next() * 0.6,
  }))
  many('hub crash', () => ({
    kind: 'hub crash',
    atMs: time(),
    point: points[random.below(4)],
    loss: losses[random.below(4)],
    downMs: between(5, 800),
  }))
  if (hasHubRestore) {
    const atMs = between(500, healAtMs - 100)
    items.push({ kind: 'hub restore', atMs, takenAtMs: between(Math.max(50, atMs - 2000), atMs - 20) })
    // Somebody is away meanwhile, and comes back when the log has grown again.
    if (random.next() < 0.7) {
      const away = { atMs: atMs - 20, untilMs: Math.min(healAtMs, atMs + between(200, 2000)), node: node() }
      items.push({ kind: 'partition', ...away, way: 'both' }, { kind: 'cut', ...away, midFrame: false })
    }
  }
  many('disk full', () => {
    return { kind: 'disk full', ...lasting(1200), node: random.next() < 0.5 ? -1 : node() }
  })
  many('checkpoint', () => ({ kind: 'checkpoint', atMs: time() }))
  // One by one the replicas get the new version, each with changes to the new fields after it.
  if (isOn())
    for (let i = 0; i < replicas; i++) {
      if (random.next() < 0.3) continue
      const atMs = time()
      items.push({ kind: 'schema upgrade', atMs, node: i, downMs: between(10, 300) })
      for (let more = between(1, 12); more > 0; more--)
        items.push({
          kind: 'change',
          atMs: between(atMs, healAtMs - 10),
          node: i,
          ...drawChange(random, 1000 + items.length, { cells, upgraded: true }),
        })
    }
  const hasSmallOutbox = !hasCopies && random.next() >= 0.5
  items.push(
    ...drawStories(links, {
      durable,
      ordered,
      healAtMs,
      cells,
      files,
      hasClockJumps,
      hasSmallOutbox,
      hasHubRestore,
    }),
  )
  items.push(...drawBranches(new SeededRandom(seed ^ 0x62_72_61), { replicas, healAtMs, cells }))
  const tabs = drawTabs(new SeededRandom(seed ^ 0x74_61_62), { durable, items, healAtMs })
  const meshes = new SeededRandom(seed ^ 0x6d_65_73_68)
  const mesh = drawMesh(meshes)
  if (mesh !== undefined) items.push(...drawMeshItems(meshes, mesh, healAtMs))
  const order = new Map(items.map((item, i) => [item, i]))
  items.sort((a, b) => a.atMs - b.atMs || (order.get(a) ?? 0) - (order.get(b) ?? 0))
  return {
    seed,
    durable,
    ordered,
    unsentBatchesMax: hasSmallOutbox ? between(1, 6) : 1024,
    healAtMs,
    logBytesMax: [300, 2000, 1 << 20][random.below(3)],
    ...(tabs && { tabs }),
    ...(mesh && { mesh }),
    items,
  }
}

/** An item as a line for people. */
export function describeItem(item: PlanItem): string {
  const { atMs, kind, ...rest } = item
  return `${String(atMs).padStart(6)} ms  ${kind}  ${JSON.stringify(rest)}`
}

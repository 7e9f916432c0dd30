/**
 * What a cluster lives through: a seed, how many replicas, the weather, and faults put in by hand. A run is a function of it, so
 * the address that holds it shows the same run to somebody else, message by message.
 */
import { drawChange, type Plan, type PlanItem } from '@atomik/simulator'
import { SeededRandom } from 'atomik/engine'

export const weathers = {
  calm: undefined,
  light: { drop: 0.05, repeat: 0.05, delayMs: 250, reorder: true },
  heavy: { drop: 0.25, repeat: 0.25, delayMs: 700, reorder: true },
} as const
export type WeatherName = keyof typeof weathers

/** Faults that hit one replica, one click each. */
export const replicaFaults = {
  cut: 'Cut',
  partition: 'Partition 3 s',
  storm: 'Storm 3 s',
  slow: 'Slow reader 3 s',
  crash: 'Crash',
  clone: 'Clone',
  ahead: 'Clock +20 min',
  behind: 'Clock −20 min',
} as const
/** Faults that hit the hub. */
export const hubFaults = {
  crash: 'Crash, torn write',
  full: 'Disk full 2 s',
  checkpoint: 'Checkpoint',
  restore: 'Back to 2 s ago',
  ahead: 'Clock +20 min',
  behind: 'Clock −20 min',
} as const
/** Faults that hit all replicas at once, or the first half of them. */
export const wideFaults = { partition: 'Split in half 3 s', storm: 'Storm everywhere 3 s' } as const

export type ReplicaFault = keyof typeof replicaFaults
export type HubFault = keyof typeof hubFaults
export type WideFault = keyof typeof wideFaults

export type Fault =
  | { readonly atMs: number; readonly target: 'replica'; readonly node: number; readonly kind: ReplicaFault }
  | { readonly atMs: number; readonly target: 'hub'; readonly kind: HubFault }
  | { readonly atMs: number; readonly target: 'all'; readonly kind: WideFault }

export interface Scenario {
  readonly seed: number
  readonly replicas: number
  readonly weather: WeatherName
  /** In the order of their times. */
  readonly faults: readonly Fault[]
}

export const replicasMin = 3
export const replicasMax = 48
/** Here programs stop writing and every fault ends; then all must become equal. */
export const healAtMs = 20_000
/** Faults in one scenario: more would not fit an address that people send each other. */
export const faultsMax = 60
const seedMax = 2 ** 31 - 1
const changeEveryMs = 45
const cells = 8
const clockJumpMs = 20 * 60_000

export const initialScenario: Scenario = { seed: 7, replicas: 24, weather: 'light', faults: [] }

/** The plan the simulator runs. Changes depend on the seed alone: a fault more does not move them. */
export function planOf({ seed, replicas, weather, faults }: Scenario): Plan {
  const random = new SeededRandom(seed)
  const items: PlanItem[] = []
  for (let atMs = 200; atMs < healAtMs - changeEveryMs; atMs += changeEveryMs)
    items.push({
      kind: 'change',
      atMs: atMs + random.below(changeEveryMs),
      node: random.below(replicas),
      ...drawChange(random, items.length + 1, { cells, upgraded: false }),
    })
  const conditions = weathers[weather]
  if (conditions !== undefined)
    for (let node = 0; node < replicas; node++)
      items.push({ kind: 'weather', atMs: 0, untilMs: healAtMs, node, ...conditions })
  for (const fault of faults) items.push(...itemsOf(fault, replicas, conditions))
  const order = new Map(items.map((item, i) => [item, i]))
  items.sort((a, b) => a.atMs - b.atMs || (order.get(a) ?? 0) - (order.get(b) ?? 0))
  // Both kinds of client beside each other: what a crash costs depends on it.
  const durable = Array.from({ length: replicas }, (_, node) => node % 2 === 1)
  const ordered = durable.map(() => false)
  return { seed, durable, ordered, unsentBatchesMax: 1024, healAtMs, logBytesMax: 2000, items }
}

function* itemsOf(fault: Fault, replicas: number, usual: (typeof weathers)[WeatherName]): Iterable<PlanItem> {
  const { atMs } = fault
  const until = (lastsMs: number) => Math.min(healAtMs, atMs + lastsMs)
  if (fault.target === 'hub') {
    if (fault.kind === 'crash') yield { kind: 'hub crash', atMs, point: 'idle', loss: 'torn', downMs: 1200 }
    else if (fault.kind === 'full') yield { kind: 'disk full', atMs, untilMs: until(2000), node: -1 }
    else if (fault.kind === 'checkpoint') yield { kind: 'checkpoint', atMs }
    else if (fault.kind === 'restore')
      yield { kind: 'hub restore', atMs, takenAtMs: Math.max(50, atMs - 2000) }
    else
      yield { kind: 'clock jump', atMs, node: -1, byMs: fault.kind === 'ahead' ? clockJumpMs : -clockJumpMs }
    return
  }
  const nodes =
    fault.target === 'replica'
      ? [fault.node]
      : Array.from({ length: replicas }, (_, i) => i).filter(i => fault.kind === 'storm' || 2 * i < replicas)
  for (const node of nodes)
    switch (fault.kind) {
      case 'cut':
        yield { kind: 'cut', atMs, node, midFrame: true }
        break
      case 'partition':
        yield { kind: 'partition', atMs, untilMs: until(3000), node, way: 'both' }
        break
      case 'storm':
        yield {
          kind: 'weather',
          atMs,
          untilMs: until(3000),
          node,
          drop: 0.4,
          repeat: 0.4,
          delayMs: 900,
          reorder: true,
        }
        // The weather before it comes back.
        if (usual !== undefined && until(3000) < healAtMs)
          yield { kind: 'weather', atMs: until(3000), untilMs: healAtMs, node, ...usual }
        break
      case 'slow':
        yield { kind: 'slow', atMs, untilMs: until(3000), node }
        break
      case 'crash':
        yield { kind: 'crash', atMs, node, point: 'idle', loss: 'kept', downMs: 1000 }
        break
      case 'clone':
        yield { kind: 'clone', atMs, node }
        break
      default:
        yield { kind: 'clock jump', atMs, node, byMs: fault.kind === 'ahead' ? clockJumpMs : -clockJumpMs }
    }
}

/**
 * Why this fault cannot be put in, or an empty text. Two are left out because what would happen is not modelled: a third machine under
 * one incarnation, and a clone in a run whose hub is set back (docs/simulator.md).
 */
export function objectionTo({ faults }: Scenario, fault: Fault): string {
  if (faults.length >= faultsMax) return `at most ${faultsMax} faults in one run`
  if (fault.atMs >= healAtMs) return 'everything heals from 20 s on'
  if (fault.target === 'replica' && fault.kind === 'clone') {
    if (faults.some(f => f.target === 'replica' && f.kind === 'clone' && f.node === fault.node))
      return 'this replica was cloned already'
    if (faults.some(f => f.target === 'hub' && f.kind === 'restore'))
      return 'not in a run whose hub goes back to a backup'
  }
  if (fault.target === 'hub' && fault.kind === 'restore') {
    if (faults.some(f => f.target === 'replica' && f.kind === 'clone')) return 'not in a run with clones'
    if (faults.some(f => f.target === 'hub' && f.kind === 'restore')) return 'once in a run'
    if (fault.atMs < 500) return 'there is no backup yet'
  }
  return ''
}

export function withFault(scenario: Scenario, fault: Fault): Scenario {
  if (objectionTo(scenario, fault) !== '') return scenario
  return { ...scenario, faults: [...scenario.faults, fault].sort((a, b) => a.atMs - b.atMs) }
}

/** What a fault is called, and whom it hits. */
export function faultText(fault: Fault): string {
  if (fault.target === 'replica') return `r${fault.node}: ${replicaFaults[fault.kind]}`
  return fault.target === 'hub' ? `hub: ${hubFaults[fault.kind]}` : wideFaults[fault.kind]
}

// ── as the end of an address ────────────────────────────────────────────────────────────────────────────────────────

export function toParameters({ seed, replicas, weather, faults }: Scenario): Record<string, string> {
  return {
    seed: String(seed),
    replicas: String(replicas),
    weather,
    ...(faults.length > 0 && { faults: faults.map(faultCode).join('_') }),
  }
}

const faultCode = (fault: Fault) =>
  `${fault.target === 'replica' ? `r${fault.node}` : fault.target}.${fault.kind}.${fault.atMs}`

/** The scenario an address describes. What is missing or wrong in it is as in the first one. */
export function fromParameters(parameters: URLSearchParams): Scenario {
  const whole = (name: 'seed' | 'replicas', min: number, max: number) => {
    const value = Number(parameters.get(name) ?? Number.NaN)
    return Number.isInteger(value) && value >= min && value <= max ? value : initialScenario[name]
  }
  const name = parameters.get('weather') ?? ''
  let scenario: Scenario = {
    seed: whole('seed', 0, seedMax),
    replicas: whole('replicas', replicasMin, replicasMax),
    weather: Object.hasOwn(weathers, name) ? (name as WeatherName) : initialScenario.weather,
    faults: [],
  }
  for (const code of (parameters.get('faults') ?? '').split('_')) {
    const fault = parseFault(code, scenario.replicas)
    if (fault !== undefined) scenario = withFault(scenario, fault)
  }
  return scenario
}

function parseFault(code: string, replicas: number): Fault | undefined {
  const [, target, kind, time] = /^(hub|all|r\d{1,2})\.([a-z]+)\.(\d{1,5})$/.exec(code) ?? []
  if (target === undefined || kind === undefined) return undefined
  const atMs = Number(time)
  if (target === 'hub')
    return Object.hasOwn(hubFaults, kind) ? { atMs, target, kind: kind as HubFault } : undefined
  if (target === 'all')
    return Object.hasOwn(wideFaults, kind) ? { atMs, target, kind: kind as WideFault } : undefined
  const node = Number(target.slice(1))
  if (node >= replicas || !Object.hasOwn(replicaFaults, kind)) return undefined
  return { atMs, target: 'replica', node, kind: kind as ReplicaFault }
}

/** Tabs in a plan: machines on which several programs share one durable replica. In half of the runs in which one can be. */
import type { SeededRandom } from 'atomik/engine'
import type { PlanItem } from './plan.ts'

interface TabsRoom {
  readonly durable: readonly boolean[]
  /** What happens in the run; each thing a program does at such a machine gets a tab. */
  readonly items: PlanItem[]
  readonly healAtMs: number
}

/** By replica, how many tabs share it. Machines that are copied are left out: what tabs were told there holds for one of them only. */
export function drawTabs(
  random: SeededRandom,
  { durable, items, healAtMs }: TabsRoom,
): readonly number[] | undefined {
  if (random.next() >= 0.5) return undefined
  const isCopied = (node: number) =>
    items.some(item => (item.kind === 'clone' || item.kind === 'restore') && item.node === node)
  const tabs = durable.map((isDurable, node) => (isDurable && !isCopied(node) ? 2 + random.below(3) : 0))
  // Not everywhere: others run beside them.
  for (const node of tabs.keys()) if (random.next() < 0.4) tabs[node] = 0
  if (tabs.every(count => count === 0)) return undefined
  for (const [i, item] of items.entries()) {
    if (
      item.kind !== 'change' &&
      item.kind !== 'undo' &&
      item.kind !== 'branch' &&
      item.kind !== 'branch ends'
    )
      continue
    const count = tabs[item.node] ?? 0
    if (count === 0) continue
    // Of a branch all is done in one tab.
    const tab = item.branch ?? random.below(count)
    // Rows that are new, and of which the maker may be gone a moment later, whoever has seen them.
    const key = `n${Math.floor(item.atMs / 200)}`
    if (item.kind === 'change' && item.branch === undefined && random.next() < 0.3)
      items[i] = { ...item, tab, effects: [...item.effects, { kind: 'sum', key, by: 1 }] }
    else items[i] = { ...item, tab }
  }
  const points = ['idle', 'before write', 'after write', 'after sync'] as const
  for (const [node, count] of tabs.entries()) {
    if (count === 0) continue
    const time = () => 100 + random.below(healAtMs - 200)
    for (let deaths = random.below(6); deaths > 0; deaths--)
      items.push({
        kind: 'tab dies',
        atMs: time(),
        node,
        leads: random.next() < 0.7,
        tab: random.below(count),
        point: points[random.below(4)],
        downMs: 5 + random.below(random.next() < 0.7 ? 60 : 800),
      })
    for (let stories = random.below(3); stories > 0; stories--)
      items.push(...makerDies(random, node, count, 100 + random.below(healAtMs - 300)))
    for (let stalls = random.below(3); stalls > 0; stalls--) {
      const atMs = time()
      items.push({
        kind: 'tab stalls',
        atMs,
        untilMs: Math.min(healAtMs, atMs + 50 + random.below(1500)),
        node,
        tab: random.below(count),
      })
    }
  }
  return tabs
}

/** While a write is under way a tab makes a row, others see it and change it, and the leader dies: with luck it was the maker. */
function* makerDies(random: SeededRandom, node: number, count: number, atMs: number): Iterable<PlanItem> {
  const effects = [{ kind: 'sum', key: `m${atMs}`, by: 1 }] as const
  const maker = random.below(count)
  yield { kind: 'change', atMs, node, tab: random.below(count), effects: [] }
  yield { kind: 'change', atMs: atMs + 1, node, tab: maker, effects }
  for (let tab = 0; tab < count; tab++)
    if (tab !== maker) yield { kind: 'change', atMs: atMs + 7, node, tab, effects }
  const [point, downMs] = ['idle', 5 + random.below(100)] as const
  yield { kind: 'tab dies', atMs: atMs + 9 + random.below(5), node, leads: true, tab: 0, point, downMs }
}

/**
 * The same work for ATOMiK and its peers. Every run is a process of its own, started in interleaved rounds; the storm is timed in
 * several, the others are mostly counted and run once.
 */
import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { counted, figureOf, orderOf } from '../harness/measure.ts'
import { formatNumber } from '../harness/numbers.ts'
import type { Bar, Column, Figure, ResultTable, Row, Section, SectionContext } from '../harness/section.ts'
import { importPeer, takers } from './peers.ts'
import type { Peer, Workload } from './star.ts'
import type { Outcome } from './workloads.ts'

const worker = join(dirname(fileURLToPath(import.meta.url)), 'worker.js')
/** Nobody needs as long as this; who does has no figure, and the table says so. */
const timeoutMs = 180_000

/** Outcomes of each round, by peer and column id. */
type Rounds = Map<string, Map<string, number[]>>

async function runAll(workload: Workload, rounds: number, { quick, say }: SectionContext) {
  const names = takers[workload]
  const outcomes: Rounds = new Map(names.map(name => [name, new Map()]))
  const failures = new Map<string, string>()
  for (let round = 0; round < rounds; round++) {
    const order = orderOf(names.length, round)
    const take = async () => {
      for (let index = order.shift(); index !== undefined; index = order.shift()) await run(names[index])
    }
    // One at a time; two when nobody looks at the clock.
    await Promise.all(quick ? [take(), take()] : [take()])
  }
  return { outcomes, failures }

  async function run(name: string): Promise<void> {
    if (failures.has(name)) return
    const startedAt = performance.now()
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--expose-gc', '--max-old-space-size=6000', worker, name, workload, quick ? 'quick' : 'full'],
        { timeout: timeoutMs, maxBuffer: 2 ** 26 },
      )
      const outcome: Outcome = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
      for (const [column, value] of Object.entries(outcome)) {
        const values = outcomes.get(name)?.get(column) ?? []
        outcomes.get(name)?.set(column, [...values, value])
      }
    } catch (error) {
      failures.set(name, reasonOf(error))
      say(`${workload}, ${name}: ${reasonOf(error)}`)
    }
    say(`${workload}, ${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  }
}

function reasonOf(error: unknown): string {
  const { killed, stderr } = error as { killed?: boolean; stderr?: string }
  if (killed === true) return `did not end within ${timeoutMs / 1000} s`
  return /^\S*Error: .*/m.exec(stderr ?? '')?.[0] ?? String(error)
}

interface TableColumn extends Column {
  readonly id: string
}

interface Plan {
  readonly workload: Workload
  readonly title: string
  readonly method: string
  readonly columns: readonly TableColumn[]
  readonly isTimed?: true
  readonly plot?: ResultTable['plot']
}

const bytes = (id: string, name: string): TableColumn => ({ id, name, unit: 'B', better: 'lower' })
const trips: TableColumn = { id: 'trips', name: 'round trips', unit: '', better: 'lower' }
const ms = (id: string, name: string): TableColumn => ({ id, name, unit: 'ms', better: 'lower' })

const plans: readonly Plan[] = [
  {
    workload: 'storm',
    title: 'Register storm',
    method:
      '1,000 registers of 64 bits, 200,000 random writes, each one message: encoded, handed over, decoded, applied. Peers: one writer and one reader. ATOMiK: writer and hub, with exactly-once checks, group commit and acknowledgements inside the time.',
    columns: [
      { id: 'updatesPerSecond', name: 'updates', unit: '1/s', better: 'higher' },
      { id: 'cpuMicros', name: 'CPU time an update, collector included', unit: 'µs', better: 'lower' },
      { ...bytes('bytesPerUpdate', 'bytes an update'), unit: 'B' },
    ],
    isTimed: true,
    plot: { kind: 'bars' },
  },
  {
    workload: 'burst',
    title: 'Offline burst',
    method: '200,000 writes to 1,000 registers made apart, in transactions of 1,000, then one sync.',
    columns: [bytes('bytes', 'bytes to sync'), trips, ms('ms', 'time to sync')],
    plot: { kind: 'bars' },
  },
  {
    workload: 'flags',
    title: 'Flags',
    method:
      '100,000 booleans, 1,000 of them toggled apart, then one sync. ATOMiK: `flag()` (max lane) and `bits(100,000)` (xor lane).',
    columns: [bytes('bytes', 'bytes to sync'), trips, bytes('restBytes', 'all of it at rest')],
    plot: { kind: 'bars' },
  },
  {
    workload: 'counters',
    title: 'Counters',
    method:
      '100 counters, 200,000 increments made apart at 4 replicas, then all synced through a centre: seven exchanges in all. Yjs, json-joy and TinyBase have no counter: one cell for each writer, added up.',
    columns: [bytes('bytes', 'bytes in all'), trips],
    plot: { kind: 'bars' },
  },
  {
    workload: 'reconnect',
    title: 'Reconnect',
    method:
      '100,000 registers on both sides, 100 written here and 100 others there while apart, then one sync.',
    columns: [bytes('bytes', 'bytes to sync'), trips, ms('ms', 'time to sync')],
    plot: { kind: 'bars' },
  },
  {
    workload: 'growth',
    title: 'Saved size and load time',
    method:
      'The same 1,000 registers, written again and again in transactions of 1,000, synced at times: what the central copy takes when stored, and how long it takes to open (best of 3 to 50 loads, as many as take 100 ms).',
    columns: [
      { ...bytes('bytes0', 'after 10⁴ writes'), x: 1e4 },
      { ...bytes('bytes1', 'after 10⁵'), x: 1e5 },
      { ...bytes('bytes2', 'after 10⁶'), x: 1e6 },
      ms('loadMs0', 'load after 10⁴'),
      ms('loadMs2', 'load after 10⁶'),
    ],
    plot: { kind: 'curve', xLabel: 'writes' },
  },
  {
    workload: 'memory',
    title: 'Memory',
    method: 'Resident memory that the central copy adds to its process, after collection.',
    columns: [
      { id: 'keysMiB', name: '100,000 registers', unit: 'MiB', better: 'lower' },
      { id: 'writtenMiB', name: '1,000 registers after 200,000 writes', unit: 'MiB', better: 'lower' },
    ],
    plot: { kind: 'bars' },
  },
]

async function tableOf(plan: Plan, context: SectionContext): Promise<ResultTable> {
  const rounds = plan.isTimed ? Math.min(context.rounds, 3) : 1
  const { outcomes, failures } = await runAll(plan.workload, rounds, context)
  const rows: Row[] = []
  for (const name of takers[plan.workload]) {
    const peer = await importPeer(name)
    const cells = plan.columns.map(({ id }): Figure | null => {
      const values = outcomes.get(name)?.get(id) ?? []
      if (values.length === 0) return null
      return values.length === 1 ? counted(values[0]) : figureOf(values)
    })
    const notes = [peer.note, shareNote(peer, plan.workload), failures.get(name)].filter(
      note => note !== undefined,
    )
    rows.push({ name: peer.name, cells, ...(notes.length > 0 && { note: notes.join('; ') }) })
  }
  return {
    id: plan.workload,
    title: plan.title,
    method: plan.method,
    columns: plan.columns.map(({ id: _, ...column }) => column),
    rows,
    baseline: 'ATOMiK',
    ...(plan.plot !== undefined && { plot: plan.plot }),
  }
}

function shareNote(peer: Peer, workload: Workload): string | undefined {
  const share = peer.share?.[workload]
  return share === undefined
    ? undefined
    : `measured on ${share * 100} % of the work, to end in reasonable time`
}

// ── the bars ────────────────────────────────────────────────────────────────────────────────────────────────────────

function cell(tables: readonly ResultTable[], id: string, row: string, column: number): number {
  const table = tables.find(t => t.id === id)
  return table?.rows.find(r => r.name === row)?.cells[column]?.median ?? Number.NaN
}

function barsOf(tables: readonly ResultTable[]): Bar[] {
  const rate = (row: string) => cell(tables, 'storm', row, 0)
  const size = (row: string) => cell(tables, 'storm', row, 2)
  const bars: Bar[] = []
  const atLeast = (name: string, wanted: number, got: number) =>
    bars.push({
      name,
      wanted: `≥ ${wanted} ×`,
      measured: `${formatNumber(got)} ×`,
      met: got >= wanted,
      margin: got / wanted,
    })
  const atMost = (name: string, wanted: number, got: number, unit: string) =>
    bars.push({
      name,
      wanted: `≤ ${formatNumber(wanted)} ${unit}`.trim(),
      measured: `${formatNumber(got)} ${unit}`.trim(),
      met: got <= wanted,
      margin: wanted / got,
    })
  atLeast('register storm beside json-joy', 5, rate('ATOMiK') / rate('json-joy'))
  atLeast('register storm beside Colyseus', 2, rate('ATOMiK') / rate('Colyseus'))
  atMost('register storm, a register update', 13, size('ATOMiK'), 'B')
  atMost('register storm, an update in the xor lane', 12, size('ATOMiK, xor lane'), 'B')
  for (const id of ['burst', 'flags', 'counters', 'reconnect']) {
    const table = tables.find(t => t.id === id)
    if (table === undefined) continue
    const others = table.rows.filter(({ name, cells }) => !/ATOMiK|floor/.test(name) && cells[0] !== null)
    const best = others.reduce((a, b) => ((a.cells[0]?.median ?? 0) <= (b.cells[0]?.median ?? 0) ? a : b))
    const [ours, least] = [cell(tables, id, 'ATOMiK', 0), best.cells[0]?.median ?? 0]
    bars.push({
      name: `${table.title.toLowerCase()}, bytes`,
      wanted: `below ${formatNumber(least)} B (${best.name})`,
      measured: `${formatNumber(ours)} B`,
      met: ours < least,
      margin: least / ours,
    })
    if (id === 'counters') continue
    atMost(`${table.title.toLowerCase()}, round trips`, 1, cell(tables, id, 'ATOMiK', 1), '')
  }
  const [early, late] = [cell(tables, 'growth', 'ATOMiK', 0), cell(tables, 'growth', 'ATOMiK', 2)]
  bars.push({
    name: 'saved size after 10⁶ writes',
    wanted: `equal to that after 10⁴ (${formatNumber(early)} B)`,
    measured: `${formatNumber(late)} B`,
    met: late <= early,
    margin: early / late,
  })
  atMost('load after 10⁶ writes', 5, cell(tables, 'growth', 'ATOMiK', 4), 'ms')
  return bars
}

export const section: Section = {
  title: 'the same work by ATOMiK and its peers',
  async run(context) {
    const tables: ResultTable[] = []
    for (const plan of plans) tables.push(await tableOf(plan, context))
    return {
      tables,
      bars: context.quick ? [] : barsOf(tables),
      notes: [
        'Bytes are those of each protocol without the framing of a transport. Every final state was compared with the expected one.',
        'Text and lists, where Yjs, Loro and Automerge are strong, are not in this comparison: ATOMiK does not have them.',
      ],
    }
  },
}

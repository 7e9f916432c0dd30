/**
 * A real hub over real sockets, beside the peers' servers and a bare broadcast. Server and clients are processes of their own on the
 * same machine. Two figures stand for throughput: changes a second until the last reader has them, in which the clients' work
 * takes part, and deliveries (changes × readers) for each second of the server's own CPU time, in which it does not.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { figureOf, orderOf } from '../harness/measure.ts'
import { formatNumber } from '../harness/numbers.ts'
import type { Bar, Figure, ResultTable, Row, Section } from '../harness/section.ts'
import type { Job, Report } from './load.ts'
import type { System } from './systems.ts'

const here = dirname(fileURLToPath(import.meta.url))
const timeoutMs = 90_000

const systems: readonly { readonly system: System; readonly name: string; readonly note: string }[] = [
  {
    system: 'ws',
    name: 'ws broadcast',
    note: 'the ceiling: 13 bytes forwarded as they came, no state, nothing stored',
  },
  {
    system: 'ws-batched',
    name: 'ws broadcast, batched',
    note: 'the same, what came in one turn of the loop as one message',
  },
  { system: 'atomik', name: 'ATOMiK hub', note: 'durable in LMDB (synced) before anyone is told' },
  { system: 'yjs', name: 'y-websocket', note: 'a document server: merges, in memory, nothing stored' },
  {
    system: 'colyseus',
    name: 'Colyseus',
    note: 'a game server: no merging, in memory, patches 60 times a second, nothing stored',
  },
]

interface Usage {
  readonly cpuMs: number
  readonly rssMiB: number
}

function next<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', message => resolve(message as T))
    child.once('exit', code => reject(new Error(`a process ended early (${code})`)))
  })
}

function usage(server: ChildProcess): Promise<Usage> {
  const answer = next<Usage>(server)
  server.send('usage')
  return answer
}

async function measure(job: Omit<Job, 'port'>) {
  const options = { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] as ('ignore' | 'inherit' | 'ipc')[] }
  const server = fork(join(here, 'server.js'), [job.system], options)
  let load: ChildProcess | undefined
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    load?.kill('SIGKILL')
    server.kill('SIGKILL')
  }, timeoutMs)
  try {
    const { port } = await next<{ port: number }>(server)
    load = fork(join(here, 'load.js'), [JSON.stringify({ ...job, port })], options)
    await next(load)
    const before = await usage(server)
    load.send('go')
    const report = await next<Report>(load)
    const after = await usage(server)
    return { report, cpuMs: after.cpuMs - before.cpuMs, rssMiB: after.rssMiB }
  } catch (error) {
    throw isLate ? new Error(`a round did not end within ${timeoutMs / 1000} s`, { cause: error }) : error
  } finally {
    clearTimeout(timer)
    load?.kill('SIGKILL')
    server.kill('SIGTERM')
    server.send('stop', () => {})
  }
}

const percentile = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]

export const section: Section = {
  title: 'clients and changes through a server',
  async run({ quick, rounds, say }) {
    const collect = async (job: Omit<Job, 'port' | 'system'>) => {
      const failures = new Map<string, string>()
      const values = systems.map(() => new Map<string, number[]>())
      for (let round = 0; round < Math.min(rounds, 3); round++)
        for (const index of orderOf(systems.length, round)) {
          const { system, name } = systems[index]
          try {
            const { report, cpuMs, rssMiB } = await measure({ ...job, system })
            const push = (key: string, value: number) =>
              values[index].set(key, [...(values[index].get(key) ?? []), value])
            const [last, ack] = [report.lastReaderMs, report.ackMs].map(list => list.sort((a, b) => a - b))
            push('rate', job.changes / report.seconds)
            push('perCpu', (job.changes * job.clients) / (cpuMs / 1000))
            push('bytes', report.bytesReceived / (job.changes * job.clients))
            push('rss', rssMiB)
            push('cpu', cpuMs / (report.seconds * 10))
            push('last50', percentile(last, 0.5))
            push('last99', percentile(last, 0.99))
            if (ack.length > 0) {
              push('ack50', percentile(ack, 0.5))
              push('ack99', percentile(ack, 0.99))
            }
          } catch (error) {
            failures.set(name, error instanceof Error ? error.message : String(error))
          }
          say(`hub, ${job.rate === 0 ? 'flood' : 'paced'}, ${name}: done`)
        }
      return { values, failures }
    }
    const flood = { clients: quick ? 4 : 50, writers: 4, changes: quick ? 400 : 8000, rate: 0 }
    const paced = { clients: quick ? 4 : 50, writers: 4, changes: quick ? 80 : 1000, rate: 200 }
    const tables: ResultTable[] = []
    const build = (
      id: string,
      title: string,
      method: string,
      {
        values,
        failures,
      }: {
        readonly values: readonly Map<string, number[]>[]
        readonly failures: ReadonlyMap<string, string>
      },
      columns: readonly { key: string; name: string; unit: string; better: 'higher' | 'lower' }[],
    ) => {
      const rows = systems.map(({ name, note }, index): Row => {
        const cells = columns.map(({ key }): Figure | null => {
          const list = values[index].get(key)
          return list === undefined ? null : figureOf([...list])
        })
        const failure = failures.get(name)
        return { name, cells, note: failure === undefined ? note : `${note}; ${failure}` }
      })
      tables.push({
        id,
        title,
        method,
        columns: columns.map(({ key: _, ...column }) => column),
        rows,
        baseline: 'ws broadcast',
        plot: { kind: 'bars' },
      })
    }
    build(
      'flood',
      'As fast as it goes',
      `${flood.clients} clients, ${flood.writers} of them write ${flood.changes} changes in all to 256 registers each, up to 100 on their way.`,
      await collect(flood),
      [
        { key: 'rate', name: 'changes to the last reader', unit: '1/s', better: 'higher' },
        { key: 'perCpu', name: 'deliveries a CPU second of the server', unit: '1/s', better: 'higher' },
        { key: 'bytes', name: 'bytes a delivery', unit: 'B', better: 'lower' },
        { key: 'rss', name: 'server memory', unit: 'MiB', better: 'lower' },
      ],
    )
    build(
      'paced',
      'At 200 changes a second',
      `${paced.clients} clients, ${paced.writers} of them write, from the call to the last reader and to the durable acknowledgement.`,
      await collect(paced),
      [
        { key: 'last50', name: 'last reader, p50', unit: 'ms', better: 'lower' },
        { key: 'last99', name: 'last reader, p99', unit: 'ms', better: 'lower' },
        { key: 'ack50', name: 'durable, p50', unit: 'ms', better: 'lower' },
        { key: 'ack99', name: 'durable, p99', unit: 'ms', better: 'lower' },
        { key: 'cpu', name: 'server CPU', unit: '%', better: 'lower' },
      ],
    )
    return {
      tables,
      bars: quick ? [] : barsOf(tables[0]),
      notes: ['Only ATOMiK stores anything here, and only it repairs what a connection loses.'],
    }
  },
}

function barsOf(table: ResultTable): Bar[] {
  const of = (name: string) => table.rows.find(row => row.name === name)?.cells[1]?.median ?? Number.NaN
  const bar = (name: string, wanted: number, ratio: number): Bar => ({
    name,
    wanted: `≥ ${wanted} ×`,
    measured: `${formatNumber(Number(ratio.toPrecision(3)))} ×`,
    met: ratio >= wanted,
    margin: ratio / wanted,
  })
  return [
    bar('fan-out a CPU second, beside a bare broadcast', 0.8, of('ATOMiK hub') / of('ws broadcast')),
    bar('fan-out a CPU second, beside a document server', 5, of('ATOMiK hub') / of('y-websocket')),
  ]
}

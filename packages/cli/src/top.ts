/** `atomik top`: a running hub in the terminal, once a second: spaces, rates, and who is connected. */
import { AtomikError } from 'atomik'
import Table from 'cli-table3'
import { Command, Option } from 'commander'
import { createLogUpdate } from 'log-update'
import { colors as pc } from './colors.ts'
import { type ConnectionDescription, describeHub, type SpaceDescription } from './hub-client.ts'
import { listenForKeys } from './keys.ts'
import { wholeNumber } from './options.ts'

/** Rates shown as bars: the last so many samples. */
const barSamples = 30

/** What clients can be sorted by, most first. */
const orders = ['sent', 'received', 'behind', 'backlog'] as const
type Order = (typeof orders)[number]
interface Client {
  readonly space: SpaceDescription
  readonly connection: ConnectionDescription
}
const ranks: Readonly<Record<Order, (client: Client) => number>> = {
  sent: ({ connection }) => connection.sentBytes,
  received: ({ connection }) => connection.receivedBytes,
  behind: ({ space, connection }) => space.lsn - connection.lsn,
  backlog: ({ connection }) => connection.backlogBytes,
}

export interface TopSample {
  /** Milliseconds of a clock that only goes forward. */
  readonly at: number
  readonly spaces: readonly SpaceDescription[]
}

export function topCommand(): Command {
  return new Command('top')
    .description('watch a running hub in the terminal')
    .argument('[url]', 'http://host:port', 'http://127.0.0.1:7077')
    .addOption(new Option('--token <token>', 'token for the hub').env('ATOMIK_TOKEN'))
    .option('--interval <ms>', 'time between looks', wholeNumber(100, 60_000), 1000)
    .option('--once', 'two looks, one report, no screen; so also when the output is no terminal')
    .action(async (url: string, options: { token?: string; interval: number; once?: true }) => {
      const look = async (): Promise<TopSample> => ({
        at: performance.now(),
        spaces: await describeHub(url, options.token),
      })
      const samples = [await look()]
      if (options.once || process.stdout.isTTY !== true) {
        await new Promise(resolve => setTimeout(resolve, options.interval))
        samples.push(await look())
        process.stdout.write(`${renderTop(url, samples)}\n`)
        return
      }
      const screen = createLogUpdate(process.stdout)
      const keys = listenForKeys()
      let order = 0
      try {
        for (let key: string | undefined; key !== 'quit'; ) {
          if (key === 's') order = (order + 1) % orders.length
          const report = renderTop(url, samples, { rows: process.stdout.rows, order: orders[order] })
          screen(`${report}\n${pc.dim(`q quits · s sorts clients, now by ${orders[order]}`)}`)
          key = await keys.next(options.interval)
          if (key !== undefined) continue
          try {
            samples.push(await look())
          } catch (error) {
            // A hub that was restarted is back in a moment; a wrong token will not become right.
            if (!(error instanceof AtomikError) || error.code !== 'network') throw error
          }
          if (samples.length > barSamples + 1) samples.shift()
        }
      } finally {
        screen.done()
        keys.done()
      }
    })
}

/** The report: rates over the last two samples, bars over all of them. */
export function renderTop(
  url: string,
  samples: readonly TopSample[],
  { rows = Number.POSITIVE_INFINITY, order = 'sent' }: { rows?: number; order?: Order } = {},
): string {
  const now = samples[samples.length - 1]
  const before = samples[samples.length - 2]
  const lines = [
    `${pc.bold('atomik top')}  ${url}  ${now.spaces.length} spaces, ${now.spaces.reduce((sum, { readers }) => sum + readers, 0)} connections`,
  ]
  const spaces = plainTable([
    'space',
    'version',
    'batches/s',
    'last looks',
    'commit',
    'log',
    'rows',
    'connected',
    'most behind',
    'backlog',
  ])
  for (const space of now.spaces) {
    const lag = Math.max(0, ...space.connections.map(connection => space.lsn - connection.lsn))
    const backlog = space.connections.reduce((sum, { backlogBytes }) => sum + backlogBytes, 0)
    spaces.push([
      pc.bold(space.name),
      count(space.lsn),
      rate(find(before, space.name)?.lsn, space.lsn, before, now),
      bars(rates(samples, sample => find(sample, space.name)?.lsn)),
      commitTime(find(before, space.name), space),
      bytes(space.logBytes),
      count(Object.values(space.rows).reduce((a, b) => a + b, 0)),
      count(space.readers),
      lag > 0 ? pc.yellow(count(lag)) : '0',
      backlog > 0 ? pc.yellow(bytes(backlog)) : '0 B',
    ])
  }
  lines.push(...spaces.toString().split('\n'), '')
  const clients = plainTable([
    'client',
    'space',
    'has',
    'behind',
    'sent/s',
    'received/s',
    'sent',
    'received',
    'backlog',
  ])
  const connections = now.spaces
    .flatMap(space => space.connections.map(connection => ({ space, connection })))
    .sort((a, b) => ranks[order](b) - ranks[order](a))
  // Header, blank line, the table's own head, the line about those left out, the prompt.
  const room = Math.max(1, rows - lines.length - 6)
  for (const { space, connection } of connections.slice(0, room)) {
    const past = find(before, space.name)?.connections.find(({ id }) => id === connection.id)
    clients.push([
      pc.bold(String(connection.id)),
      space.name,
      count(connection.lsn),
      count(Math.max(0, space.lsn - connection.lsn)),
      rate(past?.sentBytes, connection.sentBytes, before, now, bytes),
      rate(past?.receivedBytes, connection.receivedBytes, before, now, bytes),
      bytes(connection.sentBytes),
      bytes(connection.receivedBytes),
      bytes(connection.backlogBytes),
    ])
  }
  lines.push(...clients.toString().split('\n'))
  if (connections.length > room) lines.push(pc.dim(`and ${connections.length - room} more`))
  return lines.join('\n')
}

const find = (sample: TopSample | undefined, name: string) =>
  sample?.spaces.find(space => space.name === name)

/** Every line that cli-table3 would draw: none is wanted. */
const borders = ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap(side =>
  side === 'middle' ? side : [side, `${side}-mid`, `${side}-left`, `${side}-right`],
)

function plainTable(head: string[]): Table.Table {
  return new Table({
    head: head.map(title => pc.dim(title)),
    chars: Object.fromEntries(borders.map(name => [name, ''])) as NonNullable<
      Table.TableConstructorOptions['chars']
    >,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
  })
}

const count = (value: number) => Math.round(value).toLocaleString('en')

function bytes(value: number): string {
  if (value < 1000) return `${Math.round(value)} B`
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} kB`
  return `${(value / 1e6).toFixed(1)} MB`
}

function rate(
  from: number | undefined,
  to: number,
  before: TopSample | undefined,
  now: TopSample,
  format: (value: number) => string = count,
): string {
  if (from === undefined || before === undefined || to < from || now.at <= before.at) return '–'
  return format(((to - from) * 1000) / (now.at - before.at))
}

/** The mean commit between two looks. */
function commitTime(before: SpaceDescription | undefined, now: SpaceDescription): string {
  const commits = now.stats.commits - (before?.stats.commits ?? now.stats.commits)
  if (before === undefined || commits <= 0) return '–'
  return `${((1000 * (now.commitSeconds - before.commitSeconds)) / commits).toFixed(1)} ms`
}

function rates(samples: readonly TopSample[], value: (sample: TopSample) => number | undefined): number[] {
  return samples.slice(1).map((sample, i) => {
    const [from, to] = [value(samples[i]), value(sample)]
    if (from === undefined || to === undefined || to < from || sample.at <= samples[i].at) return 0
    return ((to - from) * 1000) / (sample.at - samples[i].at)
  })
}

/** Eighths of a line: the largest fills it. */
function bars(values: readonly number[]): string {
  const most = Math.max(...values, 0)
  return values
    .map(value => (value === 0 ? ' ' : ('▁▂▃▄▅▆▇█'[Math.ceil((value / most) * 8) - 1] ?? '▁')))
    .join('')
}

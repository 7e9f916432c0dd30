/** `atomik replay`: the main job, with a line of progress, the figures in the end, and the page. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type FaultLevel, faultLevels, Replay, type ReplayFigures } from '@atomik/flights'
import { AtomikError } from 'atomik'
import Table from 'cli-table3'
import { Command, Option } from 'commander'
import { colors as pc } from './colors.ts'
import { speed, wholeNumber } from './options.ts'
import { pageFolder } from './serve.ts'

interface Options {
  flights: number
  replicas: number
  seed: number
  faults: FaultLevel
  speed: number | 'max'
  port: number
  json?: string
  once?: boolean
  crashHub?: boolean
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('replay real flights over a bad network, watch it, and compare everything in the end')
    .option('--flights <n>', 'how many of the 20,000 flights', wholeNumber(1, 20_000), 20_000)
    .option('--replicas <n>', 'replicas, one a region', wholeNumber(1, 64), 8)
    .option('--seed <n>', 'seed of the faults', wholeNumber(0, 2 ** 31), 1)
    .addOption(
      new Option('--faults <level>', 'how bad the links are')
        .choices(Object.keys(faultLevels))
        .default('light'),
    )
    .option('--speed <x>', 'days of data a second, or max', speed, 3)
    .option('--port <port>', 'port of hub and page, 0 for any free one', wholeNumber(0, 65_535), 7077)
    .option('--json <file>', 'write the figures there as JSON')
    .option('--once', 'leave after the comparison')
    .option('--crash-hub', 'kill the hub with SIGKILL in mid-replay')
    .action(replay)
}

async function replay(options: Options): Promise<void> {
  const terminal = process.stderr.isTTY === true
  let lastLineAt = 0
  const replay = new Replay(
    {
      ...options,
      crashHub: options.crashHub ?? false,
      page: existsSync(pageFolder) ? pageFolder : undefined,
    },
    {
      page: url => process.stdout.write(`page  ${url}\n`),
      progress: line => {
        if (terminal) process.stderr.write(`\r\x1b[K${line}`)
        else if (performance.now() - lastLineAt > 2000) {
          lastLineAt = performance.now()
          process.stderr.write(`${line}\n`)
        }
      },
      note: text => process.stderr.write(`${terminal ? '\r\x1b[K' : ''}atomik: ${text}\n`),
    },
  )
  let interrupted = false
  const interruption = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        interrupted = true
        resolve()
        void replay.stop()
      })
  })
  try {
    const figures = await replay.run()
    if (terminal) process.stderr.write('\r\x1b[K')
    process.stdout.write(formatFigures(figures))
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(figures, null, 2)}\n`)
    if (!figures.agreed) process.exitCode = 1
    if (options.once !== true) {
      process.stdout.write('Hub and page stay up. Ctrl-C ends.\n')
      await interruption
    }
  } catch (error) {
    if (terminal) process.stderr.write('\r\x1b[K')
    if (!interrupted) throw error
    if (!(error instanceof AtomikError)) throw error
    process.exitCode = 130
  } finally {
    await replay.stop()
  }
}

function formatFigures(f: ReplayFigures): string {
  const table = new Table({ style: { head: [], border: [] }, colAligns: ['left', 'right'] })
  const count = (value: number) => value.toLocaleString('en-US')
  const bytes = (value: number) => value.toFixed(2)
  table.push(
    ['flights', count(f.flights)],
    ['field changes', count(f.fieldChanges)],
    ['batches accepted by the hub', count(f.batches)],
    ['group commits (each durable before its ack)', count(f.hubCommits)],
    ['duplicates dropped', count(f.duplicatesDropped)],
    ['gaps filled, whether lost or overtaken', count(f.gapsRepaired)],
    ['batches sent again', count(f.batchesResent)],
    ['reconnects', count(f.reconnects)],
    [
      'messages the links lost / repeated',
      `${count(f.messagesDroppedByLinks)} / ${count(f.messagesRepeatedByLinks)}`,
    ],
    ['connections the links cut', count(f.cutsByLinks)],
    ['hub killed with SIGKILL', count(f.hubKills)],
    ['bytes up / down on the wire', `${count(f.bytesUp)} / ${count(f.bytesDown)}`],
    [
      'bytes a field change: sent / delivered / mean',
      `${bytes(f.bytesPerChangeUp)} / ${bytes(f.bytesPerChangeDown)} / ${bytes(f.bytesPerChange)}`,
    ],
    ['sync metadata a client keeps, bytes', count(f.clientMetadataBytes)],
    ['seconds until all agreed', f.convergedSeconds.toFixed(2)],
    ['flights a second, to the last replica', count(Math.round(f.flightsPerSecond))],
  )
  const verdicts = f.comparisons.map(({ what, difference }) =>
    difference === undefined
      ? `${pc.green('equal')}      ${what}`
      : `${pc.red('different')}  ${what}: ${difference}`,
  )
  return `${table.toString()}\nCompared with a plain recomputation from the data set:\n${verdicts.map(v => `  ${v}\n`).join('')}`
}

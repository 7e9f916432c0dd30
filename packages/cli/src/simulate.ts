/**
 * `atomik simulate`: clusters on seeds, with faults, judged by an oracle; and the same with bugs injected, each of which it must
 * find. Exit code 0 when all seeds hold (or all bugs are found), 1 otherwise.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import {
  describeItem,
  drawPlan,
  type Outcome,
  Simulation,
  type SimulationEvent,
  shorten,
} from '@atomik/simulator'
import { bugs, formatDetections, hunt, runSeeds } from '@atomik/simulator/node'
import { AtomikError } from 'atomik'
import { Command } from 'commander'
import { wholeNumber } from './options.ts'

interface Options {
  readonly seed: number
  readonly seeds: number
  readonly threads: number
  readonly trace?: boolean
  readonly bugs?: boolean
  readonly write?: string
  readonly json?: boolean
}

/** Failures told in full; more are counted. */
const failuresShown = 5
/** Lines of a shortened trace, from its end. */
const traceLinesMax = 80
const shortenRunsMax = 300

export function simulateCommand(): Command {
  return new Command('simulate')
    .description('clusters on seeds: faults, then healing, and an oracle that counts every change')
    .option('--seed <n>', 'the first seed', wholeNumber(0, 2 ** 31), 1)
    .option('--seeds <n>', 'how many', wholeNumber(1, 1e8), 2000)
    .option('--threads <n>', 'threads to run on', wholeNumber(1, 256), Math.min(8, availableParallelism()))
    .option('--trace', 'tell everything that happens (with --seeds 1)')
    .option('--bugs', 'inject each known bug and tell after how many seeds it is found')
    .option('--write <file>', 'with --bugs: put the table between the marks of a Markdown file')
    .option('--json', 'as JSON')
    .action(async (options: Options) => {
      const isFine =
        options.bugs === true
          ? await huntBugs(options)
          : options.trace === true
            ? traceOne(options)
            : await runAll(options)
      if (!isFine) process.exitCode = 1
    })
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function runAll(options: Options): Promise<boolean> {
  const startedAt = performance.now()
  const faults = new Map<string, number>()
  const failed: Outcome[] = []
  let [runs, changes, virtualMs, slowestMs] = [0, 0, 0, 0]
  await runSeeds({
    from: options.seed,
    count: options.seeds,
    threads: options.threads,
    onOutcome: outcome => {
      runs++
      changes += outcome.changes
      virtualMs += outcome.virtualMs
      slowestMs = Math.max(slowestMs, outcome.convergeMs)
      for (const [fault, count] of Object.entries(outcome.faults))
        faults.set(fault, (faults.get(fault) ?? 0) + count)
      if (outcome.failure !== undefined) failed.push(outcome)
      if (process.stderr.isTTY) process.stderr.write(`\r${runs} of ${options.seeds} seeds `)
      return false
    },
  })
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  failed.sort((a, b) => a.seed - b.seed)
  const seconds = (performance.now() - startedAt) / 1000
  const kinds = (...names: string[]) =>
    failed.filter(({ failure }) => failure !== undefined && names.includes(failure.kind)).length
  const verdict = {
    seeds: runs,
    failed: failed.length,
    divergent: kinds('divergence', 'torn', 'unwritten', 'unread', 'diff', 'store', 'skew', 'early'),
    double: kinds('double', 'refused-counts'),
    lost: kinds('lost'),
    stuck: kinds('stuck'),
    broken: kinds('error'),
  }
  if (options.json === true) {
    print(
      JSON.stringify(
        {
          ...verdict,
          firstSeed: options.seed,
          changes,
          virtualSeconds: Math.round(virtualMs / 1000),
          slowestConvergenceMs: Math.round(slowestMs),
          seconds,
          faults: Object.fromEntries([...faults].sort()),
          failures: failed.map(({ seed, failure }) => ({ seed, ...failure })),
        },
        null,
        2,
      ),
    )
    return failed.length === 0
  }
  print(`${runs} seeds from ${options.seed}, ${changes} changes, faults injected:`)
  for (const [fault, count] of [...faults].sort(([a], [b]) => (a < b ? -1 : 1)))
    print(`  ${fault.padEnd(26)}${String(count).padStart(10)}`)
  print(
    `virtual time ${(virtualMs / 3.6e6).toFixed(2)} hours; equal again at most ${(slowestMs / 1000).toFixed(1)} s after healing; ${seconds.toFixed(1)} s on ${options.threads} threads`,
  )
  print(
    `verdict: ${failed.length === 0 ? 'all seeds hold' : `${failed.length} seeds FAIL`}: ` +
      `${verdict.divergent} divergent, ${verdict.double} double, ${verdict.lost} lost, ${verdict.stuck} stuck, ${verdict.broken} broken`,
  )
  for (const { seed, failure } of failed.slice(0, failuresShown))
    print(`\nseed ${seed}: ${failure?.kind}: ${failure?.message}\n  replay: ${replayCommand(seed)}`)
  if (failed.length > 0) showShortened(failed[0])
  return failed.length === 0
}

function replayCommand(seed: number): string {
  return `npm run simulate -- --seed ${seed} --seeds 1 --trace`
}

function showShortened(outcome: Outcome): void {
  const { seed, failure } = outcome
  if (failure === undefined) return
  const plan = shorten(drawPlan(seed), failure.kind, shortenRunsMax)
  const simulation = new Simulation({ seed, plan, record: true })
  simulation.run()
  print(
    `\nseed ${seed}, shortened to ${plan.items.length} of ${drawPlan(seed).items.length} things that happen:`,
  )
  for (const item of plan.items) print(`  ${describeItem(item)}`)
  print('its last events:')
  for (const event of simulation.events.slice(-traceLinesMax)) print(formatEvent(event))
}

function formatEvent({ atMs, who, text }: SimulationEvent): string {
  return `${atMs.toFixed(0).padStart(8)} ms  ${who.padEnd(8)} ${text}`
}

function traceOne(options: Options): boolean {
  const simulation = new Simulation({ seed: options.seed, record: true })
  const outcome = simulation.run()
  for (const item of simulation.plan.items) print(describeItem(item))
  for (const event of simulation.events) print(formatEvent(event))
  if (outcome.failure === undefined) {
    print(`seed ${options.seed} holds, equal ${outcome.convergeMs.toFixed(0)} ms after healing`)
    return true
  }
  print(`seed ${options.seed}: ${outcome.failure.kind}: ${outcome.failure.message}`)
  showShortened(outcome)
  return false
}

async function huntBugs(options: Options): Promise<boolean> {
  const startedAt = performance.now()
  const detections = await hunt(bugs, options.threads)
  if (options.json === true)
    print(
      JSON.stringify(
        detections.map(({ bug, seeds, kind }) => ({ bug: bug.name, seeds, kind })),
        null,
        2,
      ),
    )
  else print(formatDetections(detections))
  if (options.write !== undefined) writeTable(options.write, formatDetections(detections))
  const missed = detections.filter(({ seeds }) => seeds === undefined)
  if (missed.length > 0)
    throw new AtomikError('range', `not found: ${missed.map(({ bug }) => bug.name).join(', ')}`)
  if (options.json !== true)
    print(
      `\n${detections.length} of ${bugs.length} bugs found in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    )
  return true
}

/** @throws AtomikError `range` when the file has no place for it */
function writeTable(path: string, table: string): void {
  const text = readFileSync(path, 'utf8')
  const marked = /(<!-- bugs -->\n)[\s\S]*(<!-- \/bugs -->)/
  if (!marked.test(text)) throw new AtomikError('range', `${path} has no marks for the table`)
  writeFileSync(
    path,
    text.replace(marked, (_, begin, end) => `${begin}\n${table}\n\n${end}`),
  )
}

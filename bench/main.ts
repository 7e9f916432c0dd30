/**
 * The benchmarks: sections one after the other, each printed as it ends, all of them as JSON on demand. A run with `--only` and
 * `--json` replaces that section in the file and leaves the others, so that a section may be measured again alone.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from './harness/machine.ts'
import { barsText, tableText } from './harness/report.ts'
import type { ResultsFile } from './harness/results.ts'
import type { Section } from './harness/section.ts'
import { writeDocuments } from './page/page.ts'
import { reasons } from './reasons.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** Sections by name, loaded when they run: one that lacks its peers does not hinder the others. */
const sections: Readonly<Record<string, () => Promise<{ readonly section: Section }>>> = {
  kernels: () => import('./kernels/kernels.ts'),
  sync: () => import('./sync/sync.ts'),
  pages: () => import('./pages/pages.ts'),
  hub: () => import('./hub/hub.ts'),
  growth: () => import('./growth/growth.ts'),
}

const usage = `npm run bench -- [--only ${Object.keys(sections).join('|')}[,…]]… [--json FILE] [--rounds N] [--quick]

  --only     these sections, with commas or repeated; without it all
  --json     write results here; sections not run keep what the file holds. A file named results.json gets its tables
             (README.md) and its page with plots (index.html) beside it
  --rounds   interleaved rounds of each case, default 5
  --render   measures nothing: writes the documents beside FILE again from what it holds
  --quick    every path once on little work: says whether it runs, not how fast`

function fail(message: string): never {
  console.error(`bench: ${message}\n\n${usage}`)
  process.exit(2)
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        render: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    return values
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

const options = readOptions()
if (options.help) {
  console.log(usage)
  process.exit(0)
}
const quick = options.quick
const rounds = Number(options.rounds ?? (quick ? 1 : 5))
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000)
  fail('--rounds is a whole number from 1 to 1000')
const chosen = options.only?.flatMap(names => names.split(',')) ?? Object.keys(sections)
for (const name of chosen) if (!(name in sections)) fail(`there is no section ${name}`)

if (options.render) {
  if (options.json === undefined) fail('--render needs --json FILE')
  const held: ResultsFile = JSON.parse(readFileSync(options.json, 'utf8'))
  await writeDocuments(held, dirname(resolve(options.json)), resolve(root, 'bench/page'))
  process.exit(0)
}

const machine = describeMachine(root)
console.log(
  `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}\n` +
    `load before the run ${machine.loadBefore}${machine.loadBefore > 0.5 ? ': other work shares the machine, trust ratios only' : ''}; ${rounds} interleaved rounds`,
)
console.log(
  Object.entries({ ...machine.packages, ...machine.tools })
    .map(([name, version]) => `${name} ${version ?? 'not here'}`)
    .join(' · '),
)

const file = options.json
const results: ResultsFile =
  file !== undefined && existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { format: 1, sections: {} }
for (const name of chosen) {
  const startedAt = performance.now()
  const { section } = await sections[name]()
  console.log(`\n━━ ${name}: ${section.title}`)
  const measured = await section.run({ quick, rounds, say: line => console.error(`   ${line}`) })
  const bars = measured.bars.map(bar =>
    bar.met || bar.reason !== undefined || reasons[bar.name] === undefined
      ? bar
      : { ...bar, reason: reasons[bar.name] },
  )
  const result = { ...measured, bars }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  for (const table of result.tables) console.log(`\n${tableText(table)}`)
  for (const note of result.notes) console.log(`\n${note}`)
  if (result.bars.length > 0) console.log(`\n${barsText(result.bars)}`)
  console.log(`\n${name} took ${seconds} s`)
  results.sections[name] = { title: section.title, seconds, rounds, machine, ...result }
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`)
}
if (file !== undefined && basename(file) === 'results.json' && !quick)
  await writeDocuments(results, dirname(resolve(file)), resolve(root, 'bench/page'))
process.exit(0)

// The room's command. `bash hdl/run` installs what is missing and comes here.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AxiRun, runControl, runFoldStream, runStream } from './bench/axi.ts'
import { elfCommand } from './bench/elf_command.ts'
import { runDamagedInputs, runWrongInputs } from './bench/elf_inputs.ts'
import { buildCore, runCore, runSimulator, type Verdict } from './bench/lockstep.ts'
import { MUTANTS, runMutant } from './bench/mutants.ts'
import { Failure, must, OUT, outFolder, ROOM } from './bench/process.ts'
import { buildExample, buildMachine, buildTests, coverageSize, type Program, runPrograms, uncovered } from './bench/programs.ts'
import { PROOFS, prove } from './bench/proofs.ts'
import { runRandom } from './bench/random_programs.ts'
import { buildTraffic, runCell, runTableIverilog, runTraffic } from './bench/traffic.ts'
import { runUart } from './bench/uart.ts'
import { readVectors, runVectors } from './bench/vectors.ts'
import { draw, type Ports } from './figures/draw.ts'
import type { Lane } from './model/delta.ts'
import { measure } from './figures/measure.ts'

const USAGE =
  'usage: npm run hdl -- [--short | --verify | --elf FILE [--max-cycles N] | --random SEED | --figures [PATTERN]]'

let passed = 0
let failed = 0
const begin = Date.now()
function report(what: string, why: string | null | undefined): void {
  if (why) failed++
  else passed++
  const seconds = ((Date.now() - begin) / 1000).toFixed(0).padStart(4)
  console.log(`${seconds} s  ${why ? 'FAIL' : 'ok  '}  ${what}${why ? `: ${why}` : ''}`)
}

function units(short: boolean): void {
  const cases = readVectors()
  const vectors = runVectors(cases)
  report(
    `spec/vectors: ${vectors.cases} cases, ${vectors.passed} replays on delta_cell and delta_table (iverilog)`,
    vectors.failures[0],
  )
  for (const lane of ['xor', 'add', 'max'] as const)
    for (const width of [64, 7])
      report(
        `delta_cell ${lane} ${width}: SWAP and LOAD against ACCUM in every phase, 5,000 random clocks (iverilog)`,
        runCell(lane, width, 5, 5000),
      )
  for (const slices of [2, 4])
    report(
      `delta_sum_cell 64 in ${slices} slices: the same (iverilog)`,
      runCell('add', 64, 5, 5000, undefined, slices),
    )
  for (const lane of ['xor', 'add'] as const)
    for (const ports of [1, 3, 9])
      report(
        `delta_table ${lane}, ${ports} ports: 2,000 random clocks (iverilog)`,
        runTableIverilog(lane, 64, ports, 9, 2000),
      )

  const requests = short ? 60 : 400
  for (const [seed, bitNs] of [[1, 80], [2, 79], [3, 81]] as [number, number][])
    report(
      `delta_board: ${requests} random requests over the serial line, bits of ${bitNs} ns where the board takes 80 (iverilog)`,
      runUart(seed, requests, bitNs),
    )
  const clocks = short ? 2000 : 50_000
  const axi = (what: string, run: AxiRun): void =>
    report(
      `${what}: ${clocks} clocks of random valid and ready, ${run.taken} taken, ${run.answers} answers compared, held back ${run.stalls} times (iverilog)`,
      run.difference,
    )
  for (const [lane, ports] of [['xor', 1], ['xor', 3], ['add', 2]] as [Lane, number][])
    axi(`delta_stream ${lane}, ${ports} ports`, runStream(lane, ports, 11, clocks))
  for (const [lane, ports] of [['xor', 9], ['add', 4], ['max', 2]] as [Lane, number][])
    axi(`delta_fold_stream ${lane}, ${ports} words a beat`, runFoldStream(lane, ports, 12, clocks))
  axi('delta_control', runControl(13, 2 * clocks))
}

/** Accumulates a clock, counted at the ports; every result compared. Building the large ones takes minutes, so they come last. */
async function ports(short: boolean): Promise<void> {
  const sizes = short ? [1, 8] : [1, 2, 8, 32, 128, 512]
  const counted: Ports[] = []
  for (const unit of ['table', 'fold'] as const)
    for (const ports of unit === 'fold' && short ? [8, 128] : sizes) {
      const clocks = ports <= 8 ? 1_000_000 : ports <= 32 ? 250_000 : 20_000
      const program = buildTraffic(unit, ports, 'xor')
      const run = await runTraffic(unit, program, { seed: 3, clocks, ports, lane: 'xor' })
      counted.push({ unit, ports, clocks: run.clocks, accepted: run.accepted })
      const rate = (run.accepted / run.clocks).toFixed(2)
      const word = unit === 'table' ? 'deltas' : 'words (about one in eight masked)'
      const short_ =
        unit === 'table' && run.accepted !== run.clocks * ports ? `accepted ${rate} a clock` : undefined
      report(
        `delta_${unit}, ${ports} ports, every port every clock: ${run.accepted} ${word} in ${run.clocks} clocks, ${rate} a clock, ` +
          `${run.results} results compared (simulated, verilator, ${run.seconds.toFixed(1)} s)`,
        run.difference ?? short_,
      )
    }
  if (!short) writeFileSync(join(ROOM, 'figures', 'ports.json'), `${JSON.stringify(counted, null, 1)}\n`)
  const add = buildTraffic('table', 8, 'add')
  report(
    'delta_table add, 8 ports: 200,000 clocks (verilator)',
    (await runTraffic('table', add, { seed: 4, clocks: 200_000, ports: 8, lane: 'add' })).difference,
  )
}

async function cores(short: boolean): Promise<void> {
  const program = buildCore()
  const tests = buildTests()
  const run = await runPrograms(tests, [0, 7, 21], program)
  report(
    `core: ${tests.length} own programs, ${run.passed} runs on simulator and core, ${run.retired} instructions compared`,
    run.failures[0],
  )
  const left = uncovered(run.seen, ['interrupt 3', 'interrupt 7'])
  report(
    `core: all ${coverageSize} instructions and traps, and 2 interrupts, ran in them`,
    left.length > 0 ? `never ran: ${left.join(', ')}` : null,
  )

  const seeds = short ? 60 : 600
  let compared = 0
  let difference: string | undefined
  for (let seed = 1; seed <= seeds && !difference; seed++) {
    const one = await runRandom(seed, program)
    compared += one.retired
    if (one.difference) difference = `seed ${seed} (npm run hdl -- --random ${seed}): ${one.difference}`
  }
  report(
    `core: ${seeds} random programs with waits and interrupts, ${compared} instructions compared`,
    difference,
  )

  // the other outcomes of `tohost`: every program above passes
  const ends: [Program, Verdict][] = [
    [buildExample('fails'), { kind: 'fail', test: 7n }],
    [buildMachine('reports', ['-DFAIL'], 'fails'), { kind: 'fail', test: 5n }],
    [buildMachine('reports', ['-s'], 'stripped'), { kind: 'pass' }],
    [buildMachine('reports', ['-DFAIL', '-s'], 'fails-stripped'), { kind: 'fail', test: 5n }],
  ]
  const text = (verdict: Verdict): string => `${verdict.kind} ${verdict.kind === 'fail' ? verdict.test : ''}`.trim()
  let wrong: string | null = null
  for (const [{ name, elf, tohost }, wanted] of ends)
    for (const { verdict } of [
      runSimulator(elf, tohost, 100_000),
      await runCore(elf, tohost, { maxCycles: 100_000, program }),
    ])
      if (text(verdict) !== text(wanted)) wrong = `${name}: ${text(verdict)}, wanted ${text(wanted)}`
  report('tohost: failing tests report their numbers on simulator and core, with symbols and without', wrong)
  const refused = runWrongInputs()
  report(`--elf: ${refused.count} files that are no program for this core: one line and exit code 2`, refused.why)
  report('--elf: every truncation and 1,000 damaged copies of a program are refused or load', runDamagedInputs(1000))

  for (const name of ['converge', 'undo', 'checkpoint', 'fusion', 'mixture']) {
    const { elf, tohost } = buildExample(name)
    const example = await runCore(elf, tohost, { maxCycles: 5_000_000, program })
    const why =
      example.difference ??
      (example.verdict.kind === 'pass'
        ? null
        : JSON.stringify(example.verdict, (_, v) => (typeof v === 'bigint' ? String(v) : v)))
    const numbers = example.console.trim().split(' ')
    if (name === 'mixture') {
      const cpi = Number(numbers[2]) / Number(numbers[4])
      report(
        `core: instruction mixture: ${numbers[2]} clocks, ${numbers[4]} instructions, CPI ${cpi.toFixed(3)} (bar 1.5; simulated)`,
        why ?? (cpi <= 1.5 ? null : 'over the bar'),
      )
    } else
      report(
        `example ${name}: ${numbers[2]} clocks with the four operations, ${numbers[4]} in plain RV64I (simulated)`,
        why,
      )
  }
}

function proofs(short: boolean): void {
  for (const proof of PROOFS) {
    if (short && !proof.short) continue
    const start = Date.now()
    const why = prove(proof)
    report(`proof ${proof.name} (${proof.kind}, ${((Date.now() - start) / 1000).toFixed(1)} s)`, why)
  }
  if (short)
    console.log(
      `        ${PROOFS.filter(proof => !proof.short).length} longer proofs are left to the full form (npm run hdl)`,
    )
}

async function mutants(): Promise<void> {
  const cases = readVectors()
  const programs = buildTests().filter(({ name }) => ['traps', 'jumps', 'csrs', 'delta'].includes(name))
  for (const mutant of MUTANTS) report(`caught: ${mutant.what}`, await runMutant(mutant, cases, programs))
}

async function main(args: string[]): Promise<number> {
  const rest = [...args]
  let elf: string | undefined
  let maxCycles = 10_000_000
  let short = process.env.CI === 'true'
  let figures = !short
  let verify = true
  let onlyFigures: RegExp | undefined
  while (rest.length > 0) {
    const option = rest.shift()
    if (option === '--elf') {
      elf = rest.shift()
      if (elf === undefined || elf.startsWith('--')) throw new Failure(`--elf wants a file. ${USAGE}`, 2)
    } else if (option === '--max-cycles') {
      maxCycles = Number(rest.shift())
      if (!Number.isSafeInteger(maxCycles) || maxCycles < 1)
        throw new Failure(`--max-cycles wants a number of clocks from 1 up. ${USAGE}`, 2)
    } else if (option === '--random') {
      const seed = Number(rest.shift())
      if (!Number.isSafeInteger(seed) || seed < 1)
        throw new Failure(`--random wants a seed from 1 up. ${USAGE}`, 2)
      const run = await runRandom(seed, buildCore())
      report(`random program ${seed}: ${run.retired} instructions compared`, run.difference)
      return failed > 0 ? 1 : 0
    } else if (option === '--short') {
      short = true
      figures = false
    } else if (option === '--verify') figures = false
    else if (option === '--figures') {
      verify = false
      figures = true
      const pattern = rest[0]?.startsWith('--') ? undefined : rest.shift()
      if (pattern !== undefined) onlyFigures = new RegExp(pattern)
    } else throw new Failure(`unknown option ${option}. ${USAGE}`, 2)
  }
  if (elf !== undefined) return elfCommand(elf, maxCycles)
  outFolder()
  if (verify) {
    must('node', [join(ROOM, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', ROOM])
    report('types (tsc)', null)
    units(short)
    await cores(short)
    proofs(short)
    await mutants()
    await ports(short)
  }
  if (!figures)
    console.log('        place and route is left to the full form; the committed figures are in hdl/figures')
  else {
    measure(join(OUT, 'tools', 'bin'), onlyFigures)
    draw()
    report('figures placed, routed and drawn', null)
  }
  console.log(`hdl: ${passed} passed, ${failed} failed`)
  return failed > 0 ? 1 : 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Failure)) throw error
  console.error(`hdl: ${error.message}`)
  process.exitCode = error.exitCode
}

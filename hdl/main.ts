// The room's command. `bash hdl/run` installs what is missing and comes here.
import { join } from 'node:path'
import { elfCommand } from './bench/elf_command.ts'
import { buildCore, runCore, runSimulator } from './bench/lockstep.ts'
import { MUTANTS, runMutant } from './bench/mutants.ts'
import { Failure, must, OUT, outFolder, ROOM } from './bench/process.ts'
import { buildExample, buildTests, coverageSize, runPrograms, uncovered } from './bench/programs.ts'
import { PROOFS, prove } from './bench/proofs.ts'
import { runRandom } from './bench/random_programs.ts'
import { buildTraffic, runCell, runTableIverilog, runTraffic } from './bench/traffic.ts'
import { runUart } from './bench/uart.ts'
import { readVectors, runVectors } from './bench/vectors.ts'
import { draw } from './figures/draw.ts'
import { measure } from './figures/measure.ts'

const USAGE = 'usage: npm run hdl -- [--short | --elf FILE [--max-cycles N] | --random SEED | --figures]'

let passed = 0
let failed = 0
const begin = Date.now()
function report(what: string, why: string | null | undefined): void {
  if (why) failed++
  else passed++
  const seconds = ((Date.now() - begin) / 1000).toFixed(0).padStart(4)
  console.log(`${seconds} s  ${why ? 'FAIL' : 'ok  '}  ${what}${why ? `: ${why}` : ''}`)
}

async function units(short: boolean): Promise<void> {
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

  // accumulates a clock, counted at the ports; every result compared
  const sizes = short ? [1, 8] : [1, 2, 8, 32, 128, 512]
  for (const unit of ['table', 'fold'] as const)
    for (const ports of unit === 'fold' && short ? [8, 128] : sizes) {
      const clocks = ports <= 8 ? 1_000_000 : ports <= 32 ? 250_000 : 20_000
      const program = buildTraffic(unit, ports, 'xor')
      const run = await runTraffic(unit, program, { seed: 3, clocks, ports, lane: 'xor' })
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
  const add = buildTraffic('table', 8, 'add')
  report(
    'delta_table add, 8 ports: 200,000 clocks (verilator)',
    (await runTraffic('table', add, { seed: 4, clocks: 200_000, ports: 8, lane: 'add' })).difference,
  )
  report('delta_uart: LOAD ACCUM READ SWAP over the serial line (iverilog)', runUart())
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

  // the other outcome of `tohost`: every program above passes, this one must come out as failing test 7, on both
  const fails = buildExample('fails')
  const verdicts = [
    runSimulator(fails.elf, fails.tohost, 100_000).verdict,
    (await runCore(fails.elf, fails.tohost, { maxCycles: 100_000, program })).verdict,
  ]
  report(
    'tohost: a failing program reports its test number on simulator and core',
    verdicts.every(verdict => verdict.kind === 'fail' && verdict.test === 7n)
      ? null
      : verdicts.map(verdict => verdict.kind).join(', '),
  )

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
  let onlyFigures = false
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
    } else if (option === '--short') short = true
    else if (option === '--figures') onlyFigures = true
    else throw new Failure(`unknown option ${option}. ${USAGE}`, 2)
  }
  if (elf !== undefined) return elfCommand(elf, maxCycles)
  outFolder()
  if (!onlyFigures) {
    must('node', [join(ROOM, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', ROOM])
    report('types (tsc)', null)
    await units(short)
    await cores(short)
    proofs(short)
    await mutants()
  }
  if (short)
    console.log('        place and route is left to the full form; the committed figures are in hdl/figures')
  else {
    measure(join(OUT, 'tools', 'bin'))
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

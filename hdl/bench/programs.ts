// The core's own tests: built from assembly and C, run on the simulator alone and on the core in lock step, once with
// buses that always answer and once with random waits. Between them every instruction and every trap must have run.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Elf, readElf } from '../iss/elf.ts'
import { generatedTests } from '../sw/tests/instructions.ts'
import { type CoreRun, runCore, runSimulator } from './lockstep.ts'
import { Failure, must, outFolder, ROOM } from './process.ts'

const SW = join(ROOM, 'sw')
/** Tests that follow the riscv-tests conventions to the letter: their environment, their layout, ecall to end. */
const MACHINE = join(SW, 'tests', 'machine')
const FLAGS = [
  ...'-march=rv64i_zicsr_zifencei -mabi=lp64 -mcmodel=medany -nostdlib -nostartfiles -static -ffreestanding'.split(
    ' ',
  ),
  ...['-Wall', '-Wextra', '-Werror', '-Wl,--build-id=none', '-Wl,--no-warn-rwx-segments'],
  ...['-I', SW, '-I', join(SW, 'tests')],
]

export interface Program {
  name: string
  elf: Elf
  tohost: bigint
}

export const elfPath = (name: string): string => join(outFolder('programs'), `${name}.elf`)

/** Assembles or compiles one program. */
export function build(
  name: string,
  sources: string[],
  extra: string[] = [],
  layout = join(SW, 'link.ld'),
): Program {
  const file = elfPath(name)
  must('riscv64-unknown-elf-gcc', [
    ...FLAGS,
    ...['-T', layout],
    ...extra,
    '-o',
    file,
    ...sources,
    ...(extra.includes('-O2') ? ['-lgcc'] : []),
  ])
  const elf = readElf(readFileSync(file))
  if (elf.tohost === undefined) throw new Failure(`${name}: no tohost`)
  return { name, elf, tohost: elf.tohost }
}

export const buildMachine = (name: string, extra: string[] = [], as = name): Program =>
  build(`machine-${as}`, [join(MACHINE, `${name}.S`)], extra, join(MACHINE, 'environment.ld'))

/** Every test of sw/tests. */
export function buildTests(): Program[] {
  const folder = outFolder('programs')
  const written = generatedTests().map(([name, text]) => {
    const source = join(folder, `${name}.S`)
    writeFileSync(source, text)
    return build(name, [source])
  })
  const handwritten = readdirSync(join(SW, 'tests'))
    .filter(name => name.endsWith('.S'))
    .map(name => build(name.replace(/\.S$/, ''), [join(SW, 'tests', name)]))
  const machine = readdirSync(MACHINE)
    .filter(name => name.endsWith('.S'))
    .map(name => buildMachine(name.replace(/\.S$/, '')))
  return [...handwritten, ...machine, ...written]
}

export const buildExample = (name: string, extra: string[] = []): Program =>
  build(name, [join(SW, 'start.S'), join(SW, 'examples', `${name}.c`)], ['-O2', ...extra])

const describe = (run: CoreRun): string =>
  run.difference ??
  (run.verdict.kind === 'fail'
    ? `FAIL test ${run.verdict.test}`
    : run.verdict.kind === 'pass'
      ? 'PASS'
      : run.verdict.kind)

export interface TestsRun {
  passed: number
  failures: string[]
  retired: number
  cycles: bigint
  seen: Map<string, number>
}

/** Runs the programs on simulator and core; `waits` are the seeds of the runs with wait states (0: none). */
export async function runPrograms(
  programs: Program[],
  waits: number[],
  coreProgram?: string,
): Promise<TestsRun> {
  const all: TestsRun = { passed: 0, failures: [], retired: 0, cycles: 0n, seen: new Map() }
  for (const { name, elf, tohost } of programs) {
    const alone = runSimulator(elf, tohost, 5_000_000)
    if (alone.verdict.kind === 'pass') all.passed++
    else
      all.failures.push(
        `${name} on the simulator: ${alone.verdict.kind} ${JSON.stringify(alone.verdict, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`,
      )
    for (const waitSeed of waits) {
      const run = await runCore(elf, tohost, { maxCycles: 20_000_000, waitSeed, program: coreProgram })
      if (run.verdict.kind === 'pass' && !run.difference) all.passed++
      else all.failures.push(`${name} on the core (wait seed ${waitSeed}): ${describe(run)}`)
      all.retired += run.retired
      all.cycles += run.cycles
      for (const [what, times] of run.seen) all.seen.set(what, (all.seen.get(what) ?? 0) + times)
    }
  }
  return all
}

const INSTRUCTIONS = (
  'lui auipc jal jalr beq bne blt bge bltu bgeu lb lh lw ld lbu lhu lwu sb sh sw sd addi slti sltiu xori ori andi slli srli ' +
  'srai addiw slliw srliw sraiw add sub sll slt sltu xor srl sra or and addw subw sllw srlw sraw fence fence.i ' +
  'csrrw csrrs csrrc csrrwi csrrsi csrrci mret wfi delta.load delta.accum delta.read delta.swap delta.swap.keep'
).split(' ')
const TRAPS = [0, 1, 2, 3, 4, 5, 6, 7, 11].map(cause => `cause ${cause}`)

/** What never ran, of everything that must. */
export function uncovered(seen: Map<string, number>, interrupts: string[]): string[] {
  return [...INSTRUCTIONS, ...TRAPS, ...interrupts].filter(what => !seen.has(what))
}
export const coverageSize = INSTRUCTIONS.length + TRAPS.length

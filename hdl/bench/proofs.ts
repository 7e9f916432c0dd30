// Running the proofs of formal/. Each returns null when proved, or one line of why not.
//
//   SMT    induction with yosys-smtbmc and z3: base case from the start, and one step from any state
//   BDD    one clock from any state as one function, which ABC collapses to a BDD: constant 0 or a counterexample
//   BMC    the core's properties from reset, unrolled, with ABC's bounded model checker
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outFolder, ROOM, run } from './process.ts'

export interface Proof {
  name: string
  kind: 'smt' | 'bdd' | 'bmc'
  /** file of formal/, or none when the properties stand in the unit itself */
  file?: string
  top: string
  sources: string[]
  defines?: string[]
  parameters?: Record<string, number>
  /** cells whose outputs are left free */
  cut?: string
  frames?: number
  short: boolean
}

const d = (...names: string[]): string[] => names.map(name => `delta_${name}.v`)
const CORE = ['core', 'alu', 'csrs', 'decode', 'load', 'regs'].map(name => `rv64_${name}.v`)

export const PROOFS: Proof[] = [
  ...[0, 1, 2].map(
    (lane): Proof => ({
      name: `cell ${['xor', 'add', 'max'][lane]}, 64 bits: state is the specification's, any inputs, for ever`,
      kind: 'smt',
      file: 'cell.sv',
      top: 'cell_proof',
      sources: d('join', 'cell'),
      parameters: { LANE: lane },
      short: true,
    }),
  ),
  {
    name: 'sum cell, 64 bits in 2 slices: state is the specification\'s a clock later, any inputs, for ever',
    kind: 'smt',
    file: 'sum_cell.sv',
    top: 'sum_cell_proof',
    sources: d('delay', 'sum_cell'),
    parameters: { SLICES: 2 },
    short: true,
  },
  ...[0, 1].map(
    (lane): Proof => ({
      name: `bank ${['xor', 'add'][lane]}, 64 bits: no delta lost, none counted twice, any address`,
      kind: 'smt',
      file: 'bank.sv',
      top: 'bank_proof',
      sources: d('join', 'ram', 'bank'),
      parameters: { LANE: lane },
      short: true,
    }),
  ),
  {
    name: "table xor, 1 port of 64 bits, 4 contexts, real banks: every result is the specification's",
    kind: 'smt',
    file: 'table.sv',
    top: 'table_proof',
    sources: d('join', 'ram', 'bank', 'tree', 'table'),
    parameters: { WIDTH: 64, PORTS: 1, LANE: 0 },
    short: false,
  },
  {
    name: 'table xor, 3 ports of 2 bits, 4 contexts, real banks',
    kind: 'smt',
    file: 'table.sv',
    top: 'table_proof',
    sources: d('join', 'ram', 'bank', 'tree', 'table'),
    parameters: { WIDTH: 2, PORTS: 3, LANE: 0 },
    short: true,
  },
  {
    name: 'table add, 1 port of 2 bits, 4 contexts, real banks',
    kind: 'smt',
    file: 'table.sv',
    top: 'table_proof',
    sources: d('join', 'ram', 'bank', 'tree', 'table'),
    parameters: { WIDTH: 2, PORTS: 1, LANE: 1 },
    short: true,
  },
  ...[64, 512].map(
    (ports): Proof => ({
      name: `table xor, ${ports} ports, one bit slice, banks by their specification: a clock keeps the invariant`,
      kind: 'bdd',
      file: 'table.sv',
      top: 'table_proof',
      sources: [...d('join', 'ram'), '../formal/bank_spec.v', ...d('tree', 'table')],
      defines: ['STEP'],
      parameters: { WIDTH: 1, ADDRESS: 1, PORTS: ports, LANE: 0 },
      short: ports === 64,
    }),
  ),
  {
    name: 'stream: states hold until taken, none lost under any backpressure',
    kind: 'smt',
    top: 'delta_stream',
    sources: d('join', 'ram', 'bank', 'tree', 'table', 'fifo', 'stream'),
    parameters: { WIDTH: 4, ADDRESS: 1 },
    short: true,
  },
  {
    name: 'control: AXI4-Lite responses hold, one a request',
    kind: 'smt',
    top: 'delta_control',
    sources: d('join', 'ram', 'bank', 'tree', 'table', 'control'),
    cut: 'delta_control/contexts',
    short: true,
  },
  {
    name: 'fold stream: folds hold until taken, input stops meanwhile',
    kind: 'smt',
    top: 'delta_fold_stream',
    sources: d('join', 'tree', 'fold', 'fold_stream'),
    parameters: { WIDTH: 4 },
    short: true,
  },
  {
    name: 'core FLOW: instructions retire in the order of their pcs',
    kind: 'bmc',
    file: 'core.sv',
    top: 'core_proof',
    sources: CORE,
    defines: ['RVFI', 'FLOW'],
    frames: 12,
    short: false,
  },
  {
    name: 'core REGS: operands are what was last written',
    kind: 'bmc',
    file: 'core.sv',
    top: 'core_proof',
    sources: CORE,
    defines: ['RVFI', 'REGS'],
    frames: 11,
    short: false,
  },
  {
    name: 'core INSN: every instruction word does what the specification says',
    kind: 'bmc',
    file: 'core.sv',
    top: 'core_proof',
    sources: CORE,
    defines: ['RVFI', 'INSN'],
    frames: 8,
    short: false,
  },
  {
    name: 'core, all three at once, one fetch after reset to the first that retires',
    kind: 'bmc',
    file: 'core.sv',
    top: 'core_proof',
    sources: CORE,
    defines: ['RVFI', 'FLOW', 'REGS', 'INSN'],
    frames: 7,
    short: true,
  },
]

/** Runs one proof on the sources in `rtl` (the room's own unless given). null: proved. */
export function prove(
  proof: Proof,
  rtl = join(ROOM, 'rtl'),
  timeoutMs = proof.short ? 600_000 : 3_600_000,
): string | null {
  const folder = outFolder('proofs')
  const base = join(folder, proof.name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60))
  const files = [
    ...proof.sources.map(name => join(rtl, name)),
    ...(proof.file ? [join(ROOM, 'formal', proof.file)] : []),
  ]
  const read = `read_verilog -formal -sv -I${rtl} ${(proof.defines ?? []).map(name => `-D${name}`).join(' ')} ${files.join(' ')}`
  const parameters = Object.entries(proof.parameters ?? {})
    .map(([name, value]) => `-set ${name} ${value}`)
    .join(' ')
  const set = parameters ? `chparam ${parameters} ${proof.top};` : ''
  const yosys = (script: string): string | null => {
    const ran = run('yosys', ['-q', '-p', script], { timeoutMs })
    return ran.status === 0 ? null : `yosys: ${ran.output.trim().split('\n').at(-1)}`
  }
  const gates = 'memory_map; opt -full; techmap; opt -fast; dffunmap; opt_clean; aigmap; opt_clean'
  if (proof.kind === 'smt') {
    const cut = proof.cut ? `cutpoint ${proof.cut};` : ''
    const broken = yosys(
      `${read}; ${set} prep -top ${proof.top}; ${cut} flatten; write_smt2 -wires ${base}.smt2`,
    )
    if (broken) return broken
    for (const [step, args] of [
      ['base case', ['-t', '3']],
      ['induction', ['-i', '-t', '4']],
    ] as [string, string[]][]) {
      const ran = run('yosys-smtbmc', ['--noprogress', '-s', 'z3', ...args, `${base}.smt2`], { timeoutMs })
      if (ran.status !== 0) return `${step}: ${ran.status === 124 ? 'no answer in time' : 'a counterexample'}`
    }
    return null
  }
  if (proof.kind === 'bdd') {
    const broken = yosys(
      `${read}; ${set} prep -flatten -top ${proof.top}; setattr -unset init; ${gates}; write_aiger ${base}.aig`,
    )
    if (broken) return broken
    // frame 1 of two, with any state before frame 0; a constant 0 leaves a table of one line without a pattern
    const ran = run(
      'berkeley-abc',
      [
        '-q',
        `read_aiger ${base}.aig; frames -F 2; comb; cone -O 1; collapse; write_blif ${base}.blif; print_stats`,
      ],
      { timeoutMs },
    )
    if (ran.status === 124) return 'no answer in time'
    if (!/bdd\s+=\s+0\b/.test(ran.output)) return 'a counterexample: the BDD is not constant'
    // constant 1 would be a step that always breaks; ABC says which constant it is
    const constant = run('berkeley-abc', ['-q', `read_blif ${base}.blif; strash; sat`], { timeoutMs })
    return /UNSATISFIABLE/.test(constant.output) ? null : 'the step breaks the invariant'
  }
  const broken = yosys(
    `${read}; ${set} prep -flatten -top ${proof.top}; ${gates}; write_aiger -zinit ${base}.aig`,
  )
  if (broken) return broken
  writeFileSync(`${base}.abc`, '')
  const ran = run('berkeley-abc', ['-q', `read_aiger ${base}.aig; bmc3 -F ${proof.frames}`], {
    timeoutMs,
  })
  if (new RegExp(`No output asserted in ${proof.frames} frames`).test(ran.output)) return null
  return ran.status === 124
    ? 'no answer in time'
    : (/was asserted in frame \d+/.exec(ran.output)?.[0] ?? 'no verdict')
}

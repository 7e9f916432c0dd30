// Broken versions of the Verilog. Each must be caught by the bench or proof named beside it; one that survives is a failure
// of the benches, not of the hardware.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runControl, runFoldStream, runStream } from './axi.ts'
import { buildCore } from './lockstep.ts'
import { outFolder, ROOM } from './process.ts'
import { type Program, runPrograms } from './programs.ts'
import { PROOFS, prove } from './proofs.ts'
import { runRandom } from './random_programs.ts'
import { runCell, runTableIverilog } from './traffic.ts'
import { runUart } from './uart.ts'
import { type Case, runVectors } from './vectors.ts'

type Catcher =
  | 'vectors'
  | 'cell'
  | 'table'
  | 'stream'
  | 'fold stream'
  | 'control'
  | 'serial'
  | 'programs'
  | 'random'
  | { proof: string }
interface Mutant {
  what: string
  file: string
  find: string
  replace: string
  catcher: Catcher
}

export const MUTANTS: Mutant[] = [
  {
    what: 'an ACCUM beside a SWAP is lost (the published behaviour)',
    file: 'delta_cell.v',
    find: '.b(accum ? delta',
    replace: '.b((accum & ~renew) ? delta',
    catcher: 'cell',
  },
  {
    what: 'the same, against the proof',
    file: 'delta_cell.v',
    find: '.b(accum ? delta',
    replace: '.b((accum & ~renew) ? delta',
    catcher: { proof: 'cell xor' },
  },
  {
    what: 'a slice of the add cell takes the carry of its own clock, against the proof',
    file: 'delta_sum_cell.v',
    find: '{slice[k-1].state_carry, slice[k-1].folded_carry}',
    replace: '{slice[k-1].sum_over, slice[k-1].folded_over}',
    catcher: { proof: 'sum cell' },
  },
  {
    what: 'SWAP that keeps takes the reference for the state',
    file: 'delta_cell.v',
    find: 'keep ? state : value',
    replace: 'keep ? reference : value',
    catcher: 'vectors',
  },
  {
    what: 'two deltas in a row to one context: the second reads a stale word',
    file: 'delta_bank.v',
    find: 'accum_hit <= accum_1 & (address_1 == address)',
    replace: "accum_hit <= 1'b0",
    catcher: 'table',
  },
  {
    what: 'the same, against the proof',
    file: 'delta_bank.v',
    find: 'accum_hit <= accum_1 & (address_1 == address)',
    replace: "accum_hit <= 1'b0",
    catcher: { proof: 'bank xor' },
  },
  {
    what: 'a READ misses the delta of the clock before',
    file: 'delta_bank.v',
    find: 'read_hit  <= accum_1 & (address_1 == read_address)',
    replace: "read_hit  <= 1'b0",
    catcher: 'table',
  },
  {
    what: 'LOAD does not absorb the accumulator',
    file: 'delta_table.v',
    find: 'renewed = value_now ^ accumulator',
    replace: 'renewed = value_now',
    catcher: 'vectors',
  },
  {
    what: 'the same, one bit slice of 64 ports, against the BDD',
    file: 'delta_table.v',
    find: 'renewed = value_now ^ accumulator',
    replace: 'renewed = value_now',
    catcher: { proof: 'table xor, 64 ports' },
  },
  {
    what: 'two renewals in a row to one context: the second reads the old reference',
    file: 'delta_table.v',
    find: 'reference_hit  <= renew & (address_now == address_next)',
    replace: "reference_hit  <= 1'b0",
    catcher: 'table',
  },
  {
    what: 'the add lane absorbs with the wrong sign',
    file: 'delta_table.v',
    find: 'renewed = value_now - accumulator',
    replace: 'renewed = value_now + accumulator',
    catcher: 'vectors',
  },
  {
    what: 'the queue of states forgets those in the table',
    file: 'delta_stream.v',
    find: 'aresetn & ~owed[QUEUE]',
    replace: 'aresetn & ~used[QUEUE]',
    catcher: { proof: 'stream' },
  },
  {
    what: 'the fold stream takes a beat while nothing moves',
    file: 'delta_fold_stream.v',
    find: 'assign s_tready = advance & aresetn',
    replace: 'assign s_tready = aresetn',
    catcher: { proof: 'fold stream' },
  },
  {
    what: 'the same, in the bench',
    file: 'delta_fold_stream.v',
    find: 'assign s_tready = advance & aresetn',
    replace: 'assign s_tready = aresetn',
    catcher: 'fold stream',
  },
  {
    what: 'a command is taken though its answer may find no place, in the bench',
    file: 'delta_stream.v',
    find: 'aresetn & ~owed[QUEUE]',
    replace: 'aresetn & ~used[QUEUE]',
    catcher: 'stream',
  },
  {
    what: 'what LOAD replaced overwrites the result of a READ',
    file: 'delta_control.v',
    find: 'if (result_valid & waits)',
    replace: 'if (result_valid)',
    catcher: 'control',
  },
  {
    what: 'a serial frame without its stop bit leaves a false start behind',
    file: 'uart_rx.v',
    find: 'if (settled[2] & ~settled[1])',
    replace: 'if (~settled[1])',
    catcher: 'serial',
  },
  {
    what: 'core: no forwarding from write back',
    file: 'rv64_core.v',
    find: 'wire rs2_wb = wb_writes & (wb_rd == rs2)',
    replace: "wire rs2_wb = 1'b0",
    catcher: 'programs',
  },
  {
    what: 'core: sraw shifts in zeros',
    file: 'rv64_alu.v',
    find: '(word_op ? a[31] : a[63])',
    replace: 'a[63]',
    catcher: { proof: 'core, all three' },
  },
  {
    what: 'core: a use right after its load does not wait',
    file: 'rv64_core.v',
    find: 'ex_valid & (load_use | ex_is_csr)',
    replace: 'ex_valid & ex_is_csr',
    catcher: 'programs',
  },
  {
    what: 'core: an operation behind a taken jump reaches its context',
    file: 'rv64_core.v',
    find: '(~ex_valid | ex_done) & ~redirect;',
    replace: '(~ex_valid | ex_done) & (~redirect | is_delta);',
    catcher: 'programs',
  },
  {
    what: 'core: an answer that has to wait is not kept',
    file: 'rv64_core.v',
    find: 'wire keep  = ex_valid & use_delta & ~ex_trap & ~ex_done;',
    replace: "wire keep  = 1'b0;",
    catcher: 'random',
  },
  {
    what: 'core: a trapped instruction counts as retired',
    file: 'rv64_core.v',
    find: '.retire(acts)',
    replace: '.retire(ex_done)',
    catcher: 'programs',
  },
]

/** null when caught, else why it counts as a survivor. */
export async function runMutant(mutant: Mutant, cases: Case[], programs: Program[]): Promise<string | null> {
  const folder = outFolder('broken', 'rtl')
  cpSync(join(ROOM, 'rtl'), folder, { recursive: true })
  cpSync(join(ROOM, 'formal'), outFolder('broken', 'formal'), { recursive: true })
  const path = join(folder, mutant.file)
  const text = readFileSync(path, 'utf8')
  if (text.split(mutant.find).length !== 2) return `${mutant.file} no longer holds \`${mutant.find}\` once`
  writeFileSync(path, text.replace(mutant.find, mutant.replace))
  const survived = 'it survived'
  switch (mutant.catcher) {
    case 'vectors':
      return runVectors(cases, folder).failures.length > 0 ? null : survived
    case 'cell':
      return runCell('xor', 64, 5, 2000, folder) ? null : survived
    case 'table':
      return runTableIverilog('xor', 64, 2, 9, 2000, folder) ? null : survived
    case 'stream':
      return runStream('xor', 1, 11, 3000, folder).difference ? null : survived
    case 'fold stream':
      return runFoldStream('xor', 9, 12, 1000, folder).difference ? null : survived
    case 'control':
      return runControl(13, 1000, folder).difference ? null : survived
    case 'serial':
      return runUart(1, 60, 80, folder) ? null : survived
    case 'programs': {
      const core = buildCore('broken-core', folder)
      return (await runPrograms(programs, [7], core)).failures.length > 0 ? null : survived
    }
    case 'random': {
      const core = buildCore('broken-core', folder)
      for (let seed = 2; seed < 30; seed += 2) if ((await runRandom(seed, core)).difference) return null
      return survived
    }
    default: {
      const name = mutant.catcher.proof
      const proof = PROOFS.find(one => one.name.startsWith(name))
      if (!proof) return `no proof called ${name}`
      const why = prove(proof, folder)
      if (why === null) return survived
      return /counterexample|asserted in frame|breaks/.test(why) ? null : `not caught but ${why}`
    }
  }
}

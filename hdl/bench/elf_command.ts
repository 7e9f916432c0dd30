// `npm run hdl -- --elf FILE [--max-cycles N]`: a program of the riscv-tests `tohost` convention on simulator and core.
//
// Exit codes: 0 PASS · 1 FAIL, or core and simulator disagree · 2 the file cannot be run · 3 it did not end in time.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { ElfError, readElf } from '../iss/elf.ts'
import { loadElf } from '../iss/memory.ts'
import { buildCore, runCore, runSimulator, type Verdict } from './lockstep.ts'
import { Failure } from './process.ts'

const sentence = (verdict: Verdict): string => {
  switch (verdict.kind) {
    case 'pass':
      return 'PASS'
    case 'fail':
      return `FAIL test ${verdict.test}`
    case 'runaway':
      return 'no end'
    case 'request':
      return `unserved tohost request 0x${verdict.word.toString(16)}`
  }
}

export async function elfCommand(path: string, maxCycles: number): Promise<number> {
  if (!existsSync(path)) throw new Failure(`${path}: no such file`, 2)
  if (!statSync(path).isFile()) throw new Failure(`${path}: not a file`, 2)
  try {
    const elf = readElf(readFileSync(path))
    const tohost = elf.symbols.get('tohost')
    if (tohost === undefined) throw new ElfError('no symbol `tohost`, so nothing tells when it ends')
    loadElf(elf)

    const alone = runSimulator(elf, tohost, maxCycles)
    console.log(`simulator: ${sentence(alone.verdict)} after ${alone.retired} instructions`)
    const program = buildCore()
    const core = await runCore(elf, tohost, { maxCycles, program, imageName: `elf-${process.pid}` })
    if (core.difference) {
      console.log(`core and simulator disagree at ${core.difference}`)
      console.log('FAIL lock step')
      return 1
    }
    if (core.console) process.stdout.write(core.console.endsWith('\n') ? core.console : `${core.console}\n`)
    const perInstruction = core.retired > 0 ? (Number(core.cycles) / core.retired).toFixed(3) : '-'
    console.log(
      `core: ${sentence(core.verdict)} after ${core.retired} instructions, ${core.cycles} clocks ` +
        `(${perInstruction} a instruction), every instruction compared`,
    )
    if (core.verdict.kind === 'runaway' || alone.verdict.kind === 'runaway') {
      console.log(`FAIL no end within ${maxCycles} clocks`)
      return 3
    }
    if (sentence(core.verdict) !== sentence(alone.verdict)) {
      console.log('FAIL core and simulator end differently')
      return 1
    }
    console.log(core.verdict.kind === 'request' ? `FAIL ${sentence(core.verdict)}` : sentence(core.verdict))
    return core.verdict.kind === 'pass' ? 0 : 1
  } catch (error) {
    if (error instanceof ElfError) throw new Failure(`${path}: ${error.message}`, 2)
    throw error
  }
}

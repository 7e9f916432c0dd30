// `npm run hdl -- --elf FILE [--max-cycles N]`: a program of the riscv-tests `tohost` convention on simulator and core.
//
// Exit codes: 0 PASS · 1 FAIL, or core and simulator disagree · 2 the file cannot be run · 3 it did not end in time.
import { readFileSync, statSync } from 'node:fs'
import { ElfError, readElf } from '../iss/elf.ts'
import { isRam, loadElf, RAM_BYTES } from '../iss/memory.ts'
import { buildCore, runCore, runSimulator, type Verdict } from './lockstep.ts'
import { Failure } from './process.ts'

/** A program of 16 MiB with its symbols is far below this; what is above is read by mistake. */
const FILE_BYTES_MAX = 8 * RAM_BYTES

function readFile(path: string): Uint8Array {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) throw new Failure(`${path}: not a file`, 2)
    if (stat.size > FILE_BYTES_MAX)
      throw new Failure(`${path}: ${stat.size} bytes, at most ${FILE_BYTES_MAX} are read`, 2)
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Failure) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw new Failure(`${path}: ${code === 'ENOENT' || code === 'ENOTDIR' ? 'no such file' : message}`, 2)
  }
}

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
  const file = readFile(path)
  try {
    const elf = readElf(file)
    const { tohost } = elf
    if (tohost === undefined)
      throw new ElfError('neither a symbol `tohost` nor a section `.tohost`, so nothing tells when it ends')
    if (!isRam(tohost) || !isRam(tohost + 7n))
      throw new ElfError(`tohost at 0x${tohost.toString(16)} is outside the RAM`)
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
        `(${perInstruction} an instruction), every instruction compared`,
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

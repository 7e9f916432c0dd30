// The room's command. `bash hdl/run` installs what is missing and comes here.
import { elfCommand } from './bench/elf_command.ts'
import { Failure } from './bench/process.ts'

const USAGE = 'usage: npm run hdl -- [--short | --elf FILE [--max-cycles N]]'

async function main(args: string[]): Promise<number> {
  const rest = [...args]
  let elf: string | undefined
  let maxCycles = 10_000_000
  while (rest.length > 0) {
    const option = rest.shift()
    if (option === '--elf') {
      elf = rest.shift()
      if (elf === undefined || elf.startsWith('--')) throw new Failure(`--elf wants a file. ${USAGE}`, 2)
    } else if (option === '--max-cycles') {
      maxCycles = Number(rest.shift())
      if (!Number.isSafeInteger(maxCycles) || maxCycles < 1)
        throw new Failure(`--max-cycles wants a number of clocks from 1 up. ${USAGE}`, 2)
    } else throw new Failure(`unknown option ${option}. ${USAGE}`, 2)
  }
  if (elf !== undefined) return elfCommand(elf, maxCycles)
  return 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Failure)) throw error
  console.error(`hdl: ${error.message}`)
  process.exitCode = error.exitCode
}

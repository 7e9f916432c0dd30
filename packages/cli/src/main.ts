#!/usr/bin/env node
/**
 * `atomik`: the command line. Each command is a file; this one parses, and turns every failure into one line and an exit
 * code: 0 done, 1 it failed, 2 it was called wrongly, 130 interrupted.
 */
import { AtomikError } from 'atomik'
import { Command, CommanderError } from 'commander'
import { benchCommand } from './bench.ts'
import { demoCommand } from './demo.ts'
import { inspectCommand } from './inspect.ts'
import { replayCommand } from './replay.ts'
import { serveCommand } from './serve.ts'
import { simulateCommand } from './simulate.ts'
import { topCommand } from './top.ts'
import { wasteCommand } from './waste.ts'

const program = new Command('atomik')
  .description('Delta-state computing: state = reference ⊙ accumulator')
  .version('0.1.0')
  .showHelpAfterError('(atomik --help shows the commands)')
  .exitOverride()

for (const command of [
  serveCommand(),
  replayCommand(),
  inspectCommand(),
  benchCommand(),
  demoCommand(),
  simulateCommand(),
  topCommand(),
  wasteCommand(),
])
  program.addCommand(command)
for (const command of allCommands(program))
  command.exitOverride().configureOutput({ outputError: writeOneLine })

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)]
}

function writeOneLine(text: string, write: (text: string) => void): void {
  write(text.replace(/^error: /, 'atomik: '))
}

process.stdout.on('error', error => {
  // The reader went away (`atomik … | head`): that is not a failure.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
})

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    const shownHelp = error.exitCode === 0 || error.code === 'commander.help'
    process.exitCode = shownHelp ? (error.code === 'commander.help' ? 2 : 0) : 2
  } else if (error instanceof AtomikError) {
    process.stderr.write(`atomik: ${error.message}\n`)
    process.exitCode = 1
  } else {
    const failure = error as NodeJS.ErrnoException
    if (failure.code === undefined) throw error
    process.stderr.write(`atomik: ${failure.message}\n`)
    process.exitCode = 1
  }
}

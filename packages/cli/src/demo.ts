/** `atomik demo`: the algebra in the terminal, step by step, each line computed by the library as it is shown. */
import { AtomikContext } from 'atomik'
import { Command } from 'commander'
import { colors as pc } from './colors.ts'
import { listenForKeys } from './keys.ts'
import { wholeNumber } from './options.ts'

export function demoCommand(): Command {
  return new Command('demo')
    .description('the algebra, step by step')
    .option('--delay <ms>', 'pause between steps, instead of a key', wholeNumber(0, 10_000), 0)
    .option('--all', 'all steps at once; so also when the output is no terminal')
    .action(async ({ delay, all }: { delay: number; all?: true }) => {
      const isByKey = delay === 0 && all === undefined && process.stdin.isTTY && process.stdout.isTTY
      const keys = isByKey ? listenForKeys() : undefined
      if (isByKey) process.stdout.write(pc.dim('Any key goes on, q leaves.\n\n'))
      try {
        for (const step of steps()) {
          process.stdout.write(step)
          if (delay > 0) await new Promise(resolve => setTimeout(resolve, delay))
          if (keys !== undefined && step.trim() !== '' && (await keys.next()) === 'quit') return
        }
      } finally {
        keys?.done()
      }
    })
}

const hex = (value: bigint) => `0x${value.toString(16).toUpperCase().padStart(8, '0')}`

function bits(value: bigint, before: bigint): string {
  const digits = value.toString(2).padStart(32, '0')
  const old = before.toString(2).padStart(32, '0')
  return [...digits]
    .map((d, i) => (d === old[i] ? pc.dim(d) : pc.yellow(d)))
    .join('')
    .trim()
}

function* steps(): Iterable<string> {
  const word = new AtomikContext(32)
  let state = 0n
  const show = (operation: string, why: string): string => {
    const now = word.read()
    const line = `${pc.bold(operation.padEnd(20))} READ = ${hex(now)}  ${bits(now, state)}  ${why}\n`
    state = now
    return line
  }
  yield 'state = reference ⊙ accumulator; here ⊙ is exclusive or, on 32 bits.\n\n'
  word.load(0xcafebaben)
  yield show('LOAD  0xCAFEBABE', 'sets the reference')
  word.accum(0x0000ff00n)
  yield show('ACCUM 0x0000FF00', 'a delta: these bits flip')
  word.accum(0x00ff0000n)
  yield show('ACCUM 0x00FF0000', 'another; their order would not matter')
  word.rollback(0x0000ff00n)
  yield show('ACCUM 0x0000FF00', 'the first again: it undoes itself, whatever came between')
  const old = word.swap()
  yield show('SWAP', `checkpoint: returned ${hex(old)}, READ is as before`)
  const swapped = word.swap(0n)
  yield show('SWAP  0', `returned ${hex(swapped)}; zero is a reference like any other`)

  yield '\nTwo replicas, the same deltas in another order:\n'
  const deltas = [0xf0n, 0x0ff0n, 0xff000000n]
  const [here, there] = [new AtomikContext(32), new AtomikContext(32)]
  for (const delta of deltas) here.accum(delta)
  for (const delta of [...deltas].reverse()) there.accum(delta)
  yield `  ${hex(here.read())} and ${hex(there.read())}: ${here.read() === there.read() ? 'equal' : 'different'}\n`
  there.accum(deltas[1])
  yield `  then one delta is delivered twice: ${hex(here.read())} and ${hex(there.read())}: ${
    here.read() === there.read() ? 'equal' : pc.red('different')
  }\n`
  yield '  Bare accumulation breaks there. The engine numbers changes, and drops the second (atomik replay shows it).\n'

  yield '\nThe other lanes:\n'
  const sum = new AtomikContext(64, 'add')
  sum.accum(40n)
  sum.accum(2n)
  yield `  add   40 and 2 make ${sum.read()}: both increments count\n`
  sum.rollback(40n)
  yield `        without the 40 it is ${sum.read()}: undo by the inverse\n`
  const last = new AtomikContext(64, 'max')
  last.accum(7n)
  last.accum(7n)
  last.accum(5n)
  yield `  max   7, 7 again and 5 make ${last.read()}: repeats are harmless, and the larger (stamp, value) wins\n`
}

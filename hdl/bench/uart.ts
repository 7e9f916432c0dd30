// The serial front end: the introductory figures over the line.
import { join } from 'node:path'
import { must, outFolder, ROOM, rtl } from './process.ts'

const WANTED = ['00000000ca0145be', '00000000ca01babe', '00000000ca01babe', '00000000deadbe10']

/** null when the line answers what it must */
export function runUart(): string | null {
  const program = join(outFolder('iverilog'), 'uart_bench.vvp')
  const sources = [
    'delta_join',
    'delta_ram',
    'delta_bank',
    'delta_tree',
    'delta_table',
    'delta_uart',
    'uart_rx',
    'uart_tx',
  ]
  must('iverilog', [
    '-g2005-sv',
    '-s',
    'uart_bench',
    '-o',
    program,
    join(ROOM, 'bench', 'uart_bench.v'),
    ...sources.map(name => rtl(`${name}.v`)),
  ])
  const got = must('vvp', ['-n', program])
    .output.split('\n')
    .filter(line => /^[0-9a-fxz]+$|timeout/.test(line))
  return got.join() === WANTED.join() ? null : `answered ${got.join()}, wanted ${WANTED.join()}`
}

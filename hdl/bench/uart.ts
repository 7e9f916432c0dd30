// The serial top of the small boards (boards/delta_board.v): the introductory figures, then seeded random requests to random
// contexts, back to back or with pauses, with unknown bytes between them and broken frames anywhere, from senders whose clock
// is up to 2 % off. Every byte that comes back is compared with the model.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Context } from '../model/delta.ts'
import { must, outFolder, ROOM, rtl } from './process.ts'
import { Draw } from './random_programs.ts'

const SOURCES = ['delta_join', 'delta_ram', 'delta_bank', 'delta_tree', 'delta_table', 'delta_uart', 'uart_rx', 'uart_tx']

interface Session {
  lines: string[]
  answers: number[]
}

function session(seed: number, requests: number): Session {
  const draw = new Draw(seed)
  const contexts = Array.from({ length: 256 }, () => new Context('xor', 64))
  const lines: string[] = []
  const answers: number[] = []
  const byte = (data: number): void => {
    // a broken frame in front of one in sixteen: it must count for nothing
    if (draw.below(16) === 0) lines.push(`${draw.below(3)} ${draw.below(256).toString(16)} 1 ${answers.length.toString(16)}`)
    const idle = draw.below(4) === 0 ? 1 + draw.below(20) : lines.at(-1)?.split(' ')[2] === '1' ? 1 : 0
    lines.push(`${idle.toString(16)} ${data.toString(16)} 0 ${answers.length.toString(16)}`)
  }
  const request = (op: string, number: number, value: bigint): void => {
    const context = contexts[number] as Context
    byte(op.charCodeAt(0))
    byte(number)
    if ('LAS'.includes(op)) for (let k = 0n; k < 8n; k++) byte(Number((value >> (8n * k)) & 255n))
    if ('RSK'.includes(op)) {
      const state = op === 'R' ? context.read() : context.swap(op === 'K' ? undefined : value)
      for (let k = 0n; k < 8n; k++) answers.push(Number((state >> (8n * k)) & 255n))
    }
    if (op === 'L') context.load(value)
    if (op === 'A') context.accum(value)
  }
  request('L', 3, 0xcafebaben)
  request('A', 3, 0x0000ff00n)
  request('A', 3, 0x00ff0000n)
  request('R', 3, 0n)
  request('A', 3, 0x0000ff00n)
  request('K', 3, 0n)
  request('S', 3, 0xdeadbeefn)
  for (let n = 0; n < requests; n++) {
    if (draw.below(8) === 0) byte([0, 0x0a, 0x3f, 0xff, 0x72][draw.below(5)] ?? 0)
    const number = draw.below(3) === 0 ? draw.below(256) : draw.below(4)
    request('LAARSK'[draw.below(6)] ?? 'R', number, (BigInt(draw.next()) << 32n) | BigInt(draw.next()))
  }
  request('R', 3, 0n)
  return { lines, answers }
}

/** The first difference, or null when the line answers what the model does. */
export function runUart(seed: number, requests: number, bitNs: number, sources?: string): string | null {
  const folder = outFolder('iverilog')
  const program = join(folder, `uart_bench-${bitNs}.vvp`)
  const input = join(folder, 'uart_bench.in')
  must('iverilog', [
    ...['-g2005-sv', '-s', 'uart_bench', '-o', program, `-Puart_bench.BIT=${bitNs}`],
    join(ROOM, 'bench', 'uart_bench.v'),
    join(ROOM, 'boards', 'delta_board.v'),
    ...SOURCES.map(name => (sources ? join(sources, `${name}.v`) : rtl(`${name}.v`))),
  ])
  const { lines, answers } = session(seed, requests)
  writeFileSync(input, `${lines.join('\n')}\n`)
  const got = must('vvp', ['-n', program, `+in=${input}`, `+limit=${1_000_000 + 40_000 * requests}`])
    .output.split('\n')
    .filter(line => line !== '' && !line.includes('$finish'))
  const wanted = [...answers.map(data => data.toString(16).padStart(2, '0')), 'lamp 1']
  const wrong = wanted.findIndex((text, k) => text !== got[k])
  if (wrong >= 0) return `answer ${wrong}: got ${got[wrong] ?? 'nothing'}, wanted ${wanted[wrong]}`
  return got.length > wanted.length ? `${got.length - wanted.length} bytes more than were asked for` : null
}

// From placed.json and a run on this CPU to figures/README.md and figures/ceiling.svg, and from the sources to the waveform
// of SWAP against ACCUM and the block diagrams. Nothing here is typed in by hand but the boards' data-sheet rates.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, outFolder, ROOM, run } from '../bench/process.ts'
import { simulate } from '../bench/vectors.ts'
import { type Board, BOARDS, DELTA_BYTES, WORD_BYTES } from './boards.ts'
import { type Count, type Figure, PARTS } from './place.ts'

const here = (name: string): string => join(ROOM, 'figures', name)

interface Cpu {
  name: string
  cache: number
  memory: number
}
export function measureCpu(): Cpu {
  const program = join(outFolder(), 'cpu_fold')
  must('gcc', ['-O3', '-march=native', '-o', program, here('cpu_fold.c')])
  const words = must(program, []).output.trim().split(/\s+/)
  const name = /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown'
  return { name, cache: Number(words[0]), memory: Number(words[1]) }
}

const giga = (x: number): string =>
  x >= 1e9
    ? `${(x / 1e9).toFixed(2)} G`
    : x >= 1e6
      ? `${(x / 1e6).toFixed(1)} M`
      : `${(x / 1e3).toFixed(0)} k`
const percent = (x: number): string => `${x >= 0.1 ? (100 * x).toFixed(0) : (100 * x).toPrecision(2)} %`
const bytesOf = (unit: string): number => (unit.startsWith('table') ? DELTA_BYTES : WORD_BYTES)
const best = (board: Board): [number, string] => (board.memory[0] > board.link[0] ? board.memory : board.link)

/** What the benches counted at the ports (main.ts, full form). */
export interface Ports {
  unit: 'table' | 'fold'
  ports: number
  clocks: number
  accepted: number
}
const portsOf = (figure: Figure): number => Number.parseInt(figure.unit.split(' ')[1] ?? '', 10)

export function draw(): void {
  const figures = JSON.parse(readFileSync(here('placed.json'), 'utf8')) as Figure[]
  const cpu = measureCpu()
  const order = (f: Figure): number => {
    const kind = ['cell', 'core', 'table', 'fold'].findIndex(name => f.unit.startsWith(name))
    const part = Object.keys(PARTS).indexOf(f.part)
    return kind * 1e6 + (kind < 2 ? part : portsOf(f)) * 1e3 + (kind < 2 ? f.unit.length : part)
  }
  figures.sort((a, b) => order(a) - order(b))
  const places = (count: Count | undefined): string => {
    if (!count) return '-'
    const parts = [
      count.carry ? `${count.carry} carry` : '',
      count.lutRam ? `${count.lutRam} LUT RAM` : '',
      count.through ? `and ${count.through} passed through` : '',
    ].filter(text => text !== '')
    return `${count.lut}${parts.length ? ` (${parts.join(', ')})` : ''}`
  }
  const rows = figures.map(f => {
    const best = f.placed ?? f.synthesised
    const speed = f.mhz ? `${f.mhz.toFixed(1)} MHz` : (f.note ?? 'not placed')
    return `| ${f.unit} | ${PARTS[f.part]} | ${places(f.synthesised)} | ${places(f.placed)} | ${best?.ff ?? '-'} | ${best?.ram ?? '-'} | ${speed} |`
  })
  const ceilings = figures
    .filter(f => f.mhz && /^(table|fold)/.test(f.unit))
    .flatMap(f => {
      const board = BOARDS.find(one => one.part === f.part)
      if (!board) return []
      const inside = portsOf(f) * (f.mhz ?? 0) * 1e6
      const bytes = bytesOf(f.unit)
      const [rate, source] = best(board)
      return [{ f, board, inside, need: inside * bytes, source, fed: Math.min(inside, rate / bytes) }]
    })
  const ceilingRows = ceilings.map(
    ({ f, board, inside, need, source, fed }) =>
      `| ${f.unit} | ${board.name} | ${giga(inside)} | ${giga(need)}B/s | ${source} | ${giga(fed)} | ${percent(fed / inside)} |`,
  )
  const ports = existsSync(here('ports.json')) ? (JSON.parse(readFileSync(here('ports.json'), 'utf8')) as Ports[]) : []
  const portRows = ports.map(({ unit, ports: count, clocks, accepted }) => {
    const need = count * 100e6 * bytesOf(unit)
    return (
      `| ${unit} | ${count} | ${accepted.toLocaleString('en')} in ${clocks.toLocaleString('en')} clocks | ${(accepted / clocks).toFixed(2)} | ` +
      `${giga(need)}B/s | ${BOARDS.map(board => percent(Math.min(1, best(board)[0] / need))).join(' | ')} |`
    )
  })
  const text = `# Figures

Made by \`npm run hdl\` (\`npm run hdl -- --figures\` for these alone), from [placed.json](placed.json). 64-bit words. A LUT here is a
*place* for one, whatever takes it: logic, carry cells and LUT RAM (ECP5: a carry pair 2, a 16x4 RAM 6; Gowin: a carry cell 1, a
16x4 RAM 4). Places that a signal only passes through on its way to a flip-flop (on Gowin a flip-flop is reached through its
LUT and in no other way) are told apart. *Synthesised*: the unit alone, by yosys. *Placed and routed*: by nextpnr, seed 1, in a
frame of registers, so without pads; counts are of the unit's own cells after packing, which adds heads and tails of carry
chains. Tables have 512 contexts (iCE40: 256). The core on Gowin is mapped for area (abc9 with script flow2 and a relaxed delay), the
rest for speed; on Gowin without the wide multiplexers but where it says so. A row with a clock and no placed count is of an earlier run
of the same sources, in which the unit was dissolved into its frame.

| unit | part | LUT, synthesised | LUT, placed and routed | FF | block RAM | f_max, placed and routed |
|---|---|---|---|---:|---:|---|
${rows.join('\n')}

## What the ports take, and what that needs

*Simulated* (verilator): deltas, or words of a fold that were not masked (one in eight is), counted at the ports of units of 64 bits,
every port offered one every clock, every result compared with the model. Beside it the bandwidth that keeps every port busy at 100 MHz (a delta with its
address is 10 bytes, a word of a fold 8), and how much of that each board's best source has.

| unit | ports | accepted | a clock | needs at 100 MHz | ${BOARDS.map(board => board.name).join(' | ')} |
|---|---:|---:|---:|---:|${BOARDS.map(() => '---:').join('|')}|
${portRows.join('\n')}

## The honest ceiling of each board

Accumulates a second: *projected* inside from f_max × ports, the bandwidth that this needs, and what the board's best source (nominal
rate, sources in [boards.ts](boards.ts)) can feed. No board here feeds even one port at its clock: what the last column lacks of 100 %
is idle unless the deltas are made on the chip.

| unit | board | inside, projected | needs | the board's best source | fed | of inside |
|---|---|---:|---:|---|---:|---:|
${ceilingRows.join('\n')}

The same fold on this CPU (${cpu.name.trim()}, one thread, gcc -O3 -march=native, *measured* in this run, by the
thread's own time): ${giga(cpu.cache)} words/s from cache, ${giga(cpu.memory)} words/s from memory.

![ceiling](ceiling.svg)
`
  writeFileSync(here('README.md'), text)

  // the chart: inside and fed, logarithmic, CPU as lines
  const x = (v: number): number => 200 + (Math.log10(Math.max(v, 1e4)) - 4) * 90
  const foot = 74 + ceilings.length * 30
  const lines: [number, string, string][] = [
    [cpu.memory, 'this CPU from memory', 'end'],
    [cpu.cache, 'from cache', 'start'],
  ]
  const part = (text: string, at: number, y: number, anchor: string, colour: string): string =>
    `<text x="${at}" y="${y}" text-anchor="${anchor}" fill="${colour}">${text}</text>`
  writeFileSync(
    here('ceiling.svg'),
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 ${foot + 40}" font-family="sans-serif" font-size="13">
<rect width="900" height="${foot + 40}" fill="#fff"/>
<rect x="200" y="10" width="12" height="12" fill="#9ecae1"/>${part('accumulates a second inside, at f_max', 218, 21, 'start', '#222')}
<rect x="500" y="10" width="12" height="12" fill="#08519c"/>${part('what the board can feed', 518, 21, 'start', '#222')}
${[4, 5, 6, 7, 8, 9, 10, 11]
  .map(
    e =>
      `<line x1="${x(10 ** e)}" x2="${x(10 ** e)}" y1="54" y2="${foot}" stroke="#ddd"/><text x="${x(10 ** e)}" y="${foot + 20}" text-anchor="middle" fill="#555">10<tspan dy="-5" font-size="10">${e}</tspan></text>`,
  )
  .join('\n')}
${ceilings
  .map(({ f, board, inside, fed }, i) => {
    const y = 60 + i * 30
    return `${part(`${f.unit.replace(/,.*/, '')}, ${board.name}`, 190, y + 15, 'end', '#222')}
<rect x="200" y="${y}" width="${x(inside) - 200}" height="10" fill="#9ecae1"/><rect x="200" y="${y + 10}" width="${x(fed) - 200}" height="10" fill="#08519c"/>`
  })
  .join('\n')}
${lines
  .map(
    ([v, name, anchor]) =>
      `<line x1="${x(v)}" x2="${x(v)}" y1="50" y2="${foot}" stroke="#d94801" stroke-width="1.5" stroke-dasharray="4 3"/>${part(name, x(v) + (anchor === 'end' ? -4 : 4), 46, anchor, '#d94801')}`,
  )
  .join('\n')}
</svg>
`,
  )
  waveform()
  diagrams()
}

/** SWAP against ACCUM on delta_cell, as iverilog saw it. */
export function waveform(): void {
  // accum load swap keep, value, delta
  const clocks: [number, number, number, number, number, number][] = [
    [0, 1, 0, 0, 0x50, 0],
    [1, 0, 0, 0, 0, 0x03],
    [1, 0, 1, 1, 0, 0x0c],
    [0, 0, 0, 0, 0, 0],
    [1, 0, 1, 0, 0xa0, 0x01],
    [0, 0, 0, 0, 0, 0],
  ]
  const lines = [
    '1 0 0 0 0 0 0 0 0 0',
    ...clocks.map(([a, l, s, k, v, d]) => `0 ${a} ${l} ${s} ${k} 0 ${v.toString(16)} 0 ${d.toString(16)} 1`),
  ]
  const states = simulate('cells_bench', { WIDTH: 8, LANE: 0, CONTEXTS: 1 }, lines)
  const step = 90
  const left = 110
  const hex = (n: bigint | number): string => `0x${n.toString(16).padStart(2, '0')}`
  const rows: [string, (string | number)[]][] = [
    ['LOAD', clocks.map(c => c[1])],
    ['ACCUM', clocks.map(c => c[0])],
    ['delta', clocks.map(c => (c[0] ? hex(c[5]) : ''))],
    ['SWAP', clocks.map(c => c[2])],
    ['value', clocks.map(c => (c[1] || c[2] ? (c[3] ? 'keep' : hex(c[4])) : ''))],
    ['state', clocks.map((_, i) => hex(states[i] ?? 0n))],
  ]
  const row = ([name, values]: [string, (string | number)[]], r: number): string => {
    const y = 40 + r * 40
    const cells = values.map((v, i) => {
      const at = left + i * step
      if (typeof v === 'number') {
        const h = v ? y : y + 22
        const before =
          i > 0 && values[i - 1] !== v
            ? `<line x1="${at}" x2="${at}" y1="${y}" y2="${y + 22}" stroke="#08519c"/>`
            : ''
        return `${before}<line x1="${at}" x2="${at + step}" y1="${h}" y2="${h}" stroke="#08519c" stroke-width="2"/>`
      }
      return v === ''
        ? `<line x1="${at}" x2="${at + step}" y1="${y + 11}" y2="${y + 11}" stroke="#bbb"/>`
        : `<rect x="${at + 2}" y="${y}" width="${step - 4}" height="22" fill="#deebf7" stroke="#08519c"/><text x="${at + step / 2}" y="${y + 15}" text-anchor="middle">${v}</text>`
    })
    return `<text x="${left - 10}" y="${y + 15}" text-anchor="end">${name}</text>${cells.join('')}`
  }
  const width = left + clocks.length * step + 20
  writeFileSync(
    here('swap_against_accum.svg'),
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} 350" font-family="monospace" font-size="13"><rect width="${width}" height="350" fill="#fff"/>
${clocks.map((_, i) => `<text x="${left + i * step + step / 2}" y="24" text-anchor="middle" fill="#888">clock ${i}</text><line x1="${left + i * step}" x2="${left + i * step}" y1="30" y2="290" stroke="#eee"/>`).join('')}
${rows.map(row).join('\n')}
<text x="${left}" y="312" fill="#555">a SWAP returns the state of its clock; the ACCUM beside it</text>
<text x="${left}" y="332" fill="#555">lands in the new accumulator (clocks 2 and 4)</text></svg>
`,
  )
}

/** netlistsvg on what yosys makes of each unit, before it becomes gates. */
export function diagrams(): void {
  const tool = join(ROOM, 'node_modules', '.bin', 'netlistsvg')
  if (!existsSync(tool)) return
  const table = ['join', 'ram', 'bank', 'tree', 'table'].map(name => `delta_${name}`)
  const units: [string, string, string[]][] = [
    ['delta_cell', '-set WIDTH 8', ['delta_join', 'delta_cell']],
    ['delta_sum_cell', '-set WIDTH 8 -set SLICES 2', ['delta_delay', 'delta_sum_cell']],
    ['delta_bank', '-set WIDTH 8 -set ADDRESS 3', table.slice(0, 3)],
    ['delta_tree', '-set WIDTH 8 -set PORTS 4 -set RADIX 2', ['delta_join', 'delta_tree']],
    ['delta_table', '-set WIDTH 8 -set ADDRESS 3 -set PORTS 2', table],
    ['delta_fold', '-set WIDTH 8 -set PORTS 4', ['delta_join', 'delta_tree', 'delta_fold']],
    ['delta_stream', '-set WIDTH 8 -set ADDRESS 3 -set PORTS 2', [...table, 'delta_fifo', 'delta_stream']],
    [
      'delta_fold_stream',
      '-set WIDTH 8 -set PORTS 4',
      ['delta_join', 'delta_tree', 'delta_fold', 'delta_fold_stream'],
    ],
    ['delta_control', '', [...table, 'delta_control']],
    [
      'rv64_atomik',
      '',
      [...table, ...['core', 'alu', 'atomik', 'csrs', 'decode', 'load', 'regs'].map(name => `rv64_${name}`)],
    ],
  ]
  for (const [unit, parameters, names] of units) {
    const json = join(outFolder('diagrams'), `${unit}.json`)
    const files = names.map(name => join(ROOM, 'rtl', `${name}.v`)).join(' ')
    const set = parameters ? `chparam ${parameters} ${unit};` : ''
    must('yosys', [
      '-q',
      '-p',
      `read_verilog -I${join(ROOM, 'rtl')} ${files}; ${set} hierarchy -top ${unit}; proc; opt_clean; autoname; write_json ${json}`,
    ])
    // a module with parameters is called $paramod and a hash; its own name is enough
    writeFileSync(json, readFileSync(json, 'utf8').replaceAll(/"\$paramod[^"]*\\\\(\w+)[^"]*"/g, '"$1"'))
    const ran = run(tool, [json, '-o', here(`${unit}.svg`)], { timeoutMs: 120_000 })
    if (ran.status === 0) {
      const svg = readFileSync(here(`${unit}.svg`), 'utf8')
      // a margin for the names on the left, which netlistsvg lets run out of the picture, and paper
      const [, width = '0', height = '0'] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? []
      const margin = 70
      const across = Number(width) + 2 * margin
      writeFileSync(
        here(`${unit}.svg`),
        svg
          .replace(/width="[\d.]+" height="[\d.]+"/, `width="${across}" height="${height}" viewBox="-${margin} 0 ${across} ${height}"`)
          .replace(
            /(<svg[^>]*>)/,
            `$1<rect x="-${margin}" width="${across}" height="${height}" style="fill:#fff;stroke:none"/>`,
          ),
      )
    } else
      console.log(`        no diagram of ${unit}: ${ran.output.trim().split('\n').at(-1)}`)
  }
}

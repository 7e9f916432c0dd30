// From placed.json and a run on this CPU to figures/README.md and figures/ceiling.svg, and from the sources to the waveform
// of SWAP against ACCUM and the block diagrams. Nothing here is typed in by hand but the boards' data-sheet rates.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, outFolder, ROOM, run } from '../bench/process.ts'
import { simulate } from '../bench/vectors.ts'
import { BOARDS, DELTA_BYTES } from './boards.ts'
import { type Figure, PARTS } from './place.ts'

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
const portsOf = (figure: Figure): number => Number(figure.unit.split(' ')[1])

export function draw(): void {
  const figures = JSON.parse(readFileSync(here('placed.json'), 'utf8')) as Figure[]
  const cpu = measureCpu()
  const rows = figures.map(f => {
    const speed = f.mhz
      ? `${f.mhz.toFixed(1)} MHz (placed and routed)`
      : f.note
        ? f.note
        : f.part === 'xilinx'
          ? 'synthesised only'
          : 'synthesised only'
    return `| ${f.unit} | ${PARTS[f.part]} | ${f.lut ?? '-'} | ${f.ff ?? '-'} | ${f.ram ?? '-'} | ${speed} |`
  })
  const ceilings = figures
    .filter(f => f.mhz && /^(table|fold)/.test(f.unit))
    .map(f => {
      const ports = portsOf(f)
      const internal = ports * (f.mhz ?? 0) * 1e6
      const board = BOARDS.find(b => b.part === f.part)
      const bytes = f.unit.startsWith('table') ? DELTA_BYTES : 8
      const fed = board ? Math.max(board.memory[0], board.link[0]) / bytes : 0
      return { f, ports, internal, need: internal * bytes, fed, board }
    })
  const ceilingRows = ceilings.map(
    ({ f, internal, need, fed, board }) =>
      `| ${f.unit} | ${board?.name} | ${giga(internal)} | ${giga(need)}B/s | ${board && board.memory[0] > 0 ? board.memory[1] : board?.link[1]} | ${giga(Math.min(internal, fed))} |`,
  )
  const text = `# Figures

Made by \`npm run hdl\` (\`npm run hdl -- --figures\` for these alone). LUT, FF and block RAM: *synthesised*, the unit alone, 64-bit
words; a LUT here is a place for one: carry cells and LUT RAM count (ECP5: a carry pair 2, a 16x4 RAM 6; Gowin: a carry cell 1, a 16x4 RAM 4). MHz:
*placed and routed* by nextpnr in a frame of registers, seed 1, so without pads. Tables have 512 contexts (iCE40: 256).
The core on Gowin is mapped for area (abc9 with script flow2 and a relaxed delay, no wide multiplexers), the rest for speed.

| unit | part | LUT | FF | block RAM | f_max |
|---|---|---:|---:|---:|---|
${rows.join('\n')}

## What could be fed

Accumulates a second, *projected* from f_max × ports (one a port a clock, which the benches measure in simulation), beside the
bandwidth that this needs and the one that the board's best source has (data sheet). The last column is the honest ceiling.

| unit | board | inside, accumulates/s | needs | the board's best source | fed, accumulates/s |
|---|---|---:|---:|---|---:|
${ceilingRows.join('\n')}

The same fold on this CPU (${cpu.name.trim()}, one thread, gcc -O3 -march=native, *measured*): ${giga(cpu.cache)} words/s from
cache, ${giga(cpu.memory)} words/s from memory.

![ceiling](ceiling.svg)
`
  writeFileSync(here('README.md'), text)

  // the chart: inside and fed, logarithmic, CPU as lines
  const bars = ceilings.map(({ f, internal, fed }) => ({
    label: `${f.unit}, ${f.part}`,
    inside: internal,
    fed: Math.min(internal, fed),
  }))
  const x = (v: number): number => 180 + (Math.log10(Math.max(v, 1e4)) - 4) * 80
  const height = 70 + bars.length * 34
  const lines = [
    [cpu.memory, 'this CPU, memory'],
    [cpu.cache, 'this CPU, cache'],
  ] as [number, string][]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${height}" font-family="sans-serif" font-size="12">
<rect width="760" height="${height}" fill="#fff"/>
${[4, 5, 6, 7, 8, 9, 10, 11].map(e => `<line x1="${x(10 ** e)}" x2="${x(10 ** e)}" y1="34" y2="${height - 30}" stroke="#ddd"/><text x="${x(10 ** e)}" y="${height - 14}" text-anchor="middle" fill="#555">10^${e}</text>`).join('\n')}
<text x="180" y="18" fill="#222">accumulates a second: inside at f_max (light), and what the board can feed (dark)</text>
${bars
  .map(
    (b, i) => `<text x="172" y="${54 + i * 34}" text-anchor="end" fill="#222">${b.label}</text>
<rect x="180" y="${40 + i * 34}" width="${x(b.inside) - 180}" height="10" fill="#9ecae1"/><rect x="180" y="${51 + i * 34}" width="${x(b.fed) - 180}" height="10" fill="#08519c"/>`,
  )
  .join('\n')}
${lines.map(([v, name], i) => `<line x1="${x(v)}" x2="${x(v)}" y1="34" y2="${height - 30}" stroke="#d94801" stroke-dasharray="4 3"/><text x="${x(v) + (i ? 3 : -3)}" y="32" text-anchor="${i ? 'start' : 'end'}" fill="#d94801">${name}</text>`).join('\n')}
</svg>
`
  writeFileSync(here('ceiling.svg'), svg)
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
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} 330" font-family="monospace" font-size="13"><rect width="${width}" height="330" fill="#fff"/>
${clocks.map((_, i) => `<text x="${left + i * step + step / 2}" y="24" text-anchor="middle" fill="#888">clock ${i}</text><line x1="${left + i * step}" x2="${left + i * step}" y1="30" y2="290" stroke="#eee"/>`).join('')}
${rows.map(row).join('\n')}
<text x="${left}" y="312" fill="#555">a SWAP returns the state of its clock; the ACCUM beside it lands in the new accumulator (clocks 2 and 4)</text></svg>
`,
  )
}

/** netlistsvg on what yosys makes of each unit, before it becomes gates. */
export function diagrams(): void {
  const tool = join(ROOM, 'node_modules', '.bin', 'netlistsvg')
  if (!existsSync(tool)) return
  const units: [string, string, string[]][] = [
    ['delta_cell', '-set WIDTH 8', ['join', 'cell']],
    ['delta_bank', '-set WIDTH 8 -set ADDRESS 3', ['join', 'ram', 'bank']],
    ['delta_table', '-set WIDTH 8 -set ADDRESS 3 -set PORTS 2', ['join', 'ram', 'bank', 'tree', 'table']],
    ['delta_fold', '-set WIDTH 8 -set PORTS 4', ['join', 'tree', 'fold']],
  ]
  for (const [unit, parameters, names] of units) {
    const json = join(outFolder('diagrams'), `${unit}.json`)
    const files = names.map(name => join(ROOM, 'rtl', `delta_${name}.v`)).join(' ')
    must('yosys', [
      '-q',
      '-p',
      `read_verilog ${files}; chparam ${parameters} ${unit}; hierarchy -top ${unit}; proc; opt_clean; autoname; write_json ${json}`,
    ])
    const ran = run(tool, [json, '-o', here(`${unit}.svg`)], { timeoutMs: 120_000 })
    if (ran.status !== 0)
      console.log(`        no diagram of ${unit}: ${ran.output.trim().split('\n').at(-1)}`)
  }
}

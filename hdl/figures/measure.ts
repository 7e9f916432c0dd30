// Every synthesis, placement and routing that the table of figures holds; results go to figures/placed.json as they come.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outFolder, ROOM } from '../bench/process.ts'
import { cell, core, type Figure, fold, type Part, place, sumCell, table, type Unit, wide } from './place.ts'

/** Unit, part and, where place and route is known not to end or to fit, synthesis alone. */
export function plan(): [Unit, Part, boolean][] {
  const rows: [Unit, Part, boolean][] = []
  const parts: Part[] = ['gowin', 'ecp5', 'ice40', 'xilinx']
  for (const part of parts) {
    rows.push([cell(0), part, false], [cell(1), part, false])
    if (part !== 'xilinx') for (const slices of [2, 4]) rows.push([sumCell(slices), part, false])
    if (part === 'gowin') rows.push([wide(cell(0)), part, false], [wide(sumCell(2)), part, false])
    // without LUT RAM its registers are flip-flops: it is larger than the part
    rows.push([core, part, part === 'ice40'])
  }
  // contexts as many as fill the part's block RAM: 512 of 64 bits, 256 on iCE40; ports as many as there is RAM for
  for (const ports of [1, 2, 6]) rows.push([table(ports, 9), 'gowin', false])
  for (const ports of [1, 2, 8, 32]) rows.push([table(ports, 9), 'ecp5', false])
  for (const ports of [1, 3]) rows.push([table(ports, 8), 'ice40', false])
  for (const ports of [1, 2, 8, 32, 128]) rows.push([table(ports, 9), 'xilinx', false])
  for (const ports of [1, 8, 32]) rows.push([fold(ports), 'gowin', false])
  for (const ports of [1, 8, 32, 128, 512]) rows.push([fold(ports), 'ecp5', false], [fold(ports), 'xilinx', false])
  for (const ports of [1, 8, 32]) rows.push([fold(ports), 'ice40', false])
  return rows
}

export function measure(tools: string, only?: RegExp, timeoutMs = 1_200_000): Figure[] {
  const file = join(ROOM, 'figures', 'placed.json')
  let kept: Figure[] = []
  if (only) kept = JSON.parse(readFileSync(file, 'utf8')) as Figure[]
  outFolder('pnr')
  for (const [unit, part, synthesisOnly] of plan()) {
    if (only && !only.test(`${unit.name} ${part}`)) continue
    const figure = place(unit, part, tools, timeoutMs, synthesisOnly)
    kept = [...kept.filter(other => other.unit !== figure.unit || other.part !== part), figure]
    writeFileSync(file, `${JSON.stringify(kept, null, 1)}\n`)
    console.log(
      `${figure.unit} on ${part}: ${figure.synthesised?.lut ?? '-'} LUT synthesised, ${figure.placed?.lut ?? '-'} placed, ` +
        `${figure.mhz ? `${figure.mhz} MHz` : (figure.note ?? 'synthesised only')} (${figure.seconds} s)`,
    )
  }
  return kept
}

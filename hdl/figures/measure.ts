// Every synthesis, placement and routing that the table of figures holds; results go to figures/placed.json as they come.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outFolder, ROOM } from '../bench/process.ts'
import { cell, core, type Figure, fold, type Part, place, sumCell, table, type Unit } from './place.ts'

/** Unit, part and, where place and route is known not to end or to fit, synthesis alone. */
export function plan(): [Unit, Part, boolean][] {
  const rows: [Unit, Part, boolean][] = []
  const parts: Part[] = ['gowin', 'ecp5', 'ice40', 'xilinx']
  for (const part of ['gowin', 'ecp5'] as Part[])
    rows.push([cell(0), part, false], [cell(1), part, false], [sumCell(2), part, false], [sumCell(4), part, false])
  rows.push([cell(0), 'ice40', false], [cell(0), 'xilinx', false])
  for (const part of ['ecp5', 'gowin', 'xilinx', 'ice40'] as Part[]) rows.push([core, part, part === 'ice40'])
  // contexts as many as fill the part's block RAM: 512 of 64 bits, 256 on iCE40
  const address = (part: Part): number => (part === 'ice40' ? 8 : 9)
  for (const part of parts) rows.push([table(1, address(part)), part, false])
  rows.push(
    [table(2, 9), 'ecp5', false],
    [table(2, 9), 'gowin', false],
    [table(6, 9), 'gowin', false],
    [table(3, 8), 'ice40', false],
  )
  for (const ports of [8, 32]) rows.push([table(ports, 9), 'ecp5', false], [table(ports, 9), 'xilinx', false])
  for (const ports of [1, 8, 32]) rows.push([fold(ports), 'ecp5', false], [fold(ports), 'gowin', false])
  rows.push([fold(128), 'ecp5', false], [fold(512), 'xilinx', false], [fold(512), 'ecp5', false])
  return rows
}

export function measure(tools: string, only?: RegExp, timeoutMs = 600_000): Figure[] {
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
      `${figure.unit} on ${part}: ${figure.lut ?? '-'} LUT, ${figure.ff ?? '-'} FF, ${figure.ram ?? '-'} RAM, ` +
        `${figure.mhz ? `${figure.mhz} MHz` : (figure.note ?? 'synthesised')} (${figure.seconds} s)`,
    )
  }
  return kept
}

/** Results as text for a terminal. */
import Table from 'cli-table3'
import { formatNumber } from './numbers.ts'
import type { Bar, Column, Figure, ResultTable } from './section.ts'

export function formatFigure(figure: Figure | null): string {
  if (figure === null) return '–'
  const { median, min, max } = figure
  return min === max
    ? formatNumber(median)
    : `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`
}

/** How many times the baseline, in the direction in which more is better. */
export function ratioTo(column: Column, figure: Figure | null, baseline: Figure | null): number | undefined {
  if (figure === null || baseline === null || figure.median === 0 || baseline.median === 0) return undefined
  return column.better === 'higher' ? figure.median / baseline.median : baseline.median / figure.median
}

export function headOf({ name, unit }: Column): string {
  return unit === '' ? name : `${name}, ${unit}`
}

/** A cell with its multiple of the baseline. */
export function cellText(table: ResultTable, row: number, column: number): string {
  const text = formatFigure(table.rows[row].cells[column])
  const base = table.rows.find(({ name }) => name === table.baseline)
  if (base === undefined || base === table.rows[row]) return text
  const ratio = ratioTo(table.columns[column], table.rows[row].cells[column], base.cells[column])
  return ratio === undefined ? text : `${text} ${formatNumber(Number(ratio.toPrecision(2)))}×`
}

export function tableText(table: ResultTable): string {
  const shown = new Table({
    head: ['', ...table.columns.map(headOf)],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', ...table.columns.map(() => 'right' as const)],
  })
  table.rows.forEach(({ name, note }, row) => {
    shown.push([
      note === undefined ? name : `${name} *`,
      ...table.columns.map((_, c) => cellText(table, row, c)),
    ])
  })
  const notes = table.rows.flatMap(({ name, note }) => (note === undefined ? [] : [`  * ${name}: ${note}`]))
  const against = table.baseline === undefined ? '' : ` (× of ${table.baseline})`
  return [`${table.title}${against}`, `  ${table.method}`, shown.toString(), ...notes].join('\n')
}

export function barsText(bars: readonly Bar[]): string {
  return bars
    .map(
      ({ name, wanted, measured, met, reason }) =>
        `${met ? 'met   ' : 'MISSED'}  ${name}: wanted ${wanted}, measured ${measured}${reason === undefined ? '' : `\n        ${reason}`}`,
    )
    .join('\n')
}

/**
 * Rows side by side, one panel a column: a dot at the median, a stroke over the range, a line where the baseline is. Plain HTML, so it is
 * read, searched, printed and shrunk like the text around it.
 */

import { formatNumber } from '../harness/numbers.ts'
import { headOf, ratioTo } from '../harness/report.ts'
import type { Column, ResultTable, Row } from '../harness/section.ts'
import { type Axis, axisOf, isOurs, percent, quoted } from './html.ts'

export function dotsHtml(table: ResultTable): string {
  const panels = table.columns.map((column, c) => panel(table, column, c)).filter(html => html !== '')
  return `<div class="panels">${panels.join('\n')}</div>`
}

function panel(table: ResultTable, column: Column, c: number): string {
  const rows = table.rows.filter(({ cells }) => (cells[c]?.median ?? 0) > 0)
  if (rows.length < 2) return ''
  const values = rows.flatMap(({ cells }) => {
    const figure = cells[c]
    return figure === null ? [] : [figure.median, figure.max, ...(figure.min > 0 ? [figure.min] : [])]
  })
  const axis = axisOf(values)
  const base = table.rows.find(({ name }) => name === table.baseline)?.cells[c]?.median
  const ticks = axis.ticks
    .map(tick => `<i style="left:${percent(axis.at(tick))}">${formatNumber(tick)}</i>`)
    .join('')
  return `<figure class="dots">
<figcaption>${quoted(headOf(column))} <small>${column.better === 'higher' ? 'more is better →' : '← less is better'}</small></figcaption>
${rows.map(row => rowHtml(row, { table, column, c, axis, base })).join('\n')}
<div class="row axis" aria-hidden="true"><span></span><span class="track">${ticks}</span><span></span></div>
</figure>`
}

interface Panel {
  readonly table: ResultTable
  readonly column: Column
  readonly c: number
  readonly axis: Axis
  readonly base: number | undefined
}

function rowHtml(row: Row, { table, column, c, axis, base }: Panel): string {
  const figure = row.cells[c]
  if (figure === null) return ''
  const { median, min, max } = figure
  const from = axis.at(min > 0 ? min : median)
  const ratio =
    row.name === table.baseline
      ? undefined
      : ratioTo(column, figure, table.rows.find(({ name }) => name === table.baseline)?.cells[c] ?? null)
  const shown = ratio === undefined ? '' : ` <small>${formatNumber(Number(ratio.toPrecision(2)))}×</small>`
  const line =
    base !== undefined && base > 0 ? `<i class="base" style="left:${percent(axis.at(base))}"></i>` : ''
  return (
    `<div class="row${isOurs(row.name) ? ' ours' : ''}"><span class="who">${quoted(row.name)}</span>` +
    `<span class="track" aria-hidden="true">${line}<i class="range" style="left:${percent(from)};width:${percent(axis.at(max) - from)}"></i>` +
    `<i class="dot" style="left:${percent(axis.at(median))}"></i></span>` +
    `<span class="value">${formatNumber(median)}${shown}</span></div>`
  )
}

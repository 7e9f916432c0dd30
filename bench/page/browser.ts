/** The page's own code: everything stands in the HTML already, this draws the curves. Bundled with uPlot into one file. */
import uPlot from 'uplot'
import { formatNumber } from '../harness/numbers.ts'
import type { ResultsFile } from '../harness/results.ts'
import type { ResultTable } from '../harness/section.ts'
import { isOurs, plotId } from './html.ts'

const results: ResultsFile = JSON.parse(document.getElementById('results')?.textContent ?? '{}')
/** Colours follow the scheme, so they are asked for at every drawing. */
const style = (name: string) => getComputedStyle(document.body).getPropertyValue(name).trim()
const seriesColors = 8
const font = '12px system-ui, sans-serif'
const drawn: uPlot[] = []

/** Columns with a place on the axis are points, rows are lines. */
function drawCurves(table: ResultTable, into: HTMLElement): void {
  const at = table.columns.flatMap(({ x }, c) => (x === undefined ? [] : [c]))
  const xs = at.map(c => table.columns[c].x as number)
  const units = [...new Set(at.map(c => table.columns[c].unit))].join(' ')
  const width = () => Math.max(280, into.clientWidth)
  let others = 0
  // Lines at whole decades, or where a scale has less than two of them at all its ticks.
  const decades = (_: uPlot, splits: number[]) => {
    const whole = splits.filter(v => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6))
    return whole.length < 2 ? splits : splits.map(v => (whole.includes(v) ? v : null))
  }
  const axis: uPlot.Axis = {
    stroke: () => style('--ink'),
    font,
    grid: { stroke: () => style('--line'), width: 1 },
    ticks: { stroke: () => style('--line'), width: 1 },
  }
  const plot = new uPlot(
    {
      width: width(),
      height: 340,
      legend: {
        markers: { width: 1, dash: (u, i) => (u.series[i].dash === undefined ? 'solid' : 'dashed') },
      },
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      axes: [
        {
          ...axis,
          // Where something was measured, named as in the table.
          splits: () => xs,
          values: () => at.map(c => table.columns[c].name.replace(/^after /, '')),
          ...(table.plot?.xLabel === undefined
            ? {}
            : { label: table.plot.xLabel, labelFont: font, labelSize: 18 }),
        },
        {
          ...axis,
          grid: { ...axis.grid, filter: decades },
          ticks: { ...axis.ticks, filter: decades },
          size: 60,
          values: (_, split) => split.map(v => (v === null ? '' : formatNumber(v))),
          ...(units === '' ? {} : { label: units, labelFont: font, labelSize: 18 }),
        },
      ],
      series: [
        { label: table.plot?.xLabel ?? 'x', value: (_, v) => (v === null ? '–' : formatNumber(v)) },
        ...table.rows.map(({ name }) => {
          const ours = isOurs(name)
          const color = `--c${ours ? 0 : 1 + (others++ % seriesColors)}`
          const stroke = () => style(color)
          // Several of ours share a colour and differ in their dashes.
          const dashes = table.rows.filter(row => isOurs(row.name)).findIndex(row => row.name === name)
          return {
            label: name,
            stroke,
            width: ours ? 2.5 : 1.5,
            ...(dashes > 0 && { dash: [10 / dashes, 4] }),
            points: { show: true, size: 7, fill: stroke },
            value: (_: uPlot, v: number | null) => (v === null ? '–' : formatNumber(v)),
          }
        }),
      ],
    },
    [xs, ...table.rows.map(row => at.map(c => row.cells[c]?.median ?? null))] as uPlot.AlignedData,
    into,
  )
  drawn.push(plot)
  new ResizeObserver(() => plot.setSize({ width: width(), height: 340 })).observe(into)
}

for (const [name, section] of Object.entries(results.sections))
  for (const table of section.tables) {
    const into = document.getElementById(plotId(name, table))
    if (into !== null) drawCurves(table, into)
  }
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const plot of drawn) plot.redraw(false, true)
})

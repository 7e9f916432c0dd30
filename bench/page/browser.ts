/** The page's own code: tables stand in the HTML already, this draws the plots. Bundled with uPlot into one file. */
import uPlot from 'uplot'
import { formatNumber } from '../harness/numbers.ts'
import type { ResultsFile } from '../harness/results.ts'
import type { ResultTable } from '../harness/section.ts'

const results: ResultsFile = JSON.parse(document.getElementById('results')?.textContent ?? '{}')
const colors = [
  '#0b7285',
  '#c2255c',
  '#5f3dc4',
  '#2b8a3e',
  '#e67700',
  '#1864ab',
  '#862e9c',
  '#5c940d',
  '#a61e4d',
  '#495057',
  '#087f5b',
]
const ink = () => getComputedStyle(document.body).color
const line = () => getComputedStyle(document.body).getPropertyValue('--line')
const font = '12px system-ui, sans-serif'
const drawn: uPlot[] = []

/** One chart a column: a point for each row at its median, a stroke over its range. */
function drawBars(table: ResultTable, into: HTMLElement): void {
  table.columns.forEach((column, c) => {
    const rows = table.rows.filter(row => (row.cells[c]?.median ?? 0) > 0)
    if (rows.length < 2) return
    const figures = rows.map(row => row.cells[c])
    const box = chartBox(
      into,
      `${column.name}${column.unit === '' ? '' : `, ${column.unit}`} (${column.better} is better)`,
    )
    const plot: uPlot = new uPlot(
      {
        width: 560,
        height: 300,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [-0.6, rows.length - 0.4] }, y: { distr: 3 } },
        axes: [
          {
            stroke: ink,
            font,
            size: 110,
            rotate: -40,
            grid: { show: false },
            splits: () => rows.map((_, i) => i),
            values: () => rows.map(row => row.name),
          },
          {
            stroke: ink,
            font,
            size: 64,
            grid: { stroke: line, width: 1 },
            values: (_, at) => at.map(v => (v === null ? '' : formatNumber(v))),
          },
        ],
        series: [
          {},
          {
            stroke: colors[0],
            width: 0,
            paths: () => null,
            points: { show: true, size: 11, fill: colors[0] },
          },
        ],
        hooks: {
          draw: [
            u => {
              u.ctx.save()
              u.ctx.strokeStyle = colors[0]
              u.ctx.lineWidth = 2 * devicePixelRatio
              figures.forEach((figure, i) => {
                if (figure === null || figure === undefined) return
                const x = u.valToPos(i, 'x', true)
                u.ctx.beginPath()
                u.ctx.moveTo(x, u.valToPos(figure.min, 'y', true))
                u.ctx.lineTo(x, u.valToPos(figure.max, 'y', true))
                u.ctx.stroke()
              })
              u.ctx.restore()
            },
          ],
        },
      },
      [rows.map((_, i) => i), figures.map(figure => figure?.median ?? null)] as uPlot.AlignedData,
      box,
    )
    drawn.push(plot)
  })
}

/** Columns with a place on the axis are points, rows are lines. */
function drawCurves(table: ResultTable, into: HTMLElement): void {
  const at = table.columns.flatMap(({ x }, c) => (x === undefined ? [] : [c]))
  const xs = at.map(c => table.columns[c].x as number)
  const box = chartBox(into, `${table.title}, against ${table.plot?.xLabel ?? ''}`)
  const plot = new uPlot(
    {
      width: 720,
      height: 360,
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      axes: [
        {
          stroke: ink,
          font,
          grid: { stroke: line, width: 1 },
          values: (_, split) => split.map(v => (v === null ? '' : formatNumber(v))),
        },
        {
          stroke: ink,
          font,
          size: 64,
          grid: { stroke: line, width: 1 },
          values: (_, split) => split.map(v => (v === null ? '' : formatNumber(v))),
        },
      ],
      series: [
        { label: table.plot?.xLabel ?? 'x', value: (_, v) => (v === null ? '–' : formatNumber(v)) },
        ...table.rows.map(({ name }, i) => ({
          label: name,
          stroke: colors[i % colors.length],
          width: name.startsWith('ATOMiK') ? 3 : 1.5,
          points: { show: true, size: 7 },
          value: (_: uPlot, v: number | null) => (v === null ? '–' : formatNumber(v)),
        })),
      ],
    },
    [xs, ...table.rows.map(row => at.map(c => row.cells[c]?.median ?? null))] as uPlot.AlignedData,
    box,
  )
  drawn.push(plot)
}

function chartBox(into: HTMLElement, title: string): HTMLElement {
  const figure = into.appendChild(document.createElement('figure'))
  figure.appendChild(document.createElement('figcaption')).textContent = title
  const box = figure.appendChild(document.createElement('div'))
  // The same figures stand in the table above.
  box.setAttribute('aria-hidden', 'true')
  return box
}

for (const [name, section] of Object.entries(results.sections))
  for (const table of section.tables) {
    const into = document.getElementById(`plot-${name}-${table.id}`)
    if (into === null || table.plot === undefined) continue
    if (table.plot.kind === 'bars') drawBars(table, into)
    else drawCurves(table, into)
  }
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const plot of drawn) plot.redraw(false, true)
})

/** One plot over the last minute: uPlot in a box of fixed height, its latest values beside the title. */
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { cssValue, onThemeChange } from './theme.ts'

/** Seconds a plot shows. */
export const windowSeconds = 60
/** A value for every time, or none. */
export type Line = (number | null)[]

export interface Series {
  readonly label: string
  /** Asked again at every drawing, since light may turn to dark. */
  readonly color: () => string
  /** The same for style sheets. */
  readonly cssColor: string
}

interface Props {
  readonly title: string
  readonly series: readonly Series[]
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  /** The same at the axis. Default: `format`. */
  readonly axisFormat?: (value: number) => string
  /** What to write after a value, but not at the axis. */
  readonly unit?: string
  /** Show the latest value of each series, or only of the largest. */
  readonly values: 'each' | 'largest'
}

export function Plot({ title, series, times, lines, format, axisFormat = format, unit = '', values }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  // Between two samples there can be more replicas than lines.
  const data = [[...times], ...series.map((_, i) => lines[i] ?? times.map(() => null))] as uPlot.AlignedData
  const shape = series.map(({ label }) => label).join('\n')

  // Made again only when the series are others.
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const size = () => ({
      width: Math.max(120, element.clientWidth),
      height: Math.max(60, element.clientHeight),
    })
    const made = new uPlot(options(series, axisFormat, size()), data, element)
    plot.current = made
    const resizing = new ResizeObserver(() => made.setSize(size()))
    resizing.observe(element)
    const stop = onThemeChange(() => made.redraw(false, true))
    return () => {
      stop()
      resizing.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape])

  useEffect(() => plot.current?.setData(data), [times, lines])

  const latest = series.map((_, i) => lines[i]?.at(-1) ?? null)
  const say = (value: number | null) => (value === null ? '–' : `${format(value)}${unit}`)
  const largest = latest.reduce<number>(
    (best, value, i) => ((value ?? -1) > (latest[best] ?? -1) ? i : best),
    0,
  )
  const shown = values === 'each' ? series.map((_, i) => i) : series.length > 0 ? [largest] : []
  const spoken = shown.map(i => `${series[i].label} ${say(latest[i])}`)
  return (
    <figure>
      <figcaption>
        <h2>{title}</h2>
        <span class="latest">
          {shown.map(i => (
            <span key={series[i].label}>
              <i class="key" style={{ background: series[i].cssColor }} />
              {series[i].label} <b>{say(latest[i])}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div
        class="plot"
        ref={box}
        role="img"
        aria-label={`${title}, the last ${windowSeconds} seconds; now: ${spoken.join(', ')}`}
      />
    </figure>
  )
}

function options(
  series: readonly Series[],
  format: (value: number) => string,
  size: { width: number; height: number },
): uPlot.Options {
  const font = '11px system-ui, sans-serif'
  const axis = {
    stroke: () => cssValue('--quiet'),
    font,
    ticks: { show: false },
    grid: { stroke: () => cssValue('--line'), width: 1 },
  }
  return {
    ...size,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [-windowSeconds, 0] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 10] },
    },
    axes: [
      {
        ...axis,
        size: 22,
        grid: { show: false },
        splits: () => [-60, -45, -30, -15, 0],
        values: (_plot, splits) => splits.map(at => (at === 0 ? 'now' : `${-at} s`)),
      },
      { ...axis, size: 54, space: 34, values: (_plot, splits) => splits.map(value => format(value)) },
    ],
    series: [
      {},
      ...series.map(({ label, color }) => ({
        label,
        stroke: color,
        width: 1.5,
        points: { show: false },
      })),
    ],
  }
}

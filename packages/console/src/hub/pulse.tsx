/** Every row of a table as one small square, lit when it changes: ten thousand of them in one canvas. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { cssValue, onThemeChange } from '../theme.ts'
import type { TableModel } from './space-model.ts'

/** A change fades in this time. */
const fadeMs = 1500
const shades = 64

/** Colours from "just changed" to "long ago", as RGBA words for an ImageData. */
function palette(): Uint32Array {
  const canvas = document.createElement('canvas')
  canvas.width = shades
  canvas.height = 1
  const c = canvas.getContext('2d', { willReadFrequently: true })
  if (c === null) return new Uint32Array(shades)
  const gradient = c.createLinearGradient(0, 0, shades, 0)
  gradient.addColorStop(0, cssValue('--series-b'))
  gradient.addColorStop(1, cssValue('--border'))
  c.fillStyle = gradient
  c.fillRect(0, 0, shades, 1)
  return new Uint32Array(c.getImageData(0, 0, shades, 1).data.buffer)
}

interface PulseProps {
  readonly table: TableModel
  /** Rows there will be: room is kept for them. */
  readonly expected: number
  readonly onPick: (place: number) => void
}

export function Pulse({ table, expected, onPick }: PulseProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const shape = useRef({ columns: 1, size: 8 })
  useLayoutEffect(() => {
    const element = canvas.current
    const c = element?.getContext('2d')
    if (element == null || c == null) return undefined
    let colors = palette()
    let image: ImageData | undefined
    let frame = 0
    const paint = (now: number) => {
      frame = requestAnimationFrame(paint)
      const count = table.keys.length
      const most = Math.max(count, expected)
      const width = Math.max(1, element.clientWidth)
      // Squares as large as they fit into a band of 160 pixels, at most 14.
      const size = Math.max(3, Math.min(14, Math.floor(Math.sqrt((width * 160) / Math.max(1, most)))))
      const columns = Math.max(1, Math.floor(width / size))
      const rows = Math.max(1, Math.ceil(most / columns))
      shape.current = { columns, size }
      if (image === undefined || image.width !== columns || image.height !== rows) {
        element.width = columns
        element.height = rows
        element.style.height = `${rows * size}px`
        element.style.maxWidth = `${columns * size}px`
        image = c.createImageData(columns, rows)
      }
      const pixels = new Uint32Array(image.data.buffer)
      const { changedAt } = table
      for (let place = 0; place < count; place++) {
        const age = ((now - changedAt[place]) / fadeMs) * shades
        pixels[place] = colors[age < 0 ? 0 : age >= shades ? shades - 1 : age | 0]
      }
      pixels.fill(0, count)
      c.putImageData(image, 0, 0)
    }
    paint(performance.now())
    const stop = onThemeChange(() => {
      colors = palette()
    })
    return () => {
      cancelAnimationFrame(frame)
      stop()
    }
  }, [table])
  return (
    <canvas
      class="pulse"
      ref={canvas}
      role="img"
      aria-label={`${table.name}: each of ${table.keys.length} rows is a square, lit when it changes`}
      data-testid="pulse"
      onClick={event => {
        const { columns, size } = shape.current
        const box = event.currentTarget.getBoundingClientRect()
        const place =
          Math.floor((event.clientY - box.top) / size) * columns +
          Math.floor((event.clientX - box.left) / size)
        if (place < table.keys.length) onPick(place)
      }}
    />
  )
}

/**
 * Every row of a table as one small square, lit when it changes: ten thousand of them in one canvas. Squares that have paled are not
 * touched, and while none is lit nothing runs.
 */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { cssValue, onThemeChange } from '../theme.ts'
import { fadeSteps, stepAt, type TableModel } from './space-model.ts'

/** Squares are as large as they fit into a band of this height, and at most so large. */
const bandPixels = 160
const squarePixelsMax = 14

/** Colours from "just changed" to "long ago", as RGBA words for an ImageData. */
function palette(): Uint32Array {
  const canvas = document.createElement('canvas')
  canvas.width = fadeSteps
  canvas.height = 1
  const c = canvas.getContext('2d', { willReadFrequently: true })
  if (c === null) return new Uint32Array(fadeSteps)
  const gradient = c.createLinearGradient(0, 0, fadeSteps, 0)
  gradient.addColorStop(0, cssValue('--series-b'))
  gradient.addColorStop(1, cssValue('--border'))
  c.fillStyle = gradient
  c.fillRect(0, 0, fadeSteps, 1)
  return new Uint32Array(c.getImageData(0, 0, fadeSteps, 1).data.buffer)
}

interface PulseProps {
  readonly table: TableModel
  /** Rows there will be: room is kept for them. */
  readonly expected: number
  readonly onPick: (place: number) => void
}

export function Pulse({ table, expected, onPick }: PulseProps) {
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const shape = useRef({ columns: 1, size: 8 })
  const room = useRef(expected)
  room.current = expected
  useLayoutEffect(() => {
    const element = canvas.current
    const c = element?.getContext('2d')
    if (element == null || c == null || box.current === null) return undefined
    let colors = palette()
    let image = c.createImageData(1, 1)
    let pixels = new Uint32Array(image.data.buffer)
    let width = Math.max(1, box.current.clientWidth)
    let frame = 0
    let drawnStep = -1
    let most = -1
    const arrange = () => {
      const size = Math.max(3, Math.min(squarePixelsMax, Math.floor(Math.sqrt((width * bandPixels) / most))))
      const columns = Math.max(1, Math.floor(width / size))
      const rows = Math.ceil(most / columns)
      shape.current = { columns, size }
      element.width = columns
      element.height = rows
      element.style.height = `${rows * size}px`
      element.style.maxWidth = `${columns * size}px`
      image = c.createImageData(columns, rows)
      pixels = new Uint32Array(image.data.buffer)
    }
    const paint = (now: number) => {
      frame = 0
      const { changedAt, keys } = table
      const count = keys.length
      const wanted = Math.max(count, room.current, 1)
      if (wanted !== most) {
        most = wanted
        arrange()
      }
      const step = stepAt(now)
      let [first, last, isLit] = [count, -1, false]
      // Between two steps nothing pales; what changed meanwhile is drawn with the next.
      for (let place = 0; step !== drawnStep && place < count; place++) {
        const age = step - changedAt[place]
        const color = colors[age < 0 ? 0 : age < fadeSteps ? age : fadeSteps - 1]
        if (age < fadeSteps) isLit = true
        if (pixels[place] === color) continue
        pixels[place] = color
        if (first > place) first = place
        last = place
      }
      if (last >= 0) {
        const { columns } = shape.current
        const top = Math.floor(first / columns)
        c.putImageData(image, 0, 0, 0, top, columns, Math.floor(last / columns) - top + 1)
      }
      if (isLit || step === drawnStep) frame = requestAnimationFrame(paint)
      drawnStep = step
    }
    const wake = () => {
      if (frame === 0) frame = requestAnimationFrame(paint)
    }
    const again = () => {
      most = -1
      drawnStep = -1
      wake()
    }
    const resizing = new ResizeObserver(([{ contentRect }]) => {
      if (Math.floor(contentRect.width) === width) return
      width = Math.max(1, Math.floor(contentRect.width))
      again()
    })
    resizing.observe(box.current)
    table.onTouch = wake
    paint(performance.now())
    const stop = onThemeChange(() => {
      colors = palette()
      again()
    })
    return () => {
      table.onTouch = () => {}
      cancelAnimationFrame(frame)
      resizing.disconnect()
      stop()
    }
  }, [table])
  return (
    <div ref={box}>
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
    </div>
  )
}

/** Draws packets on their way: one line between two nodes, with the hub in the middle where there is one. */
import { cssValue } from '../theme.ts'
import type { BadNetwork } from './bad-link.ts'

const margin = 14
const height = 84

export class LinePainter {
  readonly #canvas: HTMLCanvasElement
  readonly #network: BadNetwork
  readonly #hasHub: boolean
  #frame = 0
  /** The line as it was drawn, while nothing was under way. */
  #drawnLine = ''

  constructor(canvas: HTMLCanvasElement, network: BadNetwork, hasHub: boolean) {
    this.#canvas = canvas
    this.#network = network
    this.#hasHub = hasHub
    this.#frame = requestAnimationFrame(() => this.#paint())
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
  }

  #paint(): void {
    this.#frame = requestAnimationFrame(() => this.#paint())
    const canvas = this.#canvas
    const ratio = devicePixelRatio
    const width = canvas.clientWidth
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== height * ratio) {
      canvas.width = Math.round(width * ratio)
      canvas.height = height * ratio
    }
    const c = canvas.getContext('2d')
    if (c === null) return
    const { packets, conditions } = this.#network
    // While nothing is under way nothing is drawn again, unless the line itself is another.
    const line = `${width} ${ratio} ${conditions.partition} ${cssValue('--border')}`
    if (packets.size === 0 && line === this.#drawnLine) return
    this.#drawnLine = packets.size === 0 ? line : ''
    c.setTransform(ratio, 0, 0, ratio, 0, 0)
    c.clearRect(0, 0, width, height)
    const xOf = (place: number) => margin + place * (width - 2 * margin)
    c.strokeStyle = cssValue(conditions.partition ? '--bad' : '--border')
    c.lineWidth = 2
    c.setLineDash(conditions.partition ? [4, 7] : [])
    c.beginPath()
    c.moveTo(xOf(0), height / 2)
    c.lineTo(xOf(1), height / 2)
    c.stroke()
    c.setLineDash([])
    if (this.#hasHub) {
      c.fillStyle = cssValue('--card')
      c.strokeStyle = cssValue('--quiet')
      c.beginPath()
      c.arc(xOf(0.5), height / 2, 15, 0, 2 * Math.PI)
      c.fill()
      c.stroke()
      c.fillStyle = cssValue('--ink')
      c.font = '11px system-ui, sans-serif'
      c.textAlign = 'center'
      c.textBaseline = 'middle'
      c.fillText('hub', xOf(0.5), height / 2)
    }
    const now = performance.now()
    for (const { from, to, bytes, sentAt, arrivesAt, lost, again } of packets.values()) {
      const way = Math.min(1, (now - sentAt) / Math.max(1, arrivesAt - sentAt))
      // A lost packet is seen to fall off the line half-way.
      const seen = lost ? Math.min(way, 0.5) : way
      const lane = (to > from ? -1 : 1) * 17
      const x = xOf(from + (to - from) * seen)
      const y = height / 2 + lane + (lost && way > 0.5 ? (way - 0.5) * 30 : 0)
      c.globalAlpha = lost && way > 0.5 ? Math.max(0, 1 - (way - 0.5) * 2) : 1
      c.fillStyle = cssValue(lost ? '--bad' : again ? '--series-b' : '--accent')
      c.beginPath()
      c.arc(x, y, Math.min(9, 3 + Math.sqrt(bytes) / 3), 0, 2 * Math.PI)
      c.fill()
    }
    c.globalAlpha = 1
  }
}

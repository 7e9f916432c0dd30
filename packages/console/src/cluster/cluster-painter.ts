/** Draws a cluster at one moment: the hub in the middle, replicas around it, messages on their way. */
import { cssValue } from '../theme.ts'
import { lostShownMs, type Message, type MessageKind, type Moment, type Standing } from './recording.ts'

/** Above this many, replicas stand in two rings. */
const oneRingMax = 26
const hubRadius = 26

export const messageKinds: readonly {
  readonly kind: MessageKind
  readonly color: string
  readonly text: string
}[] = [
  { kind: 'batch', color: '--series-b', text: 'changes to the hub' },
  { kind: 'stream', color: '--series-a', text: 'log to a replica' },
  { kind: 'state', color: '--good', text: 'folded or whole state' },
  { kind: 'greeting', color: '--wait', text: 'greeting' },
  { kind: 'note', color: '--quiet', text: 'acknowledgement' },
]

/** The hub is −1. */
export type Target = number

interface Place {
  readonly x: number
  readonly y: number
}

export class ClusterPainter {
  readonly #canvas: HTMLCanvasElement
  #places: Place[] = []
  #center: Place = { x: 0, y: 0 }
  #radius = 14
  #colors = new Map<string, string>()

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas
  }

  /** Colours are asked for again at the next drawing. */
  forgetColors(): void {
    this.#colors = new Map()
  }

  /** Who stands at this place of the canvas, in CSS pixels. */
  targetAt(x: number, y: number): Target | undefined {
    const reach = Math.max(14, this.#radius + 5)
    if (Math.hypot(x - this.#center.x, y - this.#center.y) <= hubRadius + 4) return -1
    const node = this.#places.findIndex(place => Math.hypot(x - place.x, y - place.y) <= reach)
    return node < 0 ? undefined : node
  }

  paint(moment: Moment, messages: Iterable<Message>, atMs: number, picked: Target | undefined): void {
    const canvas = this.#canvas
    const ratio = devicePixelRatio
    const { clientWidth: width, clientHeight: height } = canvas
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio)
      canvas.height = Math.round(height * ratio)
    }
    const c = canvas.getContext('2d')
    if (c === null || width === 0) return
    c.setTransform(ratio, 0, 0, ratio, 0, 0)
    c.clearRect(0, 0, width, height)
    this.#arrange(width, height, moment.replicas.length)
    for (const [node, replica] of moment.replicas.entries()) this.#link(c, replica, node)
    for (const message of messages) this.#message(c, message, atMs)
    for (const [node, replica] of moment.replicas.entries())
      this.#replica(c, replica, node, moment, node === picked)
    this.#hub(c, moment, picked === -1)
  }

  #color(name: string): string {
    let color = this.#colors.get(name)
    if (color === undefined) {
      color = cssValue(name)
      this.#colors.set(name, color)
    }
    return color
  }

  #arrange(width: number, height: number, count: number): void {
    this.#center = { x: width / 2, y: height / 2 }
    const rings = count > oneRingMax ? 2 : 1
    const outer = { x: width / 2 - 30, y: height / 2 - 30 }
    const around = Math.PI * (outer.x + outer.y)
    this.#radius = Math.max(7, Math.min(16, (around * (rings === 1 ? 1 : 1.5)) / count / 3))
    this.#places = Array.from({ length: count }, (_, node) => {
      const inner = rings === 2 && node % 2 === 1
      const angle = (2 * Math.PI * node) / count - Math.PI / 2
      const part = inner ? 0.72 : 1
      return {
        x: this.#center.x + Math.cos(angle) * outer.x * part,
        y: this.#center.y + Math.sin(angle) * outer.y * part,
      }
    })
  }

  #link(c: CanvasRenderingContext2D, { blocked, slow, stormy, connected }: Standing, node: number): void {
    if (!connected && !blocked) return
    const { x, y } = this.#places[node]
    c.strokeStyle = this.#color(blocked ? '--bad' : stormy ? '--wait' : '--border')
    c.lineWidth = blocked || stormy ? 1.5 : 1
    c.setLineDash(blocked ? [3, 6] : slow ? [1, 4] : [])
    c.beginPath()
    c.moveTo(this.#center.x, this.#center.y)
    c.lineTo(x, y)
    c.stroke()
    c.setLineDash([])
  }

  #message(c: CanvasRenderingContext2D, message: Message, atMs: number): void {
    const place = this.#places[message.node]
    if (place === undefined) return
    const isGone = message.lost && atMs >= message.endMs
    const way = Math.min(
      // One that is lost at the very end is shown beside its machine, not below it.
      message.lost ? 0.86 : 1,
      (Math.min(atMs, message.endMs) - message.fromMs) / Math.max(1, message.dueMs - message.fromMs),
    )
    const [from, to] = message.up ? [place, this.#center] : [this.#center, place]
    const length = Math.hypot(to.x - from.x, to.y - from.y)
    // Each direction has its side of the line.
    const [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length]
    const x = from.x + (to.x - from.x) * way - dy * 5
    const y = from.y + (to.y - from.y) * way + dx * 5
    const size = Math.min(7, 1.8 + Math.sqrt(message.bytes) / 5)
    if (isGone) {
      this.#cross(c, x, y, 1 - (atMs - message.endMs) / lostShownMs)
      return
    }
    c.fillStyle = this.#color(messageKinds.find(({ kind }) => kind === message.kind)?.color ?? '--quiet')
    c.beginPath()
    if (message.kind === 'greeting' || message.kind === 'note') c.rect(x - size, y - size, 2 * size, 2 * size)
    else c.arc(x, y, size, 0, 2 * Math.PI)
    c.fill()
  }

  /** Here a message was lost. */
  #cross(c: CanvasRenderingContext2D, x: number, y: number, strength: number): void {
    const half = 4.5
    c.globalAlpha = Math.max(0.15, strength)
    c.strokeStyle = this.#color('--bad')
    c.lineWidth = 2
    c.beginPath()
    c.moveTo(x - half, y - half)
    c.lineTo(x + half, y + half)
    c.moveTo(x + half, y - half)
    c.lineTo(x - half, y + half)
    c.stroke()
    c.globalAlpha = 1
  }

  #replica(
    c: CanvasRenderingContext2D,
    replica: Standing,
    node: number,
    { hub }: Moment,
    isPicked: boolean,
  ): void {
    const { x, y } = this.#places[node]
    const radius = this.#radius
    const behind = Math.max(0, hub.lsn - replica.lsn)
    const isEqual = replica.digest === hub.digest && !replica.down
    c.beginPath()
    if (replica.durable) c.roundRect(x - radius, y - radius, 2 * radius, 2 * radius, radius / 3)
    else c.arc(x, y, radius, 0, 2 * Math.PI)
    c.fillStyle = this.#color('--card')
    c.fill()
    if (!replica.down) {
      c.globalAlpha = isEqual ? 0.9 : Math.max(0.16, 0.6 / (1 + behind / 6))
      c.fillStyle = this.#color(isEqual ? '--good' : '--accent')
      c.fill()
      c.globalAlpha = 1
    }
    c.lineWidth = isPicked ? 3 : 1.25
    c.strokeStyle = this.#color(
      replica.down
        ? '--bad'
        : isPicked
          ? '--ink'
          : isEqual
            ? '--good'
            : replica.live
              ? '--accent'
              : '--quiet',
    )
    c.setLineDash(replica.down || !replica.live ? [3, 3] : [])
    c.stroke()
    c.setLineDash([])
    if (radius >= 9) {
      c.font = `${radius > 12 ? 10.5 : 9}px system-ui, sans-serif`
      c.textAlign = 'center'
      c.textBaseline = 'middle'
      c.fillStyle = this.#color(isEqual ? '--card' : '--ink')
      c.fillText(replica.down ? '×' : replica.name.replace('r', ''), x, y + 0.5)
    }
    if (replica.pending > 0) this.#badge(c, x + radius * 0.8, y - radius * 0.8, replica.pending)
  }

  #badge(c: CanvasRenderingContext2D, x: number, y: number, pending: number): void {
    c.font = '9px system-ui, sans-serif'
    const text = String(pending)
    const half = Math.max(6, c.measureText(text).width / 2 + 3.5)
    c.beginPath()
    c.roundRect(x - half, y - 6, 2 * half, 12, 6)
    c.fillStyle = this.#color('--series-b')
    c.fill()
    c.fillStyle = this.#color('--card')
    c.textAlign = 'center'
    c.textBaseline = 'middle'
    c.fillText(text, x, y + 0.5)
  }

  #hub(c: CanvasRenderingContext2D, { hub }: Moment, isPicked: boolean): void {
    const { x, y } = this.#center
    c.beginPath()
    c.arc(x, y, hubRadius, 0, 2 * Math.PI)
    c.fillStyle = this.#color('--card')
    c.fill()
    c.lineWidth = isPicked ? 3 : 1.5
    c.strokeStyle = this.#color(hub.down || hub.full ? '--bad' : isPicked ? '--ink' : '--good')
    c.setLineDash(hub.down ? [4, 4] : [])
    c.stroke()
    c.setLineDash([])
    c.textAlign = 'center'
    c.textBaseline = 'middle'
    c.fillStyle = this.#color('--quiet')
    c.font = '10px system-ui, sans-serif'
    c.fillText(hub.down ? 'hub down' : hub.full ? 'disk full' : 'hub', x, y - 7)
    c.fillStyle = this.#color('--ink')
    c.font = '600 12px system-ui, sans-serif'
    c.fillText(hub.down ? '×' : String(hub.lsn), x, y + 7)
  }
}

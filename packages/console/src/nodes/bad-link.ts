/**
 * A network in the page, as bad as the sliders say. It carries packets between two places, and keeps those under way so
 * that they can be drawn. A partition drops everything, silently, as a dead line does.
 */
export interface Conditions {
  /** Share of packets lost, 0 to 1. */
  loss: number
  /** Share of packets that arrive once more. */
  repeat: number
  /** Time a packet takes. */
  delayMs: number
  /** Up to this much longer, by chance: so packets overtake each other. */
  jitterMs: number
  partition: boolean
}

export interface Packet {
  readonly id: number
  /** Places on the picture: 0 is node A, 1 node B, 0.5 the hub between them. */
  readonly from: number
  readonly to: number
  readonly bytes: number
  readonly sentAt: number
  readonly arrivesAt: number
  /** It will be lost on the way. */
  readonly lost: boolean
  /** It is a second copy. */
  readonly again: boolean
}

export interface Traffic {
  sent: number
  lost: number
  repeated: number
  /** Arrived after a packet sent later. */
  overtaken: number
}

export class BadNetwork {
  readonly conditions: Conditions
  readonly traffic: Traffic = { sent: 0, lost: 0, repeated: 0, overtaken: 0 }
  readonly packets = new Map<number, Packet>()
  readonly #random: () => number
  readonly #latest = new Map<string, number>()
  #nextId = 1

  /** @param random uniform in [0, 1) */
  constructor(conditions: Conditions, random: () => number = Math.random) {
    this.conditions = conditions
    this.#random = random
  }

  /** Sends a packet; `arrive` is called when it gets there: never, once or twice. */
  send(from: number, to: number, bytes: number, arrive: () => void): void {
    const { loss, repeat, partition } = this.conditions
    const lost = partition || this.#random() < loss
    this.#fly(from, to, bytes, lost, false, arrive)
    if (!lost && this.#random() < repeat) this.#fly(from, to, bytes, false, true, arrive)
  }

  #fly(from: number, to: number, bytes: number, lost: boolean, again: boolean, arrive: () => void): void {
    const { delayMs, jitterMs } = this.conditions
    const tripMs = delayMs + this.#random() * jitterMs + (again ? delayMs / 2 : 0)
    const sentAt = performance.now()
    const id = this.#nextId++
    this.traffic.sent++
    if (lost) this.traffic.lost++
    if (again) this.traffic.repeated++
    this.packets.set(id, { id, from, to, bytes, sentAt, arrivesAt: sentAt + tripMs, lost, again })
    setTimeout(() => {
      this.packets.delete(id)
      // The line may have been cut while it was under way.
      if (lost || this.conditions.partition) return
      const way = `${from}→${to}`
      const latest = this.#latest.get(way) ?? 0
      if (id < latest && !again) this.traffic.overtaken++
      this.#latest.set(way, Math.max(latest, id))
      arrive()
    }, tripMs)
  }
}

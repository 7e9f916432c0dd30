/**
 * Virtual connections between replicas and the hub. Each message has its own fate: it may be lost, repeated, delayed, overtaken, cut in
 * the middle with its connection, or held up behind a reader that is slow. On a connection that keeps order, as one over TCP does, what would
 * be lost comes later instead, with all behind it. Both ends learn of the end of a connection, but not at once.
 */
import type { SeededRandom } from 'atomik/engine'
import type { Way } from './plan.ts'
import type { EventQueue } from './queue.ts'

export type Direction = 'up' | 'down'

/** The conditions on the way between one replica and the hub. */
export interface Weather {
  drop: number
  repeat: number
  delayMs: number
  reorder: boolean
}

export const calm: Readonly<Weather> = { drop: 0, repeat: 0, delayMs: 0, reorder: false }

/** A message on its way. */
export interface Flight {
  readonly connection: Connection
  readonly direction: Direction
  readonly bytes: Uint8Array
  readonly sentAtMs: number
  readonly dueAtMs: number
  readonly order: number
}

export interface Connection {
  readonly id: number
  readonly node: number
  readonly openedAtMs: number
  /** Nothing is lost, repeated or overtaken on it before it ends. */
  readonly isOrdered: boolean
  /** Which ends believe in it. */
  nodeOpen: boolean
  hubOpen: boolean
  /** A message on it was cut: what its receiver makes of the rest is no surprise. */
  damaged: boolean
  /** When the last message arrives, by direction: what keeps order. */
  readonly lastDueMs: Record<Direction, number>
  /** The same by number of sending: what arrived last. */
  readonly arrived: Record<Direction, number>
  /** Bytes that wait in front of a slow reader. */
  waitingBytes: number
  congested: boolean
  /** What a partition holds up on a connection that keeps order, by direction. */
  readonly heldUp: Record<Direction, Flight[]>
}

/** What the ends do. */
export interface Ends {
  toHub(connection: Connection, bytes: Uint8Array): void
  toNode(connection: Connection, bytes: Uint8Array): void
  hubClosed(connection: Connection): void
  nodeClosed(connection: Connection): void
  /** The network takes no more for this reader, or does again. */
  congestion(connection: Connection, congested: boolean): void
  count(fault: string): void
}

/** A message that the network did away with. */
export interface Loss {
  readonly connection: Connection
  readonly direction: Direction
  readonly bytes: Uint8Array
  /** It was under way until now; undefined when it was lost as it was sent. */
  readonly flight?: Flight
}

/** Above this many bytes a reader is congested, below a quarter no more: the hub's marks, at the scale of these messages. */
const congestedBytes = 400
/** Bytes a slow reader takes in 100 ms. */
const slowBytes = 60
/** Longer than this nobody waits for the news that a connection ended. */
const closeMsMax = 3000
/** A message that was lost below a connection that keeps order is sent again after this time. */
const retransmitMs = 200

export class Network {
  readonly flights = new Set<Flight>()
  readonly weather: Weather[] = []
  /** How many partitions block a direction, by replica. */
  readonly blocked: Record<Direction, number>[] = []
  readonly slow: number[] = []
  /** For whoever draws it: told of every message that is lost. */
  onLoss: (loss: Loss) => void = () => {}
  readonly #queue: EventQueue
  readonly #random: SeededRandom
  readonly #ends: Ends
  #order = 0

  constructor(queue: EventQueue, random: SeededRandom, ends: Ends) {
    this.#queue = queue
    this.#random = random
    this.#ends = ends
  }

  addNode(): void {
    this.weather.push({ ...calm })
    this.blocked.push({ up: 0, down: 0 })
    this.slow.push(0)
  }

  partition(node: number, way: Way, by: 1 | -1): void {
    if (way !== 'down') this.blocked[node].up += by
    if (way !== 'up') this.blocked[node].down += by
  }

  isBlocked(node: number): boolean {
    return this.blocked[node].up > 0 || this.blocked[node].down > 0
  }

  heal(): void {
    for (let i = 0; i < this.weather.length; i++) {
      this.weather[i] = { ...calm }
      this.blocked[i] = { up: 0, down: 0 }
      this.slow[i] = 0
    }
  }

  send(connection: Connection, direction: Direction, bytes: Uint8Array): void {
    const { node } = connection
    const weather = this.weather[node]
    const random = this.#random
    if (connection.isOrdered) {
      this.#sendInOrder(connection, direction, bytes)
      return
    }
    if (this.blocked[node][direction] > 0) {
      this.#ends.count(
        this.blocked[node].up > 0 && this.blocked[node].down > 0 ? 'partition' : 'one-way partition',
      )
      this.onLoss({ connection, direction, bytes })
      return
    }
    if (weather.drop > 0 && random.next() < weather.drop) {
      this.#ends.count('drop')
      this.onLoss({ connection, direction, bytes })
      return
    }
    const isRepeated = weather.repeat > 0 && random.next() < weather.repeat
    if (isRepeated) this.#ends.count('repeat')
    for (let copy = isRepeated ? 2 : 1; copy > 0; copy--) {
      const extraMs = weather.delayMs > 0 ? random.below(weather.delayMs + 1) : 0
      if (extraMs > 50) this.#ends.count('delay')
      let dueAtMs = this.#queue.nowMs + 1 + random.below(8) + extraMs
      if (!weather.reorder) dueAtMs = Math.max(dueAtMs, connection.lastDueMs[direction])
      if (direction === 'down' && this.slow[node] > 0) dueAtMs = this.#queueUp(connection, bytes, dueAtMs)
      connection.lastDueMs[direction] = Math.max(dueAtMs, connection.lastDueMs[direction])
      const flight: Flight = {
        connection,
        direction,
        bytes,
        sentAtMs: this.#queue.nowMs,
        dueAtMs,
        order: this.#order++,
      }
      this.flights.add(flight)
      this.#queue.at(dueAtMs, () => this.#arrive(flight))
    }
  }

  #sendInOrder(connection: Connection, direction: Direction, bytes: Uint8Array): void {
    const { drop, delayMs } = this.weather[connection.node]
    let dueAtMs = this.#queue.nowMs + 1 + this.#random.below(8 + delayMs)
    while (drop > 0 && this.#random.next() < drop) {
      this.#ends.count('retransmission')
      dueAtMs += retransmitMs
    }
    dueAtMs = Math.max(dueAtMs, connection.lastDueMs[direction])
    if (direction === 'down' && this.slow[connection.node] > 0)
      dueAtMs = this.#queueUp(connection, bytes, dueAtMs)
    connection.lastDueMs[direction] = dueAtMs
    const order = this.#order++
    const flight: Flight = { connection, direction, bytes, sentAtMs: this.#queue.nowMs, dueAtMs, order }
    this.flights.add(flight)
    this.#queue.at(dueAtMs, () => this.#arriveInOrder(flight))
  }

  #arriveInOrder(flight: Flight): void {
    const { connection, direction } = flight
    const heldUp = connection.heldUp[direction]
    if (!this.flights.has(flight)) return
    if (this.blocked[connection.node][direction] === 0 && heldUp.length === 0) {
      this.#arrive(flight)
      return
    }
    this.#ends.count('held up')
    heldUp.push(flight)
    if (heldUp.length === 1) this.#queue.after(retransmitMs, () => this.#release(connection, direction))
  }

  #release(connection: Connection, direction: Direction): void {
    const heldUp = connection.heldUp[direction]
    if (this.blocked[connection.node][direction] > 0 && heldUp.some(flight => this.flights.has(flight))) {
      this.#queue.after(retransmitMs, () => this.#release(connection, direction))
      return
    }
    for (const flight of heldUp.splice(0)) this.#arrive(flight)
  }

  /** Behind all that waits for this slow reader. */
  #queueUp(connection: Connection, bytes: Uint8Array, dueAtMs: number): number {
    connection.waitingBytes += bytes.length
    if (!connection.congested && connection.waitingBytes > congestedBytes) {
      connection.congested = true
      this.#ends.count('slow reader')
      this.#ends.congestion(connection, true)
    }
    const due = Math.max(dueAtMs, connection.lastDueMs.down) + (100 * bytes.length) / slowBytes
    this.#queue.at(due, () => {
      connection.waitingBytes -= bytes.length
      if (!connection.congested || connection.waitingBytes > congestedBytes / 4) return
      connection.congested = false
      if (connection.hubOpen) this.#ends.congestion(connection, false)
    })
    return due
  }

  #arrive(flight: Flight): void {
    if (!this.flights.delete(flight)) return
    const { connection, direction, order } = flight
    if (this.blocked[connection.node][direction] > 0) {
      this.#ends.count('partition')
      this.onLoss({ connection, direction, bytes: flight.bytes, flight })
      return
    }
    if (order < connection.arrived[direction]) this.#ends.count('reorder')
    connection.arrived[direction] = Math.max(order, connection.arrived[direction])
    this.#deliver(flight, flight.bytes)
  }

  #deliver({ connection, direction }: Flight, bytes: Uint8Array): void {
    if (direction === 'up' && connection.hubOpen) this.#ends.toHub(connection, bytes)
    else if (direction === 'down' && connection.nodeOpen) this.#ends.toNode(connection, bytes)
  }

  /** The connection breaks; the first message on its way in each direction may arrive in part. */
  cut(connection: Connection, midFrame: boolean): void {
    const mine = [...this.flights].filter(flight => flight.connection === connection)
    for (const flight of mine) {
      this.flights.delete(flight)
      this.onLoss({ connection, direction: flight.direction, bytes: flight.bytes, flight })
    }
    connection.damaged = true
    this.#ends.count('cut')
    if (midFrame)
      for (const direction of ['up', 'down'] as const) {
        const first = mine.find(flight => flight.direction === direction)
        if (first === undefined || first.bytes.length < 2) continue
        this.#ends.count('cut in mid-frame')
        this.#deliver(first, first.bytes.slice(0, 1 + this.#random.below(first.bytes.length - 1)))
      }
    this.close(connection, 'node')
    this.close(connection, 'hub')
  }

  /** One end hears that the connection is over, some time from now. */
  close(connection: Connection, end: 'node' | 'hub'): void {
    const startedAtMs = this.#queue.nowMs
    const hear = () => {
      const direction = end === 'node' ? 'down' : 'up'
      if (this.blocked[connection.node][direction] > 0 && this.#queue.nowMs - startedAtMs < closeMsMax) {
        this.#queue.after(100, hear)
      } else if (end === 'node') {
        if (connection.nodeOpen) this.#ends.nodeClosed(connection)
      } else if (connection.hubOpen) {
        this.#ends.hubClosed(connection)
      }
    }
    this.#queue.after(this.#random.below(end === 'node' ? 60 : 300), hear)
  }
}

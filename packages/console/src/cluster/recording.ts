/**
 * A run of a scenario, and what is needed to draw any moment of it again: where each replica stood, 20 times a second of virtual time,
 * and every message with its time of sending and its end. So scrubbing back costs nothing; only the frontier is simulated.
 */
import { type Flight, type Loss, type Outcome, Simulation } from '@atomik/simulator'
import { healAtMs, planOf, type Scenario } from './scenario.ts'

/** Virtual time between two moments that are kept. */
export const momentMs = 50
/** Messages are found by the time they are under way, in slices of this length. */
const sliceMs = 250

export interface Standing {
  readonly name: string
  /** It keeps itself on a disk, which outlives its crashes. */
  readonly durable: boolean
  readonly down: boolean
  readonly connected: boolean
  readonly live: boolean
  readonly blocked: boolean
  readonly slow: boolean
  readonly stormy: boolean
  readonly lsn: number
  readonly pending: number
  /** Of the confirmed state, 64 bits in hexadecimal. Whoever stands at one version has one digest. */
  readonly digest: string
}

export interface Moment {
  readonly atMs: number
  readonly hub: {
    readonly down: boolean
    readonly full: boolean
    readonly lsn: number
    readonly digest: string
  }
  readonly replicas: readonly Standing[]
  readonly changes: {
    readonly made: number
    readonly confirmed: number
    readonly pending: number
    readonly refused: number
  }
  readonly messages: { readonly sent: number; readonly lost: number }
  /** How many entries of `events` had happened. */
  readonly events: number
}

export type MessageKind = 'greeting' | 'batch' | 'stream' | 'state' | 'note'

export interface Message {
  readonly node: number
  readonly up: boolean
  readonly kind: MessageKind
  readonly bytes: number
  readonly fromMs: number
  /** When it arrives, or would have. */
  readonly dueMs: number
  /** When it arrived, or was lost. */
  endMs: number
  /** It never arrived: the weather took it, a partition, or the end of its connection. */
  lost: boolean
}

/** A lost message is shown for this long where it was lost. */
export const lostShownMs = 220
/** Where on its way a message is lost that never set out: part of the way. */
const lostAt = { weather: 0.5, partition: 0.2 }

export class Recording {
  readonly scenario: Scenario
  readonly moments: Moment[] = []
  readonly #simulation: Simulation
  readonly #slices: Message[][] = []
  readonly #open = new Map<Flight, Message>()
  /** Ends of messages in the order they were seen, for stepping. */
  readonly #ends: number[] = []
  #order = -1
  #sent = 0
  #lost = 0

  constructor(scenario: Scenario) {
    this.scenario = scenario
    this.#simulation = new Simulation({ seed: scenario.seed, plan: planOf(scenario), record: true })
    this.#simulation.network.onLoss = loss => this.#lose(loss)
    // For all alike: keeping the inputs of those alone that will be cloned would change what happens before.
    for (const node of this.#simulation.replicas) node.keepInputs()
    this.#keep()
  }

  /** Up to here it is known. */
  get frontierMs(): number {
    return this.#simulation.outcome === undefined
      ? this.moments[this.moments.length - 1].atMs
      : this.#simulation.outcome.virtualMs
  }

  /** Set when the run is over: equal, or what went wrong. */
  get outcome(): Outcome | undefined {
    return this.#simulation.outcome
  }

  /** Where the scrubber ends, as far as is known. */
  get endMs(): number {
    return this.outcome?.virtualMs ?? Math.max(healAtMs + 2000, this.frontierMs)
  }

  get events(): Simulation['events'] {
    return this.#simulation.events
  }

  /**
   * Goes on until `atMs` is known or the run is over; gives up when `isLate` says so. True when it is known.
   */
  runTo(atMs: number, isLate: () => boolean = () => false): boolean {
    const simulation = this.#simulation
    let nextMs = this.moments[this.moments.length - 1].atMs + momentMs
    for (let steps = 0; simulation.outcome === undefined && this.frontierMs < atMs; steps++) {
      if (steps % 64 === 63 && isLate()) return false
      simulation.step()
      this.#follow()
      while (nextMs <= simulation.nowMs && simulation.outcome === undefined) {
        this.#keep(nextMs)
        nextMs += momentMs
      }
    }
    if (simulation.outcome !== undefined && this.moments[this.moments.length - 1].atMs < simulation.nowMs)
      this.#keep(simulation.nowMs)
    return true
  }

  /** How things stood. */
  momentAt(atMs: number): Moment {
    const place = Math.min(this.moments.length - 1, Math.max(0, Math.floor(atMs / momentMs)))
    // The last one is kept when the run ends, which is no multiple.
    const last = this.moments[this.moments.length - 1]
    return atMs >= last.atMs ? last : this.moments[place]
  }

  /** Messages under way, and those lost a moment ago. */
  *messagesAt(atMs: number): Iterable<Message> {
    for (const message of this.#slices[Math.floor(atMs / sliceMs)] ?? []) {
      const { fromMs, endMs, lost } = message
      if (fromMs <= atMs && atMs < (lost ? endMs + lostShownMs : endMs)) yield message
    }
  }

  /** When the next message arrives after this time, or the last before it; undefined when none is known. */
  arrivalAfter(atMs: number): number | undefined {
    return this.#ends.find(endMs => endMs > atMs)
  }

  arrivalBefore(atMs: number): number | undefined {
    return this.#ends.findLast(endMs => endMs < atMs)
  }

  /** Takes in what was sent by the last step, and what came to its end. */
  #follow(): void {
    const { network, nowMs } = this.#simulation
    for (const [flight, message] of this.#open) {
      if (network.flights.has(flight)) continue
      this.#open.delete(flight)
      if (message.lost) continue
      message.endMs = nowMs
      this.#ends.push(nowMs)
    }
    for (const flight of network.flights) {
      if (flight.order <= this.#order) continue
      this.#order = flight.order
      this.#open.set(flight, this.#show(flight, flight.sentAtMs, flight.dueAtMs))
    }
  }

  /** Lost under way, or as it was sent: then it is drawn on the way it would have gone. */
  #lose({ flight, ...loss }: Loss): void {
    const { nowMs, network } = this.#simulation
    this.#lost++
    let message = flight === undefined ? undefined : this.#open.get(flight)
    if (message === undefined) {
      const { node } = loss.connection
      const isBlocked = network.blocked[node][loss.direction] > 0
      const fromMs = flight?.sentAtMs ?? nowMs
      const dueMs = flight?.dueAtMs ?? nowMs + 5 + network.weather[node].delayMs / 2
      message = this.#show(loss, fromMs, dueMs)
      message.endMs =
        flight === undefined
          ? fromMs + (dueMs - fromMs) * (isBlocked ? lostAt.partition : lostAt.weather)
          : Math.min(nowMs, dueMs)
    } else {
      message.endMs = Math.min(nowMs, message.dueMs)
    }
    message.lost = true
    this.#slice(message, Math.floor(message.dueMs / sliceMs) + 1, message.endMs + lostShownMs)
  }

  #show({ connection, direction, bytes }: Omit<Loss, 'flight'>, fromMs: number, dueMs: number): Message {
    const message: Message = {
      node: connection.node,
      up: direction === 'up',
      kind: kindOf(bytes),
      bytes: bytes.length,
      fromMs,
      dueMs,
      endMs: dueMs,
      lost: false,
    }
    this.#sent++
    this.#slice(message, Math.floor(fromMs / sliceMs), dueMs)
    return message
  }

  #slice(message: Message, first: number, untilMs: number): void {
    for (let slice = first; slice <= Math.floor(untilMs / sliceMs); slice++) {
      this.#slices[slice] ??= []
      this.#slices[slice].push(message)
    }
  }

  #keep(atMs = 0): void {
    const { hub, replicas, network, ledger, events } = this.#simulation
    const changes = { made: ledger.entries.length, confirmed: 0, pending: 0, refused: 0 }
    for (const { fate } of ledger.entries)
      if (fate === 'confirmed' || fate === 'pending' || fate === 'refused') changes[fate]++
    this.moments.push({
      atMs,
      hub: {
        down: hub.isDown,
        full: hub.disk.isFull,
        lsn: hub.space?.lsn ?? hub.syncedLsn,
        digest: hub.space === undefined ? '' : hexOf(hub.space.reference.fingerprint),
      },
      replicas: replicas.map(({ index, name, disk, isDown, connection, replica }) => {
        const { drop, repeat, delayMs } = network.weather[index]
        return {
          name,
          durable: disk !== undefined,
          down: isDown,
          connected: connection !== undefined,
          live: connection !== undefined && replica.isLive,
          blocked: network.isBlocked(index),
          slow: network.slow[index] > 0,
          stormy: drop + repeat + delayMs / 1000 > 1.5,
          lsn: replica.lsn,
          pending: replica.pendingChanges,
          digest: hexOf(replica.reference.fingerprint),
        }
      }),
      changes,
      messages: { sent: this.#sent, lost: this.#lost },
      events: events.length,
    })
  }
}

const hexOf = ({ low, high }: { readonly low: number; readonly high: number }) =>
  [high, low].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('')

/** By the type of its first frame (spec/wire.md §4). */
function kindOf(bytes: Uint8Array): MessageKind {
  const [type] = bytes
  if (type >= 192 || type === 17) return 'stream'
  if (type >= 128 || type === 4) return 'batch'
  if (type === 18 || type === 19) return 'state'
  return type <= 3 || type === 16 ? 'greeting' : 'note'
}

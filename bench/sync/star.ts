/**
 * What a system must be able to do to take part: a *star* of replicas around one central copy (a server, or a document that plays one).
 * Replicas change while apart and sync with the centre when told. Register storms have an interface of their own, since there
 * every write travels alone.
 */
import type { Writes } from './work.ts'

export type Kind = 'registers' | 'flags' | 'counters'

export interface Shape {
  readonly kind: Kind
  readonly count: number
  /** What `write` takes its values from. */
  readonly writes?: Writes
  /** Replicas that will increment: peers without counters keep one cell for each. */
  readonly replicas?: number
}

export interface Cost {
  /** Bytes in both directions, as the peer's protocol encodes them, without a transport's framing. */
  readonly bytes: number
  /** Round trips until both sides have everything. */
  readonly trips: number
}

/** A copy apart. Made by `Star.join` with everything the centre holds. */
export interface Copy {
  /** All of it as one transaction of the peer, where it has such. */
  batch(make: () => void): void
  write(register: number, w: number): void
  toggle(flag: number): void
  increment(counter: number, by: number): void
  /** Exchanges with the centre until both have everything. */
  sync(): Promise<Cost> | Cost
  readonly read: Reader
}

/** What a copy holds, for the comparison with what is expected. */
export interface Reader {
  /** True when the register holds the value of write `w`. */
  holds(register: number, w: number): boolean
  flag(index: number): boolean
  counter(index: number): number
}

export interface Star {
  join(): Promise<Copy> | Copy
  readonly centre: Reader
  /** The central copy as it would be stored. */
  save(): Uint8Array
}

/** Two copies on a wire. */
export interface Storm {
  /** One write here, encoded as one message, applied there. Returns the bytes of the message. */
  write(register: number, w: number): number
  /** What is still under way arrives. Returns further bytes that went the same way. */
  finish(): number
  readonly there: Reader
}

export interface Peer {
  readonly name: string
  /** Said in every table about this row. */
  readonly note?: string
  /** Share of the full work it gets where it is slow; rates say so. */
  readonly share?: Partial<Record<Workload, number>>
  /** It holds its values as bytes or as text: they are prepared before the clock starts. */
  readonly forms: { readonly bytes: boolean; readonly texts: boolean }
  storm?(writes: Writes): Storm
  star?(shape: Shape): Promise<Star> | Star
  /** Opens what `save` gave. Returns a reader of it. */
  load?(saved: Uint8Array, shape: Shape): Reader
}

export type Workload = 'storm' | 'burst' | 'flags' | 'counters' | 'reconnect' | 'growth' | 'memory'

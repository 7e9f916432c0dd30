/**
 * What `connect` and a storage that several clients share have to do with each other. One of them leads: it runs the replica, writes the
 * store and talks to the hub. All of them, the leader's own program too, are followers of that (engine/follower.ts). Types only: the code for it
 * comes with the storage (tabs.ts).
 */
import type { Transport } from '../adapters/index.ts'
import type { Follower, Led, RowRef, Seat } from '../engine/index.ts'
import type { AtomikError, ErrorCode } from '../errors.ts'
import type { Schema } from '../schema/index.ts'

/** A storage that clients of one machine hold together: the tabs of a browser. */
export interface SharedStorage {
  join(place: Place): Promise<Member>
}

/** Who wants in. */
export interface Place {
  readonly space: string
  readonly schema: Schema
  readonly undoDepth?: number
  readonly random32: () => number
  /** Runs a replica on this seat and keeps it connected to the hub, until it is closed. */
  lead(seat: Seat, to: LeadListener): Core
}

/** A replica that is led, as whoever leads it holds it. */
export interface Core extends Led {
  close(): Promise<void>
}

/** Who is told what happens to a replica that is led. */
export interface LeadListener {
  changed(rows: readonly RowRef[]): void
  /** What is saved, confirmed, live or loaded may be another. */
  moved(): void
  refused(from: number, to: number, code: ErrorCode): void
  forked(incarnation: Uint8Array): void
  failed(error: AtomikError, fatal: boolean): void
}

/** A client's part in it. */
export interface Member {
  readonly replica: Follower
  /** Leads to whoever leads. */
  readonly transport: Transport
  /** This client leads. */
  readonly leads: boolean
  /** Calls back when it cannot go on. */
  onFail(listener: (error: AtomikError) => void): void
  /** Leaves. When it led, everything is saved first, and another takes over. */
  close(): Promise<void>
}

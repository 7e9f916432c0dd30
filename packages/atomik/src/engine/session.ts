/**
 * One incarnation a replica writes under, or wrote under before it was closed or copied, with its batches that are not settled.
 *
 *   settled ─── batch ─── batch ─── batch
 *               └ sent on this connection ┘
 *
 * Invariants: a sealed batch keeps bounds, content, salt and label for ever; batches are in order and adjacent, but where a
 * damaged record left a gap. Changes are numbered over the replica's life; on the wire they count from the session's base.
 */
import { Mixer } from '../algebra/index.ts'
import type { Claim, Halves, Stamp, StampMark } from '../wire/index.ts'
import { firstLabel } from './label.ts'
import { noSalt, type PendingBatch } from './pending.ts'
import { Queue } from './queue.ts'

export const noStamp: Stamp = { ms: 0, count: 0 }

export class Session {
  /** 16 bytes. */
  readonly id: Uint8Array
  /** Change number before this incarnation's first: sequence = change − base. */
  base: number
  /** The last bound whose fate is known, as a sequence, and its label in halves. */
  settled = 0
  settledLow: number
  settledHigh: number
  /** The salt in force there. */
  settledSalt: Halves = noSalt
  /** Where the last refused batch ended that touched regions, as a sequence; 0 before the first. */
  regionsRefused = 0
  /** Where the store stands: settled there too, and what the write under way will bring; batches settled since each. */
  saved = 0
  #saving = 0
  unsaved = 0
  #since = 0
  readonly batches = new Queue<PendingBatch>()
  /** How many of them were sent on this connection, since the last time they began anew. */
  sent = 0
  /** Change number up to which batches were ever sent on this connection: what is sent again takes the long form. */
  reached = 0
  /** The largest stamp sent of it on this connection; undefined before the first batch. */
  mark: StampMark | undefined
  /** The hub's head of it, as far as was heard on this connection. */
  hubSequence = 0
  /** The log was followed without claiming it: there were too many, or it is of a copy too, and new to us. */
  isLate = false

  /** An incarnation of which nothing is settled. @param base number of the last change before it */
  constructor(id: Uint8Array, base: number) {
    this.id = id
    this.base = base
    const { low, high } = firstLabel(id)
    this.settledLow = low
    this.settledHigh = high
  }

  /** A write to the store begins that brings it to what is settled now. */
  beginSave(): void {
    this.#saving = this.settled
    this.#since = 0
  }

  /** It is durable. */
  endSave(): void {
    this.saved = this.#saving
    this.unsaved = this.#since
  }

  /** One more batch is settled, and not in the store as such. */
  countUnsaved(): void {
    this.unsaved++
    this.#since++
  }

  get settledLabel(): Halves {
    return { low: this.settledLow, high: this.settledHigh }
  }
}

/** An incarnation of which nothing is settled. @param base number of the last change before it */
export function openSession(id: Uint8Array, base: number): Session {
  return new Session(id, base)
}

/** A new incarnation: 128 random bits. @param base number of the last change before it */
export function drawSession(random32: () => number, base: number): Session {
  const id = new Uint8Array(16)
  const view = new DataView(id.buffer)
  for (let i = 0; i < 16; i += 4) view.setUint32(i, random32(), true)
  return openSession(id, base)
}

/**
 * The incarnation under which a batch that was refused as a fork is issued again, made from the one it had and its label. So
 * all copies that hold this batch issue it again as the same one, and it counts once (spec/semantics.md S33).
 */
export function deriveSession(from: Session, label: Halves, base: number): Session {
  const id = new Uint8Array(16)
  const [out, source] = [new DataView(id.buffer), new Uint8Array(24)]
  source.set(from.id)
  const view = new DataView(source.buffer)
  view.setInt32(16, label.low, true)
  view.setInt32(20, label.high, true)
  const mixer = new Mixer()
  for (const half of [0, 1]) {
    mixer.hash(0x666f_726b + half, source)
    out.setInt32(8 * half, mixer.low, true)
    out.setInt32(8 * half + 4, mixer.high, true)
  }
  const session = openSession(id, base)
  // A copy may have issued it before us, and what we follow may hold it.
  session.isLate = true
  return session
}

/** Index of the first batch of the last run without a gap. */
export function lastRun(batches: Queue<PendingBatch>): number {
  let start = batches.length - 1
  while (start > 0 && batches.at(start - 1)?.to === batches.at(start)?.from) start--
  return Math.max(0, start)
}

/** Where the last run begins is what we claim: a hub that knows that bound has all before it, what lies in a gap too. */
export function claimRun(session: Session): void {
  const first = session.batches.at(lastRun(session.batches))
  if (first === undefined) return
  session.settled = first.from - session.base
  session.settledLow = first.beforeLow
  session.settledHigh = first.beforeHigh
}

export function claimOf({ id, settled, settledLabel }: Session): Claim {
  return { incarnation: id, sequence: settled, label: settledLabel }
}

/**
 * One incarnation a replica writes under, or wrote under before it was closed or copied, with its batches that are not settled.
 *
 *   settled ─── batch ─── batch ─── batch
 *               └ sent on this connection ┘
 *
 * Invariants: a sealed batch keeps bounds, content, salt and label for ever; batches are in order and adjacent, but where a
 * damaged record left a gap. Changes are numbered over the replica's life; on the wire they count from the session's base.
 */
import { type Delta, Mixer } from '../algebra/index.ts'
import type { Claim, Halves, Stamp, StampMark } from '../wire/index.ts'
import { firstLabel } from './label.ts'

export interface PendingBatch {
  /** Change numbers of the replica, (from, to]. */
  readonly from: number
  readonly to: number
  readonly delta: Delta
  readonly salt: Halves
  /** The salt differs from that of the batch before: it must travel. */
  readonly saltIsNew: boolean
  /** Labels at `from` and `to`. */
  readonly before: Halves
  readonly label: Halves
  /** It must be in the store before anybody else may see it. */
  readonly isHeld: boolean
  isSaved: boolean
  /** When it was sent; undefined once it was sent twice, since then an answer says nothing about time. */
  sentAtMs: number | undefined
  /** Some hub may have it: sent now, or perhaps before this opening. */
  wasSent: boolean
  /** What its stamps are coded against on this connection. */
  base: Stamp
}

export const noStamp: Stamp = { ms: 0, count: 0 }

export interface Session {
  /** 16 bytes. */
  readonly id: Uint8Array
  /** Change number before this incarnation's first: sequence = change − base. */
  base: number
  /** The last bound whose fate is known, as a sequence, and its label. */
  settled: number
  settledLabel: Halves
  /** The salt in force there. */
  settledSalt: Halves
  batches: PendingBatch[]
  /** How many of them were sent on this connection, since the last time they began anew. */
  sent: number
  /** Change number up to which batches were ever sent on this connection: what is sent again takes the long form. */
  reached: number
  /** The largest stamp sent of it on this connection; undefined before the first batch. */
  mark: StampMark | undefined
  /** The hub's head of it, as far as was heard on this connection. */
  hubSequence: number
  /** There were too many to claim it when the log was last followed. */
  isLate: boolean
}

/** An incarnation of which nothing is settled. @param base number of the last change before it */
export function openSession(id: Uint8Array, base: number): Session {
  return {
    id,
    base,
    settled: 0,
    settledLabel: firstLabel(id),
    settledSalt: { low: 0, high: 0 },
    batches: [],
    sent: 0,
    reached: 0,
    mark: undefined,
    hubSequence: 0,
    isLate: false,
  }
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
  return openSession(id, base)
}

/** Index of the first batch of the last run without a gap. */
export function lastRun(batches: readonly PendingBatch[]): number {
  let start = batches.length - 1
  while (start > 0 && batches[start - 1].to === batches[start].from) start--
  return Math.max(0, start)
}

/** Where the last run begins is what we claim: a hub that knows that bound has all before it, what lies in a gap too. */
export function claimRun(session: Session): void {
  const first = session.batches[lastRun(session.batches)]
  if (first === undefined) return
  session.settled = first.from - session.base
  session.settledLabel = first.before
}

export function claimOf({ id, settled, settledLabel }: Session): Claim {
  return { incarnation: id, sequence: settled, label: settledLabel }
}

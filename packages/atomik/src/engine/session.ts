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
import { type Claim, type Halves, type Stamp, StampMark } from '../wire/index.ts'
import { firstLabel } from './label.ts'
import { Queue } from './queue.ts'

/** What of a batch never changes once it is sealed. */
export interface SealedBatch {
  /** Change numbers of the replica, (from, to]. */
  readonly from: number
  readonly to: number
  readonly salt: Halves
  /** The salt differs from that of the batch before: it must travel. */
  readonly saltIsNew: boolean
  /** Labels at `from` and `to`. */
  readonly before: Halves
  readonly label: Halves
  /** It must be in the store before anybody else may see it. */
  readonly isHeld: boolean
}

/** A batch under way. Once it is settled its object serves for another: hundreds of thousands a second leave nothing behind. */
export class PendingBatch implements SealedBatch {
  from = 0
  to = 0
  delta: Delta
  salt: Halves = noSalt
  saltIsNew = false
  isHeld = false
  isSaved = false
  /** When it was sent; −1 before, and once it was sent twice, since then an answer says nothing about time. */
  sentAtMs = -1
  /** Some hub may have it: sent now, or perhaps before this opening. */
  wasSent = false
  /** What its stamps are coded against on this connection. */
  readonly base = new StampMark()
  /** Labels at `from` and `to`, in halves. */
  beforeLow = 0
  beforeHigh = 0
  labelLow = 0
  labelHigh = 0
  /** Where its one group is, when it is one group of one row, in the first slot of that table: most are. −1 when it is more, or nothing. */
  table = -1
  word = 0
  /** The digest its label is made of. */
  digestLow = 0
  digestHigh = 0

  constructor(delta: Delta) {
    this.delta = delta
  }

  /** Sees whether it is one group of one row. */
  findGroup(): void {
    this.table = -1
    const { tables } = this.delta
    let table = -1
    for (let t = 0; t < tables.length; t++) {
      const { count } = tables[t]
      if (count === 0) continue
      if (count > 1 || table >= 0) return
      table = t
    }
    if (table < 0) return
    const { layout, words } = tables[table]
    const { groups } = layout
    let found = -1
    for (let word = 0; word < layout.words; word += groups[word]) {
      if ((words[2 * word] | words[2 * word + 1]) === 0) continue
      if (found >= 0) return
      found = word
    }
    if (found < 0) return
    this.table = table
    this.word = found
  }

  get before(): Halves {
    return { low: this.beforeLow, high: this.beforeHigh }
  }

  get label(): Halves {
    return { low: this.labelLow, high: this.labelHigh }
  }
}

/** A batch as a store had it: some hub may have it too. */
export function storedBatch(sealed: SealedBatch, delta: Delta): PendingBatch {
  const batch = new PendingBatch(delta)
  batch.from = sealed.from
  batch.to = sealed.to
  batch.salt = sealed.salt
  batch.saltIsNew = sealed.saltIsNew
  batch.beforeLow = sealed.before.low
  batch.beforeHigh = sealed.before.high
  batch.labelLow = sealed.label.low
  batch.labelHigh = sealed.label.high
  batch.isHeld = sealed.isHeld
  batch.isSaved = true
  batch.wasSent = true
  return batch
}

export const noStamp: Stamp = { ms: 0, count: 0 }
const noSalt: Halves = { low: 0, high: 0 }

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

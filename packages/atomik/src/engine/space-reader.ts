/** What a space knows of a connected client: what it speaks for, what it sees, and how far it was told. */
import type { RowLayout } from '../algebra/index.ts'
import type { StampMark, UplinkFrame } from '../wire/index.ts'
import type { IncarnationHead } from './heads.ts'
import type { Grant } from './space-judge.ts'
import type { View } from './space-view.ts'

/** A batch as it arrived; its object serves for the next. The delta lies in `bytes`, from `start` to `end` − 1, borrowed. */
export class Batch {
  alias = 0
  /** The changes (from, to] of its incarnation. */
  from = 0
  to = 0
  hasSalt = false
  saltLow = 0
  saltHigh = 0
  bytes: Uint8Array = nothing
  start = 0
  end = 0

  set(frame: BatchFrame): void {
    this.alias = frame.alias
    this.from = frame.from
    this.to = frame.to
    this.hasSalt = frame.salt !== undefined
    this.saltLow = frame.salt?.low ?? 0
    this.saltHigh = frame.salt?.high ?? 0
    this.bytes = frame.body
    this.start = 0
    this.end = frame.body.length
  }

  /** The same to be kept. */
  kept(): BatchFrame {
    const { alias, from, to, saltLow: low, saltHigh: high } = this
    const body = this.bytes.slice(this.start, this.end)
    return { type: 'batch', alias, from, to, salt: this.hasSalt ? { low, high } : undefined, body }
  }
}

type BatchFrame = UplinkFrame & { readonly type: 'batch' }

const nothing = new Uint8Array(0)

export interface Claimed {
  readonly head: IncarnationHead
  /** What the client said it knows to be accepted. */
  readonly claim: number
  /** Furthest bound that this connection has shown to share with the head; −1 when it has shown none. */
  chain: number
  /** The client went on from `chain` in another way than the head: what the head holds beyond is not its own. */
  isForked: boolean
  /** A batch was not taken, so short frames say nothing until one comes in the long form that follows the chain. */
  isBroken: boolean
  /** The largest stamp in the batches of the chain on this connection: what the next one's are coded against. */
  readonly mark: StampMark
  /** When we last asked for a repetition. */
  askedAtMs: number
  /** Batches that came before their turn, by `from`. */
  readonly early: Map<number, BatchFrame>
}

export interface Connection {
  readonly id: number
  readonly attempt: number
  readonly grant: Grant
  /** The link keeps order: short frames may be used. */
  readonly isOrdered: boolean
  /** It named rows by a position that means nothing here, and will subscribe again: until then nothing of it is read, or sent to it. */
  readonly isDeaf: boolean
  /** Layouts its batches are read by: its own where it knows more than is stored. */
  layouts: readonly RowLayout[]
  /** Which of these tables are of regions. */
  regions: readonly boolean[]
  /** Words a row of each table has there, and what follows for what it sees. */
  readonly widths: readonly number[]
  view: View
  claims: Claimed[]
  /** Everything up to here was sent, or is held. */
  cursor: number
  /** A catch-up frame that waits until its log number is durable. */
  held: { readonly lsn: number; readonly bytes: Uint8Array } | undefined
  /** What the client declared to have. */
  have: number
  /** It does not take more bytes now. */
  congested: boolean
  lastSentAtMs: number
  /** Log number of the last acknowledgement frame. */
  ackedLsn: number
}

/**
 * Own changes on their way: what is open, what is sealed into batches, under which incarnation, and the accumulator that is
 * the fold of both. Changes are numbered from 1 over the replica's life; on the wire they count from the incarnation's
 * base, so a new incarnation renumbers nothing here.
 *
 *   confirmed ──── batch ──── batch ──── batch ──── open ──── lastChange
 *                  └ sent on this connection ┘      └ still coalescing
 *
 * Invariants: a sealed batch keeps bounds, content, salt and label for ever; batches are adjacent; the accumulator is the fold
 * of batches and open changes.
 */
import { Delta, Fingerprint } from '../algebra/index.ts'
import { AtomikError, assert } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Schema } from '../schema/index.ts'
import {
  type Claim,
  DeltaEncoder,
  type Halves,
  namesByKey,
  type Stamp,
  StampMark,
  Writer,
  writeBatch,
  writeChange,
} from '../wire/index.ts'
import { firstLabel, nextLabel, sameLabel } from './label.ts'
import { digestDelta } from './reference.ts'
import type { RowNumbers } from './row-numbers.ts'

export interface PendingBatch {
  /** Change numbers of the replica, (from, to]. */
  readonly from: number
  readonly to: number
  readonly delta: Delta
  readonly salt: Halves
  /** The salt differs from that of the batch before: it must travel. */
  readonly saltIsNew: boolean
  readonly label: Halves
  /** When it was sent; undefined once it was sent twice, since then an answer says nothing about time. */
  sentAtMs: number | undefined
  wasSent: boolean
  /** What its stamps are coded against on this connection. */
  base: Stamp
}

interface Incarnation {
  readonly id: Uint8Array
  /** Change number before this incarnation's first: sequence = change − base. */
  base: number
  /** Last bound known to be accepted (or refused) by the hub. */
  confirmed: number
  confirmedLabel: Halves
}

const zero: Halves = { low: 0, high: 0 }
const noStamp: Stamp = { ms: 0, count: 0 }
/** A salt serves at most this long. */
const saltMs = 1000
/** Settled batches whose memory is kept, and the most rows of such. */
const sparesMax = 1024
const spareRowsMax = 8
/** Bytes of a batch's delta: what a message may hold without its frame's head. */
const batchBytesMax = limits.uplinkBytesMax - 1024

/** No row takes more than its key and 13 bytes for each word that is not 0, shapes and heads included. */
export function bytesAtMost(delta: Delta): number {
  let bytes = 0
  for (const { count, layout, words } of delta.tables) {
    bytes += count * (limits.keyBytesMax + 16)
    for (let half = 0; half < 2 * count * layout.words; half += 2)
      if ((words[half] | words[half + 1]) !== 0) bytes += 13
  }
  return bytes
}

export class Outbox {
  readonly accumulator: Delta
  readonly #schema: Schema
  readonly #numbers: RowNumbers
  readonly #random32: () => number
  #incarnation: Incarnation
  #batches: PendingBatch[] = []
  /** Batches sent on this connection. */
  #sent = 0
  /** The largest stamp sent on this connection; undefined before the first batch. */
  #mark: StampMark | undefined
  /** Unsealed changes (#openFrom, #lastChange]. */
  #open: Delta
  #openFrom = 0
  /** What the open changes take at most; changes of one word count each time, until it matters. */
  #openBytes = 0
  #lastChange = 0
  #salt = zero
  #saltAtMs = Number.NEGATIVE_INFINITY
  #lastSalt = zero
  #progressAtMs = 0
  /**
   * Time from sending a batch to its confirmation, smoothed: a hub with a slow disk is not a lossy link. Before the first
   * answer a busy start is likelier than a loss.
   */
  #roundTripMs = 250
  /** Doubles with every fruitless repetition. */
  #backoff = 1
  /** Empty deltas for the batches to come. */
  readonly #spare: Delta[] = []
  readonly #digest = new Fingerprint()
  readonly #writer = new Writer()
  readonly #body = new Writer()
  readonly #encoder = new DeltaEncoder()

  constructor(schema: Schema, numbers: RowNumbers, random32: () => number) {
    this.#schema = schema
    this.#numbers = numbers
    this.#random32 = random32
    this.accumulator = new Delta(schema.layouts)
    this.#open = new Delta(schema.layouts)
    this.#incarnation = this.#draw(0)
  }

  /** Number of the last change. */
  get lastChange(): number {
    return this.#lastChange
  }

  /** Number of the last change whose fate is known. */
  get confirmed(): number {
    return this.#incarnation.confirmed
  }

  /** The same as the hub counts: within the incarnation. */
  get confirmedSequence(): number {
    return this.#incarnation.confirmed - this.#incarnation.base
  }

  /** The last bound ever sealed, within the incarnation. */
  get sealedSequence(): number {
    return this.#openFrom - this.#incarnation.base
  }

  /** What the hub is told of this incarnation. */
  get claim(): Claim {
    return {
      incarnation: this.#incarnation.id,
      sequence: this.confirmedSequence,
      label: this.#incarnation.confirmedLabel,
    }
  }

  get sentCount(): number {
    return this.#sent
  }

  /** The first batch whose fate is open, and where it ends within the incarnation. */
  get first(): { readonly batch: PendingBatch; readonly endSequence: number } | undefined {
    const batch = this.#batches[0]
    return batch && { batch, endSequence: batch.to - this.#incarnation.base }
  }

  /**
   * Seals the open changes when this one might make them more than one message can carry, connected or not.
   * @throws AtomikError `oversized` when this change alone is more than that
   */
  makeRoom(nowMs: number, change: Delta): void {
    const bytes = bytesAtMost(change)
    if (bytes > batchBytesMax) {
      const { keyOf } = this.#numbers.names
      this.#body.reset()
      this.#encoder.encode(this.#body, change, namesByKey(keyOf), noStamp)
      if (this.#body.length > batchBytesMax)
        throw new AtomikError(
          'oversized',
          `a change of ${this.#body.length} bytes, at most ${batchBytesMax} can be sent`,
        )
    }
    if (this.#openBytes + bytes > batchBytesMax) {
      this.#openBytes = bytesAtMost(this.#open)
      // Not only just enough, or every further change would count again.
      if (this.#openBytes + bytes > 0.75 * batchBytesMax) this.#seal(nowMs)
    }
    this.#openBytes += bytes
  }

  /** Takes a change in and numbers it. */
  add(change: Delta): number {
    this.#lastChange++
    this.#open.fold(change)
    this.accumulator.fold(change)
    return this.#lastChange
  }

  /** Numbers a change that changes nothing, when nothing else is open: something to seal. */
  addProbe(): void {
    if (this.#openFrom === this.#lastChange) this.#lastChange++
  }

  /** A new connection: nothing was sent on it, and its first new batch brings a new salt. */
  reconnect(nowMs: number): void {
    this.#sent = 0
    this.#mark = undefined
    this.#saltAtMs = Number.NEGATIVE_INFINITY
    this.#progressAtMs = nowMs
  }

  /** Seals what is open, if there is something and fewer than `inFlightMax` batches wait. */
  seal(nowMs: number, inFlightMax: number): void {
    if (this.#batches.length < inFlightMax) this.#seal(nowMs)
  }

  #seal(nowMs: number): void {
    if (this.#openFrom === this.#lastChange) return
    this.#push(nowMs, this.#open, this.#openFrom, this.#lastChange)
    this.#open = this.#spare.pop() ?? new Delta(this.#schema.layouts)
    this.#openFrom = this.#lastChange
    this.#openBytes = 0
  }

  #push(nowMs: number, delta: Delta, from: number, to: number): void {
    if (nowMs - this.#saltAtMs >= saltMs) {
      this.#salt = { low: this.#random32() | 0, high: this.#random32() | 0 }
      this.#saltAtMs = nowMs
    }
    const saltIsNew = !sameLabel(this.#salt, this.#lastSalt)
    this.#lastSalt = this.#salt
    const digest = this.#digest
    digestDelta(delta, (table, row) => this.#numbers.addressOf(table, row), digest)
    const before = this.#batches.at(-1)?.label ?? this.#incarnation.confirmedLabel
    const label = nextLabel(before, this.#salt, digest, to - this.#incarnation.base)
    this.#batches.push({
      from,
      to,
      delta,
      salt: this.#salt,
      saltIsNew,
      label,
      sentAtMs: undefined,
      wasSent: false,
      base: noStamp,
    })
    if (this.#batches.length === 1) this.#progressAtMs = nowMs
  }

  /**
   * The next batch not yet sent on this connection, as a message; undefined when there is none.
   * @param isOrdered the link keeps order, so one change may travel in the short form
   */
  next(nowMs: number, stampBaseMs: number, isOrdered: boolean): Uint8Array | undefined {
    const batch = this.#batches[this.#sent]
    if (batch === undefined) return undefined
    this.#sent++
    const body = this.#body
    body.reset()
    const mark = this.#mark ?? new StampMark(stampBaseMs)
    this.#mark = mark
    batch.base = { ms: mark.ms, count: mark.count }
    this.#encoder.encode(body, batch.delta, this.#numbers.names, mark)
    mark.see(batch.delta)
    const w = this.#writer
    w.reset()
    const from = batch.from - this.#incarnation.base
    const to = batch.to - this.#incarnation.base
    if (isOrdered && to === from + 1 && !batch.saltIsNew) writeChange(w, from, body.view())
    else
      writeBatch(w, {
        alias: 0,
        from,
        to,
        salt: batch.saltIsNew ? batch.salt : undefined,
        body: body.view(),
      })
    batch.sentAtMs = batch.wasSent ? undefined : nowMs
    batch.wasSent = true
    return w.finish()
  }

  /** Forgets having sent batches from this sequence on. Returns how many. */
  rewind(nowMs: number, sequence: number): number {
    const from = sequence + this.#incarnation.base
    const first = this.#batches.findIndex(batch => batch.from === from)
    if (first < 0 || first >= this.#sent) return 0
    const again = this.#sent - first
    this.#sent = first
    this.#mark?.set(this.#batches[first].base)
    this.#progressAtMs = nowMs
    return again
  }

  /** The same for all of them, when no answer came for too long. */
  rewindIfQuiet(nowMs: number, resendMs: number): number {
    const patienceMs = Math.max(resendMs, 4 * this.#roundTripMs) * this.#backoff
    if (this.#sent === 0 || nowMs - this.#progressAtMs <= patienceMs) return 0
    this.#backoff = Math.min(8, this.#backoff * 2)
    return this.rewind(nowMs, this.#batches[0].from - this.#incarnation.base)
  }

  /** Takes the first batch out, now that its fate is known, and out of the accumulator. */
  settle(nowMs: number): PendingBatch {
    const batch = this.#batches.shift()
    assert(batch !== undefined, 'a batch to settle')
    if (this.#sent > 0) this.#sent--
    this.#progressAtMs = nowMs
    this.#backoff = 1
    if (batch.sentAtMs !== undefined) this.#roundTripMs += (nowMs - batch.sentAtMs - this.#roundTripMs) / 8
    this.#incarnation.confirmed = batch.to
    this.#incarnation.confirmedLabel = batch.label
    if (this.#batches.length === 0 && this.#open.isEmpty) this.accumulator.clear()
    else this.accumulator.release(batch.delta)
    return batch
  }

  /** Continues under a new incarnation: what the hub did not take is issued again there, batch by batch. */
  rotate(nowMs: number): void {
    const batches = this.#batches
    this.#batches = []
    this.#sent = 0
    this.#mark = undefined
    this.#incarnation = this.#draw(this.#incarnation.confirmed)
    this.#lastSalt = zero
    this.#saltAtMs = Number.NEGATIVE_INFINITY
    for (const { delta, from, to } of batches) this.#push(nowMs, delta, from, to)
  }

  /** Throws away everything unconfirmed and skips its numbers. Returns the first of them minus one. */
  drop(): number {
    const from = this.#incarnation.confirmed
    const dropped = this.#lastChange - from
    this.#batches = []
    this.#sent = 0
    this.#mark = undefined
    this.#open.clear()
    this.accumulator.clear()
    this.#incarnation.base += dropped
    this.#incarnation.confirmed += dropped
    this.#openFrom = this.#lastChange
    this.#openBytes = 0
    return from
  }

  #draw(base: number): Incarnation {
    const id = new Uint8Array(16)
    for (let i = 0; i < 16; i += 4) {
      const word = this.#random32()
      for (let b = 0; b < 4; b++) id[i + b] = word >>> (8 * b)
    }
    return { id, base, confirmed: base, confirmedLabel: firstLabel(id) }
  }

  /** A settled batch that nobody needs any more: its memory serves the next. */
  recycle({ delta }: PendingBatch): void {
    if (this.#spare.length === sparesMax || delta.rowCount > spareRowsMax) return
    delta.clear()
    this.#spare.push(delta)
  }
}

/**
 * Own changes on their way: what is open, what is sealed into batches, under which incarnation, and the accumulator that is
 * the fold of both.
 *
 *   confirmed ──── batches of earlier sessions ──── batches of this one ──── open ──── lastChange
 *                                                                            └ still coalescing
 *
 * A session that an earlier opening left goes first, with everything it had: its batches may be at the hub already. Later ones wait
 * until it is settled, since their changes may need its rows.
 *
 * Invariants: what `session.ts` says of batches; the last session is the one that new changes go into; the accumulator is the fold of
 * all batches and of what is open.
 *
 * Over 500 lines: sealing, sending, settling and forks all move the same few positions of the sessions; what they hold is in `session.ts`.
 */
import { Delta, Fingerprint, foldRow, Mixer } from '../algebra/index.ts'
import { AtomikError, assert } from '../errors.ts'
import { limits } from '../limits.ts'
import { isRegion, type Schema } from '../schema/index.ts'
import {
  beginChange,
  type Claim,
  DeltaEncoder,
  type Halves,
  type Head,
  namesByKey,
  StampMark,
  Writer,
  writeBatch,
  writePoint,
} from '../wire/index.ts'
import { mixLabel, sameLabel } from './label.ts'
import { batchOf, PendingBatch } from './pending.ts'
import { digestDelta } from './reference.ts'
import { touchesRegions } from './region.ts'
import type { RowNumbers } from './row-numbers.ts'
import { claimOf, claimRun, deriveSession, drawSession, lastRun, noStamp, type Session } from './session.ts'

/** Where batches are noted for the store. */
export interface OutboxJournal {
  put(session: Session, batch: PendingBatch): void
  remove(batch: PendingBatch): void
}

/** A batch of nothing. */
export type Probe = Parameters<typeof writeBatch>[1]

const zero: Halves = { low: 0, high: 0 }
/** A salt serves at most this long. */
const saltMs = 1000
/** Bytes of a batch's delta: what a message may hold without its frame's head. */
const batchBytesMax = limits.uplinkBytesMax - 1024
/**
 * Batches under way on a connection: where order is not kept, as many as a hub keeps that came before their turn; where it is, so many
 * that what the hub must remember of them and of those we have not told it to forget stays within its limit.
 */
const sentMax = 64
const orderedSentMax = limits.unconfirmedBatchesMax / 2
/** The same where a store holds back what we tell it to forget, and how many settled batches a store may lack for that. */
const storedSentMax = limits.unconfirmedBatchesMax / 8
const unsavedMax = limits.unconfirmedBatchesMax / 2
/** Settled batches kept to be used again. */
const sparesMax = limits.unconfirmedBatchesMax
/** Made at once when none is left. */
const sparesMade = 64

/** No row takes more than its key and 13 bytes for each word that is not 0, shapes and heads included. */
export function bytesAtMost(delta: Delta): number {
  let bytes = 0
  for (let t = 0; t < delta.tables.length; t++) {
    const { count, layout, words } = delta.tables[t]
    bytes += count * (limits.keyBytesMax + 16)
    for (let half = 0; half < 2 * count * layout.words; half += 2)
      if ((words[half] | words[half + 1]) !== 0) bytes += 13
  }
  return bytes
}

export class Outbox {
  readonly accumulator: Delta
  readonly #schema: Schema
  /** Which tables are of regions. */
  readonly #regions: readonly boolean[]
  readonly #numbers: RowNumbers
  readonly #random32: () => number
  /** In the order of their changes; the last is the one that is written under. */
  #sessions: Session[]
  /** Those the hub was told of on this connection, by alias. */
  #claimed: Session[] = []
  #journal: OutboxJournal | undefined
  /** Unsealed changes (#openFrom, #lastChange]. */
  #open: Delta
  #openFrom = 0
  #openIsHeld = false
  /** What the open changes take at most; changes of one word count each time, until it matters. */
  #openBytes = 0
  #lastChange = 0
  #salt = zero
  #saltAtMs = Number.NEGATIVE_INFINITY
  #progressAtMs = 0
  /**
   * Time from sending a batch to its confirmation, smoothed: a hub with a slow disk is not a lossy link. Before the first
   * answer a busy start is likelier than a loss.
   */
  #roundTripMs = 250
  /** Doubles with every fruitless repetition. */
  #backoff = 1
  /** Batches that the last folding of unsent ones left. */
  #folded = 0
  readonly #body = new Writer()
  readonly #encoder = new DeltaEncoder()
  readonly #digest = new Fingerprint()
  readonly #mixer = new Mixer()
  readonly #base = new StampMark()
  /** What the first stamp of each session is coded against on this connection. */
  readonly #opening = new StampMark()
  /** Settled batches. */
  readonly #spares: PendingBatch[] = []
  /** Deltas of settled batches, cleared. */
  readonly #deltas: Delta[] = []

  constructor(schema: Schema, numbers: RowNumbers, random32: () => number) {
    this.#schema = schema
    this.#regions = schema.tables.map(isRegion)
    this.#numbers = numbers
    this.#random32 = random32
    this.accumulator = new Delta(schema.layouts)
    this.#open = new Delta(schema.layouts)
    this.#sessions = [drawSession(random32, 0)]
  }

  /**
   * Takes over what a store holds, before anything of our own was sent.
   * @param sessions of earlier openings, in the order of their changes
   * @param lastChange number of the last change ever made there
   */
  adopt(sessions: readonly Session[], lastChange: number, journal: OutboxJournal): void {
    assert(this.#lastChange === 0, 'a store is opened before the first change')
    this.#journal = journal
    const current = drawSession(this.#random32, lastChange)
    this.#lastChange = lastChange
    this.#openFrom = lastChange
    this.#sessions = [...sessions, current]
    for (const { batches } of sessions) for (const { delta } of batches) this.accumulator.fold(delta)
  }

  get #current(): Session {
    return this.#sessions[this.#sessions.length - 1]
  }

  /** Number of the last change. */
  get lastChange(): number {
    return this.#lastChange
  }

  /** Every change up to this one has its fate known. */
  get confirmed(): number {
    for (let i = 0; i < this.#sessions.length; i++) {
      const first = this.#sessions[i].batches.at(0)
      if (first !== undefined) return first.from
    }
    return this.#openFrom
  }

  get hasOpen(): boolean {
    return this.#openFrom < this.#lastChange
  }

  /** The last bound ever sealed in the present session, as the hub counts. */
  get sealedSequence(): number {
    return this.#openFrom - this.#current.base
  }

  /** What new changes are written under: 16 bytes. */
  get incarnation(): Uint8Array {
    return this.#current.id
  }

  /** Where the last refused batch of it ended that touched regions, as a sequence. */
  get regionsRefused(): number {
    return this.#current.regionsRefused
  }

  /**
   * The hub's head is none of ours: of the present incarnation, and beyond all that was ever sealed there; or, in a welcome, under another
   * label than the one that was confirmed.
   */
  isAstray({ alias, sequence, label }: Head, isWelcome: boolean): boolean {
    const session = this.#claimed[alias]
    if (session === undefined || session !== this.#current) return false
    if (sequence > this.sealedSequence) return true
    return isWelcome && sequence === session.settled && !sameLabel(label, session.settledLabel)
  }

  /** Batches of other incarnations than the present one are not settled. */
  get hasEarlier(): boolean {
    return this.#sessions.some(session => session !== this.#current && session.batches.length > 0)
  }

  /** What the hub is told at a subscription: every incarnation that has something unsettled, and the present one. */
  claim(): Claim[] {
    const current = this.#current
    this.#sessions = this.#sessions.filter(session => session === current || session.batches.length > 0)
    for (const session of this.#sessions) claimRun(session)
    const earlier = this.#sessions.slice(0, -1)
    this.#claimed = [...earlier.slice(0, limits.incarnationsMax - 1), current]
    for (const session of earlier.slice(limits.incarnationsMax - 1)) session.isLate = true
    return this.#claimed.map(claimOf)
  }

  /** No record that was lost left a gap: all that is unsettled follows what is claimed. */
  get isUnbroken(): boolean {
    return this.#sessions.every(({ batches }) => lastRun(batches) === 0)
  }

  /** Something that waits was sent, on this connection or an earlier one. */
  get wasSent(): boolean {
    return this.#sessions.some(({ batches }) => batches.at(0)?.wasSent === true)
  }

  /**
   * By alias: what the hub need not keep for us, as it counts. Where there is a store that is what the store has as settled: who comes back with
   * it claims that bound. One that falls too far behind is not waited for, so that a broken disk stops nobody.
   */
  get settled(): { alias: number; sequence: number }[] {
    const waits = this.#journal !== undefined
    return this.#claimed.map(({ settled, saved, unsaved }, alias) => ({
      alias,
      sequence: waits && unsaved <= unsavedMax ? Math.min(saved, settled) : settled,
    }))
  }

  /** A write to the store begins, with all that is settled now. */
  beginSave(): void {
    for (const session of this.#sessions) session.beginSave()
  }

  /** It is durable. */
  endSave(): void {
    for (const session of this.#sessions) session.endSave()
  }

  /** The hub's disk was set back behind what it had confirmed of an incarnation, or a record of ours is lost: it cannot go on. */
  isBehind(alias: number): boolean {
    const session = this.#claimed[alias]
    return session !== undefined && session.hubSequence < session.settled
  }

  /**
   * The hub's head of an incarnation. True when the log was followed without claiming this one, and the hub has more of it than we know:
   * then some of it is in the reference already.
   */
  heard(alias: number, sequence: number): boolean {
    const session = this.#claimed[alias]
    if (session === undefined) return false
    session.hubSequence = Math.max(session.hubSequence, sequence)
    const wasLate = session.isLate
    session.isLate = false
    return wasLate && sequence > session.settled
  }

  /**
   * True when the hub must be told anew what we claim: what comes next was not claimed, or somebody else goes on where an earlier
   * opening of ours ended, and the content comes only of what we do not claim.
   */
  get mustClaim(): boolean {
    for (let i = 0; i < this.#sessions.length; i++) {
      if (this.#sessions[i].batches.length === 0) continue
      if (!this.#claimed.includes(this.#sessions[i])) return true
      break
    }
    for (let i = 0; i < this.#claimed.length; i++) {
      const session = this.#claimed[i]
      if (session !== this.#current && session.batches.length === 0 && session.hubSequence > session.settled)
        return true
    }
    return false
  }

  /** The hub knows the bound behind a gap: what lies before it is settled. Returns what leaves the accumulator. */
  closeGap(alias: number): readonly PendingBatch[] {
    const session = this.#claimed[alias]
    if (session === undefined) return []
    const before = session.batches.takeFirst(lastRun(session.batches))
    for (const batch of before) {
      this.#journal?.remove(batch)
      this.#rebuildAccumulator(batch.delta)
    }
    return before
  }

  /** The first batch of this incarnation whose fate is open, and where it ends as the hub counts. */
  first(alias: number): { readonly batch: PendingBatch; readonly endSequence: number } | undefined {
    const session = this.#claimed[alias]
    const batch = session?.batches.at(0)
    return batch && { batch, endSequence: batch.to - session.base }
  }

  /** Where the first batch of this incarnation ends whose fate is open, as the hub counts; −1 when there is none. */
  firstEnd(alias: number): number {
    const session = this.#claimed[alias]
    const batch = session?.batches.at(0)
    return batch === undefined ? -1 : batch.to - session.base
  }

  /**
   * Seals the open changes when this one might make them more than one message can carry, connected or not.
   * @throws AtomikError `oversized` when this change alone is more than that
   */
  makeRoom(nowMs: number, change: Delta): void {
    const bytes = bytesAtMost(change)
    if (bytes > batchBytesMax) {
      const names = this.#numbers
      this.#body.reset()
      this.#encoder.encode(
        this.#body,
        change,
        namesByKey((table, row) => names.keyOf(table, row)),
        noStamp,
      )
      if (this.#body.length > batchBytesMax)
        throw new AtomikError(
          'oversized',
          `a change of ${this.#body.length} bytes, at most ${batchBytesMax} can be sent`,
        )
    }
    if (this.#openBytes + bytes > batchBytesMax) {
      this.#openBytes = bytesAtMost(this.#open)
      // Not only just enough, or every further change would count again.
      if (this.#openBytes + bytes > 0.75 * batchBytesMax) this.sealAll(nowMs)
    }
    this.#openBytes += bytes
  }

  /**
   * What an earlier opening of ours left ends before the hub's head: somebody else went on there, or we did and died before it was
   * saved. A batch of nothing makes the hub say where we parted; without that it cannot tell us how much of it we have.
   */
  *probes(): Iterable<Probe> {
    for (const [alias, session] of this.#claimed.entries()) {
      const last = session.batches.at(-1)
      if (last === undefined || session === this.#current || session.sent < session.batches.length) continue
      const from = last.to - session.base
      if (session.hubSequence <= from) continue
      const salt = { low: this.#random32() | 0, high: this.#random32() | 0 }
      this.#body.reset()
      this.#encoder.encode(this.#body, new Delta(this.#schema.layouts), this.#numbers, noStamp)
      yield { alias, from, to: from + 1, salt, body: this.#body.finish() }
    }
  }

  /** Takes a change in and numbers it. @param isHeld it must be in the store before it is sent */
  add(change: Delta, isHeld = false): number {
    this.#lastChange++
    this.#open.fold(change)
    this.accumulator.fold(change)
    if (isHeld) this.#openIsHeld = true
    return this.#lastChange
  }

  /** The same with a change that nobody else keeps: it may become what is open. Returns the delta to be used for another. */
  take(change: Delta, isHeld = false): Delta {
    if (this.hasOpen) {
      this.add(change, isHeld)
      return change
    }
    if (isHeld) this.#openIsHeld = true
    const spare = this.#open
    this.#lastChange++
    this.#open = change
    this.accumulator.fold(change)
    return spare
  }

  /** Numbers a change that changes nothing, when nothing else is open: something to seal. */
  addProbe(): void {
    if (this.#openFrom === this.#lastChange) this.#lastChange++
  }

  /**
   * A new connection: nothing was sent on it, and its first new batch brings a new salt.
   * @param opening what its first stamps are coded against
   */
  reconnect(nowMs: number, opening: StampMark): void {
    this.#opening.set(opening)
    for (const session of this.#sessions) {
      session.sent = 0
      session.reached = 0
      session.mark = undefined
      session.hubSequence = 0
    }
    this.#saltAtMs = Number.NEGATIVE_INFINITY
    this.#progressAtMs = nowMs
  }

  /** Seals what is open, if there is something and fewer than `inFlightMax` batches wait. */
  seal(nowMs: number, inFlightMax: number): void {
    if (this.#current.batches.length < inFlightMax) this.sealAll(nowMs)
  }

  /** The same, however many wait. */
  sealAll(nowMs: number): void {
    if (this.#openFrom === this.#lastChange) return
    if (nowMs - this.#saltAtMs >= saltMs) {
      this.#salt = { low: this.#random32() | 0, high: this.#random32() | 0 }
      this.#saltAtMs = nowMs
    }
    const from = this.#openFrom
    this.#openFrom = this.#lastChange
    if (this.#current.batches.length === 0) this.#progressAtMs = nowMs
    const batch = this.#spare()
    const open = this.#open
    if (batch.copy(open)) open.clear()
    else {
      batch.keep(open)
      this.#open = this.#deltas.pop() ?? new Delta(this.#schema.layouts)
    }
    this.#push(this.#current, batch, from, this.#lastChange, this.#salt, this.#openIsHeld)
    this.#openIsHeld = false
    this.#openBytes = 0
  }

  #spare(): PendingBatch {
    if (this.#journal !== undefined) return new PendingBatch(this.#schema.layouts)
    if (this.#spares.length === 0) this.#spares.push(...PendingBatch.many(this.#schema.layouts, sparesMade))
    return this.#spares.pop() ?? new PendingBatch(this.#schema.layouts)
  }

  /** A settled batch that nobody looks at any more serves again. */
  recycle(batch: PendingBatch): void {
    // A journal looks at batches until they are gone from the store.
    if (this.#journal !== undefined || this.#spares.length >= sparesMax) return
    const delta = batch.release()
    if (delta !== undefined) {
      delta.clear()
      this.#deltas.push(delta)
    }
    batch.isSaved = false
    batch.wasSent = false
    batch.sentAtMs = -1
    this.#spares.push(batch)
  }

  /** Seals a batch that holds its delta and nothing else yet. */
  #push(
    session: Session,
    batch: PendingBatch,
    from: number,
    to: number,
    salt: Halves,
    isHeld: boolean,
  ): void {
    const last = session.batches.at(-1)
    const low = last === undefined ? session.settledLow : last.labelLow
    const high = last === undefined ? session.settledHigh : last.labelHigh
    const digest = this.#digest
    const mixer = this.#mixer
    const { table, row, word } = batch
    if (table < 0) digestDelta(batch.delta, this.#numbers.addresses, digest)
    else this.#numbers.reference.digestGroup(table, row, word, batch.halves, batch.at, digest)
    batch.digestLow = digest.low
    batch.digestHigh = digest.high
    mixLabel(mixer, low ^ salt.low, high ^ salt.high, digest.low, digest.high, to - session.base)
    batch.from = from
    batch.to = to
    batch.salt = salt
    batch.saltIsNew = !sameLabel(salt, last === undefined ? session.settledSalt : last.salt)
    batch.beforeLow = low
    batch.beforeHigh = high
    batch.labelLow = mixer.low
    batch.labelHigh = mixer.high
    batch.isHeld = isHeld
    session.batches.push(batch)
    this.#journal?.put(session, batch)
  }

  /**
   * Folds the batches that were never sent into as few as messages can carry, when more than `batchesMax` came since it last did:
   * a month without a hub costs what it touched, not what it did.
   */
  foldUnsent(batchesMax: number): void {
    const session = this.#current
    const sent = session.batches.findIndex(batch => !batch.wasSent)
    if (sent < 0 || session.batches.length - sent <= batchesMax + this.#folded) return
    const unsent = session.batches.takeFrom(sent)
    for (const batch of unsent) this.#journal?.remove(batch)
    let [sum, from, isHeld] = [new Delta(this.#schema.layouts), unsent[0].from, false]
    for (const [i, batch] of unsent.entries()) {
      sum.fold(batch.delta)
      isHeld ||= batch.isHeld
      const next = unsent[i + 1]
      if (next !== undefined && bytesAtMost(sum) + bytesAtMost(next.delta) <= batchBytesMax) continue
      // Where what it replaces may be in the store: who comes back with that would be told of a fork, and issue it again.
      const replaces = this.#journal !== undefined && batch.from > from
      this.#push(session, batchOf(sum), from, batch.to, batch.salt, isHeld || replaces)
      sum = new Delta(this.#schema.layouts)
      from = batch.to
      isHeld = false
    }
    this.#folded = session.batches.length - sent
  }

  /**
   * Appends the next batch to be sent on this connection, as a message; false when there is none, or it must wait.
   * @param isOrdered the link keeps order, so one change may travel in the short form
   */
  next(w: Writer, nowMs: number, isOrdered: boolean): boolean {
    const sentAtMost = !isOrdered ? sentMax : this.#journal === undefined ? orderedSentMax : storedSentMax
    let waits = false
    for (let i = 0; i < this.#sessions.length; i++) {
      const session = this.#sessions[i]
      if (session.batches.length === 0) continue
      const goesFirst = !waits
      waits = true
      const batch = session.batches.at(session.sent)
      if (batch === undefined || session.sent >= sentAtMost) continue
      // One that the hub has seen is sent at once: the log may be held until it is.
      if (!goesFirst && batch.from - session.base >= session.hubSequence) continue
      const alias = this.#claimed.indexOf(session)
      if (alias < 0 || (batch.isHeld && !batch.isSaved)) continue
      session.sent++
      this.#encode(w, nowMs, session, alias, batch, isOrdered)
      return true
    }
    return false
  }

  #encode(
    w: Writer,
    nowMs: number,
    session: Session,
    alias: number,
    batch: PendingBatch,
    isOrdered: boolean,
  ): void {
    const mark = session.mark ?? this.#opening.clone()
    session.mark = mark
    batch.base.set(mark)
    const from = batch.from - session.base
    const to = batch.to - session.base
    // The short form stands for alias 0, and for the next change there: one that is sent again would be taken for another.
    const isShort =
      isOrdered && alias === 0 && to === from + 1 && !batch.saltIsNew && batch.from >= session.reached
    session.reached = Math.max(session.reached, batch.to)
    if (isShort) {
      beginChange(w, from)
      if (!this.#writePoint(w, batch, mark)) {
        this.#encoder.encode(w, batch.delta, this.#numbers, mark)
        mark.see(batch.delta)
      }
    } else {
      const body = this.#body
      body.reset()
      this.#encoder.encode(body, batch.delta, this.#numbers, mark)
      const salt = batch.saltIsNew ? batch.salt : undefined
      writeBatch(w, { alias, from, to, salt, body: body.view() })
      mark.see(batch.delta)
    }
    batch.sentAtMs = batch.wasSent ? -1 : nowMs
    batch.wasSent = true
  }

  /** The straight way of a batch that is one group of a row with a number; false for any other. `mark` becomes its stamp if that is later. */
  #writePoint(w: Writer, { table, row, word, halves, at }: PendingBatch, mark: StampMark): boolean {
    if (table < 0) return false
    const number = this.#numbers.numberOf(table, row)
    if (number < 0) return false
    const base = this.#base
    base.low = mark.low
    base.high = mark.high
    writePoint(w, table, number, word, this.#schema.layouts[table], halves, at, base)
    mark.raise(base)
    return true
  }

  /** Forgets having sent batches of an incarnation from this sequence on. Returns how many. */
  rewind(nowMs: number, alias: number, sequence: number): number {
    const session = this.#claimed[alias]
    if (session === undefined) return 0
    const first = session.batches.findIndex(batch => batch.from === sequence + session.base)
    if (first < 0 || first >= session.sent) return 0
    const again = session.sent - first
    session.sent = first
    rewindMark(session)
    this.#progressAtMs = nowMs
    return again
  }

  /** The same for all of them, when no answer came for too long. */
  rewindIfQuiet(nowMs: number, resendMs: number): number {
    const patienceMs = Math.max(resendMs, 4 * this.#roundTripMs) * this.#backoff
    if (nowMs - this.#progressAtMs <= patienceMs) return 0
    let again = 0
    for (const session of this.#sessions) {
      if (session.sent === 0) continue
      again += session.sent
      session.sent = 0
      rewindMark(session)
    }
    if (again === 0) return 0
    this.#progressAtMs = nowMs
    this.#backoff = Math.min(8, this.#backoff * 2)
    return again
  }

  /**
   * Takes the first batch of an incarnation out, now that its fate is known, and out of the accumulator.
   * @param isInReference its content is in the reference: it was accepted
   */
  settle(nowMs: number, alias: number, isInReference: boolean): PendingBatch {
    const session = this.#claimed[alias]
    const batch = session?.batches.shift()
    assert(session !== undefined && batch !== undefined, 'a batch to settle')
    if (session.sent > 0) session.sent--
    this.#progressAtMs = nowMs
    this.#backoff = 1
    if (batch.sentAtMs >= 0) this.#roundTripMs += (nowMs - batch.sentAtMs - this.#roundTripMs) / 8
    session.settled = batch.to - session.base
    session.settledLow = batch.labelLow
    session.settledHigh = batch.labelHigh
    session.settledSalt = batch.salt
    if (this.#journal !== undefined) {
      this.#journal.remove(batch)
      session.countUnsaved()
    }
    if (isInReference) this.#release(batch)
    else {
      if (touchesRegions(batch.delta, this.#regions)) session.regionsRefused = session.settled
      this.#rebuildAccumulator(batch.delta)
    }
    return batch
  }

  /**
   * The hub holds another history of an incarnation: what it did not take is issued again, batch by batch with the same salts,
   * under an incarnation made from the first of them. New changes go on under a new one of our own. Returns the one that ended.
   */
  rotate(nowMs: number, alias: number): Uint8Array | undefined {
    const session = this.#claimed[alias]
    const at = this.#sessions.indexOf(session)
    if (at < 0) return undefined
    const isCurrent = session === this.#current
    // Patches that are not sealed were reckoned for what was ours under the old name. They must not travel with a claim under the new one.
    if (isCurrent && touchesRegions(this.#open, this.#regions)) {
      this.#saltAtMs = Number.NEGATIVE_INFINITY
      this.sealAll(nowMs)
    }
    const run = session.batches.takeFrom(lastRun(session.batches))
    const issued: Session[] = session.batches.length > 0 ? [session] : []
    if (run.length > 0) {
      const again = deriveSession(session, run[0].label, run[0].from)
      for (const { delta, from, to, salt, isHeld } of run)
        this.#push(again, batchOf(delta), from, to, salt, isHeld)
      issued.push(again)
    }
    session.sent = 0
    session.mark = undefined
    if (isCurrent) issued.push(drawSession(this.#random32, this.#openFrom))
    this.#sessions.splice(at, 1, ...issued)
    this.#saltAtMs = Number.NEGATIVE_INFINITY
    return session.id
  }

  /** How far an incarnation is settled, as the hub counts; undefined for one that was not claimed. */
  settledOf(alias: number): number | undefined {
    return this.#claimed[alias]?.settled
  }

  /** Throws away everything unconfirmed and skips its numbers. Returns the first of them minus one. */
  drop(): number {
    const from = this.confirmed
    for (const { batches } of this.#sessions) for (const batch of batches) this.#journal?.remove(batch)
    const current = this.#current
    this.#sessions = [current]
    current.batches.clear()
    current.sent = 0
    current.mark = undefined
    this.#open.clear()
    this.#openIsHeld = false
    this.accumulator.clear()
    current.base = this.#lastChange - current.settled
    this.#openFrom = this.#lastChange
    this.#openBytes = 0
    return from
  }

  /**
   * Takes an accepted batch out of the accumulator. In `max` what equals its words goes with it, since the reference holds as much:
   * whatever else is pending and smaller shows neither way, until the reference is given up (`rebuild`).
   */
  #release(batch: PendingBatch): void {
    const { table, row, word, halves, at } = batch
    if (this.#isIdle) this.accumulator.clear()
    else if (table < 0) this.accumulator.release(batch.delta)
    else this.accumulator.releaseGroup(table, row, word, halves, at)
  }

  /** Nothing is pending. */
  get #isIdle(): boolean {
    if (this.#openFrom < this.#lastChange) return false
    for (let i = 0; i < this.#sessions.length; i++) if (this.#sessions[i].batches.length > 0) return false
    return true
  }

  /** The accumulator becomes the fold of all that is pending: the reference no longer stands under it. */
  rebuild(): void {
    this.accumulator.clear()
    for (const { batches } of this.#sessions) for (const { delta } of batches) this.accumulator.fold(delta)
    this.accumulator.fold(this.#open)
  }

  /** The accumulator becomes the fold of what is still pending, in the rows of `touched`. */
  #rebuildAccumulator(touched: Delta): void {
    if (this.#isIdle) {
      this.accumulator.clear()
      return
    }
    const parts = this.#sessions.flatMap(({ batches }) => [...batches].map(({ delta }) => delta))
    parts.push(this.#open)
    for (let t = 0; t < touched.tables.length; t++) {
      const { count, rows, layout } = touched.tables[t]
      const to = this.accumulator.tables[t]
      const stride = 2 * layout.words
      for (let slot = 0; slot < count; slot++) {
        const at = to.open(rows[slot])
        to.words.fill(0, at, at + stride)
        for (const part of parts) {
          const from = part.tables[t].find(rows[slot])
          if (from >= 0) foldRow(layout, to.words, at, part.tables[t].words, from)
        }
      }
    }
  }
}

/** What is sent next is coded as it was the first time. */
function rewindMark({ mark, batches, sent }: Session): void {
  const next = batches.at(sent)
  if (next !== undefined) mark?.set(next.base)
}

/**
 * The replica: what a client holds of one space, and how it stays right over any network. No I/O: events and the time
 * come in, actions go out.
 *
 *   READ = reference ⊙ accumulator ⊙ the change being made
 *          reference     what the hub has confirmed, exactly the state at log number `lsn`
 *          accumulator   the fold of all own changes not yet confirmed: sent batches, then the open one
 *
 * An own entry in the stream is a partial SWAP (the batch moves from accumulator to reference), a refusal takes it out of
 * the accumulator, a snapshot is a LOAD of rows. So the user's view moves only by others' changes and by refusals.
 *
 * Invariants: the reference changes only by log entries in order; sent batches keep their bounds, content and label;
 * what is sent again is derived from what the hub declares. Not here: storage of the outbox, sockets, timers.
 */
import { Delta, Fingerprint, foldRow, WordKind } from '../algebra/index.ts'
import { AtomikError, assert, type ErrorCode } from '../errors.ts'
import type { Schema } from '../schema/index.ts'
import {
  type DecodedDelta,
  type DownlinkFrame,
  decodeDelta,
  decodeDownlink,
  encodeDelta,
  type Halves,
  type Head,
  Reader,
  type RowDirectory,
  type RowNames,
  Writer,
  compareBytes,
  encodeUtf8,
  writeAuth,
  writeBatch,
  writeHave,
  writeHello,
  writeNeed,
  writeSubscribe,
} from '../wire/index.ts'
import { StampClock } from './clock.ts'
import { firstLabel, nextLabel, sameLabel } from './label.ts'
import { digestDelta, Reference } from './reference.ts'
import { type Edit, type RowRef, TouchedRows } from './rows.ts'
import { UndoLog } from './undo.ts'

export interface ReplicaOptions {
  readonly schema: Schema
  readonly space: string
  readonly token?: string
  /** A source of uniform 32-bit numbers: incarnations and salts come from it. */
  readonly random32: () => number
  /** Own changes that can still be undone. Default 1,000. */
  readonly undoDepth?: number
  /** Quiet time after which unconfirmed batches are sent again, and a gap is reported again. Default 400 ms. */
  readonly resendMs?: number
  /** Batches sent and not yet confirmed; further changes fold into the open one. Default 16. */
  readonly inFlightMax?: number
}

export type ReplicaEvent =
  /** A connection is open; nothing was sent on it yet. */
  | { readonly type: 'open' }
  | { readonly type: 'close' }
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  /** Time passed: sends what is due. */
  | { readonly type: 'tick' }

export type ReplicaAction =
  | { readonly type: 'send'; readonly bytes: Uint8Array }
  /** Rows whose READ may have changed, once a batch. */
  | { readonly type: 'changed'; readonly rows: readonly RowRef[] }
  /** Own changes up to this one are durable at the hub. */
  | { readonly type: 'confirmed'; readonly change: number }
  /** Own changes (from, to] were refused and rolled back. */
  | { readonly type: 'refused'; readonly from: number; readonly to: number; readonly code: ErrorCode }
  /** First welcome on this connection; the reference may still be behind. */
  | { readonly type: 'welcome'; readonly writable: boolean }
  /** The reference is now complete as of the hub's log when we subscribed. */
  | { readonly type: 'caught-up' }
  /** The hub refuses this client, or its bytes make no sense: the connection is of no use. */
  | { readonly type: 'fail'; readonly error: AtomikError; readonly fatal: boolean }

/** What happened so far, for people and tests. */
export interface ReplicaStats {
  changes: number
  batchesSent: number
  batchesResent: number
  entriesApplied: number
  /** Frames and entries that were already applied, and dropped. */
  duplicatesDropped: number
  /** Times the stream had a hole that was later filled. */
  gapsRepaired: number
  snapshots: number
  folds: number
  refused: number
  forks: number
  /** Reference and hub disagreed at one log number; the state was loaded afresh. Never seen without a bug. */
  divergences: number
}

interface PendingBatch {
  /** Change numbers of the replica, (from, to]; on the wire they count from the incarnation's base. */
  readonly from: number
  readonly to: number
  readonly delta: Delta
  readonly salt: Halves
  /** The salt differs from that of the batch before: it must travel. */
  readonly saltIsNew: boolean
  readonly label: Halves
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
/** Frames kept that came before their turn. */
const earlyFramesMax = 256
/** A salt serves at most this long. */
const saltMs = 1000
/** How often the hub is told what we have, while that changes. */
const haveMs = 200

export class Replica {
  readonly schema: Schema
  readonly reference: Reference
  readonly accumulator: Delta
  readonly stats: ReplicaStats = {
    changes: 0,
    batchesSent: 0,
    batchesResent: 0,
    entriesApplied: 0,
    duplicatesDropped: 0,
    gapsRepaired: 0,
    snapshots: 0,
    folds: 0,
    refused: 0,
    forks: 0,
    divergences: 0,
  }
  /** Log number the reference stands at. */
  lsn = 0
  epoch: Halves = zero
  readonly #options: ReplicaOptions
  readonly #clock = new StampClock()
  readonly #undo: UndoLog
  /** Agreed row numbers: row by number, and number by row (absent = none). */
  readonly #rowOf: number[][]
  readonly #numberOf: Map<number, number>[]
  #incarnation: Incarnation
  #pending: PendingBatch[] = []
  /** Pending batches sent on this connection. */
  #sent = 0
  /** Unsealed changes (#openFrom, #change]. */
  #open: Delta
  #openFrom = 0
  /** Number of the last change. */
  #change = 0
  /** The change being made, or undefined. */
  #current: Delta | undefined
  #stamped = false

  #link: 'down' | 'greeting' | 'live' = 'down'
  #writable = false
  #stampBaseMs = 0
  #salt: Halves = zero
  #saltAtMs = Number.NEGATIVE_INFINITY
  #lastSalt: Halves = zero
  /** Time of the last progress of the outbox, and of the last report of a gap. */
  #progressAtMs = 0
  #needAtMs = Number.NEGATIVE_INFINITY
  /** Doubles with every fruitless repetition. */
  #backoff = 1
  #greetedAtMs = 0
  /** Subscriptions so far on this connection. */
  #attempt = 0
  #haveAtMs = 0
  #declaredLsn = -1
  #declaredConfirmed = -1
  #catchUpLsn = -1
  /** Stream frames whose turn has not come, by the log number they start at. */
  readonly #early = new Map<number, DownlinkFrame>()
  readonly #writer = new Writer()
  readonly #body = new Writer()
  readonly #scratch: Int32Array

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.schema = options.schema
    const { layouts } = options.schema
    this.reference = new Reference(layouts)
    this.accumulator = new Delta(layouts)
    this.#open = new Delta(layouts)
    this.#undo = new UndoLog(options.undoDepth ?? 1000)
    this.#rowOf = layouts.map(() => [])
    this.#numberOf = layouts.map(() => new Map())
    this.#scratch = new Int32Array(2 * Math.max(...layouts.map(layout => layout.words)))
    this.#incarnation = this.#draw(0)
  }

  /** Number of the last own change, and of the last one the hub confirmed. */
  get lastChange(): number {
    return this.#change
  }

  get confirmedChange(): number {
    return this.#incarnation.confirmed
  }

  /** Own changes the hub has not confirmed. */
  get pendingChanges(): number {
    return this.#change - this.#incarnation.confirmed
  }

  /** Bytes of synchronisation metadata: position, own incarnation and head. It does not grow. */
  get metadataBytes(): number {
    return 8 + 8 + 16 + 8 + 8
  }

  get isLive(): boolean {
    return this.#link === 'live'
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The local row with this key, created empty when it is new. */
  row(table: number, key: string): number {
    const known = this.reference.tables[table].find(key)
    return known >= 0 ? known : this.reference.tables[table].open(key)
  }

  /** The local row with this key, or −1. */
  findRow(table: number, key: string): number {
    return this.reference.tables[table].find(key)
  }

  /** READ of a whole row into `out`: 2 × words halves. */
  readRow(table: number, row: number, out: Int32Array): void {
    const { layout, words } = this.reference.tables[table]
    const stride = 2 * layout.words
    for (let i = 0; i < stride; i++) out[i] = words[row * stride + i]
    this.#foldIn(this.accumulator, table, row, out)
    if (this.#current !== undefined) this.#foldIn(this.#current, table, row, out)
  }

  #foldIn(delta: Delta, table: number, row: number, out: Int32Array): void {
    const part = delta.tables[table]
    const at = part.find(row)
    if (at >= 0) foldRow(part.layout, out, 0, part.words, at)
  }

  // ── changing ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes one change: all that `make` accumulates, or nothing when it throws. Returns its number, counted from 1.
   * Changes nest: an inner one joins the outer.
   */
  change(nowMs: number, make: (edit: Edit) => void): number {
    if (this.#current !== undefined) {
      make(this.#edit)
      return this.#change + 1
    }
    const current = new Delta(this.schema.layouts)
    this.#current = current
    this.#stamped = false
    this.#nowMs = nowMs
    try {
      make(this.#edit)
    } finally {
      this.#current = undefined
    }
    if (current.isEmpty) return this.#change
    return this.#commit(current)
  }

  #nowMs = 0

  #commit(change: Delta): number {
    this.#change++
    this.#undo.record(this.#change, change, this)
    this.#open.fold(change)
    this.accumulator.fold(change)
    this.stats.changes++
    return this.#change
  }

  /**
   * Undoes one own change, whatever came after it, as a new change. Exact in `xor` and `add`; a register or flag gets its
   * earlier value back only if the undone write still stands. Undoing the undo is redo.
   * @throws AtomikError `unknown-change` when it was refused or lies further back than `undoDepth`
   */
  undo(nowMs: number, change: number): number {
    const current = new Delta(this.schema.layouts)
    this.#stamped = false
    this.#nowMs = nowMs
    this.#undo.invert(change, current, this, () => this.#stamp())
    return this.#commit(current)
  }

  #stamp(): Halves {
    if (!this.#stamped) this.#clock.next(this.#nowMs)
    this.#stamped = true
    return { low: this.#clock.low, high: this.#clock.high }
  }

  /** What a change is made of. Valid only inside `change`. */
  readonly #edit: Edit = {
    xor: (table, row, word, low, high) => {
      const { part, at } = this.#touch(table, row)
      part.words[at + 2 * word] ^= low
      part.words[at + 2 * word + 1] ^= high
    },
    add: (table, row, word, low, high) => {
      const { part, at } = this.#touch(table, row)
      const sum = (part.words[at + 2 * word] >>> 0) + (low >>> 0)
      part.words[at + 2 * word] = sum
      part.words[at + 2 * word + 1] += high + (sum >= 2 ** 32 ? 1 : 0)
    },
    write: (table, row, word, value) => {
      const { part, at } = this.#touch(table, row)
      const stamp = this.#stamp()
      const i = at + 2 * word
      part.words[i] = stamp.low
      part.words[i + 1] = stamp.high
      part.words.set(value, i + 2)
    },
    set: (table, row, word, on) => {
      this.#raise(table, row, word, on)
    },
    remove: (table, row) => {
      const out = new Int32Array(this.#scratch.length)
      this.readRow(table, row, out)
      if ((out[0] & 1) === 0) return
      const { part, at } = this.#touch(table, row)
      part.words[at] = out[0] + 1
      part.words[at + 1] = out[1]
    },
  }

  /** Sets a causal length to odd (on) or even (off), by one step when it is not there already. */
  #raise(table: number, row: number, word: number, on: boolean): void {
    this.readRow(table, row, this.#scratch)
    const low = this.#scratch[2 * word]
    const high = this.#scratch[2 * word + 1]
    if ((low & 1) === (on ? 1 : 0)) return
    const { part, at } = this.#touch(table, row)
    part.words[at + 2 * word] = low + 1
    part.words[at + 2 * word + 1] = high + (low === -1 ? 1 : 0)
  }

  /** Opens the row in the change being made, and brings it to life when it is not. */
  #touch(table: number, row: number) {
    if (this.#current === undefined) throw new AtomikError('closed', 'a change was used after it ended')
    const part = this.#current.tables[table]
    let at = part.find(row)
    if (at < 0) {
      this.readRow(table, row, this.#scratch)
      at = part.open(row)
      if ((this.#scratch[0] & 1) === 0) {
        part.words[at] = this.#scratch[0] + 1
        part.words[at + 1] = this.#scratch[1]
      }
    } else if (part.words[at] !== 0 && (part.words[at] & 1) === 0) {
      part.words[at]++
    }
    return { part, at }
  }

  // ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes one event; what follows from it is appended to `actions`. */
  step(nowMs: number, event: ReplicaEvent, actions: ReplicaAction[]): void {
    switch (event.type) {
      case 'open':
        this.#link = 'greeting'
        this.#attempt = 0
        this.#sent = 0
        this.#early.clear()
        this.#saltAtMs = Number.NEGATIVE_INFINITY
        this.#greet(nowMs, actions)
        return
      case 'close':
        this.#link = 'down'
        return
      case 'message':
        this.#receive(nowMs, event.bytes, actions)
        return
      case 'tick':
        this.#tick(nowMs, actions)
        return
    }
  }

  /** Seals and sends what is open, as far as the window allows. */
  flush(nowMs: number, actions: ReplicaAction[]): void {
    if (this.#link !== 'live') return
    if (!this.#writable) {
      this.#dropUnwritable(actions)
      return
    }
    if (this.#openFrom < this.#change && this.#pending.length < (this.#options.inFlightMax ?? 16)) this.#seal(nowMs)
    while (this.#sent < this.#pending.length) this.#sendBatch(this.#pending[this.#sent++], actions)
  }

  /** Here we may only read: own changes are refused on the spot, and their numbers skipped. */
  #dropUnwritable(actions: ReplicaAction[]): void {
    const dropped = this.pendingChanges
    if (dropped === 0) return
    const touched = new TouchedRows()
    touched.add(this.accumulator)
    this.#pending = []
    this.#open.clear()
    this.accumulator.clear()
    const from = this.#incarnation.confirmed
    this.#incarnation.base += dropped
    this.#incarnation.confirmed += dropped
    this.#openFrom = this.#change
    this.#sent = 0
    this.#refuse(from, this.#change, 'readonly', actions)
    actions.push({ type: 'changed', rows: touched.rows })
  }

  #tick(nowMs: number, actions: ReplicaAction[]): void {
    const resendMs = this.#options.resendMs ?? 400
    if (this.#link === 'greeting' && nowMs - this.#greetedAtMs > 2 * resendMs) this.#greet(nowMs, actions)
    if (this.#link !== 'live') return
    if (this.#sent > 0 && nowMs - this.#progressAtMs > resendMs * this.#backoff) {
      this.stats.batchesResent += this.#sent
      this.#sent = 0
      this.#progressAtMs = nowMs
      this.#backoff = Math.min(8, this.#backoff * 2)
    }
    this.flush(nowMs, actions)
    if (this.#early.size > 0) this.#report(nowMs, actions)
    this.#declare(nowMs, actions)
  }

  #greet(nowMs: number, actions: ReplicaAction[]): void {
    const w = this.#writer
    w.reset()
    writeHello(w)
    if (this.#options.token !== undefined) writeAuth(w, this.#options.token)
    writeSubscribe(w, {
      attempt: ++this.#attempt,
      space: this.#options.space,
      schema: this.schema.encode(),
      epoch: this.epoch,
      lsn: this.lsn,
      claims: [
        {
          incarnation: this.#incarnation.id,
          sequence: this.#incarnation.confirmed - this.#incarnation.base,
          label: this.#incarnation.confirmedLabel,
        },
      ],
    })
    actions.push({ type: 'send', bytes: w.finish() })
    this.#greetedAtMs = nowMs
  }

  /** Tells the hub where we stand, when that changed: it may then forget labels and knows our lag. */
  #declare(nowMs: number, actions: ReplicaAction[]): void {
    const { confirmed, base } = this.#incarnation
    if (nowMs - this.#haveAtMs < haveMs) return
    if (this.#declaredLsn === this.lsn && this.#declaredConfirmed === confirmed) return
    this.#haveAtMs = nowMs
    this.#declaredLsn = this.lsn
    this.#declaredConfirmed = confirmed
    const w = this.#writer
    w.reset()
    writeHave(w, this.lsn, [{ alias: 0, sequence: confirmed - base }])
    actions.push({ type: 'send', bytes: w.finish() })
  }

  /** Asks for the log from where we stand, at most once in `resendMs`. */
  #report(nowMs: number, actions: ReplicaAction[]): void {
    if (nowMs - this.#needAtMs < (this.#options.resendMs ?? 400) / 4) return
    this.#needAtMs = nowMs
    const w = this.#writer
    w.reset()
    writeNeed(w, this.lsn)
    actions.push({ type: 'send', bytes: w.finish() })
  }

  // ── the outbox ──────────────────────────────────────────────────────────────────────────────────────────────────

  #draw(base: number): Incarnation {
    const id = new Uint8Array(16)
    for (let i = 0; i < 16; i += 4) {
      const word = this.#options.random32()
      for (let b = 0; b < 4; b++) id[i + b] = word >>> (8 * b)
    }
    return { id, base, confirmed: base, confirmedLabel: firstLabel(id) }
  }

  #seal(nowMs: number): void {
    const before = this.#pending.at(-1)
    if (nowMs - this.#saltAtMs >= saltMs) {
      this.#salt = { low: this.#options.random32() | 0, high: this.#options.random32() | 0 }
      this.#saltAtMs = nowMs
    }
    const saltIsNew = !sameLabel(this.#salt, this.#lastSalt)
    this.#lastSalt = this.#salt
    const digest = new Fingerprint()
    digestDelta(this.#open, (table, row) => this.#addressOf(table, row), digest)
    const to = this.#change
    const label = nextLabel(
      before?.label ?? this.#incarnation.confirmedLabel,
      this.#salt,
      digest,
      to - this.#incarnation.base,
    )
    this.#pending.push({ from: this.#openFrom, to, delta: this.#open, salt: this.#salt, saltIsNew, label })
    this.#open = new Delta(this.schema.layouts)
    this.#openFrom = to
    if (this.#pending.length === 1) this.#progressAtMs = nowMs
  }

  #sendBatch(batch: PendingBatch, actions: ReplicaAction[]): void {
    const body = this.#body
    body.reset()
    encodeDelta(body, batch.delta, this.#uplinkNames, this.#stampBaseMs)
    const w = this.#writer
    w.reset()
    const { base } = this.#incarnation
    writeBatch(w, {
      alias: 0,
      from: batch.from - base,
      to: batch.to - base,
      salt: batch.saltIsNew ? batch.salt : undefined,
      body: body.finish(),
    })
    actions.push({ type: 'send', bytes: w.finish() })
    this.stats.batchesSent++
  }

  /** Takes the first pending batch out of the accumulator, after its fate is known. */
  #settle(nowMs: number): PendingBatch {
    const batch = this.#pending.shift()
    assert(batch !== undefined, 'a batch to settle')
    if (this.#sent > 0) this.#sent--
    this.#progressAtMs = nowMs
    this.#backoff = 1
    this.#incarnation.confirmed = batch.to
    this.#incarnation.confirmedLabel = batch.label
    this.#rebuildAccumulator(batch.delta)
    return batch
  }

  /** The accumulator becomes the fold of what is still pending, in the rows of `touched`. */
  #rebuildAccumulator(touched: Delta): void {
    if (this.#pending.length === 0 && this.#open.isEmpty) {
      this.accumulator.clear()
      return
    }
    const parts = [...this.#pending.map(batch => batch.delta), this.#open]
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

  /** Continues under a new incarnation: what the hub did not take is issued again from there. */
  #rotate(nowMs: number, actions: ReplicaAction[]): void {
    const reissued = new Delta(this.schema.layouts)
    for (const batch of this.#pending) reissued.fold(batch.delta)
    reissued.fold(this.#open)
    this.#open = reissued
    this.#openFrom = this.#incarnation.confirmed
    this.#pending = []
    this.#sent = 0
    this.#incarnation = this.#draw(this.#openFrom)
    this.#lastSalt = zero
    this.#saltAtMs = Number.NEGATIVE_INFINITY
    this.stats.forks++
    this.#link = 'greeting'
    this.#greet(nowMs, actions)
  }

  // ── what the hub says ───────────────────────────────────────────────────────────────────────────────────────────

  #receive(nowMs: number, bytes: Uint8Array, actions: ReplicaAction[]): void {
    try {
      for (const frame of decodeDownlink(bytes)) this.#take(nowMs, frame, actions)
      this.flush(nowMs, actions)
      this.#declare(nowMs, actions)
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      actions.push({ type: 'fail', error, fatal: false })
    }
  }

  #take(nowMs: number, frame: DownlinkFrame, actions: ReplicaAction[]): void {
    if (frame.type === 'welcome') {
      this.#welcome(nowMs, frame, actions)
    } else if (frame.type === 'error') {
      actions.push({ type: 'fail', error: new AtomikError(frame.code, frame.text), fatal: frame.fatal })
    } else if (this.#link === 'live') {
      if (frame.type === 'stream' || frame.type === 'fold' || frame.type === 'snapshot')
        this.#follow(nowMs, frame, actions)
      else if (frame.type === 'ack') this.#ack(nowMs, frame, actions)
      else if (frame.type === 'resend') this.#resend(nowMs, frame.sequence, actions)
      else if (frame.type === 'fork') this.#forked(nowMs, frame, actions)
    }
  }

  #welcome(nowMs: number, frame: DownlinkFrame & { type: 'welcome' }, actions: ReplicaAction[]): void {
    if (this.#link !== 'greeting' || frame.attempt !== this.#attempt) return
    this.#link = 'live'
    this.#sent = 0
    this.#writable = frame.writable
    this.#stampBaseMs = frame.stampBaseMs
    this.epoch = frame.epoch
    this.#progressAtMs = nowMs
    this.#needAtMs = Number.NEGATIVE_INFINITY
    this.#declaredLsn = -1
    // The hub does not know our position: what it sends starts from nothing.
    if (frame.lsn !== this.lsn) this.#unload(actions)
    this.#catchUpLsn = frame.toLsn
    this.#probe(frame.heads)
    actions.push({ type: 'welcome', writable: frame.writable })
    if (this.lsn >= this.#catchUpLsn) this.#caughtUp(actions)
  }

  /**
   * The hub's head lies beyond all we ever sealed: a copy of us went on. An empty change makes the hub say where we parted.
   */
  #probe(heads: readonly Head[]): void {
    const last = this.#openFrom - this.#incarnation.base
    if (heads.some(head => head.alias === 0 && head.sequence > last) && this.#openFrom === this.#change) this.#change++
  }

  #caughtUp(actions: ReplicaAction[]): void {
    this.#catchUpLsn = -1
    actions.push({ type: 'caught-up' })
  }

  /** Back to an empty reference at log number 0; own changes stay in the accumulator. */
  #unload(actions: ReplicaAction[]): void {
    const touched = new TouchedRows()
    touched.addAll(this.reference)
    this.reference.clear()
    this.lsn = 0
    this.#forgetNumbers()
    if (touched.rows.length > 0) actions.push({ type: 'changed', rows: touched.rows })
  }

  #forgetNumbers(): void {
    for (const rows of this.#rowOf) rows.length = 0
    for (const numbers of this.#numberOf) numbers.clear()
  }

  /** Applies frames of the log in their order; keeps those that came early, drops those that came again. */
  #follow(
    nowMs: number,
    frame: DownlinkFrame & { type: 'stream' | 'fold' | 'snapshot' },
    actions: ReplicaAction[],
  ): void {
    const touched = new TouchedRows()
    const before = this.#incarnation.confirmed
    let next: typeof frame | undefined = frame
    while (next !== undefined) {
      const end: number = next.type === 'stream' ? next.lsn + next.entries.length : next.toLsn
      if (end <= this.lsn) {
        this.stats.duplicatesDropped++
      } else if (next.lsn > this.lsn) {
        if (this.#early.size < earlyFramesMax) this.#early.set(next.lsn, next)
        this.#report(nowMs, actions)
        break
      } else if (next.type === 'stream') {
        this.#applyStream(nowMs, next, touched, actions)
      } else if (next.lsn < this.lsn && !isWhole(next)) {
        // It overlaps what we have, and cannot be split: ask from here.
        this.stats.duplicatesDropped++
        this.#report(nowMs, actions)
      } else {
        this.#applyFold(nowMs, next, touched, actions)
      }
      next = this.#nextEarly()
    }
    if (touched.rows.length > 0) actions.push({ type: 'changed', rows: touched.rows })
    if (this.#incarnation.confirmed > before)
      actions.push({ type: 'confirmed', change: this.#incarnation.confirmed })
    if (this.#catchUpLsn >= 0 && this.lsn >= this.#catchUpLsn) this.#caughtUp(actions)
  }

  #nextEarly(): (DownlinkFrame & { type: 'stream' | 'fold' | 'snapshot' }) | undefined {
    if (this.#early.size === 0) return undefined
    for (const [start, frame] of this.#early) {
      if (start > this.lsn) continue
      this.#early.delete(start)
      if (start === this.lsn) this.stats.gapsRepaired++
      if (frame.type === 'stream' || frame.type === 'fold' || frame.type === 'snapshot') return frame
    }
    return undefined
  }

  #applyStream(
    nowMs: number,
    frame: DownlinkFrame & { type: 'stream' },
    touched: TouchedRows,
    actions: ReplicaAction[],
  ): void {
    for (let i = Math.max(0, this.lsn - frame.lsn); i < frame.entries.length; i++) {
      const entry = frame.entries[i]
      if (entry.kind === 'delta') {
        const reader = new Reader(entry.body)
        const decoded = decodeDelta(reader, this.schema.layouts, this.#directory, this.#stampBaseMs)
        if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
        this.#admit(decoded)
        this.reference.accum(decoded.delta)
        this.#see(decoded.delta)
        touched.add(decoded.delta)
      } else if (entry.kind !== 'nothing') {
        const first = this.#pending[0]
        if (first === undefined || first.to - this.#incarnation.base !== entry.to)
          throw new AtomikError('malformed', `the hub settles change ${entry.to}, which is not the next of ours`)
        const batch = this.#settle(nowMs)
        if (entry.kind === 'own') {
          this.#numberLiterals(batch.delta)
          this.reference.accum(batch.delta)
        } else {
          this.#refuse(batch.from, batch.to, entry.code, actions)
          touched.add(batch.delta)
        }
      }
      this.lsn++
      this.stats.entriesApplied++
    }
  }

  /** A fold accumulates, a snapshot replaces whole rows; both name the heads they contain. */
  #applyFold(
    nowMs: number,
    frame: DownlinkFrame & { type: 'fold' | 'snapshot' },
    touched: TouchedRows,
    actions: ReplicaAction[],
  ): void {
    const whole = isWhole(frame)
    const reader = new Reader(frame.body)
    const directory = whole ? this.#unnumbered : this.#directory
    const decoded = decodeDelta(reader, this.schema.layouts, directory, this.#stampBaseMs)
    if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
    if (whole) this.#forgetNumbers()
    this.#admit(decoded)
    if (frame.type === 'fold') {
      this.reference.accum(decoded.delta)
      this.stats.folds++
    } else {
      if (whole) {
        touched.addAll(this.reference)
        this.reference.clear()
      }
      this.reference.load(decoded.delta)
      this.stats.snapshots++
    }
    this.#see(decoded.delta)
    touched.add(decoded.delta)
    this.lsn = frame.toLsn
    for (const head of frame.heads) this.#settleUpTo(nowMs, head, touched, actions)
  }

  /** Batches that a fold or snapshot names as contained, or refused, leave the accumulator. */
  #settleUpTo(nowMs: number, head: Head, touched: TouchedRows, actions: ReplicaAction[]): void {
    if (head.alias !== 0) return
    const { base } = this.#incarnation
    while (this.#pending.length > 0 && this.#pending[0].to - base <= head.sequence) {
      const batch = this.#settle(nowMs)
      touched.add(batch.delta)
      const refusal = head.refused.find(refused => refused.to === batch.to - base)
      if (refusal !== undefined) this.#refuse(batch.from, batch.to, refusal.code, actions)
    }
  }

  #refuse(from: number, to: number, code: ErrorCode, actions: ReplicaAction[]): void {
    this.stats.refused++
    this.#undo.forget(from, to)
    actions.push({ type: 'refused', from, to, code })
  }

  #ack(nowMs: number, frame: DownlinkFrame & { type: 'ack' }, actions: ReplicaAction[]): void {
    if (frame.lsn > this.lsn) {
      this.#report(nowMs, actions)
    } else if (frame.lsn === this.lsn) {
      const { low, high } = this.reference.fingerprint
      if (frame.digest.low === low && frame.digest.high === high) return
      this.stats.divergences++
      this.#reload(nowMs, actions)
    }
  }

  /** Gives up the reference and asks for a whole one. */
  #reload(nowMs: number, actions: ReplicaAction[]): void {
    this.#unload(actions)
    this.epoch = zero
    this.#link = 'greeting'
    this.#early.clear()
    this.#greet(nowMs, actions)
  }

  #resend(nowMs: number, sequence: number, actions: ReplicaAction[]): void {
    const from = sequence + this.#incarnation.base
    const first = this.#pending.findIndex(batch => batch.from === from)
    if (first < 0 || first >= this.#sent) return
    this.stats.batchesResent += this.#sent - first
    this.#sent = first
    this.#progressAtMs = nowMs
    this.flush(nowMs, actions)
  }

  /**
   * After `sequence` the hub holds another history of this incarnation, or none: batches up to there settle as the log
   * arrives, the rest is issued anew. A hub whose disk was set back names an end below what it had confirmed to us.
   */
  #forked(nowMs: number, frame: DownlinkFrame & { type: 'fork' }, actions: ReplicaAction[]): void {
    if (frame.attempt !== this.#attempt) return
    if (frame.sequence + this.#incarnation.base <= this.#incarnation.confirmed) this.#rotate(nowMs, actions)
  }

  // ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #addressOf(table: number, row: number): Halves {
    const { addresses } = this.reference.tables[table]
    return { low: addresses[2 * row], high: addresses[2 * row + 1] }
  }

  readonly #directory: RowDirectory = {
    rowNumbered: (table, number) => this.#rowOf[table][number] ?? -1,
    rowNamed: (table, key) => this.reference.tables[table].find(key),
    rowCount: table => this.reference.tables[table].count,
    knownRows: table => this.#rowOf[table].length,
  }

  /** The same before any number is agreed: how a whole snapshot is read. */
  readonly #unnumbered: RowDirectory = { ...this.#directory, rowNumbered: () => -1, knownRows: () => 0 }

  readonly #uplinkNames: RowNames = {
    numberOf: (table, row) => this.#numberOf[table].get(row) ?? -1,
    keyOf: (table, row) => this.reference.tables[table].keys[row],
    knownRows: table => this.#rowOf[table].length,
  }

  /** Creates and numbers the rows a decoded delta introduces. */
  #admit(decoded: DecodedDelta): void {
    for (const { table, key, row } of decoded.named) {
      const opened = this.reference.tables[table].open(key)
      assert(opened === row, 'rows are created in the order of their names')
      this.#number(table, row)
    }
  }

  #number(table: number, row: number): void {
    this.#numberOf[table].set(row, this.#rowOf[table].length)
    this.#rowOf[table].push(row)
  }

  /** Rows an own batch introduced get their numbers at its place in the log, in the order of its literals. */
  #numberLiterals(delta: Delta): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count } = delta.tables[t]
      const literals: number[] = []
      for (let slot = 0; slot < count; slot++)
        if (!this.#numberOf[t].has(rows[slot]) && !delta.tables[t].isZero(slot)) literals.push(rows[slot])
      if (literals.length === 0) continue
      const keyOf = (row: number) => encodeUtf8(this.reference.tables[t].keys[row])
      literals.sort((a, b) => compareBytes(keyOf(a), keyOf(b)))
      for (const row of literals) this.#number(t, row)
    }
  }

  /** The clock runs ahead of every stamp seen. */
  #see(delta: Delta): void {
    for (const { layout, words, count } of delta.tables) {
      for (let w = 0; w < layout.words; w++) {
        if (layout.kinds[w] !== WordKind.stamp) continue
        for (let slot = 0; slot < count; slot++) {
          const at = 2 * (slot * layout.words + w)
          this.#clock.see(words[at], words[at + 1])
        }
      }
    }
  }
}

/** A whole snapshot: it replaces everything, so it fits any position. */
function isWhole(frame: DownlinkFrame): boolean {
  return frame.type === 'snapshot' && frame.lsn === 0
}

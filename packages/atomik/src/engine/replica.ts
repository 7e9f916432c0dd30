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
 * what is sent again is derived from what the hub declares. Own changes on their way are in `outbox.ts`, the making of one in
 * `editor.ts`, names of rows in `row-numbers.ts`, records for a store in `replica-store.ts`. Not here: sockets, timers, disks.
 *
 * Over 500 lines, a third of them the types of events, actions and figures: the rest is one state machine, the connection.
 */
import { Delta } from '../algebra/index.ts'
import { AtomikError, assert, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Schema } from '../schema/index.ts'
import {
  DeltaDecoder,
  type EntriesFrame,
  encodeUtf8,
  type Halves,
  type Head,
  type LentRow,
  nearestNumber,
  Reader,
  type ScannedFrame,
  StampMark,
  StreamCursor,
  scanDownlink,
  stampMsMax,
  writeAuth,
  writeBatch,
  writeHave,
  writeHello,
  writeNeed,
  writeRows,
  writeSubscribe,
} from '../wire/index.ts'
import { type StampClock, SteadyClock } from './clock.ts'
import { Editor } from './editor.ts'
import { formatIncarnation } from './label.ts'
import { Messages, type Send } from './messages.ts'
import { Outbox } from './outbox.ts'
import { type PendingBatch, storedBatch } from './pending.ts'
import { Reference } from './reference.ts'
import type { ReplicaImage, ReplicaStore } from './replica-store.ts'
import { RowNumbers } from './row-numbers.ts'
import { type Edit, type RowRef, TouchedRows } from './rows.ts'
import { openSession } from './session.ts'
import type { Put } from './storage.ts'
import { UndoLog } from './undo.ts'

export interface ReplicaOptions {
  readonly schema: Schema
  readonly space: string
  readonly token?: string
  /** A source of uniform 32-bit numbers: incarnations and salts come from it. */
  readonly random32: () => number
  /** Own changes that can still be undone. Default 1,000. */
  readonly undoDepth?: number
  /**
   * Quiet time after which unconfirmed batches are sent again. Default 400 ms; where the round trip to the hub turns out to
   * be more than half of it, twice the round trip.
   */
  readonly resendMs?: number
  /** Batches sent and not yet confirmed; further changes fold into the open one. Default 16. */
  readonly inFlightMax?: number
  /**
   * What a store holds (`loadReplica`), empty or not: the replica begins there and asks for writes (`commit`). Without it nothing
   * outlives the process.
   */
  readonly image?: ReplicaImage
  /** Own changes are written this long after they were made, unless `save` is called before. Default 100 ms. */
  readonly saveMs?: number
  /**
   * Batches kept apart while no hub is there; more are folded together. One batch is what a copy of the store can be told
   * by (spec/semantics.md S33). Default 1,024.
   */
  readonly unsentBatchesMax?: number
}

export type ReplicaEvent =
  /** A connection is open; nothing was sent on it yet. */
  | {
      readonly type: 'open'
      /** The link keeps the order of messages and repeats none: then one change travels in fewer bytes. */
      readonly isOrdered?: boolean
    }
  | { readonly type: 'close' }
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  /** Time passed: sends what is due. */
  | { readonly type: 'tick' }

export type ReplicaAction =
  | Send
  /** Rows whose READ may have changed, once a batch. */
  | { readonly type: 'changed'; readonly rows: readonly RowRef[] }
  /** Own changes up to this one are durable at the hub. */
  | { readonly type: 'confirmed'; readonly change: number }
  /** Write this, then call `committed` or `notCommitted`. One at a time. */
  | { readonly type: 'commit'; readonly puts: readonly Put[] }
  /** Own changes up to this one survive a crash of this machine, or their fate is known. */
  | { readonly type: 'saved'; readonly change: number }
  /** Own changes (from, to] were refused and rolled back. */
  | { readonly type: 'refused'; readonly from: number; readonly to: number; readonly code: ErrorCode }
  /** First welcome on this connection; the reference may still be behind. */
  | { readonly type: 'welcome'; readonly writable: boolean }
  /** The reference is now complete as of the hub's log when we subscribed. */
  | { readonly type: 'caught-up' }
  /**
   * A copy of this replica, or the hub's disk set back, went on under one of our incarnations: 16 bytes. Both histories count; we
   * go on under a new one.
   */
  | { readonly type: 'forked'; readonly incarnation: Uint8Array }
  /** Close this connection and open another at once: what was claimed on it no longer holds. */
  | { readonly type: 'reconnect' }
  /** The hub refuses this client, or its bytes make no sense: the connection is of no use. */
  | {
      readonly type: 'fail'
      readonly error: AtomikError
      readonly fatal: boolean
      /** It happened at whoever we follow: this connection is good. */
      readonly isElsewhere?: boolean
    }

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

const zero: Halves = { low: 0, high: 0 }
/** Frames kept that came before their turn. */
const earlyFramesMax = 256
/** Longest wait for the answer to a greeting. */
const greetingMsMax = 60_000
/** How often the hub is told what we have, while that changes: after this time, or so many log entries. */
const haveMs = 200
const haveEntries = 256

export class Replica {
  readonly schema: Schema
  readonly reference: Reference
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
  readonly #resendMs: number
  /** Silence after which something is taken for lost: `resendMs`, or twice the round trip where that is longer. */
  #quietMs: number
  readonly #numbers: RowNumbers
  readonly #outbox: Outbox
  readonly #editor: Editor
  readonly #undo: UndoLog
  /** What all timers here are held against; only stamps take the time of day. */
  readonly #steady = new SteadyClock()
  readonly #store: ReplicaStore | undefined
  #incarnations: readonly Uint8Array[]
  /** The reference was cleared, and what the hub held then has not all come back. */
  #isGivenUp = false
  /** Own changes up to here are in the store; those the write under way will bring; when the last write began. */
  #saved = 0
  #savingTo = 0
  #savedAtMs = Number.NEGATIVE_INFINITY

  #link: 'down' | 'greeting' | 'live' = 'down'
  #isWritable = false
  #isOrdered = false
  /** On this connection own changes go out behind the greeting, without waiting for the answer. */
  #isEager = false
  /** What stamps of own changes are coded against on this connection. */
  readonly #stampBase = new StampMark()
  /** Subscriptions so far on this connection, and when the last was sent. */
  #attempt = 0
  #greetedAtMs = 0
  /** When a gap was last reported. */
  #needAtMs = Number.NEGATIVE_INFINITY
  /** Ends of histories we share with a copy that lie beyond what is settled yet, by alias: the log brings us there. */
  readonly #forksAhead = new Map<number, number>()
  /** When an earlier incarnation was last probed. */
  #probeAtMs = Number.NEGATIVE_INFINITY
  /** What the hub was last told we have, and when. */
  #haveAtMs = 0
  #declaredLsn = -1
  #declaredConfirmed = -1
  /** Where the log ended when we subscribed; −1 once we are there. */
  #catchUpLsn = -1
  /** Frames of the log whose turn has not come, by the log number they start at. */
  readonly #early = new Map<number, LogFrame>()
  readonly #messages = new Messages()
  readonly #decoder: DeltaDecoder
  readonly #cursor = new StreamCursor()
  readonly #reader = new Reader(new Uint8Array(0))
  /** The delta of the log entry being applied. */
  readonly #arrived: Delta
  /** What its stamps are coded against. */
  readonly #entryBase = new StampMark()
  /** The stamp base of this connection, as a stamp. */
  readonly #opening = new StampMark()

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.#resendMs = options.resendMs ?? 400
    this.#quietMs = this.#resendMs
    this.schema = options.schema
    this.reference = new Reference(options.schema.layouts)
    this.#decoder = new DeltaDecoder(options.schema.layouts)
    this.#arrived = new Delta(options.schema.layouts)
    this.#numbers = new RowNumbers(this.reference)
    this.#outbox = new Outbox(options.schema, this.#numbers, options.random32)
    this.#editor = new Editor(options.schema, this.reference, this.#outbox.accumulator)
    this.#undo = new UndoLog(options.undoDepth ?? 1000)
    this.#store = options.image && this.#restore(options.image)
    this.#incarnations = [...(options.image?.incarnations ?? []), this.incarnation]
  }

  /** Begins where a store stands. */
  #restore(image: ReplicaImage): ReplicaStore {
    const store = image.openStore(this.reference, this.#numbers)
    if (image.state !== undefined) {
      this.lsn = image.state.lsn
      this.epoch = image.state.epoch
      const delta = new Delta(this.schema.layouts)
      image.state.rows.forEach(({ keys, words }, t) => {
        keys.forEach((key, number) => {
          const row = this.reference.tables[t].open(key)
          this.#numbers.number(t, row)
          const at = delta.tables[t].open(row)
          delta.tables[t].words.set(words[number], at)
        })
      })
      this.reference.load(delta)
      this.#editor.see(delta)
    }
    const rowOf = (t: number, index: number) => this.reference.tables[t].open(image.names[t][index])
    const sessions = image.sessions.map(({ id, base, batches }) => {
      const session = openSession(id, base)
      for (const batch of batches) session.batches.push(storedBatch(batch, renamed(batch.delta, rowOf)))
      return session
    })
    for (const { batches } of sessions) for (const { delta } of batches) this.#editor.see(delta)
    this.#editor.seeStamp(image.clock)
    this.#outbox.adopt(sessions, image.lastChange, store)
    if (image.hasGrown) {
      store.stageAll()
      for (const session of sessions) for (const batch of session.batches) store.put(session, batch)
    }
    this.#saved = image.lastChange
    return store
  }

  /** The fold of all own changes the hub has not confirmed. */
  get accumulator(): Delta {
    return this.#outbox.accumulator
  }

  /** Number of the last own change, and of the last one the hub confirmed. */
  get lastChange(): number {
    return this.#outbox.lastChange
  }

  get confirmedChange(): number {
    return this.#outbox.confirmed
  }

  /** Own changes the hub has not confirmed. */
  get pendingChanges(): number {
    return this.#outbox.lastChange - this.#outbox.confirmed
  }

  /** Bytes of synchronisation metadata: position, own incarnation and head. It does not grow. */
  get metadataBytes(): number {
    return 8 + 8 + 16 + 8 + 8
  }

  /** Number of the last own change that survives a crash of this machine. */
  get savedChange(): number {
    return this.#store === undefined ? this.#outbox.confirmed : Math.max(this.#saved, this.#outbox.confirmed)
  }

  /** The clock that stamps changes here; branches share it, so what is written later has the larger stamp. */
  get clock(): StampClock {
    return this.#editor.clock
  }

  /** What this opening writes under: 16 bytes, drawn again after a fork. */
  get incarnation(): Uint8Array {
    return this.#outbox.incarnation
  }

  /** The same, and before it those of earlier openings with this store that no copy is known to go on under. */
  get incarnations(): readonly Uint8Array[] {
    return this.#incarnations
  }

  /** Where the last refused batch of this incarnation ended that touched regions: it belongs to our name there (`writerOf`). */
  get regionsRefused(): number {
    return this.#outbox.regionsRefused
  }

  /**
   * A region that is not seen here may be one of ours: the reference was given up and is not whole again, or own changes wait that were
   * made, or are issued again, under another incarnation than the present one.
   */
  get mayMissRegions(): boolean {
    return this.#isGivenUp || this.#outbox.hasEarlier
  }

  get isLive(): boolean {
    return this.#link === 'live'
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The local row with this key, created empty when it is new.
   * @throws AtomikError `range` for a key that could not travel: empty, too long, or with an unpaired surrogate
   */
  row(table: number, key: string): number {
    const known = this.reference.tables[table].find(key)
    if (known >= 0) return known
    const bytes = encodeUtf8(key).length
    if (bytes < 1 || bytes > limits.keyBytesMax || /\p{Surrogate}/u.test(key))
      throw new AtomikError(
        'range',
        `a row key is text of 1 to ${limits.keyBytesMax} UTF-8 bytes, got ${bytes}`,
      )
    return this.reference.tables[table].open(key)
  }

  /** The local row with this key, or −1. */
  findRow(table: number, key: string): number {
    return this.reference.tables[table].find(key)
  }

  /** READ of a whole row into `out`: 2 × words halves. */
  readRow(table: number, row: number, out: Int32Array): void {
    this.#editor.readRow(table, row, out)
  }

  // ── changing ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes one change: all that `make` accumulates, or nothing when it throws. Returns its number, counted from 1.
   * Changes nest: an inner one joins the outer.
   * @throws AtomikError `oversized` for a change that no message can carry; then it is not made
   */
  change(nowMs: number, make: (edit: Edit) => void): number {
    if (this.#editor.isEditing) {
      make(this.#editor.edit)
      return this.#outbox.lastChange + 1
    }
    const change = this.#editor.make(nowMs, make)
    if (!change.isEmpty) this.#commit(nowMs, change)
    return this.#outbox.lastChange
  }

  /**
   * Undoes one own change, whatever came after it, as a new change. Exact in `xor` and `add`; a register or flag gets its
   * earlier value back only if the undone write still stands. Returns the change by which it is undone: the one before, and nothing is
   * made, when it was undone already. Undoing that one is redo.
   * @throws AtomikError `unknown-change` when it was refused or lies further back than `undoDepth`
   */
  undo(nowMs: number, change: number): number {
    const { stands, last } = this.#undo.standing(change)
    return stands ? this.#invert(nowMs, last) : last
  }

  /**
   * Brings back an own change that was undone. Returns the change by which it stands: a new one, or, when it stands already and
   * nothing is made, the one that brought it back before, or itself.
   * @throws AtomikError `unknown-change`
   */
  redo(nowMs: number, change: number): number {
    const { stands, last } = this.#undo.standing(change)
    return stands ? last : this.#invert(nowMs, last)
  }

  #invert(nowMs: number, change: number): number {
    const undo = this.#editor.fill(nowMs, (into, stamp) => this.#undo.invert(change, into, this, stamp))
    this.#commit(nowMs, undo)
    const undoing = this.#outbox.lastChange
    this.#undo.tie(change, undoing)
    return undoing
  }

  /** Rows that an own change touched. @throws AtomikError `unknown-change` */
  rowsOf(change: number): readonly RowRef[] {
    return this.#undo.rowsOf(change)
  }

  /**
   * ACCUM of a whole delta as one change, or as part of the one being made: how a branch comes back. Borrows `delta`.
   * @throws AtomikError `oversized`; then it is not made
   */
  accum(nowMs: number, delta: Delta): number {
    if (this.#editor.isEditing) {
      this.#editor.fold(delta)
      return this.#outbox.lastChange + 1
    }
    if (!delta.isEmpty)
      this.#commit(
        nowMs,
        this.#editor.fill(nowMs, into => into.fold(delta)),
      )
    return this.#outbox.lastChange
  }

  /**
   * Takes in change `number` of a neighbour that is served here (`Leader`), as one of our own. One write brings it to the store together
   * with the number, and no hub sees it before. Borrows `delta`. Needs a store.
   * @throws AtomikError `oversized`
   */
  take(nowMs: number, neighbour: Uint8Array, number: number, delta: Delta): number {
    assert(this.#store !== undefined && !this.#editor.isEditing, 'a replica with a store, at rest')
    this.#editor.see(delta)
    this.#commit(
      nowMs,
      this.#editor.fill(nowMs, into => {
        into.fold(delta)
        this.#quicken(into)
      }),
      true,
    )
    this.#store.take(neighbour, number)
    return this.#outbox.lastChange
  }

  /** Gives life to rows that have none: who made them died with that change before it was saved, and a new row enters with its life (S15). */
  #quicken(change: Delta): void {
    for (const [t, { rows, count, words, layout }] of change.tables.entries()) {
      const now = new Int32Array(2 * layout.words)
      for (let slot = 0; slot < count; slot++) {
        const at = 2 * slot * layout.words
        if ((words[at] | words[at + 1]) !== 0) continue
        this.readRow(t, rows[slot], now)
        if ((now[0] | now[1]) === 0) words[at] = 1
      }
    }
  }

  /** That neighbour is gone: nothing of it will come again. */
  forget(neighbour: Uint8Array): void {
    this.#store?.forget(neighbour)
  }

  #commit(nowMs: number, change: Delta, isHeld = false): void {
    this.#outbox.makeRoom(this.#steady.at(nowMs), change)
    this.stats.changes++
    if (this.#options.undoDepth === 0) {
      this.#editor.recycle(this.#outbox.take(change, isHeld))
      return
    }
    this.#undo.record(this.#outbox.lastChange + 1, change, this)
    this.#outbox.add(change, isHeld)
  }

  // ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes one event; what follows from it is appended to `actions`. */
  step(timeMs: number, event: ReplicaEvent, actions: ReplicaAction[]): void {
    this.#messages.turn(actions)
    const nowMs = this.#steady.at(timeMs)
    switch (event.type) {
      case 'open':
        this.#link = 'greeting'
        this.#isOrdered = event.isOrdered === true
        this.#stampBase.set({ ms: Math.min(Math.max(0, Math.floor(timeMs)), stampMsMax), count: 0 })
        this.#attempt = 0
        this.#early.clear()
        this.#outbox.reconnect(nowMs, this.#stampBase)
        this.#greet(nowMs, actions)
        this.#flush(nowMs, actions)
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
  flush(timeMs: number, actions: ReplicaAction[]): void {
    this.#messages.turn(actions)
    this.#flush(this.#steady.at(timeMs), actions)
  }

  #flush(nowMs: number, actions: ReplicaAction[]): void {
    if (this.#link === 'down' || (this.#link === 'greeting' && !this.#isEager)) return
    // What was ever sent may be there: the hub says what became of it, and refuses the rest.
    if (this.#link === 'live' && !this.#isWritable && !this.#outbox.wasSent) {
      this.#dropUnwritable(actions)
      return
    }
    if (this.#outbox.mustClaim) {
      this.#leave(actions)
      return
    }
    this.#outbox.seal(nowMs, this.#options.inFlightMax ?? 16)
    while (this.#outbox.next(this.#messages.begin(), nowMs, this.#isOrdered)) {
      actions.push(this.#messages.end())
      this.stats.batchesSent++
    }
  }

  /**
   * Asks for a write of all that the store lacks, unless one is under way: own changes, settled ones, rows and position in one.
   * Call it when somebody waits for `saved`, and before leaving; `tick` calls it at its own pace.
   */
  save(timeMs: number, actions: ReplicaAction[]): void {
    this.#save(this.#steady.at(timeMs), actions)
  }

  #save(nowMs: number, actions: ReplicaAction[]): void {
    const store = this.#store
    if (store === undefined || store.isWriting) return
    this.#outbox.sealAll(nowMs)
    if (!this.isLive) this.#outbox.foldUnsent(this.#options.unsentBatchesMax ?? 1024)
    if (!store.hasStaged) return
    this.#savedAtMs = nowMs
    this.#savingTo = this.#outbox.lastChange
    const { lsn, epoch } = this
    const { lastChange } = this.#outbox
    this.#outbox.beginSave()
    actions.push({
      type: 'commit',
      puts: store.write({
        lsn,
        epoch,
        lastChange,
        clock: this.#editor.stamp,
        incarnations: this.#incarnations,
      }),
    })
  }

  /** The write survives a power cut. */
  committed(timeMs: number, actions: ReplicaAction[]): void {
    this.#store?.written()
    this.#saved = this.#savingTo
    this.#outbox.endSave()
    // What the hub may forget has moved.
    this.#declaredConfirmed = -1
    actions.push({ type: 'saved', change: this.savedChange })
    this.flush(timeMs, actions)
  }

  /** The write failed, and nothing of it is there: it is part of the next. */
  notCommitted(): void {
    this.#store?.notWritten()
  }

  /** Writes own changes soon, and what only saves asking the hub again a little later. */
  #saveDue(nowMs: number, actions: ReplicaAction[]): void {
    if (this.#store === undefined) return
    const isUrgent = this.#store.hasBatches || this.#outbox.hasOpen
    const waitMs = isUrgent ? (this.#options.saveMs ?? 100) : 1000
    if (nowMs - this.#savedAtMs >= waitMs) this.#save(nowMs, actions)
  }

  /** Here we may only read: own changes are refused on the spot, and their numbers skipped. */
  #dropUnwritable(actions: ReplicaAction[]): void {
    if (this.pendingChanges === 0) return
    const touched = new TouchedRows()
    touched.add(this.accumulator)
    const from = this.#outbox.drop()
    this.#refuse(from, this.#outbox.lastChange, 'readonly', actions)
    actions.push({ type: 'changed', rows: touched.rows })
  }

  #tick(nowMs: number, actions: ReplicaAction[]): void {
    this.#saveDue(nowMs, actions)
    // Only the answer to the last greeting counts, so each waits twice as long as the one before: any round trip fits once.
    const greetingMs = Math.min(greetingMsMax, 2 * this.#quietMs * 2 ** (this.#attempt - 1))
    if (this.#link === 'greeting' && nowMs - this.#greetedAtMs > greetingMs) this.#greet(nowMs, actions)
    if (this.#link !== 'live') return
    this.stats.batchesResent += this.#outbox.rewindIfQuiet(nowMs, this.#quietMs)
    this.#flush(nowMs, actions)
    if (!this.isLive) return
    if (this.#early.size > 0) this.#report(nowMs, actions)
    this.#declare(nowMs, actions)
    if (nowMs - this.#probeAtMs < this.#quietMs) return
    this.#probeAtMs = nowMs
    for (const probe of this.#outbox.probes()) {
      writeBatch(this.#messages.begin(), probe)
      actions.push(this.#messages.end())
    }
  }

  #greet(nowMs: number, actions: ReplicaAction[]): void {
    const claims = this.#outbox.claim()
    // Once only: what a second greeting would repeat may be there already.
    this.#isEager = this.#isOrdered && this.#attempt === 0 && this.#outbox.isUnbroken
    const w = this.#messages.begin()
    writeHello(w)
    if (this.#options.token !== undefined) writeAuth(w, this.#options.token)
    writeSubscribe(w, {
      attempt: ++this.#attempt,
      space: this.#options.space,
      schema: this.schema.encode(),
      epoch: this.epoch,
      lsn: this.lsn,
      stampBaseMs: this.#stampBase.ms,
      isOrdered: this.#isOrdered,
      claims,
    })
    actions.push(this.#messages.end())
    this.#greetedAtMs = nowMs
    this.#forksAhead.clear()
  }

  /** Tells the hub where we stand, when that changed: it may then forget labels and knows our lag. */
  #declare(nowMs: number, actions: ReplicaAction[]): void {
    const { confirmed } = this.#outbox
    if (nowMs - this.#haveAtMs < haveMs && this.lsn - this.#declaredLsn < haveEntries) return
    if (this.#declaredLsn === this.lsn && this.#declaredConfirmed === confirmed) return
    this.#haveAtMs = nowMs
    this.#declaredLsn = this.lsn
    this.#declaredConfirmed = confirmed
    const w = this.#messages.begin()
    writeHave(w, this.lsn, this.#outbox.settled)
    actions.push(this.#messages.end())
  }

  /**
   * The log does not go on where we stand: asks for it from here, at most four times while it is quiet. On a link that keeps order nothing is
   * missing that was sent, so the two ends have counted differently, and a new connection begins from what we declare.
   */
  #report(nowMs: number, actions: ReplicaAction[]): void {
    if (this.#isOrdered) {
      this.#leave(actions)
      return
    }
    if (nowMs - this.#needAtMs < this.#quietMs / 4) return
    this.#needAtMs = nowMs
    const w = this.#messages.begin()
    writeNeed(w, this.lsn)
    actions.push(this.#messages.end())
  }

  // ── what the hub says ───────────────────────────────────────────────────────────────────────────────────────────

  #receive(nowMs: number, bytes: Uint8Array, actions: ReplicaAction[]): void {
    try {
      const frames = scanDownlink(bytes)
      for (let i = 0; i < frames.length; i++) this.#take(nowMs, frames[i], actions)
      if (!this.isLive) return
      // First what the hub may forget, when it is much: what follows needs the room.
      if (this.lsn - this.#declaredLsn >= haveEntries) this.#declare(nowMs, actions)
      this.#flush(nowMs, actions)
      this.#declare(nowMs, actions)
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      actions.push({ type: 'fail', error, fatal: false })
    }
  }

  #take(nowMs: number, frame: ScannedFrame, actions: ReplicaAction[]): void {
    if (frame.type === 'welcome') {
      this.#welcome(nowMs, frame, actions)
    } else if (frame.type === 'error') {
      actions.push({ type: 'fail', error: new AtomikError(frame.code, frame.text), fatal: frame.fatal })
    } else if (frame.type === 'lack') {
      if (frame.attempt === this.#attempt) this.#lend(frame.rows, actions)
    } else if (this.#link === 'live') {
      if (frame.type === 'entries' || frame.type === 'fold' || frame.type === 'snapshot')
        this.#follow(nowMs, frame, actions)
      else if (frame.type === 'entry')
        this.#follow(
          nowMs,
          { type: 'delta', lsn: nearestNumber(frame.lsnBits, this.lsn), body: frame.body },
          actions,
        )
      else if (frame.type === 'ack') this.#ack(nowMs, frame, actions)
      else if (frame.type === 'resend') this.#resend(nowMs, frame.alias, frame.sequence, actions)
      else if (frame.type === 'fork') this.#forked(nowMs, frame, actions)
    }
  }

  /** The hub's disk lost rows: it gets those of the reference, and judges whether they are what it had. */
  #lend(rows: readonly { readonly table: number; readonly row: number }[], actions: ReplicaAction[]): void {
    let lent: LentRow[] = []
    let words = 0
    const send = () => {
      writeRows(this.#messages.begin(), lent)
      actions.push(this.#messages.end())
      lent = []
      words = 0
    }
    for (const { table, row: number } of rows) {
      const row = this.#numbers.rowNumbered(table, number)
      const reference = this.reference.tables[table]
      if (row < 0 || reference === undefined) continue
      const halves: Halves[] = []
      const stride = 2 * reference.layout.words
      for (let i = row * stride; i < (row + 1) * stride; i += 2)
        halves.push({ low: reference.words[i], high: reference.words[i + 1] })
      lent.push({ table, row: number, key: reference.keys[row], words: halves })
      words += halves.length + limits.keyBytesMax / 8
      // A word takes at most 9 bytes.
      if (9 * (words + limits.rowWordsMax) > limits.uplinkBytesMax / 2) send()
    }
    if (lent.length > 0) send()
  }

  #welcome(nowMs: number, frame: ScannedFrame & { type: 'welcome' }, actions: ReplicaAction[]): void {
    if (this.#link !== 'greeting' || frame.attempt !== this.#attempt) return
    this.epoch = frame.epoch
    if (frame.lsn !== this.lsn) {
      // The hub does not know our position: what it sends starts from nothing.
      this.#unload(actions)
      // Where order is kept it waits for us to say so: what we sent so far may name rows by numbers that mean nothing there.
      if (this.#isOrdered) {
        this.#greet(nowMs, actions)
        return
      }
    }
    this.#link = 'live'
    this.#quietMs = Math.max(this.#resendMs, 2 * (nowMs - this.#greetedAtMs))
    if (!this.#isEager) this.#outbox.reconnect(nowMs, this.#stampBase)
    this.#isWritable = frame.writable
    this.#opening.set({ ms: frame.stampBaseMs, count: 0 })
    this.#needAtMs = Number.NEGATIVE_INFINITY
    this.#declaredLsn = -1
    this.#catchUpLsn = frame.toLsn
    this.#store?.stagePosition()
    let isLate = false
    for (const head of frame.heads) isLate = this.#outbox.heard(head.alias, head.sequence) || isLate
    const behind = frame.heads.filter(({ alias }) => this.#outbox.isBehind(alias))
    if (behind.length > 0) {
      for (const { alias } of behind) this.#rotate(nowMs, alias, actions)
      this.#leave(actions)
      return
    }
    const settled = frame.heads.flatMap(({ alias }) => this.#outbox.closeGap(alias))
    if (settled.length > 0) {
      const touched = new TouchedRows()
      for (const { delta } of settled) touched.add(delta)
      actions.push({ type: 'changed', rows: touched.rows })
    }
    if (isLate && this.lsn > 0) {
      this.#reload(actions)
      return
    }
    this.#probe(frame.heads, true)
    actions.push({ type: 'welcome', writable: frame.writable })
    if (this.lsn >= this.#catchUpLsn) this.#caughtUp(actions)
  }

  /**
   * The hub's head is none that we could have moved: beyond all we ever sealed, so a copy of us went on, before we came or since; or,
   * in a welcome, another than it had confirmed to us, so its disk was set back. An empty change makes it say where we parted.
   * Without one, a replica that has nothing to write would wait for ever for the proof of its own entries.
   */
  #probe(heads: readonly Head[], isWelcome: boolean): void {
    if (heads.some(head => this.#outbox.isAstray(head, isWelcome))) this.#outbox.addProbe()
  }

  #caughtUp(actions: ReplicaAction[]): void {
    this.#catchUpLsn = -1
    this.#isGivenUp = false
    actions.push({ type: 'caught-up' })
  }

  /** Back to an empty reference at log number 0; own changes stay in the accumulator. */
  #unload(actions: ReplicaAction[]): void {
    const touched = new TouchedRows()
    touched.addAll(this.reference)
    this.reference.clear()
    this.#isGivenUp = true
    this.#outbox.rebuild()
    this.lsn = 0
    this.#numbers.forget()
    this.#store?.stageAll()
    if (touched.rows.length > 0) actions.push({ type: 'changed', rows: touched.rows })
  }

  /** Applies frames of the log in their order; keeps those that came early, drops those that came again. */
  #follow(nowMs: number, frame: LogFrame, actions: ReplicaAction[]): void {
    const touched = new TouchedRows()
    const before = this.#outbox.confirmed
    try {
      this.#followAll(nowMs, frame, touched, actions)
    } finally {
      // Also when a later entry makes no sense: those before it hold.
      if (touched.rows.length > 0) actions.push({ type: 'changed', rows: touched.rows })
      if (this.#outbox.confirmed > before) actions.push({ type: 'confirmed', change: this.#outbox.confirmed })
    }
    if (this.#catchUpLsn >= 0 && this.lsn >= this.#catchUpLsn) this.#caughtUp(actions)
    if (this.#forksAhead.size > 0) this.#parted(nowMs, actions)
  }

  #followAll(nowMs: number, frame: LogFrame, touched: TouchedRows, actions: ReplicaAction[]): void {
    let next: LogFrame | undefined = frame
    while (next !== undefined) {
      const end: number =
        next.type === 'entries' ? next.lsn + next.count : next.type === 'delta' ? next.lsn + 1 : next.toLsn
      if (end <= this.lsn) {
        this.stats.duplicatesDropped++
      } else if (next.lsn > this.lsn) {
        if (this.#early.size < earlyFramesMax) this.#early.set(next.lsn, next)
        this.#report(nowMs, actions)
        break
      } else if (next.type === 'entries') {
        this.#applyEntries(nowMs, next, touched, actions)
      } else if (next.type === 'delta') {
        this.#applyDelta(next.body, 0, next.body.length, touched)
        this.#passEntry()
      } else if (next.lsn < this.lsn && !isWhole(next)) {
        // It overlaps what we have, and cannot be split: ask from here.
        this.stats.duplicatesDropped++
        this.#report(nowMs, actions)
      } else {
        this.#applyFold(nowMs, next, touched, actions)
      }
      next = this.#nextEarly()
    }
  }

  #nextEarly(): LogFrame | undefined {
    if (this.#early.size === 0) return undefined
    for (const [start, frame] of this.#early) {
      if (start > this.lsn) continue
      this.#early.delete(start)
      if (start === this.lsn) this.stats.gapsRepaired++
      return frame
    }
    return undefined
  }

  #applyEntries(nowMs: number, frame: EntriesFrame, touched: TouchedRows, actions: ReplicaAction[]): void {
    const cursor = this.#cursor
    cursor.reset(frame.bytes)
    const from = Math.max(0, this.lsn - frame.lsn)
    for (let i = 0; i < frame.count; i++) {
      cursor.next()
      if (i < from) continue
      if (cursor.kind === 'delta') this.#applyDelta(frame.bytes, cursor.start, cursor.end, touched)
      else if (cursor.kind !== 'nothing') this.#applyOwn(nowMs, cursor, touched, actions)
      this.#passEntry()
    }
  }

  #passEntry(): void {
    this.lsn++
    this.#store?.stagePosition()
    this.stats.entriesApplied++
  }

  #applyDelta(bytes: Uint8Array, start: number, end: number, touched: TouchedRows): void {
    const reader = this.#reader
    reader.reset(bytes, start, end)
    this.#entryBase.set(this.#opening)
    this.#entryBase.raise(this.reference.latest)
    const directory = this.#numbers
    const decoded = this.#decoder.decode(reader, directory, this.#entryBase, this.#arrived)
    if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
    this.#numbers.admit(decoded)
    this.reference.accum(decoded.delta)
    this.#store?.stageRows(decoded.delta)
    this.#editor.see(decoded.delta)
    touched.add(decoded.delta)
  }

  /** The next of our own batches: accepted, it moves from the accumulator to the reference; refused, it is gone. */
  #applyOwn(
    nowMs: number,
    { kind, alias, to, code }: StreamCursor,
    touched: TouchedRows,
    actions: ReplicaAction[],
  ): void {
    if (this.#outbox.firstEnd(alias) !== to)
      throw new AtomikError('malformed', `the hub settles change ${to}, which is not the next of ours`)
    const isAccepted = kind === 'own'
    const batch = this.#outbox.settle(nowMs, alias, isAccepted)
    if (isAccepted) {
      this.#admitOwn(batch)
      this.#store?.stageRows(batch.delta)
    } else {
      this.#refuse(batch.from, batch.to, code, actions)
      touched.add(batch.delta)
    }
    this.#outbox.recycle(batch)
  }

  /** Into the reference, at its place in the log. */
  #admitOwn(batch: PendingBatch): void {
    const { reference } = this
    const { table, row } = batch
    if (table >= 0 && reference.takesGroups && this.#numbers.hasNumber(table, row)) {
      reference.accumGroup(table, row, batch.word, batch.halves, batch.at, batch.digestLow, batch.digestHigh)
      return
    }
    this.#numbers.admitOwn(batch.delta)
    reference.accum(batch.delta)
  }

  /** A fold accumulates, a snapshot replaces whole rows; both name the heads they contain. */
  #applyFold(
    nowMs: number,
    frame: ScannedFrame & { type: 'fold' | 'snapshot' },
    touched: TouchedRows,
    actions: ReplicaAction[],
  ): void {
    const whole = isWhole(frame)
    const reader = new Reader(frame.body)
    const directory = whole ? this.#numbers.unnumbered : this.#numbers
    const decoded = this.#decoder.decode(reader, directory, this.#opening)
    if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
    if (whole) this.#numbers.forget()
    this.#numbers.admit(decoded)
    if (frame.type === 'fold') {
      this.reference.accum(decoded.delta)
      this.stats.folds++
    } else {
      if (whole) {
        touched.addAll(this.reference)
        this.reference.clear()
        this.#outbox.rebuild()
        this.#store?.stageAll()
      }
      this.reference.load(decoded.delta)
      this.stats.snapshots++
    }
    this.#store?.stageRows(decoded.delta)
    this.#editor.see(decoded.delta)
    touched.add(decoded.delta)
    this.lsn = frame.toLsn
    for (const head of frame.heads) this.#settleUpTo(nowMs, head, touched, actions)
  }

  /** Batches that a fold or snapshot names as contained, or refused, leave the accumulator. */
  #settleUpTo(nowMs: number, head: Head, touched: TouchedRows, actions: ReplicaAction[]): void {
    const { alias } = head
    for (
      let first = this.#outbox.first(alias);
      first && first.endSequence <= head.sequence;
      first = this.#outbox.first(alias)
    ) {
      const { endSequence } = first
      const refusal = head.refused.find(({ to }) => to === endSequence)
      const batch = this.#outbox.settle(nowMs, alias, refusal === undefined)
      touched.add(batch.delta)
      if (refusal !== undefined) this.#refuse(batch.from, batch.to, refusal.code, actions)
      this.#outbox.recycle(batch)
    }
  }

  #refuse(from: number, to: number, code: ErrorCode, actions: ReplicaAction[]): void {
    this.stats.refused++
    this.#undo.forget(from, to)
    actions.push({ type: 'refused', from, to, code })
  }

  #ack(nowMs: number, frame: ScannedFrame & { type: 'ack' }, actions: ReplicaAction[]): void {
    for (const head of frame.heads) this.#outbox.heard(head.alias, head.sequence)
    this.#probe(frame.heads, false)
    if (frame.lsn > this.lsn) {
      // Where order is kept it is not lost but on its way, behind the proof of own entries.
      if (!this.#isOrdered) this.#report(nowMs, actions)
    } else if (frame.lsn === this.lsn) {
      const { low, high } = this.reference.fingerprint
      if (frame.digest.low === low && frame.digest.high === high) return
      this.stats.divergences++
      this.#reload(actions)
    }
  }

  /** Gives up the reference and asks for a whole one. */
  #reload(actions: ReplicaAction[]): void {
    this.#unload(actions)
    this.epoch = zero
    this.#leave(actions)
  }

  /** Aliases mean what they mean for the life of a connection: other claims need another one. */
  #leave(actions: ReplicaAction[]): void {
    this.#link = 'down'
    actions.push({ type: 'reconnect' })
  }

  #resend(nowMs: number, alias: number, sequence: number, actions: ReplicaAction[]): void {
    this.stats.batchesResent += this.#outbox.rewind(nowMs, alias, sequence)
    this.#flush(nowMs, actions)
  }

  /**
   * After `sequence` the hub holds another history of this incarnation, or none: batches up to there settle as the log
   * arrives, the rest is issued anew. A hub whose disk was set back names an end below what it had confirmed to us.
   *
   * On a new connection: on this one, batches of the old incarnation are on their way under the alias the new one would get, and
   * could be taken for its own.
   */
  #forked(nowMs: number, frame: ScannedFrame & { type: 'fork' }, actions: ReplicaAction[]): void {
    const settled = this.#outbox.settledOf(frame.alias)
    if (frame.attempt !== this.#attempt || settled === undefined) return
    // The log that settles what lies before comes behind: until then what follows it is not to be told from what a copy issued again.
    if (frame.sequence > settled) this.#forksAhead.set(frame.alias, frame.sequence)
    else this.#partWays(nowMs, frame.alias, actions)
  }

  /** Of forks that were told too early those whose turn has come. */
  #parted(nowMs: number, actions: ReplicaAction[]): void {
    for (const [alias, sequence] of this.#forksAhead)
      if ((this.#outbox.settledOf(alias) ?? 0) >= sequence) this.#partWays(nowMs, alias, actions)
  }

  #partWays(nowMs: number, alias: number, actions: ReplicaAction[]): void {
    this.#forksAhead.clear()
    this.#rotate(nowMs, alias, actions)
    this.#leave(actions)
  }

  #rotate(nowMs: number, alias: number, actions: ReplicaAction[]): void {
    const incarnation = this.#outbox.rotate(nowMs, alias)
    if (incarnation === undefined) return
    this.stats.forks++
    // Somebody may go on under it: it is ours no more.
    const ended = formatIncarnation(incarnation)
    const others = this.#incarnations.filter(id => id !== this.incarnation && formatIncarnation(id) !== ended)
    this.#incarnations = [...others, this.incarnation]
    actions.push({ type: 'forked', incarnation })
  }
}

/** A frame that moves the log number. */
type LogFrame =
  | (ScannedFrame & { readonly type: 'entries' | 'fold' | 'snapshot' })
  /** One entry that is a delta. */
  | { readonly type: 'delta'; readonly lsn: number; readonly body: Uint8Array }

/** A whole snapshot: it replaces everything, so it fits any position. */
function isWhole(frame: LogFrame): boolean {
  return frame.type === 'snapshot' && frame.lsn === 0
}

/** The same delta under other row indices. */
function renamed(delta: Delta, rowOf: (table: number, row: number) => number): Delta {
  const result = new Delta(delta.tables.map(table => table.layout))
  delta.tables.forEach(({ rows, count, words, layout }, t) => {
    const stride = 2 * layout.words
    for (let slot = 0; slot < count; slot++) {
      const at = result.tables[t].open(rowOf(t, rows[slot]))
      result.tables[t].words.set(words.subarray(slot * stride, (slot + 1) * stride), at)
    }
  })
  return result
}

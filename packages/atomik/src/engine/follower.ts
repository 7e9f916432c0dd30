/**
 * A second window on a replica that somebody else on this machine holds: the tab that does not have the store. To a program it is a
 * replica; what stands for the hub is the leader (leader.ts), over a link that keeps order.
 *
 *   READ = reference ⊙ accumulator ⊙ the change being made
 *          reference     READ of the leader's replica, row by row as it was told: its unsettled changes and ours that it took in
 *          accumulator   the fold of own changes that are not in there yet
 *
 *   saved ──── taken in, not saved ──── sent ──── made
 *         └ kept, to be sent again to the next leader ┘
 *
 * A leader may die at any moment and another take its place from the store. So a change is kept until it is saved there, and carries
 * (who, number), by which no leader takes it in twice. Nothing here outlives the process.
 */
import { Delta } from '../algebra/index.ts'
import { AtomikError, assert } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Schema } from '../schema/index.ts'
import { encodeUtf8 } from '../wire/index.ts'
import type { StampClock } from './clock.ts'
import { Editor } from './editor.ts'
import { decodeForFollower, deltaOf, encodeChanges, encodeHello, type FollowerFrame } from './follow.ts'
import { bytesAtMost } from './outbox.ts'
import { Reference } from './reference.ts'
import type { ReplicaAction, ReplicaEvent, ReplicaStats } from './replica.ts'
import { type Edit, type RowRef, TouchedRows } from './rows.ts'
import { UndoLog } from './undo.ts'

export interface FollowerOptions {
  readonly schema: Schema
  readonly random32: () => number
  /** Own changes that can still be undone. Default 1,000. */
  readonly undoDepth?: number
}

/** What one message to the leader holds, at most and about. */
const messageBytesMax = 1024 * 1024

export class Follower {
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
  /** Who this is to every leader: 16 random bytes. */
  readonly id: Uint8Array
  /** Log number of the leader's reference. */
  lsn = 0
  /** As the leader has it. */
  isLoaded = false
  lastChange = 0
  confirmedChange = 0
  #saved = 0
  /** Own changes up to here were sent on this link. */
  #sent = 0
  #isWelcome = false
  #leaderIsLive = false
  #leaderPending = 0
  /** Own changes above #saved, in order. */
  #kept: { readonly change: number; readonly delta: Delta }[] = []
  readonly #editor: Editor
  readonly #undo: UndoLog

  constructor(options: FollowerOptions) {
    this.schema = options.schema
    this.reference = new Reference(options.schema.layouts)
    this.accumulator = new Delta(options.schema.layouts)
    this.#editor = new Editor(options.schema, this.reference, this.accumulator)
    this.#undo = new UndoLog(options.undoDepth ?? 1000)
    this.id = new Uint8Array(16)
    const view = new DataView(this.id.buffer)
    for (let i = 0; i < 16; i += 4) view.setUint32(i, options.random32(), true)
  }

  get clock(): StampClock {
    return this.#editor.clock
  }

  get incarnation(): Uint8Array {
    return this.id
  }

  /** Regions are the leader's to write. */
  get incarnations(): readonly Uint8Array[] {
    return []
  }

  get mayMissRegions(): boolean {
    return false
  }

  /** The leader is there, and connected to the hub. */
  get isLive(): boolean {
    return this.#isWelcome && this.#leaderIsLive
  }

  get savedChange(): number {
    return Math.max(this.#saved, this.confirmedChange)
  }

  /** What the leader still has to bring to the hub, or we to the leader: whichever is more. */
  get pendingChanges(): number {
    return Math.max(this.#leaderPending, this.lastChange - this.confirmedChange)
  }

  /** Who we are, and four numbers. */
  get metadataBytes(): number {
    return 16 + 4 * 8
  }

  /** @throws AtomikError `range`, as `Replica.row` */
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

  findRow(table: number, key: string): number {
    return this.reference.tables[table].find(key)
  }

  readRow(table: number, row: number, out: Int32Array): void {
    this.#editor.readRow(table, row, out)
  }

  // ── changing, as `Replica` does ─────────────────────────────────────────────────────────────────────────────────

  change(nowMs: number, make: (edit: Edit) => void): number {
    if (this.#editor.isEditing) {
      make(this.#editor.edit)
      return this.lastChange + 1
    }
    const change = this.#editor.make(nowMs, make)
    if (!change.isEmpty) this.#commit(change)
    return this.lastChange
  }

  undo(nowMs: number, change: number): number {
    const { stands, last } = this.#undo.standing(change)
    return stands ? this.#invert(nowMs, last) : last
  }

  redo(nowMs: number, change: number): number {
    const { stands, last } = this.#undo.standing(change)
    return stands ? last : this.#invert(nowMs, last)
  }

  #invert(nowMs: number, change: number): number {
    this.#commit(this.#editor.fill(nowMs, (into, stamp) => this.#undo.invert(change, into, this, stamp)))
    this.#undo.tie(change, this.lastChange)
    return this.lastChange
  }

  rowsOf(change: number): readonly RowRef[] {
    return this.#undo.rowsOf(change)
  }

  accum(nowMs: number, delta: Delta): number {
    if (this.#editor.isEditing) {
      this.#editor.fold(delta)
      return this.lastChange + 1
    }
    if (!delta.isEmpty) this.#commit(this.#editor.fill(nowMs, into => into.fold(delta)))
    return this.lastChange
  }

  #commit(delta: Delta): void {
    // The leader makes it a change of its replica, which no message could carry.
    if (bytesAtMost(delta) > limits.uplinkBytesMax - 1024)
      throw new AtomikError('oversized', `a change of ${bytesAtMost(delta)} bytes or less is too large`)
    this.#undo.record(this.lastChange + 1, delta, this)
    this.lastChange++
    this.stats.changes++
    this.accumulator.fold(delta)
    this.#kept.push({ change: this.lastChange, delta })
  }

  // ── the leader ──────────────────────────────────────────────────────────────────────────────────────────────────

  step(nowMs: number, event: ReplicaEvent, actions: ReplicaAction[]): void {
    if (event.type === 'open') {
      this.#isWelcome = false
      actions.push({ type: 'send', bytes: encodeHello(this.id, this.schema.hash, this.#saved) })
    } else if (event.type === 'close') {
      this.#isWelcome = false
    } else if (event.type === 'message') {
      try {
        this.#take(decodeForFollower(event.bytes, this.schema.layouts), actions)
      } catch (error) {
        if (!(error instanceof AtomikError)) throw error
        actions.push({ type: 'fail', error, fatal: false })
      }
      this.flush(nowMs, actions)
    }
  }

  /** Sends what is new. */
  flush(_nowMs: number, actions: ReplicaAction[]): void {
    if (!this.#isWelcome) return
    let part: Delta[] = []
    let bytes = 0
    const send = () => {
      if (part.length === 0) return
      actions.push({
        type: 'send',
        bytes: encodeChanges(this.#sent - part.length + 1, part, this.reference),
      })
      part = []
      bytes = 0
    }
    for (const { change, delta } of this.#keptAfter(this.#sent)) {
      assert(change === this.#sent + 1, 'changes are kept without a gap until they are saved')
      part.push(delta)
      this.#sent = change
      bytes += bytesAtMost(delta)
      if (bytes > messageBytesMax) send()
    }
    send()
  }

  /** The leader writes what it takes in at once. */
  save(_nowMs: number, _actions: ReplicaAction[]): void {}
  committed(_nowMs: number, _actions: ReplicaAction[]): void {}
  notCommitted(): void {}

  #take(frame: FollowerFrame, actions: ReplicaAction[]): void {
    switch (frame.type) {
      case 'welcome': {
        const touched = new TouchedRows()
        touched.addAll(this.reference)
        this.reference.clear()
        this.#isWelcome = true
        this.#include(frame.taken)
        this.#sent = frame.taken
        const delta = deltaOf(frame.rows, this.reference)
        this.reference.load(delta)
        this.#editor.see(delta)
        touched.add(delta)
        this.stats.snapshots++
        actions.push({ type: 'welcome', writable: true }, { type: 'changed', rows: touched.rows })
        return
      }
      case 'rows': {
        if (!this.#isWelcome) return
        const delta = deltaOf(frame.rows, this.reference)
        this.reference.load(delta)
        this.#editor.see(delta)
        this.#include(frame.included)
        this.stats.entriesApplied++
        const touched = new TouchedRows()
        touched.add(delta)
        actions.push({ type: 'changed', rows: touched.rows })
        return
      }
      case 'fate': {
        if (!this.#isWelcome) return
        const { saved, confirmed } = frame
        this.lsn = frame.lsn
        this.#leaderIsLive = frame.isLive
        this.#leaderPending = frame.pending
        this.#saved = Math.max(this.#saved, saved)
        this.#kept = this.#keptAfter(this.#saved)
        this.confirmedChange = Math.max(this.confirmedChange, confirmed)
        actions.push({ type: 'saved', change: this.savedChange })
        this.isLoaded = frame.isLoaded
        if (frame.isReady) actions.push({ type: 'caught-up' })
        return
      }
      case 'refused':
        this.stats.refused++
        this.#undo.forget(frame.from, frame.to)
        actions.push({ type: 'refused', from: frame.from, to: frame.to, code: frame.code })
        return
      case 'forked':
        this.stats.forks++
        actions.push({ type: 'forked', incarnation: frame.incarnation })
        return
      case 'fail':
        actions.push({ type: 'fail', error: frame.error, fatal: frame.fatal, isElsewhere: true })
        return
    }
  }

  /** Own changes up to this one are in the reference; the accumulator holds the others. */
  #include(change: number): void {
    this.accumulator.clear()
    for (const { delta } of this.#keptAfter(change)) this.accumulator.fold(delta)
  }

  /** Those kept that came after this change. They are numbered without a gap. */
  #keptAfter(change: number) {
    const first = this.#kept[0]?.change ?? 0
    return this.#kept.slice(Math.max(0, change + 1 - first))
  }
}

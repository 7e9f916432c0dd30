/**
 * What a node of a mesh holds: the histories of all incarnations, the state they add up to, and its own changes; and how each
 * grows. Knows frames as they are read, not peers: who is told what is `mesh.ts`.
 *
 * Invariants: the reference is the fold of all segments held, each once; the digests are those of where the histories end;
 * own segments carry the labels of one chain, and a chain somebody else goes on with is left to both.
 */
import { Delta, Fingerprint, Mixer } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Schema } from '../schema/index.ts'
import {
  decodeDelta,
  decodeMesh,
  encodeDelta,
  encodeUtf8,
  type Halves,
  type MeshBound,
  type MeshFrame,
  type MeshSegment,
  type MeshSummary,
  meshBuckets,
  namesByKey,
  Reader,
  type RowDirectory,
  type RowNames,
  Writer,
  writeMesh,
} from '../wire/index.ts'
import type { BranchParent } from './branch.ts'
import { hasStampAfter, type StampClock, SteadyClock } from './clock.ts'
import { Editor } from './editor.ts'
import { History, inNameOrder, portions, sameBound } from './history.ts'
import { formatIncarnation, nextLabel } from './label.ts'
import { bytesAtMost } from './outbox.ts'
import { digestDelta, Reference } from './reference.ts'
import { type Edit, type RowRef, TouchedRows } from './rows.ts'
import { UndoLog } from './undo.ts'

export interface MeshOptions {
  readonly schema: Schema
  readonly space: string
  /** A source of uniform 32-bit numbers: incarnations and salts come from it. */
  readonly random32: () => number
  /** Own changes that can still be undone. Default 1,000. */
  readonly undoDepth?: number
  /** How often a peer that may lack something is told where we stand. Default 400 ms. */
  readonly announceMs?: number
  /** Segments with stamps further ahead of our clock than this wait outside. Default 10 minutes. */
  readonly skewMsMax?: number
  /** Segments of one incarnation kept apart: how far back a fork is told from a repeat. Default 64. */
  readonly segmentsKept?: number
}

/** What a state has to tell. */
export type MeshNews =
  /** Rows whose READ may have changed, once a message. */
  | { readonly type: 'changed'; readonly rows: readonly RowRef[] }
  /** Two machines went on as one incarnation. `own`: we are one of them, and go on under a new one. */
  | { readonly type: 'fork'; readonly incarnation: string; readonly own: boolean }
  /** A copy of this machine went on too far apart from it to keep both histories: changes made here may be gone. */
  | { readonly type: 'lost'; readonly incarnation: string }

/** Where news go. */
export type MeshNewsSink = { push(news: MeshNews): unknown }

export interface MeshStats {
  changes: number
  segmentsSealed: number
  segmentsApplied: number
  duplicatesDropped: number
  /** Segments whose beginning was not here yet. */
  gapsSeen: number
  wholesApplied: number
  forks: number
  /** Times own history could not be kept beside a copy's. */
  lost: number
  /** Segments that came with stamps too far ahead. */
  stampsAhead: number
  /** A peer held the same histories and another state. Never seen without a bug. */
  divergences: number
}

/** Estimated bytes of open changes that are sealed even when nobody is there. */
const openBytesMax = 16 * 1024 * 1024
const saltMs = 1000
/** Stamps are coded against the beginning of 2025: both sides must count from one moment. */
const stampBase = { ms: 1_735_689_600_000, count: 0 }

export class MeshState implements BranchParent {
  readonly schema: Schema
  readonly reference: Reference
  /** The fold of own changes not yet in a segment. */
  readonly accumulator: Delta
  readonly stats: MeshStats = {
    changes: 0,
    segmentsSealed: 0,
    segmentsApplied: 0,
    duplicatesDropped: 0,
    gapsSeen: 0,
    wholesApplied: 0,
    forks: 0,
    lost: 0,
    stampsAhead: 0,
    divergences: 0,
  }
  protected readonly options: MeshOptions
  /** What all timers here are held against; only stamps take the time of day. */
  protected readonly steady = new SteadyClock()
  readonly #skewMsMax: number
  readonly #editor: Editor
  readonly #undo: UndoLog
  readonly #directory: RowDirectory
  readonly #names: RowNames
  protected readonly histories = new Map<string, History>()
  /** Digests of the ends of all histories, by part. */
  protected readonly buckets = Array.from({ length: meshBuckets }, () => new Fingerprint())
  /** Where each history stood when it was last counted into its part. */
  readonly #counted = new Map<History, readonly MeshBound[]>()
  /** Incarnations of this opening: more than one after a fork. */
  readonly #mine = new Set<string>()
  /** Incarnations known to be forked. */
  readonly #forked = new Set<string>()
  protected id: Uint8Array
  /** Where our own history ends. */
  #head: MeshBound
  #lastChange = 0
  #sealedChange = 0
  #salt: Halves = { low: 0, high: 0 }
  #saltAtMs = Number.NEGATIVE_INFINITY
  readonly #mixer = new Mixer()
  readonly #body = new Writer()

  constructor(options: MeshOptions) {
    this.options = options
    this.#skewMsMax = options.skewMsMax ?? 600_000
    this.schema = options.schema
    const { layouts } = options.schema
    this.reference = new Reference(layouts)
    this.accumulator = new Delta(layouts)
    this.#editor = new Editor(options.schema, this.reference, this.accumulator)
    this.#undo = new UndoLog(options.undoDepth ?? 1000)
    const { tables } = this.reference
    this.#directory = {
      rowNumbered: () => -1,
      rowNamed: (table, key) => tables[table].find(key),
      rowCount: table => tables[table].count,
      knownRows: () => 0,
      hasLiterals: true,
      hasNumber: () => false,
    }
    this.#names = namesByKey((table, row) => tables[table].keys[row])
    this.id = this.#draw()
    this.#head = new History(this.id, new Delta([])).base
  }

  /** The present incarnation, as 32 hexadecimal digits. */
  get incarnation(): string {
    return formatIncarnation(this.id)
  }

  get clock(): StampClock {
    return this.#editor.clock
  }

  /** Number of the last own change. */
  get lastChange(): number {
    return this.#lastChange
  }

  /** Own changes that no segment holds yet. */
  get openChanges(): number {
    return this.#lastChange - this.#sealedChange
  }

  /** Incarnations whose changes are held here. */
  get historyCount(): number {
    return this.histories.size
  }

  // ── reading and changing, as on a replica ───────────────────────────────────────────────────────────────────────

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

  /** Makes one change, as `Replica.change`. @throws AtomikError `oversized` */
  change(nowMs: number, make: (edit: Edit) => void): number {
    if (this.#editor.isEditing) {
      make(this.#editor.edit)
      return this.#lastChange + 1
    }
    const change = this.#editor.make(nowMs, make)
    return change.isEmpty ? this.#lastChange : this.#commit(nowMs, change)
  }

  /** Undoes one own change, as `Replica.undo`. @throws AtomikError `unknown-change` */
  undo(nowMs: number, change: number): number {
    const { stands, last } = this.#undo.standing(change)
    return stands ? this.#invert(nowMs, last) : last
  }

  /** Brings back an own change that was undone, as `Replica.redo`. @throws AtomikError `unknown-change` */
  redo(nowMs: number, change: number): number {
    const { stands, last } = this.#undo.standing(change)
    return stands ? last : this.#invert(nowMs, last)
  }

  #invert(nowMs: number, change: number): number {
    const undoing = this.#commit(
      nowMs,
      this.#editor.fill(nowMs, (into, stamp) => this.#undo.invert(change, into, this, stamp)),
    )
    this.#undo.tie(change, undoing)
    return undoing
  }

  /** Rows that an own change touched. @throws AtomikError `unknown-change` */
  rowsOf(change: number): readonly RowRef[] {
    return this.#undo.rowsOf(change)
  }

  accum(nowMs: number, delta: Delta): number {
    if (this.#editor.isEditing) {
      this.#editor.fold(delta)
      return this.#lastChange + 1
    }
    if (delta.isEmpty) return this.#lastChange
    return this.#commit(
      nowMs,
      this.#editor.fill(nowMs, into => into.fold(delta)),
    )
  }

  #commit(nowMs: number, change: Delta): number {
    const bytes = bytesAtMost(change)
    if (bytes > limits.downlinkBytesMax / 2)
      throw new AtomikError('oversized', `a change of up to ${bytes} bytes is more than one message carries`)
    if (bytesAtMost(this.accumulator) + bytes > openBytesMax) this.seal(nowMs)
    this.#undo.record(this.#lastChange + 1, change, this)
    this.accumulator.fold(change)
    this.stats.changes++
    return ++this.#lastChange
  }

  // ── what we hold, as messages ───────────────────────────────────────────────────────────────────────────────────

  /** Everything held here, as one message: a node that takes it in with `restore` holds it too. */
  image(nowMs: number): Uint8Array {
    this.seal(nowMs)
    const w = new Writer()
    for (const history of inNameOrder(this.histories.values()))
      for (const frame of this.framesFor(history, [])) writeMesh(w, frame)
    return w.finish()
  }

  /** Takes in what an image holds, under the incarnation drawn at opening. @throws AtomikError when it makes no sense */
  restore(nowMs: number, image: Uint8Array): void {
    if (image.length === 0) return
    for (const frame of decodeMesh(image, Number.POSITIVE_INFINITY)) {
      if (frame.type === 'segments') this.takeSegments(nowMs, frame, [], [])
      else if (frame.type === 'whole') this.takeWhole(nowMs, frame, [])
      else throw new AtomikError('malformed', `a ${frame.type} frame in an image`)
    }
  }

  protected get summary(): MeshSummary {
    const { low, high } = this.reference.fingerprint
    return { vector: this.vectorDigest(), state: { low, high } }
  }

  protected vectorDigest(): Halves {
    const sum = { low: 0, high: 0 }
    for (const { low, high } of this.buckets) {
      const carry = (sum.low >>> 0) + (low >>> 0) >= 2 ** 32 ? 1 : 0
      sum.low = (sum.low + low) | 0
      sum.high = (sum.high + high + carry) | 0
    }
    return sum
  }

  /** Counts a history's ends into the digest of its part. */
  #count(history: History): void {
    const before = this.#counted.get(history) ?? []
    const now = history.leaves
    const bucket = this.buckets[bucketOf(history.id)]
    this.#mixer.hash(meshBuckets, history.id)
    const { low, high } = this.#mixer
    for (const { label } of before) bucket.replace(low, high, label.low, label.high, 0, 0)
    for (const { label } of now) bucket.replace(low, high, 0, 0, label.low, label.high)
    this.#counted.set(history, now)
  }

  /** What a reader lacks of a history who holds it up to these bounds. */
  protected *framesFor(history: History, known: readonly MeshBound[]): Iterable<MeshFrame> {
    const incarnation = history.id
    const { segments, whole } = history.beyond(known)
    if (whole) {
      const body = this.#body
      body.reset()
      encodeDelta(body, history.delta, this.#names, stampBase)
      const { base: to, inside, beside } = history
      yield { type: 'whole', incarnation, to, inside, beside, body: body.finish() }
    }
    for (const part of portions(segments)) yield { type: 'segments', incarnation, segments: part }
  }

  // ── growing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes the segments of one history that fit on what is here; `fresh` gets them in order, also when a later one makes no sense.
   * @throws AtomikError
   */
  protected takeSegments(
    nowMs: number,
    frame: MeshFrame & { type: 'segments' },
    news: MeshNewsSink,
    fresh: MeshSegment[],
  ): void {
    const history = this.#open(frame.incarnation)
    const touched = new TouchedRows()
    try {
      for (const segment of frame.segments) {
        if (history.knows(segment.to)) this.stats.duplicatesDropped++
        else if (!history.knows(segment.from)) this.stats.gapsSeen++
        else {
          const kept = { ...segment, body: segment.body.slice() }
          const delta = this.#decode(kept.body)
          if (hasStampAfter(nowMs + this.#skewMsMax, delta)) {
            this.stats.stampsAhead++
            break
          }
          if (!history.add(kept)) break
          this.#accum(delta, touched)
          this.stats.segmentsApplied++
          fresh.push(kept)
        }
      }
    } finally {
      // Also when a later segment makes no sense: those before it hold.
      if (fresh.length > 0) {
        this.#learnt(history, news)
        news.push({ type: 'changed', rows: touched.rows })
      } else if (history.segmentCount === 0 && history.base.sequence === 0) {
        this.histories.delete(formatIncarnation(history.id))
      }
    }
  }

  /** Takes the folded beginning of a history. @throws AtomikError */
  protected takeWhole(nowMs: number, frame: MeshFrame & { type: 'whole' }, news: MeshNewsSink): void {
    const history = this.#open(frame.incarnation)
    if (history.knows(frame.to)) {
      this.stats.duplicatesDropped++
      return
    }
    const isNew = history.base.sequence === 0 && history.segmentCount === 0
    const decoded = this.#decode(frame.body)
    if (hasStampAfter(nowMs + this.#skewMsMax, decoded)) {
      this.stats.stampsAhead++
      if (isNew) this.histories.delete(formatIncarnation(history.id))
      return
    }
    const taken = history.take({ ...frame, delta: decoded })
    if (taken === 'known') {
      this.stats.duplicatesDropped++
      return
    }
    this.stats.wholesApplied++
    const touched = new TouchedRows()
    if (isNew) this.#accum(decoded, touched)
    else this.#rebuild(touched)
    if (taken === 'replaced') {
      const incarnation = formatIncarnation(history.id)
      // Another's old beginning gives way whenever its bounds are forgotten: only the author can suspect a loss.
      if (this.#mine.has(incarnation)) {
        this.stats.lost++
        news.push({ type: 'lost', incarnation })
      }
    }
    this.#learnt(history, news)
    news.push({ type: 'changed', rows: touched.rows })
  }

  /** A history has grown: counts it, folds its beginning, and looks for a fork. */
  #learnt(history: History, news: MeshNewsSink): void {
    history.compact(this.options.segmentsKept ?? 64, body => this.#decode(body))
    this.#count(history)
    const name = formatIncarnation(history.id)
    const own = sameBytes(history.id, this.id)
    const isForked = own ? !sameEnds(history.leaves, [this.#head]) : history.leaves.length > 1
    if (!isForked) return
    if (own) this.#rotate()
    if (this.#forked.has(name)) return
    this.#forked.add(name)
    this.stats.forks++
    news.push({ type: 'fork', incarnation: name, own: this.#mine.has(name) })
  }

  #open(incarnation: Uint8Array): History {
    const name = formatIncarnation(incarnation)
    let history = this.histories.get(name)
    if (history === undefined) {
      if (this.histories.size >= limits.meshIncarnationsMax)
        throw new AtomikError('oversized', `more than ${limits.meshIncarnationsMax} incarnations in a mesh`)
      history = new History(incarnation, new Delta(this.schema.layouts))
      this.histories.set(name, history)
    }
    return history
  }

  /** @throws AtomikError; then no row was made */
  #decode(body: Uint8Array): Delta {
    const reader = new Reader(body)
    const { delta, named } = decodeDelta(reader, this.schema.layouts, this.#directory, stampBase)
    if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
    for (const { table, key } of named) this.reference.tables[table].open(key)
    return delta
  }

  #accum(delta: Delta, touched: TouchedRows): void {
    this.reference.accum(delta)
    this.#editor.see(delta)
    touched.add(delta)
  }

  /** The reference from nothing: a beginning took another's place, and a maximum cannot be taken out. */
  #rebuild(touched: TouchedRows): void {
    touched.addAll(this.reference)
    this.reference.clear()
    for (const history of this.histories.values()) {
      this.#accum(history.delta, touched)
      for (const { body } of history.segments) this.#accum(this.#decode(body), touched)
    }
  }

  // ── our own history ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes one segment of the open changes; they move from the accumulator to the reference. */
  protected seal(nowMs: number): MeshSegment | undefined {
    if (this.#lastChange === this.#sealedChange || this.#editor.isEditing) return undefined
    const steadyMs = this.steady.at(nowMs)
    if (steadyMs - this.#saltAtMs >= saltMs) {
      this.#salt = { low: this.options.random32() | 0, high: this.options.random32() | 0 }
      this.#saltAtMs = steadyMs
    }
    const body = this.#body
    body.reset()
    encodeDelta(body, this.accumulator, this.#names, stampBase)
    const digest = new Fingerprint()
    digestDelta(this.accumulator, this.reference.tables, digest)
    const from = this.#head
    const sequence = from.sequence + this.#lastChange - this.#sealedChange
    const to = { sequence, label: nextLabel(from.label, this.#salt, digest, sequence) }
    const segment = { from, to, body: body.finish() }
    const history = this.#open(this.id)
    history.add(segment)
    this.#head = to
    this.#sealedChange = this.#lastChange
    this.reference.accum(this.accumulator)
    this.accumulator.clear()
    this.stats.segmentsSealed++
    this.#learnt(history, [])
    return segment
  }

  /** Somebody else writes as we do: what is sealed stays and counts, and we go on under a new name. */
  #rotate(): void {
    this.id = this.#draw()
    this.#head = new History(this.id, new Delta([])).base
    this.#saltAtMs = Number.NEGATIVE_INFINITY
  }

  /** The next segment gets a salt of its own. */
  protected renewSalt(): void {
    this.#saltAtMs = Number.NEGATIVE_INFINITY
  }

  #draw(): Uint8Array {
    const id = new Uint8Array(16)
    for (let i = 0; i < 16; i += 4) {
      const word = this.options.random32()
      for (let b = 0; b < 4; b++) id[i + b] = word >>> (8 * b)
    }
    this.#mine.add(formatIncarnation(id))
    return id
  }
}

export function bucketOf(incarnation: Uint8Array): number {
  return incarnation[0] >> 4
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function sameEnds(a: readonly MeshBound[], b: readonly MeshBound[]): boolean {
  return a.length === b.length && a.every((bound, i) => sameBound(bound, b[i]))
}

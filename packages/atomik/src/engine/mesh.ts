/**
 * A node of a mesh: replicas that meet without a hub, in any order, and end equal. No I/O: events and the time come in,
 * actions go out. Any node passes on what it knows, so two that never meet agree through a third.
 *
 *   READ = reference ⊙ accumulator ⊙ the change being made
 *          reference     the fold of every incarnation's history, our own among them (history.ts)
 *          accumulator   own changes since the last segment; sealing one is a partial SWAP
 *
 * Nodes compare digests of where their histories end, then the ends themselves, and send what the other lacks. What is sent follows
 * from what the peer declares; what was only just learnt is passed on at once without asking. Segments are named by their label,
 * so losing, repeating and reordering messages costs bytes and nothing else (spec/semantics.md §11).
 *
 * Not here: a hub. A space lives on a hub or in a mesh, not on both. Not here either: sockets, timers, storage.
 *
 * Over 500 lines, a third of them the types of events, actions and figures: the rest is one protocol over one state.
 */
import { Delta, Fingerprint, Mixer, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { Schema } from '../schema/index.ts'
import {
  decodeDelta,
  decodeMesh,
  encodeDelta,
  encodeUtf8,
  type Halves,
  type MeshBound,
  type MeshEntry,
  type MeshFrame,
  type MeshSegment,
  type MeshSummary,
  meshBuckets,
  meshVersion,
  namesByKey,
  Reader,
  type RowDirectory,
  type RowNames,
  Writer,
  writeMesh,
} from '../wire/index.ts'
import type { BranchParent } from './branch.ts'
import type { StampClock } from './clock.ts'
import { Editor } from './editor.ts'
import { History, inNameOrder, sameBound } from './history.ts'
import { formatIncarnation, nextLabel, sameLabel } from './label.ts'
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

export type MeshEvent =
  /** A connection to another node is open. `peer` is any number not in use. */
  | { readonly type: 'open'; readonly peer: number }
  | { readonly type: 'close'; readonly peer: number }
  | { readonly type: 'message'; readonly peer: number; readonly bytes: Uint8Array }
  | { readonly type: 'tick' }

export type MeshAction =
  | { readonly type: 'send'; readonly peer: number; readonly bytes: Uint8Array }
  /** Rows whose READ may have changed, once a message. */
  | { readonly type: 'changed'; readonly rows: readonly RowRef[] }
  /** This peer holds exactly what we hold. */
  | { readonly type: 'same'; readonly peer: number }
  /** Two machines went on as one incarnation. `own`: we are one of them, and go on under a new one. */
  | { readonly type: 'fork'; readonly incarnation: string; readonly own: boolean }
  /**
   * A copy of this machine went on so far apart from it that only one of the two histories could be kept: changes made here
   * may be gone.
   */
  | { readonly type: 'lost'; readonly incarnation: string }
  /** The connection is of no use: other schema, other space, or nonsense. */
  | { readonly type: 'fail'; readonly peer: number; readonly error: AtomikError }

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

interface Peer {
  readonly id: number
  /** What it last said it holds; undefined before its greeting. */
  theirs: MeshSummary | undefined
  /** It has had our greeting. */
  heard: boolean
  /** What we last told it we hold, and when. */
  told: Halves | undefined
  toldAtMs: number
  askedAtMs: number
  /** The summary at which it was last found equal. */
  same: Halves | undefined
}

/** Histories up to which a vector is sent without comparing parts first. */
const vectorOutrightMax = 24
/** Bytes of segments in one message, unless one segment is more. */
const messageBytesMax = 256 * 1024
/** Estimated bytes of open changes that are sealed even when nobody is there. */
const openBytesMax = 16 * 1024 * 1024
const saltMs = 1000
/** Stamps are coded against the beginning of 2025: both sides must count from one moment. */
const stampBaseMs = 1_735_689_600_000

export class MeshNode implements BranchParent {
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
  readonly #options: MeshOptions
  readonly #announceMs: number
  readonly #editor: Editor
  readonly #undo: UndoLog
  readonly #directory: RowDirectory
  readonly #names: RowNames
  readonly #histories = new Map<string, History>()
  /** Digests of the ends of all histories, by part. */
  readonly #buckets = Array.from({ length: meshBuckets }, () => new Fingerprint())
  /** Where each history stood when it was last counted into its part. */
  readonly #counted = new Map<History, readonly MeshBound[]>()
  readonly #peers = new Map<number, Peer>()
  /** Incarnations of this opening: more than one after a fork. */
  readonly #mine = new Set<string>()
  /** Incarnations known to be forked. */
  readonly #forked = new Set<string>()
  #incarnation: Uint8Array
  /** Where our own history ends. */
  #head: MeshBound
  #lastChange = 0
  #sealedChange = 0
  #salt: Halves = { low: 0, high: 0 }
  #saltAtMs = Number.NEGATIVE_INFINITY
  readonly #mixer = new Mixer()
  readonly #w = new Writer()
  readonly #body = new Writer()

  constructor(options: MeshOptions) {
    this.#options = options
    this.#announceMs = options.announceMs ?? 400
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
    }
    this.#names = namesByKey((table, row) => tables[table].keys[row])
    this.#incarnation = this.#draw()
    this.#head = new History(this.#incarnation, new Delta([])).base
  }

  /** The present incarnation, as 32 hexadecimal digits. */
  get incarnation(): string {
    return formatIncarnation(this.#incarnation)
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
    return this.#histories.size
  }

  /** Peers that are connected and have greeted. */
  get peerCount(): number {
    return [...this.#peers.values()].filter(({ theirs }) => theirs !== undefined).length
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
    return this.#commit(nowMs, this.#editor.make(nowMs, make))
  }

  /** Undoes one own change, as `Replica.undo`. @throws AtomikError `unknown-change` */
  undo(nowMs: number, change: number): number {
    return this.#commit(
      nowMs,
      this.#editor.fill(nowMs, (into, stamp) => this.#undo.invert(change, into, this, stamp)),
    )
  }

  accum(nowMs: number, delta: Delta): number {
    if (this.#editor.isEditing) {
      this.#editor.fold(delta)
      return this.#lastChange + 1
    }
    return this.#commit(
      nowMs,
      this.#editor.fill(nowMs, into => into.fold(delta)),
    )
  }

  #commit(nowMs: number, change: Delta): number {
    if (change.isEmpty) return this.#lastChange
    const bytes = bytesAtMost(change)
    if (bytes > limits.downlinkBytesMax / 2)
      throw new AtomikError('oversized', `a change of up to ${bytes} bytes is more than one message carries`)
    if (bytesAtMost(this.accumulator) + bytes > openBytesMax) this.#seal(nowMs)
    this.#undo.record(this.#lastChange + 1, change, this)
    this.accumulator.fold(change)
    this.stats.changes++
    return ++this.#lastChange
  }

  // ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes one event; what follows from it is appended to `actions`. */
  step(nowMs: number, event: MeshEvent, actions: MeshAction[]): void {
    switch (event.type) {
      case 'open': {
        const never = Number.NEGATIVE_INFINITY
        this.#saltAtMs = never
        this.flush(nowMs, actions)
        const peer: Peer = {
          id: event.peer,
          theirs: undefined,
          heard: false,
          told: undefined,
          toldAtMs: never,
          askedAtMs: never,
          same: undefined,
        }
        this.#peers.set(event.peer, peer)
        this.#greet(nowMs, peer, actions)
        return
      }
      case 'close':
        this.#peers.delete(event.peer)
        return
      case 'message':
        this.#receive(nowMs, event.peer, event.bytes, actions)
        return
      case 'tick':
        this.#tick(nowMs, actions)
        return
    }
  }

  /** Seals what is open and sends it to all who are there. Changes made with nobody there stay open, and so stay one. */
  flush(nowMs: number, actions: MeshAction[]): void {
    if (this.peerCount === 0) return
    const segment = this.#seal(nowMs)
    if (segment !== undefined) this.#push(this.#incarnation, [segment], undefined, actions)
  }

  #tick(nowMs: number, actions: MeshAction[]): void {
    this.flush(nowMs, actions)
    for (const peer of this.#peers.values()) {
      if (nowMs - peer.toldAtMs < this.#announceMs) continue
      if (peer.theirs === undefined || !peer.heard) this.#greet(nowMs, peer, actions)
      else if (!this.#isSame(peer.theirs.vector) || !this.#isSame(peer.told)) this.#tell(nowMs, peer, actions)
    }
  }

  // ── what we hold, as messages ───────────────────────────────────────────────────────────────────────────────────

  /** Everything held here, as one message: a node that takes it in with `restore` holds it too. */
  image(nowMs: number): Uint8Array {
    this.#seal(nowMs)
    const w = new Writer()
    for (const history of inNameOrder(this.#histories.values()))
      for (const frame of this.#framesFor(history, [])) writeMesh(w, frame)
    return w.finish()
  }

  /**
   * Takes in what an image holds, under the incarnation drawn at opening. @throws AtomikError when it makes no sense
   */
  restore(nowMs: number, image: Uint8Array): void {
    if (image.length === 0) return
    for (const frame of decodeMesh(image)) {
      if (frame.type === 'segments') this.#segments(nowMs, undefined, frame, [])
      else if (frame.type === 'whole') this.#whole(nowMs, frame, [])
      else throw new AtomikError('malformed', `a ${frame.type} frame in an image`)
    }
  }

  get #summary(): MeshSummary {
    const { low, high } = this.reference.fingerprint
    return { vector: this.#vectorDigest(), state: { low, high } }
  }

  #vectorDigest(): Halves {
    const sum = { low: 0, high: 0 }
    for (const { low, high } of this.#buckets) {
      const carry = (sum.low >>> 0) + (low >>> 0) >= 2 ** 32 ? 1 : 0
      sum.low = (sum.low + low) | 0
      sum.high = (sum.high + high + carry) | 0
    }
    return sum
  }

  #isSame(vector: Halves | undefined): boolean {
    return vector !== undefined && sameLabel(vector, this.#vectorDigest())
  }

  /** Counts a history's ends into the digest of its part. */
  #count(history: History): void {
    const before = this.#counted.get(history) ?? []
    const now = history.leaves
    const bucket = this.#buckets[bucketOf(history.id)]
    this.#mixer.hash(meshBuckets, history.id)
    const { low, high } = this.#mixer
    for (const { label } of before) bucket.replace(low, high, label.low, label.high, 0, 0)
    for (const { label } of now) bucket.replace(low, high, 0, 0, label.low, label.high)
    this.#counted.set(history, now)
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(peer: Peer, frames: readonly MeshFrame[], actions: MeshAction[]): void {
    const w = this.#w
    w.reset()
    for (const frame of frames) writeMesh(w, frame)
    actions.push({ type: 'send', peer: peer.id, bytes: w.finish() })
  }

  #greet(nowMs: number, peer: Peer, actions: MeshAction[]): void {
    const summary = this.#summary
    peer.told = summary.vector
    peer.toldAtMs = nowMs
    const frame: MeshFrame = {
      type: 'greet',
      version: meshVersion,
      space: this.#options.space,
      schema: this.schema.encode(),
      summary,
      isAnswer: peer.theirs !== undefined,
    }
    this.#send(peer, [frame], actions)
  }

  #tell(nowMs: number, peer: Peer, actions: MeshAction[]): void {
    const summary = this.#summary
    peer.told = summary.vector
    peer.toldAtMs = nowMs
    this.#send(peer, [{ type: 'summary', summary }], actions)
  }

  /** Tells every other peer at once of segments that are new here. */
  #push(
    incarnation: Uint8Array,
    segments: readonly MeshSegment[],
    from: number | undefined,
    actions: MeshAction[],
  ): void {
    for (const peer of this.#peers.values())
      if (peer.id !== from && peer.theirs !== undefined)
        for (const part of parts(segments))
          this.#send(peer, [{ type: 'segments', incarnation, segments: part }], actions)
  }

  /** What a reader lacks of a history who holds it up to these bounds. */
  *#framesFor(history: History, known: readonly MeshBound[]): Iterable<MeshFrame> {
    const incarnation = history.id
    const { segments, whole } = history.beyond(known)
    if (whole) {
      const body = this.#body
      body.reset()
      encodeDelta(body, history.delta, this.#names, stampBaseMs)
      const { base: to, inside, beside } = history
      yield { type: 'whole', incarnation, to, inside, beside, body: body.finish() }
    }
    for (const part of parts(segments)) yield { type: 'segments', incarnation, segments: part }
  }

  #supply(peer: Peer, history: History, known: readonly MeshBound[], actions: MeshAction[]): void {
    const [first, ...rest] = this.#framesFor(history, known)
    if (first === undefined) return
    // A beginning and the first segments after it arrive together: what they replace is never half there.
    this.#send(peer, first.type === 'whole' ? [first, ...rest.splice(0, 1)] : [first], actions)
    for (const frame of rest) this.#send(peer, [frame], actions)
  }

  // ── receiving ───────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(nowMs: number, from: number, bytes: Uint8Array, actions: MeshAction[]): void {
    const peer = this.#peers.get(from)
    if (peer === undefined) return
    try {
      for (const frame of decodeMesh(bytes)) this.#take(nowMs, peer, frame, actions)
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      actions.push({ type: 'fail', peer: from, error })
    }
  }

  #take(nowMs: number, peer: Peer, frame: MeshFrame, actions: MeshAction[]): void {
    if (frame.type === 'error') throw frame.error
    if (frame.type === 'greet') {
      this.#greeted(nowMs, peer, frame, actions)
      return
    }
    // Before its greeting we do not know that it lays records out as we do.
    if (peer.theirs === undefined) return
    peer.heard = true
    if (frame.type === 'summary') {
      peer.theirs = frame.summary
      this.#compare(nowMs, peer, actions)
    } else if (frame.type === 'buckets') {
      let buckets = 0
      for (let i = 0; i < meshBuckets; i++)
        if (!sameLabel(frame.digests[i], this.#buckets[i])) buckets |= 1 << i
      if (buckets !== 0) this.#sendVector(peer, buckets, actions)
    } else if (frame.type === 'vector') {
      this.#answer(peer, frame, actions)
    } else if (frame.type === 'segments') {
      this.#segments(nowMs, peer, frame, actions)
    } else {
      this.#whole(nowMs, frame, actions)
    }
  }

  #greeted(nowMs: number, peer: Peer, frame: MeshFrame & { type: 'greet' }, actions: MeshAction[]): void {
    let refusal: AtomikError | undefined
    const theirs = Schema.decode(frame.schema)
    const difference = this.schema.difference(theirs)
    if (difference !== undefined)
      refusal = new AtomikError(
        'schema',
        `schema ${theirs.hash} does not fit ${this.schema.hash}: ${difference}`,
      )
    else if (frame.space !== this.#options.space)
      refusal = new AtomikError('unknown-space', `this node holds ${this.#options.space}, not ${frame.space}`)
    if (refusal !== undefined) {
      this.#send(peer, [{ type: 'error', error: refusal }], actions)
      throw refusal
    }
    peer.heard ||= frame.isAnswer
    peer.theirs = frame.summary
    if (!frame.isAnswer) this.#greet(nowMs, peer, actions)
    // What was changed while nobody was there.
    this.flush(nowMs, actions)
    this.#compare(nowMs, peer, actions)
  }

  /** The side with the smaller digest asks, so that only one does. */
  #compare(nowMs: number, peer: Peer, actions: MeshAction[]): void {
    if (peer.theirs === undefined) return
    const own = this.#summary
    const { vector, state } = peer.theirs
    if (sameLabel(vector, own.vector)) {
      if (!sameLabel(state, own.state)) this.stats.divergences++
      if (peer.same === undefined || !sameLabel(peer.same, vector))
        actions.push({ type: 'same', peer: peer.id })
      peer.same = vector
      if (!this.#isSame(peer.told)) this.#tell(nowMs, peer, actions)
    } else if (isLess(own.vector, vector)) {
      if (nowMs - peer.askedAtMs < this.#announceMs / 4) return
      peer.askedAtMs = nowMs
      if (this.#histories.size <= vectorOutrightMax) this.#sendVector(peer, 2 ** meshBuckets - 1, actions)
      else {
        const digests = this.#buckets.map(({ low, high }) => ({ low, high }))
        this.#send(peer, [{ type: 'buckets', digests }], actions)
      }
    } else if (!this.#isSame(peer.told)) {
      this.#tell(nowMs, peer, actions)
    }
  }

  #sendVector(peer: Peer, buckets: number, actions: MeshAction[]): void {
    const entries = inNameOrder(this.#histories.values())
      .filter(({ id }) => ((buckets >> bucketOf(id)) & 1) === 1)
      .map(({ id, leaves }): MeshEntry => ({ incarnation: id, leaves, ladder: [] }))
    this.#send(peer, [{ type: 'vector', round: 0, buckets, entries }], actions)
  }

  /** Sends what the peer lacks, by its own account, and says where we stand in what we lack. */
  #answer(peer: Peer, frame: MeshFrame & { type: 'vector' }, actions: MeshAction[]): void {
    const answer: MeshEntry[] = []
    const listed = new Set<string>()
    for (const { incarnation, leaves, ladder } of frame.entries) {
      const name = formatIncarnation(incarnation)
      listed.add(name)
      const history = this.#histories.get(name)
      if (history === undefined) {
        if (frame.round < 2) answer.push({ incarnation, leaves: [], ladder: [] })
        continue
      }
      const known = [...leaves, ...ladder].filter(bound => history.knows(bound))
      // Whoever names bounds of which we know none is ahead of us, or far behind: its ladder will tell.
      if (known.length > 0 || leaves.length === 0 || frame.round > 0)
        this.#supply(peer, history, known, actions)
      if (frame.round < 2 && !leaves.every(leaf => history.knows(leaf)))
        answer.push({ incarnation, leaves: history.leaves, ladder: history.ladder() })
    }
    for (const [name, history] of this.#histories)
      if (!listed.has(name) && ((frame.buckets >> bucketOf(history.id)) & 1) === 1)
        this.#supply(peer, history, [], actions)
    if (answer.length > 0)
      this.#send(peer, [{ type: 'vector', round: frame.round + 1, buckets: 0, entries: answer }], actions)
  }

  #segments(
    nowMs: number,
    peer: Peer | undefined,
    frame: MeshFrame & { type: 'segments' },
    actions: MeshAction[],
  ): void {
    const history = this.#open(frame.incarnation)
    const fresh: MeshSegment[] = []
    const touched = new TouchedRows()
    try {
      for (const segment of frame.segments) {
        if (history.knows(segment.to)) this.stats.duplicatesDropped++
        else if (!history.knows(segment.from)) this.stats.gapsSeen++
        else {
          const kept = { ...segment, body: segment.body.slice() }
          const delta = this.#decode(kept.body)
          if (this.#isAhead(nowMs, delta)) {
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
        this.#learnt(history, actions)
        this.#push(history.id, fresh, peer?.id, actions)
        actions.push({ type: 'changed', rows: touched.rows })
      } else if (history.segmentCount === 0 && history.base.sequence === 0) {
        this.#histories.delete(formatIncarnation(history.id))
      }
    }
  }

  #whole(nowMs: number, frame: MeshFrame & { type: 'whole' }, actions: MeshAction[]): void {
    const history = this.#open(frame.incarnation)
    if (history.knows(frame.to)) {
      this.stats.duplicatesDropped++
      return
    }
    const isNew = history.base.sequence === 0 && history.segmentCount === 0
    const decoded = this.#decode(frame.body)
    if (this.#isAhead(nowMs, decoded)) {
      this.stats.stampsAhead++
      if (isNew) this.#histories.delete(formatIncarnation(history.id))
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
        actions.push({ type: 'lost', incarnation })
      }
    }
    this.#learnt(history, actions)
    actions.push({ type: 'changed', rows: touched.rows })
  }

  /** A history has grown: counts it, folds its beginning, and looks for a fork. */
  #learnt(history: History, actions: MeshAction[]): void {
    history.compact(this.#options.segmentsKept ?? 64, body => this.#decode(body))
    this.#count(history)
    const name = formatIncarnation(history.id)
    const own = sameBytes(history.id, this.#incarnation)
    const isForked = own ? !sameEnds(history.leaves, [this.#head]) : history.leaves.length > 1
    if (!isForked) return
    if (own) this.#rotate()
    if (this.#forked.has(name)) return
    this.#forked.add(name)
    this.stats.forks++
    actions.push({ type: 'fork', incarnation: name, own: this.#mine.has(name) })
  }

  #open(incarnation: Uint8Array): History {
    const name = formatIncarnation(incarnation)
    let history = this.#histories.get(name)
    if (history === undefined) {
      if (this.#histories.size >= limits.meshIncarnationsMax)
        throw new AtomikError('oversized', `more than ${limits.meshIncarnationsMax} incarnations in a mesh`)
      history = new History(incarnation, new Delta(this.schema.layouts))
      this.#histories.set(name, history)
    }
    return history
  }

  /** @throws AtomikError; then no row was made */
  #decode(body: Uint8Array): Delta {
    const reader = new Reader(body)
    const { delta, named } = decodeDelta(reader, this.schema.layouts, this.#directory, stampBaseMs)
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
    for (const history of this.#histories.values()) {
      this.#accum(history.delta, touched)
      for (const { body } of history.segments) this.#accum(this.#decode(body), touched)
    }
  }

  #isAhead(nowMs: number, delta: Delta): boolean {
    const latestMs = nowMs + (this.#options.skewMsMax ?? 600_000)
    for (const { layout, words, count } of delta.tables)
      for (let w = 0; w < layout.words; w++) {
        if (layout.kinds[w] !== WordKind.stamp) continue
        for (let slot = 0; slot < count; slot++) {
          const at = 2 * (slot * layout.words + w)
          if ((words[at + 1] >>> 0) * 2 ** 16 + (words[at] >>> 16) > latestMs) return true
        }
      }
    return false
  }

  // ── our own history ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes one segment of the open changes; they move from the accumulator to the reference. */
  #seal(nowMs: number): MeshSegment | undefined {
    if (this.#lastChange === this.#sealedChange || this.#editor.isEditing) return undefined
    if (nowMs - this.#saltAtMs >= saltMs) {
      this.#salt = { low: this.#options.random32() | 0, high: this.#options.random32() | 0 }
      this.#saltAtMs = nowMs
    }
    const body = this.#body
    body.reset()
    encodeDelta(body, this.accumulator, this.#names, stampBaseMs)
    const digest = new Fingerprint()
    const { tables } = this.reference
    digestDelta(
      this.accumulator,
      (t, row) => ({ low: tables[t].addresses[2 * row], high: tables[t].addresses[2 * row + 1] }),
      digest,
    )
    const from = this.#head
    const sequence = from.sequence + this.#lastChange - this.#sealedChange
    const to = { sequence, label: nextLabel(from.label, this.#salt, digest, sequence) }
    const segment = { from, to, body: body.finish() }
    const history = this.#open(this.#incarnation)
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
    this.#incarnation = this.#draw()
    this.#head = new History(this.#incarnation, new Delta([])).base
    this.#saltAtMs = Number.NEGATIVE_INFINITY
  }

  #draw(): Uint8Array {
    const id = new Uint8Array(16)
    for (let i = 0; i < 16; i += 4) {
      const word = this.#options.random32()
      for (let b = 0; b < 4; b++) id[i + b] = word >>> (8 * b)
    }
    this.#mine.add(formatIncarnation(id))
    return id
  }
}

/** Segments in portions that fit a message. */
function* parts(segments: readonly MeshSegment[]): Iterable<MeshSegment[]> {
  let part: MeshSegment[] = []
  let bytes = 0
  for (const segment of segments) {
    if (
      part.length > 0 &&
      (bytes + segment.body.length > messageBytesMax || part.length === limits.meshSegmentsMax)
    ) {
      yield part
      part = []
      bytes = 0
    }
    part.push(segment)
    bytes += segment.body.length
  }
  if (part.length > 0) yield part
}

function bucketOf(incarnation: Uint8Array): number {
  return incarnation[0] >> 4
}

function isLess(a: Halves, b: Halves): boolean {
  return a.high === b.high ? a.low >>> 0 < b.low >>> 0 : a.high >>> 0 < b.high >>> 0
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function sameEnds(a: readonly MeshBound[], b: readonly MeshBound[]): boolean {
  return a.length === b.length && a.every((bound, i) => sameBound(bound, b[i]))
}

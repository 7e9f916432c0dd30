/**
 * The hub's side of one space, without I/O: it accepts each batch once, gives it a log number, and follows every reader.
 *
 * Order of things: accept in memory → stage for storage → when the storage says durable, and not before, tell anyone. So
 * whatever a reader has seen survives a crash of the hub. The log is kept in memory only as far as it is cheaper than what
 * it changed; a reader further behind gets one fold or the rows that changed since its log number. Heads are on disk; memory
 * holds those in use (`checkpoint`).
 *
 * Invariants: log numbers are dense; the reference is the fold of all accepted batches up to `lsn`; a batch and the head it
 * moves are in one write.
 *
 * Over 500 lines because accepting, committing and feeding readers share one order of log numbers. Beside it: the log
 * (space-log.ts), bodies for readers (space-bodies.ts), judging (space-judge.ts), older schemas (space-view.ts), records
 * (space-store.ts).
 */
import { Delta, Fingerprint, Mixer, type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError, assert, type ErrorCode } from '../errors.ts'
import { decodeSchema, isRegion, joinSchemas, Schema } from '../schema/index.ts'
import {
  beginEntry,
  beginStream,
  changeBits,
  type DecodedDelta,
  DeltaDecoder,
  encodeUtf8,
  errorNumber,
  type Halves,
  type Head,
  type NamedRow,
  nearestNumber,
  PointReader,
  Reader,
  type Stamp,
  StampMark,
  stampMsMax,
  type UplinkFrame,
  Writer,
  writeAck,
  writeDeltaHead,
  writeError,
  writeFold,
  writeFork,
  writeNothing,
  writeOwn,
  writeResend,
  writeWelcome,
} from '../wire/index.ts'
import { SteadyClock } from './clock.ts'
import type { IncarnationHead } from './heads.ts'
import { mixLabel } from './label.ts'
import { digestDelta, Reference } from './reference.ts'
import { objectionToPages, touchesRegions, writerOf } from './region.ts'
import { HubDirectory, SpaceBodies } from './space-bodies.ts'
import { HeadTable } from './space-heads.ts'
import type { SpaceImage } from './space-image.ts'
import { type Grant, objectionTo } from './space-judge.ts'
import { SpaceLog } from './space-log.ts'
import { Batch, type Claimed, type Connection } from './space-reader.ts'
import { SpaceStore } from './space-store.ts'
import { View } from './space-view.ts'
import type { Put } from './storage.ts'

export interface SpaceOptions {
  /** Uniform 32-bit numbers: the epoch comes from it. */
  readonly random32: () => number
  /** Stamps further ahead of the hub's clock than this are refused. Default 10 minutes. */
  readonly skewMsMax?: number
  /** Bytes of log kept in memory. Default 8 MiB. */
  readonly logBytesMax?: number
  /** A client that may write all rows brings appended fields along. Default true; else batches that use them are refused. */
  readonly adoptsFields?: boolean
  /** What the storage holds under this key. Without it heads stay in memory. */
  readonly recall?: (key: Uint8Array) => Uint8Array | undefined
}

export type SpaceAction =
  | { readonly type: 'send'; readonly connection: number; readonly bytes: Uint8Array }
  /** The connection is of no further use. */
  | { readonly type: 'close'; readonly connection: number; readonly code: ErrorCode }
  /** Write this; then call `committed` with the same number, or stop the space. One at a time, in order. Borrowed until then. */
  | { readonly type: 'commit'; readonly puts: Iterable<Put>; readonly lsn: number }
  /** A copy of a client showed itself. */
  | { readonly type: 'fork'; readonly connection: number; readonly incarnation: string }
  /** A client brought appended fields, and the space stores them from here on. */
  | { readonly type: 'adopted'; readonly connection: number; readonly schema: Schema }

export interface SpaceStats {
  batchesAccepted: number
  batchesRefused: number
  changesAccepted: number
  duplicatesDropped: number
  gapsSeen: number
  forks: number
  commits: number
  streamFrames: number
  foldsSent: number
  snapshotsSent: number
  checkpoints: number
}

/** The most bytes of log in one frame. */
const streamBytesMax = 256 * 1024
/** Readers that fall this many entries behind get a fold of them. */
const foldEntriesMin = 256
/** A log of fewer bytes is kept however small the state is: it fits beside it in a cache. */
const logBytesMin = 256 * 1024
const askMs = 60
const heartbeatMs = 300
/** Batches kept before their turn, of each incarnation; larger ones are asked for again instead. */
const earlyBatchesMax = 64
const earlyBytesMax = 16 * 1024

export class Space {
  readonly name: string
  readonly reference: Reference
  readonly stats: SpaceStats = {
    batchesAccepted: 0,
    batchesRefused: 0,
    changesAccepted: 0,
    duplicatesDropped: 0,
    gapsSeen: 0,
    forks: 0,
    commits: 0,
    streamFrames: 0,
    foldsSent: 0,
    snapshotsSent: 0,
    checkpoints: 0,
  }
  /** Log number of the last accepted batch, and of the last durable one. */
  lsn: number
  durableLsn: number
  readonly #options: SpaceOptions
  #schema: Schema
  /** What is stored, as a view. */
  #whole: View
  #hasRegions: boolean
  readonly #heads: HeadTable
  readonly #directory: HubDirectory
  readonly #store: SpaceStore
  readonly #epoch: Halves
  readonly #stampBaseMs: number
  /** The same as a stamp. */
  readonly #opening: StampMark
  /** What all timers here are held against; only stamps take the time of day. */
  readonly #steady = new SteadyClock()
  #timeMs = Number.NaN
  /** The largest stamp that is accepted now. */
  readonly #latestTaken = new StampMark()
  readonly #connections = new Map<number, Connection>()
  /** The views of readers who see a part, each once. */
  #partViews: readonly View[] = []
  readonly #log: SpaceLog
  readonly #bodies: SpaceBodies
  #frame: MadeFrame | undefined
  #committing = false
  #durableDigest: Halves
  #stagedDigest: Halves
  /** The same for readers of older schemas, by view. */
  #durableParts = new Map<string, Halves>()
  #stagedParts = new Map<string, Halves>()
  readonly #w = new Writer()
  readonly #labelDigest = new Fingerprint()
  /** The label of the batch being judged. */
  readonly #label = new Mixer()
  /** The batch being judged, and a reader on its delta. */
  readonly #arrived = new Batch()
  readonly #reader = new Reader(emptyBody)
  /** The commonest change, read where it lies. */
  readonly #point = new PointReader()
  /** What the stamps of the next entry are coded against. */
  readonly #entryBase = new StampMark()
  /** How batches were read last, and the delta being judged. */
  #decoding: { layouts: readonly RowLayout[]; decoder: DeltaDecoder; into: Delta }

  /** A space as its store has it, or a new one. @param nowMs becomes the base of stamps in this opening */
  constructor(
    name: string,
    schema: Schema,
    image: SpaceImage | undefined,
    nowMs: number,
    options: SpaceOptions,
  ) {
    this.name = name
    this.#schema = schema
    this.#whole = wholeOf(schema)
    this.#hasRegions = schema.tables.some(isRegion)
    this.#options = options
    const { layouts } = schema
    this.#decoding = { layouts, decoder: new DeltaDecoder(layouts), into: new Delta(layouts) }
    this.reference = image?.reference ?? new Reference(schema.layouts)
    this.#directory = new HubDirectory(this.reference)
    this.#heads = new HeadTable(name, image?.heads ?? new Map(), options.recall)
    this.lsn = image?.lsn ?? 0
    this.durableLsn = this.lsn
    this.#log = new SpaceLog(this.lsn)
    this.#stampBaseMs = nowMs
    this.#opening = new StampMark(nowMs)
    this.#setTime(nowMs)
    this.#epoch = { low: options.random32() | 0, high: options.random32() | 0 }
    this.#store = new SpaceStore(name, schema, this.reference, image)
    this.#store.open(this.#epoch, this.lsn)
    this.#bodies = new SpaceBodies(this.reference, this.#store, this.#log, nowMs)
    this.#durableDigest = this.#digest()
    this.#stagedDigest = this.#durableDigest
  }

  get schema(): Schema {
    return this.#schema
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Incarnations with a head in memory, and those whose head is on disk alone. */
  get incarnationCount(): number {
    return this.#heads.warm
  }

  get retiredCount(): number {
    return this.#heads.cold
  }

  get logBytes(): number {
    return this.#log.bytes
  }

  /** Bytes of catch-up frames that wait for their log number to be durable. */
  get heldBytes(): number {
    let bytes = 0
    for (const { held } of this.#connections.values()) bytes += held?.bytes.length ?? 0
    return bytes
  }

  /** Readers, for the operator: log numbers behind, and whether the network holds them up. */
  *readers(): Iterable<{ connection: number; lag: number; congested: boolean }> {
    for (const c of this.#connections.values())
      yield { connection: c.id, lag: this.durableLsn - c.have, congested: c.congested }
  }

  /** Takes note of the time of day; returns the time that timers see, which nobody sets back. */
  #passed(timeMs: number): number {
    if (timeMs !== this.#timeMs) this.#setTime(timeMs)
    return this.#steady.at(timeMs)
  }

  #setTime(timeMs: number): void {
    this.#timeMs = timeMs
    const ms = Math.floor(timeMs) + (this.#options.skewMsMax ?? 10 * 60_000)
    this.#latestTaken.set({ ms: Math.max(0, Math.min(ms, stampMsMax)), count: 0xffff })
  }

  #digest(): Halves {
    return { low: this.reference.fingerprint.low, high: this.reference.fingerprint.high }
  }

  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A client subscribes. With a later attempt on one connection it starts over from the position it declares; earlier
   * attempts are echoes.
   * @param access what its principal may do; `true` is everything, `false` reading, both under no name
   * @throws AtomikError `schema` when it lays records out differently, `unauthorized` when it claims an incarnation that
   * somebody else opened, `storage` when a head on disk is damaged; nothing has changed then
   */
  subscribe(
    timeMs: number,
    connection: number,
    frame: UplinkFrame & { type: 'subscribe' },
    access: boolean | Grant,
    actions: SpaceAction[],
  ): void {
    const nowMs = this.#passed(timeMs)
    const grant = typeof access === 'boolean' ? openGrants[access ? 'all' : 'none'] : access
    const theirs = decodeSchema(frame.schema)
    const joined = joinSchemas(this.#schema, theirs)
    if (!(joined instanceof Schema))
      throw new AtomikError(
        'schema',
        `schema ${theirs.hash} does not fit space ${this.name} (${this.#schema.hash}): ${joined.difference}`,
      )
    const before = this.#connections.get(connection)
    if (before !== undefined && frame.attempt <= before.attempt) return
    const heads = frame.claims.map(({ incarnation }) => this.#heads.find(incarnation, grant.principal))
    if (joined !== this.#schema && grant.rows === 'all' && this.#options.adoptsFields !== false)
      this.#adopt(connection, joined, actions)
    const known = this.#store.knowsPosition(frame.epoch, frame.lsn) && frame.lsn <= this.lsn
    const lsn = known ? frame.lsn : 0
    const claims = frame.claims.map(({ sequence, label }, i): Claimed => {
      const head = heads[i]
      this.#heads.keep(head)
      const chain = head.knows(sequence, label) ? sequence : -1
      return {
        head,
        claim: sequence,
        chain,
        isForked: false,
        isBroken: false,
        mark: new StampMark(frame.stampBaseMs),
        askedAtMs: Number.NEGATIVE_INFINITY,
        early: new Map(),
      }
    })
    const widths = theirs.layouts.map(({ words }) => words)
    const reader: Connection = {
      id: connection,
      attempt: frame.attempt,
      grant,
      isOrdered: frame.isOrdered,
      isDeaf: frame.isOrdered && frame.lsn > lsn,
      layouts: joined === this.#schema ? this.#schema.layouts : joined.layouts,
      regions: joined.tables.map(isRegion),
      widths,
      view: new View(this.#schema.layouts, widths),
      claims,
      cursor: lsn,
      held: undefined,
      have: lsn,
      congested: before?.congested ?? false,
      lastSentAtMs: nowMs,
      ackedLsn: -1,
    }
    this.#connections.set(connection, reader)
    this.#countViews()
    const w = this.#w
    w.reset()
    writeWelcome(w, {
      attempt: frame.attempt,
      epoch: this.#epoch,
      lsn,
      toLsn: this.lsn,
      stampBaseMs: this.#stampBaseMs,
      writable: grant.rows !== 'none',
      heads: this.#headsOf(reader),
    })
    actions.push({ type: 'send', connection, bytes: w.finish() })
    if (!reader.isDeaf) this.#feed(nowMs, reader, actions)
  }

  /** Fields were appended: from here on they are stored. Readers who do not know them see what they saw. */
  #adopt(connection: number, schema: Schema, actions: SpaceAction[]): void {
    this.#schema = schema
    this.#whole = wholeOf(schema)
    this.#hasRegions = schema.tables.some(isRegion)
    this.reference.widen(schema.layouts)
    this.#store.adopt(schema)
    for (const reader of this.#connections.values()) {
      reader.view = new View(schema.layouts, reader.widths)
      reader.layouts = schema.layouts
      reader.regions = schema.tables.map(isRegion)
    }
    this.#countViews()
    this.#frame = undefined
    actions.push({ type: 'adopted', connection, schema })
  }

  leave(connection: number): void {
    const reader = this.#connections.get(connection)
    this.#connections.delete(connection)
    this.#countViews()
    // An incarnation that never wrote leaves no trace.
    for (const { head } of reader?.claims ?? [])
      if (head.sequence === 0 && !this.#isClaimed(head)) this.#heads.forget(head)
  }

  #isClaimed(head: IncarnationHead): boolean {
    for (const { claims } of this.#connections.values())
      for (const claimed of claims) if (claimed.head === head) return true
    return false
  }

  /**
   * SWAP: the durable state is the reference, and what led to it goes. The log is kept only where a reader is about to be sent it; heads that
   * nobody speaks for stay on disk alone, and come back when somebody does. Returns the log number and the fingerprint of
   * the state.
   */
  checkpoint(): { readonly lsn: number; readonly digest: Halves } {
    this.stats.checkpoints++
    let needed = this.durableLsn
    for (const { cursor, congested } of this.#connections.values())
      if (!congested && this.durableLsn - cursor < foldEntriesMin) needed = Math.min(needed, cursor)
    this.#log.trim(needed, 0)
    const claimed = new Set<IncarnationHead>()
    for (const { claims } of this.#connections.values()) for (const { head } of claims) claimed.add(head)
    this.#heads.retire(head => !claimed.has(head) && this.#store.isClean(head, this.#committing))
    return { lsn: this.durableLsn, digest: this.#durableDigest }
  }

  /** The network takes no more bytes for this reader, or takes them again: then it gets one fold of all it missed. */
  congestion(timeMs: number, connection: number, congested: boolean, actions: SpaceAction[]): void {
    const nowMs = this.#passed(timeMs)
    const reader = this.#connections.get(connection)
    if (reader === undefined || reader.congested === congested) return
    reader.congested = congested
    if (!congested) this.#feed(nowMs, reader, actions)
  }

  /**
   * A frame from a subscribed client.
   * @throws AtomikError when its bytes make no sense; the connection should be closed, nothing was applied
   */
  receive(timeMs: number, connection: number, frame: UplinkFrame, actions: SpaceAction[]): void {
    const nowMs = this.#passed(timeMs)
    const reader = this.#connections.get(connection)
    if (reader === undefined)
      throw new AtomikError('malformed', `a ${frame.type} frame before a subscription`)
    if (reader.isDeaf) return
    if (frame.type === 'change') {
      this.#takeShort(reader, frame.fromBits, frame.body, 0)
      if (!reader.claims[0].isBroken) this.#batch(nowMs, reader, actions)
    } else if (frame.type === 'batch') {
      this.#arrived.set(frame)
      this.#batch(nowMs, reader, actions)
    } else if (frame.type === 'have') {
      reader.have = Math.min(Math.max(reader.have, frame.lsn), this.lsn)
      for (const { alias, sequence } of frame.confirmed) reader.claims[alias]?.head.confirm(sequence)
    } else if (frame.type === 'need') {
      // What the reader declares is the truth: whatever we sent after it may be lost. Where order is kept nothing is, and what was sent again
      // would come to one who has gone on, and counts short frames from there.
      if (reader.isOrdered) return
      if (frame.lsn > this.durableLsn || reader.held !== undefined) return
      reader.cursor = frame.lsn
      this.#feed(nowMs, reader, actions)
    }
  }

  /**
   * A message that is one change in the short form (`isChange`), from a subscribed client: the same as its frame, without making one.
   * Borrows the bytes.
   * @throws AtomikError as `receive`
   */
  receiveChange(timeMs: number, connection: number, message: Uint8Array, actions: SpaceAction[]): void {
    const nowMs = this.#passed(timeMs)
    const reader = this.#connections.get(connection)
    if (reader === undefined) throw new AtomikError('malformed', 'a change frame before a subscription')
    if (reader.isDeaf) return
    if (this.#acceptPoint(reader, message)) {
      if (reader.cursor < this.durableLsn || reader.held !== undefined) this.#feed(nowMs, reader, actions)
      return
    }
    this.#takeShort(reader, changeBits(message), message, 1)
    if (!reader.claims[0].isBroken) this.#batch(nowMs, reader, actions)
  }

  /**
   * The straight way of the commonest change: a short frame that holds one group of a row that is there, from one who may write all,
   * next in a chain that stands at the head, with no reader who sees a part. The outcome is that of `#accept`, which does all else;
   * what could be refused is left to it (space-point.test.ts).
   */
  #acceptPoint(reader: Connection, message: Uint8Array): boolean {
    const { claims } = reader
    if (!reader.isOrdered || claims.length === 0 || this.#partViews.length > 0 || this.#hasRegions)
      return false
    const claimed = claims[0]
    const { head, chain, mark } = claimed
    if (chain !== head.sequence || (message[0] & shortMask) !== (chain & shortMask)) return false
    if (reader.grant.rows !== 'all' || reader.layouts !== this.#schema.layouts) return false
    if (claimed.isBroken || claimed.early.size > 0 || !head.hasRoom) return false
    const point = this.#point
    if (!point.read(message, 1, message.length, reader.layouts, mark)) return false
    const { table, number: row, word, words } = point
    const { reference } = this
    if (row >= reference.tables[table].count || !reference.takesGroups) return false
    const isStamped = reader.layouts[table].kinds[word] === WordKind.stamp
    const [low, high] = [words[0], words[1]]
    if (isStamped && isLess(this.#latestTaken, low, high)) return false
    const at = head.last
    const digest = this.#labelDigest
    reference.digestGroup(table, row, word, words, 0, digest)
    const { low: digestLow, high: digestHigh } = digest
    const label = this.#label
    const [saltLow, saltHigh] = [head.saltLow(at), head.saltHigh(at)]
    const to = chain + 1
    mixLabel(label, head.labelLow(at) ^ saltLow, head.labelHigh(at) ^ saltHigh, digestLow, digestHigh, to)
    head.add(to, label.low, label.high, saltLow, saltHigh, undefined)
    claimed.chain = to
    this.lsn++
    this.#store.stageHead(head)
    const base = this.#entryBase
    base.low = this.#opening.low
    base.high = this.#opening.high
    base.raise(reference.latest)
    const isAsItCame = !isStamped || isSameStamp(base, mark)
    if (isStamped && isLess(mark, low, high)) {
      mark.low = low
      mark.high = high
    }
    reference.accumGroup(table, row, word, words, 0, digestLow, digestHigh)
    this.#store.stageRow(table, row, this.lsn)
    this.stats.batchesAccepted++
    this.stats.changesAccepted++
    if (isAsItCame) {
      this.#log.add(head.name, to, 0, message, 1, message.length, base, noParts)
    } else {
      const body = this.#bodies.relayGroup(point, row, base)
      this.#log.add(head.name, to, 0, body.memory, 0, body.length, base, noParts)
    }
    return true
  }

  /** The batch a short frame stands for, by how far its connection's chain is. */
  #takeShort(reader: Connection, bits: number, bytes: Uint8Array, start: number): void {
    if (!reader.isOrdered) throw new AtomikError('malformed', 'a short frame on a link that keeps no order')
    if (reader.claims.length === 0) throw new AtomikError('range', 'alias 0 was not claimed')
    const from = nearestNumber(bits, Math.max(0, reader.claims[0].chain))
    const batch = this.#arrived
    batch.alias = 0
    batch.from = from
    batch.to = from + 1
    batch.hasSalt = false
    batch.bytes = bytes
    batch.start = start
    batch.end = bytes.length
  }

  /** Time passed: tells readers that may have lost the end of the stream where it stands. */
  tick(timeMs: number, actions: SpaceAction[]): void {
    const nowMs = this.#passed(timeMs)
    for (const reader of this.#connections.values()) {
      if (reader.congested || nowMs - reader.lastSentAtMs < heartbeatMs) continue
      const idle = reader.have === this.durableLsn && reader.ackedLsn === this.durableLsn
      if (idle && nowMs - reader.lastSentAtMs < 20 * heartbeatMs) continue
      this.#acknowledge(nowMs, reader, actions)
    }
  }

  #acknowledge(nowMs: number, reader: Connection, actions: SpaceAction[]): void {
    const digest = this.#digestFor(reader.view)
    if (digest === undefined) return
    const w = this.#w
    w.reset()
    writeAck(w, this.durableLsn, digest, this.#headsOf(reader))
    this.#send(nowMs, reader, w.finish(), actions)
    reader.ackedLsn = this.durableLsn
  }

  /** The fingerprint of what is durable and seen; undefined while a view is new and more than that is accepted. */
  #digestFor(view: View): Halves | undefined {
    if (view.isWhole) return this.#durableDigest
    return this.durableLsn === this.lsn ? view.digest(this.reference) : this.#durableParts.get(view.key)
  }

  #send(nowMs: number, reader: Connection, bytes: Uint8Array, actions: SpaceAction[]): void {
    reader.lastSentAtMs = nowMs
    actions.push({ type: 'send', connection: reader.id, bytes })
  }

  #headsOf(reader: Connection): Head[] {
    return reader.claims.map(({ head }, alias) => {
      const { sequence, label } = head.head
      return { alias, sequence, label, refused: head.refusals() }
    })
  }

  /** The same, of those that went another way only up to there. */
  #sharedWith(reader: Connection): Head[] {
    return this.#headsOf(reader).map(head => {
      const { isForked, chain, head: incarnation } = reader.claims[head.alias]
      const bound = isForked ? incarnation.bound(chain) : undefined
      if (bound === undefined) return head
      const refused = head.refused.filter(({ to }) => to <= chain)
      return { ...head, sequence: bound.sequence, label: bound.label, refused }
    })
  }

  // ── accepting ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes the batch that arrived, and those that waited for it. */
  #batch(nowMs: number, reader: Connection, actions: SpaceAction[]): void {
    const batch = this.#arrived
    const claimed = reader.claims[batch.alias]
    if (claimed === undefined) throw new AtomikError('range', `alias ${batch.alias} was not claimed`)
    const before = claimed.chain
    while (this.#accept(nowMs, reader, claimed, batch, actions)) {
      if (claimed.early.size === 0) break
      const next = claimed.early.get(claimed.chain)
      if (next === undefined) break
      claimed.early.delete(claimed.chain)
      batch.set(next)
    }
    if (claimed.early.size > 0)
      for (const from of claimed.early.keys()) if (from < claimed.chain) claimed.early.delete(from)
    // Own entries wait until their author has shown them to be its own.
    if (claimed.chain > before) this.#feed(nowMs, reader, actions)
  }

  /**
   * The exactly-once rule. `chain` is how far this connection and the head are known to share one history:
   *
   *   from > chain           something before it is missing here: keep it, ask from the chain
   *   from < chain           it was taken already: drop
   *   from = chain = head    new: apply, and both move to `to`
   *   from = chain < head    the head went on from here: the same label at `to` is a repeat, any other a fork
   *
   * True when the chain moved.
   */
  #accept(
    nowMs: number,
    reader: Connection,
    claimed: Claimed,
    frame: Batch,
    actions: SpaceAction[],
  ): boolean {
    const { head } = claimed
    if (claimed.chain < 0) {
      // Either we lost what we had confirmed (our disk was set back), or forgot it: only the first has an answer.
      if (head.sequence < claimed.claim) this.#fork(reader, claimed, head.sequence, actions)
      else this.#strand(reader, claimed, actions)
      return false
    }
    if (frame.from > claimed.chain) {
      claimed.isBroken = true
      this.stats.gapsSeen++
      if (
        claimed.early.size < earlyBatchesMax &&
        frame.end - frame.start <= earlyBytesMax &&
        !claimed.early.has(frame.from)
      )
        claimed.early.set(frame.from, frame.kept())
      this.#ask(nowMs, reader, claimed, claimed.chain, actions)
      return false
    }
    if (frame.from < claimed.chain) {
      this.stats.duplicatesDropped++
      // The author repeats because it has not heard: perhaps it lacks a part of the log.
      if (reader.have < this.durableLsn && nowMs - reader.lastSentAtMs > askMs)
        this.#acknowledge(nowMs, reader, actions)
      return false
    }
    const at = head.indexOf(frame.from)
    if (at < 0) {
      // It lay idle while a copy of it moved the head so far on that the bound was forgotten.
      this.#strand(reader, claimed, actions)
      return false
    }
    const decoded = this.#decode(frame, reader.layouts, claimed.mark)
    const { delta, named } = decoded
    const saltLow = frame.hasSalt ? frame.saltLow : head.saltLow(at)
    const saltHigh = frame.hasSalt ? frame.saltHigh : head.saltHigh(at)
    const label = this.#label
    this.#digestOf(decoded)
    const { low, high } = this.#labelDigest
    mixLabel(label, head.labelLow(at) ^ saltLow, head.labelHigh(at) ^ saltHigh, low, high, frame.to)
    if (claimed.chain < head.sequence) {
      const known = head.indexOf(frame.to)
      if (known < 0 || head.labelLow(known) !== label.low || head.labelHigh(known) !== label.high) {
        this.#fork(reader, claimed, claimed.chain, actions)
        // It can settle what lies before only when the log goes on.
        claimed.isForked = true
        this.#feed(nowMs, reader, actions)
        return false
      }
      this.stats.duplicatesDropped++
      claimed.chain = frame.to
      claimed.isBroken = false
      claimed.mark.see(delta)
      return true
    }
    if (!head.hasRoom) {
      claimed.isBroken = true
      this.#acknowledge(nowMs, reader, actions)
      return false
    }
    const refused = this.#objection(decoded, reader, head)
    if (refused !== undefined && touchesRegions(delta, reader.regions)) head.regionsRefused = frame.to
    head.add(frame.to, label.low, label.high, saltLow, saltHigh, refused)
    claimed.chain = frame.to
    claimed.isBroken = false
    this.lsn++
    this.#store.stageHead(head)
    const base = this.#entryBase
    base.set(this.#opening)
    base.raise(this.reference.latest)
    const code = refused === undefined ? 0 : 1 + errorNumber(refused)
    if (refused !== undefined) {
      claimed.mark.see(delta)
      this.stats.batchesRefused++
      this.#log.add(head.name, frame.to, code, emptyBody, 0, 0, base, noParts)
      return true
    }
    const stored = this.#stored(delta, reader)
    // One encoding for all that is the same: what names no new row is what came, where its stamps were coded against the same.
    const isAsItCame = named.length === 0 && stored === delta && isSameStamp(base, claimed.mark)
    claimed.mark.see(delta)
    const parts = this.#partViews.length === 0 ? noParts : new Map<string, Uint8Array | undefined>()
    const bases = this.#partViews.length === 0 ? noBases : this.#partViews.map(view => this.#baseFor(view))
    this.#apply(stored, named, reader.grant)
    this.#store.stageRows(stored, this.lsn)
    for (const [i, view] of this.#partViews.entries())
      parts.set(view.key, this.#bodies.part(view, stored, named, bases[i]))
    this.stats.batchesAccepted++
    this.stats.changesAccepted += frame.to - frame.from
    if (isAsItCame) {
      this.#log.add(head.name, frame.to, 0, frame.bytes, frame.start, frame.end, base, parts)
    } else {
      const body = this.#bodies.relay(stored, named, base)
      this.#log.add(head.name, frame.to, 0, body.memory, 0, body.length, base, parts)
    }
    return true
  }

  /** Why a batch is not accepted, or undefined. */
  #objection(decoded: DecodedDelta, reader: Connection, head: IncarnationHead): ErrorCode | undefined {
    const objection = objectionTo(decoded, reader.grant, this.#latestTaken, this.#whole, this.#store)
    if (objection !== undefined || !this.#hasRegions) return objection
    const author = writerOf(head.id, head.regionsRefused)
    return objectionToPages(decoded, this.#schema.tables, this.reference, author)
  }

  /** A batch that was read by a longer schema than is stored, and uses nothing of what is missing here. */
  #stored(delta: Delta, { layouts }: Connection): Delta {
    if (layouts === this.#schema.layouts) return delta
    return new View(layouts.slice(0, this.#whole.words.length), this.#whole.words).restrict(delta)
  }

  #ask(nowMs: number, reader: Connection, claimed: Claimed, sequence: number, actions: SpaceAction[]): void {
    if (nowMs - claimed.askedAtMs < askMs) return
    claimed.askedAtMs = nowMs
    const w = this.#w
    w.reset()
    writeResend(w, reader.claims.indexOf(claimed), sequence)
    this.#send(nowMs, reader, w.finish(), actions)
  }

  /** Another machine continued this incarnation: nothing of the batch counts, its author goes on under a new name. */
  #fork(reader: Connection, claimed: Claimed, common: number, actions: SpaceAction[]): void {
    this.stats.forks++
    const w = this.#w
    w.reset()
    writeFork(w, reader.attempt, reader.claims.indexOf(claimed), common)
    actions.push({ type: 'send', connection: reader.id, bytes: w.finish() })
    actions.push({ type: 'fork', connection: reader.id, incarnation: claimed.head.name })
  }

  /** The same, but so long ago that nobody can tell which of its changes are in: better no answer than a wrong one. */
  #strand(reader: Connection, claimed: Claimed, actions: SpaceAction[]): void {
    this.stats.forks++
    const w = this.#w
    w.reset()
    writeError(
      w,
      'fork',
      true,
      'a copy of this client went on long ago: the hub cannot tell which of its changes it has',
    )
    actions.push({ type: 'send', connection: reader.id, bytes: w.finish() })
    actions.push({ type: 'fork', connection: reader.id, incarnation: claimed.head.name })
    actions.push({ type: 'close', connection: reader.id, code: 'fork' })
  }

  /** What the stamps of the next log entry are coded against, for readers of a view: the largest in all that they see. */
  #baseFor(view: View): StampMark {
    const base = new StampMark(this.#stampBaseMs)
    base.raise(view.isWhole ? this.reference.latest : this.reference.latestOf(view.words))
    return base
  }

  #decode(frame: Batch, layouts: readonly RowLayout[], base: Stamp): DecodedDelta {
    const reader = this.#reader
    reader.reset(frame.bytes, frame.start, frame.end)
    if (this.#decoding.layouts !== layouts)
      this.#decoding = { layouts, decoder: new DeltaDecoder(layouts), into: new Delta(layouts) }
    const { decoder, into } = this.#decoding
    const decoded = decoder.decode(reader, this.#directory, base, into)
    if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
    return decoded
  }

  /** The digest that a batch's label is made of, into `#labelDigest`. */
  #digestOf({ delta, named }: DecodedDelta): void {
    const { tables } = this.reference
    if (named.length === 0) {
      digestDelta(delta, tables, this.#labelDigest)
      return
    }
    const fresh = new Map<number, Halves>()
    for (const { table, key, row, isNew } of named) {
      if (!isNew) continue
      const mixer = new Mixer()
      mixer.hash(table, encodeUtf8(key))
      fresh.set(row * 64 + table, { low: mixer.low, high: mixer.high })
    }
    digestDelta(delta, tables, this.#labelDigest, (table, row) => {
      const address = fresh.get(row * 64 + table)
      assert(address !== undefined, 'a row that is not there is new in this batch')
      return address
    })
  }

  #apply(delta: Delta, named: readonly NamedRow[], { principal, rows }: Grant): void {
    for (let i = 0; i < named.length; i++) {
      const { table, key, row, isNew } = named[i]
      const opened = this.reference.tables[table].open(key)
      assert(opened === row, 'rows are created in the order of their names')
      if (isNew && rows === 'own') this.#store.stageOwner(table, row, principal)
    }
    this.reference.accum(delta)
  }

  // ── durability and fan-out ──────────────────────────────────────────────────────────────────────────────────────

  /** Stages what was accepted since the last commit, unless one is under way. Call it at the end of a turn. */
  commit(actions: SpaceAction[]): void {
    if (this.#committing || !this.#store.hasStaged) return
    this.#committing = true
    this.#stagedDigest = this.#digest()
    this.#stagedParts = new Map()
    for (const view of this.#partViews) this.#stagedParts.set(view.key, view.digest(this.reference))
    this.stats.commits++
    actions.push({ type: 'commit', puts: this.#store.take(this.lsn, this.#stagedDigest), lsn: this.lsn })
  }

  /** The commit up to `lsn` is durable: now it may be told. */
  committed(timeMs: number, lsn: number, actions: SpaceAction[]): void {
    const nowMs = this.#passed(timeMs)
    this.#committing = false
    this.durableLsn = lsn
    this.#durableDigest = this.#stagedDigest
    this.#durableParts = this.#stagedParts
    for (const reader of this.#connections.values()) this.#feed(nowMs, reader, actions)
    // A log that costs more than what it changed is not kept for those who may yet ask.
    const logBytesMax = this.#options.logBytesMax ?? 8 * 1024 * 1024
    this.#log.trim(this.durableLsn, Math.min(logBytesMax, Math.max(logBytesMin, this.reference.bytes)))
    this.commit(actions)
  }

  /** Sends a reader what it lacks, as far as it is durable and the network takes it. */
  #feed(nowMs: number, reader: Connection, actions: SpaceAction[]): void {
    if (reader.held !== undefined) {
      if (reader.held.lsn > this.durableLsn || reader.congested) return
      this.#send(nowMs, reader, reader.held.bytes, actions)
      reader.held = undefined
    }
    while (reader.cursor < this.durableLsn && !reader.congested) {
      const behind = this.durableLsn - reader.cursor
      if (!this.#isStreamable(reader) || (behind >= foldEntriesMin && this.#isFarBehind(reader))) {
        // The frame names what it holds of the reader's own, so that must have been shown to be.
        if (reader.claims.some(({ chain, isForked, head }) => !isForked && chain !== head.sequence)) return
        this.#catchUp(nowMs, reader, actions)
        if (reader.held !== undefined) return
      } else if (!this.#stream(nowMs, reader, actions)) {
        return
      }
    }
  }

  /** True when the next entry is in memory, in a form this reader can read. */
  #isStreamable({ cursor, view }: Connection): boolean {
    if (cursor < this.#log.from) return false
    return view.isWhole || this.#log.refused(cursor) !== undefined || this.#log.parts(cursor).has(view.key)
  }

  /** True when what the reader lacks and did not write itself is worth a fold. */
  #isFarBehind(reader: Connection): boolean {
    const log = this.#log
    let foreign = 0
    for (let lsn = reader.cursor; lsn < this.durableLsn && foreign < foldEntriesMin; lsn++) {
      const alias = aliasOf(reader, log.author(lsn))
      if (alias < 0 || !isOwn(reader.claims[alias], log.to(lsn))) foreign++
    }
    return foreign >= foldEntriesMin
  }

  #countViews(): void {
    const views = new Map<string, View>()
    for (const { view } of this.#connections.values()) if (!view.isWhole) views.set(view.key, view)
    this.#partViews = [...views.values()]
  }

  /** False when the next entry is the reader's own and it has not yet shown that. */
  #stream(nowMs: number, reader: Connection, actions: SpaceAction[]): boolean {
    const first = reader.cursor
    const made = this.#frame
    if (made !== undefined && made.first === first && made.durableLsn === this.durableLsn) {
      const isSame = made.view === reader.view.key && made.isOrdered === reader.isOrdered
      if (isSame && !speaksForAny(reader, made.authors)) {
        reader.cursor = made.end
        this.#send(nowMs, reader, made.bytes, actions)
        this.stats.streamFrames++
        return true
      }
    }
    const w = this.#w
    w.reset()
    if (this.#streamOwn(w, reader)) {
      this.#send(nowMs, reader, w.finish(), actions)
      this.stats.streamFrames++
      return true
    }
    const end = this.#streamEnd(reader)
    if (end === first) return false
    if (reader.isOrdered && end === first + 1 && this.#isDelta(reader, first)) beginEntry(w, first)
    else beginStream(w, first, end - first)
    const isShort = w.memory[0] >= 128
    for (let lsn = first; lsn < end; lsn++) this.#writeEntry(w, reader, lsn, isShort)
    reader.cursor = end
    const bytes = w.finish()
    this.#send(nowMs, reader, bytes, actions)
    this.stats.streamFrames++
    this.#keepFrame(reader, first, end, bytes)
    return true
  }

  /** The straight way for an author that is told of nothing but its own: a frame of all that is durable. False for any other reader. */
  #streamOwn(w: Writer, reader: Connection): boolean {
    const { claims, cursor, view } = reader
    if (claims.length !== 1 || !view.isWhole) return false
    const { head, claim, chain } = claims[0]
    const entries = this.durableLsn - cursor
    const log = this.#log
    if (log.runOf(cursor, this.durableLsn, head.name, claim, chain) < entries) return false
    beginStream(w, cursor, entries)
    for (let lsn = cursor; lsn < this.durableLsn; lsn++) writeOwn(w, 0, log.to(lsn), undefined)
    reader.cursor = this.durableLsn
    return true
  }

  /** The stream frame made last serves every reader that stands where it starts, sees the same, and wrote none of it. */
  #keepFrame(reader: Connection, first: number, end: number, bytes: Uint8Array): void {
    if (this.#connections.size === 1) return
    const authors = new Set<string>()
    for (let lsn = first; lsn < end; lsn++) authors.add(this.#log.author(lsn))
    if (speaksForAny(reader, authors)) return
    const { isOrdered, view } = reader
    this.#frame = { first, end, durableLsn: this.durableLsn, view: view.key, isOrdered, authors, bytes }
  }

  /** Where a frame ends that starts at the reader's cursor. */
  #streamEnd(reader: Connection): number {
    const log = this.#log
    const { view } = reader
    let bytes = 0
    let lsn = reader.cursor
    for (; lsn < this.durableLsn && bytes < streamBytesMax; lsn++) {
      // Made before this view had a reader: a fold or snapshot is next.
      if (!view.isWhole && log.refused(lsn) === undefined && !log.parts(lsn).has(view.key)) break
      const alias = aliasOf(reader, log.author(lsn))
      const own = alias < 0 ? undefined : reader.claims[alias]
      const to = log.to(lsn)
      if (own !== undefined && own.chain < to && !own.isForked) break
      if (own === undefined || !isOwn(own, to)) bytes += log.bodyBytes(lsn)
    }
    return lsn
  }

  /** True when the reader is sent the content of this entry. */
  #isDelta(reader: Connection, lsn: number): boolean {
    const log = this.#log
    if (log.refused(lsn) !== undefined) return false
    const alias = aliasOf(reader, log.author(lsn))
    if (alias >= 0 && isOwn(reader.claims[alias], log.to(lsn))) return false
    return reader.view.isWhole || log.parts(lsn).get(reader.view.key) !== undefined
  }

  #writeEntry(w: Writer, reader: Connection, lsn: number, isShort: boolean): void {
    const log = this.#log
    const alias = aliasOf(reader, log.author(lsn))
    const refused = log.refused(lsn)
    // What the reader knew to be settled when it subscribed has left its accumulator: it needs the content.
    if (alias >= 0 && isOwn(reader.claims[alias], log.to(lsn))) writeOwn(w, alias, log.to(lsn), refused)
    else if (refused !== undefined) writeNothing(w)
    else if (reader.view.isWhole) {
      if (!isShort) writeDeltaHead(w, log.bodyBytes(lsn))
      log.writeBody(w, lsn)
    } else {
      const part = log.parts(lsn).get(reader.view.key)
      if (part === undefined) writeNothing(w)
      else {
        if (!isShort) writeDeltaHead(w, part.length)
        w.bytes(part)
      }
    }
  }

  /** One frame from the reader's cursor to the present: a fold of the log, or the rows changed since, whichever is smaller. */
  #catchUp(nowMs: number, reader: Connection, actions: SpaceAction[]): void {
    const from = reader.cursor
    const { type, body } = this.#bodies.catchUp(reader.view, from, this.lsn)
    if (type === 'fold') this.stats.foldsSent++
    else this.stats.snapshotsSent++
    const w = this.#w
    w.reset()
    writeFold(w, { type, lsn: from, toLsn: this.lsn, heads: this.#sharedWith(reader), body })
    reader.cursor = this.lsn
    reader.held = { lsn: this.lsn, bytes: w.finish() }
    if (this.lsn > this.durableLsn) return
    this.#send(nowMs, reader, reader.held.bytes, actions)
    reader.held = undefined
  }
}

const openGrants = {
  all: { principal: '', rows: 'all' },
  none: { principal: '', rows: 'none' },
} as const satisfies Record<string, Grant>

function wholeOf({ layouts }: Schema): View {
  return new View(
    layouts,
    layouts.map(({ words }) => words),
  )
}

/** Bits of a number that a short frame carries. */
const shortMask = 63
const emptyBody = new Uint8Array(0)
const noParts = new Map<string, Uint8Array | undefined>()
const noBases: readonly StampMark[] = []

/** By which alias the reader speaks for this incarnation, or −1. */
function aliasOf({ claims }: Connection, author: string): number {
  for (let alias = 0; alias < claims.length; alias++) if (claims[alias].head.name === author) return alias
  return -1
}

function speaksForAny({ claims }: Connection, authors: ReadonlySet<string>): boolean {
  for (let alias = 0; alias < claims.length; alias++) if (authors.has(claims[alias].head.name)) return true
  return false
}

/** True when the batch that ends here came in this connection's chain. */
function isOwn({ claim, chain }: Claimed, to: number): boolean {
  return to > claim && to <= chain
}

/** A stream frame as it was sent to one reader. */
interface MadeFrame {
  /** Entries (first, end], made when so much was durable. */
  readonly first: number
  readonly end: number
  readonly durableLsn: number
  readonly view: string
  readonly isOrdered: boolean
  readonly authors: ReadonlySet<string>
  readonly bytes: Uint8Array
}

/** True when the stamp (low, high) is later. */
function isLess(mark: StampMark, low: number, high: number): boolean {
  return mark.high === high ? mark.low >>> 0 < low >>> 0 : mark.high >>> 0 < high >>> 0
}

function isSameStamp(a: StampMark, b: StampMark): boolean {
  return a.low === b.low && a.high === b.high
}

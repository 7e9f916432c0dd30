/**
 * The hub's side of one space, without I/O: it accepts each batch once, gives it a log number, and follows every reader.
 *
 * Order of things: accept in memory → stage for storage → when the storage says durable, and not before, tell anyone. So
 * whatever a reader has seen survives a crash of the hub. The log is kept in memory only as far as it is cheaper than what
 * it changed; a reader further behind gets one fold or the rows that changed since its log number.
 *
 * Invariants: log numbers are dense; the reference is the fold of all accepted batches up to `lsn`; a batch and the head it
 * moves are in one write.
 *
 * Over 500 lines because accepting, committing and feeding readers share one order of log numbers; what could be taken out
 * without splitting that is in `heads.ts` and `space-store.ts`.
 */
import { Delta, Fingerprint, Mixer, WordKind } from '../algebra/index.ts'
import { AtomikError, assert, type ErrorCode } from '../errors.ts'
import { Schema } from '../schema/index.ts'
import {
  type DecodedDelta,
  decodeDelta,
  encodeDelta,
  encodeUtf8,
  type Halves,
  type Head,
  Reader,
  type RowDirectory,
  type RowNames,
  type StreamEntry,
  type UplinkFrame,
  Writer,
  writeAck,
  writeError,
  writeFold,
  writeFork,
  writeResend,
  writeStream,
  writeWelcome,
} from '../wire/index.ts'
import { IncarnationHead } from './heads.ts'
import { formatIncarnation, nextLabel, sameLabel } from './label.ts'
import { digestDelta, Reference } from './reference.ts'
import { type SpaceImage, SpaceStore } from './space-store.ts'
import type { Put } from './storage.ts'

export interface SpaceOptions {
  /** Uniform 32-bit numbers: the epoch comes from it. */
  readonly random32: () => number
  /** Stamps further ahead of the hub's clock than this are refused. Default 10 minutes. */
  readonly skewMsMax?: number
  /** Bytes of log kept in memory. Default 8 MiB. */
  readonly logBytesMax?: number
}

export type SpaceAction =
  | { readonly type: 'send'; readonly connection: number; readonly bytes: Uint8Array }
  /** The connection is of no further use. */
  | { readonly type: 'close'; readonly connection: number; readonly code: ErrorCode }
  /** Write this; then call `committed` with the same number, or stop the space. One at a time, in order. */
  | { readonly type: 'commit'; readonly puts: readonly Put[]; readonly lsn: number }
  /** A copy of a client showed itself. */
  | { readonly type: 'fork'; readonly connection: number; readonly incarnation: string }

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
}

interface LogEntry {
  /** The batch that made it; `to` is its bound. */
  readonly author: IncarnationHead
  readonly to: number
  readonly refused: ErrorCode | undefined
  /** As readers get it: rows by number, new rows with their key. Empty when refused. */
  readonly body: Uint8Array
}

interface Claimed {
  readonly head: IncarnationHead
  /** What the client said it knows to be accepted. */
  readonly claim: number
  /** Furthest bound that this connection has shown to share with the head; −1 when it has shown none. */
  chain: number
  /** What this connection has of the incarnation ends at the chain, or goes another way: what lies beyond is not its own. */
  parted: boolean
  /** When we last asked for a repetition. */
  askedAtMs: number
  /** Batches that came before their turn, by `from`. */
  readonly early: Map<number, UplinkFrame & { type: 'batch' }>
}

interface Connection {
  readonly id: number
  readonly attempt: number
  readonly writable: boolean
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

/** The most bytes of log in one frame. */
const streamBytesMax = 256 * 1024
/** Readers that fall this many entries behind get a fold of them. */
const foldEntriesMin = 256
const askMs = 60
const heartbeatMs = 300
/** Batches kept before their turn, of each incarnation; larger ones are asked for again instead. */
const earlyBatchesMax = 64
const earlyBytesMax = 16 * 1024

export class Space {
  readonly name: string
  readonly schema: Schema
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
  }
  /** Log number of the last accepted batch, and of the last durable one. */
  lsn: number
  durableLsn: number
  readonly #options: SpaceOptions
  readonly #heads: Map<string, IncarnationHead>
  readonly #store: SpaceStore
  readonly #epoch: Halves
  readonly #stampBaseMs: number
  readonly #connections = new Map<number, Connection>()
  /** Entries (logFrom, lsn]. */
  #log: LogEntry[] = []
  #logFrom: number
  #logBytes = 0
  #committing = false
  #durableDigest: Halves
  #stagedDigest: Halves
  readonly #w = new Writer()
  readonly #body = new Writer()

  /** A space as its store has it, or a new one. @param nowMs becomes the base of stamps in this opening */
  constructor(
    name: string,
    schema: Schema,
    image: SpaceImage | undefined,
    nowMs: number,
    options: SpaceOptions,
  ) {
    this.name = name
    this.schema = schema
    this.#options = options
    this.reference = image?.reference ?? new Reference(schema.layouts)
    this.#heads = image?.heads ?? new Map()
    this.lsn = image?.lsn ?? 0
    this.durableLsn = this.lsn
    this.#logFrom = this.lsn
    this.#stampBaseMs = nowMs
    this.#epoch = { low: options.random32() | 0, high: options.random32() | 0 }
    this.#store = new SpaceStore(name, schema, this.reference, image)
    this.#store.open(this.#epoch, this.lsn)
    this.#durableDigest = this.#digest()
    this.#stagedDigest = this.#durableDigest
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get incarnationCount(): number {
    return this.#heads.size
  }

  get logBytes(): number {
    return this.#logBytes
  }

  /** Readers, for the operator: log numbers behind, and whether the network holds them up. */
  *readers(): Iterable<{ connection: number; lag: number; congested: boolean }> {
    for (const c of this.#connections.values())
      yield { connection: c.id, lag: this.durableLsn - c.have, congested: c.congested }
  }

  #digest(): Halves {
    return { low: this.reference.fingerprint.low, high: this.reference.fingerprint.high }
  }

  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A client subscribes. With a later attempt on one connection it starts over from the position it declares; earlier
   * attempts are echoes.
   * @throws AtomikError `schema` when it lays records out differently
   */
  subscribe(
    nowMs: number,
    connection: number,
    frame: UplinkFrame & { type: 'subscribe' },
    writable: boolean,
    actions: SpaceAction[],
  ): void {
    const theirs = Schema.decode(frame.schema)
    const difference = this.schema.difference(theirs)
    if (difference !== undefined)
      throw new AtomikError(
        'schema',
        `schema ${theirs.hash} does not fit space ${this.name} (${this.schema.hash}): ${difference}`,
      )
    const known = this.#store.knowsPosition(frame.epoch, frame.lsn) && frame.lsn <= this.lsn
    const lsn = known ? frame.lsn : 0
    const before = this.#connections.get(connection)
    if (before !== undefined && frame.attempt <= before.attempt) return
    const claims = frame.claims.map((claim): Claimed => {
      const name = formatIncarnation(claim.incarnation)
      let head = this.#heads.get(name)
      if (head === undefined) {
        head = new IncarnationHead(claim.incarnation)
        this.#heads.set(name, head)
      }
      const chain = head.knows(claim.sequence, claim.label) ? claim.sequence : -1
      return {
        head,
        claim: claim.sequence,
        chain,
        parted: false,
        askedAtMs: Number.NEGATIVE_INFINITY,
        early: new Map(),
      }
    })
    const reader: Connection = {
      id: connection,
      attempt: frame.attempt,
      writable,
      claims,
      cursor: lsn,
      held: undefined,
      have: lsn,
      congested: before?.congested ?? false,
      lastSentAtMs: nowMs,
      ackedLsn: -1,
    }
    this.#connections.set(connection, reader)
    const w = this.#w
    w.reset()
    writeWelcome(w, {
      attempt: frame.attempt,
      epoch: this.#epoch,
      lsn,
      toLsn: this.lsn,
      stampBaseMs: this.#stampBaseMs,
      writable,
      heads: this.#headsOf(reader),
    })
    actions.push({ type: 'send', connection, bytes: w.finish() })
    this.#feed(nowMs, reader, actions)
  }

  leave(connection: number): void {
    const reader = this.#connections.get(connection)
    this.#connections.delete(connection)
    // An incarnation that never wrote leaves no trace.
    for (const { head } of reader?.claims ?? []) {
      if (head.head.sequence > 0) continue
      const isClaimed = [...this.#connections.values()].some(({ claims }) =>
        claims.some(c => c.head === head),
      )
      if (!isClaimed) this.#heads.delete(formatIncarnation(head.id))
    }
  }

  /** The network takes no more bytes for this reader, or takes them again: then it gets one fold of all it missed. */
  congestion(nowMs: number, connection: number, congested: boolean, actions: SpaceAction[]): void {
    const reader = this.#connections.get(connection)
    if (reader === undefined || reader.congested === congested) return
    reader.congested = congested
    if (!congested) this.#feed(nowMs, reader, actions)
  }

  /**
   * A frame from a subscribed client.
   * @throws AtomikError when its bytes make no sense; the connection should be closed, nothing was applied
   */
  receive(nowMs: number, connection: number, frame: UplinkFrame, actions: SpaceAction[]): void {
    const reader = this.#connections.get(connection)
    if (reader === undefined)
      throw new AtomikError('malformed', `a ${frame.type} frame before a subscription`)
    if (frame.type === 'batch') {
      this.#batch(nowMs, reader, frame, actions)
    } else if (frame.type === 'have') {
      reader.have = Math.min(Math.max(reader.have, frame.lsn), this.lsn)
      for (const { alias, sequence } of frame.confirmed) reader.claims[alias]?.head.confirm(sequence)
    } else if (frame.type === 'need') {
      // What the reader declares is the truth: whatever we sent after it may be lost.
      if (frame.lsn > this.durableLsn || reader.held !== undefined) return
      reader.cursor = frame.lsn
      this.#feed(nowMs, reader, actions)
    }
  }

  /** Time passed: tells readers that may have lost the end of the stream where it stands. */
  tick(nowMs: number, actions: SpaceAction[]): void {
    for (const reader of this.#connections.values()) {
      if (reader.congested || nowMs - reader.lastSentAtMs < heartbeatMs) continue
      const idle = reader.have === this.durableLsn && reader.ackedLsn === this.durableLsn
      if (idle && nowMs - reader.lastSentAtMs < 20 * heartbeatMs) continue
      this.#acknowledge(nowMs, reader, actions)
    }
  }

  #acknowledge(nowMs: number, reader: Connection, actions: SpaceAction[]): void {
    const w = this.#w
    w.reset()
    writeAck(w, this.durableLsn, this.#durableDigest, this.#headsOf(reader))
    this.#send(nowMs, reader, w.finish(), actions)
    reader.ackedLsn = this.durableLsn
  }

  #send(nowMs: number, reader: Connection, bytes: Uint8Array, actions: SpaceAction[]): void {
    reader.lastSentAtMs = nowMs
    actions.push({ type: 'send', connection: reader.id, bytes })
  }

  #headsOf(reader: Connection): Head[] {
    return reader.claims.map(({ head }, alias) => ({
      alias,
      sequence: head.head.sequence,
      label: head.head.label,
      refused: head.refusals(),
    }))
  }

  /** The same, of those that went another way only up to there. */
  #sharedWith(reader: Connection): Head[] {
    return this.#headsOf(reader).map(head => {
      const { parted, chain, head: incarnation } = reader.claims[head.alias]
      const bound = parted ? incarnation.bound(chain) : undefined
      if (bound === undefined) return head
      const refused = head.refused.filter(({ to }) => to <= chain)
      return { ...head, sequence: bound.sequence, label: bound.label, refused }
    })
  }

  // ── accepting ───────────────────────────────────────────────────────────────────────────────────────────────────

  #batch(
    nowMs: number,
    reader: Connection,
    frame: UplinkFrame & { type: 'batch' },
    actions: SpaceAction[],
  ): void {
    const claimed = reader.claims[frame.alias]
    if (claimed === undefined) throw new AtomikError('range', `alias ${frame.alias} was not claimed`)
    const before = claimed.chain
    let next: (UplinkFrame & { type: 'batch' }) | undefined = frame
    while (next !== undefined && this.#accept(nowMs, reader, claimed, next, actions)) {
      next = claimed.early.get(claimed.chain)
      claimed.early.delete(claimed.chain)
    }
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
    frame: UplinkFrame & { type: 'batch' },
    actions: SpaceAction[],
  ): boolean {
    const { head } = claimed
    if (claimed.chain < 0) {
      // Either we lost what we had confirmed (our disk was set back), or forgot it: only the first has an answer.
      if (head.head.sequence < claimed.claim) this.#fork(reader, claimed, head.head.sequence, actions)
      else this.#strand(reader, claimed, actions)
      return false
    }
    if (frame.from > claimed.chain) {
      this.stats.gapsSeen++
      if (
        claimed.early.size < earlyBatchesMax &&
        frame.body.length <= earlyBytesMax &&
        !claimed.early.has(frame.from)
      )
        claimed.early.set(frame.from, { ...frame, body: frame.body.slice() })
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
    const at = head.bound(frame.from)
    assert(at !== undefined, 'the bound a chain stands on is remembered')
    const decoded = this.#decode(frame)
    const salt = frame.salt ?? at.salt
    const label = this.#labelOf(at.label, salt, decoded, frame.to)
    if (claimed.chain < head.head.sequence) {
      const known = head.bound(frame.to)
      if (known === undefined || !sameLabel(known.label, label)) {
        this.#fork(reader, claimed, claimed.chain, actions)
        claimed.parted = true
        this.#feed(nowMs, reader, actions)
        return false
      }
      this.stats.duplicatesDropped++
      claimed.chain = frame.to
      return true
    }
    if (!head.hasRoom) {
      this.#acknowledge(nowMs, reader, actions)
      return false
    }
    const refused = reader.writable ? this.#objection(nowMs, decoded) : 'readonly'
    if (refused === undefined) this.#apply(decoded)
    head.move({ sequence: frame.to, label, salt, refused })
    claimed.chain = frame.to
    this.lsn++
    const body = refused === undefined ? this.#relay(decoded.delta, decoded) : emptyBody
    this.#log.push({ author: head, to: frame.to, refused, body })
    this.#logBytes += body.length + 16
    this.#store.stageHead(head)
    if (refused === undefined) {
      this.#store.stageRows(decoded.delta, this.lsn)
      this.stats.batchesAccepted++
      this.stats.changesAccepted += frame.to - frame.from
    } else {
      this.stats.batchesRefused++
    }
    return true
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
    actions.push({ type: 'fork', connection: reader.id, incarnation: formatIncarnation(claimed.head.id) })
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
    actions.push({ type: 'fork', connection: reader.id, incarnation: formatIncarnation(claimed.head.id) })
    actions.push({ type: 'close', connection: reader.id, code: 'fork' })
  }

  #decode(frame: UplinkFrame & { type: 'batch' }): DecodedDelta {
    const reader = new Reader(frame.body)
    const decoded = decodeDelta(reader, this.schema.layouts, this.#directory, this.#stampBaseMs)
    if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
    return decoded
  }

  #labelOf(from: Halves, salt: Halves, decoded: DecodedDelta, to: number): Halves {
    const fresh = new Map<number, Halves>()
    const mixer = new Mixer()
    for (const { table, key, row, isNew } of decoded.named) {
      if (!isNew) continue
      mixer.hash(table, encodeUtf8(key))
      fresh.set(row * 64 + table, { low: mixer.low, high: mixer.high })
    }
    const digest = new Fingerprint()
    digestDelta(
      decoded.delta,
      (table, row) => {
        const { addresses } = this.reference.tables[table]
        return fresh.get(row * 64 + table) ?? { low: addresses[2 * row], high: addresses[2 * row + 1] }
      },
      digest,
    )
    return nextLabel(from, salt, digest, to)
  }

  /** Why a well-formed batch is not accepted, or undefined. */
  #objection(nowMs: number, { delta, named }: DecodedDelta): ErrorCode | undefined {
    for (const { table, row, isNew } of named) {
      // A row enters with its life, so that no named row is ever all zero.
      const part = delta.tables[table]
      const at = part.find(row)
      if (isNew && (part.words[at] | part.words[at + 1]) === 0) return 'range'
    }
    const latest = nowMs + (this.#options.skewMsMax ?? 10 * 60_000)
    for (const { layout, words, count } of delta.tables)
      for (let w = 0; w < layout.words; w++) {
        if (layout.kinds[w] !== WordKind.stamp) continue
        for (let slot = 0; slot < count; slot++) {
          const at = 2 * (slot * layout.words + w)
          if ((words[at + 1] >>> 0) * 2 ** 16 + (words[at] >>> 16) > latest) return 'stamp'
        }
      }
    return undefined
  }

  #apply({ delta, named }: DecodedDelta): void {
    for (const { table, key, row } of named) {
      const opened = this.reference.tables[table].open(key)
      assert(opened === row, 'rows are created in the order of their names')
    }
    this.reference.accum(delta)
  }

  /** The body readers get: rows by number, those created here with their key. */
  #relay(delta: Delta, { named }: DecodedDelta): Uint8Array {
    const created = delta.tables.map(() => 0)
    for (const { table, isNew } of named) if (isNew) created[table]++
    return this.#encodeFor(delta, table => this.reference.tables[table].count - created[table])
  }

  #encodeFor(delta: Delta, knownRows: (table: number) => number): Uint8Array {
    const names: RowNames = {
      numberOf: (_table, row) => row,
      keyOf: (table, row) => this.reference.tables[table].keys[row],
      knownRows,
    }
    this.#body.reset()
    encodeDelta(this.#body, delta, names, this.#stampBaseMs)
    return this.#body.finish()
  }

  readonly #directory: RowDirectory = {
    rowNumbered: (table, number) => (number < this.reference.tables[table].count ? number : -1),
    rowNamed: (table, key) => this.reference.tables[table].find(key),
    rowCount: table => this.reference.tables[table].count,
    // A client never introduces numbers: an unknown one is refused, not taken for a new row.
    knownRows: () => Number.MAX_SAFE_INTEGER,
  }

  // ── durability and fan-out ──────────────────────────────────────────────────────────────────────────────────────

  /** Stages what was accepted since the last commit, unless one is under way. Call it at the end of a turn. */
  commit(actions: SpaceAction[]): void {
    if (this.#committing || !this.#store.hasStaged) return
    this.#committing = true
    this.#stagedDigest = this.#digest()
    this.stats.commits++
    actions.push({ type: 'commit', puts: this.#store.take(this.lsn, this.#stagedDigest), lsn: this.lsn })
  }

  /** The commit up to `lsn` is durable: now it may be told. */
  committed(nowMs: number, lsn: number, actions: SpaceAction[]): void {
    this.#committing = false
    this.durableLsn = lsn
    this.#durableDigest = this.#stagedDigest
    for (const reader of this.#connections.values()) this.#feed(nowMs, reader, actions)
    this.#trim()
    this.commit(actions)
  }

  /** Drops log that costs more than what it changed, or that all readers have. */
  #trim(): void {
    let drop = 0
    const max = this.#options.logBytesMax ?? 8 * 1024 * 1024
    while (drop < this.#log.length && this.#logFrom + drop < this.durableLsn && this.#logBytes > max) {
      this.#logBytes -= this.#log[drop].body.length + 16
      drop++
    }
    if (drop === 0) return
    this.#log = this.#log.slice(drop)
    this.#logFrom += drop
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
      if (reader.cursor < this.#logFrom || behind >= foldEntriesMin) {
        // The frame names what it holds of the reader's own, so that must have been shown to be.
        if (reader.claims.some(({ chain, head, parted }) => !parted && chain !== head.head.sequence)) return
        this.#catchUp(nowMs, reader, actions)
        if (reader.held !== undefined) return
      } else if (!this.#stream(nowMs, reader, actions)) {
        return
      }
    }
  }

  /** False when the next entry is the reader's own and it has not yet shown that. */
  #stream(nowMs: number, reader: Connection, actions: SpaceAction[]): boolean {
    const entries: StreamEntry[] = []
    const first = reader.cursor
    let bytes = 0
    while (reader.cursor < this.durableLsn && bytes < streamBytesMax) {
      const entry = this.#log[reader.cursor - this.#logFrom]
      const alias = reader.claims.findIndex(claimed => claimed.head === entry.author)
      const claimed = reader.claims[alias]
      const isBeyond = claimed !== undefined && claimed.chain < entry.to
      if (isBeyond && !claimed.parted) break
      // What the reader knew to be settled when it subscribed has left its accumulator: it needs the content.
      if (claimed !== undefined && !isBeyond && entry.to > claimed.claim)
        entries.push(
          entry.refused === undefined
            ? { kind: 'own', alias, to: entry.to }
            : { kind: 'refused', alias, to: entry.to, code: entry.refused },
        )
      else if (entry.refused !== undefined) entries.push({ kind: 'nothing' })
      else entries.push({ kind: 'delta', body: entry.body })
      bytes += entry.body.length
      reader.cursor++
    }
    if (entries.length === 0) return false
    const w = this.#w
    w.reset()
    writeStream(w, first, entries)
    this.#send(nowMs, reader, w.finish(), actions)
    this.stats.streamFrames++
    return true
  }

  /** One frame from the reader's cursor to the present: a fold of the log, or the rows changed since, whichever is smaller. */
  #catchUp(nowMs: number, reader: Connection, actions: SpaceAction[]): void {
    const from = reader.cursor
    if (this.#lastCatchUp?.from !== from || this.#lastCatchUp.lsn !== this.lsn)
      this.#lastCatchUp = { from, lsn: this.lsn, ...this.#encodeCatchUp(from) }
    const { type, body } = this.#lastCatchUp
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

  /** Readers that stand together share the encoding. */
  #lastCatchUp: { from: number; lsn: number; type: 'fold' | 'snapshot'; body: Uint8Array } | undefined

  #encodeCatchUp(from: number): { type: 'fold' | 'snapshot'; body: Uint8Array } {
    const known = (table: number) => this.#store.rowsAt(table, from)
    const snapshot = this.#encodeFor(this.#store.changedSince(from), known)
    if (from < this.#logFrom) return { type: 'snapshot', body: snapshot }
    const fold = this.#encodeFor(this.#foldLog(from), known)
    return fold.length < snapshot.length ? { type: 'fold', body: fold } : { type: 'snapshot', body: snapshot }
  }

  #foldLog(from: number): Delta {
    const sum = new Delta(this.schema.layouts)
    const known = this.schema.layouts.map((_, table) => this.#store.rowsAt(table, from))
    const directory: RowDirectory = {
      rowNumbered: (_table, number) => number,
      rowNamed: (table, key) => this.reference.tables[table].find(key),
      rowCount: table => this.reference.tables[table].count,
      knownRows: table => known[table],
    }
    for (const entry of this.#log.slice(from - this.#logFrom)) {
      if (entry.refused !== undefined) continue
      const { delta, named } = decodeDelta(
        new Reader(entry.body),
        this.schema.layouts,
        directory,
        this.#stampBaseMs,
      )
      for (const { table } of named) known[table]++
      sum.fold(delta)
    }
    return sum
  }
}

const emptyBody = new Uint8Array(0)

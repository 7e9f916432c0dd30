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
 * Not here: what is held, and how it grows (mesh-state.ts); a hub, since a space lives on a hub or in a mesh, not on both; sockets,
 * timers, storage.
 */
import { AtomikError } from '../errors.ts'
import { decodeSchema, differenceOf } from '../schema/index.ts'
import {
  decodeMesh,
  type Halves,
  type MeshBound,
  type MeshEntry,
  type MeshFrame,
  type MeshSegment,
  type MeshSummary,
  meshBuckets,
  meshVersion,
  Writer,
  writeMesh,
} from '../wire/index.ts'
import { type History, inNameOrder, portions } from './history.ts'
import { formatIncarnation, sameLabel } from './label.ts'
import { bucketOf, type MeshNews, type MeshOptions, MeshState } from './mesh-state.ts'

export type MeshEvent =
  /** A connection to another node is open. `peer` is any number not in use. */
  | { readonly type: 'open'; readonly peer: number }
  | { readonly type: 'close'; readonly peer: number }
  | { readonly type: 'message'; readonly peer: number; readonly bytes: Uint8Array }
  | { readonly type: 'tick' }

export type MeshAction =
  | MeshNews
  | { readonly type: 'send'; readonly peer: number; readonly bytes: Uint8Array }
  /** This peer holds exactly what we hold. */
  | { readonly type: 'same'; readonly peer: number }
  /** The connection is of no use: other schema, other space, or nonsense. */
  | { readonly type: 'fail'; readonly peer: number; readonly error: AtomikError }

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

export class MeshNode extends MeshState {
  readonly #announceMs: number
  readonly #peers = new Map<number, Peer>()
  readonly #w = new Writer()

  constructor(options: MeshOptions) {
    super(options)
    this.#announceMs = options.announceMs ?? 400
  }

  /** Peers that are connected and have greeted. */
  get peerCount(): number {
    return [...this.#peers.values()].filter(({ theirs }) => theirs !== undefined).length
  }

  // ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes one event; what follows from it is appended to `actions`. */
  step(nowMs: number, event: MeshEvent, actions: MeshAction[]): void {
    switch (event.type) {
      case 'open': {
        const never = Number.NEGATIVE_INFINITY
        this.renewSalt()
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
    const segment = this.seal(nowMs)
    if (segment !== undefined) this.#push(this.id, [segment], undefined, actions)
  }

  #tick(nowMs: number, actions: MeshAction[]): void {
    this.flush(nowMs, actions)
    const steadyMs = this.steady.at(nowMs)
    for (const peer of this.#peers.values()) {
      if (steadyMs - peer.toldAtMs < this.#announceMs) continue
      if (peer.theirs === undefined || !peer.heard) this.#greet(nowMs, peer, actions)
      else if (!this.#isSame(peer.theirs.vector) || !this.#isSame(peer.told)) this.#tell(nowMs, peer, actions)
    }
  }

  #isSame(vector: Halves | undefined): boolean {
    return vector !== undefined && sameLabel(vector, this.vectorDigest())
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(peer: Peer, frames: readonly MeshFrame[], actions: MeshAction[]): void {
    const w = this.#w
    w.reset()
    for (const frame of frames) writeMesh(w, frame)
    actions.push({ type: 'send', peer: peer.id, bytes: w.finish() })
  }

  #greet(nowMs: number, peer: Peer, actions: MeshAction[]): void {
    const summary = this.summary
    peer.told = summary.vector
    peer.toldAtMs = this.steady.at(nowMs)
    const frame: MeshFrame = {
      type: 'greet',
      version: meshVersion,
      space: this.options.space,
      schema: this.schema.encode(),
      summary,
      isAnswer: peer.theirs !== undefined,
    }
    this.#send(peer, [frame], actions)
  }

  #tell(nowMs: number, peer: Peer, actions: MeshAction[]): void {
    const summary = this.summary
    peer.told = summary.vector
    peer.toldAtMs = this.steady.at(nowMs)
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
        for (const part of portions(segments))
          this.#send(peer, [{ type: 'segments', incarnation, segments: part }], actions)
  }

  #supply(peer: Peer, history: History, known: readonly MeshBound[], actions: MeshAction[]): void {
    const [first, ...rest] = this.framesFor(history, known)
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
        if (!sameLabel(frame.digests[i], this.buckets[i])) buckets |= 1 << i
      if (buckets !== 0) this.#sendVector(peer, buckets, actions)
    } else if (frame.type === 'vector') {
      this.#answer(peer, frame, actions)
    } else if (frame.type === 'segments') {
      this.#segments(nowMs, peer, frame, actions)
    } else {
      this.takeWhole(nowMs, frame, actions)
    }
  }

  #greeted(nowMs: number, peer: Peer, frame: MeshFrame & { type: 'greet' }, actions: MeshAction[]): void {
    let refusal: AtomikError | undefined
    const theirs = decodeSchema(frame.schema)
    const difference = differenceOf(this.schema, theirs)
    if (difference !== undefined)
      refusal = new AtomikError(
        'schema',
        `schema ${theirs.hash} does not fit ${this.schema.hash}: ${difference}`,
      )
    else if (frame.space !== this.options.space)
      refusal = new AtomikError('unknown-space', `this node holds ${this.options.space}, not ${frame.space}`)
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
    const own = this.summary
    const { vector, state } = peer.theirs
    if (sameLabel(vector, own.vector)) {
      if (!sameLabel(state, own.state)) this.stats.divergences++
      if (peer.same === undefined || !sameLabel(peer.same, vector))
        actions.push({ type: 'same', peer: peer.id })
      peer.same = vector
      if (!this.#isSame(peer.told)) this.#tell(nowMs, peer, actions)
    } else if (isLess(own.vector, vector)) {
      const steadyMs = this.steady.at(nowMs)
      if (steadyMs - peer.askedAtMs < this.#announceMs / 4) return
      peer.askedAtMs = steadyMs
      if (this.histories.size <= vectorOutrightMax) this.#sendVector(peer, 2 ** meshBuckets - 1, actions)
      else {
        const digests = this.buckets.map(({ low, high }) => ({ low, high }))
        this.#send(peer, [{ type: 'buckets', digests }], actions)
      }
    } else if (!this.#isSame(peer.told)) {
      this.#tell(nowMs, peer, actions)
    }
  }

  #sendVector(peer: Peer, buckets: number, actions: MeshAction[]): void {
    const entries = inNameOrder(this.histories.values())
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
      const history = this.histories.get(name)
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
    for (const [name, history] of this.histories)
      if (!listed.has(name) && ((frame.buckets >> bucketOf(history.id)) & 1) === 1)
        this.#supply(peer, history, [], actions)
    if (answer.length > 0)
      this.#send(peer, [{ type: 'vector', round: frame.round + 1, buckets: 0, entries: answer }], actions)
  }

  #segments(nowMs: number, peer: Peer, frame: MeshFrame & { type: 'segments' }, actions: MeshAction[]): void {
    const fresh: MeshSegment[] = []
    try {
      this.takeSegments(nowMs, frame, actions, fresh)
    } finally {
      if (fresh.length > 0) this.#push(frame.incarnation, fresh, peer.id, actions)
    }
  }
}

function isLess(a: Halves, b: Halves): boolean {
  return a.high === b.high ? a.low >>> 0 < b.low >>> 0 : a.high >>> 0 < b.high >>> 0
}

/**
 * What a node of a mesh holds of one incarnation's changes: a folded beginning, and the last segments one by one.
 *
 *   root ···· inside ····▶ base ──▶ segment ──▶ segment ──▶ leaf
 *                  └──▶ segment ──▶ leaf                         a fork: two machines went on as one incarnation
 *
 * Every segment is named by the label at its end, and counts once under that name, whoever brings it. The beginning is one
 * delta (`base`), with the labels of the bounds that lie inside: every bound from the first remembered one on, so a segment
 * that starts at one of them and ends at none is another branch. Segments are never composed on the way: a node that stands
 * in the middle of one could not tell what it has.
 */
import type { Delta } from '../algebra/index.ts'
import { assert } from '../errors.ts'
import { limits } from '../limits.ts'
import { compareBytes, type MeshBound, type MeshSegment } from '../wire/index.ts'
import { firstLabel, sameLabel } from './label.ts'

/** What becomes of a history's beginning that another node sent. */
export type Taken =
  /** All of it was here. */
  | 'known'
  /** It took the place of ours; what we had beside it stays. */
  | 'grown'
  /** It and ours do not fit together, and it is the longer: ours is gone. */
  | 'replaced'

/** Bytes of segments in one frame, unless one segment is more. */
const frameBytesMax = 256 * 1024

const nameOf = (bound: MeshBound) => `${bound.sequence}/${bound.label.low}/${bound.label.high}`

export class History {
  readonly id: Uint8Array
  /** Where the folded beginning ends. */
  base: MeshBound
  /** All changes up to `base`. */
  delta: Delta
  /** Bounds inside the beginning, ascending. */
  #inside: MeshBound[] = []
  readonly #insideNames = new Set<string>()
  /** By the name of their end. */
  readonly #segments = new Map<string, MeshSegment>()
  #leaves: MeshBound[] | undefined

  constructor(id: Uint8Array, empty: Delta) {
    this.id = id.slice()
    this.base = { sequence: 0, label: firstLabel(id) }
    this.delta = empty
  }

  get segments(): Iterable<MeshSegment> {
    return this.#segments.values()
  }

  get segmentCount(): number {
    return this.#segments.size
  }

  get inside(): readonly MeshBound[] {
    return this.#inside
  }

  /** Where the history ends: one bound, or one for each branch of a fork; ascending. */
  get leaves(): readonly MeshBound[] {
    if (this.#leaves !== undefined) return this.#leaves
    const starts = new Set([...this.#segments.values()].map(({ from }) => nameOf(from)))
    const ends = [this.base, ...[...this.#segments.values()].map(({ to }) => to)]
    this.#leaves = ends.filter(bound => !starts.has(nameOf(bound))).sort(compareBounds)
    return this.#leaves
  }

  /** True when this bound lies in what we hold. */
  knows(bound: MeshBound): boolean {
    const name = nameOf(bound)
    return this.#segments.has(name) || name === nameOf(this.base) || this.#insideNames.has(name)
  }

  /** Takes a segment that starts where something known ends. False when it does not, or is known, or makes too many leaves. */
  add(segment: MeshSegment): boolean {
    if (this.knows(segment.to) || !this.knows(segment.from)) return false
    const isTip = this.leaves.some(leaf => nameOf(leaf) === nameOf(segment.from))
    if (!isTip && this.leaves.length >= limits.meshLeavesMax) return false
    this.#segments.set(nameOf(segment.to), segment)
    this.#leaves = undefined
    return true
  }

  /**
   * Folds the oldest segments into the beginning while more than `keep` follow it one after another. A fork stays unfolded:
   * from there on two nodes might fold different branches.
   */
  compact(keep: number, decode: (body: Uint8Array) => Delta): void {
    if (this.#segments.size <= keep) return
    const grafts = [...this.#segments.values()].filter(({ from }) => this.#insideNames.has(nameOf(from)))
    while (this.#segments.size - grafts.length > keep) {
      const next = [...this.#segments.values()].filter(({ from }) => nameOf(from) === nameOf(this.base))
      if (next.length !== 1) return
      if (this.#inside.length === limits.meshInsideMax) {
        if (grafts.length > 0) return
        this.#insideNames.delete(nameOf(this.#inside[0]))
        this.#inside.shift()
      }
      this.delta.fold(decode(next[0].body))
      this.#inside.push(this.base)
      this.#insideNames.add(nameOf(this.base))
      this.base = next[0].to
      this.#segments.delete(nameOf(this.base))
    }
  }

  /** Bounds ever further back from the end: where a reader who does not know our leaves may find itself. */
  ladder(): MeshBound[] {
    const bounds = [...this.#inside, this.base, ...[...this.#segments.values()].map(({ to }) => to)]
    bounds.sort(compareBounds)
    const steps: MeshBound[] = []
    for (let back = 1; back < bounds.length; back *= 2) steps.push(bounds[bounds.length - 1 - back])
    if (!steps.includes(this.base)) steps.push(this.base)
    return steps
  }

  /**
   * What a reader lacks who holds everything up to these bounds: the segments, each after the one it starts at, and whether it
   * needs the beginning too.
   */
  beyond(known: readonly MeshBound[]): { readonly segments: MeshSegment[]; readonly whole: boolean } {
    const covered = new Set<string>()
    let whole = this.base.sequence > 0
    for (const bound of known) {
      let name = nameOf(bound)
      for (
        let segment = this.#segments.get(name);
        segment !== undefined;
        segment = this.#segments.get(name)
      ) {
        covered.add(name)
        name = nameOf(segment.from)
      }
      if (name === nameOf(this.base)) whole = false
    }
    // A reader that takes our beginning gives up its own, so all that stands beside it must come along.
    const segments = [...this.#segments.values()].filter(({ to }) => whole || !covered.has(nameOf(to)))
    return { segments: inOrder(segments), whole }
  }

  /** What a reader of our beginning may count on: where we end; after a fork, every segment that comes along. */
  get beside(): readonly MeshBound[] {
    if (this.leaves.length === 1) return this.leaves
    return [...this.#segments.values()].slice(0, limits.meshSegmentsMax).map(({ to }) => to)
  }

  /**
   * Takes the beginning of this history as another node holds it, to be followed by the segments that end at the bounds
   * `beside`, as far as they are not here.
   */
  take(theirs: {
    readonly to: MeshBound
    readonly inside: readonly MeshBound[]
    readonly beside: readonly MeshBound[]
    readonly delta: Delta
  }): Taken {
    const { to, inside, beside, delta } = theirs
    if (this.knows(to)) return 'known'
    const kept = this.#besides(new Set([...inside, to, ...beside].map(nameOf)))
    if (kept === undefined) {
      // Both hold what the other cannot place: the one that reaches further stands, for everyone.
      const [here, there] = [lastOf(this.leaves, this.base), lastOf(beside, to)]
      const order = compareBounds(there, here)
      if (order < 0 || (order === 0 && compareBounds(to, this.base) <= 0)) return 'known'
    }
    this.base = to
    this.delta = delta
    this.#inside = [...inside]
    this.#insideNames.clear()
    for (const bound of inside) this.#insideNames.add(nameOf(bound))
    this.#segments.clear()
    for (const segment of kept ?? []) this.#segments.set(nameOf(segment.to), segment)
    this.#leaves = undefined
    return kept === undefined ? 'replaced' : 'grown'
  }

  /** Our segments that their beginning does not contain; undefined when these, or our own beginning, have no place in it. */
  #besides(theirs: ReadonlySet<string>): MeshSegment[] | undefined {
    const kept = new Map<string, MeshSegment>()
    for (const leaf of this.leaves) {
      let name = nameOf(leaf)
      while (!theirs.has(name) && !kept.has(name)) {
        const segment = this.#segments.get(name)
        // The root is where every history starts; nothing of ours is lost with it.
        if (segment === undefined) {
          if (this.base.sequence === 0 && name === nameOf(this.base) && kept.size === 0) break
          return undefined
        }
        kept.set(name, segment)
        name = nameOf(segment.from)
      }
    }
    return inOrder([...kept.values()])
  }
}

function lastOf(bounds: readonly MeshBound[], bound: MeshBound): MeshBound {
  return bounds.reduce((last, other) => (compareBounds(last, other) < 0 ? other : last), bound)
}

/** By sequence, equal ones by label as an unsigned number. */
export function compareBounds(a: MeshBound, b: MeshBound): number {
  if (a.sequence !== b.sequence) return a.sequence - b.sequence
  if (a.label.high !== b.label.high) return (a.label.high >>> 0) - (b.label.high >>> 0)
  return (a.label.low >>> 0) - (b.label.low >>> 0)
}

export function sameBound(a: MeshBound, b: MeshBound): boolean {
  return a.sequence === b.sequence && sameLabel(a.label, b.label)
}

/** Histories by name, in the order in which vectors list them. */
export function inNameOrder(histories: Iterable<History>): History[] {
  return [...histories].sort((a, b) => compareBytes(a.id, b.id))
}

/** Each segment after the one it starts at, branches one after another. */
function inOrder(segments: readonly MeshSegment[]): MeshSegment[] {
  const byStart = new Map<string, MeshSegment[]>()
  const ends = new Set(segments.map(({ to }) => nameOf(to)))
  for (const segment of segments) {
    const start = nameOf(segment.from)
    byStart.set(start, [...(byStart.get(start) ?? []), segment])
  }
  const ordered: MeshSegment[] = []
  const walk = [...byStart.keys()].filter(start => !ends.has(start))
  for (let start = walk.pop(); start !== undefined; start = walk.pop())
    for (const segment of byStart.get(start) ?? []) {
      ordered.push(segment)
      walk.push(nameOf(segment.to))
    }
  assert(ordered.length === segments.length, 'segments form a tree')
  return ordered
}

/** Segments in portions that fit a message. */
export function* portions(segments: readonly MeshSegment[]): Iterable<MeshSegment[]> {
  let part: MeshSegment[] = []
  let bytes = 0
  for (const segment of segments) {
    if (
      part.length > 0 &&
      (bytes + segment.body.length > frameBytesMax || part.length === limits.meshSegmentsMax)
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

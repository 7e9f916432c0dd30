/**
 * The frames between two nodes of a mesh, the same in both directions, and their total decoder. Apart from the frames
 * between client and hub: another magic, other type numbers. Deltas inside name rows by key, so that bytes mean the same
 * to every node (spec/mesh.md).
 *
 *   greet     who we are: space, schema, summary      summary   digests of what we hold
 *   buckets   the digest in sixteen parts             vector    where each history stands
 *   segments  parts of one history                    whole     the beginning of one history, folded
 */
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Halves } from './frames.ts'
import { errorCodes, Reader } from './reader.ts'
import { compareBytes, encodeUtf8 } from './utf8.ts'
import type { Writer } from './writer.ts'

export const meshVersion = 1
/** "ATMM" as a little-endian u32. */
const magic = 0x4d4d_5441
/** Incarnations fall into this many parts, by their first four bits. */
export const meshBuckets = 16

const MeshType = {
  greet: 64,
  summary: 65,
  buckets: 66,
  vector: 67,
  segments: 68,
  whole: 69,
  error: 70,
} as const

/** A place in a history: how many changes lie before it, and its label. */
export interface MeshBound {
  readonly sequence: number
  readonly label: Halves
}

/** The digest of all histories a node holds, and that of the state they add up to. */
export interface MeshSummary {
  readonly vector: Halves
  readonly state: Halves
}

export interface MeshEntry {
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  /** Where the history ends: one bound, or one for each branch of a fork. */
  readonly leaves: readonly MeshBound[]
  /** Earlier bounds, ever further apart: for a reader who does not know the leaves. */
  readonly ladder: readonly MeshBound[]
}

/** The changes (from.sequence, to.sequence] of one incarnation. */
export interface MeshSegment {
  readonly from: MeshBound
  readonly to: MeshBound
  /** The delta, rows by key. */
  readonly body: Uint8Array
}

export type MeshFrame =
  | {
      readonly type: 'greet'
      readonly version: number
      readonly space: string
      readonly schema: Uint8Array
      readonly summary: MeshSummary
      /** The sender has had a greeting from us. */
      readonly isAnswer: boolean
    }
  | { readonly type: 'summary'; readonly summary: MeshSummary }
  | { readonly type: 'buckets'; readonly digests: readonly Halves[] }
  | {
      readonly type: 'vector'
      /** 0 asks; 1 answers, with ladders for what was not known; 2 the same back. */
      readonly round: number
      /** Bit i: all incarnations of part i that the sender holds are listed. Only then absence means something. */
      readonly buckets: number
      readonly entries: readonly MeshEntry[]
    }
  | { readonly type: 'segments'; readonly incarnation: Uint8Array; readonly segments: readonly MeshSegment[] }
  | {
      readonly type: 'whole'
      readonly incarnation: Uint8Array
      readonly to: MeshBound
      /** Bounds that lie inside, in ascending order. */
      readonly inside: readonly MeshBound[]
      /** Where the sender's history ends; after a fork, where each segment ends that follows in this message. */
      readonly beside: readonly MeshBound[]
      readonly body: Uint8Array
    }
  | { readonly type: 'error'; readonly error: AtomikError }

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export function writeMesh(w: Writer, frame: MeshFrame): void {
  w.u8(MeshType[frame.type])
  switch (frame.type) {
    case 'greet':
      w.u32(magic)
      w.varint(frame.version)
      w.text(frame.space)
      w.varint(frame.schema.length)
      w.bytes(frame.schema)
      writeSummary(w, frame.summary)
      w.u8(frame.isAnswer ? 1 : 0)
      return
    case 'summary':
      writeSummary(w, frame.summary)
      return
    case 'buckets':
      for (const { low, high } of frame.digests) w.u64(low, high)
      return
    case 'vector':
      w.u8(frame.round)
      w.varint(frame.buckets)
      w.varint(frame.entries.length)
      for (const { incarnation, leaves, ladder } of frame.entries) {
        w.bytes(incarnation)
        writeBounds(w, leaves)
        writeBounds(w, ladder)
      }
      return
    case 'segments': {
      w.bytes(frame.incarnation)
      w.varint(frame.segments.length)
      let before: MeshBound | undefined
      for (const { from, to, body } of frame.segments) {
        const follows = before !== undefined && isSameBound(before, from)
        w.u8(follows ? 1 : 0)
        if (!follows) writeBound(w, from)
        w.varint(to.sequence - from.sequence)
        w.u64(to.label.low, to.label.high)
        w.varint(body.length)
        w.bytes(body)
        before = to
      }
      return
    }
    case 'whole':
      w.bytes(frame.incarnation)
      writeBound(w, frame.to)
      writeBounds(w, frame.inside)
      writeBounds(w, frame.beside)
      w.varint(frame.body.length)
      w.bytes(frame.body)
      return
    case 'error': {
      w.u8(Math.max(0, errorCodes.indexOf(frame.error.code)))
      const { code, message } = frame.error
      w.text(encodeUtf8(message).length > limits.errorTextBytesMax ? code : message)
      return
    }
  }
}

function isSameBound(a: MeshBound, b: MeshBound): boolean {
  return a.sequence === b.sequence && a.label.low === b.label.low && a.label.high === b.label.high
}

function writeSummary(w: Writer, { vector, state }: MeshSummary): void {
  w.u64(vector.low, vector.high)
  w.u64(state.low, state.high)
}

function writeBound(w: Writer, { sequence, label }: MeshBound): void {
  w.varint(sequence)
  w.u64(label.low, label.high)
}

function writeBounds(w: Writer, bounds: readonly MeshBound[]): void {
  w.varint(bounds.length)
  for (const bound of bounds) writeBound(w, bound)
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** All frames of a message from another node. @throws AtomikError with code and offset; then none of it counts */
export function decodeMesh(message: Uint8Array, bytesMax: number = limits.downlinkBytesMax): MeshFrame[] {
  if (message.length > bytesMax)
    throw new AtomikError('oversized', `a message of ${message.length} bytes, at most ${bytesMax} are read`)
  const reader = new Reader(message)
  const frames: MeshFrame[] = []
  do frames.push(readFrame(reader))
  while (!reader.done)
  return frames
}

const sequenceMax = Number.MAX_SAFE_INTEGER

function readFrame(r: Reader): MeshFrame {
  const start = r.position
  const type = r.u8()
  switch (type) {
    case MeshType.greet: {
      if (r.u32() !== magic) r.fail('malformed', 'not a node of an ATOMiK mesh', start)
      const version = r.varint(2 ** 31, 'version')
      if (version !== meshVersion)
        r.fail('version', `this side speaks mesh version ${meshVersion}, the other ${version}`, start)
      const space = r.text(limits.spaceNameBytesMax, 'bytes in a space name')
      const schema = r.bytes(r.varint(limits.schemaBytesMax, 'bytes in a schema'))
      const summary = readSummary(r)
      return { type: 'greet', version, space, schema, summary, isAnswer: readBit(r) }
    }
    case MeshType.summary:
      return { type: 'summary', summary: readSummary(r) }
    case MeshType.buckets:
      return { type: 'buckets', digests: Array.from({ length: meshBuckets }, () => readHalves(r)) }
    case MeshType.vector: {
      const round = r.u8()
      if (round > 2) r.fail('malformed', `round ${round} of a vector, expected 0 to 2`, start)
      const buckets = r.varint(2 ** meshBuckets - 1, 'parts of a vector')
      const entries: MeshEntry[] = []
      let before: Uint8Array | undefined
      for (let count = r.varint(limits.meshIncarnationsMax, 'incarnations'); count > 0; count--) {
        const at = r.position
        const incarnation = r.bytes(16)
        if (before !== undefined && compareBytes(before, incarnation) >= 0)
          r.fail('malformed', 'incarnations out of order', at)
        before = incarnation
        const leaves = readBounds(r, limits.meshLeavesMax, 'ends of a history')
        entries.push({ incarnation, leaves, ladder: readBounds(r, 64, 'bounds of a ladder') })
      }
      return { type: 'vector', round, buckets, entries }
    }
    case MeshType.segments: {
      const incarnation = r.bytes(16)
      const segments: MeshSegment[] = []
      const total = r.varint(limits.meshSegmentsMax, 'segments')
      if (total === 0) r.fail('malformed', 'a frame of no segments', start)
      for (let count = total; count > 0; count--) {
        const at = r.position
        const follows = readBit(r)
        const last = segments.at(-1)
        if (follows && last === undefined) r.fail('malformed', 'a first segment that follows none', at)
        const from = follows && last !== undefined ? last.to : readBound(r)
        if (!follows && last !== undefined && isSameBound(last.to, from))
          r.fail('malformed', 'a segment that follows and does not say so', at)
        const changes = r.varint(sequenceMax - from.sequence, 'changes in a segment')
        if (changes === 0) r.fail('malformed', 'a segment of no changes', at)
        const to = { sequence: from.sequence + changes, label: readHalves(r) }
        segments.push({ from, to, body: r.bytes(r.varint(limits.downlinkBytesMax, 'bytes in a segment')) })
      }
      return { type: 'segments', incarnation, segments }
    }
    case MeshType.whole: {
      const incarnation = r.bytes(16)
      const to = readBound(r)
      const inside = readBounds(r, limits.meshInsideMax, 'bounds inside')
      for (let i = 0; i < inside.length; i++)
        if (inside[i].sequence >= (inside[i + 1] ?? to).sequence)
          r.fail('malformed', 'bounds inside a history out of order', start)
      const beside = readBounds(r, limits.meshSegmentsMax, 'bounds beside')
      return {
        type: 'whole',
        incarnation,
        to,
        inside,
        beside,
        body: r.bytes(r.varint(limits.downlinkBytesMax, 'bytes in a history')),
      }
    }
    case MeshType.error: {
      const code = errorCodes[r.u8()]
      if (code === undefined) r.fail('malformed', 'an error code that is not known here', start)
      return { type: 'error', error: new AtomikError(code, r.text(limits.errorTextBytesMax, 'error text')) }
    }
    default:
      return r.fail('malformed', `frame type ${type} is not one of a mesh`, start)
  }
}

function readBit(r: Reader): boolean {
  const start = r.position
  const value = r.u8()
  if (value > 1) r.fail('malformed', `expected 0 or 1, got ${value}`, start)
  return value === 1
}

function readHalves(r: Reader): Halves {
  r.u64()
  return { low: r.low, high: r.high }
}

function readSummary(r: Reader): MeshSummary {
  const vector = readHalves(r)
  return { vector, state: readHalves(r) }
}

function readBound(r: Reader): MeshBound {
  const sequence = r.varint(sequenceMax, 'sequence')
  return { sequence, label: readHalves(r) }
}

function readBounds(r: Reader, max: number, what: string): MeshBound[] {
  const bounds: MeshBound[] = []
  for (let count = r.varint(max, what); count > 0; count--) bounds.push(readBound(r))
  return bounds
}

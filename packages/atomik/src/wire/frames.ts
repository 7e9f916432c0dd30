/**
 * The frames, and their decoders by direction. A message is one or more frames. Bodies that hold deltas are carried as
 * bytes with their length in front, so that a repeat is dropped without reading it and the engine decodes each body
 * against the rows it knows at that moment (spec/wire.md §4).
 *
 * This file knows the shape of frames and nothing of replicas: what a frame causes is the engine's business.
 *
 * Over 500 lines: each frame's type, writer and reader stand together, so that one page shows both directions of the format.
 */
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { errorCodes, errorNumber, Reader } from './reader.ts'
import { stampMsMax } from './stamp.ts'
import { StreamCursor } from './stream.ts'
import { compareBytes, encodeUtf8 } from './utf8.ts'
import type { Writer } from './writer.ts'

export const wireVersion = 3
/** "ATMK" as a little-endian u32: the first bytes a client sends. */
const magic = 0x4b4d_5441

export const FrameType = {
  hello: 1,
  auth: 2,
  subscribe: 3,
  batch: 4,
  have: 5,
  need: 6,
  rows: 7,
  welcome: 16,
  stream: 17,
  fold: 18,
  snapshot: 19,
  ack: 20,
  resend: 21,
  fork: 22,
  error: 23,
  lack: 24,
} as const

/**
 * Frame types from 128 on are the short form of what is sent most: one change to the hub, from 192 on one log entry from it, and
 * nothing else in the message. The low 6 bits are those of its number; the rest is the delta.
 */
const shortUplink = 128
const shortDownlink = 192
const shortNumbers = 64

/** The number that ends in these 6 bits and lies nearest to `near`: what a short frame leaves out. */
export function nearestNumber(bits: number, near: number): number {
  const ahead = (((bits - near) % shortNumbers) + shortNumbers) % shortNumbers
  const number = ahead < shortNumbers / 2 ? near + ahead : near + ahead - shortNumbers
  return number < 0 ? number + shortNumbers : number
}

/** 64 bits as two halves. */
export interface Halves {
  readonly low: number
  readonly high: number
}

/** What a client knows to be accepted of one incarnation. Its index in `subscribe` is its alias on the connection. */
export interface Claim {
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  readonly sequence: number
  readonly label: Halves
}

/** The hub's head of one incarnation, by alias, with the refusals its author has not confirmed to know. */
export interface Head {
  readonly alias: number
  readonly sequence: number
  readonly label: Halves
  readonly refused: readonly { readonly to: number; readonly code: ErrorCode }[]
}

export type UplinkFrame =
  | { readonly type: 'hello'; readonly version: number }
  | { readonly type: 'auth'; readonly token: string }
  | {
      readonly type: 'subscribe'
      /** Counts subscriptions on this connection from 1: the welcome repeats it, so that echoes are told apart. */
      readonly attempt: number
      readonly space: string
      /** The schema's description; its hash is part of it. */
      readonly schema: Uint8Array
      /** Epoch and log number the client's reference stands at; 0 and 0 when it has none. */
      readonly epoch: Halves
      readonly lsn: number
      /** Milliseconds since 1970 that the first stamp of each incarnation is coded against on this connection. */
      readonly stampBaseMs: number
      /** The link keeps the order of messages and repeats none: short frames may be used on it, both ways. */
      readonly isOrdered: boolean
      readonly claims: readonly Claim[]
    }
  | {
      readonly type: 'batch'
      readonly alias: number
      /** The batch covers the changes (from, to] of its incarnation. */
      readonly from: number
      readonly to: number
      /** Redrawn salt for this and the following labels, when it changes. */
      readonly salt: Halves | undefined
      readonly body: Uint8Array
    }
  /** One change of alias 0 under the salt in force, after the change whose number ends in these 6 bits. */
  | { readonly type: 'change'; readonly fromBits: number; readonly body: Uint8Array }
  | {
      readonly type: 'have'
      readonly lsn: number
      readonly confirmed: readonly { alias: number; sequence: number }[]
    }
  | { readonly type: 'need'; readonly lsn: number }
  /** Rows of the client's reference, for a hub that lacks them. */
  | { readonly type: 'rows'; readonly rows: readonly LentRow[] }

/** A row by its number in the log, whole. */
export interface LentRow {
  readonly table: number
  readonly row: number
  readonly key: string
  readonly words: readonly Halves[]
}

/** One log entry as a reader sees it. */
export type StreamEntry =
  | { readonly kind: 'delta'; readonly body: Uint8Array }
  /** The reader's own batch that ends at `to`, accepted. */
  | { readonly kind: 'own'; readonly alias: number; readonly to: number }
  /** The reader's own batch that ends at `to`, refused: nothing of it is in the state. */
  | { readonly kind: 'refused'; readonly alias: number; readonly to: number; readonly code: ErrorCode }
  /** Somebody else's refused batch: the log number passes, nothing happens. */
  | { readonly kind: 'nothing' }

export type DownlinkFrame =
  | {
      readonly type: 'welcome'
      readonly attempt: number
      readonly epoch: Halves
      /** Where the hub goes on: the client's own position, or 0 when the hub does not know that position. */
      readonly lsn: number
      /** Where the log ends now. */
      readonly toLsn: number
      readonly stampBaseMs: number
      readonly writable: boolean
      readonly heads: readonly Head[]
    }
  | { readonly type: 'stream'; readonly lsn: number; readonly entries: readonly StreamEntry[] }
  /** A stream of one delta, after the log number that ends in these 6 bits. */
  | { readonly type: 'entry'; readonly lsnBits: number; readonly body: Uint8Array }
  | {
      /** `fold`: one delta from `lsn` to `toLsn`. `snapshot`: the rows changed since `lsn`, whole, to replace. */
      readonly type: 'fold' | 'snapshot'
      readonly lsn: number
      readonly toLsn: number
      readonly heads: readonly Head[]
      readonly body: Uint8Array
    }
  | { readonly type: 'ack'; readonly lsn: number; readonly digest: Halves; readonly heads: readonly Head[] }
  /** The hub stands at `sequence` and cannot use what came: send again from there. */
  | { readonly type: 'resend'; readonly alias: number; readonly sequence: number }
  /** After `sequence` the hub holds another history of this incarnation, or none: continue under a new one. */
  | { readonly type: 'fork'; readonly attempt: number; readonly alias: number; readonly sequence: number }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly fatal: boolean; readonly text: string }
  /** The hub's disk lost these rows: who has them, sends them. */
  | {
      readonly type: 'lack'
      readonly attempt: number
      readonly rows: readonly { readonly table: number; readonly row: number }[]
    }

/** A stream whose entries lie in `bytes` as they came. */
export interface EntriesFrame {
  readonly type: 'entries'
  readonly lsn: number
  readonly count: number
  readonly bytes: Uint8Array
}

export type ScannedFrame = Exclude<DownlinkFrame, { type: 'stream' }> | EntriesFrame

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export function writeHello(w: Writer): void {
  w.u8(FrameType.hello)
  w.u32(magic)
  w.varint(wireVersion)
}

export function writeAuth(w: Writer, token: string): void {
  w.u8(FrameType.auth)
  w.text(token)
}

export function writeSubscribe(
  w: Writer,
  frame: {
    attempt: number
    space: string
    schema: Uint8Array
    epoch: Halves
    lsn: number
    stampBaseMs: number
    isOrdered: boolean
    claims: readonly Claim[]
  },
): void {
  w.u8(FrameType.subscribe)
  w.varint(frame.attempt)
  w.text(frame.space)
  w.varint(frame.schema.length)
  w.bytes(frame.schema)
  w.u64(frame.epoch.low, frame.epoch.high)
  w.varint(frame.lsn)
  w.varint(frame.stampBaseMs)
  w.u8(frame.isOrdered ? 1 : 0)
  w.varint(frame.claims.length)
  for (const claim of frame.claims) {
    w.bytes(claim.incarnation)
    w.varint(claim.sequence)
    w.u64(claim.label.low, claim.label.high)
  }
}

export function writeBatch(
  w: Writer,
  frame: { alias: number; from: number; to: number; salt: Halves | undefined; body: Uint8Array },
): void {
  w.u8(FrameType.batch)
  w.varint(frame.alias * 2 + (frame.salt === undefined ? 0 : 1))
  w.varint(frame.from)
  w.varint(frame.to - frame.from)
  if (frame.salt !== undefined) w.u64(frame.salt.low, frame.salt.high)
  w.varint(frame.body.length)
  w.bytes(frame.body)
}

/**
 * Begins the short form of a batch of one change, of alias 0, without a new salt: its delta is to follow, and nothing after that in
 * its message.
 */
export function beginChange(w: Writer, from: number): void {
  w.u8(shortUplink + (from % shortNumbers))
}

/** The same, with the delta. */
export function writeChange(w: Writer, from: number, body: Uint8Array): void {
  beginChange(w, from)
  w.bytes(body)
}

export function writeHave(
  w: Writer,
  lsn: number,
  confirmed: readonly { alias: number; sequence: number }[],
): void {
  w.u8(FrameType.have)
  w.varint(lsn)
  w.varint(confirmed.length)
  for (const { alias, sequence } of confirmed) {
    w.varint(alias)
    w.varint(sequence)
  }
}

export function writeNeed(w: Writer, lsn: number): void {
  w.u8(FrameType.need)
  w.varint(lsn)
}

export function writeRows(w: Writer, rows: readonly LentRow[]): void {
  w.u8(FrameType.rows)
  w.varint(rows.length)
  for (const { table, row, key, words } of rows) {
    w.varint(table)
    w.varint(row)
    w.text(key)
    w.varint(words.length)
    w.beginSpans()
    for (const { low, high } of words) w.span(low, high)
  }
}

export function writeWelcome(
  w: Writer,
  frame: {
    attempt: number
    epoch: Halves
    lsn: number
    toLsn: number
    stampBaseMs: number
    writable: boolean
    heads: readonly Head[]
  },
): void {
  w.u8(FrameType.welcome)
  w.varint(frame.attempt)
  w.u64(frame.epoch.low, frame.epoch.high)
  w.varint(frame.lsn)
  w.varint(frame.toLsn - frame.lsn)
  w.varint(frame.stampBaseMs)
  w.u8(frame.writable ? 1 : 0)
  writeHeads(w, frame.heads)
}

export function writeStream(w: Writer, lsn: number, entries: readonly StreamEntry[]): void {
  beginStream(w, lsn, entries.length)
  for (const entry of entries) {
    if (entry.kind === 'delta') {
      writeDeltaHead(w, entry.body.length)
      w.bytes(entry.body)
    } else if (entry.kind === 'nothing') writeNothing(w)
    else writeOwn(w, entry.alias, entry.to, entry.kind === 'refused' ? entry.code : undefined)
  }
}

/** Begins a stream from this log number, of so many entries, which are to follow. */
export function beginStream(w: Writer, lsn: number, entries: number): void {
  w.u8(FrameType.stream)
  w.varint(lsn)
  w.varint(entries)
}

/** Begins an entry that is a delta of so many bytes, which are to follow. */
export function writeDeltaHead(w: Writer, bytes: number): void {
  w.varint(bytes + 3)
}

export function writeNothing(w: Writer): void {
  w.varint(0)
}

/** The reader's own batch that ends at `to`, accepted, or refused with a code. */
export function writeOwn(w: Writer, alias: number, to: number, refused: ErrorCode | undefined): void {
  w.varint(refused === undefined ? 1 : 2)
  w.varint(alias)
  w.varint(to)
  if (refused !== undefined) w.u8(errorNumber(refused))
}

/** Begins the short form of a stream of one delta, which is to follow, and nothing after that in its message. */
export function beginEntry(w: Writer, lsn: number): void {
  w.u8(shortDownlink + (lsn % shortNumbers))
}

/** The same, with the delta. */
export function writeEntry(w: Writer, lsn: number, body: Uint8Array): void {
  beginEntry(w, lsn)
  w.bytes(body)
}

/** True when this message is one change in the short form, and nothing else. */
export function isChange(message: Uint8Array): boolean {
  return message.length > 1 && message[0] >= shortUplink && message[0] < shortDownlink
}

/** Of such a message: the low bits of the change before it. Its delta begins at offset 1. */
export function changeBits(message: Uint8Array): number {
  return message[0] - shortUplink
}

export function writeFold(
  w: Writer,
  frame: { type: 'fold' | 'snapshot'; lsn: number; toLsn: number; heads: readonly Head[]; body: Uint8Array },
): void {
  w.u8(FrameType[frame.type])
  w.varint(frame.lsn)
  w.varint(frame.toLsn - frame.lsn)
  writeHeads(w, frame.heads)
  w.varint(frame.body.length)
  w.bytes(frame.body)
}

export function writeAck(w: Writer, lsn: number, digest: Halves, heads: readonly Head[]): void {
  w.u8(FrameType.ack)
  w.varint(lsn)
  w.u64(digest.low, digest.high)
  writeHeads(w, heads)
}

export function writeResend(w: Writer, alias: number, sequence: number): void {
  w.u8(FrameType.resend)
  w.varint(alias)
  w.varint(sequence)
}

export function writeFork(w: Writer, attempt: number, alias: number, sequence: number): void {
  w.u8(FrameType.fork)
  w.varint(attempt)
  w.varint(alias)
  w.varint(sequence)
}

export function writeLack(
  w: Writer,
  attempt: number,
  rows: readonly { readonly table: number; readonly row: number }[],
): void {
  w.u8(FrameType.lack)
  w.varint(attempt)
  w.varint(rows.length)
  for (const { table, row } of rows) {
    w.varint(table)
    w.varint(row)
  }
}

/** A code without a number travels as `malformed`; text beyond its limit is cut. */
export function writeError(w: Writer, code: ErrorCode, fatal: boolean, text: string): void {
  const known = errorCodes.indexOf(code)
  w.u8(FrameType.error)
  w.u8(Math.max(0, known))
  w.u8(fatal ? 1 : 0)
  const bytes = encodeUtf8(text)
  let end = Math.min(bytes.length, limits.errorTextBytesMax)
  // Never in the middle of a character.
  while (end < bytes.length && (bytes[end] & 0xc0) === 0x80) end--
  w.varint(end)
  w.bytes(bytes.subarray(0, end))
}

function writeHeads(w: Writer, heads: readonly Head[]): void {
  w.varint(heads.length)
  for (const head of heads) {
    w.varint(head.alias)
    w.varint(head.sequence)
    w.u64(head.label.low, head.label.high)
    w.varint(head.refused.length)
    for (const { to, code } of head.refused) {
      w.varint(to)
      w.u8(errorNumber(code))
    }
  }
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const sequenceMax = Number.MAX_SAFE_INTEGER

/**
 * All frames of a message from a client.
 * @param reader one over the same message, for who wants to watch it being read
 * @throws AtomikError with code and offset; then none of it counts
 */
export function decodeUplink(message: Uint8Array, reader = new Reader(message)): UplinkFrame[] {
  if (message.length > limits.uplinkBytesMax)
    throw new AtomikError(
      'oversized',
      `a message of ${message.length} bytes, at most ${limits.uplinkBytesMax} are read`,
    )
  return decodeFrames(reader, readUplink)
}

/** The same of a message from a hub. @throws AtomikError with code and offset; then none of it counts */
export function decodeDownlink(message: Uint8Array, reader = new Reader(message)): DownlinkFrame[] {
  return scanDownlink(message, reader).map(frame => (frame.type === 'entries' ? expandStream(frame) : frame))
}

function expandStream({ lsn, count, bytes }: EntriesFrame): DownlinkFrame {
  const cursor = new StreamCursor()
  cursor.reset(bytes)
  const entries: StreamEntry[] = []
  for (let i = 0; i < count; i++) {
    cursor.next()
    const { kind, alias, to, code } = cursor
    if (kind === 'delta') entries.push({ kind, body: bytes.subarray(cursor.start, cursor.end) })
    else if (kind === 'nothing') entries.push({ kind })
    else if (kind === 'own') entries.push({ kind, alias, to })
    else entries.push({ kind, alias, to, code })
  }
  return { type: 'stream', lsn, entries }
}

/** The same, with streams left as they lie: checked, to be read with a `StreamCursor`. */
export function scanDownlink(message: Uint8Array, reader = new Reader(message)): ScannedFrame[] {
  if (message.length > limits.downlinkBytesMax)
    throw new AtomikError(
      'oversized',
      `a message of ${message.length} bytes, at most ${limits.downlinkBytesMax} are read`,
    )
  return decodeFrames(reader, readDownlink)
}

function decodeFrames<Frame>(reader: Reader, read: (r: Reader) => Frame): Frame[] {
  const frames: Frame[] = []
  do frames.push(read(reader))
  while (!reader.done)
  return frames
}

function readUplink(r: Reader): UplinkFrame {
  const start = r.position
  const type = r.u8()
  if (type >= shortUplink && type < shortDownlink)
    return { type: 'change', fromBits: type - shortUplink, body: readRest(r) }
  switch (type) {
    case FrameType.hello: {
      if (r.u32() !== magic) r.fail('malformed', 'not an ATOMiK client', start)
      const version = r.varint(2 ** 31, 'version')
      if (version !== wireVersion)
        r.fail('version', `this side speaks version ${wireVersion}, the other ${version}`, start)
      return { type: 'hello', version }
    }
    case FrameType.auth:
      return { type: 'auth', token: r.text(limits.tokenBytesMax, 'bytes in a token') }
    case FrameType.subscribe: {
      const attempt = r.varint(sequenceMax, 'attempt')
      const space = r.text(limits.spaceNameBytesMax, 'bytes in a space name')
      if (space === '' || space.includes('\0'))
        r.fail('malformed', 'a space name that is empty or holds a NUL', start)
      const schema = r.bytes(r.varint(limits.schemaBytesMax, 'bytes in a schema'))
      const epoch = readHalves(r)
      const lsn = r.varint(sequenceMax, 'log number')
      const stampBaseMs = r.varint(stampMsMax, 'stamp base')
      const isOrdered = readFlag(r, 'ordered')
      const claims: Claim[] = []
      for (let count = r.varint(limits.incarnationsMax, 'incarnations'); count > 0; count--) {
        const incarnation = r.bytes(16)
        if (claims.some(claim => compareBytes(claim.incarnation, incarnation) === 0))
          r.fail('malformed', 'an incarnation claimed twice', r.position - 16)
        const sequence = r.varint(sequenceMax, 'sequence')
        claims.push({ incarnation, sequence, label: readHalves(r) })
      }
      return { type: 'subscribe', attempt, space, schema, epoch, lsn, stampBaseMs, isOrdered, claims }
    }
    case FrameType.batch: {
      const head = r.varint(limits.incarnationsMax * 2 - 1, 'alias')
      const from = r.varint(sequenceMax, 'sequence')
      const changes = r.varint(sequenceMax - from, 'changes in a batch')
      if (changes === 0) r.fail('malformed', 'a batch of no changes', start)
      const salt = (head & 1) === 1 ? readHalves(r) : undefined
      const body = r.bytes(r.varint(limits.uplinkBytesMax, 'bytes in a batch'))
      return { type: 'batch', alias: head >> 1, from, to: from + changes, salt, body }
    }
    case FrameType.have: {
      const lsn = r.varint(sequenceMax, 'log number')
      const confirmed: { alias: number; sequence: number }[] = []
      for (let count = r.varint(limits.incarnationsMax, 'confirmations'); count > 0; count--)
        confirmed.push({
          alias: r.varint(limits.incarnationsMax - 1, 'alias'),
          sequence: r.varint(sequenceMax, 'sequence'),
        })
      return { type: 'have', lsn, confirmed }
    }
    case FrameType.need:
      return { type: 'need', lsn: r.varint(sequenceMax, 'log number') }
    case FrameType.rows: {
      const rows: LentRow[] = []
      for (let count = r.varint(limits.lentRowsMax, 'rows lent'); count > 0; count--) {
        const { table, row } = readPlace(r)
        const keyStart = r.position
        const key = r.text(limits.keyBytesMax, 'bytes in a row key')
        if (key === '') r.fail('malformed', 'an empty row key', keyStart)
        const words: Halves[] = []
        let more = r.varint(limits.rowWordsMax, 'words in a row')
        r.beginSpans()
        for (; more > 0; more--) {
          r.span()
          words.push({ low: r.low, high: r.high })
        }
        r.endSpans()
        rows.push({ table, row, key, words })
      }
      return { type: 'rows', rows }
    }
    default:
      return r.fail('malformed', `frame type ${type} is not one a client sends`, start)
  }
}

function readDownlink(r: Reader): ScannedFrame {
  const start = r.position
  const type = r.u8()
  if (type >= shortDownlink) return { type: 'entry', lsnBits: type - shortDownlink, body: readRest(r) }
  switch (type) {
    case FrameType.welcome: {
      const attempt = r.varint(sequenceMax, 'attempt')
      const epoch = readHalves(r)
      const lsn = r.varint(sequenceMax, 'log number')
      const toLsn = lsn + r.varint(sequenceMax - lsn, 'log numbers behind')
      const stampBaseMs = r.varint(stampMsMax, 'stamp base')
      const writable = readFlag(r, 'writable')
      return { type: 'welcome', attempt, epoch, lsn, toLsn, stampBaseMs, writable, heads: readHeads(r) }
    }
    case FrameType.stream: {
      const lsn = r.varint(sequenceMax, 'log number')
      const count = r.varint(2 ** 24, 'log entries')
      const first = r.position
      const cursor = new StreamCursor()
      for (let i = 0; i < count; i++) cursor.read(r)
      return { type: 'entries', lsn, count, bytes: r.since(first) }
    }
    case FrameType.fold:
    case FrameType.snapshot: {
      const lsn = r.varint(sequenceMax, 'log number')
      const toLsn = lsn + r.varint(sequenceMax - lsn, 'log numbers in a fold')
      const heads = readHeads(r)
      const body = r.bytes(r.varint(limits.downlinkBytesMax, 'bytes in a fold'))
      return { type: type === FrameType.fold ? 'fold' : 'snapshot', lsn, toLsn, heads, body }
    }
    case FrameType.ack: {
      const lsn = r.varint(sequenceMax, 'log number')
      const digest = readHalves(r)
      return { type: 'ack', lsn, digest, heads: readHeads(r) }
    }
    case FrameType.resend: {
      const alias = r.varint(limits.incarnationsMax - 1, 'alias')
      return { type: 'resend', alias, sequence: r.varint(sequenceMax, 'sequence') }
    }
    case FrameType.fork: {
      const attempt = r.varint(sequenceMax, 'attempt')
      const alias = r.varint(limits.incarnationsMax - 1, 'alias')
      return { type: 'fork', attempt, alias, sequence: r.varint(sequenceMax, 'sequence') }
    }
    case FrameType.error: {
      const code = r.errorCode()
      const fatal = readFlag(r, 'fatal')
      return { type: 'error', code, fatal, text: r.text(limits.errorTextBytesMax, 'bytes in an error') }
    }
    case FrameType.lack: {
      const attempt = r.varint(sequenceMax, 'attempt')
      const rows: { table: number; row: number }[] = []
      for (let count = r.varint(limits.lentRowsMax, 'rows lacked'); count > 0; count--)
        rows.push(readPlace(r))
      return { type: 'lack', attempt, rows }
    }
    default:
      return r.fail('malformed', `frame type ${type} is not one a hub sends`, start)
  }
}

/** The delta of a short frame: all that is left of the message. */
function readRest(r: Reader): Uint8Array {
  if (r.done) r.fail('truncated', 'expected a delta, found nothing')
  return r.bytes(r.remaining)
}

function readHeads(r: Reader): Head[] {
  const heads: Head[] = []
  for (let count = r.varint(limits.incarnationsMax, 'heads'); count > 0; count--) {
    const alias = r.varint(limits.incarnationsMax - 1, 'alias')
    const sequence = r.varint(sequenceMax, 'sequence')
    const label = readHalves(r)
    const refused: { to: number; code: ErrorCode }[] = []
    for (let more = r.varint(limits.unconfirmedBatchesMax, 'refusals'); more > 0; more--)
      refused.push({ to: r.varint(sequenceMax, 'sequence'), code: r.errorCode() })
    heads.push({ alias, sequence, label, refused })
  }
  return heads
}

function readPlace(r: Reader): { table: number; row: number } {
  return { table: r.varint(limits.tablesMax - 1, 'table'), row: r.varint(limits.rowsMax - 1, 'row number') }
}

function readHalves(r: Reader): Halves {
  r.u64()
  return { low: r.low, high: r.high }
}

function readFlag(r: Reader, what: string): boolean {
  const value = r.u8()
  if (value > 1) r.fail('malformed', `${what}: expected 0 or 1, got ${value}`, r.position - 1)
  return value === 1
}

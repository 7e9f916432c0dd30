/**
 * Writes spec/vectors/frames.json: every frame of both directions with its meaning and its bytes, and whole messages.
 * `npx tsx tools/vectors.ts`; a test compares the file with a fresh run and decodes it.
 */
import { limits } from '../../packages/atomik/src/limits.ts'
import {
  type DownlinkFrame,
  encodeUtf8,
  type UplinkFrame,
  Writer,
  writeAck,
  writeAuth,
  writeBatch,
  writeChange,
  writeEntry,
  writeError,
  writeFold,
  writeFork,
  writeHave,
  writeHello,
  writeLack,
  writeNeed,
  writeResend,
  writeRows,
  writeStream,
  writeSubscribe,
  writeWelcome,
} from '../../packages/atomik/src/wire/index.ts'
import { formatLists, hexBytes, hexHalves, parseBytes, parseHalves } from './text.ts'

export type Frame = UplinkFrame | DownlinkFrame

/** Appends a frame of either direction. */
export function writeFrame(w: Writer, frame: Frame): void {
  if (frame.type === 'hello') writeHello(w)
  else if (frame.type === 'auth') writeAuth(w, frame.token)
  else if (frame.type === 'subscribe') writeSubscribe(w, frame)
  else if (frame.type === 'batch') writeBatch(w, frame)
  else if (frame.type === 'change') writeChange(w, frame.fromBits, frame.body)
  else if (frame.type === 'entry') writeEntry(w, frame.lsnBits, frame.body)
  else if (frame.type === 'have') writeHave(w, frame.lsn, frame.confirmed)
  else if (frame.type === 'need') writeNeed(w, frame.lsn)
  else if (frame.type === 'welcome') writeWelcome(w, frame)
  else if (frame.type === 'stream') writeStream(w, frame.lsn, frame.entries)
  else if (frame.type === 'ack') writeAck(w, frame.lsn, frame.digest, frame.heads)
  else if (frame.type === 'resend') writeResend(w, frame.alias, frame.sequence)
  else if (frame.type === 'fork') writeFork(w, frame.attempt, frame.alias, frame.sequence)
  else if (frame.type === 'rows') writeRows(w, frame.rows)
  else if (frame.type === 'lack') writeLack(w, frame.attempt, frame.rows)
  else if (frame.type === 'error') writeError(w, frame.code, frame.fatal, frame.text)
  else writeFold(w, frame)
}

export function encodeFrames(frames: readonly Frame[]): Uint8Array {
  const w = new Writer()
  for (const frame of frames) writeFrame(w, frame)
  return w.finish()
}

/** A frame as JSON: bytes and 64-bit values as hexadecimal, what is absent as null. */
export function frameToJson(value: unknown): unknown {
  if (value === undefined) return null
  if (value instanceof Uint8Array) return hexBytes(value)
  if (Array.isArray(value)) return value.map(frameToJson)
  if (typeof value !== 'object' || value === null) return value
  if ('low' in value && 'high' in value) return hexHalves(value as { low: number; high: number })
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, frameToJson(part)]))
}

const halves = parseHalves
const none = halves('0x0')
const incarnation = (first: number) => Uint8Array.from({ length: 16 }, (_, i) => (first + i * 17) & 255)
const safeMax = Number.MAX_SAFE_INTEGER
const body = parseBytes('000101020201000341544c260102')

export const frameCases: readonly { name: string; frames: readonly Frame[] }[] = [
  { name: 'hello', frames: [{ type: 'hello', version: 3 }] },
  { name: 'auth', frames: [{ type: 'auth', token: 'open sesame' }] },
  { name: 'auth, empty', frames: [{ type: 'auth', token: '' }] },
  { name: 'auth, longest', frames: [{ type: 'auth', token: 't'.repeat(limits.tokenBytesMax) }] },
  {
    name: 'subscribe, from nothing',
    frames: [
      {
        type: 'subscribe',
        attempt: 1,
        space: 'flights',
        schema: encodeUtf8('airports(departures:counter)\n'),
        epoch: none,
        lsn: 0,
        stampBaseMs: 0,
        isOrdered: false,
        claims: [{ incarnation: incarnation(1), sequence: 0, label: halves('0x7867564534231201') }],
      },
    ],
  },
  {
    name: 'subscribe, again, two incarnations',
    frames: [
      {
        type: 'subscribe',
        attempt: 300,
        space: 'Zürich/7',
        schema: encodeUtf8('c(n:counter)\n'),
        epoch: halves('0xfedcba9876543210'),
        lsn: 123_456,
        stampBaseMs: 1_764_000_000_000,
        isOrdered: true,
        claims: [
          { incarnation: incarnation(1), sequence: 42, label: halves('0x123456789abcdef') },
          { incarnation: incarnation(2), sequence: safeMax, label: halves('0xffffffffffffffff') },
        ],
      },
    ],
  },
  {
    name: 'batch',
    frames: [{ type: 'batch', alias: 0, from: 0, to: 1, salt: halves('0x1122334455667788'), body }],
  },
  {
    name: 'batch, same salt',
    frames: [{ type: 'batch', alias: 0, from: 1, to: 501, salt: undefined, body }],
  },
  {
    name: 'batch, empty change, highest numbers',
    frames: [
      { type: 'batch', alias: 63, from: safeMax - 1, to: safeMax, salt: none, body: parseBytes('0000') },
    ],
  },
  { name: 'have, nothing', frames: [{ type: 'have', lsn: 0, confirmed: [] }] },
  {
    name: 'have',
    frames: [
      {
        type: 'have',
        lsn: 1000,
        confirmed: [
          { alias: 0, sequence: 7 },
          { alias: 63, sequence: safeMax },
        ],
      },
    ],
  },
  { name: 'need', frames: [{ type: 'need', lsn: 128 }] },
  { name: 'change', frames: [{ type: 'change', fromBits: 0, body }] },
  { name: 'change 63', frames: [{ type: 'change', fromBits: 63, body: parseBytes('0000') }] },
  { name: 'entry', frames: [{ type: 'entry', lsnBits: 0, body }] },
  { name: 'entry 63', frames: [{ type: 'entry', lsnBits: 63, body: parseBytes('0000') }] },
  {
    name: 'welcome, no claims',
    frames: [
      {
        type: 'welcome',
        attempt: 1,
        epoch: none,
        lsn: 0,
        toLsn: 0,
        stampBaseMs: 0,
        writable: false,
        heads: [],
      },
    ],
  },
  {
    name: 'welcome',
    frames: [
      {
        type: 'welcome',
        attempt: 2,
        epoch: halves('0xa5a5a5a55a5a5a5a'),
        lsn: 17,
        toLsn: 400,
        stampBaseMs: 2 ** 48 - 1,
        writable: true,
        heads: [
          {
            alias: 0,
            sequence: 9,
            label: halves('0x8000000000000001'),
            refused: [
              { to: 3, code: 'stamp' },
              { to: 8, code: 'readonly' },
            ],
          },
          { alias: 1, sequence: 0, label: none, refused: [] },
        ],
      },
    ],
  },
  { name: 'stream, nothing', frames: [{ type: 'stream', lsn: 5, entries: [] }] },
  {
    name: 'stream, every kind of entry',
    frames: [
      {
        type: 'stream',
        lsn: 5,
        entries: [
          { kind: 'delta', body },
          { kind: 'own', alias: 0, to: 12 },
          { kind: 'refused', alias: 1, to: 13, code: 'range' },
          { kind: 'nothing' },
          { kind: 'delta', body: parseBytes('0000') },
        ],
      },
    ],
  },
  {
    name: 'fold',
    frames: [
      {
        type: 'fold',
        lsn: 10,
        toLsn: 266,
        heads: [{ alias: 0, sequence: 1, label: halves('0x1'), refused: [] }],
        body,
      },
    ],
  },
  { name: 'snapshot, whole', frames: [{ type: 'snapshot', lsn: 0, toLsn: 266, heads: [], body }] },
  {
    name: 'snapshot of nothing',
    frames: [{ type: 'snapshot', lsn: 3, toLsn: 3, heads: [], body: parseBytes('0000') }],
  },
  { name: 'ack', frames: [{ type: 'ack', lsn: 266, digest: halves('0xdeadbeefcafebabe'), heads: [] }] },
  {
    name: 'lack, two rows',
    frames: [
      {
        type: 'lack',
        attempt: 3,
        rows: [
          { table: 0, row: 7 },
          { table: 63, row: limits.rowsMax - 1 },
        ],
      },
    ],
  },
  { name: 'lack, nothing', frames: [{ type: 'lack', attempt: 1, rows: [] }] },
  {
    name: 'rows, one of three words',
    frames: [
      {
        type: 'rows',
        rows: [{ table: 0, row: 7, key: 'ATL', words: [halves('0x1'), none, halves('0xff0000000100')] }],
      },
    ],
  },
  { name: 'rows, nothing', frames: [{ type: 'rows', rows: [] }] },
  { name: 'resend', frames: [{ type: 'resend', alias: 0, sequence: 129 }] },
  { name: 'fork', frames: [{ type: 'fork', attempt: 1, alias: 0, sequence: 40 }] },
  {
    name: 'error',
    frames: [{ type: 'error', code: 'unauthorized', fatal: true, text: 'this token is not known' }],
  },
  {
    name: 'error, last number, no text',
    frames: [{ type: 'error', code: 'storage', fatal: false, text: '' }],
  },
  {
    name: 'error, longest text',
    frames: [
      { type: 'error', code: 'malformed', fatal: false, text: 'é'.repeat(limits.errorTextBytesMax / 2) },
    ],
  },
  {
    name: 'a client begins',
    frames: [
      { type: 'hello', version: 3 },
      { type: 'auth', token: 'open sesame' },
      {
        type: 'subscribe',
        attempt: 1,
        space: 'flights',
        schema: encodeUtf8('airports(departures:counter)\n'),
        epoch: none,
        lsn: 0,
        stampBaseMs: 0,
        isOrdered: false,
        claims: [{ incarnation: incarnation(1), sequence: 0, label: halves('0x7867564534231201') }],
      },
    ],
  },
  {
    name: 'two frames from a hub',
    frames: [
      { type: 'resend', alias: 0, sequence: 4 },
      { type: 'ack', lsn: 9, digest: none, heads: [] },
    ],
  },
]

const uplinkTypes = ['hello', 'auth', 'subscribe', 'batch', 'change', 'have', 'need', 'rows']

export function frameVectors() {
  return {
    messages: frameCases.map(({ name, frames }) => ({
      name,
      direction: uplinkTypes.includes(frames[0].type) ? 'up' : 'down',
      frames: frames.map(frameToJson),
      bytes: hexBytes(encodeFrames(frames)),
    })),
  }
}

export function formatFrames(): string {
  return formatLists(frameVectors())
}

/**
 * A message taken apart: every byte of it belongs to one range, and every range has a name. The library's own decoders do the reading;
 * the reader they are given notes what they ask for. So this knows the order of nothing, and cannot differ from the format.
 */
import type { Schema } from 'atomik'
import { Delta } from 'atomik/algebra'
import {
  DeltaDecoder,
  type DownlinkFrame,
  decodeDownlink,
  decodeUplink,
  Reader,
  type UplinkFrame,
} from 'atomik/wire'
import { type RowBook, someStamp } from './row-book.ts'
import type { TappedMessage } from './tap.ts'

export type RangeKind = 'frame' | 'number' | 'text' | 'shape' | 'control' | 'value' | 'opaque' | 'secret'

export interface ByteRange {
  readonly from: number
  /** Exclusive. */
  readonly end: number
  name: string
  readonly value: string
  readonly kind: RangeKind
}

export interface Dissection {
  readonly ranges: readonly ByteRange[]
  readonly frames: readonly (UplinkFrame | DownlinkFrame)[]
  /** Why the rest was not read; empty when all was. */
  readonly problem: string
}

/** What single bytes and whole words mean, in the order in which each frame has them; the last one holds for all that follow. */
const bytesOf: Readonly<Record<string, readonly string[]>> = {
  subscribe: ['keeps order'],
  welcome: ['may write', 'error code'],
  error: ['error code', 'fatal'],
}
const wordsOf: Readonly<Record<string, readonly string[]>> = {
  hello: ['“ATMK”'],
  subscribe: ['epoch', 'label'],
  batch: ['salt'],
  welcome: ['epoch', 'label'],
  ack: ['digest of the state', 'label'],
}
const frameNames: Readonly<Record<number, string>> = {
  1: 'hello',
  2: 'auth',
  3: 'subscribe',
  4: 'batch',
  5: 'have',
  6: 'need',
  7: 'rows',
  16: 'welcome',
  17: 'stream',
  18: 'fold',
  19: 'snapshot',
  20: 'ack',
  21: 'resend',
  22: 'fork',
  23: 'error',
  24: 'lack',
}
/** In longer deltas nobody looks at single words: they are not searched for what each of them put where. */
const searchedBytesMax = 4000

/** Notes what is asked for, one range a question; questions inside of another count as part of it. */
class WatchedReader extends Reader {
  readonly ranges: ByteRange[] = []
  /** Where its bytes begin in the message. */
  protected readonly offset: number
  #depth = 0

  constructor(bytes: Uint8Array, offset: number) {
    super(bytes)
    this.offset = offset
  }

  /** Called before the next range is read: the decoder has done by now with the one before. */
  protected settle(): void {}

  protected note<T>(read: () => T, describe: (value: T) => Pick<ByteRange, 'name' | 'value' | 'kind'>): T {
    if (this.#depth > 0) return read()
    this.settle()
    const from = this.position
    this.#depth++
    let value: T
    try {
      value = read()
    } finally {
      this.#depth--
    }
    if (this.position > from)
      this.ranges.push({ from: this.offset + from, end: this.offset + this.position, ...describe(value) })
    return value
  }
}

/** Reads frames. */
class FrameReader extends WatchedReader {
  /** Ranges that hold a delta, by their place in `ranges`. */
  readonly bodies: number[] = []
  #frame = ''
  #atFrame = true
  #announced = ''
  readonly #seen = { bytes: 0, words: 0 }

  override u8(): number {
    return this.note(
      () => super.u8(),
      value => {
        const isHead = this.#atFrame
        if (isHead) this.#begin(value)
        return {
          name: isHead ? 'frame' : this.#next('bytes', bytesOf, 'error code'),
          value: isHead ? `${this.#frame} (${value})` : String(value),
          kind: isHead ? 'frame' : 'number',
        }
      },
    )
  }

  override varint(max: number, what: string): number {
    return this.note(
      () => super.varint(max, what),
      value => {
        this.#announced = what
        return { name: what, value: meaningOf(this.#frame, what, value), kind: 'number' }
      },
    )
  }

  override u32(): number {
    return this.note(
      () => super.u32(),
      () => ({ name: this.#next('words', wordsOf, '32 bits'), value: '', kind: 'text' }),
    )
  }

  override u64(): void {
    this.note(
      () => super.u64(),
      () => ({ name: this.#next('words', wordsOf, '64 bits'), value: hexWord(this), kind: 'value' }),
    )
  }

  override span(): void {
    this.note(
      () => super.span(),
      () => ({ name: 'word of a row', value: hexWord(this), kind: 'value' }),
    )
  }

  override text(bytesMax: number, what: string): string {
    const text = super.text(bytesMax, what)
    const last = this.ranges[this.ranges.length - 1]
    // A token is nobody's business.
    const isSecret = this.#frame === 'auth'
    if (text !== '')
      this.ranges[this.ranges.length - 1] = {
        ...last,
        name: what.replace(/^bytes in (an? )?/, ''),
        value: isSecret ? 'not shown' : text,
        kind: isSecret ? 'secret' : 'text',
      }
    return text
  }

  override bytes(count: number): Uint8Array {
    const before = this.ranges.length
    const bytes = this.note(
      () => super.bytes(count),
      () => {
        const isDelta =
          this.#frame.endsWith('of one delta') || /^bytes in a (batch|log entry|fold)$/.test(this.#announced)
        return {
          name: isDelta ? 'delta' : this.#announced === 'bytes in a schema' ? 'schema' : 'incarnation',
          value: isDelta
            ? `${count} bytes`
            : this.#announced === 'bytes in a schema'
              ? 'its description'
              : '128 random bits',
          kind: isDelta ? 'opaque' : 'text',
        }
      },
    )
    if (this.ranges[before]?.kind === 'opaque') this.bodies.push(before)
    return bytes
  }

  /** An entry's delta is passed over until its turn comes. */
  override skip(count: number): void {
    this.bytes(count)
  }

  /** The decoder asks whether there is more only between two frames. */
  override get done(): boolean {
    this.#atFrame = true
    return super.done
  }

  #begin(type: number): void {
    this.#atFrame = false
    this.#announced = ''
    this.#seen.bytes = this.#seen.words = 0
    this.#frame =
      type >= 192
        ? 'entry of one delta'
        : type >= 128
          ? 'change of one delta'
          : (frameNames[type] ?? 'unknown')
  }

  #next(kind: 'bytes' | 'words', names: typeof bytesOf, otherwise: string): string {
    const list = names[this.#frame] ?? [otherwise]
    return list[Math.min(this.#seen[kind]++, list.length - 1)]
  }
}

type Name = (table: number, row: number, word: number, low: number, high: number) => string

/** Reads one delta, and finds out which field each range belongs to by what the decoder has filled in since. */
class DeltaReader extends WatchedReader {
  readonly #delta: Delta
  readonly #nameOf: Name
  readonly #before: Int32Array[] = []
  readonly #isSearched: boolean
  /** The range that may have put something into a row. */
  #open: ByteRange | undefined

  constructor(bytes: Uint8Array, offset: number, delta: Delta, nameOf: Name) {
    super(bytes, offset)
    this.#delta = delta
    this.#nameOf = nameOf
    this.#isSearched = bytes.length <= searchedBytesMax
  }

  override u8(): number {
    return this.note(
      () => super.u8(),
      value => ({ name: 'bytes of the next words', value: spanText(value), kind: 'control' }),
    )
  }

  override varint(max: number, what: string): number {
    const isValue = what === 'stamp' || what === 'gap between bits'
    const value = this.note(
      () => super.varint(max, what),
      number => ({
        name: what,
        value: inDelta[what]?.(number) ?? number.toLocaleString('en'),
        kind: isValue ? 'value' : 'shape',
      }),
    )
    if (isValue) this.#open = this.ranges[this.ranges.length - 1]
    return value
  }

  override u64(): void {
    this.note(
      () => super.u64(),
      () => ({ name: 'word', value: hexWord(this), kind: 'value' }),
    )
    this.#open = this.ranges[this.ranges.length - 1]
  }

  override span(): void {
    this.settle()
    const before = this.ranges.length
    const start = this.offset + this.position
    super.span()
    // A control byte at its beginning is noted already.
    const from = this.ranges[before]?.end ?? start
    const end = this.offset + this.position
    if (end === from) return
    this.#open = { from, end, name: 'word', value: hexWord(this), kind: 'value' }
    this.ranges.push(this.#open)
  }

  override bytes(count: number): Uint8Array {
    return this.note(
      () => super.bytes(count),
      bytes => ({ name: 'key of a row', value: new TextDecoder().decode(bytes), kind: 'text' }),
    )
  }

  /** Nothing more is read. */
  finish(): void {
    this.settle()
  }

  protected override settle(): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined || !this.#isSearched) return
    const found = this.#changed()
    if (found !== undefined) open.name = open.name === 'word' ? found : `${open.name}: ${found}`
  }

  /** Names the word that differs from what it was at the last look. */
  #changed(): string | undefined {
    let found: string | undefined
    for (const [t, { words, rows, count, layout }] of this.#delta.tables.entries()) {
      const used = 2 * count * layout.words
      let before = this.#before[t] ?? new Int32Array(0)
      if (before.length < used) {
        const larger = new Int32Array(2 * used)
        larger.set(before)
        this.#before[t] = before = larger
      }
      for (let at = 0; at < used; at += 2) {
        const [low, high] = [before[at] ^ words[at], before[at + 1] ^ words[at + 1]]
        if ((low | high) === 0) continue
        const place = at / 2
        found ??= this.#nameOf(t, rows[Math.floor(place / layout.words)], place % layout.words, low, high)
        before[at] = words[at]
        before[at + 1] = words[at + 1]
      }
    }
    return found
  }
}

/** Takes a message apart. Never throws: what cannot be read is one range, and `problem` says why. */
export function dissect(
  { bytes, fromHub, known }: Pick<TappedMessage, 'bytes' | 'fromHub' | 'known'>,
  schema: Schema,
  book: RowBook,
): Dissection {
  const reader = new FrameReader(bytes, 0)
  let frames: readonly (UplinkFrame | DownlinkFrame)[] = []
  let problem = ''
  try {
    frames = fromHub ? decodeDownlink(bytes, reader) : decodeUplink(bytes, reader)
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error)
  }
  const isWhole = frames.some(frame => frame.type === 'snapshot' && frame.lsn === 0)
  const numbered = isWhole ? schema.tables.map(() => 0) : [...known]
  const ranges = reader.ranges.flatMap((range, i) =>
    reader.bodies.includes(i) ? dissectDelta(bytes, range, fromHub, numbered, schema, book) : range,
  )
  const read = ranges[ranges.length - 1]?.end ?? 0
  if (read < bytes.length)
    ranges.push({ from: read, end: bytes.length, name: 'not read', value: problem, kind: 'opaque' })
  return { ranges, frames, problem }
}

function dissectDelta(
  bytes: Uint8Array,
  body: ByteRange,
  fromHub: boolean,
  /** Rows with a number, by table: those this delta names are counted in. */
  numbered: number[],
  schema: Schema,
  book: RowBook,
): ByteRange[] {
  const delta = new Delta(schema.layouts)
  const isOwnName = (row: number) => `row ${row}`
  const reader = new DeltaReader(
    bytes.subarray(body.from, body.end),
    body.from,
    delta,
    (table, row, word, low, high) =>
      `${fieldsAt(schema, table, word, low, high)} of ${book.keyOf(table, row) ?? isOwnName(row)}`,
  )
  try {
    const directory = book.directoryAt([...numbered], !fromHub)
    const { named } = new DeltaDecoder(schema.layouts).decode(reader, directory, someStamp, delta)
    reader.finish()
    if (fromHub) for (const { table, isNew } of named) if (isNew) numbered[table]++
    // Rows that this delta names itself.
    for (const range of reader.ranges)
      for (const { row, key } of named)
        if (range.name.endsWith(` of ${isOwnName(row)}`))
          range.name = range.name.replace(/ of row \d+$/, ` of ${key}`)
    return reader.ranges
  } catch {
    return [{ ...body, name: 'delta, of rows not known here' }]
  }
}

/** The fields that these bits of a word belong to. */
function fieldsAt(schema: Schema, table: number, word: number, low: number, high: number): string {
  if (word === 0) return 'life'
  const { places, fields } = schema.tables[table]
  const names: string[] = []
  for (const [name, list] of places)
    for (const [i, place] of list.entries()) {
      if (word < place.word || word >= place.word + place.words) continue
      const field = fields[name]
      const isBit = (field.kind === 'array' ? field.element : field).kind === 'toggle'
      if (isBit && (((place.bit < 32 ? low : high) >>> (place.bit & 31)) & 1) === 0) continue
      names.push(field.kind === 'array' ? `${name}[${i}]` : name)
    }
  return names.length === 0 ? `word ${word}` : names.join(', ')
}

function meaningOf(frame: string, what: string, value: number): string {
  if (frame === 'batch' && what === 'alias')
    return `${value >> 1}${value % 2 === 1 ? ', with a new salt' : ''}`
  if (what === 'bytes in a log entry')
    return value >= 3
      ? `a delta of ${value - 3} bytes`
      : ['of another, refused', 'our own, accepted', 'our own, refused'][value]
  if (what === 'stamp base') return new Date(value).toISOString()
  return value.toLocaleString('en')
}

/** What the numbers of a delta say beside a count (wire/delta.ts draws them). */
const inDelta: Readonly<Record<string, (value: number) => string>> = {
  'head of a delta': value => (value === 0 ? 'tables follow' : 'one group of one row'),
  'table index': value => `${Math.floor(value / 4)} on`,
  'row number': value =>
    `${Math.floor(value / 8)} on${(value & 1) === 1 ? ', several rows' : ''}${(value & 4) === 4 ? ', the last' : ''}`,
  'rows in a table': value => `${value + 2}`,
  'runs in a row': value => `${value >> 1}${(value & 1) === 1 ? ', bits listed' : ''}`,
  'gap between runs': value => `${value >> 1}${(value & 1) === 1 ? ', several groups' : ''}`,
  'groups in a run': value => `${value + 2}`,
}

/** A control byte: how many words, and which of their bytes follow (wire/writer.ts, spans). */
function spanText(control: number): string {
  const span = control % 37
  const words = 1 + (control - span) / 37
  const many = words === 1 ? '1 word' : `${words} words`
  if (span === 0) return `${many}: zero`
  let end = 1
  while (1 + (end * (end + 1)) / 2 <= span) end++
  const start = span - 1 - (end * (end - 1)) / 2
  return `${many}: ${end - start === 1 ? `byte ${start}` : `bytes ${start} to ${end - 1}`} of 8`
}

const hexWord = ({ low, high }: Reader) =>
  `0x${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`

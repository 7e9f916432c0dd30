/**
 * A space as records in a storage, and back. What is written is state, not history:
 *
 *   space NUL 's'                    the schema's description, log number, digests of words and heads, and the epochs of
 *                                    earlier openings
 *   space NUL 'h' incarnation        its head (heads.ts)
 *   space NUL 'r' table row          u32 each, big endian: log numbers of birth and last change, key, words
 *
 * Every record ends in 8 bytes of hash over its key and the rest, and the digests in the first record cover all others: a flipped
 * bit, a missing record, an old or a misplaced one is found when the space is opened, not served.
 */
import { Delta, Fingerprint, Mixer } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { Schema } from '../schema/index.ts'
import { encodeUtf8, type Halves, Reader, Writer } from '../wire/index.ts'
import { IncarnationHead } from './heads.ts'
import { firstLabel, formatIncarnation, sameLabel } from './label.ts'
import { Reference } from './reference.ts'
import type { Put, Storage } from './storage.ts'

/** Openings remembered: a reader from before them gets a whole snapshot. */
const epochsKept = 1024

interface Epoch {
  readonly id: Halves
  /** Log number at which it opened. */
  readonly lsn: number
}

/** What a storage holds of one space. */
export interface SpaceImage {
  readonly schema: Schema
  readonly reference: Reference
  readonly heads: Map<string, IncarnationHead>
  /** Hash of each head's record. */
  readonly headSums: ReadonlyMap<IncarnationHead, Halves>
  readonly lsn: number
  readonly epochs: readonly Epoch[]
  /** Log numbers of birth and last change, by table and row. */
  readonly born: readonly number[][]
  readonly changed: readonly number[][]
}

function spacePrefix(space: string): Uint8Array {
  if (space.includes('\0')) throw new AtomikError('range', 'the name of a space holds no NUL')
  const name = encodeUtf8(space)
  const prefix = new Uint8Array(name.length + 1)
  prefix.set(name)
  return prefix
}

function recordKey(space: string, kind: string, rest: Uint8Array | readonly number[] = []): Uint8Array {
  const prefix = spacePrefix(space)
  const key = new Uint8Array(prefix.length + 1 + rest.length)
  key.set(prefix)
  key[prefix.length] = kind.charCodeAt(0)
  key.set(rest, prefix.length + 1)
  return key
}

function rowKey(space: string, table: number, row: number): Uint8Array {
  return recordKey(space, 'r', [table, row >>> 24, (row >>> 16) & 255, (row >>> 8) & 255, row & 255])
}

/** The hash of a record: its bytes under the key they belong to. */
function sumRecord(key: Uint8Array, bytes: Uint8Array): Halves {
  const mixer = new Mixer()
  mixer.hash(recordSeed, key)
  mixer.hash(mixer.low ^ mixer.high, bytes)
  return { low: mixer.low, high: mixer.high }
}

/** Appends the hash to what the writer holds. */
function sealRecord(w: Writer, key: Uint8Array): { put: Put; sum: Halves } {
  const sum = sumRecord(key, w.finish())
  w.u64(sum.low, sum.high)
  return { put: { key, value: w.finish() }, sum }
}

function openRecord(key: Uint8Array, value: Uint8Array, what: string): { r: Reader; sum: Halves } {
  const broken = () => new AtomikError('storage', `${what} is damaged: its checksum does not match`)
  if (value.length < 8) throw broken()
  const sum = sumRecord(key, value.subarray(0, value.length - 8))
  const check = new Reader(value.subarray(value.length - 8))
  check.u64()
  if (!sameLabel(check, sum)) throw broken()
  return { r: new Reader(value.subarray(0, value.length - 8)), sum }
}

/** Adds a head's record to the digest of all heads, or replaces it there. */
function accountHead(print: Fingerprint, id: Uint8Array, before: Halves | undefined, sum: Halves): void {
  const { low, high } = firstLabel(id)
  print.replace(low, high, before?.low ?? 0, before?.high ?? 0, sum.low, sum.high)
}

const recordSeed = 0x7265_636f

/** Names of the spaces in a storage. */
export function listSpaces(storage: Storage): string[] {
  const names: string[] = []
  for (const { key } of storage.range(new Uint8Array(0))) {
    const end = key.indexOf(0)
    if (end < 0 || key[end + 1] !== 's'.charCodeAt(0) || key.length !== end + 2) continue
    names.push(new TextOf(key.subarray(0, end)).text)
  }
  return names
}

class TextOf {
  readonly text: string
  constructor(bytes: Uint8Array) {
    const w = new Writer()
    w.varint(bytes.length)
    w.bytes(bytes)
    this.text = new Reader(w.finish()).text(limits.spaceNameBytesMax, 'space name')
  }
}

/**
 * Reads a space.
 * @returns undefined when the storage holds no such space
 * @throws AtomikError `storage` when a record is damaged or missing
 */
export function loadSpace(storage: Storage, space: string): SpaceImage | undefined {
  const prefix = spacePrefix(space)
  let head: SpaceHead | undefined
  const heads = new Map<string, IncarnationHead>()
  const headSums = new Map<IncarnationHead, Halves>()
  const headPrint = new Fingerprint()
  const rows: { table: number; row: number; key: Uint8Array; value: Uint8Array }[] = []
  for (const { key, value } of storage.range(prefix)) {
    const kind = String.fromCharCode(key[prefix.length])
    if (kind === 's' && key.length === prefix.length + 1) {
      head = readSpaceHead(openRecord(key, value, `the head of space ${space}`).r)
    } else if (kind === 'h') {
      const { r, sum } = openRecord(key, value, `a head in space ${space}`)
      const incarnation = IncarnationHead.decode(r)
      headSums.set(incarnation, sum)
      accountHead(headPrint, incarnation.id, undefined, sum)
      heads.set(formatIncarnation(incarnation.id), incarnation)
    } else if (kind === 'r') {
      const at = prefix.length + 1
      const row = (key[at + 1] << 24) | (key[at + 2] << 16) | (key[at + 3] << 8) | key[at + 4]
      rows.push({ table: key[at], row, key, value })
    } else {
      throw new AtomikError('storage', `space ${space} has a record of unknown kind: its key is damaged`)
    }
  }
  if (head === undefined) {
    if (rows.length > 0 || heads.size > 0)
      throw new AtomikError('storage', `space ${space} has records but no head: the store is incomplete`)
    return undefined
  }
  const reference = new Reference(head.schema.layouts)
  const born = head.schema.layouts.map((): number[] => [])
  const changed = head.schema.layouts.map((): number[] => [])
  for (const { table, row, key, value } of rows) {
    const what = `row ${row} of table ${table} in space ${space}`
    const { r } = openRecord(key, value, what)
    if (reference.tables[table]?.count !== row)
      throw new AtomikError('storage', `${what} does not follow the one before`)
    born[table].push(r.varint(Number.MAX_SAFE_INTEGER, 'birth'))
    changed[table].push(r.varint(Number.MAX_SAFE_INTEGER, 'change'))
    reference.tables[table].open(r.text(limits.keyBytesMax, 'key'))
    const one = new Delta(head.schema.layouts)
    const at = one.tables[table].open(row)
    const { words } = one.tables[table]
    r.beginSpans()
    for (let word = 0; word < head.schema.layouts[table].words; word++) {
      r.span()
      words[at + 2 * word] = r.low
      words[at + 2 * word + 1] = r.high
    }
    r.endSpans()
    reference.load(one)
  }
  if (!sameLabel(reference.fingerprint, head.digest))
    throw new AtomikError('storage', `space ${space} does not add up to its digest: rows are missing or old`)
  if (!sameLabel(headPrint, head.headDigest))
    throw new AtomikError('storage', `space ${space} does not add up to its digest: heads are missing or old`)
  return {
    schema: head.schema,
    reference,
    heads,
    headSums,
    lsn: head.lsn,
    epochs: head.epochs,
    born,
    changed,
  }
}

interface SpaceHead {
  readonly schema: Schema
  readonly lsn: number
  /** Fingerprint of all words. */
  readonly digest: Halves
  /** Fingerprint of the hashes of all heads. */
  readonly headDigest: Halves
  readonly epochs: Epoch[]
}

function readSpaceHead(r: Reader): SpaceHead {
  const schema = Schema.decode(r.bytes(r.varint(limits.schemaBytesMax, 'schema')))
  const lsn = r.varint(Number.MAX_SAFE_INTEGER, 'log number')
  r.u64()
  const digest = { low: r.low, high: r.high }
  r.u64()
  const headDigest = { low: r.low, high: r.high }
  const epochs: Epoch[] = []
  for (let count = r.varint(epochsKept, 'epochs'); count > 0; count--) {
    r.u64()
    epochs.push({ id: { low: r.low, high: r.high }, lsn: r.varint(Number.MAX_SAFE_INTEGER, 'log number') })
  }
  return { schema, lsn, digest, headDigest, epochs }
}

/** Collects what one commit must write, and knows since when each row is as it is. */
export class SpaceStore {
  readonly #space: string
  readonly #schema: Schema
  readonly #reference: Reference
  readonly #born: number[][]
  readonly #changed: number[][]
  #epochs: Epoch[]
  readonly #dirtyRows: Set<number>[]
  readonly #dirtyHeads = new Set<IncarnationHead>()
  readonly #headSums: Map<IncarnationHead, Halves>
  readonly #headPrint = new Fingerprint()
  #opened = false
  readonly #w = new Writer()

  constructor(space: string, schema: Schema, reference: Reference, image: SpaceImage | undefined) {
    this.#space = space
    this.#schema = schema
    this.#reference = reference
    this.#born = schema.layouts.map((_, t) => image?.born[t] ?? [])
    this.#changed = schema.layouts.map((_, t) => image?.changed[t] ?? [])
    this.#epochs = [...(image?.epochs ?? [])]
    this.#dirtyRows = schema.layouts.map(() => new Set())
    this.#headSums = new Map(image?.headSums)
    for (const [head, sum] of this.#headSums) accountHead(this.#headPrint, head.id, undefined, sum)
  }

  /** Begins an epoch at this log number; it is written with the next commit. */
  open(id: Halves, lsn: number): void {
    this.#epochs = [...this.#epochs.slice(-(epochsKept - 1)), { id, lsn }]
    this.#opened = true
  }

  /** True when this log number of this epoch is part of our past: no later epoch of ours began before it. */
  knowsPosition(epoch: Halves, lsn: number): boolean {
    const index = this.#epochs.findIndex(({ id }) => id.low === epoch.low && id.high === epoch.high)
    if (index < 0) return false
    const next = this.#epochs[index + 1]
    return next === undefined || lsn <= next.lsn
  }

  stageHead(head: IncarnationHead): void {
    this.#dirtyHeads.add(head)
  }

  stageRows(delta: Delta, lsn: number): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count } = delta.tables[t]
      for (let slot = 0; slot < count; slot++) {
        this.#dirtyRows[t].add(rows[slot])
        this.#changed[t][rows[slot]] = lsn
      }
      while (this.#born[t].length < this.#reference.tables[t].count) this.#born[t].push(lsn)
    }
  }

  get hasStaged(): boolean {
    return this.#opened || this.#dirtyHeads.size > 0 || this.#dirtyRows.some(rows => rows.size > 0)
  }

  /** The puts of one commit, in which everything staged moves together. */
  take(lsn: number, digest: Halves): Put[] {
    const w = this.#w
    const puts: Put[] = []
    for (let t = 0; t < this.#dirtyRows.length; t++) {
      const { words, layout, keys } = this.#reference.tables[t]
      for (const row of this.#dirtyRows[t]) {
        w.reset()
        w.varint(this.#born[t][row])
        w.varint(this.#changed[t][row])
        w.text(keys[row])
        const at = row * 2 * layout.words
        w.beginSpans()
        for (let half = 0; half < 2 * layout.words; half += 2) w.span(words[at + half], words[at + half + 1])
        puts.push(sealRecord(w, rowKey(this.#space, t, row)).put)
      }
      this.#dirtyRows[t].clear()
    }
    for (const head of this.#dirtyHeads) {
      w.reset()
      head.encode(w)
      const { put, sum } = sealRecord(w, recordKey(this.#space, 'h', head.id))
      accountHead(this.#headPrint, head.id, this.#headSums.get(head), sum)
      this.#headSums.set(head, sum)
      puts.push(put)
    }
    this.#dirtyHeads.clear()
    this.#opened = false
    w.reset()
    const schema = this.#schema.encode()
    w.varint(schema.length)
    w.bytes(schema)
    w.varint(lsn)
    w.u64(digest.low, digest.high)
    w.u64(this.#headPrint.low, this.#headPrint.high)
    w.varint(this.#epochs.length)
    for (const epoch of this.#epochs) {
      w.u64(epoch.id.low, epoch.id.high)
      w.varint(epoch.lsn)
    }
    puts.push(sealRecord(w, recordKey(this.#space, 's')).put)
    return puts
  }

  /** Rows of a table that existed at this log number. */
  rowsAt(table: number, lsn: number): number {
    const born = this.#born[table]
    let low = 0
    let high = born.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (born[middle] <= lsn) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The rows changed after this log number, whole. */
  changedSince(lsn: number): Delta {
    const delta = new Delta(this.#schema.layouts)
    for (let t = 0; t < this.#changed.length; t++) {
      const { words, layout } = this.#reference.tables[t]
      const stride = 2 * layout.words
      for (let row = 0; row < this.#changed[t].length; row++) {
        if (this.#changed[t][row] <= lsn) continue
        const at = delta.tables[t].open(row)
        delta.tables[t].words.set(words.subarray(row * stride, (row + 1) * stride), at)
      }
    }
    return delta
  }
}

/**
 * A replica as records in a storage, and back. Five kinds, each with its own hash (records.ts):
 *
 *   space NUL 'S'              the schema's description, position in the log, clock, last change, digest of all rows
 *   space NUL 'R' table row    u32 each, big endian: key and words of the row with this number, as the hub confirmed them
 *   space NUL 'B' from         u64, big endian, the change before it: a batch that is not settled, with its incarnation and label
 *   space NUL 'I'              the last incarnations that were written under from here, each of 16 bytes
 *   space NUL 'T' id           what was taken in of a neighbour's incarnation: its last sequence number
 *
 * One write moves them together: a batch leaves with the rows that now contain it. A batch's record speaks for itself; rows and
 * position are worth only what their digest confirms, and when it does not they are given up and come again from a hub.
 *
 * A program whose schema has grown since takes all of it along: rows and batches get the new words, as zeros, and the position is
 * forgotten, since a hub may hold what belongs in them.
 *
 * Over 500 lines: each record is read and written here, so that one page shows both directions of the format.
 */
import { Delta, Fingerprint, type RowLayout } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeSchema, joinSchemas, type Schema } from '../schema/index.ts'
import {
  decodeDelta,
  encodeDelta,
  encodeUtf8,
  type Halves,
  namesByKey,
  type Reader,
  Writer,
} from '../wire/index.ts'
import { formatIncarnation, nextLabel, sameLabel } from './label.ts'
import type { OutboxJournal } from './outbox.ts'
import { type PendingBatch, storedBatch } from './pending.ts'
import { openRecord, recordKey, sealRecord, spacePrefix } from './records.ts'
import { digestDelta, Reference } from './reference.ts'
import type { RowNumbers } from './row-numbers.ts'
import { noStamp, openSession, type Session } from './session.ts'
import type { Entry, Put, ReplicaStorage } from './storage.ts'

/** Rows at a position of the log. */
export interface StoredState {
  readonly lsn: number
  readonly epoch: Halves
  /** By table, in the order of their numbers. */
  readonly rows: readonly { readonly keys: readonly string[]; readonly words: readonly Int32Array[] }[]
}

/** What a storage holds of one replica. */
export interface ReplicaImage {
  readonly space: string
  readonly schema: Schema
  /** Undefined when there is none, or not all of it. */
  readonly state: StoredState | undefined
  /** Incarnations with unsettled batches, in the order of their changes; deltas name rows by their index in `names`. */
  readonly sessions: readonly Session[]
  /** Keys of the rows that `sessions` name, by table. */
  readonly names: readonly (readonly string[])[]
  readonly lastChange: number
  /** The clock's last stamp. */
  readonly clock: Halves
  /** Incarnations of earlier openings that no copy is known to go on under: 16 bytes each. */
  readonly incarnations: readonly Uint8Array[]
  /** What was taken in of neighbours, by incarnation. */
  readonly taken: ReadonlyMap<string, number>
  /** Keys of all records, so that those that are given up can be removed. */
  readonly keys: readonly Uint8Array[]
  /** The records were written under a shorter schema: all of them must be written again. */
  readonly hasGrown: boolean
  /** What was damaged or missing, in words. Empty in a sound store. */
  readonly damage: readonly string[]
  /** Begins to collect writes. A method of the image, so that a replica without a store brings no code for one. */
  openStore(reference: Reference, numbers: RowNumbers): ReplicaStore
}

/** Version of the records. */
const format = 1
/** Incarnations that are remembered: as many openings may pass until a region must be claimed by force. */
const incarnationsMax = 64
const zero: Halves = { low: 0, high: 0 }

function u64Key(space: string, kind: string, number: number): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.floor(number / 2 ** 32))
  view.setUint32(4, number % 2 ** 32)
  return recordKey(space, kind, bytes)
}

function rowKey(space: string, table: number, number: number): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, table)
  view.setUint32(4, number)
  return recordKey(space, 'R', bytes)
}

function readHalves(r: Reader): Halves {
  r.u64()
  return { low: r.low, high: r.high }
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reads a replica from a storage that may take its time. */
export async function loadReplica(
  storage: ReplicaStorage,
  space: string,
  schema: Schema,
): Promise<ReplicaImage> {
  const entries: Entry[] = []
  for await (const entry of storage.range(spacePrefix(space))) entries.push(entry)
  return readReplica(entries, space, schema)
}

/**
 * The same from entries at hand. Damage is found and named, never thrown: what is sound is kept.
 * @throws AtomikError `schema` when changes wait there that were made under a description that this one does not go on from
 */
export function readReplica(entries: Iterable<Entry>, space: string, schema: Schema): ReplicaImage {
  const prefix = spacePrefix(space).length
  const damage: string[] = []
  const keys: Uint8Array[] = []
  const taken = new Map<string, number>()
  const names = new Reference(schema.layouts)
  const incarnations: Uint8Array[] = []
  const batches: ReturnType<typeof readBatch>[] = []
  const rows: { table: number; number: number; key: string; r: Reader }[] = []
  const all = [...entries]
  const kindOf = (key: Uint8Array) => String.fromCharCode(key[prefix] ?? 0)
  const head = readHead(
    all.find(({ key }) => kindOf(key) === 'S'),
    damage,
  )
  const stored = storedSchema(head, schema)
  for (const { key, value } of all) {
    keys.push(key)
    const kind = kindOf(key)
    try {
      if (kind === 'S') {
        // Read first: it says under which schema the others were written.
      } else if (kind === 'R') {
        const { r } = openRecord(key, value, 'a row')
        const view = new DataView(key.buffer, key.byteOffset + prefix + 1, 8)
        const table = view.getUint32(0)
        rows.push({ table, number: view.getUint32(4), key: r.text(limits.keyBytesMax, 'key'), r })
      } else if (kind === 'B') {
        batches.push(readBatch(openRecord(key, value, 'a batch').r, stored, schema, names))
      } else if (kind === 'I') {
        const { r } = openRecord(key, value, 'the list of incarnations')
        while (!r.done) incarnations.push(r.bytes(16).slice())
      } else if (kind === 'T') {
        const { r } = openRecord(key, value, 'a mark')
        taken.set(formatIncarnation(key.subarray(prefix + 1)), r.varint(Number.MAX_SAFE_INTEGER, 'sequence'))
      } else {
        throw new AtomikError('storage', 'a record of unknown kind')
      }
    } catch (error) {
      if (!(error instanceof AtomikError) || error.code === 'schema') throw error
      damage.push(kind === 'B' ? `a batch of own changes is lost: ${error.message}` : error.message)
    }
  }
  const state = head && readState(head, rows, stored, schema, damage)
  if (head === undefined && rows.length > 0) damage.push('the head of the replica is missing')
  batches.sort((a, b) => a.batch.from - b.batch.from)
  const sessions: Session[] = []
  for (const { id, base, batch, isLate } of batches) {
    const name = formatIncarnation(id)
    let session = sessions.find(one => formatIncarnation(one.id) === name)
    if (session === undefined) {
      session = openSession(id, base)
      sessions.push(session)
    }
    session.batches.push(batch)
    session.isLate ||= isLate
  }
  const image: ReplicaImage = {
    space,
    schema,
    state,
    sessions,
    names: names.tables.map(table => table.keys),
    lastChange: Math.max(head?.lastChange ?? 0, ...batches.map(({ batch }) => batch.to)),
    clock: head?.clock ?? zero,
    incarnations,
    taken,
    keys,
    hasGrown: stored.description !== schema.description,
    damage,
    openStore: (reference, numbers) => new ReplicaStore(image, reference, numbers),
  }
  return image
}

/** What records were written under, where `schema` has all of it and more; else `schema`. */
function storedSchema(head: Head | undefined, schema: Schema): Schema {
  if (head === undefined || head.schema === schema.description) return schema
  try {
    const stored = decodeSchema(encodeUtf8(head.schema))
    return joinSchemas(schema, stored) === schema ? stored : schema
  } catch (error) {
    if (error instanceof AtomikError) return schema
    throw error
  }
}

/** A delta with the words that a longer schema has. */
function widened(delta: Delta, layouts: readonly RowLayout[]): Delta {
  const result = new Delta(layouts)
  delta.tables.forEach(({ rows, count, words, layout }, t) => {
    const stride = 2 * layout.words
    for (let slot = 0; slot < count; slot++) {
      const at = result.tables[t].open(rows[slot])
      result.tables[t].words.set(words.subarray(slot * stride, (slot + 1) * stride), at)
    }
  })
  return result
}

interface Head {
  readonly schema: string
  readonly epoch: Halves
  readonly lsn: number
  readonly lastChange: number
  readonly clock: Halves
  readonly digest: Halves
  /** Rows by table. */
  readonly counts: readonly number[]
}

function readHead(entry: Entry | undefined, damage: string[]): Head | undefined {
  if (entry === undefined) return undefined
  try {
    return parseHead(openRecord(entry.key, entry.value, 'the head of the replica').r)
  } catch (error) {
    if (!(error instanceof AtomikError)) throw error
    damage.push(error.message)
    return undefined
  }
}

function parseHead(r: Reader): Head {
  readFormat(r)
  const schema = r.text(limits.schemaBytesMax, 'schema')
  const epoch = readHalves(r)
  const lsn = r.varint(Number.MAX_SAFE_INTEGER, 'log number')
  const lastChange = r.varint(Number.MAX_SAFE_INTEGER, 'change')
  const clock = readHalves(r)
  const digest = readHalves(r)
  const counts: number[] = []
  for (let count = r.varint(limits.tablesMax, 'tables'); count > 0; count--)
    counts.push(r.varint(limits.rowsMax, 'rows'))
  return { schema, epoch, lsn, lastChange, clock, digest, counts }
}

function readFormat(r: Reader): void {
  const found = r.u8()
  if (found !== format)
    throw new AtomikError('storage', `a record of format ${found}; this version reads format ${format}`)
}

function readState(
  head: Head,
  rows: readonly { table: number; number: number; key: string; r: Reader }[],
  stored: Schema,
  schema: Schema,
  damage: string[],
): StoredState | undefined {
  if (head.schema !== stored.description) return undefined // another program's rows: they come again from the hub
  const state = schema.layouts.map(() => ({ keys: [] as string[], words: [] as Int32Array[] }))
  const check = new Reference(schema.layouts)
  try {
    for (const { table, number, key, r } of rows) {
      const part = state[table]
      if (stored.layouts[table] === undefined || part.keys.length !== number)
        throw new AtomikError('storage', `row ${number} of table ${table} does not follow the one before`)
      const words = new Int32Array(2 * schema.layouts[table].words)
      r.beginSpans()
      for (let i = 0; i < 2 * stored.layouts[table].words; i += 2) {
        r.span()
        words[i] = r.low
        words[i + 1] = r.high
      }
      r.endSpans()
      part.keys.push(key)
      part.words.push(words)
      const one = new Delta(schema.layouts)
      const at = one.tables[table].open(check.tables[table].open(key))
      one.tables[table].words.set(words, at)
      check.load(one)
    }
    if (
      !sameLabel(check.fingerprint, head.digest) ||
      state.some(({ keys }, table) => keys.length !== (head.counts[table] ?? 0))
    )
      throw new AtomikError('storage', 'the rows do not add up to their digest: some are missing or old')
  } catch (error) {
    if (!(error instanceof AtomikError)) throw error
    damage.push(error.message)
    return undefined
  }
  // No hub knows position 0/0, so it starts a grown replica from nothing; until then this is what there is to see.
  return { lsn: head.lsn, epoch: stored === schema ? head.epoch : zero, rows: state }
}

function readBatch(r: Reader, stored: Schema, schema: Schema, names: Reference) {
  readFormat(r)
  const hash = r.text(limits.schemaBytesMax, 'schema hash')
  if (hash !== stored.hash)
    throw new AtomikError(
      'schema',
      `changes wait here that were made under schema ${hash}, which ${schema.hash} does not go on from: open the store with that one and a hub first`,
    )
  const id = r.bytes(16).slice()
  const base = r.varint(Number.MAX_SAFE_INTEGER, 'base')
  const from = r.varint(Number.MAX_SAFE_INTEGER, 'from')
  const to = from + r.varint(Number.MAX_SAFE_INTEGER - from, 'changes')
  if (to === from || from < base) r.fail('malformed', 'the bounds of a batch')
  const salt = readHalves(r)
  const flags = r.u8()
  const before = readHalves(r)
  const label = readHalves(r)
  const { delta, named } = decodeDelta(
    r,
    stored.layouts,
    {
      rowNumbered: () => -1,
      rowNamed: (table, key) => names.tables[table].find(key),
      rowCount: table => names.tables[table].count,
      knownRows: () => 0,
      hasLiterals: true,
      hasNumber: () => false,
    },
    noStamp,
  )
  if (!r.done) r.fail('malformed', 'bytes after the end of a batch')
  for (const { table, key } of named) names.tables[table].open(key)
  const digest = new Fingerprint()
  digestDelta(delta, names.tables, digest)
  if (!sameLabel(label, nextLabel(before, salt, digest, to - base)))
    throw new AtomikError('storage', 'a batch does not have the label its content gives')
  const held = stored === schema ? delta : widened(delta, schema.layouts)
  const batch = storedBatch(
    { from, to, salt, saltIsNew: (flags & 1) !== 0, before, label, isHeld: false },
    held,
  )
  return { id, base, batch, isLate: (flags & 2) !== 0 }
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What goes into the head's record besides what the store knows. */
export interface Position {
  readonly lsn: number
  readonly epoch: Halves
  readonly lastChange: number
  readonly clock: Halves
  readonly incarnations: readonly Uint8Array[]
}

/** How far a neighbour's changes are in ours; undefined for one to be forgotten. */
interface Taken {
  readonly id: Uint8Array
  readonly sequence: number | undefined
}

/** Collects what one write must hold. */
export class ReplicaStore implements OutboxJournal {
  readonly #space: string
  readonly #schema: Schema
  readonly #reference: Reference
  readonly #numbers: RowNumbers
  readonly #dirtyRows: Set<number>[]
  /** Batches to put, or to remove, by the change before them. */
  #batches = new Map<number, { session: Session; batch: PendingBatch } | undefined>()
  #taken = new Map<string, Taken>()
  /** Records of rows in the store, by table. */
  readonly #stored: number[]
  #removals: Uint8Array[] = []
  /** The list of incarnations in the store, or on its way there. */
  #incarnations: readonly Uint8Array[] = []
  #positionMoved = false
  #writing:
    | {
        readonly rows: readonly (readonly number[])[]
        readonly batches: ReadonlyMap<number, { session: Session; batch: PendingBatch } | undefined>
        readonly taken: ReadonlyMap<string, Taken>
        readonly removals: Uint8Array[]
        readonly stored: readonly number[]
      }
    | undefined
  readonly #w = new Writer()
  readonly #byKey = namesByKey((table, row) => this.#reference.tables[table].keys[row])

  constructor(image: ReplicaImage, reference: Reference, numbers: RowNumbers) {
    this.#space = image.space
    this.#schema = image.schema
    this.#reference = reference
    this.#numbers = numbers
    this.#dirtyRows = image.schema.layouts.map(() => new Set())
    this.#stored = image.schema.layouts.map((_, table) => image.state?.rows[table].keys.length ?? 0)
    const kind = spacePrefix(image.space).length
    const kept = new Set(image.sessions.flatMap(({ batches }) => [...batches].map(({ from }) => from)))
    this.#removals = image.keys.filter(key => {
      const letter = String.fromCharCode(key[kind] ?? 0)
      if (letter === 'R') return image.state === undefined
      if (letter === 'S' || letter === 'T' || letter === 'I') return false
      if (letter !== 'B' || key.length !== kind + 9) return true
      const view = new DataView(key.buffer, key.byteOffset + kind + 1, 8)
      return !kept.has(view.getUint32(0) * 2 ** 32 + view.getUint32(4))
    })
    this.#positionMoved = image.state === undefined
  }

  get isWriting(): boolean {
    return this.#writing !== undefined
  }

  /** Own changes or their fate would be lost. */
  get hasBatches(): boolean {
    return this.#batches.size > 0 || this.#taken.size > 0
  }

  get hasStaged(): boolean {
    return (
      this.hasBatches ||
      this.#positionMoved ||
      this.#removals.length > 0 ||
      this.#dirtyRows.some(rows => rows.size > 0)
    )
  }

  put(session: Session, batch: PendingBatch): void {
    this.#batches.set(batch.from, { session, batch })
  }

  remove(batch: PendingBatch): void {
    this.#batches.set(batch.from, undefined)
  }

  /** A neighbour's batches up to this sequence are in ours. */
  take(id: Uint8Array, sequence: number): void {
    this.#taken.set(formatIncarnation(id), { id, sequence })
  }

  /** Nothing of that neighbour will come again. */
  forget(id: Uint8Array): void {
    this.#taken.set(formatIncarnation(id), { id, sequence: undefined })
  }

  stageRows(delta: Delta): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count } = delta.tables[t]
      for (let slot = 0; slot < count; slot++) this.#dirtyRows[t].add(rows[slot])
    }
    this.#positionMoved = true
  }

  stagePosition(): void {
    this.#positionMoved = true
  }

  /** The reference was given up: rows get other numbers. */
  stageAll(): void {
    for (let t = 0; t < this.#dirtyRows.length; t++)
      for (let row = 0; row < this.#reference.tables[t].count; row++) this.#dirtyRows[t].add(row)
    this.#positionMoved = true
  }

  /** The puts of one write, in which everything staged moves together. */
  write(position: Position): Put[] {
    const puts: Put[] = this.#removals.map(key => ({ key, value: undefined }))
    const w = this.#w
    const rows = this.#dirtyRows.map(set => [...set])
    for (const set of this.#dirtyRows) set.clear()
    const stored = [...this.#stored]
    for (let t = 0; t < rows.length; t++) {
      for (const row of rows[t]) {
        const number = this.#numbers.numberOf(t, row)
        if (number < 0) continue
        puts.push(this.#rowPut(w, t, row, number))
      }
      const count = this.#numbers.knownRows(t)
      for (let number = count; number < this.#stored[t]; number++)
        puts.push({ key: rowKey(this.#space, t, number), value: undefined })
      this.#stored[t] = count
    }
    for (const [from, entry] of this.#batches) {
      const key = u64Key(this.#space, 'B', from)
      puts.push(entry === undefined ? { key, value: undefined } : this.#batchPut(w, key, entry))
    }
    for (const { id, sequence } of this.#taken.values()) {
      const key = recordKey(this.#space, 'T', id)
      w.reset()
      w.varint(sequence ?? 0)
      puts.push(sequence === undefined ? { key, value: undefined } : sealRecord(w, key).put)
    }
    if (position.incarnations !== this.#incarnations) {
      this.#incarnations = position.incarnations
      w.reset()
      for (const id of position.incarnations.slice(-incarnationsMax)) w.bytes(id)
      puts.push(sealRecord(w, recordKey(this.#space, 'I')).put)
    }
    puts.push(this.#headPut(w, position))
    this.#writing = { rows, batches: this.#batches, taken: this.#taken, removals: this.#removals, stored }
    this.#batches = new Map()
    this.#taken = new Map()
    this.#removals = []
    this.#positionMoved = false
    return puts
  }

  /** The write is durable. */
  written(): void {
    for (const entry of this.#writing?.batches.values() ?? [])
      if (entry !== undefined) entry.batch.isSaved = true
    this.#writing = undefined
  }

  /** The write failed and nothing of it is there: all of it is staged again, but where something newer is. */
  notWritten(): void {
    const failed = this.#writing
    if (failed === undefined) return
    this.#writing = undefined
    for (let t = 0; t < failed.rows.length; t++) for (const row of failed.rows[t]) this.#dirtyRows[t].add(row)
    this.#batches = new Map([...failed.batches, ...this.#batches])
    this.#taken = new Map([...failed.taken, ...this.#taken])
    this.#removals = [...failed.removals, ...this.#removals]
    this.#incarnations = []
    for (let t = 0; t < failed.stored.length; t++)
      this.#stored[t] = Math.max(this.#stored[t], failed.stored[t])
    this.#positionMoved = true
  }

  #rowPut(w: Writer, t: number, row: number, number: number): Put {
    const { words, layout, keys } = this.#reference.tables[t]
    w.reset()
    w.text(keys[row])
    const at = row * 2 * layout.words
    w.beginSpans()
    for (let half = 0; half < 2 * layout.words; half += 2) w.span(words[at + half], words[at + half + 1])
    return sealRecord(w, rowKey(this.#space, t, number)).put
  }

  #batchPut(w: Writer, key: Uint8Array, { session, batch }: { session: Session; batch: PendingBatch }): Put {
    w.reset()
    w.u8(format)
    w.text(this.#schema.hash)
    w.bytes(session.id)
    w.varint(session.base)
    w.varint(batch.from)
    w.varint(batch.to - batch.from)
    w.u64(batch.salt.low, batch.salt.high)
    w.u8((batch.saltIsNew ? 1 : 0) + (session.isLate ? 2 : 0))
    w.u64(batch.before.low, batch.before.high)
    w.u64(batch.label.low, batch.label.high)
    encodeDelta(w, batch.delta, this.#byKey, noStamp)
    return sealRecord(w, key).put
  }

  #headPut(w: Writer, { lsn, epoch, lastChange, clock }: Position): Put {
    const { low, high } = this.#reference.fingerprint
    w.reset()
    w.u8(format)
    w.text(this.#schema.description)
    w.u64(epoch.low, epoch.high)
    w.varint(lsn)
    w.varint(lastChange)
    w.u64(clock.low, clock.high)
    w.u64(low, high)
    w.varint(this.#stored.length)
    for (const count of this.#stored) w.varint(count)
    return sealRecord(w, recordKey(this.#space, 'S')).put
  }
}

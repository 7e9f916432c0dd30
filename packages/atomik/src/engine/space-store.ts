/**
 * The writing side of a space's records (space-records.ts): collects what one commit must write, and knows since when each row is as
 * it is. A commit writes what changed and the space's own record, of some 40 bytes; openings, heads and the schema lie beside it.
 */
import { Delta, Fingerprint } from '../algebra/index.ts'
import type { Schema } from '../schema/index.ts'
import type { Halves } from '../wire/index.ts'
import type { IncarnationHead } from './heads.ts'
import { RecordPack } from './records.ts'
import type { Reference } from './reference.ts'
import type { SpaceImage, StoredEpoch } from './space-image.ts'
import {
  accountRecord,
  epochKey,
  epochsKept,
  headKey,
  incarnationKey,
  ownerKey,
  rowKeyPrefix,
  schemaKey,
  writeEpoch,
  writeRow,
  writeSpaceHead,
} from './space-records.ts'

/** Rows of a table that the next commit writes, each once. */
class DirtyRows {
  rows = new Int32Array(16)
  count = 0
  /** 1 for a row that is among them. */
  #isDirty = new Uint8Array(16)

  add(row: number): void {
    if (row >= this.#isDirty.length) {
      const isDirty = new Uint8Array(Math.max(2 * this.#isDirty.length, row + 1))
      isDirty.set(this.#isDirty)
      this.#isDirty = isDirty
    }
    if (this.#isDirty[row] === 1) return
    this.#isDirty[row] = 1
    if (this.count === this.rows.length) {
      const rows = new Int32Array(2 * this.count)
      rows.set(this.rows)
      this.rows = rows
    }
    this.rows[this.count++] = row
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) this.#isDirty[this.rows[i]] = 0
    this.count = 0
  }
}

type OpenEpoch = Omit<StoredEpoch, 'sum'> & { sum: Halves | undefined }

export class SpaceStore {
  readonly #space: string
  #schema: Schema
  readonly #reference: Reference
  readonly #born: number[][]
  readonly #changed: number[][]
  readonly #owners: Map<number, string>[]
  readonly #epochs: OpenEpoch[]
  /** Openings whose records must go. */
  readonly #forgotten: OpenEpoch[] = []
  readonly #dirtyRows: DirtyRows[]
  readonly #dirtyOwners: { table: number; row: number }[] = []
  readonly #dirtyHeads = new Set<IncarnationHead>()
  /** Heads in the commit that was taken last. */
  #takenHeads = new Set<IncarnationHead>()
  readonly #recordPrint = new Fingerprint()
  #schemaSum: Halves | undefined
  #schemaIsDirty: boolean
  readonly #rowPrefix: Uint8Array
  readonly #headKey: Uint8Array
  /** The head written last, and its key. */
  #written: { readonly head: IncarnationHead; readonly key: Uint8Array } | undefined
  /** What the commit under way writes. */
  readonly #pack = new RecordPack()

  constructor(space: string, schema: Schema, reference: Reference, image: SpaceImage | undefined) {
    this.#space = space
    this.#rowPrefix = rowKeyPrefix(space)
    this.#headKey = headKey(space)
    this.#schema = schema
    this.#reference = reference
    this.#born = schema.layouts.map((_, t) => image?.born[t] ?? [])
    this.#changed = schema.layouts.map((_, t) => image?.changed[t] ?? [])
    this.#owners = schema.layouts.map((_, t) => image?.owners[t] ?? new Map())
    this.#epochs = [...(image?.epochs ?? [])]
    this.#dirtyRows = schema.layouts.map(() => new DirtyRows())
    this.#recordPrint.low = image?.recordPrint.low ?? 0
    this.#recordPrint.high = image?.recordPrint.high ?? 0
    this.#schemaIsDirty = image === undefined
    if (image === undefined) return
    this.#sealSchema()
    this.#pack.clear()
  }

  /** Begins an epoch at this log number; it is written with the next commit. */
  open(id: Halves, lsn: number): void {
    this.#epochs.push({ id, lsn, ordinal: (this.#epochs.at(-1)?.ordinal ?? 0) + 1, sum: undefined })
    if (this.#epochs.length > epochsKept) this.#forgotten.push(...this.#epochs.splice(0, 1))
  }

  /** True when this log number of this epoch is part of our past: no later epoch of ours began before it. */
  knowsPosition(epoch: Halves, lsn: number): boolean {
    const index = this.#epochs.findIndex(({ id }) => id.low === epoch.low && id.high === epoch.high)
    if (index < 0) return false
    const next = this.#epochs[index + 1]
    return next === undefined || lsn <= next.lsn
  }

  /** The principal that owns this row, if any does. */
  ownerOf(table: number, row: number): string | undefined {
    return this.#owners[table].get(row)
  }

  /** The layout grew: tables and words came at the end. Rows are written in it as they change. */
  adopt(schema: Schema): void {
    this.#schema = schema
    this.#schemaIsDirty = true
    while (this.#dirtyRows.length < schema.layouts.length) {
      this.#dirtyRows.push(new DirtyRows())
      this.#born.push([])
      this.#changed.push([])
      this.#owners.push(new Map())
    }
  }

  stageHead(head: IncarnationHead): void {
    this.#dirtyHeads.add(head)
  }

  /** True when this head is on disk as it is, or will never be there: call between commits, when none is under way. */
  isClean(head: IncarnationHead, committing: boolean): boolean {
    return !this.#dirtyHeads.has(head) && !(committing && this.#takenHeads.has(head))
  }

  stageOwner(table: number, row: number, owner: string): void {
    this.#owners[table].set(row, owner)
    this.#dirtyOwners.push({ table, row })
  }

  stageRows(delta: Delta, lsn: number): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count } = delta.tables[t]
      if (count === 0) continue
      const [dirty, changed, born] = [this.#dirtyRows[t], this.#changed[t], this.#born[t]]
      for (let slot = 0; slot < count; slot++) {
        dirty.add(rows[slot])
        changed[rows[slot]] = lsn
      }
      while (born.length < this.#reference.tables[t].count) born.push(lsn)
    }
  }

  /** The same for one row. */
  stageRow(table: number, row: number, lsn: number): void {
    this.#dirtyRows[table].add(row)
    this.#changed[table][row] = lsn
  }

  get hasStaged(): boolean {
    return (
      this.#schemaIsDirty ||
      this.#epochs.at(-1)?.sum === undefined ||
      this.#dirtyHeads.size > 0 ||
      this.#dirtyRows.some(rows => rows.count > 0)
    )
  }

  /** The records of one commit, in which everything staged moves together. Borrowed until the next is taken. */
  take(lsn: number, digest: Halves): RecordPack {
    const pack = this.#pack
    pack.clear()
    this.#takeRows()
    for (const { table, row } of this.#dirtyOwners.splice(0)) {
      pack.begin(ownerKey(this.#space, table, row)).text(this.#owners[table].get(row) ?? '')
      this.#seal(undefined)
    }
    for (const head of this.#dirtyHeads) {
      head.encode(pack.begin(this.#keyOf(head)))
      head.sum = this.#seal(head.sum)
    }
    this.#takenHeads = new Set(this.#dirtyHeads)
    this.#dirtyHeads.clear()
    for (const { ordinal, sum } of this.#forgotten.splice(0)) {
      if (sum === undefined) continue
      pack.remove(epochKey(this.#space, ordinal))
      accountRecord(this.#recordPrint, sum, undefined)
    }
    for (let i = this.#epochs.length - 1; i >= 0 && this.#epochs[i].sum === undefined; i--) {
      const epoch = this.#epochs[i]
      writeEpoch(pack.begin(epochKey(this.#space, epoch.ordinal)), epoch)
      epoch.sum = this.#seal(undefined)
    }
    if (this.#schemaIsDirty) {
      const before = this.#schemaSum
      this.#sealSchema()
      accountRecord(this.#recordPrint, before, this.#schemaSum)
      this.#schemaIsDirty = false
    }
    const { low, high } = this.#recordPrint
    const rows = this.#schema.layouts.map((_, t) => this.#born[t].length)
    writeSpaceHead(pack.begin(this.#headKey), { lsn, digest, recordDigest: { low, high }, rows })
    pack.seal()
    return pack
  }

  #keyOf(head: IncarnationHead): Uint8Array {
    if (this.#written?.head !== head) this.#written = { head, key: incarnationKey(this.#space, head.id) }
    return this.#written.key
  }

  #takeRows(): void {
    const pack = this.#pack
    for (let t = 0; t < this.#dirtyRows.length; t++) {
      const { words, layout, keys } = this.#reference.tables[t]
      const dirty = this.#dirtyRows[t]
      const halves = 2 * layout.words
      for (let i = 0; i < dirty.count; i++) {
        const row = dirty.rows[i]
        const key = pack.beginKey()
        key.bytes(this.#rowPrefix)
        key.u8(t)
        key.u8(row >>> 24)
        key.u8(row >>> 16)
        key.u8(row >>> 8)
        key.u8(row)
        const w = pack.beginValue()
        writeRow(w, this.#born[t][row], this.#changed[t][row], keys[row], words, row * halves, halves)
        pack.seal()
      }
      dirty.clear()
    }
  }

  /** Seals the record just written, in place of one with the hash `before`. */
  #seal(before: Halves | undefined): Halves {
    this.#pack.seal()
    const { low, high } = this.#pack
    const sum = { low, high }
    accountRecord(this.#recordPrint, before, sum)
    return sum
  }

  #sealSchema(): void {
    const schema = this.#schema.encode()
    const w = this.#pack.begin(schemaKey(this.#space))
    w.varint(schema.length)
    w.bytes(schema)
    this.#pack.seal()
    const { low, high } = this.#pack
    this.#schemaSum = { low, high }
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

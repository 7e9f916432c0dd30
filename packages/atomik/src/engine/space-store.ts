/**
 * The writing side of a space's records (space-records.ts): collects what one commit must write, and knows since when each row is as
 * it is. A commit writes what changed and the space's own record, of some 40 bytes; openings, heads and the schema lie beside it.
 */
import { Delta, Fingerprint } from '../algebra/index.ts'
import type { Schema } from '../schema/index.ts'
import { type Halves, Writer } from '../wire/index.ts'
import type { IncarnationHead } from './heads.ts'
import { sealRecord } from './records.ts'
import type { Reference } from './reference.ts'
import type { SpaceImage, StoredEpoch } from './space-image.ts'
import {
  accountRecord,
  epochKey,
  epochsKept,
  headKey,
  incarnationKey,
  ownerKey,
  rowKeys,
  schemaKey,
  writeEpoch,
  writeRow,
  writeSpaceHead,
} from './space-records.ts'
import type { Put } from './storage.ts'

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
  readonly #dirtyRows: Set<number>[]
  readonly #dirtyOwners: { table: number; row: number }[] = []
  readonly #dirtyHeads = new Set<IncarnationHead>()
  /** Heads in the commit that was taken last. */
  #takenHeads = new Set<IncarnationHead>()
  readonly #recordPrint = new Fingerprint()
  #schemaSum: Halves | undefined
  #schemaIsDirty: boolean
  readonly #rowKey: (table: number, row: number) => Uint8Array
  readonly #w = new Writer()

  constructor(space: string, schema: Schema, reference: Reference, image: SpaceImage | undefined) {
    this.#space = space
    this.#rowKey = rowKeys(space)
    this.#schema = schema
    this.#reference = reference
    this.#born = schema.layouts.map((_, t) => image?.born[t] ?? [])
    this.#changed = schema.layouts.map((_, t) => image?.changed[t] ?? [])
    this.#owners = schema.layouts.map((_, t) => image?.owners[t] ?? new Map())
    this.#epochs = [...(image?.epochs ?? [])]
    this.#dirtyRows = schema.layouts.map(() => new Set())
    this.#recordPrint.low = image?.recordPrint.low ?? 0
    this.#recordPrint.high = image?.recordPrint.high ?? 0
    this.#schemaIsDirty = image === undefined
    if (image !== undefined) this.#schemaSum = this.#sealSchema().sum
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
      this.#dirtyRows.push(new Set())
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
      for (let slot = 0; slot < count; slot++) {
        this.#dirtyRows[t].add(rows[slot])
        this.#changed[t][rows[slot]] = lsn
      }
      while (this.#born[t].length < this.#reference.tables[t].count) this.#born[t].push(lsn)
    }
  }

  get hasStaged(): boolean {
    return (
      this.#schemaIsDirty ||
      this.#epochs.at(-1)?.sum === undefined ||
      this.#dirtyHeads.size > 0 ||
      this.#dirtyRows.some(rows => rows.size > 0)
    )
  }

  /** The puts of one commit, in which everything staged moves together. */
  take(lsn: number, digest: Halves): Put[] {
    const w = this.#w
    const puts: Put[] = []
    this.#takeRows(puts)
    for (const { table, row } of this.#dirtyOwners.splice(0)) {
      w.reset()
      w.text(this.#owners[table].get(row) ?? '')
      this.#push(puts, ownerKey(this.#space, table, row), undefined)
    }
    for (const head of this.#dirtyHeads) {
      w.reset()
      head.encode(w)
      head.sum = this.#push(puts, incarnationKey(this.#space, head.id), head.sum)
    }
    this.#takenHeads = new Set(this.#dirtyHeads)
    this.#dirtyHeads.clear()
    for (const { ordinal, sum } of this.#forgotten.splice(0)) {
      if (sum === undefined) continue
      puts.push({ key: epochKey(this.#space, ordinal), value: undefined })
      accountRecord(this.#recordPrint, sum, undefined)
    }
    for (let i = this.#epochs.length - 1; i >= 0 && this.#epochs[i].sum === undefined; i--) {
      const epoch = this.#epochs[i]
      w.reset()
      writeEpoch(w, epoch)
      epoch.sum = this.#push(puts, epochKey(this.#space, epoch.ordinal), undefined)
    }
    if (this.#schemaIsDirty) {
      const { put, sum } = this.#sealSchema()
      accountRecord(this.#recordPrint, this.#schemaSum, sum)
      this.#schemaSum = sum
      this.#schemaIsDirty = false
      puts.push(put)
    }
    w.reset()
    const { low, high } = this.#recordPrint
    const rows = this.#schema.layouts.map((_, t) => this.#born[t].length)
    writeSpaceHead(w, { lsn, digest, recordDigest: { low, high }, rows })
    puts.push(sealRecord(w, headKey(this.#space)).put)
    return puts
  }

  #takeRows(puts: Put[]): void {
    const w = this.#w
    for (let t = 0; t < this.#dirtyRows.length; t++) {
      const { words, layout, keys } = this.#reference.tables[t]
      for (const row of this.#dirtyRows[t]) {
        w.reset()
        const halves = 2 * layout.words
        const about = { born: this.#born[t][row], changed: this.#changed[t][row], key: keys[row] }
        writeRow(w, about, words, row * halves, halves)
        puts.push(sealRecord(w, this.#rowKey(t, row)).put)
      }
      this.#dirtyRows[t].clear()
    }
  }

  /** Seals what the writer holds under this key, in place of a record with the hash `before`. */
  #push(puts: Put[], key: Uint8Array, before: Halves | undefined): Halves {
    const { put, sum } = sealRecord(this.#w, key)
    accountRecord(this.#recordPrint, before, sum)
    puts.push(put)
    return sum
  }

  #sealSchema(): { put: Put; sum: Halves } {
    const w = this.#w
    const schema = this.#schema.encode()
    w.reset()
    w.varint(schema.length)
    w.bytes(schema)
    return sealRecord(w, schemaKey(this.#space))
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

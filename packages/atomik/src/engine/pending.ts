/**
 * A batch under way, from its sealing to its fate. Most are one group of one row: such a group is copied beside those of its neighbours, so
 * that hundreds under way lie close together, and the delta it came in serves for the next change at once. A batch that is more keeps its
 * delta. Once it is settled its object serves for another: hundreds of thousands a second leave nothing behind.
 */
import { Delta, type RowLayout } from '../algebra/index.ts'
import { type Halves, StampMark } from '../wire/index.ts'

/** What of a batch never changes once it is sealed. */
export interface SealedBatch {
  /** Change numbers of the replica, (from, to]. */
  readonly from: number
  readonly to: number
  readonly salt: Halves
  /** The salt differs from that of the batch before: it must travel. */
  readonly saltIsNew: boolean
  /** Labels at `from` and `to`. */
  readonly before: Halves
  readonly label: Halves
  /** It must be in the store before anybody else may see it. */
  readonly isHeld: boolean
}

export const noSalt: Halves = { low: 0, high: 0 }
const noHalves = new Int32Array(0)
/** Halves of a group that is copied; a longer one stays in its delta. */
const groupHalvesMax = 16

export class PendingBatch implements SealedBatch {
  from = 0
  to = 0
  salt: Halves = noSalt
  saltIsNew = false
  isHeld = false
  isSaved = false
  /** When it was sent; −1 before, and once it was sent twice, since then an answer says nothing about time. */
  sentAtMs = -1
  /** Some hub may have it: sent now, or perhaps before this opening. */
  wasSent = false
  /** What its stamps are coded against on this connection. */
  readonly base = new StampMark()
  /** Labels at `from` and `to`, in halves. */
  beforeLow = 0
  beforeHigh = 0
  labelLow = 0
  labelHigh = 0
  /** The digest its label is made of. */
  digestLow = 0
  digestHigh = 0
  /** Table, row and first word of its group, when it is one group of one row; −1 when it is more, or nothing. */
  table = -1
  row = 0
  word = 0
  /** Where that group begins in `halves`. */
  at = 0
  halves: Int32Array = noHalves
  readonly #layouts: readonly RowLayout[]
  readonly #room: Int32Array
  readonly #roomAt: number
  #delta: Delta | undefined

  /** @param room where a group can be copied to, from `roomAt` on: none unless it is one of many */
  constructor(layouts: readonly RowLayout[], room: Int32Array = noHalves, roomAt = 0) {
    this.#layouts = layouts
    this.#room = room
    this.#roomAt = roomAt
  }

  /** Many at once, whose groups lie side by side. */
  static many(layouts: readonly RowLayout[], count: number): PendingBatch[] {
    const room = new Int32Array(count * groupHalvesMax)
    return Array.from({ length: count }, (_, i) => new PendingBatch(layouts, room, i * groupHalvesMax))
  }

  /** All of it: made anew where only a group was kept. */
  get delta(): Delta {
    if (this.#delta !== undefined) return this.#delta
    const delta = new Delta(this.#layouts)
    const at = delta.tables[this.table].open(this.row) + 2 * this.word
    const end = this.at + 2 * this.#layouts[this.table].groups[this.word]
    delta.tables[this.table].words.set(this.halves.subarray(this.at, end), at)
    this.#delta = delta
    return delta
  }

  get before(): Halves {
    return { low: this.beforeLow, high: this.beforeHigh }
  }

  get label(): Halves {
    return { low: this.labelLow, high: this.labelHigh }
  }

  /** Takes a copy, when this is one group and there is room; false when it must be kept whole. */
  copy(delta: Delta): boolean {
    this.#find(delta)
    if (this.table < 0) return false
    const { halves, at } = this
    const count = 2 * this.#layouts[this.table].groups[this.word]
    if (count > groupHalvesMax || this.#room.length === 0) return false
    this.halves = this.#room
    this.at = this.#roomAt
    for (let i = 0; i < count; i++) this.#room[this.#roomAt + i] = halves[at + i]
    return true
  }

  /** Keeps this delta. */
  keep(delta: Delta): void {
    this.#delta = delta
    this.#find(delta)
  }

  /** The delta it keeps, for another use: it has none any more. */
  release(): Delta | undefined {
    const delta = this.#delta
    this.#delta = undefined
    return delta
  }

  /** Looks for the one group of the one row. */
  #find({ tables }: Delta): void {
    this.table = -1
    let table = -1
    for (let t = 0; t < tables.length; t++) {
      const { count } = tables[t]
      if (count === 0) continue
      if (count > 1 || table >= 0) return
      table = t
    }
    if (table < 0) return
    const { layout, words, rows } = tables[table]
    const { groups } = layout
    let found = -1
    for (let word = 0; word < layout.words; word += groups[word]) {
      if ((words[2 * word] | words[2 * word + 1]) === 0) continue
      if (found >= 0) return
      found = word
    }
    if (found < 0) return
    this.table = table
    this.row = rows[0]
    this.word = found
    this.at = 2 * found
    this.halves = words
  }
}

/** A batch with a delta of its own. */
export function batchOf(delta: Delta): PendingBatch {
  const batch = new PendingBatch(delta.tables.map(({ layout }) => layout))
  batch.keep(delta)
  return batch
}

/** A batch as a store had it: some hub may have it too. */
export function storedBatch(sealed: SealedBatch, delta: Delta): PendingBatch {
  const batch = batchOf(delta)
  batch.from = sealed.from
  batch.to = sealed.to
  batch.salt = sealed.salt
  batch.saltIsNew = sealed.saltIsNew
  batch.beforeLow = sealed.before.low
  batch.beforeHigh = sealed.before.high
  batch.labelLow = sealed.label.low
  batch.labelHigh = sealed.label.high
  batch.isHeld = sealed.isHeld
  batch.isSaved = true
  batch.wasSent = true
  // Its digest is not known: it goes the general way.
  batch.table = -1
  return batch
}

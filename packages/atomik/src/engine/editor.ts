/**
 * Makes changes. While one is being made it is a delta on top of an accumulator on top of what lies under both, so what it
 * reads includes what it wrote, and throwing it away undoes all of it. One change has one stamp.
 */
import { Delta, foldGroup, foldRow, type TableDelta, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import type { Schema } from '../schema/index.ts'
import type { Halves } from '../wire/index.ts'
import { msHigh, msLow, StampClock } from './clock.ts'
import { Reference } from './reference.ts'
import type { Edit, RowReader } from './rows.ts'

export class Editor implements Edit {
  readonly #schema: Schema
  readonly #under: RowReader
  readonly #accumulator: Delta
  readonly #clock: StampClock
  /** The change being made, or undefined. */
  #current: Delta | undefined
  /** An empty delta for the next change, when nothing keeps the last one. */
  #spare: Delta | undefined
  /** The time of the change being made, in two parts. */
  #nowHigh = 0
  #nowLow = 0
  #isStamped = false
  /** Where the row opened last begins in the words of its table's part. */
  #at = 0
  readonly #scratch: Int32Array

  /** @param under the reference of a replica, or the parent of a branch, whose clock the branch shares */
  constructor(schema: Schema, under: RowReader, accumulator: Delta, clock = new StampClock()) {
    this.#schema = schema
    this.#under = under
    this.#accumulator = accumulator
    this.#clock = clock
    this.#scratch = new Int32Array(2 * Math.max(...schema.layouts.map(layout => layout.words)))
  }

  get isEditing(): boolean {
    return this.#current !== undefined
  }

  /** The clock that stamps changes here. */
  get clock(): StampClock {
    return this.#clock
  }

  /** READ of a whole row into `out`, 2 × words halves: what lies under ⊙ accumulator ⊙ the change being made. */
  readRow(table: number, row: number, out: Int32Array): void {
    this.#under.readRow(table, row, out)
    foldIn(this.#accumulator, table, row, out)
    if (this.#current !== undefined) foldIn(this.#current, table, row, out)
  }

  /** What `make` accumulates, as a delta; whatever it throws, nothing remains. */
  make(nowMs: number, make: (edit: Edit) => void): Delta {
    const change = this.#begin(nowMs)
    this.#current = change
    try {
      make(this.edit)
    } finally {
      this.#current = undefined
    }
    return change
  }

  /** Folds a whole delta into the change being made. */
  fold(delta: Delta): void {
    if (this.#current === undefined) throw new AtomikError('closed', 'a change was used after it ended')
    this.#current.fold(delta)
  }

  /** A delta to be filled from outside, with the stamp of one change. */
  fill(nowMs: number, fill: (change: Delta, stamp: () => Halves) => void): Delta {
    const change = this.#begin(nowMs)
    fill(change, () => this.#stamp())
    return change
  }

  /** The change is folded in and nobody keeps it. */
  recycle(change: Delta): void {
    change.clear()
    this.#spare = change
  }

  /** The clock runs ahead of every stamp seen. */
  see(delta: Delta): void {
    for (let t = 0; t < delta.tables.length; t++) {
      const { layout, words, count } = delta.tables[t]
      for (let w = 0; w < layout.words; w++) {
        if (layout.kinds[w] !== WordKind.stamp) continue
        for (let slot = 0; slot < count; slot++) {
          const at = 2 * (slot * layout.words + w)
          this.#clock.see(words[at], words[at + 1])
        }
      }
    }
  }

  /** The same for one stamp. */
  seeStamp({ low, high }: Halves): void {
    this.#clock.see(low, high)
  }

  /** The last stamp given or seen. */
  get stamp(): Halves {
    return { low: this.#clock.low, high: this.#clock.high }
  }

  /** What a change is made of. Valid only while one is being made. */
  get edit(): Edit {
    return this
  }

  xor(table: number, row: number, word: number, low: number, high: number): void {
    const { words } = this.#touch(table, row)
    words[this.#at + 2 * word] ^= low
    words[this.#at + 2 * word + 1] ^= high
  }

  add(table: number, row: number, word: number, low: number, high: number): void {
    const { words } = this.#touch(table, row)
    const i = this.#at + 2 * word
    const sum = (words[i] >>> 0) + (low >>> 0)
    words[i] = sum
    words[i + 1] += high + (sum >= 2 ** 32 ? 1 : 0)
  }

  write(table: number, row: number, word: number, value: Int32Array): void {
    const { words } = this.#touch(table, row)
    this.#advance()
    const i = this.#at + 2 * word
    words[i] = this.#clock.low
    words[i + 1] = this.#clock.high
    for (let half = 0; half < value.length; half++) words[i + 2 + half] = value[half]
  }

  set(table: number, row: number, word: number, on: boolean): void {
    this.readRow(table, row, this.#scratch)
    const low = this.#scratch[2 * word]
    const high = this.#scratch[2 * word + 1]
    if ((low & 1) === (on ? 1 : 0)) return
    const { words } = this.#touch(table, row)
    words[this.#at + 2 * word] = low + 1
    words[this.#at + 2 * word + 1] = high + (low === -1 ? 1 : 0)
  }

  remove(table: number, row: number): void {
    this.readRow(table, row, this.#scratch)
    const low = this.#scratch[0]
    const high = this.#scratch[1]
    if ((low & 1) === 0) return
    const { words } = this.#touch(table, row)
    words[this.#at] = low + 1
    words[this.#at + 1] = high + (low === -1 ? 1 : 0)
  }

  #begin(nowMs: number): Delta {
    const change = this.#spare ?? new Delta(this.#schema.layouts)
    this.#spare = undefined
    this.#isStamped = false
    this.#nowHigh = msHigh(nowMs)
    this.#nowLow = msLow(nowMs)
    return change
  }

  /** The clock shows the stamp of this change. */
  #advance(): void {
    if (!this.#isStamped) this.#clock.advance(this.#nowHigh, this.#nowLow)
    this.#isStamped = true
  }

  #stamp(): Halves {
    this.#advance()
    return { low: this.#clock.low, high: this.#clock.high }
  }

  /** READ of the life of a row that the change being made has not touched, into the first word of the scratch row. */
  #readLife(table: number, row: number): void {
    const scratch = this.#scratch
    const under = this.#under
    if (!(under instanceof Reference)) {
      this.readRow(table, row, scratch)
      return
    }
    const { words, layout } = under.tables[table]
    const at = 2 * row * layout.words
    scratch[0] = words[at]
    scratch[1] = words[at + 1]
    const part = this.#accumulator.tables[table]
    const own = part.find(row)
    if (own >= 0) foldGroup(WordKind.max, 1, scratch, 0, part.words, own)
  }

  /** Opens the row in the change being made, at `#at`, and brings it to life when it is not. */
  #touch(table: number, row: number): TableDelta {
    if (this.#current === undefined) throw new AtomikError('closed', 'a change was used after it ended')
    const part = this.#current.tables[table]
    let at = part.find(row)
    if (at < 0) {
      this.#readLife(table, row)
      at = part.append(row)
      if ((this.#scratch[0] & 1) === 0) {
        part.words[at] = this.#scratch[0] + 1
        part.words[at + 1] = this.#scratch[1]
      }
    } else if (part.words[at] !== 0 && (part.words[at] & 1) === 0) {
      part.words[at]++
    }
    this.#at = at
    return part
  }
}

function foldIn(delta: Delta, table: number, row: number, out: Int32Array): void {
  const part = delta.tables[table]
  const at = part.find(row)
  if (at >= 0) foldRow(part.layout, out, 0, part.words, at)
}

/**
 * The reference: rows of words in flat arrays, by table, with their keys and a running fingerprint. A replica keeps in
 * it what is confirmed, a hub all it has accepted.
 *
 * Invariants: row indices are dense and never reused; the fingerprint is that of the words, always.
 */
import {
  type Delta,
  Fingerprint,
  foldGroup,
  foldRow,
  formatHalves,
  Mixer,
  type RowLayout,
  WordKind,
} from '../algebra/index.ts'
import { assert } from '../errors.ts'
import { encodeUtf8, StampMark } from '../wire/index.ts'

export class ReferenceTable {
  layout: RowLayout
  /** Key by row. */
  readonly keys: string[] = []
  /** 64-bit row addresses, two halves a row: what fingerprints and labels call a row. */
  addresses = new Int32Array(16)
  /** 2 × layout.words halves a row. */
  words: Int32Array
  readonly #index = new Map<string, number>()
  readonly #seed: number
  readonly #mixer = new Mixer()

  constructor(layout: RowLayout, seed: number) {
    this.layout = layout
    this.#seed = seed
    this.words = new Int32Array(8 * 2 * layout.words)
  }

  get count(): number {
    return this.keys.length
  }

  /** The row with this key, or −1. */
  find(key: string): number {
    return this.#index.get(key) ?? -1
  }

  /** The same, creating it with all words 0. Invalidates earlier references to `words` and `addresses`. */
  open(key: string): number {
    const known = this.#index.get(key)
    if (known !== undefined) return known
    const row = this.keys.length
    if (2 * row === this.addresses.length) {
      const addresses = new Int32Array(4 * row)
      addresses.set(this.addresses)
      this.addresses = addresses
    }
    const stride = 2 * this.layout.words
    if ((row + 1) * stride > this.words.length) {
      const words = new Int32Array(2 * this.words.length)
      words.set(this.words)
      this.words = words
    }
    this.#mixer.hash(this.#seed, encodeUtf8(key))
    this.addresses[2 * row] = this.#mixer.low
    this.addresses[2 * row + 1] = this.#mixer.high
    this.keys.push(key)
    this.#index.set(key, row)
    return row
  }

  /** Takes a layout that begins with this one. */
  widen(layout: RowLayout): void {
    const before = 2 * this.layout.words
    const stride = 2 * layout.words
    if (stride === before) return
    const words = new Int32Array((this.words.length / before) * stride)
    for (let row = 0; row < this.count; row++)
      words.set(this.words.subarray(row * before, (row + 1) * before), row * stride)
    this.words = words
    this.layout = layout
  }
}

/** The address of word `word` of a row at (low, high) is (low + word × this, high). */
const wordStep = 0x9e37_79b1 | 0

const noStamp = new StampMark()

export class Reference {
  readonly #tables: ReferenceTable[]
  readonly fingerprint = new Fingerprint()
  /** The largest stamp in any register: what the next log entry's stamps are coded against. */
  readonly latest = new StampMark()
  /** The same for each stamp word, by table: two halves a word. */
  readonly #stamps: Int32Array[] = []
  /** The words of a group before it changes, to tell the fingerprint. */
  readonly #group = new Fingerprint()
  /** Words before a row changes, to tell the fingerprint. */
  #before = new Int32Array(16)
  /** Fingerprint of each word of all rows of a table, two halves each, by table; from when the first part was asked for. */
  #columns: Int32Array[] | undefined

  constructor(layouts: readonly RowLayout[]) {
    this.#tables = layouts.map((layout, index) => new ReferenceTable(layout, index))
  }

  get tables(): readonly ReferenceTable[] {
    return this.#tables
  }

  /** Takes in a layout that has grown at the end: of tables, and of words in them. New words are 0. */
  widen(layouts: readonly RowLayout[]): void {
    for (const [t, layout] of layouts.entries()) {
      if (t === this.#tables.length) this.#tables.push(new ReferenceTable(layout, t))
      else this.#tables[t].widen(layout)
    }
    this.#columns = undefined
  }

  /** The fingerprint of the first `words[t]` words of each row of table t. */
  columnPrint(words: readonly number[]): { low: number; high: number } {
    this.#columns ??= this.#measureColumns()
    let low = 0
    let high = 0
    for (const [t, columns] of this.#columns.entries())
      for (let i = 0; i < 2 * (words[t] ?? 0); i += 2) {
        low += columns[i] >>> 0
        high += columns[i + 1] >>> 0
      }
    // Sums of at most 2^18 numbers of 32 bits: exact.
    return { low: low | 0, high: (high + Math.floor(low / 2 ** 32)) | 0 }
  }

  #measureColumns(): Int32Array[] {
    const print = new Fingerprint()
    return this.tables.map(({ words, addresses, layout, count }) => {
      const columns = new Int32Array(2 * layout.words)
      for (let word = 0; word < layout.words; word++) {
        print.clear()
        for (let row = 0; row < count; row++) {
          const at = 2 * (row * layout.words + word)
          const address = (addresses[2 * row] + Math.imul(word, wordStep)) | 0
          print.replace(address, addresses[2 * row + 1], 0, 0, words[at], words[at + 1])
        }
        columns[2 * word] = print.low
        columns[2 * word + 1] = print.high
      }
      return columns
    })
  }

  /** READ of a row of the reference alone into `out`: 2 × words halves. */
  readRow(table: number, row: number, out: Int32Array): void {
    const { layout, words } = this.tables[table]
    const stride = 2 * layout.words
    for (let i = 0; i < stride; i++) out[i] = words[row * stride + i]
  }

  /** The largest stamp in the first `words[t]` words of each row of table t. */
  latestOf(words: readonly number[]): StampMark {
    const latest = new StampMark()
    for (const [t, stamps] of this.#stamps.entries())
      for (let word = 0; word < (words[t] ?? 0) && 2 * word < stamps.length; word++)
        latest.raise(StampMark.of(stamps[2 * word], stamps[2 * word + 1]))
    return latest
  }

  #seeStamps({ tables }: Delta): void {
    for (let t = 0; t < tables.length; t++) {
      const { layout, words, count } = tables[t]
      if (count === 0) continue
      for (let word = 0; word < layout.words; word += layout.groups[word]) {
        if (layout.kinds[word] !== WordKind.stamp) continue
        for (let at = 2 * word, slot = 0; slot < count; slot++, at += 2 * layout.words)
          this.#seeStamp(t, word, words[at], words[at + 1])
      }
    }
  }

  #seeStamp(t: number, word: number, low: number, high: number): void {
    if (t >= this.#stamps.length || 2 * word >= this.#stamps[t].length) this.#widenStamps()
    const stamps = this.#stamps[t]
    if (!isLess(stamps[2 * word], stamps[2 * word + 1], low, high)) return
    stamps[2 * word] = low
    stamps[2 * word + 1] = high
    const { latest } = this
    if (!isLess(latest.low, latest.high, low, high)) return
    latest.low = low
    latest.high = high
  }

  #widenStamps(): void {
    for (const [t, { layout }] of this.#tables.entries()) {
      const stamps = new Int32Array(2 * layout.words)
      stamps.set(this.#stamps[t] ?? [])
      this.#stamps[t] = stamps
    }
  }

  /** ACCUM: folds a delta whose rows exist. */
  accum(delta: Delta): void {
    this.#seeStamps(delta)
    for (let t = 0; t < this.tables.length; t++) {
      const from = delta.tables[t]
      if (from.count === 0) continue
      const stride = 2 * from.layout.words
      const { words } = this.tables[t]
      for (let slot = 0; slot < from.count; slot++) {
        const row = from.rows[slot]
        this.#keep(t, row)
        foldRow(from.layout, words, row * stride, from.words, slot * stride)
        this.#account(t, row)
      }
    }
  }

  /** The digest of one group at its place, as `digestDelta` gives it of a delta that is nothing else; it begins at `at` in `words`. */
  digestGroup(t: number, row: number, word: number, words: Int32Array, at: number, into: Fingerprint): void {
    const { layout, addresses } = this.#tables[t]
    const low = (addresses[2 * row] + Math.imul(word, wordStep)) | 0
    into.sum(low, addresses[2 * row + 1], wordStep, words, at, at + 2 * layout.groups[word])
  }

  /** True when groups can be folded in one by one: nobody asks for the fingerprint of a part. */
  get takesGroups(): boolean {
    return this.#columns === undefined
  }

  /**
   * ACCUM of one group of one row, which begins at `from` in `halves` and has this digest: the same as `accum` of a delta that is
   * nothing else.
   */
  accumGroup(
    t: number,
    row: number,
    word: number,
    halves: Int32Array,
    from: number,
    digestLow: number,
    digestHigh: number,
  ): void {
    const table = this.#tables[t]
    const { layout, addresses, words } = table
    const group = layout.groups[word]
    const kind = layout.kinds[word]
    const at = 2 * (row * layout.words + word)
    const low = (addresses[2 * row] + Math.imul(word, wordStep)) | 0
    const high = addresses[2 * row + 1]
    const before = this.#group
    before.sum(low, high, wordStep, words, at, at + 2 * group)
    const { low: lowBefore, high: highBefore } = before
    foldGroup(kind, group, words, at, halves, from)
    if (kind === WordKind.stamp) {
      this.#seeStamp(t, word, halves[from], halves[from + 1])
      // It stands now, whole, or nothing has changed.
      if (words[at] === halves[from] && isSame(words, at, halves, from, 2 * group))
        this.fingerprint.move(lowBefore, highBefore, digestLow, digestHigh)
      else this.#resum(low, high, words, at, group, lowBefore, highBefore)
    } else this.#resum(low, high, words, at, group, lowBefore, highBefore)
  }

  #resum(
    low: number,
    high: number,
    words: Int32Array,
    at: number,
    group: number,
    lowBefore: number,
    highBefore: number,
  ): void {
    const after = this.#group
    after.sum(low, high, wordStep, words, at, at + 2 * group)
    this.fingerprint.move(lowBefore, highBefore, after.low, after.high)
  }

  /** LOAD, row by row: the delta's rows become exactly its words. */
  load(delta: Delta): void {
    this.#seeStamps(delta)
    for (let t = 0; t < this.tables.length; t++) {
      const from = delta.tables[t]
      const stride = 2 * from.layout.words
      for (let slot = 0; slot < from.count; slot++) {
        const row = from.rows[slot]
        this.#keep(t, row)
        const to = this.tables[t].words
        for (let i = 0; i < stride; i++) to[row * stride + i] = from.words[slot * stride + i]
        this.#account(t, row)
      }
    }
  }

  /** Sets every word to 0; rows and keys stay. */
  clear(): void {
    for (const table of this.tables) table.words.fill(0)
    this.fingerprint.clear()
    this.latest.set(noStamp)
    this.#stamps.length = 0
    this.#columns = undefined
  }

  /** Bytes of all words and addresses, about. */
  get bytes(): number {
    let bytes = 0
    for (const { count, layout } of this.tables) bytes += count * (8 * layout.words + 8)
    return bytes
  }

  /** The fingerprint as 16 hexadecimal digits. */
  digest(): string {
    return formatHalves(this.fingerprint.low, this.fingerprint.high)
  }

  #keep(t: number, row: number): void {
    const stride = 2 * this.tables[t].layout.words
    if (this.#before.length < stride) this.#before = new Int32Array(stride)
    const words = this.tables[t].words
    for (let i = 0; i < stride; i++) this.#before[i] = words[row * stride + i]
  }

  #account(t: number, row: number): void {
    const table = this.tables[t]
    const { words, addresses } = table
    const before = this.#before
    const stride = 2 * table.layout.words
    const at = row * stride
    const low = addresses[2 * row]
    const high = addresses[2 * row + 1]
    const columns = this.#columns?.[t]
    const { fingerprint } = this
    for (let i = 0; i < stride; i += 2) {
      if (before[i] === words[at + i] && before[i + 1] === words[at + i + 1]) continue
      // Beyond 32 bits it would be an object; the mixer takes it modulo 2³² anyway.
      const address = (low + Math.imul(i >> 1, wordStep)) | 0
      const { low: lowBefore, high: highBefore } = fingerprint
      fingerprint.replace(address, high, before[i], before[i + 1], words[at + i], words[at + i + 1])
      if (columns === undefined) continue
      const lowMoved = (fingerprint.low - lowBefore) >>> 0
      const borrow = fingerprint.low >>> 0 < lowBefore >>> 0 ? 1 : 0
      const lowSum = (columns[i] >>> 0) + lowMoved
      columns[i + 1] += fingerprint.high - highBefore - borrow + (lowSum >= 2 ** 32 ? 1 : 0)
      columns[i] = lowSum
    }
  }
}

function isLess(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  return aHigh === bHigh ? aLow >>> 0 < bLow >>> 0 : aHigh >>> 0 < bHigh >>> 0
}

function isSame(a: Int32Array, aAt: number, b: Int32Array, bAt: number, halves: number): boolean {
  for (let half = 0; half < halves; half++) if (a[aAt + half] !== b[bAt + half]) return false
  return true
}

/** Where the rows of a table live: two halves a row, for the first `count` rows. */
export interface RowAddresses {
  readonly addresses: Int32Array
  readonly count: number
}

/** The same for a row that is not there yet. */
export type FreshAddress = (table: number, row: number) => { readonly low: number; readonly high: number }

/** The digest of a delta: the fingerprint of its words at their addresses. What labels chain over. */
export function digestDelta(
  delta: Delta,
  tables: readonly RowAddresses[],
  into: Fingerprint,
  fresh?: FreshAddress,
): void {
  into.clear()
  for (let t = 0; t < delta.tables.length; t++) {
    const { rows, words, count, layout } = delta.tables[t]
    if (count === 0) continue
    const stride = 2 * layout.words
    // A client may know tables that a hub does not store: all their rows are new.
    const known = tables[t]?.count ?? 0
    for (let slot = 0; slot < count; slot++) {
      const row = rows[slot]
      let low: number
      let high: number
      if (row < known) {
        low = tables[t].addresses[2 * row]
        high = tables[t].addresses[2 * row + 1]
      } else {
        assert(fresh !== undefined, 'a row of a delta has an address')
        const address = fresh(t, row)
        low = address.low
        high = address.high
      }
      for (let i = 0; i < stride; i += 2) {
        const at = slot * stride + i
        if ((words[at] | words[at + 1]) !== 0)
          into.replace((low + Math.imul(i >> 1, wordStep)) | 0, high, 0, 0, words[at], words[at + 1])
      }
    }
  }
}

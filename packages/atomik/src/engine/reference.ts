/**
 * The reference: rows of words in flat arrays, by table, with their keys and a running fingerprint. A replica keeps in
 * it what is confirmed, a hub all it has accepted.
 *
 * Invariants: row indices are dense and never reused; the fingerprint is that of the words, always.
 */
import { type Delta, Fingerprint, foldRow, formatHalves, Mixer, type RowLayout } from '../algebra/index.ts'
import { encodeUtf8, StampMark } from '../wire/index.ts'

export class ReferenceTable {
  readonly layout: RowLayout
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
}

/** The address of word `word` of a row at (low, high) is (low + word × this, high). */
const wordStep = 0x9e37_79b1

const noStamp = new StampMark()

export class Reference {
  readonly tables: readonly ReferenceTable[]
  readonly fingerprint = new Fingerprint()
  /** The largest stamp in any register: what the next log entry's stamps are coded against. */
  readonly latest = new StampMark()
  /** Words before a row changes, to tell the fingerprint. */
  #before = new Int32Array(16)

  constructor(layouts: readonly RowLayout[]) {
    this.tables = layouts.map((layout, index) => new ReferenceTable(layout, index))
  }

  /** ACCUM: folds a delta whose rows exist. */
  accum(delta: Delta): void {
    this.latest.see(delta)
    for (let t = 0; t < this.tables.length; t++) {
      const from = delta.tables[t]
      const stride = 2 * from.layout.words
      for (let slot = 0; slot < from.count; slot++) {
        const row = from.rows[slot]
        this.#keep(t, row)
        foldRow(from.layout, this.tables[t].words, row * stride, from.words, slot * stride)
        this.#account(t, row)
      }
    }
  }

  /** LOAD, row by row: the delta's rows become exactly its words. */
  load(delta: Delta): void {
    this.latest.see(delta)
    for (let t = 0; t < this.tables.length; t++) {
      const from = delta.tables[t]
      const stride = 2 * from.layout.words
      for (let slot = 0; slot < from.count; slot++) {
        const row = from.rows[slot]
        this.#keep(t, row)
        this.tables[t].words.set(from.words.subarray(slot * stride, (slot + 1) * stride), row * stride)
        this.#account(t, row)
      }
    }
  }

  /** Sets every word to 0; rows and keys stay. */
  clear(): void {
    for (const table of this.tables) table.words.fill(0)
    this.fingerprint.clear()
    this.latest.set(noStamp)
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
    for (let i = 0; i < stride; i += 2) {
      if (before[i] === words[at + i] && before[i + 1] === words[at + i + 1]) continue
      const address = low + Math.imul(i >> 1, wordStep)
      this.fingerprint.replace(address, high, before[i], before[i + 1], words[at + i], words[at + i + 1])
    }
  }
}

/** Where rows of a delta live, by table and row: halves of the row's address. */
export type AddressOf = (table: number, row: number) => { readonly low: number; readonly high: number }

/** The digest of a delta: the fingerprint of its words at their addresses. What labels chain over. */
export function digestDelta(delta: Delta, addressOf: AddressOf, into: Fingerprint): void {
  into.clear()
  for (let t = 0; t < delta.tables.length; t++) {
    const table = delta.tables[t]
    const stride = 2 * table.layout.words
    for (let slot = 0; slot < table.count; slot++) {
      const { low, high } = addressOf(t, table.rows[slot])
      for (let i = 0; i < stride; i += 2)
        into.replace(
          low + Math.imul(i >> 1, wordStep),
          high,
          0,
          0,
          table.words[slot * stride + i],
          table.words[slot * stride + i + 1],
        )
    }
  }
}

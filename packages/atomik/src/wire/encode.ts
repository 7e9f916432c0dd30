/**
 * Writes deltas. Canonical: under one naming of rows, equal deltas have equal bytes (spec/wire.md §3; the grammar is drawn in
 * delta.ts). Keeps its memory: writing deltas of known rows allocates nothing once it is warm.
 */
import { type Delta, type RowLayout, type TableDelta, WordKind } from '../algebra/index.ts'
import { limits } from '../limits.ts'
import { nearPlaces, pairPlace, type RowNames } from './delta.ts'
import { countBits, isFull, Shape } from './shape.ts'
import { encodeStamp, type Stamp, StampMark } from './stamp.ts'
import { compareBytes, encodeUtf8 } from './utf8.ts'
import type { Writer } from './writer.ts'

const byNumber = (a: KeyedRow, b: KeyedRow) => a.number - b.number
const byKey = (a: KeyedRow, b: KeyedRow) => compareBytes(a.key, b.key)

interface KeyedRow {
  readonly slot: number
  readonly number: number
  readonly key: Uint8Array
}

/** Appends a delta with an encoder of its own. For many deltas keep a `DeltaEncoder`. */
export function encodeDelta(writer: Writer, delta: Delta, names: RowNames, base: Stamp): void {
  new DeltaEncoder().encode(writer, delta, names, base)
}

export class DeltaEncoder {
  /** Rows of one table known by number: number × rowsMax + slot, ascending once sorted. */
  #known = new Float64Array(8)
  readonly #keyed: KeyedRow[] = []
  #shape = new Shape()
  #next = new Shape()
  readonly #stamp = new StampMark()

  /**
   * Appends a delta. A group whose first word is 0 is not there, nor is a row without groups.
   * @param base what its first stamp is coded against; the decoder needs the same
   */
  encode(w: Writer, delta: Delta, names: RowNames, base: Stamp): void {
    this.#stamp.set(base)
    if (this.#point(w, delta, names)) return
    w.varint(0)
    let tables = 0
    for (let t = 0; t < delta.tables.length; t++) if (hasGroups(delta.tables[t])) tables++
    w.varint(tables)
    let before = -1
    for (let index = 0; index < delta.tables.length; index++) {
      if (!hasGroups(delta.tables[index])) continue
      this.#table(w, delta.tables[index], index, index - before - 1, names)
      before = index
    }
  }

  /** Writes the short form of a delta that is one group of one known row; false for any other. */
  #point(w: Writer, delta: Delta, names: RowNames): boolean {
    let index = -1
    let slot = -1
    let word = -1
    for (let t = 0; t < delta.tables.length; t++) {
      const { layout, words, count } = delta.tables[t]
      for (let s = 0; s < count; s++)
        for (let g = 0; g < layout.words; g += layout.groups[g]) {
          const at = 2 * (s * layout.words + g)
          if ((words[at] | words[at + 1]) === 0) continue
          if (index >= 0) return false
          index = t
          slot = s
          word = g
        }
    }
    if (index < 0) return false
    const { layout, words, rows } = delta.tables[index]
    const number = names.numberOf(index, rows[slot])
    if (number < 0 || number >= names.knownRows(index)) return false
    writePoint(w, index, number, word, layout, words, 2 * (slot * layout.words + word), this.#stamp)
    return true
  }

  #table(w: Writer, table: TableDelta, index: number, gap: number, names: RowNames): void {
    const known = names.knownRows(index)
    if (this.#known.length < table.count) this.#known = new Float64Array(2 * table.count)
    let count = 0
    let isSorted = true
    let isNumbered = false
    for (let slot = 0; slot < table.count; slot++) {
      if (!rowHasGroups(table, slot)) continue
      const number = names.numberOf(index, table.rows[slot])
      if (number >= 0 && number < known) {
        const order = number * limits.rowsMax + slot
        if (count > 0 && order < this.#known[count - 1]) isSorted = false
        this.#known[count++] = order
      } else {
        isNumbered = number >= 0
        this.#keyed.push({ slot, number, key: encodeUtf8(names.keyOf(index, table.rows[slot])) })
      }
    }
    if (!isSorted) this.#known.subarray(0, count).sort()
    const keyed = this.#keyed
    if (keyed.length > 1) keyed.sort(isNumbered ? byNumber : byKey)
    w.varint(4 * gap + (keyed.length === 0 ? 0 : count === 0 ? 1 : 2))
    if (count > 0) this.#knownBlocks(w, table, count)
    if (keyed.length > 0) this.#keyedBlocks(w, table)
    this.#keyed.length = 0
  }

  #knownBlocks(w: Writer, table: TableDelta, count: number): void {
    const { layout, words } = table
    const stride = 2 * layout.words
    const known = this.#known
    let numberBefore = -1
    let isFirst = true
    this.#next.take(layout, words, (known[0] % limits.rowsMax) * stride)
    for (let start = 0; start < count; ) {
      const isSame = !isFirst && this.#next.equals(this.#shape)
      this.#swap()
      const number = Math.floor(known[start] / limits.rowsMax)
      let end = start + 1
      for (; end < count; end++) {
        const isNext = Math.floor(known[end] / limits.rowsMax) === number + end - start
        this.#next.take(layout, words, (known[end] % limits.rowsMax) * stride)
        if (!isNext || !this.#next.equals(this.#shape)) break
      }
      const rows = end - start
      w.varint(
        8 * (number - numberBefore - 1) + (end === count ? 4 : 0) + (isSame ? 2 : 0) + (rows > 1 ? 1 : 0),
      )
      if (rows > 1) w.varint(rows - 2)
      if (!isSame) this.#writeShape(w, layout)
      for (let i = start; i < end; i++) known[i] %= limits.rowsMax
      this.#content(w, table, known, start, end)
      numberBefore = number + rows - 1
      isFirst = false
      start = end
    }
  }

  #keyedBlocks(w: Writer, table: TableDelta): void {
    const { layout, words } = table
    const stride = 2 * layout.words
    const keyed = this.#keyed
    const slots = keyed.map(({ slot }) => slot)
    this.#next.take(layout, words, slots[0] * stride)
    for (let start = 0; start < slots.length; ) {
      this.#swap()
      let end = start + 1
      for (; end < slots.length; end++) {
        this.#next.take(layout, words, slots[end] * stride)
        if (!this.#next.equals(this.#shape)) break
      }
      const rows = end - start
      w.varint((end === slots.length ? 2 : 0) + (rows > 1 ? 1 : 0))
      if (rows > 1) w.varint(rows - 2)
      this.#writeShape(w, layout)
      for (let i = start; i < end; i++) {
        w.varint(keyed[i].key.length)
        w.bytes(keyed[i].key)
      }
      this.#content(w, table, slots, start, end)
      start = end
    }
  }

  #swap(): void {
    const shape = this.#shape
    this.#shape = this.#next
    this.#next = shape
  }

  /** Runs of groups that are there, counted in groups. */
  #writeShape(w: Writer, layout: RowLayout): void {
    const { words, count, isSparse } = this.#shape
    let runs = 0
    for (let i = 0; i < count; i++) if (i === 0 || !isNextGroup(layout, words, i)) runs++
    w.varint(2 * runs + (isSparse ? 1 : 0))
    let place = 0
    for (let start = 0; start < count; ) {
      let end = start + 1
      while (end < count && isNextGroup(layout, words, end)) end++
      let gap = 0
      for (; place < words[start]; place += layout.groups[place]) gap++
      w.varint(2 * gap + (end - start > 1 ? 1 : 0))
      if (end - start > 1) w.varint(end - start - 2)
      place = words[end - 1] + layout.groups[words[end - 1]]
      start = end
    }
  }

  /** What rows of one shape hold: their stamps, their listed bits, then their words, place by place. */
  #content(
    w: Writer,
    { layout, words }: TableDelta,
    slots: ArrayLike<number>,
    start: number,
    end: number,
  ): void {
    const stride = 2 * layout.words
    const { words: places, count, isSparse } = this.#shape
    for (let i = start; i < end; i++)
      for (let p = 0; p < count; p++)
        if (layout.kinds[places[p]] === WordKind.stamp) {
          const at = slots[i] * stride + 2 * places[p]
          encodeStamp(w, words[at], words[at + 1], this.#stamp)
        }
    if (isSparse) for (let i = start; i < end; i++) writeBits(w, layout, words, slots[i] * stride)
    w.beginSpans()
    for (let p = 0; p < count; p++) {
      const first = layout.kinds[places[p]] === WordKind.stamp ? places[p] + 1 : places[p]
      const last = places[p] + layout.groups[places[p]]
      for (let v = first; v < last; v++) {
        const isAdd = layout.kinds[v] === WordKind.add
        for (let i = start; i < end; i++) {
          const at = slots[i] * stride + 2 * v
          if (isAdd) w.span(zigzagLow(words[at], words[at + 1]), zigzagHigh(words[at], words[at + 1]))
          else w.span(words[at], words[at + 1])
        }
      }
    }
  }
}

/**
 * Writes the short form of a delta that is one group of one known row: its first word is not 0, and is at `at` in `words`.
 * @param base what its stamp is coded against; it becomes that stamp
 */
export function writePoint(
  w: Writer,
  table: number,
  number: number,
  word: number,
  { kinds, groups }: RowLayout,
  words: Int32Array,
  at: number,
  base: StampMark,
): void {
  const kind = kinds[word]
  const isStamp = kind === WordKind.stamp
  const isAdd = kind === WordKind.add
  const first = isStamp ? at + 2 : at
  const end = at + 2 * groups[word]
  let full = 1
  for (let i = first; i < end; i += 2) {
    const low = words[i]
    const high = words[i + 1]
    if (!isFull(isAdd ? zigzagLow(low, high) : low, isAdd ? zigzagHigh(low, high) : high)) full = 0
  }
  const near = table === 0 && word > 0 && word <= nearPlaces ? word - 1 : nearPlaces
  w.varint(1 + 2 * ((nearPlaces + 1) * number + near) + full)
  if (near === nearPlaces) w.varint(pairPlace(table, word))
  if (isStamp) encodeStamp(w, words[at], words[at + 1], base)
  if (full === 0) w.beginSpans()
  for (let i = first; i < end; i += 2) {
    const low = words[i]
    const high = words[i + 1]
    const codeLow = isAdd ? zigzagLow(low, high) : low
    const codeHigh = isAdd ? zigzagHigh(low, high) : high
    if (full === 1) w.u64(codeLow, codeHigh)
    else w.span(codeLow, codeHigh)
  }
}

function rowHasGroups({ layout, words }: TableDelta, slot: number): boolean {
  const at = 2 * slot * layout.words
  for (let g = 0; g < layout.words; g += layout.groups[g])
    if ((words[at + 2 * g] | words[at + 2 * g + 1]) !== 0) return true
  return false
}

function hasGroups(table: TableDelta): boolean {
  for (let slot = 0; slot < table.count; slot++) if (rowHasGroups(table, slot)) return true
  return false
}

/** True when entry i of a shape is the group after that of entry i − 1. */
function isNextGroup(layout: RowLayout, words: Int32Array, i: number): boolean {
  return words[i] === words[i - 1] + layout.groups[words[i - 1]]
}

/** The bits of a sparse row: their number, then each by its distance from the one before. */
function writeBits(w: Writer, layout: RowLayout, words: Int32Array, at: number): void {
  let bits = 0
  for (let v = 0; v < layout.words; v++)
    if (layout.kinds[v] === WordKind.xor)
      bits += countBits(words[at + 2 * v]) + countBits(words[at + 2 * v + 1])
  w.varint(bits)
  let next = 0
  for (let v = 0; v < layout.words; v++) {
    if (layout.kinds[v] !== WordKind.xor) continue
    for (let half = 0; half < 2; half++)
      for (let rest = words[at + 2 * v + half]; rest !== 0; rest &= rest - 1) {
        const bit = 64 * v + 32 * half + 31 - Math.clz32(rest & -rest)
        w.varint(bit - next)
        next = bit + 1
      }
  }
}

/** Halves of z(v) for a sum v: small sums of either sign are small words. */
function zigzagLow(low: number, high: number): number {
  return (low << 1) ^ (high >> 31)
}

function zigzagHigh(low: number, high: number): number {
  return ((high << 1) | (low >>> 31)) ^ (high >> 31)
}

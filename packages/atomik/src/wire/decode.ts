/**
 * Reads deltas, and nothing but what the encoder writes. A decoder keeps no state between deltas but memory; the delta it
 * fills can be reused, and then reading deltas of known rows allocates nothing once it is warm (spec/wire.md §3).
 */
import { Delta, fitsBits, type RowLayout, type TableDelta, WordKind } from '../algebra/index.ts'
import { limits } from '../limits.ts'
import { type DecodedDelta, type NamedRow, nearPlaces, pairPlace, type RowDirectory } from './delta.ts'
import type { Reader } from './reader.ts'
import { fewBits, isFull, Shape, sparseBitsMax } from './shape.ts'
import { decodeStamp, type Stamp, StampMark } from './stamp.ts'
import { compareBytes, decodeUtf8 } from './utf8.ts'

/**
 * Reads one delta with a decoder of its own. For many deltas keep a `DeltaDecoder`.
 * @throws AtomikError `truncated`, `malformed`, `oversized`, `range`, `width`, with the offset
 */
export function decodeDelta(
  reader: Reader,
  layouts: readonly RowLayout[],
  directory: RowDirectory,
  base: Stamp,
): DecodedDelta {
  return new DeltaDecoder(layouts).decode(reader, directory, base)
}

/** Bits of a place: 0 to nearPlaces. */
const nearPlacesBits = 2

export class DeltaDecoder {
  readonly #layouts: readonly RowLayout[]
  readonly #stamp = new StampMark()
  #shape = new Shape()
  #before = new Shape()
  #named: NamedRow[] = []
  /** Words in the rows of this delta, groups in it, and whether a row of it came with its key. */
  #wordCount = 0
  #groupCount = 0
  #hasKeys = false
  /** What was returned last. */
  #decoded: DecodedDelta | undefined

  constructor(layouts: readonly RowLayout[]) {
    this.#layouts = layouts
  }

  /**
   * Reads a delta. Touches neither the directory nor any state: on an error nothing has happened.
   * @param base what the first stamp is coded against
   * @param into a delta of the same layouts to reuse; what it held is lost
   * @throws AtomikError `truncated`, `malformed`, `oversized`, `range`, `width`, with the offset
   */
  decode(r: Reader, directory: RowDirectory, base: Stamp, into = new Delta(this.#layouts)): DecodedDelta {
    into.clear()
    // The caller may still hold the last list; an empty one serves again.
    if (this.#named.length > 0) this.#named = []
    this.#stamp.set(base)
    this.#wordCount = 0
    this.#groupCount = 0
    this.#hasKeys = false
    const start = r.position
    const head = r.varint(Number.MAX_SAFE_INTEGER, 'head of a delta')
    if (head > 0) {
      this.#point(r, directory, into, head - 1, start)
    } else {
      const tables = r.varint(this.#layouts.length, 'tables in a delta')
      let index = -1
      for (let t = 0; t < tables; t++) {
        const place = r.varint(4 * limits.tablesMax, 'table index')
        const sections = place % 4
        index += 1 + (place - sections) / 4
        if (index >= this.#layouts.length)
          r.fail('range', `table ${index} of ${this.#layouts.length}`, r.position - 1)
        if (sections > 2) r.fail('malformed', 'sections of a table', r.position - 1)
        if (sections !== 1) this.#knownBlocks(r, directory, into, index)
        if (sections !== 0) this.#keyedBlocks(r, directory, into, index)
      }
      if (this.#groupCount === 1 && !this.#hasKeys)
        r.fail('malformed', 'one group of one known row in the long form', start)
    }
    if (this.#decoded?.delta !== into || this.#decoded.named !== this.#named)
      this.#decoded = { delta: into, named: this.#named }
    return this.#decoded
  }

  /** One group of one known row. */
  #point(r: Reader, directory: RowDirectory, into: Delta, code: number, start: number): void {
    const full = code % 2
    // Shifts where they reach: a quotient or remainder of fractions is slow, and an object on its way.
    const isShort = code < 2 ** 31
    const near = isShort ? (code >> 1) & nearPlaces : Math.floor(code / 2) % (nearPlaces + 1)
    const number = isShort ? code >> (1 + nearPlacesBits) : Math.floor(code / 2 ** (1 + nearPlacesBits))
    let index = 0
    let word = near + 1
    if (near === nearPlaces) {
      // Pairs s (s + 1) / 2 to s (s + 3) / 2 are those whose table and word add up to s.
      const pair = r.varint(pairPlace(0, limits.tablesMax + limits.rowWordsMax), 'place of a point')
      const sum = Math.floor((Math.sqrt(8 * pair + 1) - 1) / 2)
      word = pair - (sum * (sum + 1)) / 2
      index = sum - word
      if (index === 0 && word > 0 && word <= nearPlaces)
        r.fail('malformed', 'a place spelt out that needs no words', start)
    }
    const table = into.tables[index]
    if (table === undefined || word >= table.layout.words)
      r.fail('range', `word ${word} of table ${index} is not in the schema`, start)
    const { layout } = table
    if (layout.kinds[word] === WordKind.value) r.fail('malformed', `word ${word} begins no group`, start)
    const at = this.#known(r, directory, table, index, number, 1, start)
    const { words } = table
    const isStamp = layout.kinds[word] === WordKind.stamp
    if (isStamp) {
      decodeStamp(r, this.#stamp)
      words[at + 2 * word] = r.low
      words[at + 2 * word + 1] = r.high
    }
    const first = isStamp ? word + 1 : word
    const end = word + layout.groups[word]
    const valuesAt = r.position
    let isAllFull = true
    if (full === 0) r.beginSpans()
    for (let v = first; v < end; v++) {
      const wordAt = r.position
      if (full === 1) r.u64()
      else r.span()
      if (!isFull(r.low, r.high)) isAllFull = false
      this.#store(r, table, at, v, wordAt)
    }
    if (full === 0) r.endSpans()
    if (isAllFull !== (full === 1)) r.fail('malformed', 'words in the form that does not fit them', valuesAt)
    this.#groupCount = 1
  }

  #knownBlocks(r: Reader, directory: RowDirectory, into: Delta, index: number): void {
    const table = into.tables[index]
    let number = 0
    for (let last = false, isFirst = true; !last; isFirst = false) {
      const start = r.position
      const head = r.varint(8 * limits.rowsMax + 7, 'row number')
      const gap = Math.floor(head / 8)
      last = (head & 4) !== 0
      const isSame = (head & 2) !== 0
      const rows = (head & 1) === 0 ? 1 : 2 + r.varint(limits.rowsMax - 2, 'rows in a table')
      number += gap
      if (isSame) {
        if (isFirst || gap === 0) r.fail('malformed', 'rows that belong to the block before', start)
      } else {
        this.#readShape(r, table.layout)
        if (!isFirst && this.#shape.equals(this.#before)) r.fail('malformed', 'the same shape twice', start)
      }
      const at = this.#known(r, directory, table, index, number, rows, start)
      this.#content(r, table, at, rows)
      number += rows
    }
  }

  /** Opens rows known by number, from this one on. Returns where the words of the first begin. */
  #known(
    r: Reader,
    directory: RowDirectory,
    table: TableDelta,
    index: number,
    number: number,
    rows: number,
    start: number,
  ): number {
    const known = directory.knownRows(index)
    if (number + rows > known)
      r.fail('range', `row number ${number + rows - 1} is not known here, ${known} would be next`, start)
    this.#reserve(r, table, rows, start)
    const at = table.count * 2 * table.layout.words
    for (let i = 0; i < rows; i++) {
      const row = directory.rowNumbered(index, number + i)
      if (row < 0) r.fail('range', `row number ${number + i} is not known here`, start)
      table.append(row)
    }
    return at
  }

  #keyedBlocks(r: Reader, directory: RowDirectory, into: Delta, index: number): void {
    const table = into.tables[index]
    const { layout } = table
    const created = new Set<string>()
    let keyBefore: Uint8Array | undefined
    this.#hasKeys = true
    for (let last = false, isFirst = true; !last; isFirst = false) {
      const start = r.position
      const head = r.varint(3, 'head of rows by key')
      last = (head & 2) !== 0
      const rows = (head & 1) === 0 ? 1 : 2 + r.varint(limits.rowsMax - 2, 'rows in a table')
      this.#readShape(r, layout)
      if (!isFirst && this.#shape.equals(this.#before)) r.fail('malformed', 'the same shape twice', start)
      this.#reserve(r, table, rows, start)
      const at = table.count * 2 * layout.words
      for (let i = 0; i < rows; i++) {
        const keyAt = r.position
        const bytes = readKeyBytes(r)
        if (directory.hasLiterals) {
          if (keyBefore !== undefined && compareBytes(keyBefore, bytes) >= 0)
            r.fail('malformed', 'row keys out of order', keyAt)
          keyBefore = bytes
        }
        const key = decodeUtf8(bytes)
        if (key === undefined) r.fail('malformed', 'a row key that is not UTF-8', keyAt)
        const existing = directory.rowNamed(index, key)
        const isNew = existing < 0
        const row = isNew ? directory.rowCount(index) + created.size : existing
        if (row >= limits.rowsMax) r.fail('oversized', `more than ${limits.rowsMax} rows in a table`, keyAt)
        if (created.has(key) || table.find(row) >= 0) r.fail('malformed', 'one row twice in a delta', keyAt)
        if (!isNew && !directory.hasLiterals && directory.hasNumber(index, row))
          r.fail('malformed', 'a second number for one row', keyAt)
        if (isNew) created.add(key)
        this.#named.push({ table: index, key, row, isNew })
        table.append(row)
      }
      this.#content(r, table, at, rows)
    }
  }

  /** Refuses rows for which there cannot be bytes, or that would need more memory than a delta may. */
  #reserve(r: Reader, { layout }: TableDelta, rows: number, start: number): void {
    this.#wordCount += rows * layout.words
    if (this.#wordCount > limits.deltaWordsMax)
      r.fail('oversized', `a delta of more than ${limits.deltaWordsMax} words`, start)
    if (rows > r.remaining)
      r.fail('truncated', `expected ${rows} rows in ${r.remaining} bytes`, r.position + r.remaining)
  }

  /** The next shape; the one before stays for comparison. */
  #readShape(r: Reader, layout: RowLayout): void {
    const shape = this.#before
    this.#before = this.#shape
    this.#shape = shape
    shape.clear()
    const start = r.position
    const head = r.varint(2 * limits.rowWordsMax + 1, 'runs in a row')
    shape.isSparse = (head & 1) === 1
    let word = 0
    for (let run = 0; run < head >> 1; run++) {
      const runAt = r.position
      const code = r.varint(2 * limits.rowWordsMax + 1, 'gap between runs')
      if (run > 0 && code >> 1 === 0) r.fail('malformed', 'two runs that touch', runAt)
      for (let gap = code >> 1; gap > 0 && word < layout.words; gap--) word += layout.groups[word]
      const length = (code & 1) === 0 ? 1 : 2 + r.varint(limits.rowWordsMax - 2, 'groups in a run')
      for (let i = 0; i < length; i++) {
        if (word >= layout.words) r.fail('range', `a run beyond a row of ${layout.words} words`, runAt)
        if (shape.isSparse && layout.kinds[word] === WordKind.xor)
          r.fail('malformed', 'a word of a sparse row in its shape', runAt)
        shape.push(word)
        word += layout.groups[word]
      }
    }
    if (shape.count === 0 && !shape.isSparse) r.fail('malformed', 'a row without groups', start)
  }

  #content(r: Reader, table: TableDelta, at: number, rows: number): void {
    const { layout, words } = table
    const stride = 2 * layout.words
    const { words: places, count, isSparse } = this.#shape
    const start = r.position
    let xorWords = 0
    for (let p = 0; p < count; p++) if (layout.kinds[places[p]] === WordKind.xor) xorWords++
    this.#groupCount += rows * (count + (isSparse ? 2 : 0))
    for (let i = 0; i < rows; i++)
      for (let p = 0; p < count; p++)
        if (layout.kinds[places[p]] === WordKind.stamp) {
          decodeStamp(r, this.#stamp)
          words[at + i * stride + 2 * places[p]] = r.low
          words[at + i * stride + 2 * places[p] + 1] = r.high
        }
    if (isSparse) for (let i = 0; i < rows; i++) readBits(r, layout, words, at + i * stride)
    r.beginSpans()
    for (let p = 0; p < count; p++) {
      const first = layout.kinds[places[p]] === WordKind.stamp ? places[p] + 1 : places[p]
      const end = places[p] + layout.groups[places[p]]
      for (let v = first; v < end; v++)
        for (let i = 0; i < rows; i++) {
          const wordAt = r.position
          r.span()
          this.#store(r, table, at + i * stride, v, wordAt)
        }
    }
    r.endSpans()
    if (xorWords >= 2)
      for (let i = 0; i < rows; i++)
        if (fewBits(this.#shape, layout, words, at + i * stride, xorWords))
          r.fail('malformed', 'few bits that are not listed', start)
  }

  /** Puts the word just read where it belongs, decoded by its kind. */
  #store(r: Reader, { layout, words }: TableDelta, at: number, word: number, start: number): void {
    let { low, high } = r
    const kind = layout.kinds[word]
    if (kind !== WordKind.value && (low | high) === 0) r.fail('malformed', 'a zero word', start)
    if (kind === WordKind.add) {
      const sign = -(low & 1)
      low = ((low >>> 1) | (high << 31)) ^ sign
      high = (high >>> 1) ^ sign
    }
    if (!fitsBits(low, high, layout.bits[word]))
      r.fail('width', `word ${word} is wider than its ${layout.bits[word]} bits`, start)
    words[at + 2 * word] = low
    words[at + 2 * word + 1] = high
  }
}

/** The listed bits of a sparse row. */
function readBits(r: Reader, layout: RowLayout, words: Int32Array, at: number): void {
  const start = r.position
  const bits = r.varint(64 * limits.rowWordsMax, 'bits in a row')
  let next = 0
  let before = -1
  let xorWords = 0
  for (let b = 0; b < bits; b++) {
    const bitAt = r.position
    const bit = next + r.varint(64 * limits.rowWordsMax, 'gap between bits')
    const word = Math.floor(bit / 64)
    if (word >= layout.words || layout.kinds[word] !== WordKind.xor)
      r.fail('range', `bit ${bit} is no toggle of this row`, bitAt)
    if (bit % 64 >= layout.bits[word])
      r.fail('width', `word ${word} is wider than its ${layout.bits[word]} bits`, bitAt)
    words[at + (bit >>> 5)] |= 1 << (bit & 31)
    if (word !== before) xorWords++
    before = word
    next = bit + 1
  }
  if (xorWords < 2 || bits > sparseBitsMax * xorWords)
    r.fail('malformed', 'bits listed that are too many, or in one word', start)
}

function readKeyBytes(r: Reader): Uint8Array {
  const start = r.position
  const length = r.varint(limits.keyBytesMax, 'bytes in a row key')
  if (length === 0) r.fail('malformed', 'an empty row key', start)
  return r.bytes(length)
}

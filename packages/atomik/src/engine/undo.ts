/**
 * The last own changes, each with what it accumulated and, for registers and flags, what stood there before. Bounded: the
 * oldest falls out. In `xor` and `add` undo is the inverse, exact at any position; `max` has none, so there undo writes
 * the earlier value as a new change, and only while the undone write still stands: itself, or as an undo brought it back.
 * So undoing backwards through a history arrives where it began.
 *
 * A change, its undo, the undo of that, … are one family: what its last member did is how things stand. So a change that is out
 * already is not taken out once more, which in `add` would count it twice, whichever member is asked for.
 */
import { Delta, foldRow, invertRow, type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import type { Halves } from '../wire/index.ts'
import { type RowRef, TouchedRows } from './rows.ts'

interface Record {
  readonly delta: Delta
  /** READ of the touched rows before the change. */
  readonly before: Delta
  /** Numbers of the change and of all that took it out and back in, in their order. */
  family: number[]
  /** It takes out what began the family. */
  takesOut: boolean
}

/** READ of a whole row. */
interface Readable {
  readRow(table: number, row: number, out: Int32Array): void
}

export class UndoLog {
  readonly #depth: number
  readonly #records = new Map<number, Record>()
  /** Which write a stamp or causal length that an undo made stands for, by table, row, word and that number. */
  readonly #standsFor = new Map<string, string>()

  constructor(depth: number) {
    this.#depth = depth
  }

  /** Notes a change before it is accumulated; `state` still reads as it was. */
  record(change: number, delta: Delta, state: Readable): void {
    if (this.#depth === 0) return
    const before = new Delta(delta.tables.map(table => table.layout))
    for (let t = 0; t < delta.tables.length; t++) {
      const { rows, count, layout } = delta.tables[t]
      const to = before.tables[t]
      for (let slot = 0; slot < count; slot++) {
        const at = to.open(rows[slot])
        state.readRow(t, rows[slot], to.words.subarray(at, at + 2 * layout.words))
      }
    }
    this.#records.set(change, { delta, before, family: [change], takesOut: false })
    if (this.#records.size > this.#depth) {
      const oldest = this.#records.keys().next()
      if (!oldest.done) this.#drop(oldest.value)
    }
  }

  #drop(change: number): void {
    const family = this.#records.get(change)?.family
    family?.splice(family.indexOf(change), 1)
    this.#records.delete(change)
  }

  /** Changes (from, to] were refused: they have nothing to undo. */
  forget(from: number, to: number): void {
    if (to - from > this.#records.size) {
      for (const change of this.#records.keys()) if (change > from && change <= to) this.#drop(change)
    } else {
      for (let change = from + 1; change <= to; change++) this.#drop(change)
    }
  }

  /**
   * Whether this change stands, and the last of its family, which made that so: undoing that one turns it round.
   * @throws AtomikError `unknown-change`
   */
  standing(change: number): { readonly stands: boolean; readonly last: number } {
    const { family, takesOut } = this.#recordOf(change)
    const last = family[family.length - 1]
    return { stands: this.#recordOf(last).takesOut === takesOut, last }
  }

  /** Notes that `undoing` undid `change`, the last of its family. */
  tie(change: number, undoing: number): void {
    const [undone, record] = [this.#records.get(change), this.#records.get(undoing)]
    if (undone === undefined || record === undefined) return
    undone.family.push(undoing)
    record.family = undone.family
    record.takesOut = !undone.takesOut
  }

  /** Rows that this change touched. @throws AtomikError `unknown-change` */
  rowsOf(change: number): readonly RowRef[] {
    const touched = new TouchedRows()
    touched.add(this.#recordOf(change).delta)
    return touched.rows
  }

  #recordOf(change: number): Record {
    const record = this.#records.get(change)
    if (record === undefined)
      throw new AtomikError(
        'unknown-change',
        `change ${change} cannot be undone: it was refused or is too long ago`,
      )
    return record
  }

  /**
   * Accumulates into `into` what undoes `change` in the present state.
   * @throws AtomikError `unknown-change`
   */
  invert(change: number, into: Delta, state: Readable, stamp: () => Halves): void {
    const record = this.#recordOf(change)
    for (let t = 0; t < record.delta.tables.length; t++) {
      const done = record.delta.tables[t]
      const { layout } = done
      const stride = 2 * layout.words
      const now = new Int32Array(stride)
      for (let slot = 0; slot < done.count; slot++) {
        const from = slot * stride
        state.readRow(t, done.rows[slot], now)
        const to = into.tables[t]
        const at = to.open(done.rows[slot])
        invertRow(layout, to.words, at, done.words, from)
        const before = record.before.tables[t].words
        for (let word = 0; word < layout.words; word += layout.groups[word]) {
          const kind = layout.kinds[word]
          if (kind !== WordKind.max && kind !== WordKind.stamp) continue
          const i = 2 * word
          const group = 2 * layout.groups[word]
          const cell = `${t}/${done.rows[slot]}/${word}`
          let written = false
          let stands = this.#origin(cell, done.words, from + i) === this.#origin(cell, now, i)
          for (let half = 0; half < group; half++) {
            if (done.words[from + i + half] !== 0) written = true
            if (half >= 2 && done.words[from + i + half] !== now[i + half]) stands = false
          }
          if (!written || !stands) continue
          // A row lives on while it holds anything that came after the change that brought it to life.
          if (word === 0 && (now[0] & 1) === 1 && isChangedSince(layout, now, before, done.words, from))
            continue
          if (kind === WordKind.stamp) {
            const { low, high } = stamp()
            to.words[at + i] = low
            to.words[at + i + 1] = high
            for (let half = 2; half < group; half++) to.words[at + i + half] = before[from + i + half]
          } else if ((before[from + i] & 1) !== (now[i] & 1)) {
            to.words[at + i] = now[i] + 1
            to.words[at + i + 1] = now[i + 1] + (now[i] === -1 ? 1 : 0)
          } else {
            continue
          }
          this.#remember(nameOf(cell, to.words, at + i), this.#origin(cell, before, from + i))
        }
      }
    }
  }

  /** The write that stands at this cell, behind all undoing. */
  #origin(cell: string, words: Int32Array, at: number): string {
    const name = nameOf(cell, words, at)
    return this.#standsFor.get(name) ?? name
  }

  #remember(name: string, origin: string): void {
    this.#standsFor.set(name, origin)
    if (this.#standsFor.size <= originsPerChange * this.#depth) return
    const oldest = this.#standsFor.keys().next()
    if (!oldest.done) this.#standsFor.delete(oldest.value)
  }
}

/** True when the row holds more than it did right after the change: before ⊙ done, its life left aside. */
function isChangedSince(
  layout: RowLayout,
  now: Int32Array,
  before: Int32Array,
  done: Int32Array,
  from: number,
): boolean {
  const after = before.slice(from, from + 2 * layout.words)
  foldRow(layout, after, 0, done, from)
  for (let half = 2; half < after.length; half++) if (after[half] !== now[half]) return true
  return false
}

/** How many brought-back writes are kept for each change that can be undone. */
const originsPerChange = 4

function nameOf(cell: string, words: Int32Array, at: number): string {
  return `${cell}/${words[at]}/${words[at + 1]}`
}

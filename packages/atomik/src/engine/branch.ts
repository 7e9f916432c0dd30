/**
 * A branch: changes made aside, seen nowhere else, until they are merged as one change or thrown away.
 *
 *   READ of the branch = READ of its parent ⊙ its accumulator ⊙ the change being made
 *
 * The parent, a replica or another branch, goes on: what it receives shows through at once. Merging is ACCUM of the
 * accumulator into the parent, so it gives what the branch showed, and what would have come of it had another replica made
 * these changes. Registers keep the stamps they were written with, from the one clock that parent and branch share:
 * of two writes to one register the later stands, on whichever side it was made (spec/semantics.md §9).
 *
 * Not here: storage. A branch ends with its process.
 */
import { Delta, foldRow } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import type { Schema } from '../schema/index.ts'
import type { StampClock } from './clock.ts'
import { Editor } from './editor.ts'
import type { Reference } from './reference.ts'
import type { Edit, RowReader, RowRef } from './rows.ts'
import { UndoLog } from './undo.ts'

/** What a branch can be made of: a `Replica`, a `MeshNode`, or another branch. */
export interface BranchParent extends RowReader {
  readonly schema: Schema
  /** Keys of rows are there, whoever named them. */
  readonly reference: Reference
  readonly clock: StampClock
  row(table: number, key: string): number
  findRow(table: number, key: string): number
  /** ACCUM of a whole delta as one change. */
  accum(nowMs: number, delta: Delta): number
}

export class Branch implements BranchParent {
  readonly schema: Schema
  /** The fold of all changes made here. */
  readonly accumulator: Delta
  readonly #parent: BranchParent
  readonly #editor: Editor
  readonly #undo: UndoLog
  #lastChange = 0
  #isOpen = true
  readonly #scratch: Int32Array

  /** @param undoDepth changes made here that can still be undone here */
  constructor(parent: BranchParent, undoDepth = 1000) {
    this.schema = parent.schema
    this.#parent = parent
    this.accumulator = new Delta(parent.schema.layouts)
    const under: RowReader = { readRow: (table, row, out) => this.#readUnder(table, row, out) }
    this.#editor = new Editor(parent.schema, under, this.accumulator, parent.clock)
    this.#undo = new UndoLog(undoDepth)
    this.#scratch = new Int32Array(2 * Math.max(...parent.schema.layouts.map(layout => layout.words)))
  }

  get reference(): Reference {
    return this.#parent.reference
  }

  get clock(): StampClock {
    return this.#parent.clock
  }

  /** False once it was merged or dropped. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Number of the last change made here, counted from 1. */
  get lastChange(): number {
    return this.#lastChange
  }

  row(table: number, key: string): number {
    return this.#parent.row(table, key)
  }

  findRow(table: number, key: string): number {
    return this.#parent.findRow(table, key)
  }

  readRow(table: number, row: number, out: Int32Array): void {
    this.#editor.readRow(table, row, out)
  }

  /**
   * Makes one change here, as `Replica.change` does there.
   * @throws AtomikError `closed` after `merge` or `drop`
   */
  change(nowMs: number, make: (edit: Edit) => void): number {
    if (this.#editor.isEditing) {
      make(this.#editor.edit)
      return this.#lastChange + 1
    }
    this.#requireOpen()
    const change = this.#editor.make(nowMs, make)
    return change.isEmpty ? this.#lastChange : this.#commit(change)
  }

  /**
   * Undoes one change made here, as `Replica.undo` does there.
   * @throws AtomikError `unknown-change`, `closed`
   */
  undo(nowMs: number, change: number): number {
    this.#requireOpen()
    const { stands, last } = this.#undo.standing(change)
    return stands ? this.#invert(nowMs, last) : last
  }

  /**
   * Brings back a change made here that was undone.
   * @throws AtomikError `unknown-change`, `closed`
   */
  redo(nowMs: number, change: number): number {
    this.#requireOpen()
    const { stands, last } = this.#undo.standing(change)
    return stands ? last : this.#invert(nowMs, last)
  }

  #invert(nowMs: number, change: number): number {
    const undoing = this.#commit(
      this.#editor.fill(nowMs, (into, stamp) => this.#undo.invert(change, into, this, stamp)),
    )
    this.#undo.tie(change, undoing)
    return undoing
  }

  /** Rows that a change made here touched. @throws AtomikError `unknown-change` */
  rowsOf(change: number): readonly RowRef[] {
    return this.#undo.rowsOf(change)
  }

  accum(nowMs: number, delta: Delta): number {
    if (this.#editor.isEditing) {
      this.#editor.fold(delta)
      return this.#lastChange + 1
    }
    this.#requireOpen()
    if (delta.isEmpty) return this.#lastChange
    return this.#commit(this.#editor.fill(nowMs, into => into.fold(delta)))
  }

  #commit(change: Delta): number {
    this.#undo.record(this.#lastChange + 1, change, this)
    this.accumulator.fold(change)
    return ++this.#lastChange
  }

  /** Rows that merging would change in the parent as it stands, in order of first touch. */
  diff(): RowRef[] {
    const rows: RowRef[] = []
    const before = new Int32Array(this.#scratch.length)
    const after = new Int32Array(this.#scratch.length)
    for (let table = 0; table < this.accumulator.tables.length; table++) {
      const { rows: touched, count, layout } = this.accumulator.tables[table]
      for (let slot = 0; slot < count; slot++) {
        this.#parent.readRow(table, touched[slot], before)
        this.readRow(table, touched[slot], after)
        if (((before[0] | after[0]) & 1) === 0) continue
        for (let half = 0; half < 2 * layout.words; half++) {
          if (before[half] === after[half]) continue
          rows.push({ table, row: touched[slot] })
          break
        }
      }
    }
    return rows
  }

  /**
   * Accumulates what was changed here into the parent, as one change, and ends the branch. Returns that change's number.
   * @throws AtomikError `oversized` when it is more than one message carries, `closed`; then nothing has happened
   */
  merge(nowMs: number): number {
    this.#requireOpen()
    if (this.#editor.isEditing)
      throw new AtomikError('closed', 'a branch cannot be merged while it is being changed')
    const change = this.#parent.accum(nowMs, this.#contribution())
    this.drop()
    return change
  }

  /** Throws away what was changed here. */
  drop(): void {
    this.#isOpen = false
    this.accumulator.clear()
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new AtomikError('closed', 'the branch was merged or dropped')
  }

  /** The accumulator without rows that neither side has, and with the life of those whose making the parent lost. */
  #contribution(): Delta {
    const delta = new Delta(this.schema.layouts)
    for (let table = 0; table < delta.tables.length; table++) {
      const from = this.accumulator.tables[table]
      const to = delta.tables[table]
      for (let slot = 0; slot < from.count; slot++) {
        if (from.isZero(slot)) continue
        const row = from.rows[slot]
        this.#parent.readRow(table, row, this.#scratch)
        const neverLived = (this.#scratch[0] | this.#scratch[1]) === 0
        const at = slot * 2 * from.layout.words
        const life = from.words[at]
        const isNamed = (life | from.words[at + 1]) !== 0
        if (neverLived && isNamed && (life & 1) === 0) continue
        const opened = to.open(row)
        foldRow(from.layout, to.words, opened, from.words, at)
        if (neverLived && !isNamed) to.words[opened] = 1
      }
    }
    return delta
  }

  /** The parent's row; alive when it was refused there after it had been edited here. */
  #readUnder(table: number, row: number, out: Int32Array): void {
    this.#parent.readRow(table, row, out)
    if ((out[0] | out[1]) !== 0) return
    const part = this.accumulator.tables[table]
    const at = part.find(row)
    if (at < 0 || (part.words[at] | part.words[at + 1]) !== 0) return
    for (let half = 2; half < 2 * part.layout.words; half++)
      if (part.words[at + half] !== 0) {
        out[0] = 1
        return
      }
  }
}

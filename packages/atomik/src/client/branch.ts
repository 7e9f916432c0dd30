/**
 * A branch as a program holds it: tables of rows like those of the space it was made of, and merge, drop, diff. It tells
 * its own listeners of its own changes and of those that show through from below, once a turn.
 */
import { Branch, type BranchParent, type Edit, type RowRef, TouchedRows } from '../engine/index.ts'
import type { Schema } from '../schema/index.ts'
import { isSame, type Row, type ValueOf } from './handles.ts'
import type { RegionHost } from './regions.ts'
import { type FieldsOf, openAny, type Table, type TableOf, type TablesOf } from './tables.ts'

type FieldChanges<F> = {
  readonly [Name in keyof F]?: { readonly from: ValueOf<F[Name]>; readonly to: ValueOf<F[Name]> }
}

/** One row in which a branch differs from what it was made of. */
export type RowChange<T extends TablesOf> = {
  readonly [Name in keyof T]: {
    readonly table: Name
    readonly key: string
    readonly change: 'added' | 'removed' | 'changed'
    /** The fields that differ: `from` below, `to` on the branch. */
    readonly fields: FieldChanges<FieldsOf<T[Name]>>
  }
}[keyof T]

/** Regions show through a branch and are written in the space alone. */
export type BranchSpace<T extends TablesOf> = { readonly [Name in keyof T]: TableOf<T[Name]> } & {
  /** Makes all changes inside one change of the branch, or none when `make` throws. */
  transact(make: () => void): number
  /** Undoes one change made on this branch. @throws AtomikError `unknown-change` */
  undo(change: number): number
  /** Brings back one that was undone. @throws AtomikError `unknown-change` */
  redo(change: number): number
  /** What `merge` would change below, as things stand, row by row. */
  diff(): RowChange<T>[]
  /**
   * Makes all changes of the branch one change below, and ends the branch. Returns that change's number, for `undo` there.
   * @throws AtomikError `oversized` when one message cannot carry it; then the branch stays. `closed`
   */
  merge(): number
  /** Throws the branch away. */
  drop(): void
  /** A branch of this branch: it merges into this one. */
  branch(): BranchSpace<T>
  /** False once merged or dropped. */
  readonly isOpen: boolean
}

/** What lies under a branch, as the client sees it. */
export interface BranchBase {
  /** Tables by name. */
  readonly tables: object
  /** These rows have changed below: a branch was merged. */
  merged(rows: readonly RowRef[]): void
  /** Tells of rows that change below, until the returned function is called. */
  watch(watcher: (rows: readonly RowRef[]) => void): () => void
  /** @throws AtomikError `closed` */
  requireOpen(): void
}

export class LocalBranch<T extends TablesOf> implements RegionHost {
  readonly replica: Branch
  readonly space: BranchSpace<T>
  readonly #schema: Schema
  readonly #base: BranchBase
  readonly #tables: { notify(row: number): void }[] = []
  readonly #watchers = new Set<(rows: readonly RowRef[]) => void>()
  readonly #unwatch: () => void
  #touched = new TouchedRows()
  #turn = false

  constructor(parent: BranchParent, schema: Schema, base: BranchBase) {
    this.replica = new Branch(parent)
    this.#schema = schema
    this.#base = base
    this.space = this.#face()
    this.#unwatch = base.watch(rows => this.#touch(rows))
  }

  edit(table: number, row: number, make: (edit: Edit) => void): number {
    this.#base.requireOpen()
    const change = this.replica.change(Date.now(), make)
    this.#touch([{ table, row }])
    return change
  }

  writer(): undefined {}

  wrote(): boolean {
    return false
  }

  readonly mayMissRegions = false

  async synced(): Promise<void> {}

  get untold(): readonly RowRef[] {
    return this.#touched.rows
  }

  #touch(rows: readonly RowRef[]): void {
    for (const { table, row } of rows) this.#touched.addRow(table, row)
    if (this.#turn) return
    this.#turn = true
    queueMicrotask(() => {
      this.#turn = false
      const { rows } = this.#touched
      this.#touched = new TouchedRows()
      for (const { table, row } of rows) this.#tables[table].notify(row)
      for (const watcher of this.#watchers) watcher(rows)
    })
  }

  /** Rows that own changes touch. */
  #own(): readonly RowRef[] {
    const touched = new TouchedRows()
    touched.add(this.replica.accumulator)
    return touched.rows
  }

  #end(end: () => number): number {
    const rows = this.#own()
    const change = end()
    this.#unwatch()
    this.#touch(rows)
    return change
  }

  #undo(change: number, how: 'undo' | 'redo'): number {
    this.#base.requireOpen()
    const undoing = this.replica[how](Date.now(), change)
    this.#touch(this.replica.rowsOf(change))
    return undoing
  }

  #face(): BranchSpace<T> {
    const face: Record<string, unknown> = {
      transact: (make: () => void) => {
        this.#base.requireOpen()
        return this.replica.change(Date.now(), make)
      },
      undo: (change: number) => this.#undo(change, 'undo'),
      redo: (change: number) => this.#undo(change, 'redo'),
      diff: () => this.replica.diff().map(row => this.#compare(row)),
      merge: () => {
        this.#base.requireOpen()
        return this.#end(() => {
          const rows = this.#own()
          const change = this.replica.merge(Date.now())
          this.#base.merged(rows)
          return change
        })
      },
      drop: () => {
        this.#end(() => {
          this.replica.drop()
          return 0
        })
      },
      branch: () =>
        new LocalBranch<T>(this.replica, this.#schema, {
          tables: this.space,
          merged: rows => this.#touch(rows),
          watch: watcher => {
            this.#watchers.add(watcher)
            return () => this.#watchers.delete(watcher)
          },
          requireOpen: () => this.#base.requireOpen(),
        }).space,
    }
    Object.defineProperty(face, 'isOpen', { get: () => this.replica.isOpen })
    for (let table = 0; table < this.#schema.names.length; table++) {
      const { face: rows, notify } = openAny(this.#schema.tables[table], table, this)
      this.#tables[table] = { notify }
      face[this.#schema.names[table]] = rows
    }
    return face as BranchSpace<T>
  }

  #compare({ table, row }: RowRef): RowChange<T> {
    const name = this.#schema.names[table]
    const key = this.replica.reference.tables[table].keys[row]
    const [below, here] = [this.#base.tables, this.space].map(
      space =>
        (space as Record<string, Table<Record<never, never>>>)[name].row(key) as Row<Record<never, never>>,
    )
    const [from, to] = [below.read(), here.read()] as Record<string, unknown>[]
    const fields: Record<string, unknown> = {}
    for (const field of Object.keys(from))
      if (!isSame(from[field], to[field])) fields[field] = { from: from[field], to: to[field] }
    const change = !below.exists ? 'added' : here.exists ? 'changed' : 'removed'
    return { table: name, key, change, fields } as unknown as RowChange<T>
  }
}

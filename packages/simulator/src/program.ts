/**
 * The program on a replica of any kind: it makes changes and undoes them, on what it is given or on branches of that, and looks at what
 * it has done. Each of its changes has a digit of its own in the ledger, on a branch as elsewhere; there it counts for nobody else until
 * the branch is merged, and never when that is dropped.
 *
 * What is done to the engine goes through `do`, as data, so that a copy of a machine can be made by doing it again.
 */
import { AtomikError } from 'atomik'
import { Branch, type BranchParent, type Edit, Replica } from 'atomik/engine'
import type { Halves } from 'atomik/wire'
import { describe, type Entry, type Ledger, type View } from './ledger.ts'
import { cellsTable, ledgerTable, words } from './schema.ts'
import { FailureError } from './verdict.ts'
import {
  type Effect,
  halvesOf,
  isRegister,
  makeChange,
  maxWords,
  permitted,
  registerHalves,
} from './workload.ts'

/** What a program writes on: a replica, a node of a mesh, a follower; or a branch. */
export interface Trunk extends BranchParent {
  readonly lastChange: number
  change(nowMs: number, make: (edit: Edit) => void): number
  undo(nowMs: number, change: number): number
  redo(nowMs: number, change: number): number
}

/** What ends with a process. */
export interface Life {
  readonly trunk: Trunk
  readonly branches: Map<number, Branch>
}

/** What a program does, as data. `on` is the branch it does it on. */
export type Deed = { readonly nowMs: number; readonly on?: number } & (
  | { readonly kind: 'change'; readonly digit: number; readonly effects: readonly Effect[] }
  | { readonly kind: 'undo' | 'redo'; readonly change: number }
  | { readonly kind: 'branch'; readonly id: number }
  | { readonly kind: 'merge' | 'drop' }
)

/** Does it. Returns the number of the change it made, or of the last one. */
export function perform(life: Life, deed: Deed): number {
  const branch = deed.on === undefined ? undefined : life.branches.get(deed.on)
  const on = branch ?? life.trunk
  switch (deed.kind) {
    case 'change':
      return makeChange(on, deed.nowMs, deed.digit, deed.effects)
    case 'undo':
      return on.undo(deed.nowMs, deed.change)
    case 'redo':
      return on.redo(deed.nowMs, deed.change)
    case 'branch':
      life.branches.set(deed.id, new Branch(on))
      return on.lastChange
    case 'merge':
      return branch?.merge(deed.nowMs) ?? 0
    case 'drop':
      branch?.drop()
      return 0
  }
}

export interface ProgramHost {
  readonly ledger: Ledger
  readonly name: string
  readonly life: Life
  /** It knows the fields that were added to the schema. */
  readonly isUpgraded: boolean
  /** No register may be written under a stamp that is not larger. */
  readonly stampFloor: Halves
  /** What everybody sees of it. */
  readonly view: View
  now(): number
  do(deed: Deed): number
  note(text: string): void
  count(what: string): void
}

/** A register or flag that a change moved: its group before and after. */
interface Move {
  readonly key: string
  readonly word: number
  readonly before: Int32Array
  readonly after: Int32Array
}

/** A branch as its program knows it. */
class Aside {
  readonly id: number
  readonly parent: Aside | undefined
  readonly moves = new Map<number, readonly Move[]>()
  /** Its own changes by number: several entries where a branch of it was merged. */
  readonly changes = new Map<number, readonly Entry[]>()
  readonly view: View

  constructor(id: number, parent: Aside | undefined, branch: Branch, under: View) {
    this.id = id
    this.parent = parent
    const asides = new Set<object>([...(under.asides ?? []), this])
    const name = `branch ${id} of ${under.name}`
    const cellWords = () => under.cellWords()
    this.view = { name, asides, cellWords, readRow: (...row) => readKey(branch, ...row) }
  }

  get entries(): readonly Entry[] {
    return [...this.changes.values()].flat()
  }
}

export class Program {
  /** Own changes by number, as far as this life knows them. */
  changes = new Map<number, readonly Entry[]>()
  readonly #host: ProgramHost
  readonly #asides = new Map<number, Aside>()
  /** What own changes moved, by their number. */
  #moves = new Map<number, readonly Move[]>()
  readonly #row = new Int32Array(64)

  constructor(host: ProgramHost) {
    this.#host = host
  }

  /** What its open branches show. */
  get asides(): View[] {
    return [...this.#asides.values()].map(({ view }) => view)
  }

  /** The place a change is made, or undefined when there is no such branch any more. */
  #place(id: number | undefined) {
    const { life, view } = this.#host
    if (id === undefined)
      return { on: life.trunk, changes: this.changes, moves: this.#moves, view, aside: undefined }
    const [aside, on] = [this.#asides.get(id), life.branches.get(id)]
    return aside && on && { on, changes: aside.changes, moves: aside.moves, view: aside.view, aside }
  }

  /** True when something was changed. */
  change(planned: readonly Effect[], branch?: number): boolean {
    const { ledger, life, name, isUpgraded } = this.#host
    const place = this.#place(branch)
    // What the plan has for the new version waits until it runs.
    if (
      place === undefined ||
      (!isUpgraded && planned.some(({ kind }) => kind === 'extra' || kind === 'note'))
    )
      return false
    const effects =
      place.aside === undefined && life.trunk instanceof Replica
        ? permitted(life.trunk, planned)
        : planned.filter(({ kind }) => kind !== 'patch' && kind !== 'claim')
    const before = this.#readCells(place.view, effects)
    const digit = ledger.digits
    const nowMs = this.#host.now()
    const number = this.#host.do({
      kind: 'change',
      nowMs,
      digit,
      effects,
      ...(branch !== undefined && { on: branch }),
    })
    const entry = ledger.add(name, number, { effects }, place.aside)
    place.changes.set(number, [entry])
    this.#host.note(`change ${number}${on(branch)} (#${entry.id})`)
    place.moves.set(number, this.#recordWrites(place.view, [entry], before))
    this.#checkRead(place.view, entry, effects)
    return true
  }

  /** Undoes the own change `back` before the last, when that can still be undone; brings it back when it is undone. */
  undo(back: number, branch?: number): boolean {
    const place = this.#place(branch)
    if (place === undefined) return false
    const { lastChange } = place.on
    const change = lastChange - back
    const undone = place.changes.get(change)
    if (undone === undefined || undone.some(({ fate }) => fate === 'refused')) return false
    // Undo flips bits back: of patches that overlap only the last may be undone.
    const effects = undone.flatMap(entry => entry.effects)
    if (effects.some(({ kind }) => kind === 'patch' || kind === 'claim')) return false
    const before = this.#readCells(place.view, effects)
    const deed = { nowMs: this.#host.now(), change, ...(branch !== undefined && { on: branch }) }
    let number: number
    let inverted: readonly Entry[] | undefined = undone
    try {
      number = this.#host.do({ kind: 'undo', ...deed })
      if (number <= lastChange) {
        inverted = place.changes.get(number)
        number = this.#host.do({ kind: 'redo', ...deed })
      }
    } catch (error) {
      // Refused, and this replica has heard of it.
      if (error instanceof AtomikError && error.code === 'unknown-change') return false
      throw error
    }
    const { ledger, name } = this.#host
    if (inverted === undefined || number <= lastChange)
      throw new FailureError('error', `${name} was told that change ${number} undoes ${change}`)
    const moved = place.moves.get(inverted[0].number) ?? []
    const entries = inverted.map(entry => ledger.undo(name, number, entry, place.aside))
    place.changes.set(number, entries)
    this.#host.note(
      `${inverted === undone ? 'undo' : 'redo'} of ${change}${on(branch)} as ${number} (${numbersOf(entries)})`,
    )
    place.moves.set(number, this.#recordWrites(place.view, entries, before))
    this.#checkUndone(place.view, entries, moved, before)
    return true
  }

  // ── branches ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a branch, of branch `under` when that is named and still open. That changes nothing yet. */
  branch(id: number, under?: number): false {
    const parent = under === undefined ? undefined : this.#asides.get(under)
    const { life, view } = this.#host
    this.#host.do({ kind: 'branch', nowMs: this.#host.now(), id, ...(parent && { on: parent.id }) })
    const branch = life.branches.get(id)
    if (branch === undefined) return false
    this.#host.count('branch')
    this.#host.note(`opens branch ${id}${on(parent?.id)}`)
    this.#asides.set(id, new Aside(id, parent, branch, parent?.view ?? view))
    return false
  }

  /** Ends a branch, and with it all branches of it. True when something was changed by that. */
  end(id: number, how: 'merge' | 'drop'): boolean {
    const aside = this.#asides.get(id)
    const branch = this.#host.life.branches.get(id)
    if (aside === undefined || branch === undefined) return false
    for (const child of this.#asides.values()) if (child.parent === aside) this.end(child.id, 'drop')
    this.#asides.delete(id)
    const before = rowsOf(branch, aside.parent?.view ?? this.#host.view)
    const merges =
      how === 'merge' && !before.some(({ table, isLeftOut }) => table === ledgerTable && isLeftOut)
    if (merges) this.#merge(aside, branch, before)
    else {
      this.#host.count('branch dropped')
      this.#host.note(`drops branch ${id}`)
      this.#host.do({ kind: 'drop', nowMs: this.#host.now(), on: id })
      this.#host.ledger.drop(aside.entries)
    }
    this.#host.life.branches.delete(id)
    // It holds nothing any more: what it shows is what lies under it.
    this.#host.ledger.checkView(aside.view)
    return merges
  }

  #merge(aside: Aside, branch: Branch, before: readonly RowBefore[]): void {
    const { ledger, name } = this.#host
    const { parent, entries } = aside
    const under = parent?.view ?? this.#host.view
    const to = parent?.changes ?? this.changes
    const lastChange = this.#place(parent?.id)?.on.lastChange ?? 0
    const named = new Set(branch.diff().map(({ table, row }) => `${table}/${row}`))
    const number = this.#host.do({ kind: 'merge', nowMs: this.#host.now(), on: aside.id })
    this.#host.count('branch merged')
    this.#host.note(`merges branch ${aside.id}${on(parent?.id, 'into')} as ${number} (${numbersOf(entries)})`)
    if (number === lastChange) {
      // Nothing was left of it.
      ledger.drop(entries)
    } else {
      const without = new Set(before.filter(({ isLeftOut }) => isLeftOut).map(({ key }) => key))
      ledger.merge(entries, number, without, parent)
      to.set(number, entries)
      const cells = before.filter(({ table }) => table === cellsTable)
      const moves = this.#recordWrites(under, entries, new Map(cells.map(({ key, below }) => [key, below])))
      const all = parent?.moves ?? this.#moves
      all.set(number, moves)
    }
    const row = this.#row
    for (const { table, number: index, key, below, shown } of before) {
      row.fill(0)
      under.readRow(table, key, row)
      const isChanged = row.some((half, i) => half !== below[i])
      const lives = ((row[0] | below[0]) & 1) === 1
      if ((lives && isChanged) !== named.has(`${table}/${index}`))
        throw new FailureError(
          'diff',
          `the diff of branch ${aside.id} at ${name} ${lives && isChanged ? 'does not name' : 'names'} row ${key} of table ${table}, which merging ${isChanged ? 'changes' : 'leaves as it was'}`,
        )
      if (((row[0] | shown[0]) & 1) === 1 && row.some((half, i) => half !== shown[i]))
        throw new FailureError(
          'unread',
          `row ${key} of table ${table} reads [${[...row.slice(0, 16)]}] at ${name} after branch ${aside.id} was merged, which showed [${[...shown.slice(0, 16)]}]`,
        )
    }
  }

  /** The process ends, or goes on as another: its branches are gone. */
  forgetBranches(): void {
    for (const { entries } of this.#asides.values()) this.#host.ledger.drop(entries)
    this.#asides.clear()
  }

  // ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #readCells(view: View, effects: readonly Effect[]): Map<string, Int32Array> {
    const rows = new Map<string, Int32Array>()
    for (const { key } of effects) {
      if (rows.has(key)) continue
      const row = new Int32Array(64)
      view.readRow(cellsTable, key, row)
      rows.set(key, row)
    }
    return rows
  }

  /** Registers and flags that this change moved, and what it put there: noted with the last of its entries. */
  #recordWrites(
    view: View,
    entries: readonly Entry[],
    before: ReadonlyMap<string, Int32Array>,
  ): readonly Move[] {
    const { ledger, name, stampFloor } = this.#host
    const entry = entries.at(-1)
    const moves: Move[] = []
    if (entry === undefined) return moves
    for (const [key, then] of before) {
      const now = this.#row
      now.fill(0)
      view.readRow(cellsTable, key, now)
      for (const { word, halves } of maxWords) {
        const at = 2 * word
        let moved = false
        for (let half = at; half < at + halves; half++) if (now[half] !== then[half]) moved = true
        if (!moved) continue
        const after = now.slice(at, at + halves)
        moves.push({ key, word, before: then.slice(at, at + halves), after })
        ledger.wrote(entry, key, word, after)
        if (isRegister(word) && !isAfter(now, at, stampFloor))
          throw new FailureError(
            'clock',
            `${describe(entry)} writes word ${word} of ${key} under a stamp that is not later than what ${name} had saved before it restarted`,
          )
      }
    }
    return moves
  }

  /** What the undone change had put into registers and flags, and still stood there, is again what it was before. */
  #checkUndone(
    view: View,
    entries: readonly Entry[],
    moved: readonly Move[],
    then: ReadonlyMap<string, Int32Array>,
  ): void {
    for (const { key, word, before, after } of moved) {
      // The life of a row is not taken back while the row holds anything that came later.
      if (word === 0 || after.some((half, i) => half !== then.get(key)?.[2 * word + i])) continue
      const row = this.#row
      row.fill(0)
      view.readRow(cellsTable, key, row)
      const isBack = isRegister(word)
        ? before.every((half, i) => i < 2 || half === row[2 * word + i])
        : ((before[0] ^ row[2 * word]) & 1) === 0
      if (!isBack)
        throw new FailureError(
          'unread',
          `${describe(entries[0])} leaves [${[...row.slice(2 * word, 2 * word + after.length)]}] in word ${word} of ${key} at ${this.#host.name}, before what it undoes there was [${[...before]}]`,
        )
    }
  }

  /** A program reads what it has just written. */
  #checkRead(view: View, entry: Entry, effects: readonly Effect[]): void {
    const { name } = this.#host
    const last = new Map<string, Effect>()
    for (const effect of effects) last.set(`${effect.kind}/${effect.key}`, effect)
    for (const effect of last.values()) {
      const row = this.#row
      row.fill(0)
      view.readRow(cellsTable, effect.key, row)
      if (effect.kind === 'name' || effect.kind === 'pair' || effect.kind === 'note') {
        const at = 2 * words[effect.kind] + 2
        const value = halvesOf(effect)
        for (let i = 0; i < registerHalves[effect.kind]; i++)
          if (row[at + i] !== value[i])
            throw new FailureError(
              'unread',
              `${name} wrote ${effect.value} into ${effect.kind} of ${effect.key} (#${entry.id}) and does not read it`,
            )
      } else if (effect.kind === 'flag' && ((row[2 * words.on] & 1) === 1) !== effect.on) {
        throw new FailureError('unread', `${name} set the flag of ${effect.key} (#${entry.id}) in vain`)
      }
    }
  }
}

/** A row before a branch ends: as it is below, and as the branch shows it. */
interface RowBefore {
  readonly table: number
  readonly number: number
  readonly key: string
  readonly below: Int32Array
  readonly shown: Int32Array
  /** It never lived below and does not live on the branch: merging leaves it out (spec/semantics.md S61). */
  readonly isLeftOut: boolean
}

function rowsOf(branch: Branch, under: View): RowBefore[] {
  const rows: RowBefore[] = []
  for (const table of [ledgerTable, cellsTable])
    for (const [number, key] of branch.reference.tables[table].keys.entries()) {
      const [below, shown] = [new Int32Array(64), new Int32Array(64)]
      under.readRow(table, key, below)
      branch.readRow(table, number, shown)
      const isLeftOut = (below[0] | below[1]) === 0 && (shown[0] | shown[1]) !== 0 && (shown[0] & 1) === 0
      rows.push({ table, number, key, below, shown, isLeftOut })
    }
  return rows
}

/** READ of the row with this key into `out`; false when there is none. */
export function readKey(of: BranchParent, table: number, key: string, out: Int32Array): boolean {
  const row = of.findRow(table, key)
  if (row < 0) return false
  of.readRow(table, row, out)
  return true
}

function on(branch: number | undefined, how = 'on'): string {
  return branch === undefined ? '' : ` ${how} branch ${branch}`
}

/** Entries by number, for people. */
export function numbersOf(entries: readonly Entry[]): string {
  return entries.map(({ id }) => `#${id}`).join(', ')
}

/** True when the stamp at this place is larger. */
function isAfter(row: Int32Array, at: number, { low, high }: Halves): boolean {
  return row[at + 1] === high ? row[at] >>> 0 > low >>> 0 : row[at + 1] >>> 0 > high >>> 0
}

/**
 * The oracle. It knows every change that was ever made, by a digit of its own in the state (`schema.ts`), and computes, without any
 * of the engine's accumulation, what must stand in the cells: sums and parities from how often each change counts, registers and
 * flags as the largest of what was written.
 *
 * A change's fate is `pending` while a living replica holds it, `confirmed` once that was told its author, `refused`; or `unknown`, when its
 * only holder died before it heard, or the hub's disk was set back behind it: then it may count or not, but never twice.
 */

import { pageKey, regionWords } from 'atomik/engine'
import {
  cellsTable,
  digitsPerCounter,
  digitsPerRow,
  filesTable,
  ledgerTable,
  readDigit,
  slotsPerPage,
  words,
} from './schema.ts'
import { FailureError } from './verdict.ts'
import { type Change, type Effect, isRegister } from './workload.ts'

/** `aside`: on a branch that is open, so it counts there alone; `dropped`: the branch is gone. */
export type Fate = 'pending' | 'confirmed' | 'refused' | 'unknown' | 'aside' | 'dropped'

/** A group of a `max` lane as a change left it: halves, the stamp or causal length first. */
interface Written {
  readonly key: string
  readonly word: number
  readonly group: Int32Array
}

export interface Entry {
  readonly id: number
  readonly author: string
  /** Number of the change at its author; of a merged branch that of the merge. */
  number: number
  /** The digit it moves, and by how much: an undo takes back the digit of what it undoes. */
  readonly digit: number
  readonly by: 1 | -1
  effects: readonly Effect[]
  written: Written[]
  fate: Fate
  /** The branch it was made on, or merged into, while that is open. */
  aside: object | undefined
  /** Living replicas, and tabs, that hold it. */
  holders: number
  /** Its program was told that a store holds it. */
  isSaved: boolean
  confirmedAtMs: number
}

/** READ of rows by key. */
export interface View {
  readonly name: string
  /** Into `out`; false when there is no such row. */
  readRow(table: number, key: string, out: Int32Array): boolean
  /** Words of a cell it knows: fewer where the schema was not upgraded. */
  cellWords(): number
  /** Branches whose changes it shows. */
  readonly asides?: ReadonlySet<object>
}

const rowHalves = 64

export class Ledger {
  readonly entries: Entry[] = []
  /** Entries by digit: the change, its undo, the undo's undo, … */
  readonly #byDigit: Entry[][] = []
  readonly #cells = new Set<string>()
  /** All that was ever written, by `key/word`. */
  readonly #written = new Map<string, Int32Array[]>()
  /** Changes that are one: digits, and how much each is moved by it. All count equally often. */
  readonly #groups: {
    readonly name: string
    readonly digits: readonly number[]
    readonly by: readonly number[]
  }[] = []
  #setBackAtMs = -1
  readonly #row = new Int32Array(rowHalves)

  get digits(): number {
    return this.#byDigit.length
  }

  /** A new change under the next digit. @param aside the branch it is made on */
  add(author: string, number: number, change: Change, aside?: object): Entry {
    return this.#push(author, number, this.#byDigit.length, 1, change.effects, aside)
  }

  /** The undo of an entry, or of its undo. */
  undo(author: string, number: number, undone: Entry, aside?: object): Entry {
    return this.#push(author, number, undone.digit, undone.by === 1 ? -1 : 1, undone.effects, aside)
  }

  #push(
    author: string,
    number: number,
    digit: number,
    by: 1 | -1,
    effects: readonly Effect[],
    aside: object | undefined,
  ): Entry {
    const entry: Entry = {
      id: this.entries.length,
      author,
      number,
      digit,
      by,
      effects,
      written: [],
      fate: aside === undefined ? 'pending' : 'aside',
      aside,
      holders: aside === undefined ? 1 : 0,
      isSaved: false,
      confirmedAtMs: 0,
    }
    this.entries.push(entry)
    this.#byDigit[digit] ??= []
    this.#byDigit[digit].push(entry)
    for (const { kind, key } of effects) if (kind !== 'patch' && kind !== 'claim') this.#cells.add(key)
    return entry
  }

  /** The change left this group in a register or flag. */
  wrote(entry: Entry, key: string, word: number, group: Int32Array): void {
    entry.written.push({ key, word, group })
    if (entry.aside === undefined) this.#publish(key, word, group)
  }

  #publish(key: string, word: number, group: Int32Array): void {
    const at = `${key}/${word}`
    const list = this.#written.get(at)
    if (list === undefined) this.#written.set(at, [group])
    else list.push(group)
  }

  /**
   * The branch they were made on was merged, as one change: into another branch, or for everybody. What they did to cells of these keys
   * was left out.
   */
  merge(entries: readonly Entry[], number: number, without: ReadonlySet<string>, into?: object): void {
    const nets = new Map<number, number>()
    for (const entry of entries) {
      entry.number = number
      entry.aside = into
      entry.effects = entry.effects.filter(({ key }) => !without.has(key))
      entry.written = entry.written.filter(({ key }) => !without.has(key))
      nets.set(entry.digit, (nets.get(entry.digit) ?? 0) + entry.by)
      if (into !== undefined) continue
      entry.fate = 'pending'
      entry.holders = 1
      for (const { key, word, group } of entry.written) this.#publish(key, word, group)
    }
    if (nets.size < 2) return
    const name = `change ${number} of ${entries[0].author}, a merged branch`
    this.#groups.push({ name, digits: [...nets.keys()], by: [...nets.values()] })
  }

  /** The branch they were made on is gone. */
  drop(entries: readonly Entry[]): void {
    for (const entry of entries) entry.fate = 'dropped'
  }

  /** The author was told, over a connection opened at `sinceMs`: before the hub's disk was set back, that says nothing. */
  confirm(entry: Entry, nowMs: number, sinceMs: number): void {
    if (entry.fate === 'refused') return
    entry.fate = sinceMs < this.#setBackAtMs ? 'unknown' : 'confirmed'
    entry.confirmedAtMs = nowMs
  }

  refuse(entry: Entry): void {
    if (entry.fate === 'confirmed')
      throw new FailureError('lost', `${describe(entry)} was confirmed and then refused`)
    entry.fate = 'refused'
  }

  /** A replica that held it is gone. */
  release(entry: Entry): void {
    entry.holders--
    if (entry.holders > 0 || entry.fate !== 'pending') return
    if (entry.isSaved)
      throw new FailureError('lost', `${describe(entry)} was told to be saved, and nobody holds it`)
    entry.fate = 'unknown'
  }

  /** The hub's disk is that of an earlier time: what was confirmed after it may be gone. */
  setBack(sinceMs: number, nowMs: number): void {
    this.#setBackAtMs = nowMs
    for (const entry of this.entries)
      if (entry.fate === 'confirmed' && entry.confirmedAtMs >= sinceMs) entry.fate = 'unknown'
  }

  // ── checking ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** How often each change counts in this view. @throws FailureError for a count that can never be right */
  count(view: View): Int8Array {
    const counts = new Int8Array(this.#byDigit.length)
    const row = this.#row
    let key = ''
    let known = false
    for (let digit = 0; digit < counts.length; digit++) {
      if (digit % digitsPerRow === 0) {
        key = `l${digit / digitsPerRow}`
        known = view.readRow(ledgerTable, key, row)
      }
      if (!known) continue
      const within = digit % digitsPerRow
      const at = 2 * (words.digits + Math.floor(within / digitsPerCounter))
      counts[digit] = readDigit(row[at], row[at + 1], within % digitsPerCounter)
      const [least, most] = this.#rangeOf(digit, false, view)
      if (counts[digit] > most || counts[digit] < least)
        throw new FailureError(
          counts[digit] > most ? 'double' : 'torn',
          `${this.#describeDigit(digit)} counts ${counts[digit]} times at ${view.name}`,
        )
    }
    for (const { name, digits, by } of this.#groups) {
      const moved = by.findIndex(by => by !== 0)
      const times = moved < 0 ? 0 : counts[digits[moved]] / by[moved]
      for (const [i, digit] of digits.entries())
        if (counts[digit] !== times * by[i])
          throw new FailureError(
            'torn',
            `${name}, counts in part at ${view.name}: ${this.#describeDigit(digit)} ${counts[digit]} times`,
          )
    }
    return counts
  }

  /** How often the change of this digit may count: now, or when everything that is on its way has arrived. */
  #rangeOf(digit: number, final: boolean, view: View): [number, number] {
    let least = 0
    let most = 0
    for (const { by, fate, aside } of this.#byDigit[digit]) {
      if (fate === 'dropped') continue
      const isAside = fate === 'aside'
      // A branch shows its own changes from the moment they are made.
      if (isAside && (aside === undefined || view.asides?.has(aside) !== true)) continue
      const must = isAside || (final && (fate === 'pending' || fate === 'confirmed'))
      const can = isAside || !final || fate !== 'refused'
      if (by > 0) {
        if (must) least++
        if (can) most++
      } else {
        if (can) least--
        if (must) most--
      }
    }
    return [least, most]
  }

  /**
   * At any moment: no change counts too often, and sums and parities are those of the changes that count: nobody sees part of one.
   */
  checkView(view: View): void {
    const counts = this.count(view)
    this.#checkSums(view, counts)
    this.#checkWritten(view)
  }

  /** In the end: everything counts as often as it must, and registers hold the largest of what was written. */
  checkFinal(view: View): void {
    const counts = this.count(view)
    for (let digit = 0; digit < counts.length; digit++) {
      const [least, most] = this.#rangeOf(digit, true, view)
      if (counts[digit] >= least && counts[digit] <= most) continue
      const refused = this.#byDigit[digit].some(entry => entry.fate === 'refused')
      throw new FailureError(
        counts[digit] < Math.min(0, least)
          ? 'double'
          : counts[digit] < least
            ? 'lost'
            : refused
              ? 'refused-counts'
              : 'double',
        `${this.#describeDigit(digit)} counts ${counts[digit]} times at ${view.name}, expected ${
          least === most ? least : `${least} to ${most}`
        }`,
      )
    }
    this.#checkSums(view, counts)
    this.#checkLargest(view)
    this.#checkFiles(view, counts)
  }

  /** The same of a hub, which has nothing pending, at any moment. */
  checkHub(view: View): void {
    this.checkView(view)
    this.#checkFiles(view, this.count(view))
  }

  /**
   * Every slot of a region holds what the last change that counts has put there: who becomes a writer has seen all that counts of
   * those before, so changes that count were made in the order in which they count.
   */
  #checkFiles(view: View, counts: Int8Array): void {
    const last = new Map<string, Map<number, number>>()
    for (const { digit, effects } of this.entries)
      for (const effect of effects) {
        if (effect.kind !== 'patch') continue
        const slots = last.get(effect.key) ?? new Map<number, number>()
        last.set(effect.key, slots)
        if (counts[digit] > 0) slots.set(effect.slot, effect.value)
      }
    const row = this.#row
    for (const [key, slots] of last)
      for (const [slot, expected] of slots) {
        row.fill(0)
        view.readRow(filesTable, pageKey(Math.floor(slot / slotsPerPage), key), row)
        const found = row[2 * regionWords.bytes + (slot % slotsPerPage)]
        if (found !== expected)
          throw new FailureError(
            'unwritten',
            `slot ${slot} of region ${key} holds ${found} at ${view.name}, the last writer put ${expected} there`,
          )
      }
  }

  #checkSums(view: View, counts: Int8Array): void {
    const sums = new Map<string, number>()
    const extras = new Map<string, number>()
    const bits = new Map<string, number>()
    for (let digit = 0; digit < counts.length; digit++) {
      const count = counts[digit]
      if (count === 0) continue
      for (const effect of this.#byDigit[digit][0].effects) {
        const { key } = effect
        if (effect.kind === 'sum') sums.set(key, (sums.get(key) ?? 0) + count * effect.by)
        else if (effect.kind === 'extra') extras.set(key, (extras.get(key) ?? 0) + count * effect.by)
        else if (effect.kind === 'flip')
          bits.set(key, (bits.get(key) ?? 0) ^ ((count & 1) * (1 << effect.bit)))
      }
    }
    const row = this.#row
    for (const key of this.#cells) {
      row.fill(0)
      view.readRow(cellsTable, key, row)
      const compare = (what: string, word: number, expected: number) => {
        const found = row[2 * word]
        if (found === expected && row[2 * word + 1] === (what === 'bits' || expected >= 0 ? 0 : -1)) return
        throw new FailureError(
          'torn',
          `${what} of ${key} is ${found} at ${view.name}; the changes that count there make ${expected}`,
        )
      }
      compare('sum', words.sum, sums.get(key) ?? 0)
      compare('bits', words.bits, bits.get(key) ?? 0)
      if (view.cellWords() > words.extra) compare('extra', words.extra, extras.get(key) ?? 0)
    }
  }

  /** Every register and flag holds what some change wrote there. */
  #checkWritten(view: View): void {
    const row = this.#row
    for (const [at, groups] of this.#written) {
      const [key, word] = at.split('/')
      if (Number(word) >= view.cellWords() || !view.readRow(cellsTable, key, row)) continue
      const from = 2 * Number(word)
      const found = row.subarray(from, from + groups[0].length)
      if (found.every(half => half === 0) || groups.some(group => isSame(group, found))) continue
      if (this.#isWrittenAside(view, key, Number(word), found)) continue
      throw new FailureError(
        'unwritten',
        `word ${word} of ${key} holds ${[...found]} at ${view.name}: nobody wrote that`,
      )
    }
  }

  #isWrittenAside({ asides }: View, key: string, word: number, found: Int32Array): boolean {
    if (asides === undefined) return false
    return this.entries.some(
      ({ fate, aside, written }) =>
        fate === 'aside' &&
        aside !== undefined &&
        asides.has(aside) &&
        written.some(one => one.key === key && one.word === word && isSame(one.group, found)),
    )
  }

  #checkLargest(view: View): void {
    const row = this.#row
    const must = new Map<string, Int32Array>()
    const may = new Map<string, Int32Array[]>()
    for (const { fate, written } of this.entries) {
      if (fate === 'refused' || fate === 'aside' || fate === 'dropped') continue
      for (const { key, word, group } of written) {
        const at = `${key}/${word}`
        if (fate === 'unknown') may.set(at, [...(may.get(at) ?? []), group])
        else if (!must.has(at) || compare(must.get(at) ?? group, group) < 0) must.set(at, group)
      }
    }
    for (const at of new Set([...must.keys(), ...may.keys()])) {
      const [key, word] = at.split('/')
      if (Number(word) >= view.cellWords()) continue
      const largest = must.get(at)
      const others = may.get(at) ?? []
      const length = (largest ?? others[0]).length
      row.fill(0)
      view.readRow(cellsTable, key, row)
      const found = row.slice(2 * Number(word), 2 * Number(word) + length)
      if (largest === undefined ? found.every(half => half === 0) : isSame(largest, found)) continue
      if (
        others.some(group => isSame(group, found)) &&
        (largest === undefined || compare(largest, found) < 0)
      )
        continue
      throw new FailureError(
        'unwritten',
        `${isRegister(Number(word)) ? 'register' : 'count'} ${word} of ${key} is ${[...found]} at ${view.name}, the largest written is ${[
          ...(largest ?? []),
        ]}`,
      )
    }
  }

  #describeDigit(digit: number): string {
    return this.#byDigit[digit].map(describe).join(', ')
  }
}

export function describe(entry: Entry): string {
  const what = entry.by > 0 ? 'change' : 'undo'
  return `${what} ${entry.number} of ${entry.author} (#${entry.id}, ${entry.fate})`
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.every((half, i) => half === b[i])
}

/** Groups as unsigned numbers, the first word the most significant. */
function compare(a: Int32Array, b: Int32Array): number {
  for (let i = 0; i < a.length; i += 2) {
    if (a[i + 1] !== b[i + 1]) return (a[i + 1] >>> 0) - (b[i + 1] >>> 0)
    if (a[i] !== b[i]) return (a[i] >>> 0) - (b[i] >>> 0)
  }
  return 0
}

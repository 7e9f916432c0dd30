/**
 * Tabs that share one durable replica: each runs a program on a follower, one of them leads and holds the replica. It does for the engine
 * what `client/tabs.ts` does, on virtual time. Messages between tabs keep their order and may be late; what is under way when a tab dies
 * may come to its end without the rest. The leader may die at any moment; another takes its place from the store.
 */
import type { Delta } from 'atomik/algebra'
import {
  type Branch,
  Follower,
  formatIncarnation,
  Leader,
  type Replica,
  type ReplicaAction,
  type ReplicaEvent,
  type RowRef,
  SeededRandom,
  TouchedRows,
} from 'atomik/engine'
import type { Schema } from 'atomik/schema'
import type { Entry, Ledger, View } from './ledger.ts'
import { Program, perform, readKey } from './program.ts'
import type { EventQueue } from './queue.ts'
import { cellsTable, schemas } from './schema.ts'
import { FailureError } from './verdict.ts'

/** The machine on which the tabs are. */
export interface TabsHost {
  readonly name: string
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly ledger: Ledger
  readonly schema: Schema
  readonly isUpgraded: boolean
  now(): number
  /** A change of a tab becomes one of the replica, under the number returned. */
  take(id: Uint8Array, number: number, delta: Delta, entries: readonly Entry[]): number
  /** Something was taken: it is to be sent and saved soon. */
  schedule(): void
  /** These entries are in the store for certain, or their fate is known. */
  isSaved(entries: readonly Entry[]): boolean
  note(who: string, text: string): void
  count(fault: string): void
}

interface Message {
  readonly from: Tab
  readonly to: Tab
  isLost: boolean
}

class Tab {
  readonly name: string
  readonly follower: Follower
  readonly program: Program
  readonly view: View
  /** Its link to the leader, by which that knows it; undefined while nobody leads that it knows of. */
  peer: number | undefined
  isAlive = true
  /** Changes up to here it was told are saved. */
  saved = 0
  stallsUntilMs = 0
  readonly branches = new Map<number, Branch>()

  constructor(host: TabsHost, name: string, do_: (tab: Tab, actions: readonly ReplicaAction[]) => void) {
    this.name = name
    const random = new SeededRandom(host.random.next32())
    this.follower = new Follower({ schema: host.schema, random32: () => random.next32() })
    const { follower, branches } = this
    this.view = {
      name,
      // What the hub has in new fields comes to the leader first: in the end the rows of both are compared.
      cellWords: () => schemas[0].layouts[cellsTable].words,
      readRow: (table, key, out) => readKey(follower, table, key, out),
    }
    const life = { trunk: follower, branches }
    this.program = new Program({
      ledger: host.ledger,
      name,
      life,
      view: this.view,
      isUpgraded: host.isUpgraded,
      stampFloor: { low: 0, high: 0 },
      now: () => host.now(),
      do: deed => perform(life, deed),
      note: text => host.note(name, text),
      count: what => host.count(what),
    })
    this.step = event => {
      const actions: ReplicaAction[] = []
      follower.step(host.now(), event, actions)
      do_(this, actions)
    }
    this.flush = () => {
      const actions: ReplicaAction[] = []
      follower.flush(host.now(), actions)
      do_(this, actions)
    }
  }

  readonly step: (event: ReplicaEvent) => void
  readonly flush: () => void
}

export class Tabs {
  readonly #host: TabsHost
  readonly #count: number
  #tabs: Tab[] = []
  #leading: Tab | undefined
  #leader: Leader | undefined
  #peers = new Map<number, Tab>()
  #nextPeer = 1
  #nextName = 1
  #touched = new TouchedRows()
  readonly #messages = new Set<Message>()
  /** When the last message between two tabs arrives, by their names. */
  readonly #lastDueMs = new Map<string, number>()

  constructor(host: TabsHost, count: number) {
    this.#host = host
    this.#count = count
  }

  get views(): View[] {
    return this.#tabs.flatMap(({ view, program }) => [view, ...program.asides])
  }

  /** Does what changes something in one of the tabs, and sends it. */
  run(tab: number, what: (program: Program) => boolean): void {
    if (this.#tabs.length === 0) return
    const at = this.#tabs[tab % this.#tabs.length]
    if (what(at.program)) at.flush()
  }

  // ── who leads ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** One of the tabs has the lock and has opened the store. Where there is none any more, new ones open. */
  lead(replica: Replica, taken: ReadonlyMap<string, number>): void {
    const { random, queue } = this.#host
    while (this.#tabs.length === 0) for (let i = 0; i < this.#count; i++) this.#open()
    const leading = this.#tabs[random.below(this.#tabs.length)]
    this.#host.count('tab leads')
    this.#host.note(leading.name, 'leads')
    this.#leading = leading
    this.#touched = new TouchedRows()
    this.#peers = new Map()
    const leader = new Leader(
      {
        replica,
        isLoaded: true,
        isReady: true,
        take: (id, number, delta) => this.#take(id, number, delta),
      },
      taken,
      (peer, bytes) => this.#toTab(leading, peer, bytes),
    )
    this.#leader = leader
    for (const tab of this.#tabs) this.#hearOf(tab)
    // The lock of a tab that is gone is free: nothing of it will come again.
    const names = new Set(this.#tabs.map(({ follower }) => formatIncarnation(follower.id)))
    for (const name of taken.keys())
      if (!names.has(name))
        queue.after(random.below(200), () => {
          if (this.#leader === leader) leader.forget(parseName(name))
        })
  }

  /** A tab hears who leads, some time from now: the link it had is of no use, and it opens another. */
  #hearOf(tab: Tab): void {
    const { random, queue } = this.#host
    const leader = this.#leader
    queue.after(tab === this.#leading ? 0 : random.below(30), () => {
      if (!tab.isAlive || this.#leader !== leader) return
      if (tab.peer !== undefined) tab.step({ type: 'close' })
      tab.peer = undefined
      queue.after(tab === this.#leading ? 0 : random.below(200), () => {
        if (!tab.isAlive || this.#leader !== leader) return
        tab.peer = this.#nextPeer++
        this.#peers.set(tab.peer, tab)
        tab.step({ type: 'open' })
      })
    })
  }

  #open(): void {
    const tab = new Tab(this.#host, `${this.#host.name}.${this.#nextName++}`, (tab, actions) =>
      this.#perform(tab, actions),
    )
    this.#host.note(tab.name, 'opens')
    this.#tabs.push(tab)
    if (this.#leader !== undefined) this.#hearOf(tab)
  }

  // ── who dies ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The process that has the replica is gone, and so is its tab. */
  leaderDies(): void {
    const leading = this.#leading
    this.#leader = undefined
    this.#leading = undefined
    if (leading !== undefined) this.#kill(leading)
  }

  /** One that does not lead ends. */
  otherDies(tab: number): void {
    const others = this.#tabs.filter(one => one !== this.#leading)
    if (others.length === 0) return
    this.#host.count('tab dies')
    this.#kill(others[tab % others.length])
  }

  /** The machine is off. */
  allDie(): void {
    this.#leader = undefined
    this.#leading = undefined
    for (const tab of [...this.#tabs]) this.#kill(tab)
  }

  #kill(tab: Tab): void {
    const { queue, random, ledger } = this.#host
    if (!tab.isAlive) return
    this.#host.note(tab.name, 'dies')
    tab.isAlive = false
    this.#tabs = this.#tabs.filter(one => one !== tab)
    // Of what it has sent a part may come, in order; nothing comes to it.
    let comes = true
    for (const message of this.#messages) {
      if (message.to === tab) message.isLost = true
      if (message.from !== tab) continue
      comes &&= random.next() < 0.7
      message.isLost = !comes
    }
    tab.program.forgetBranches()
    for (const [number, entries] of tab.program.changes)
      if (number > tab.saved) for (const entry of entries) ledger.release(entry)
    const leader = this.#leader
    if (leader !== undefined)
      queue.after(random.below(200), () => {
        if (this.#leader === leader) leader.forget(tab.follower.id)
      })
    queue.after(50 + random.below(1500), () => {
      if (this.#tabs.length < this.#count && this.#tabs.length > 0) this.#open()
    })
  }

  /** Messages to this tab, the leader too, come late. */
  stall(tab: number, untilMs: number): void {
    if (this.#tabs.length === 0) return
    this.#host.count('tab stalls')
    this.#tabs[tab % this.#tabs.length].stallsUntilMs = untilMs
  }

  // ── what they say ───────────────────────────────────────────────────────────────────────────────────────────────

  #post(from: Tab, to: Tab, deliver: () => void): void {
    const { queue, random } = this.#host
    const pair = `${from.name}>${to.name}`
    const delayMs = from === to ? 0 : random.below(5)
    const dueMs = Math.max(queue.nowMs + delayMs, this.#lastDueMs.get(pair) ?? 0, to.stallsUntilMs)
    this.#lastDueMs.set(pair, dueMs)
    const message: Message = { from, to, isLost: false }
    this.#messages.add(message)
    queue.at(dueMs, () => {
      this.#messages.delete(message)
      if (message.isLost) this.#host.count('tab message lost')
      else deliver()
    })
  }

  #toTab(leading: Tab, peer: number, bytes: Uint8Array): void {
    const tab = this.#peers.get(peer)
    if (tab === undefined) return
    this.#post(leading, tab, () => {
      if (tab.isAlive && tab.peer === peer) tab.step({ type: 'message', bytes })
    })
  }

  #perform(tab: Tab, actions: readonly ReplicaAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') {
        const [leading, leader, { peer }] = [this.#leading, this.#leader, tab]
        if (leading === undefined || leader === undefined || peer === undefined) continue
        this.#post(tab, leading, () => {
          if (this.#leader === leader) leader.receive(peer, action.bytes)
        })
      } else if (action.type === 'saved') {
        this.#saved(tab, action.change)
      } else if (action.type === 'fail') {
        throw new FailureError('error', `${tab.name} gets an error: ${action.error.message}`)
      }
    }
  }

  /** What a tab was told is saved must outlive everything from now on. */
  #saved(tab: Tab, change: number): void {
    for (let number = tab.saved + 1; number <= change; number++) {
      const entries = tab.program.changes.get(number) ?? []
      if (!this.#host.isSaved(entries))
        throw new FailureError(
          'early',
          `${tab.name} is told that its change ${number} is saved, and the store does not hold it`,
        )
      for (const entry of entries) {
        entry.isSaved = true
        this.#host.ledger.release(entry)
      }
    }
    tab.saved = Math.max(tab.saved, change)
  }

  #take(id: Uint8Array, number: number, delta: Delta): number {
    const name = formatIncarnation(id)
    // One that is gone may have said so before.
    const tab = [...this.#peers.values()].find(({ follower }) => formatIncarnation(follower.id) === name)
    const change = this.#host.take(id, number, delta, tab?.program.changes.get(number) ?? [])
    this.#touched.add(delta)
    this.#host.schedule()
    return change
  }

  // ── what happens to the replica ─────────────────────────────────────────────────────────────────────────────────

  touch(rows: readonly RowRef[]): void {
    for (const { table, row } of rows) this.#touched.addRow(table, row)
  }

  refused(action: ReplicaAction & { type: 'refused' }): void {
    this.#leader?.refused(action.from, action.to, action.code)
  }

  forked(incarnation: Uint8Array): void {
    this.#leader?.forked(incarnation)
  }

  tell(): void {
    const { rows } = this.#touched
    if (rows.length > 0) {
      this.#touched = new TouchedRows()
      this.#leader?.changed(rows)
    }
    this.#leader?.tell()
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get isSettled(): boolean {
    if (this.#messages.size > 0) return false
    return this.#tabs.every(
      ({ follower }) => follower.isLive && follower.pendingChanges === 0 && follower.accumulator.isEmpty,
    )
  }

  describe(): string {
    return this.#tabs
      .map(
        ({ name, follower }) =>
          `${name} ${follower.isLive ? 'live' : 'waits'} with ${follower.pendingChanges} pending`,
      )
      .join(', ')
  }

  /** Every tab shows what the replica does. @throws FailureError */
  finish(replica: Replica): void {
    const [here, there] = [new Int32Array(64), new Int32Array(64)]
    for (const { name, view } of this.#tabs) {
      this.#host.ledger.checkFinal(view)
      for (const [table, { keys }] of replica.reference.tables.entries())
        for (const [row, key] of keys.entries()) {
          here.fill(0)
          there.fill(0)
          replica.readRow(table, row, there)
          view.readRow(table, key, here)
          if (here.some((half, i) => half !== there[i]))
            throw new FailureError(
              'divergence',
              `${name} shows row ${key} of table ${table} as it is not at its leader`,
            )
        }
    }
    for (const view of this.views) this.#host.ledger.checkView(view)
  }
}

function parseName(name: string): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(name.slice(2 * i, 2 * i + 2), 16))
}

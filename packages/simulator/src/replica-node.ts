/**
 * A replica's process: the engine, its clock, its connection, and the program that makes changes and looks at them. It does for the
 * engine what `client/connect.ts` does, on virtual time.
 *
 * A replica may have a disk. Then a machine that is copied, or set back, goes on from what that disk held; what it had reported saved
 * must be there after every crash. A copy of a machine without one is made while it runs, by living its life again: all inputs of
 * the replica are kept, and the same engine with the same random numbers comes to the same state. From then on the copy draws others.
 *
 * Over 500 lines: process, connection, disk and copies of one machine share the life that ends with each. What programs do is `program.ts`,
 * what tabs are `tabs.ts`.
 */
import { AtomikError } from 'atomik'
import {
  type Branch,
  kept,
  type Put,
  Replica,
  type ReplicaAction,
  type ReplicaEvent,
  type ReplicaImage,
  readReplica,
  SeededRandom,
} from 'atomik/engine'
import type { Schema } from 'atomik/schema'
import type { Halves } from 'atomik/wire'
import type { VirtualDisk } from './disk.ts'
import { describe, type Entry, type Ledger, type View } from './ledger.ts'
import { type ArmedCrash, MachineDisk } from './machine-disk.ts'
import type { Connection } from './network.ts'
import type { PlanItem } from './plan.ts'
import { type Deed, numbersOf, Program, perform, readKey } from './program.ts'
import type { EventQueue } from './queue.ts'
import { cellsTable, schemas } from './schema.ts'
import { Tabs, type TabsHost } from './tabs.ts'
import { FailureError } from './verdict.ts'
import type { WallClock } from './wall-clock.ts'

export interface NodeWorld {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly ledger: Ledger
  readonly unsentBatchesMax: number
  /** No change that makes a row is refused to who has tabs, and the hub forgets none. */
  readonly rowsStay: boolean
  send(connection: Connection, bytes: Uint8Array): void
  /** Asks for a connection; answers by `connected`, or `refusedConnection`. */
  connect(node: ReplicaNode): void
  /** The replica ends a connection. */
  close(connection: Connection): void
  count(fault: string): void
  note(what: string, text: string): void
}

type Input =
  | { readonly kind: 'step'; readonly nowMs: number; readonly event: ReplicaEvent }
  | { readonly kind: 'flush'; readonly nowMs: number }
  | { readonly kind: 'deed'; readonly deed: Deed }

/** A machine as it was: enough to be born again as it. */
export interface Snapshot {
  /** Of a machine with a disk; then it is all there is. */
  readonly disk: VirtualDisk | undefined
  readonly inputs: readonly Input[]
  readonly randomSeed: number
  readonly isUpgraded: boolean
  readonly changes: ReadonlyMap<number, readonly Entry[]>
  readonly lastChange: number
  readonly heardOf: number
}

const spaceName = 's'
const zero: Halves = { low: 0, high: 0 }
const retryMsMin = 100
const retryMsMax = 1500

export class ReplicaNode {
  readonly index: number
  readonly name: string
  readonly clock: WallClock
  replica: Replica
  /** Branches its program has open, in this life. */
  #branches = new Map<number, Branch>()
  readonly program: Program
  connection: Connection | undefined
  /** The process does not run. */
  isDown = false
  /** Times that it was told that nobody knows what of it is in; only a copy may hear that. */
  stranded = 0
  /** Its program knows the fields that were added to the schema. */
  isUpgraded = false
  /** Its connections keep order. */
  isOrdered = false
  /** It runs, or ran, as a copy of a machine. */
  isCopy = false
  /** How many were made of it. */
  copies = 0
  /** Machines that run, or ran, as this one: itself, its copies, and what it was before it was set back. */
  kin = { lives: 1 }
  readonly disk: MachineDisk | undefined
  /** Its programs, when several share its replica; then it has none itself. */
  readonly tabs: Tabs | undefined
  /** What the store says was taken in of tabs. */
  #taken: ReadonlyMap<string, number> = new Map()
  /** Changes of tabs, and which of the replica's they became. */
  readonly #takenAs = new Map<readonly Entry[], number>()
  #mustSave = false
  readonly #world: NodeWorld
  /** Kept when a copy will be made. */
  #inputs: Input[] | undefined
  #randomSeed: number
  #random: SeededRandom
  /** Own changes up to here were reported confirmed or refused. */
  #heardOf = 0
  /** Own changes up to here were reported saved, and the clock's stamp that was saved with them. */
  #saved = 0
  #savedStamp = zero
  /** No register may be written under a stamp that is not larger: what was given or seen before the machine went down. */
  #stampFloor = zero
  #retryMs = retryMsMin
  #life = 0

  /** @param disk what it begins with, when it has one; @param tabs how many share the replica, when any do */
  constructor(
    world: NodeWorld,
    index: number,
    name: string,
    clock: WallClock,
    randomSeed: number,
    disk: VirtualDisk | undefined,
    tabs = 0,
  ) {
    this.#world = world
    this.index = index
    this.name = name
    this.clock = clock
    this.#randomSeed = randomSeed
    this.#random = new SeededRandom(randomSeed)
    this.disk =
      disk &&
      new MachineDisk(
        {
          queue: world.queue,
          random: world.random,
          owner: 'replica',
          count: fault => world.count(fault),
          note: text => this.#note(text),
          powerFails: crash => this.#powerFails(crash),
        },
        disk,
      )
    this.replica = this.#newReplica()
    this.program = this.#newProgram()
    this.tabs = tabs > 0 ? this.#newTabs(tabs) : undefined
  }

  #newProgram(): Program {
    const self = this
    return new Program({
      ledger: this.#world.ledger,
      name: this.name,
      view: this.view,
      get life() {
        return { trunk: self.replica, branches: self.#branches }
      },
      get isUpgraded() {
        return self.isUpgraded
      },
      get stampFloor() {
        return self.#stampFloor
      },
      now: () => this.clock.now(),
      do: deed => this.#do({ kind: 'deed', deed }),
      note: text => this.#note(text),
      count: what => this.#world.count(what),
    })
  }

  /** The row with this key has just been brought to life here. */
  #isNewborn(key: string): boolean {
    const row = new Int32Array(64)
    this.view.readRow(cellsTable, key, row)
    return row[0] === 1 && row[1] === 0
  }

  /** Cells that these entries touch and that never lived here. */
  #deadCells(entries: readonly Entry[]): ReadonlyMap<string, Entry> {
    const dead = new Map<string, Entry>()
    const row = new Int32Array(64)
    for (const entry of entries)
      for (const { key } of entry.effects) {
        this.view.readRow(cellsTable, key, row.fill(0))
        if ((row[0] | row[1]) === 0) dead.set(key, entry)
      }
    return dead
  }

  #newTabs(count: number): Tabs {
    const self = this
    const host: TabsHost = {
      name: this.name,
      queue: this.#world.queue,
      random: this.#world.random,
      ledger: this.#world.ledger,
      get schema() {
        return self.#schema
      },
      get isUpgraded() {
        return self.isUpgraded
      },
      now: () => this.clock.now(),
      take: (id, number, delta, entries) => {
        const unknown = this.#deadCells(entries)
        const change = this.replica.take(this.clock.now(), id, number, delta)
        this.#note(`takes ${numbersOf(entries)} as ${change}`)
        // A row that the tab shows may be unknown here, while the hub tells all anew: it is brought to life with the change.
        for (const [key, entry] of unknown)
          if (this.#isNewborn(key)) this.#world.ledger.wrote(entry, key, 0, Int32Array.of(1, 0))
        this.program.changes.set(change, entries)
        this.#takenAs.set(entries, change)
        for (const entry of entries) entry.holders++
        return change
      },
      schedule: () => {
        if (this.#mustSave) return
        this.#mustSave = true
        const life = this.#life
        this.#world.queue.after(0, () => {
          if (life === this.#life) this.#flush()
        })
      },
      isSaved: entries =>
        (this.#takenAs.get(entries) ?? Number.POSITIVE_INFINITY) <= this.replica.savedChange ||
        entries.every(({ fate }) => fate !== 'pending'),
      note: (who, text) => this.#world.note(who, text),
      count: fault => this.#world.count(fault),
    }
    return new Tabs(host, count)
  }

  #newReplica(): Replica {
    return new Replica({
      schema: this.#schema,
      space: spaceName,
      random32: this.#random32,
      ...(this.disk !== undefined && {
        image: this.#readDisk(this.disk),
        unsentBatchesMax: this.#world.unsentBatchesMax,
      }),
    })
  }

  get #schema(): Schema {
    return schemas[this.isUpgraded ? 1 : 0]
  }

  #readDisk(disk: MachineDisk): ReplicaImage {
    const image = readReplica(disk.storage.range(new Uint8Array(0)), spaceName, this.#schema)
    if (image.damage.length > 0)
      throw new FailureError('store', `${this.name} finds its store damaged: ${image.damage.join('; ')}`)
    this.#taken = image.taken
    return image
  }

  /** One function for all lives of this machine. */
  readonly #random32 = () => this.#random.next32()

  /** A copy will be made of it. */
  keepInputs(): void {
    if (this.disk === undefined) this.#inputs = []
  }

  start(): void {
    this.isDown = false
    this.tabs?.lead(this.replica, this.#taken)
    this.#world.connect(this)
  }

  // ── the program ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Does what changes something: in one of the tabs, when there are any, also while none of them leads. */
  run(tab: number | undefined, what: (program: Program) => boolean): void {
    if (this.tabs !== undefined) this.tabs.run(tab ?? 0, what)
    else if (!this.isDown && what(this.program)) this.#flush()
  }

  /**
   * What its programs show. Of three that run as one, two that hold a change issue it again as the same one; until the hub has told the later
   * of them, that shows it beside the other's. With two no such moment is, and in the end none with three.
   */
  get views(): View[] {
    if (this.kin.lives > 2) return []
    return [...(this.isDown ? [] : [this.view, ...this.program.asides]), ...(this.tabs?.views ?? [])]
  }

  // ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────

  tick(): void {
    if (this.isDown) return
    this.#step({ type: 'tick' })
  }

  #flush(): void {
    const actions: ReplicaAction[] = []
    this.#do({ kind: 'flush', nowMs: this.clock.now() }, actions)
    // Some programs wait for every change to be saved.
    if (this.#mustSave) this.#save(actions)
    else if (this.disk !== undefined && this.#world.random.next() < 0.3)
      this.replica.save(this.clock.now(), actions)
    this.#perform(actions)
  }

  /** What was taken in is written at once, or after the write under way. */
  #save(actions: ReplicaAction[]): void {
    this.replica.save(this.clock.now(), actions)
    if (actions.some(({ type }) => type === 'commit')) this.#mustSave = false
  }

  #step(event: ReplicaEvent): void {
    const actions: ReplicaAction[] = []
    this.#do({ kind: 'step', nowMs: this.clock.now(), event }, actions)
    this.#perform(actions)
  }

  #do(input: Input, actions: ReplicaAction[] = []): number {
    this.#inputs?.push(input)
    return feed(this.replica, this.#branches, input, actions)
  }

  #perform(actions: readonly ReplicaAction[]): void {
    const life = this.#life
    for (const action of kept(actions)) {
      if (life !== this.#life) return
      if (action.type === 'send') {
        if (this.connection !== undefined) this.#world.send(this.connection, action.bytes)
      } else if (action.type === 'refused') {
        this.#note(`changes (${action.from}, ${action.to}] refused: ${action.code}`)
        this.#world.count('refusals')
        if (action.code === 'range' && this.tabs !== undefined && this.#world.rowsStay)
          throw new FailureError('error', `${this.name} names a row that nobody brought to life`)
        this.tabs?.refused(action)
        for (let change = action.from + 1; change <= action.to; change++) {
          for (const entry of this.program.changes.get(change) ?? []) this.#world.ledger.refuse(entry)
        }
      } else if (action.type === 'confirmed') {
        for (let change = this.#heardOf + 1; change <= action.change; change++) {
          for (const entry of this.program.changes.get(change) ?? [])
            this.#world.ledger.confirm(entry, this.#world.queue.nowMs, this.connection?.openedAtMs ?? 0)
        }
        this.#heardOf = Math.max(this.#heardOf, action.change)
      } else if (action.type === 'changed') {
        this.tabs?.touch(action.rows)
      } else if (action.type === 'forked') {
        this.tabs?.forked(action.incarnation)
      } else if (action.type === 'welcome') {
        this.#retryMs = retryMsMin
      } else if (action.type === 'reconnect') {
        this.#note('goes on over another connection')
        this.disconnect()
        this.#retry()
      } else if (action.type === 'commit') {
        this.#commit(action.puts)
      } else if (action.type === 'saved') {
        this.#saved = Math.max(this.#saved, action.change)
      } else if (action.type === 'fail') {
        this.#fail(action.error, action.fatal)
      }
    }
    if (life === this.#life) this.tabs?.tell()
  }

  #commit(puts: readonly Put[]): void {
    const stamp = stampOf(this.replica)
    this.disk?.write(puts, {
      full: () => this.replica.notCommitted(),
      done: () => {
        const actions: ReplicaAction[] = []
        this.replica.committed(this.clock.now(), actions)
        if (this.#mustSave) this.#save(actions)
        this.#savedStamp = stamp
        this.#note(`saved up to ${this.replica.savedChange}`)
        this.#perform(actions)
      },
    })
  }

  #fail(error: AtomikError, fatal: boolean): void {
    const { connection } = this
    if (fatal && error.code === 'fork' && this.isCopy) {
      this.stranded++
      this.#note(`stranded: ${error.message}`)
      this.die(100)
      return
    }
    if (fatal || (connection?.damaged !== true && error.code !== 'fork'))
      throw new FailureError(
        'error',
        `${this.name} gets ${fatal ? 'a fatal error' : 'an error'}: ${error.message}`,
      )
    this.#note(`leaves: ${error.message}`)
    this.disconnect()
    this.#retry()
  }

  // ── connection and process ──────────────────────────────────────────────────────────────────────────────────────

  connected(connection: Connection): void {
    this.connection = connection
    connection.nodeOpen = true
    this.#note('connected')
    this.#step({ type: 'open', isOrdered: connection.isOrdered })
  }

  refusedConnection(): void {
    this.#retry()
  }

  /** The network says that the connection is over. */
  closed(): void {
    this.#note('connection closed')
    this.disconnect()
    this.#retry()
  }

  disconnect(): void {
    const { connection } = this
    if (connection === undefined) return
    this.connection = undefined
    connection.nodeOpen = false
    this.#world.close(connection)
    if (!this.isDown) this.#step({ type: 'close' })
  }

  #retry(): void {
    const life = this.#life
    const waitMs = this.#retryMs * (0.5 + this.#world.random.next() / 2)
    this.#retryMs = Math.min(retryMsMax, 2 * this.#retryMs)
    this.#world.queue.after(waitMs, () => {
      if (life === this.#life && !this.isDown && this.connection === undefined) this.#world.connect(this)
    })
  }

  receive(bytes: Uint8Array): void {
    this.#step({ type: 'message', bytes })
  }

  /** As planned: at once, or when the next commit gets to the point named. */
  crash(crash: ArmedCrash): void {
    if (this.isDown) return
    if (this.disk !== undefined && crash.point !== 'idle') {
      this.disk.armed = crash
      return
    }
    this.#world.count('replica crash')
    this.#powerFails(crash)
  }

  /** The leading tab ends, at once or when the next commit gets to the point named; or another one. */
  crashTab(item: PlanItem & { kind: 'tab dies' }): void {
    if (this.tabs === undefined) return
    if (!item.leads) this.tabs.otherDies(item.tab)
    else if (this.isDown) return
    else if (item.point !== 'idle' && this.disk !== undefined)
      this.disk.armed = { point: item.point, loss: 'kept', downMs: item.downMs, isProcess: true }
    else this.#leaderDies(item.downMs)
  }

  #leaderDies(downMs: number): void {
    this.#world.count('leading tab dies')
    this.die(downMs)
  }

  #powerFails({ loss, downMs, isProcess }: ArmedCrash): void {
    if (isProcess) {
      this.#leaderDies(downMs)
      return
    }
    this.tabs?.allDie()
    const damaged = this.disk?.fail(loss) ?? 0
    this.#note(`crash${this.disk === undefined ? '' : `; ${damaged} unsynced bytes lost`}`)
    this.die(downMs)
  }

  /** Its programs end and start again in the version that knows two more fields. */
  upgrade(downMs: number): void {
    this.isUpgraded = true
    this.tabs?.allDie()
    this.die(downMs)
  }

  /** The process ends; what it held in memory is gone. It starts again after `downMs`. */
  die(downMs: number): void {
    if (this.isDown) return
    this.isDown = true
    this.#life++
    this.#mustSave = false
    this.tabs?.leaderDies()
    this.disk?.stop()
    this.disconnect()
    this.#retryMs = retryMsMin
    if (this.#inputs !== undefined) {
      this.#inputs = []
      this.#randomSeed = this.#world.random.next32()
      this.#random = new SeededRandom(this.#randomSeed)
    }
    this.#open()
    this.#world.queue.after(downMs, () => this.start())
  }

  /** A new process, from what the disk holds; without one from nothing. */
  #open(): void {
    this.disk?.start()
    this.#forgetBranches()
    this.replica = this.#newReplica()
    const { lastChange, confirmedChange } = this.replica
    const { changes } = this.program
    for (const [change, entries] of changes) {
      if (change <= lastChange) continue
      this.#takenAs.delete(entries)
      for (const entry of entries) {
        // What was reported saved is in the store, or the hub had confirmed it.
        if (change <= this.#saved && entry.fate === 'pending')
          throw new FailureError(
            'lost',
            `${describe(entry)} was reported saved, and the store knows changes up to ${lastChange}`,
          )
        this.#world.ledger.release(entry)
      }
      changes.delete(change)
    }
    this.#saved = this.replica.savedChange
    this.#heardOf = confirmedChange
    this.#stampFloor = this.#savedStamp
  }

  #forgetBranches(): void {
    this.program.forgetBranches()
    this.#branches = new Map()
  }

  // ── copies ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The machine as it is now. Undefined when a change is open that only memory holds: a copy would seal it otherwise. */
  snapshot(): Snapshot | undefined {
    if (this.disk === undefined) {
      if (this.isDown || this.#inputs === undefined) return undefined
      if (this.replica.pendingChanges > 0 && (!this.replica.isLive || this.replica.pendingChanges >= 16))
        return undefined
    }
    return {
      disk: this.disk?.copy(),
      inputs: this.#inputs?.slice() ?? [],
      randomSeed: this.#randomSeed,
      isUpgraded: this.isUpgraded,
      changes: new Map(this.program.changes),
      lastChange: this.replica.lastChange,
      heardOf: this.#heardOf,
    }
  }

  /** Becomes the machine of the snapshot; whatever it was before is gone. */
  become(snapshot: Snapshot): void {
    this.kin.lives++
    this.#life++
    this.isDown = true
    this.disk?.stop()
    this.disconnect()
    const { changes } = this.program
    for (const [change, entries] of changes)
      if (snapshot.changes.get(change) !== entries)
        for (const entry of entries) this.#world.ledger.release(entry)
    this.#wake(snapshot, new Set([...changes.values()].flat()))
  }

  /** The same on a machine that was nothing before. */
  wakeAs(snapshot: Snapshot): void {
    this.#wake(snapshot, new Set())
  }

  /** @param held entries that this machine counted among those it holds */
  #wake(snapshot: Snapshot, held: ReadonlySet<Entry>): void {
    this.isCopy = true
    this.isUpgraded = snapshot.isUpgraded
    this.program.changes = new Map(snapshot.changes)
    for (const entries of snapshot.changes.values())
      for (const entry of entries) if (!held.has(entry)) entry.holders++
    // Of branches in the copied memory only the original's is merged: both would count.
    this.#forgetBranches()
    this.#saved = 0
    this.#savedStamp = zero
    if (snapshot.disk === undefined) this.#relive(snapshot)
    else {
      this.disk?.replace(snapshot.disk)
      this.#open()
    }
    this.isDown = false
    this.#step({ type: 'close' })
    this.#world.connect(this)
  }

  #relive(snapshot: Snapshot): void {
    this.#random = new SeededRandom(snapshot.randomSeed)
    this.#randomSeed = snapshot.randomSeed
    this.replica = this.#newReplica()
    for (const input of snapshot.inputs) {
      try {
        feed(this.replica, this.#branches, input, [])
      } catch (error) {
        if (!(error instanceof AtomikError)) throw error
      }
    }
    for (const branch of this.#branches.values()) branch.drop()
    this.#branches = new Map()
    // From here on it is another machine: time and random numbers are its own. No further copy is made of it.
    this.#inputs = undefined
    this.#random = new SeededRandom(this.#world.random.next32())
    this.#heardOf = snapshot.heardOf
  }

  /** In the end the store must hold what the replica holds. @throws FailureError */
  checkStore(): void {
    if (this.disk === undefined) return
    const { storage, hadCommit } = this.disk.settled()
    const actions: ReplicaAction[] = []
    if (hadCommit) this.replica.committed(this.clock.now(), actions)
    this.replica.save(this.clock.now(), actions)
    for (const action of actions) if (action.type === 'commit') storage.finish(storage.begin(action.puts))
    const image = readReplica(storage.range(new Uint8Array(0)), spaceName, this.#schema)
    const again = new Replica({ schema: this.#schema, space: spaceName, random32: this.#random32, image })
    if (image.damage.length > 0 || image.sessions.length > 0)
      throw new FailureError(
        'store',
        `the store of ${this.name} is not at rest: ${image.damage.join('; ')}, ${image.sessions.length} incarnations wait`,
      )
    if (again.reference.digest() !== this.replica.reference.digest() || again.lsn !== this.replica.lsn)
      throw new FailureError('store', `the store of ${this.name} is not what it shows`)
  }

  #note(text: string): void {
    this.#world.note(this.name, text)
  }

  readonly view: View = (() => {
    const self = this
    return {
      get name() {
        return self.name
      },
      // A store that has grown shows new fields as 0 until a hub has told what is in them.
      cellWords: () => {
        const { epoch, schema } = self.replica
        const isKnown = (epoch.low | epoch.high) !== 0
        return (isKnown ? schema : schemas[0]).layouts[cellsTable].words
      },
      readRow: (table: number, key: string, out: Int32Array) => readKey(self.replica, table, key, out),
    }
  })()
}

function stampOf({ clock }: Replica): Halves {
  return { low: clock.low, high: clock.high }
}

function feed(
  replica: Replica,
  branches: Map<number, Branch>,
  input: Input,
  actions: ReplicaAction[],
): number {
  switch (input.kind) {
    case 'step':
      replica.step(input.nowMs, input.event, actions)
      return 0
    case 'flush':
      replica.flush(input.nowMs, actions)
      return 0
    case 'deed':
      return perform({ trunk: replica, branches }, input.deed)
  }
}

/**
 * A replica's process: the engine, its clock, its connection, and the program that makes changes and looks at them. It does for the
 * engine what `client/connect.ts` does, on virtual time.
 *
 * A copy of a running machine is made by living its life again: all inputs of the replica are kept, and the same engine with the same
 * random numbers comes to the same state. From then on the copy draws others.
 */
import { AtomikError } from 'atomik'
import { Replica, type ReplicaAction, type ReplicaEvent, SeededRandom } from 'atomik/engine'
import type { Entry, Ledger, View } from './ledger.ts'
import type { Connection } from './network.ts'
import type { EventQueue } from './queue.ts'
import { cellsTable, schemas, words } from './schema.ts'
import { FailureError } from './verdict.ts'
import type { WallClock } from './wall-clock.ts'
import { type Effect, halvesOf, makeChange, maxWords, registerHalves } from './workload.ts'

export interface NodeWorld {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly ledger: Ledger
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
  | {
      readonly kind: 'change'
      readonly nowMs: number
      readonly digit: number
      readonly effects: readonly Effect[]
    }
  | { readonly kind: 'undo'; readonly nowMs: number; readonly change: number }

/** A machine as it was: enough to be born again as it. */
export interface Snapshot {
  readonly inputs: readonly Input[]
  readonly randomSeed: number
  readonly isUpgraded: boolean
  readonly changes: ReadonlyMap<number, Entry>
  readonly lastChange: number
  readonly heardOf: number
}

const retryMsMin = 100
const retryMsMax = 1500

export class ReplicaNode {
  readonly index: number
  readonly name: string
  readonly clock: WallClock
  replica: Replica
  connection: Connection | undefined
  /** The process does not run. */
  isDown = false
  /** Times that it was told that nobody knows what of it is in; only a copy may hear that. */
  stranded = 0
  /** Its program knows the fields that were added to the schema. */
  isUpgraded = false
  /** It runs, or ran, as a copy of a machine. */
  isCopy = false
  readonly #world: NodeWorld
  /** Kept when a copy will be made. */
  #inputs: Input[] | undefined
  #randomSeed: number
  #random: SeededRandom
  /** Own changes by number, as far as this life knows them. */
  #changes = new Map<number, Entry>()
  /** Own changes up to here were reported confirmed or refused. */
  #heardOf = 0
  #retryMs = retryMsMin
  #life = 0
  readonly #row = new Int32Array(64)

  constructor(world: NodeWorld, index: number, name: string, clock: WallClock, randomSeed: number) {
    this.#world = world
    this.index = index
    this.name = name
    this.clock = clock
    this.#randomSeed = randomSeed
    this.#random = new SeededRandom(randomSeed)
    this.replica = this.#newReplica()
  }

  #newReplica(): Replica {
    return new Replica({
      schema: schemas[this.isUpgraded ? 1 : 0],
      space: 's',
      random32: this.#random32,
    })
  }

  /** One function for all lives of this machine. */
  readonly #random32 = () => this.#random.next32()

  keepInputs(): void {
    this.#inputs = []
  }

  start(): void {
    this.isDown = false
    this.#world.connect(this)
  }

  // ── the program ─────────────────────────────────────────────────────────────────────────────────────────────────

  change(effects: readonly Effect[]): void {
    // What the plan has for the new version waits until it runs.
    if (this.isDown || (!this.isUpgraded && effects.some(({ kind }) => kind === 'extra' || kind === 'note')))
      return
    const { ledger } = this.#world
    const before = this.#readCells(effects)
    const digit = ledger.digits
    const nowMs = this.clock.now()
    const number = this.#do({ kind: 'change', nowMs, digit, effects })
    const entry = ledger.add(this.name, number, { effects })
    this.#changes.set(number, entry)
    this.#note(`change ${number} (#${entry.id})`)
    this.#recordWrites(entry, before)
    this.#checkRead(entry, effects)
    this.#flush()
  }

  /** Undoes the own change `back` before the last, when that can still be undone. */
  undo(back: number): void {
    if (this.isDown) return
    const undone = this.#changes.get(this.replica.lastChange - back)
    if (undone === undefined || undone.fate === 'refused') return
    const before = this.#readCells(undone.effects)
    let number: number
    try {
      number = this.#do({ kind: 'undo', nowMs: this.clock.now(), change: undone.number })
    } catch (error) {
      // Refused, and this replica has heard of it.
      if (error instanceof AtomikError && error.code === 'unknown-change') return
      throw error
    }
    const entry = this.#world.ledger.undo(this.name, number, undone)
    this.#changes.set(number, entry)
    this.#note(`undo of ${undone.number} as ${number} (#${entry.id})`)
    this.#recordWrites(entry, before)
    this.#flush()
  }

  #readCells(effects: readonly Effect[]): Map<string, Int32Array> {
    const rows = new Map<string, Int32Array>()
    for (const { key } of effects) {
      if (rows.has(key)) continue
      const row = new Int32Array(64)
      this.view.readRow(cellsTable, key, row)
      rows.set(key, row)
    }
    return rows
  }

  /** Registers and flags that this change moved, and what it put there. */
  #recordWrites(entry: Entry, before: ReadonlyMap<string, Int32Array>): void {
    for (const [key, then] of before) {
      const now = this.#row
      now.fill(0)
      this.view.readRow(cellsTable, key, now)
      for (const { word, halves } of maxWords) {
        const at = 2 * word
        let moved = false
        for (let half = at; half < at + halves; half++) if (now[half] !== then[half]) moved = true
        if (moved) this.#world.ledger.wrote(entry, key, word, now.slice(at, at + halves))
      }
    }
  }

  /** A program reads what it has just written. */
  #checkRead(entry: Entry, effects: readonly Effect[]): void {
    const last = new Map<string, Effect>()
    for (const effect of effects) last.set(`${effect.kind}/${effect.key}`, effect)
    for (const effect of last.values()) {
      const row = this.#row
      row.fill(0)
      this.view.readRow(cellsTable, effect.key, row)
      if (effect.kind === 'name' || effect.kind === 'pair' || effect.kind === 'note') {
        const at = 2 * words[effect.kind] + 2
        const value = halvesOf(effect)
        for (let i = 0; i < registerHalves[effect.kind]; i++)
          if (row[at + i] !== value[i])
            throw new FailureError(
              'unread',
              `${this.name} wrote ${effect.value} into ${effect.kind} of ${effect.key} (#${entry.id}) and does not read it`,
            )
      } else if (effect.kind === 'flag' && ((row[2 * words.on] & 1) === 1) !== effect.on) {
        throw new FailureError('unread', `${this.name} set the flag of ${effect.key} (#${entry.id}) in vain`)
      }
    }
  }

  // ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────

  tick(): void {
    if (this.isDown) return
    this.#step({ type: 'tick' })
  }

  #flush(): void {
    const actions: ReplicaAction[] = []
    this.#do({ kind: 'flush', nowMs: this.clock.now() }, actions)
    this.#perform(actions)
  }

  #step(event: ReplicaEvent): void {
    const actions: ReplicaAction[] = []
    this.#do({ kind: 'step', nowMs: this.clock.now(), event }, actions)
    this.#perform(actions)
  }

  #do(input: Input, actions: ReplicaAction[] = []): number {
    this.#inputs?.push(input)
    return feed(this.replica, input, actions)
  }

  #perform(actions: readonly ReplicaAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') {
        if (this.connection !== undefined) this.#world.send(this.connection, action.bytes)
      } else if (action.type === 'refused') {
        this.#note(`changes (${action.from}, ${action.to}] refused: ${action.code}`)
        this.#world.count('refusals')
        for (let change = action.from + 1; change <= action.to; change++) {
          const entry = this.#changes.get(change)
          if (entry !== undefined) this.#world.ledger.refuse(entry)
        }
      } else if (action.type === 'confirmed') {
        for (let change = this.#heardOf + 1; change <= action.change; change++) {
          const entry = this.#changes.get(change)
          if (entry !== undefined)
            this.#world.ledger.confirm(entry, this.#world.queue.nowMs, this.connection?.openedAtMs ?? 0)
        }
        this.#heardOf = Math.max(this.#heardOf, action.change)
      } else if (action.type === 'welcome') {
        this.#retryMs = retryMsMin
      } else if (action.type === 'fail') {
        this.#fail(action.error, action.fatal)
      }
    }
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
    this.#step({ type: 'open' })
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

  /** The process ends; what it held in memory is gone. It starts again after `downMs`. */
  die(downMs: number): void {
    if (this.isDown) return
    this.isDown = true
    this.#life++
    this.disconnect()
    for (const entry of this.#changes.values()) this.#world.ledger.release(entry)
    this.#changes = new Map()
    this.#heardOf = 0
    this.#retryMs = retryMsMin
    if (this.#inputs !== undefined) {
      this.#inputs = []
      this.#randomSeed = this.#world.random.next32()
      this.#random = new SeededRandom(this.#randomSeed)
    }
    this.replica = this.#newReplica()
    this.#world.queue.after(downMs, () => this.start())
  }

  // ── copies ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The machine as it is now. Undefined when a change is not sealed yet: a copy would seal it otherwise. */
  snapshot(): Snapshot | undefined {
    if (this.isDown || this.#inputs === undefined) return undefined
    if (this.replica.pendingChanges > 0 && (!this.replica.isLive || this.replica.pendingChanges >= 16))
      return undefined
    return {
      inputs: this.#inputs.slice(),
      randomSeed: this.#randomSeed,
      isUpgraded: this.isUpgraded,
      changes: new Map(this.#changes),
      lastChange: this.replica.lastChange,
      heardOf: this.#heardOf,
    }
  }

  /** Becomes the machine of the snapshot; whatever it was before is gone. */
  become(snapshot: Snapshot): void {
    this.#life++
    this.isDown = true
    this.disconnect()
    for (const [change, entry] of this.#changes)
      if (snapshot.changes.get(change) !== entry) this.#world.ledger.release(entry)
    this.#wake(snapshot, false)
  }

  /** The same on a machine that was nothing before. */
  wakeAs(snapshot: Snapshot): void {
    this.#wake(snapshot, true)
  }

  #wake(snapshot: Snapshot, isSecond: boolean): void {
    this.isCopy = true
    this.isUpgraded = snapshot.isUpgraded
    this.#random = new SeededRandom(snapshot.randomSeed)
    this.#randomSeed = snapshot.randomSeed
    this.replica = this.#newReplica()
    for (const input of snapshot.inputs) {
      try {
        feed(this.replica, input, [])
      } catch (error) {
        if (!(error instanceof AtomikError)) throw error
      }
    }
    // From here on it is another machine: time and random numbers are its own. No further copy is made of it.
    this.#inputs = undefined
    this.#random = new SeededRandom(this.#world.random.next32())
    this.#changes = new Map(snapshot.changes)
    if (isSecond) for (const entry of snapshot.changes.values()) entry.holders++
    this.#heardOf = snapshot.heardOf
    this.isDown = false
    this.#step({ type: 'close' })
    this.#world.connect(this)
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
      cellWords: () => self.replica.schema.layouts[cellsTable].words,
      readRow(table: number, key: string, out: Int32Array) {
        const row = self.replica.findRow(table, key)
        if (row < 0) return false
        self.replica.readRow(table, row, out)
        return true
      },
    }
  })()
}

function feed(replica: Replica, input: Input, actions: ReplicaAction[]): number {
  switch (input.kind) {
    case 'step':
      replica.step(input.nowMs, input.event, actions)
      return 0
    case 'flush':
      replica.flush(input.nowMs, actions)
      return 0
    case 'change':
      return makeChange(replica, input.nowMs, input.digit, input.effects)
    case 'undo':
      return replica.undo(input.nowMs, input.change)
  }
}

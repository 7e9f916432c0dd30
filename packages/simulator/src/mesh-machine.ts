/**
 * A machine on which a node of a mesh runs, with its clock and its program. Nothing it holds outlives its process, unless somebody took an
 * image: then a restart may begin with that. Either way it goes on under a new incarnation and gets the rest from others.
 */
import { type Branch, type MeshAction, type MeshEvent, MeshNode, SeededRandom } from 'atomik/engine'
import type { Halves } from 'atomik/wire'
import type { Entry, Ledger, View } from './ledger.ts'
import type { Connection } from './network.ts'
import type { MeshPlan } from './plan-mesh.ts'
import { Program, perform, readKey } from './program.ts'
import { cellsTable, schemas } from './schema.ts'
import { FailureError } from './verdict.ts'
import type { WallClock } from './wall-clock.ts'

/** The node as it is, and what the oracle asks it. */
class Node extends MeshNode {
  /** The last change of this incarnation that it holds, with all before it. */
  lastOf(incarnation: string): number {
    return this.histories.get(incarnation)?.leaves.at(-1)?.sequence ?? 0
  }

  /** Two nodes with one vector hold one state. */
  get standing(): { readonly vector: Halves; readonly state: Halves } {
    return this.summary
  }
}

export interface MeshWorld {
  readonly ledger: Ledger
  readonly plan: MeshPlan
  send(machine: MeshMachine, connection: Connection, bytes: Uint8Array): void
  /** The machine ends a connection. */
  close(machine: MeshMachine, connection: Connection): void
  count(fault: string): void
  note(who: string, text: string): void
}

export class MeshMachine {
  readonly index: number
  readonly name: string
  readonly clock: WallClock
  readonly program: Program
  isDown = false
  node: Node
  /** Open connections by number, which is what the node calls its peers. */
  readonly connections = new Map<number, Connection>()
  /** Changes of all lives, by incarnation and number. */
  readonly lives = new Map<string, ReadonlyMap<number, readonly Entry[]>>()
  readonly #world: MeshWorld
  readonly #random: SeededRandom
  #branches = new Map<number, Branch>()

  constructor(world: MeshWorld, index: number, clock: WallClock, randomSeed: number) {
    this.#world = world
    this.index = index
    this.name = `m${index}`
    this.clock = clock
    this.#random = new SeededRandom(randomSeed)
    this.node = this.#newNode()
    const self = this
    this.program = new Program({
      ledger: world.ledger,
      name: this.name,
      view: this.view,
      isUpgraded: false,
      stampFloor: { low: 0, high: 0 },
      get life() {
        return { trunk: self.node, branches: self.#branches }
      },
      now: () => clock.now(),
      do: deed => perform({ trunk: this.node, branches: this.#branches }, deed),
      note: text => world.note(this.name, text),
      count: what => world.count(what),
    })
    this.#begin()
  }

  /** One function for all lives of this machine. */
  readonly #random32 = () => this.#random.next32()

  #newNode(): Node {
    const { segmentsKept, skewMsMax } = this.#world.plan
    return new Node({ schema: schemas[0], space: 'm', random32: this.#random32, segmentsKept, skewMsMax })
  }

  #begin(): void {
    this.program.changes = new Map()
    if (this.lives.has(this.node.incarnation))
      throw new FailureError('divergence', `${this.name} starts again under an incarnation it had before`)
    this.lives.set(this.node.incarnation, this.program.changes)
  }

  // ── the program ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Does what changes something, and sends it. */
  run(what: (program: Program) => boolean): void {
    if (this.isDown || !what(this.program)) return
    const actions: MeshAction[] = []
    this.node.flush(this.clock.now(), actions)
    this.#perform(actions)
  }

  tick(): void {
    if (!this.isDown) this.#step({ type: 'tick' })
  }

  // ── the node ────────────────────────────────────────────────────────────────────────────────────────────────────

  opened(connection: Connection): void {
    this.connections.set(connection.id, connection)
    this.#step({ type: 'open', peer: connection.id })
  }

  closed(connection: Connection): void {
    if (this.connections.delete(connection.id)) this.#step({ type: 'close', peer: connection.id })
  }

  receive(connection: Connection, bytes: Uint8Array): void {
    if (this.connections.has(connection.id)) this.#step({ type: 'message', peer: connection.id, bytes })
  }

  #step(event: MeshEvent): void {
    const actions: MeshAction[] = []
    this.node.step(this.clock.now(), event, actions)
    this.#perform(actions)
  }

  #perform(actions: readonly MeshAction[]): void {
    for (const action of actions) {
      const connection = 'peer' in action ? this.connections.get(action.peer) : undefined
      if (action.type === 'send') {
        if (connection !== undefined) this.#world.send(this, connection, action.bytes)
      } else if (action.type === 'fork' || action.type === 'lost') {
        // No machine of this mesh is copied.
        throw new FailureError(
          'divergence',
          `${this.name} is told of a ${action.type} of ${action.incarnation}`,
        )
      } else if (action.type === 'fail' && connection !== undefined) {
        if (!connection.damaged)
          throw new FailureError('error', `${this.name} makes no sense of a peer: ${action.error.message}`)
        this.#world.note(this.name, `leaves: ${action.error.message}`)
        this.#world.close(this, connection)
        this.closed(connection)
      }
    }
    if (this.node.stats.divergences > 0)
      throw new FailureError(
        'divergence',
        `${this.name} and a peer hold the same histories and another state`,
      )
  }

  // ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** All it holds, as bytes. */
  image(): Uint8Array | undefined {
    return this.isDown ? undefined : this.node.image(this.clock.now())
  }

  /** The process ends. What comes next has what the image holds, or nothing. */
  die(image: Uint8Array | undefined): void {
    this.isDown = true
    for (const connection of this.connections.values()) this.#world.close(this, connection)
    this.connections.clear()
    this.program.forgetBranches()
    this.#branches = new Map()
    this.node = this.#newNode()
    if (image !== undefined) this.node.restore(this.clock.now(), image)
    this.#begin()
  }

  start(): void {
    this.isDown = false
  }

  /** The last change of this incarnation that it would pass on. */
  lastOf(incarnation: string): number {
    return incarnation === this.node.incarnation ? this.node.lastChange : this.node.lastOf(incarnation)
  }

  readonly view: View = (() => {
    const self = this
    return {
      get name() {
        return self.name
      },
      cellWords: () => schemas[0].layouts[cellsTable].words,
      readRow: (table: number, key: string, out: Int32Array) => readKey(self.node, table, key, out),
    }
  })()
}

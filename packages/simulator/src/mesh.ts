/**
 * A mesh in a simulation: machines of a space without a hub, on links of the same faulty network, with a ledger of their own. A node that
 * starts again comes back empty. What it alone held may be gone; what another holds must reach everybody.
 */
import { formatIncarnation, SeededRandom } from 'atomik/engine'
import { decodeMesh, type MeshFrame } from 'atomik/wire'
import { Ledger } from './ledger.ts'
import { MeshMachine } from './mesh-machine.ts'
import { type Connection, calm, Network } from './network.ts'
import type { Plan, PlanItem } from './plan.ts'
import type { MeshPlan } from './plan-mesh.ts'
import type { EventQueue } from './queue.ts'
import { FailureError } from './verdict.ts'
import { WallClock } from './wall-clock.ts'

export interface MeshHost {
  readonly queue: EventQueue
  readonly isRecording: boolean
  count(fault: string): void
  note(who: string, text: string): void
}

const tickMs = 50

export class Mesh {
  readonly ledger = new Ledger()
  readonly machines: MeshMachine[] = []
  readonly #host: MeshHost
  readonly #plan: MeshPlan
  readonly #network: Network
  readonly #random: SeededRandom
  /** The last connection of each link. */
  readonly #connections: (Connection | undefined)[] = []
  #nextConnection = 1
  #isHealed = false
  #looked = 0

  constructor(host: MeshHost, plan: MeshPlan, { seed, healAtMs, items }: Plan) {
    this.#host = host
    this.#plan = plan
    const { queue } = host
    this.#random = new SeededRandom(seed ^ 0x6d_65_73)
    this.#network = new Network(queue, new SeededRandom(seed ^ 0x77_69_72), {
      toHub: (connection, bytes) => this.#end(connection, 'hub').receive(connection, bytes),
      toNode: (connection, bytes) => this.#end(connection, 'node').receive(connection, bytes),
      hubClosed: connection => this.#hears(connection, 'hub'),
      nodeClosed: connection => this.#hears(connection, 'node'),
      congestion: () => {},
      count: fault => host.count(fault),
    })
    for (let index = 0; index < plan.nodes; index++) {
      const clock = new WallClock(queue, this.#random.below(2000) - 1000)
      const machine = new MeshMachine(
        {
          ledger: this.ledger,
          plan,
          send: (from, connection, bytes) => this.#send(from, connection, bytes),
          close: (from, connection) => this.#leave(from, connection),
          count: fault => host.count(fault),
          note: (who, text) => host.note(who, text),
        },
        index,
        clock,
        seed * 137 + index,
      )
      this.machines.push(machine)
      this.#tick(machine)
    }
    for (const link of plan.links.keys()) {
      this.#network.addNode()
      this.#dial(link)
    }
    for (const item of items) if (item.space === 'mesh') this.#expect(item)
    queue.at(healAtMs, () => {
      this.#isHealed = true
      this.#network.heal()
    })
  }

  #tick(machine: MeshMachine): void {
    this.#host.queue.after(tickMs, () => {
      machine.tick()
      this.#tick(machine)
    })
  }

  // ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #endOf(machine: MeshMachine, { node: link }: Connection): 'node' | 'hub' {
    return this.#plan.links[link][0] === machine.index ? 'node' : 'hub'
  }

  #end({ node: link }: Connection, end: 'node' | 'hub'): MeshMachine {
    return this.machines[this.#plan.links[link][end === 'node' ? 0 : 1]]
  }

  /** Whoever finds that a link is not there tries again, for ever. */
  #dial(link: number): void {
    const { queue } = this.#host
    queue.after(20 + this.#random.below(150), () => {
      this.#dial(link)
      const last = this.#connections[link]
      if (last?.nodeOpen === true && last.hubOpen) return
      const ends = this.#plan.links[link].map(index => this.machines[index])
      if (ends.some(({ isDown }) => isDown) || this.#network.isBlocked(link)) return
      const connection: Connection = {
        id: this.#nextConnection++,
        node: link,
        openedAtMs: queue.nowMs,
        isOrdered: this.#plan.ordered[link],
        nodeOpen: true,
        hubOpen: true,
        damaged: false,
        lastDueMs: { up: 0, down: 0 },
        arrived: { up: -1, down: -1 },
        waitingBytes: 0,
        congested: false,
        heldUp: { up: [], down: [] },
      }
      this.#connections[link] = connection
      this.#host.note('mesh', `${ends.map(({ name }) => name).join(' and ')} are connected`)
      for (const machine of ends) machine.opened(connection)
    })
  }

  #send(machine: MeshMachine, connection: Connection, bytes: Uint8Array): void {
    const end = this.#endOf(machine, connection)
    if (this.#host.isRecording) {
      const to = this.#end(connection, end === 'node' ? 'hub' : 'node').name
      this.#host.note(machine.name, `sends to ${to}: ${decodeMesh(bytes).map(summaryOf).join('; ')}`)
    }
    this.#network.send(connection, end === 'node' ? 'up' : 'down', bytes)
  }

  #leave(machine: MeshMachine, connection: Connection): void {
    const end = this.#endOf(machine, connection)
    if (end === 'node') connection.nodeOpen = false
    else connection.hubOpen = false
    this.#network.close(connection, end === 'node' ? 'hub' : 'node')
  }

  #hears(connection: Connection, end: 'node' | 'hub'): void {
    if (end === 'node') connection.nodeOpen = false
    else connection.hubOpen = false
    this.#end(connection, end).closed(connection)
  }

  // ── what was planned ────────────────────────────────────────────────────────────────────────────────────────────

  #expect(item: PlanItem): void {
    const { queue } = this.#host
    if (item.kind !== 'mesh restart') {
      queue.at(item.atMs, () => this.#happen(item))
      return
    }
    let image: Uint8Array | undefined
    if (item.takenAtMs !== undefined)
      queue.at(item.takenAtMs, () => {
        image = this.machines[item.node].image()
      })
    queue.at(item.atMs, () => this.#restart(this.machines[item.node], item.downMs, image))
  }

  #happen(item: PlanItem): void {
    switch (item.kind) {
      case 'change':
        this.machines[item.node].run(program => program.change(item.effects, item.branch))
        return
      case 'undo':
        this.machines[item.node].run(program => program.undo(item.back, item.branch))
        return
      case 'branch':
        this.machines[item.node].run(program => program.branch(item.branch, item.under))
        return
      case 'branch ends':
        this.machines[item.node].run(program => program.end(item.branch, item.how))
        return
      case 'weather': {
        const { drop, repeat, delayMs, reorder, node, untilMs } = item
        const weather = { drop, repeat, delayMs, reorder }
        this.#network.weather[node] = weather
        this.#host.queue.at(untilMs, () => {
          if (this.#network.weather[node] === weather) this.#network.weather[node] = { ...calm }
        })
        return
      }
      case 'partition':
        this.#network.partition(item.node, item.way, 1)
        this.#host.note(
          'mesh',
          `${item.way} blocked between ${this.#plan.links[item.node].map(i => `m${i}`)}`,
        )
        this.#host.queue.at(item.untilMs, () => {
          if (!this.#isHealed) this.#network.partition(item.node, item.way, -1)
        })
        return
      case 'cut': {
        const connection = this.#connections[item.node]
        if (connection?.nodeOpen === true && connection.hubOpen) this.#network.cut(connection, item.midFrame)
        return
      }
      case 'clock jump':
        this.#host.count('clock jump')
        this.#host.note(`m${item.node}`, `clock set by ${item.byMs} ms`)
        this.machines[item.node].clock.jump(item.byMs)
        return
      case 'clock drift':
        this.#host.count('clock drift')
        this.machines[item.node].clock.drift(item.rate)
        return
    }
  }

  #restart(machine: MeshMachine, downMs: number, image: Uint8Array | undefined): void {
    if (machine.isDown) return
    this.#host.count(image === undefined ? 'mesh node restarted empty' : 'mesh node restarted from an image')
    this.#host.note(machine.name, `ends; the next begins ${image === undefined ? 'empty' : 'with an image'}`)
    machine.die(image)
    this.#judge()
    this.#host.queue.after(downMs, () => machine.start())
  }

  /** A node is gone: what nobody else holds may come out of the network yet, or not. */
  #judge(): void {
    for (const { lives } of this.machines)
      for (const [incarnation, changes] of lives) {
        const last = Math.max(...this.machines.map(machine => machine.lastOf(incarnation)))
        for (const [number, entries] of changes)
          if (number > last) for (const entry of entries) if (entry.fate === 'pending') entry.fate = 'unknown'
      }
  }

  // ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks at what one node shows, another each time. */
  look(): void {
    const machine = this.machines[this.#looked++ % this.machines.length]
    if (machine.isDown) return
    for (const view of [machine.view, ...machine.program.asides]) this.ledger.checkView(view)
  }

  get isSettled(): boolean {
    const [{ node: first }] = this.machines
    const { vector, state } = first.standing
    return this.machines.every(({ isDown, node }) => {
      const own = node.standing
      return (
        !isDown &&
        node.openChanges === 0 &&
        own.vector.low === vector.low &&
        own.vector.high === vector.high &&
        own.state.low === state.low &&
        own.state.high === state.high
      )
    })
  }

  describe(): string {
    return this.machines
      .map(({ name, isDown, node }) =>
        isDown
          ? `${name} down`
          : `${name} with ${node.historyCount} histories, ${node.openChanges} open changes, ${node.peerCount} peers`,
      )
      .join('; ')
  }

  /** In the end: everything counts as often as it must, on every node. */
  finish(): void {
    const digest = this.machines[0].node.reference.digest()
    for (const { node, name, view, program } of this.machines) {
      if (!node.accumulator.isEmpty)
        throw new FailureError('divergence', `${name} has nothing open and an accumulator that is not empty`)
      if (node.reference.digest() !== digest)
        throw new FailureError('divergence', `${name} has another digest than ${this.machines[0].name}`)
      this.ledger.checkFinal(view)
      for (const aside of program.asides) this.ledger.checkView(aside)
    }
  }
}

/** A frame in a few words. */
function summaryOf(frame: MeshFrame): string {
  if (frame.type === 'segments')
    return `segments of ${nameOf(frame.incarnation)}: ${frame.segments.map(({ from, to }) => `(${from.sequence}, ${to.sequence}]`).join(' ')}`
  if (frame.type === 'whole')
    return `the beginning of ${nameOf(frame.incarnation)} up to ${frame.to.sequence}`
  if (frame.type === 'vector')
    return `vector ${frame.entries.map(({ incarnation, leaves }) => `${nameOf(incarnation)} at ${leaves.map(({ sequence }) => sequence).join(', ')}`).join('; ')}`
  return frame.type
}

function nameOf(incarnation: Uint8Array): string {
  return formatIncarnation(incarnation).slice(0, 6)
}

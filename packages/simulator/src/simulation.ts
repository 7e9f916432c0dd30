/**
 * A cluster on one seed: replicas and a hub, the same engine code as ever, on a virtual clock, network and disk. `step` runs the next
 * event; between steps everything can be looked at. First come faults, and safety is checked; then everything heals, and
 * all must become equal within a bound of virtual time.
 *
 * Over 500 lines, a third of them what each item of a plan does.
 */
import { SeededRandom } from 'atomik/engine'
import { decodeDownlink, decodeUplink } from 'atomik/wire'
import { VirtualDisk } from './disk.ts'
import { HubNode, skewMsMax } from './hub-node.ts'
import { Ledger } from './ledger.ts'
import type { MachineDisk } from './machine-disk.ts'
import { Mesh } from './mesh.ts'
import { type Connection, calm, Network } from './network.ts'
import { drawPlan, type Plan, type PlanItem } from './plan.ts'
import { EventQueue } from './queue.ts'
import { ReplicaNode, type Snapshot } from './replica-node.ts'
import { cellsTable } from './schema.ts'
import { type Failure, FailureError } from './verdict.ts'
import { WallClock } from './wall-clock.ts'
import { isRegister, maxWords } from './workload.ts'

/** Equality must come within this time after healing. */
export const convergeMsMax = 120_000
const replicaTickMs = 50
const hubTickMs = 100
const lookMs = 300

export interface SimulationOptions {
  readonly seed: number
  /** Default: the seed's own. */
  readonly plan?: Plan
  /** Keeps what happened, for people. Default false. */
  readonly record?: boolean
}

export interface SimulationEvent {
  readonly atMs: number
  /** `hub`, `network`, or a replica's name. */
  readonly who: string
  readonly text: string
}

export interface Outcome {
  readonly seed: number
  readonly failure: Failure | undefined
  /** Faults of each kind that were injected: a planned one that met nothing is not counted. */
  readonly faults: Readonly<Record<string, number>>
  readonly changes: number
  readonly virtualMs: number
  /** From healing to equality. */
  readonly convergeMs: number
}

export class Simulation {
  readonly plan: Plan
  readonly queue = new EventQueue()
  readonly ledger = new Ledger()
  readonly network: Network
  readonly hub: HubNode
  readonly replicas: ReplicaNode[] = []
  /** Nodes of a space without a hub. */
  readonly mesh: Mesh | undefined
  readonly faults: Record<string, number> = {}
  readonly events: SimulationEvent[] = []
  /** Set when the run is over. */
  outcome: Outcome | undefined
  #isHealed = false
  readonly #isRecording: boolean
  readonly #random: SeededRandom
  readonly #connections = new Map<number, Connection>()
  #nextConnection = 1
  /** Digests seen, by epoch and log number. */
  readonly #digests = new Map<string, { low: number; high: number; who: string }>()
  #backup: VirtualDisk | undefined
  /** Latest the hub's clock was, when it may have judged a stamp. */
  #hubLatestMs = 0
  #looked = 0

  constructor(options: SimulationOptions) {
    this.plan = options.plan ?? drawPlan(options.seed)
    this.#isRecording = options.record ?? false
    // Faults, machines and network draw from streams of their own: taking one item out of a plan disturbs the rest less.
    this.#random = new SeededRandom(options.seed ^ 0x51_5eed)
    const { queue } = this
    this.network = new Network(queue, new SeededRandom(options.seed ^ 0x4e_e7), {
      toHub: (connection, bytes) => this.hub.receive(connection, bytes),
      toNode: (connection, bytes) => this.#toNode(connection, bytes),
      hubClosed: connection => this.hub.leave(connection),
      nodeClosed: connection => this.replicas[connection.node].closed(),
      congestion: (connection, congested) => this.hub.congestion(connection, congested),
      count: fault => this.#count(fault),
    })
    this.hub = new HubNode(
      {
        queue,
        random: new SeededRandom(options.seed ^ 0x4b_4b),
        logBytesMax: this.plan.logBytesMax,
        send: (connection, bytes) => this.#send(connection, 'down', bytes),
        close: connection => this.network.close(connection, 'node'),
        count: fault => this.#count(fault),
        note: (who, text) => this.#note(who, text),
      },
      new WallClock(queue, 0),
    )
    for (const [i, isDurable] of this.plan.durable.entries())
      this.#addReplica(
        `r${i}`,
        isDurable ? new VirtualDisk() : undefined,
        this.plan.ordered[i],
        this.plan.tabs?.[i],
      )
    for (const item of this.plan.items) if (item.space === undefined) this.#plan(item)
    const { mesh } = this.plan
    if (mesh !== undefined) {
      const count = (fault: string) => this.#count(fault)
      const note = (who: string, text: string) => this.#note(who, text)
      this.mesh = new Mesh({ queue, isRecording: this.#isRecording, count, note }, mesh, this.plan)
    }
    queue.at(this.plan.healAtMs, () => this.#heal())
    this.#guard(() => {
      this.hub.start()
      for (const node of this.replicas) node.start()
    })
    this.#repeat(hubTickMs, () => {
      this.#hubLatestMs = Math.max(this.#hubLatestMs, this.hub.clock.now())
      this.hub.tick()
    })
    this.#repeat(lookMs, () => this.#look())
  }

  get nowMs(): number {
    return this.queue.nowMs
  }

  get isHealed(): boolean {
    return this.#isHealed
  }

  /** Runs the next event. False when the run is over; then `outcome` says how it ended. */
  step(): boolean {
    if (this.outcome !== undefined) return false
    this.#guard(() => this.queue.step())
    return this.outcome === undefined
  }

  /** Runs to the end. */
  run(): Outcome {
    while (this.outcome === undefined) this.step()
    return this.outcome
  }

  // ── machinery ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whatever is thrown in here ends the run. */
  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      const failure: Failure =
        error instanceof FailureError
          ? error.failure
          : {
              kind: 'error',
              message: error instanceof Error ? (error.stack ?? error.message) : String(error),
            }
      this.#end(failure)
    }
  }

  #end(failure: Failure | undefined): void {
    if (failure !== undefined) this.#note('oracle', `${failure.kind}: ${failure.message}`)
    this.outcome = {
      seed: this.plan.seed,
      failure,
      faults: this.faults,
      changes: this.ledger.entries.length + (this.mesh?.ledger.entries.length ?? 0),
      virtualMs: this.nowMs,
      convergeMs: Math.max(0, this.nowMs - this.plan.healAtMs),
    }
  }

  #count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }

  #note(who: string, text: string): void {
    if (this.#isRecording) this.events.push({ atMs: this.nowMs, who, text })
  }

  #repeat(everyMs: number, run: () => void): void {
    this.queue.after(everyMs, () => {
      run()
      this.#repeat(everyMs, run)
    })
  }

  #addReplica(name: string, disk: VirtualDisk | undefined, isOrdered: boolean, tabs = 0): ReplicaNode {
    const index = this.replicas.length
    const { queue, ledger } = this
    const clock = new WallClock(queue, this.#random.below(4000) - 2000)
    const node = new ReplicaNode(
      {
        queue,
        ledger,
        unsentBatchesMax: this.plan.unsentBatchesMax,
        rowsStay: !this.plan.items.some(
          ({ kind, space }) => kind === 'hub restore' || (kind === 'clock jump' && space === undefined),
        ),
        random: new SeededRandom(this.plan.seed * 31 + index),
        send: (connection, bytes) => this.#send(connection, 'up', bytes),
        connect: from => this.#connect(from),
        close: connection => this.network.close(connection, 'hub'),
        count: fault => this.#count(fault),
        note: (who, text) => this.#note(who, text),
      },
      index,
      name,
      clock,
      this.plan.seed * 131 + index,
      disk,
      tabs,
    )
    node.isOrdered = isOrdered
    this.replicas.push(node)
    this.network.addNode()
    this.#repeat(replicaTickMs, () => node.tick())
    return node
  }

  #connect(node: ReplicaNode): void {
    this.queue.after(5 + this.#random.below(20), () => {
      if (node.isDown || node.connection !== undefined) return
      if (this.hub.isDown || this.network.isBlocked(node.index)) {
        node.refusedConnection()
        return
      }
      const connection: Connection = {
        id: this.#nextConnection++,
        node: node.index,
        openedAtMs: this.nowMs,
        isOrdered: node.isOrdered,
        nodeOpen: true,
        hubOpen: true,
        damaged: false,
        lastDueMs: { up: 0, down: 0 },
        arrived: { up: -1, down: -1 },
        waitingBytes: 0,
        congested: false,
        heldUp: { up: [], down: [] },
      }
      this.#connections.set(connection.id, connection)
      this.hub.accept(connection)
      node.connected(connection)
    })
  }

  #send(connection: Connection, direction: 'up' | 'down', bytes: Uint8Array): void {
    if (this.#isRecording)
      this.#note(
        direction === 'up' ? this.replicas[connection.node].name : 'hub',
        `${direction === 'up' ? 'sends' : `sends to ${this.replicas[connection.node].name}:`} ${summary(direction, bytes)}`,
      )
    this.network.send(connection, direction, bytes)
  }

  #toNode(connection: Connection, bytes: Uint8Array): void {
    const node = this.replicas[connection.node]
    const { lsn } = node.replica
    node.receive(bytes)
    if (node.replica.lsn === lsn) return
    this.#compareDigest(node)
    if (connection.hubOpen && node.replica.isLive && node.replica.lsn > this.hub.syncedLsn)
      throw new FailureError(
        'early',
        `${node.name} stands at log number ${node.replica.lsn}, the disk at ${this.hub.syncedLsn}`,
      )
  }

  /** Whoever stands at one log number of one epoch has one digest. */
  #compareDigest(node: ReplicaNode): void {
    const { replica } = node
    const { low, high } = replica.reference.fingerprint
    const at = `${replica.epoch.low},${replica.epoch.high},${replica.lsn},${replica.schema.hash}`
    const known = this.#digests.get(at)
    if (known === undefined) this.#digests.set(at, { low, high, who: node.name })
    else if (known.low !== low || known.high !== high)
      throw new FailureError(
        'divergence',
        `${node.name} and ${known.who} have different digests at log number ${replica.lsn}`,
      )
    if (replica.stats.divergences > 0)
      throw new FailureError('divergence', `${node.name} found itself different from the hub and loaded anew`)
  }

  /** Looks at one replica's view, another each time. */
  #look(): void {
    if (this.#isHealed && this.#isSettled()) {
      this.#finish()
      return
    }
    if (this.nowMs > this.plan.healAtMs + convergeMsMax) this.#stuck()
    if (this.#isHealed && this.nowMs > this.plan.healAtMs + 2000) return
    const node = this.replicas[this.#looked++ % this.replicas.length]
    this.mesh?.look()
    for (const view of node.views) this.ledger.checkView(view)
    if (this.#looked % 4 === 0 && this.hub.space !== undefined) this.ledger.checkHub(this.hub.view)
  }

  // ── what was planned ────────────────────────────────────────────────────────────────────────────────────────────

  #plan(item: PlanItem): void {
    if (item.kind === 'clone') this.replicas[item.node].keepInputs()
    if (item.kind === 'restore') {
      const node = this.replicas[item.node]
      node.keepInputs()
      let snapshot: Snapshot | undefined
      this.queue.at(item.takenAtMs, () => {
        snapshot = node.snapshot()
        if (snapshot !== undefined) this.#note(node.name, 'snapshot of the machine taken')
      })
      this.queue.at(item.atMs, () => {
        if (snapshot === undefined) return
        this.#count('restore from backup')
        this.#note(node.name, `goes back to how it was at ${item.takenAtMs} ms`)
        node.become(snapshot)
      })
      return
    }
    if (item.kind === 'hub restore')
      this.queue.at(item.takenAtMs, () => {
        this.#backup = this.hub.disk.copy()
      })
    this.queue.at(item.atMs, () => this.#happen(item))
  }

  #happen(item: PlanItem): void {
    switch (item.kind) {
      case 'change':
        // A copy that was planned is there only when it could be made.
        this.replicas[item.node]?.run(item.tab, program => program.change(item.effects, item.branch))
        return
      case 'undo':
        this.replicas[item.node].run(item.tab, program => program.undo(item.back, item.branch))
        return
      case 'branch':
        this.replicas[item.node].run(item.tab, program => program.branch(item.branch, item.under))
        return
      case 'branch ends':
        this.replicas[item.node].run(item.tab, program => program.end(item.branch, item.how))
        return
      case 'tab dies':
        this.replicas[item.node].crashTab(item)
        return
      case 'tab stalls':
        this.replicas[item.node].tabs?.stall(item.tab, item.untilMs)
        return
      case 'weather': {
        const { drop, repeat, delayMs, reorder, node, untilMs } = item
        const weather = { drop, repeat, delayMs, reorder }
        this.network.weather[node] = weather
        this.queue.at(untilMs, () => {
          if (this.network.weather[node] === weather) this.network.weather[node] = { ...calm }
        })
        return
      }
      case 'partition':
        this.network.partition(item.node, item.way, 1)
        this.#note('network', `${item.way} blocked for r${item.node} until ${item.untilMs}`)
        this.queue.at(item.untilMs, () => {
          if (!this.#isHealed) this.network.partition(item.node, item.way, -1)
        })
        return
      case 'slow':
        this.network.slow[item.node]++
        this.queue.at(item.untilMs, () => {
          if (!this.#isHealed) this.network.slow[item.node]--
        })
        return
      case 'cut': {
        const { connection } = this.replicas[item.node]
        if (connection === undefined) return
        this.#note('network', `connection of r${item.node} cut`)
        this.network.cut(connection, item.midFrame)
        return
      }
      case 'crash':
        this.replicas[item.node].crash(item)
        return
      case 'schema upgrade': {
        const node = this.replicas[item.node]
        if (node.isDown || node.isUpgraded) return
        this.#count('schema upgrade')
        this.#note(node.name, 'starts again with the new schema')
        node.upgrade(item.downMs)
        return
      }
      case 'checkpoint':
        if (this.hub.space === undefined) return
        this.#count('checkpoint')
        this.hub.checkpoint()
        return
      case 'clone': {
        const snapshot = this.replicas[item.node].snapshot()
        if (snapshot === undefined) return
        this.#count('clone')
        const original = this.replicas[item.node]
        const copy = this.#addReplica(
          `r${item.node}${"'".repeat(++original.copies)}`,
          snapshot.disk && new VirtualDisk(),
          original.isOrdered,
        )
        this.#note(copy.name, `wakes up as a copy of r${item.node}`)
        original.isCopy = true
        original.kin.lives++
        copy.kin = original.kin
        copy.wakeAs(snapshot)
        return
      }
      case 'clock jump':
        this.#count('clock jump')
        this.#note(item.node < 0 ? 'hub' : `r${item.node}`, `clock set by ${item.byMs} ms`)
        this.#clockOf(item.node).jump(item.byMs)
        return
      case 'clock drift':
        this.#count('clock drift')
        this.#clockOf(item.node).drift(item.rate)
        return
      case 'hub crash':
        if (this.hub.isDown) return
        if (item.point !== 'idle') {
          this.hub.disk.armed = item
        } else {
          this.#count('hub crash idle')
          this.hub.crash(item.loss, item.downMs)
        }
        return
      case 'hub restore':
        if (this.#backup === undefined) return
        this.#count('hub restored from backup')
        this.#note('hub', `its disk is that of ${item.takenAtMs} ms`)
        this.ledger.setBack(item.takenAtMs, this.nowMs)
        this.hub.restore(this.#backup)
        return
      case 'disk full':
        this.#fillDisk(item)
        return
    }
  }

  #fillDisk({ node, untilMs }: PlanItem & { kind: 'disk full' }): void {
    const disk = node < 0 ? this.hub.disk : this.replicas[node].disk
    if (disk === undefined) return
    disk.isFull = true
    this.queue.at(untilMs, () => {
      disk.isFull = false
    })
  }

  get #disks(): MachineDisk[] {
    const all = [this.hub.disk, ...this.replicas.map(({ disk }) => disk)]
    return all.filter(disk => disk !== undefined)
  }

  #clockOf(node: number): WallClock {
    return node < 0 ? this.hub.clock : this.replicas[node].clock
  }

  #heal(): void {
    this.#isHealed = true
    this.#note('network', 'everything heals')
    this.network.heal()
    for (const disk of this.#disks) {
      disk.armed = undefined
      disk.isFull = false
    }
    if (this.hub.isDown) this.hub.start()
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #isSettled(): boolean {
    const { space } = this.hub
    if (space === undefined || space.lsn !== space.durableLsn) return false
    if (this.mesh?.isSettled === false) return false
    if (this.network.flights.size > 0) return false
    return this.replicas.every(
      ({ isDown, connection, replica, tabs }) =>
        !isDown &&
        tabs?.isSettled !== false &&
        connection?.hubOpen === true &&
        replica.isLive &&
        replica.pendingChanges === 0 &&
        replica.lsn === space.lsn,
    )
  }

  #stuck(): never {
    const { space } = this.hub
    const states = this.replicas.map(
      ({ name, isDown, connection, replica, tabs }) =>
        `${tabs === undefined ? '' : `${tabs.describe()}; `}${name} ${isDown ? 'down' : connection === undefined ? 'not connected' : replica.isLive ? 'live' : 'greeting'} at ${replica.lsn} with ${replica.pendingChanges} pending`,
    )
    throw new FailureError(
      'stuck',
      `not equal ${convergeMsMax / 1000} s after healing: hub ${space === undefined ? 'closed' : `at ${space.lsn}, durable ${space.durableLsn}`}; ${states.join('; ')}${this.mesh === undefined ? '' : `; mesh: ${this.mesh.describe()}`}`,
    )
  }

  #finish(): void {
    const { space } = this.hub
    if (space === undefined) return
    const digest = space.reference.digest()
    this.ledger.checkFinal(this.hub.view)
    for (const node of this.replicas) {
      const { replica, name } = node
      if (!replica.accumulator.isEmpty)
        throw new FailureError(
          'divergence',
          `${name} has nothing pending and an accumulator that is not empty`,
        )
      // Who does not know all fields has another digest; it was compared with its like on the way.
      if (replica.schema.hash === space.schema.hash && replica.reference.digest() !== digest)
        throw new FailureError('divergence', `${name} differs from the hub at log number ${replica.lsn}`)
      if (replica.stats.divergences > 0)
        throw new FailureError('divergence', `${name} found itself different from the hub and loaded anew`)
      this.ledger.checkFinal(node.view)
      for (const view of node.program.asides) this.ledger.checkView(view)
      node.tabs?.finish(replica)
      node.checkStore()
    }
    const stored = this.hub.reopened()
    if (stored.digest !== digest || stored.lsn !== space.lsn)
      throw new FailureError('store', 'what the disk holds is not what the hub serves')
    this.#checkSkew()
    this.mesh?.finish()
    this.#end(undefined)
  }

  /** No register holds a stamp that lies further ahead than the hub allows. */
  #checkSkew(): void {
    const part = this.hub.space?.reference.tables[cellsTable]
    if (part === undefined) return
    const latest = this.#hubLatestMs + skewMsMax + 1000
    for (let row = 0; row < part.count; row++)
      for (const { word } of maxWords) {
        if (!isRegister(word) || word >= part.layout.words) continue
        const at = 2 * (row * part.layout.words + word)
        const stampMs = (part.words[at + 1] >>> 0) * 2 ** 16 + (part.words[at] >>> 16)
        if (stampMs > latest)
          throw new FailureError(
            'skew',
            `a register of ${part.keys[row]} has a stamp ${stampMs - this.#hubLatestMs} ms ahead of the hub`,
          )
      }
  }
}

/** The frames of a message in a few words. */
function summary(direction: 'up' | 'down', bytes: Uint8Array): string {
  const frames = direction === 'up' ? decodeUplink(bytes) : decodeDownlink(bytes)
  return frames
    .map(frame => {
      if (frame.type === 'batch') return `batch (${frame.from}, ${frame.to}]`
      if (frame.type === 'stream')
        return `stream ${frame.lsn}: ${frame.entries.map(e => ('to' in e ? `${e.kind} ${e.to}` : e.kind)).join(', ')}`
      if (frame.type === 'fold' || frame.type === 'snapshot')
        return `${frame.type} ${frame.lsn} to ${frame.toLsn}`
      if (frame.type === 'subscribe') return `subscribe at ${frame.lsn}, claim ${frame.claims[0]?.sequence}`
      if (frame.type === 'welcome') return `welcome at ${frame.lsn}, log ends at ${frame.toLsn}`
      if (frame.type === 'ack' || frame.type === 'need' || frame.type === 'have')
        return `${frame.type} ${frame.lsn}`
      if (frame.type === 'resend' || frame.type === 'fork') return `${frame.type} ${frame.sequence}`
      return frame.type
    })
    .join('; ')
}

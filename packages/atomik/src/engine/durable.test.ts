/**
 * Goal: a replica with a store loses nothing it reported saved and doubles nothing, whatever dies, comes back or is copied. Method:
 * the real engine on a virtual clock over a lossy link; replicas that crash before or after a write, restart, are set back to a
 * backup, or run twice from one copy; hub crashes. Every change adds 1 to a counter of its own, so the oracle counts in whole
 * numbers: a saved change stands at 1, one that was never saved at 0 or 1.
 */
import { describe, expect, it } from 'vitest'
import { AtomikError } from '../errors.ts'
import { counter, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { loadSpace, Replica, type ReplicaAction, readReplica, SeededRandom, Space } from './index.ts'
import { kept } from './messages.ts'
import type { SpaceAction } from './space.ts'
import type { Put, Storage } from './storage.ts'

const schema = new Schema({ cells: table({ count: counter(), sum: counter() }) })
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** A disk that can be copied. */
class Disk {
  entries: Map<string, { key: Uint8Array; value: Uint8Array }>
  constructor(entries: Disk['entries'] = new Map()) {
    this.entries = new Map(entries)
  }
  put(puts: readonly Put[]): void {
    for (const { key, value } of puts)
      if (value === undefined) this.entries.delete(hex(key))
      else this.entries.set(hex(key), { key: key.slice(), value: value.slice() })
  }
  list() {
    return [...this.entries.values()].sort((a, b) => (hex(a.key) < hex(b.key) ? -1 : 1))
  }
  /** Flips a bit of the nth record. */
  flip(n: number, bit: number): void {
    const { key, value } = this.list()[n % this.entries.size]
    const flipped = value.slice()
    flipped[(bit >> 3) % flipped.length] ^= 1 << (bit & 7)
    this.entries.set(hex(key), { key, value: flipped })
  }
  asStorage(): Storage {
    return { range: () => this.list(), write: async puts => this.put(puts), close: async () => {} }
  }
}

interface Faults {
  readonly drop: number
  readonly repeat: number
  readonly delayMs: number
  readonly cut: number
  /** Chances a change. */
  readonly crash: number
  readonly hubCrash: number
  readonly offline: number
  readonly backup: number
  readonly restore: number
  readonly clone: number
  readonly flip: number
  readonly unsentBatchesMax?: number
}

const calm: Faults = {
  drop: 0,
  repeat: 0,
  delayMs: 0,
  cut: 0,
  crash: 0,
  hubCrash: 0,
  offline: 0,
  backup: 0,
  restore: 0,
  clone: 0,
  flip: 0,
}

interface Node {
  replica: Replica
  disk: Disk
  /** An older copy of the disk. */
  backup: Disk | undefined
  connection: number
  isOffline: boolean
  /** The write under way, and when it reaches the disk. */
  write: { puts: readonly Put[]; at: number } | undefined
  /** Changes made in this opening, by their number: the key they count in. */
  made: Map<number, string>
  damaged: boolean
}

class World {
  now = 1_000_000
  readonly random: SeededRandom
  readonly faults: Faults
  readonly nodes: Node[] = []
  readonly hubDisk = new Disk()
  space: Space
  /** Keys of all changes ever made, and of those reported saved. */
  readonly made = new Set<string>()
  readonly saved = new Set<string>()
  readonly counts = { crashes: 0, restores: 0, clones: 0, forks: 0, flips: 0, earlier: 0 }
  healed = false
  #commits: { puts: readonly Put[]; lsn: number; at: number }[] = []
  #queue: { at: number; deliver: () => void }[] = []
  #nextConnection = 1

  constructor(seed: number, faults: Faults, nodes: number) {
    this.random = new SeededRandom(seed)
    this.faults = faults
    this.space = this.#openSpace()
    for (let i = 0; i < nodes; i++) this.addNode(new Disk())
  }

  addNode(disk: Disk): Node {
    const node: Node = {
      replica: this.#open(disk),
      disk,
      backup: undefined,
      connection: 0,
      isOffline: false,
      write: undefined,
      made: new Map(),
      damaged: false,
    }
    this.nodes.push(node)
    this.connect(node)
    return node
  }

  #open(disk: Disk): Replica {
    const image = readReplica(disk.list(), 's', schema)
    if (image.sessions.length > 0) this.counts.earlier++
    const { unsentBatchesMax } = this.faults
    return new Replica({
      schema,
      space: 's',
      random32: () => this.random.next32(),
      image,
      saveMs: 20,
      ...(unsentBatchesMax !== undefined && { unsentBatchesMax }),
    })
  }

  #openSpace(): Space {
    return new Space('s', schema, loadSpace(this.hubDisk.asStorage(), 's'), this.now, {
      random32: () => this.random.next32(),
      logBytesMax: 4096,
    })
  }

  #link(deliver: () => void): void {
    const { drop, repeat, delayMs } = this.faults
    if (!this.healed && this.random.next() < drop) return
    const copies = !this.healed && this.random.next() < repeat ? 2 : 1
    for (let i = 0; i < copies; i++)
      this.#queue.push({ at: this.now + 1 + (this.healed ? 0 : this.random.below(delayMs + 1)), deliver })
  }

  #doSpace(actions: SpaceAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') {
        const node = this.nodes.find(n => n.connection === action.connection)
        if (node === undefined) continue
        const { connection } = node
        this.#link(() => {
          if (node.connection !== connection) return
          const out: ReplicaAction[] = []
          node.replica.step(this.now, { type: 'message', bytes: action.bytes }, out)
          this.#doReplica(node, out)
        })
      } else if (action.type === 'commit') {
        this.#commits.push({ puts: [...action.puts], lsn: action.lsn, at: this.now + this.random.below(20) })
      } else if (action.type === 'fork') {
        this.counts.forks++
      } else if (action.type === 'close') {
        throw new Error(`the hub closes: ${action.code}`)
      }
    }
  }

  #doReplica(node: Node, actions: ReplicaAction[]): void {
    for (const action of kept(actions)) {
      if (action.type === 'fail') throw action.error
      if (action.type === 'refused') {
        // Only where the batch is lost that brought the row to life.
        expect([action.code, this.counts.flips > 0]).toEqual(['range', true])
        this.forgiveUnsettled()
      }
      if (action.type === 'reconnect') this.connect(node)
      if (action.type === 'commit') {
        node.write = { puts: action.puts, at: this.now + this.random.below(30) }
      } else if (action.type === 'saved') {
        for (const [change, key] of node.made) if (change <= action.change) this.saved.add(key)
      } else if (action.type === 'send') {
        const { connection } = node
        this.#link(() => {
          if (node.connection !== connection || connection === 0) return
          const out: SpaceAction[] = []
          try {
            for (const frame of decodeUplink(action.bytes)) {
              if (frame.type === 'subscribe') this.space.subscribe(this.now, connection, frame, true, out)
              else if (frame.type !== 'hello' && frame.type !== 'auth')
                this.space.receive(this.now, connection, frame, out)
            }
          } catch (error) {
            if (!(error instanceof AtomikError) || !error.message.includes('before a subscription'))
              throw error
          }
          this.space.commit(out)
          this.#doSpace(out)
        })
      }
    }
  }

  disconnect(node: Node): void {
    if (node.connection === 0) return
    this.space.leave(node.connection)
    node.connection = 0
    node.replica.step(this.now, { type: 'close' }, [])
  }

  connect(node: Node): void {
    this.disconnect(node)
    if (node.isOffline) return
    node.connection = this.#nextConnection++
    const out: ReplicaAction[] = []
    node.replica.step(this.now, { type: 'open' }, out)
    this.#doReplica(node, out)
  }

  /** The process ends; a write under way has reached the disk, or has not. */
  restart(node: Node, disk: Disk): void {
    this.disconnect(node)
    if (node.write !== undefined && this.random.next() < 0.5) node.disk.put(node.write.puts)
    node.write = undefined
    node.disk = disk
    node.made = new Map()
    node.replica = this.#open(disk)
    this.connect(node)
  }

  crashHub(): void {
    this.#commits = []
    this.space = this.#openSpace()
    for (const node of this.nodes) this.connect(node)
  }

  change(node: Node, key: string): void {
    const row = node.replica.row(0, key)
    const shared = node.replica.row(0, `shared-${this.made.size % 5}`)
    const change = node.replica.change(this.now, edit => {
      edit.add(0, row, 1, 1, 0)
      edit.add(0, shared, 2, 1, 0)
    })
    node.made.set(change, key)
    this.made.add(key)
    const out: ReplicaAction[] = []
    node.replica.flush(this.now, out)
    if (this.random.next() < 0.3) node.replica.save(this.now, out)
    this.#doReplica(node, out)
  }

  advance(ms = 5): void {
    this.now += ms
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at)
      if (this.#queue.length === 0 || this.#queue[0].at > this.now) break
      this.#queue.shift()?.deliver()
    }
    for (const commit of this.#commits.filter(({ at }) => at <= this.now)) {
      this.#commits = this.#commits.filter(other => other !== commit)
      this.hubDisk.put(commit.puts)
      const out: SpaceAction[] = []
      this.space.committed(this.now, commit.lsn, out)
      this.#doSpace(out)
    }
    const out: SpaceAction[] = []
    this.space.tick(this.now, out)
    this.space.commit(out)
    this.#doSpace(out)
    for (const node of this.nodes) {
      const actions: ReplicaAction[] = []
      if (node.write !== undefined && node.write.at <= this.now) {
        const { puts } = node.write
        node.write = undefined
        if (!this.healed && this.random.next() < 0.1) {
          node.replica.notCommitted()
        } else {
          node.disk.put(puts)
          node.replica.committed(this.now, actions)
        }
      }
      node.replica.step(this.now, { type: 'tick' }, actions)
      this.#doReplica(node, actions)
    }
  }

  run(changes: number): void {
    const { faults, random } = this
    for (let i = 0; i < changes; i++) {
      const node = this.nodes[random.below(this.nodes.length)]
      this.change(node, `change-${i}`)
      const other = this.nodes[random.below(this.nodes.length)]
      if (random.next() < faults.cut) this.connect(other)
      if (random.next() < faults.offline) {
        other.isOffline = !other.isOffline
        this.connect(other)
      }
      if (random.next() < faults.backup) other.backup = new Disk(other.disk.entries)
      if (random.next() < faults.crash) {
        this.counts.crashes++
        this.restart(other, other.disk)
      }
      if (random.next() < faults.restore && other.backup !== undefined) {
        this.counts.restores++
        // What was saved after the backup and had not reached the hub is gone with the disk.
        this.forgiveUnsettled()
        this.restart(other, new Disk(other.backup.entries))
      }
      if (random.next() < faults.clone && this.nodes.length < 8) {
        this.counts.clones++
        this.addNode(new Disk(other.disk.entries))
      }
      if (random.next() < faults.flip && other.disk.entries.size > 0) {
        this.counts.flips++
        other.disk.flip(random.below(1000), random.below(8000))
        other.damaged = true
        this.forgiveUnsettled()
        this.restart(other, other.disk)
      }
      if (random.next() < faults.hubCrash) this.crashHub()
      this.advance(1 + random.below(30))
    }
  }

  /** Its own changes that the hub does not have may be lost from here on, but never doubled. */
  forgiveUnsettled(): void {
    const hub = this.space.reference.tables[0]
    for (const key of this.saved) {
      const row = hub.find(key)
      if (row < 0 || hub.words[row * 6 + 2] === 0) this.saved.delete(key)
    }
  }

  settle(): void {
    this.healed = true
    for (const node of this.nodes) {
      node.isOffline = false
      this.connect(node)
    }
    for (let step = 0; step < 4000; step++) {
      this.advance(20)
      const isQuiet = this.nodes.every(
        ({ replica }) => replica.pendingChanges === 0 && replica.lsn === this.space.durableLsn,
      )
      if (isQuiet && this.#queue.length === 0 && this.space.lsn === this.space.durableLsn) break
    }
  }

  check(): void {
    const hub = this.space.reference.tables[0]
    let total = 0
    for (const key of this.made) {
      const row = hub.find(key)
      const count = row < 0 ? 0 : hub.words[row * 6 + 2]
      total += count
      if (this.saved.has(key)) expect([key, count]).toEqual([key, 1])
      else expect([key, count <= 1]).toEqual([key, true])
    }
    // The same by sums that all writers share.
    let shared = 0
    for (let i = 0; i < 5; i++) {
      const row = hub.find(`shared-${i}`)
      if (row >= 0) shared += hub.words[row * 6 + 4]
    }
    expect(shared).toBe(total)
    const digest = this.space.reference.digest()
    for (const { replica, disk, write } of this.nodes) {
      expect(replica.pendingChanges).toBe(0)
      expect(replica.stats.divergences).toBe(0)
      expect(replica.accumulator.isEmpty).toBe(true)
      expect(replica.reference.digest()).toBe(digest)
      // What is on disk is sound, and is the same state when all is written.
      const out: ReplicaAction[] = []
      if (write !== undefined) {
        disk.put(write.puts)
        replica.committed(this.now, out)
      }
      replica.save(this.now, out)
      for (const action of out) if (action.type === 'commit') disk.put(action.puts)
      const image = readReplica(disk.list(), 's', schema)
      expect(image.damage).toEqual([])
      expect(image.sessions.length).toBe(0)
      const again = new Replica({ schema, space: 's', random32: () => this.random.next32(), image })
      expect(again.reference.digest()).toBe(digest)
    }
  }
}

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

describe('a replica with a store', () => {
  it('works without a hub across restarts, and brings everything home', () => {
    const world = new World(1, { ...calm, offline: 0 }, 1)
    const [node] = world.nodes
    node.isOffline = true
    world.disconnect(node)
    for (let opening = 0; opening < 5; opening++) {
      for (let i = 0; i < 10; i++) {
        world.change(node, `${opening}-${i}`)
        world.advance(40)
      }
      for (let i = 0; i < 20; i++) world.advance(10)
      expect(world.saved.size).toBe(10 * (opening + 1))
      world.restart(node, node.disk)
      const out = new Int32Array(6)
      for (const key of world.saved) {
        node.replica.readRow(0, node.replica.row(0, key), out)
        expect(out[2]).toBe(1)
      }
    }
    world.settle()
    world.check()
    expect(world.space.stats.changesAccepted).toBe(50)
    expect(world.space.incarnationCount).toBeGreaterThanOrEqual(5)
  })

  it.each(seeds(40))('loses nothing saved and doubles nothing under crashes, seed %i', seed => {
    const world = new World(
      seed,
      {
        ...calm,
        drop: 0.1,
        repeat: 0.1,
        delayMs: 60,
        cut: 0.03,
        crash: 0.05,
        hubCrash: 0.01,
        offline: 0.05,
      },
      3,
    )
    world.run(200)
    world.settle()
    world.check()
    expect(world.counts.crashes).toBeGreaterThan(0)
    expect(world.counts.earlier).toBeGreaterThan(0)
  })

  it.each(seeds(20))('holds when what no hub has seen is folded together, seed %i', seed => {
    const world = new World(
      seed,
      { ...calm, drop: 0.1, repeat: 0.1, delayMs: 60, crash: 0.02, offline: 0.05, unsentBatchesMax: 2 },
      3,
    )
    world.run(200)
    world.settle()
    world.check()
  })

  it('folds what no hub has seen, and keeps it across a restart', () => {
    const world = new World(1, { ...calm, unsentBatchesMax: 4 }, 1)
    const [node] = world.nodes
    node.isOffline = true
    world.disconnect(node)
    for (let i = 0; i < 100; i++) {
      world.change(node, `key-${i % 10}-${i}`)
      for (let j = 0; j < 4; j++) world.advance(20)
    }
    expect(world.saved.size).toBe(100)
    const batches = readReplica(node.disk.list(), 's', schema).sessions.flatMap(session => [
      ...session.batches,
    ])
    expect(batches.length).toBeLessThanOrEqual(6)
    world.restart(node, node.disk)
    world.settle()
    world.check()
    expect(world.space.stats.changesAccepted).toBe(100)
  })

  it('sends what it has folded only when that is stored: else it comes back with the parts, and they count again', () => {
    const world = new World(1, { ...calm, unsentBatchesMax: 2 }, 1)
    const [node] = world.nodes
    world.disconnect(node)
    for (let i = 0; i < 2; i++) {
      world.change(node, `key-${i}`)
      for (let j = 0; j < 4; j++) world.advance(20)
    }
    expect(world.saved.size).toBe(2)
    // One more, and they are folded; the disk hangs while the hub is there.
    world.change(node, 'key-2')
    world.connect(node)
    for (let i = 0; i < 100; i++) {
      if (node.write !== undefined) node.write = { ...node.write, at: Number.POSITIVE_INFINITY }
      world.advance(1)
    }
    node.write = undefined
    world.restart(node, node.disk)
    world.settle()
    world.check()
    expect(world.space.stats.changesAccepted).toBe(2)
  })

  it.each(seeds(40))('doubles nothing when stores are set back and copied, seed %i', seed => {
    const world = new World(
      seed,
      {
        ...calm,
        drop: 0.1,
        repeat: 0.1,
        delayMs: 60,
        cut: 0.03,
        crash: 0.03,
        offline: 0.08,
        backup: 0.1,
        restore: 0.03,
        clone: 0.02,
      },
      3,
    )
    world.run(200)
    world.settle()
    world.check()
  })

  it.each(seeds(40))('is filled again from the hub when a record is damaged, seed %i', seed => {
    const world = new World(
      seed,
      { ...calm, drop: 0.1, delayMs: 40, cut: 0.03, crash: 0.02, offline: 0.08, flip: 0.05 },
      3,
    )
    world.run(200)
    world.settle()
    world.check()
    expect(world.counts.flips).toBeGreaterThan(0)
  })
})

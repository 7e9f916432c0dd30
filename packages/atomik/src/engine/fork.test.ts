/**
 * Goal: two machines that run as one incarnation (a cloned disk, a virtual machine resumed twice) are found out, and each
 * change of both counts once. Method: two replicas that draw the same incarnation and then different salts, on a link that can
 * lose the answers; the hub's total is compared with what was added.
 */
import { describe, expect, it } from 'vitest'
import { counter, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import {
  type Entry,
  Replica,
  type ReplicaAction,
  readReplica,
  SeededRandom,
  Space,
  type SpaceAction,
} from './index.ts'
import { kept } from './messages.ts'

const schema = new Schema({ cells: table({ sum: counter() }) })

/** The first four draws make the incarnation: equal for both copies. */
function copyOf(seed: number, own: number, sharedDraws = 4): () => number {
  const [shared, salts] = [new SeededRandom(seed), new SeededRandom(own)]
  let draws = 0
  return () => (draws++ < sharedDraws ? shared.next32() : salts.next32())
}

class Bench {
  now = 1000
  readonly space: Space
  readonly replicas: Replica[] = []
  readonly connections: (number | undefined)[] = []
  readonly refusals: string[] = []
  /** Answers of the hub that do not arrive. */
  isDeaf = false
  /** The same for one of them. */
  deafTo = -1
  #next = 1

  constructor(seeds: readonly (readonly [number, number, number?])[]) {
    const random = new SeededRandom(99)
    this.space = new Space('s', schema, undefined, this.now, { random32: () => random.next32() })
    for (const [shared, own, sharedDraws] of seeds)
      this.replicas.push(new Replica({ schema, space: 's', random32: copyOf(shared, own, sharedDraws) }))
  }

  connect(i: number): void {
    const before = this.connections[i]
    if (before !== undefined) {
      this.space.leave(before)
      this.replicas[i].step(this.now, { type: 'close' }, [])
    }
    this.connections[i] = this.#next++
    const actions: ReplicaAction[] = []
    this.replicas[i].step(this.now, { type: 'open' }, actions)
    this.carryUp(i, actions)
  }

  add(i: number, by: number): void {
    const replica = this.replicas[i]
    const row = replica.row(0, 'x')
    replica.change(this.now, edit => edit.add(0, row, 1, by, 0))
    const actions: ReplicaAction[] = []
    replica.flush(this.now, actions)
    this.carryUp(i, actions)
  }

  carryUp(i: number, actions: readonly ReplicaAction[]): void {
    for (const action of kept(actions)) {
      if (action.type === 'reconnect') this.connect(i)
      if (action.type === 'fail') this.refusals.push(action.error.code)
      if (action.type !== 'send') continue
      const connection = this.connections[i] ?? 0
      const out: SpaceAction[] = []
      for (const frame of decodeUplink(action.bytes)) {
        if (frame.type === 'subscribe') this.space.subscribe(this.now, connection, frame, true, out)
        else if (frame.type !== 'hello' && frame.type !== 'auth')
          this.space.receive(this.now, connection, frame, out)
      }
      this.space.commit(out)
      this.carryDown(out)
    }
  }

  carryDown(actions: readonly SpaceAction[]): void {
    for (const action of actions) {
      if (action.type === 'commit') {
        const out: SpaceAction[] = []
        this.space.committed(this.now, action.lsn, out)
        this.carryDown(out)
      } else if (action.type === 'send' && !this.isDeaf) {
        const i = this.connections.indexOf(action.connection)
        if (i < 0 || i === this.deafTo) continue
        const out: ReplicaAction[] = []
        this.replicas[i].step(this.now, { type: 'message', bytes: action.bytes }, out)
        this.carryUp(i, out)
      }
    }
  }

  settle(steps = 400): void {
    for (let step = 0; step < steps; step++) {
      this.now += 50
      const out: SpaceAction[] = []
      this.space.tick(this.now, out)
      this.carryDown(out)
      this.replicas.forEach((replica, i) => {
        const actions: ReplicaAction[] = []
        replica.step(this.now, { type: 'tick' }, actions)
        this.carryUp(i, actions)
      })
    }
  }

  sumAt(replica: Replica): number {
    const out = new Int32Array(2 * schema.layouts[0].words)
    replica.readRow(0, replica.row(0, 'x'), out)
    return out[2]
  }
}

describe('two copies of one replica', () => {
  it('that both write: the hub sees the fork, and every change of both counts once', () => {
    const bench = new Bench([
      [5, 1],
      [5, 2],
    ])
    bench.connect(0)
    bench.connect(1)
    for (let i = 0; i < 10; i++) {
      bench.add(0, 1)
      bench.add(1, 100)
    }
    bench.settle()
    expect(bench.space.stats.forks).toBeGreaterThan(0)
    expect(bench.replicas[0].stats.forks + bench.replicas[1].stats.forks).toBeGreaterThan(0)
    expect(bench.replicas.map(replica => bench.sumAt(replica))).toEqual([1010, 1010])
    expect(bench.replicas.map(replica => replica.pendingChanges)).toEqual([0, 0])
    expect(bench.refusals).toEqual([])
  })

  it('whose original was acknowledged before the copy woke up: nothing of either is lost', () => {
    const bench = new Bench([
      [6, 1],
      [6, 2],
    ])
    bench.connect(0)
    for (let i = 0; i < 5; i++) bench.add(0, 1)
    bench.settle()
    expect(bench.replicas[0].pendingChanges).toBe(0)
    bench.add(1, 100) // offline, under the same incarnation
    bench.add(1, 100)
    bench.connect(1)
    bench.settle()
    bench.add(0, 1)
    bench.settle()
    expect(bench.space.stats.forks).toBeGreaterThan(0)
    expect(bench.replicas.map(replica => bench.sumAt(replica))).toEqual([206, 206])
  })

  it('that hold one batch which a third overtook: it is issued again by both and counts once', () => {
    // Two draws more than the incarnation: the first salt, so the first two copies have the same first batch.
    const bench = new Bench([
      [5, 1, 6],
      [5, 2, 6],
      [5, 3, 4],
    ])
    bench.connect(2)
    bench.add(2, 1000)
    bench.settle()
    bench.add(0, 1)
    bench.add(1, 1)
    bench.connect(0)
    bench.connect(1)
    bench.settle()
    expect(bench.replicas.map(replica => replica.stats.forks)).toEqual([1, 1, 0])
    expect(bench.replicas.map(replica => bench.sumAt(replica))).toEqual([1001, 1001, 1001])
    bench.add(0, 10)
    bench.add(1, 100)
    bench.settle()
    expect(bench.replicas.map(replica => bench.sumAt(replica))).toEqual([1111, 1111, 1111])
    expect(bench.replicas.map(replica => replica.pendingChanges)).toEqual([0, 0, 0])
  })

  it('that hold one batch, one of which followed what the other had issued again before it did so itself', () => {
    const bench = new Bench([
      [5, 1, 6],
      [5, 2, 6],
      [5, 3, 4],
    ])
    bench.connect(0)
    bench.connect(2)
    bench.add(2, 1000)
    // The first is not told that its batch is no continuation, and then follows the log before it sends that once more.
    bench.deafTo = 0
    bench.add(0, 1)
    bench.add(1, 1)
    bench.connect(1)
    expect(bench.space.lsn).toBe(2)
    bench.deafTo = -1
    bench.settle(8)
    expect([bench.replicas[0].lsn, bench.replicas[0].stats.forks]).toEqual([2, 0])
    bench.settle()
    expect(bench.replicas.map(replica => replica.stats.forks)).toEqual([1, 1, 0])
    expect(bench.replicas.map(replica => bench.sumAt(replica))).toEqual([1001, 1001, 1001])
    expect(bench.replicas.map(replica => replica.pendingChanges)).toEqual([0, 0, 0])
    expect(bench.replicas.map(replica => replica.stats.divergences)).toEqual([0, 0, 0])
  })

  it('what is issued again is known to be late after a restart too: a copy may have been first', () => {
    const random = new SeededRandom(3)
    const random32 = () => random.next32()
    const disk = new Map<string, Entry>()
    const open = () => readReplica(disk.values(), 's', schema)
    const replica = new Replica({ schema, space: 's', random32, image: open() })
    const act = (space: Space, step: (out: ReplicaAction[]) => void) => {
      const out: ReplicaAction[] = []
      step(out)
      for (const action of kept(out)) {
        if (action.type === 'commit') {
          for (const { key, value } of action.puts) {
            if (value === undefined) disk.delete(key.toString())
            else disk.set(key.toString(), { key: key.slice(), value: value.slice() })
          }
          act(space, more => replica.committed(1000, more))
        }
        if (action.type !== 'send') continue
        const answers: SpaceAction[] = []
        for (const frame of decodeUplink(action.bytes))
          if (frame.type === 'subscribe') space.subscribe(1000, 1, frame, true, answers)
          else if (frame.type !== 'hello' && frame.type !== 'auth') space.receive(1000, 1, frame, answers)
        space.commit(answers)
        for (const answer of answers)
          if (answer.type === 'commit') space.committed(1000, answer.lsn, answers)
          else if (answer.type === 'send')
            act(space, more => replica.step(1000, { type: 'message', bytes: answer.bytes }, more))
      }
    }
    const add = () => replica.change(1000, edit => edit.add(0, replica.row(0, 'x'), 1, 1, 0))
    const spaces = [1, 2].map(() => new Space('s', schema, undefined, 1000, { random32 }))
    add()
    act(spaces[0], out => replica.step(1000, { type: 'open' }, out))
    act(spaces[0], out => replica.flush(1000, out))
    expect(replica.pendingChanges).toBe(0)
    replica.step(1000, { type: 'close' }, [])
    add()
    act(spaces[0], out => replica.save(1000, out))
    expect(open().sessions.map(({ isLate }) => isLate)).toEqual([false])
    // A hub that was set back to nothing.
    act(spaces[1], out => replica.step(1000, { type: 'open' }, out))
    expect(replica.stats.forks).toBe(1)
    act(spaces[1], out => replica.save(1000, out))
    expect(open().sessions.map(({ isLate }) => isLate)).toEqual([true])
  })

  it('without copies nothing is ever called a fork, also when answers are lost and all is sent again', () => {
    const bench = new Bench([
      [7, 1],
      [8, 2],
    ])
    bench.connect(0)
    bench.connect(1)
    for (let i = 0; i < 20; i++) {
      bench.isDeaf = i % 3 === 0
      bench.add(0, 1)
      bench.add(1, 100)
      if (i % 4 === 0) bench.connect(i % 2)
    }
    bench.isDeaf = false
    bench.settle()
    expect(bench.space.stats.forks).toBe(0)
    expect(bench.replicas.map(replica => bench.sumAt(replica))).toEqual([2020, 2020])
  })
})

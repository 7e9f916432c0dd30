/**
 * Goal: replicas and hub agree, exactly once, whatever the link does. Method: the real engine on a virtual clock and a
 * seeded link that drops, repeats, reorders, delays and cuts, and a hub that loses what it had not committed; beside it a plain count per
 * change, kept as whole numbers, so that a change applied three times is not taken for one.
 */
import { describe, expect, it } from 'vitest'
import { WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { counter, flag, register, Schema, table, toggle } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { kept } from './messages.ts'
import { SeededRandom } from './random.ts'
import { Replica, type ReplicaAction } from './replica.ts'
import { Space, type SpaceAction } from './space.ts'
import { loadSpace, type SpaceImage } from './space-image.ts'
import type { Put, Storage } from './storage.ts'

const schema = new Schema({
  cells: table({ sum: counter(), bit: toggle(), name: register.u32(), on: flag() }),
})
const [sumWord, bitWord, nameWord, onWord] = ['sum', 'bit', 'name', 'on'].map(
  name => schema.tables[0].places.get(name)?.[0].word ?? -1,
)

class PlainStorage implements Storage {
  readonly entries = new Map<string, { key: Uint8Array; value: Uint8Array }>()
  range(prefix: Uint8Array) {
    return [...this.entries.values()]
      .filter(({ key }) => prefix.every((byte, i) => key[i] === byte))
      .sort((a, b) => (hex(a.key) < hex(b.key) ? -1 : 1))
  }
  put(puts: readonly Put[]) {
    for (const { key, value } of puts)
      if (value === undefined) this.entries.delete(hex(key))
      else this.entries.set(hex(key), { key: key.slice(), value: value.slice() })
  }
  async write(puts: readonly Put[]) {
    this.put(puts)
  }
  async close() {}
}
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

interface Faults {
  drop: number
  repeat: number
  delayMs: number
  cut: number
  crash: number
  /** Links keep order and lose nothing until they are cut, as WebSocket does: then changes follow the greeting at once. */
  isOrdered?: boolean
}

function run(seed: number, faults: Faults, changes = 400, replicas = 4) {
  const random = new SeededRandom(seed)
  const random32 = () => random.next32()
  let now = 1_000_000
  const storage = new PlainStorage()
  const queue: { at: number; order: number; deliver: () => void }[] = []
  let order = 0
  /** When the last message arrives, by connection and direction. */
  const lastAt = new Map<number, number>()
  const link = (deliver: () => void, healthy: boolean, way: number) => {
    if (faults.isOrdered === true) {
      const at = Math.max(lastAt.get(way) ?? 0, now + 1 + random.below(faults.delayMs + 1))
      lastAt.set(way, at)
      queue.push({ at, order: order++, deliver })
      return
    }
    if (!healthy && random.next() < faults.drop) return
    const copies = !healthy && random.next() < faults.repeat ? 2 : 1
    for (let i = 0; i < copies; i++)
      queue.push({ at: now + 1 + (healthy ? 0 : random.below(faults.delayMs + 1)), order: order++, deliver })
  }
  let healed = false

  let generation = 0
  const openSpace = (image: SpaceImage | undefined) =>
    new Space('s', schema, image, now, { random32, logBytesMax: 4096 })
  let space = openSpace(undefined)
  let commits: { puts: readonly Put[]; lsn: number; at: number }[] = []

  const nodes = Array.from({ length: replicas }, (_, i) => ({
    replica: new Replica({ schema, space: 's', random32 }),
    connection: 0,
    writesOk: i,
    sum: 0,
    flips: 0,
  }))
  let nextConnection = 1

  const doSpace = (actions: SpaceAction[]) => {
    for (const action of actions) {
      if (action.type === 'send') {
        const node = nodes.find(n => n.connection === action.connection)
        if (node === undefined) continue
        const connection = action.connection
        link(
          () => {
            if (node.connection !== connection) return
            const out: ReplicaAction[] = []
            node.replica.step(now, { type: 'message', bytes: action.bytes }, out)
            doReplica(node, out)
          },
          healed,
          2 * connection,
        )
      } else if (action.type === 'commit') {
        commits.push({ puts: [...action.puts], lsn: action.lsn, at: now + random.below(20) })
      }
    }
  }
  const doReplica = (node: (typeof nodes)[number], actions: ReplicaAction[]) => {
    for (const action of kept(actions)) {
      if (action.type === 'fail') throw action.error
      if (action.type === 'reconnect') connect(node)
      if (action.type !== 'send') continue
      const connection = node.connection
      const { bytes } = action
      link(
        () => {
          if (node.connection !== connection) return
          const out: SpaceAction[] = []
          try {
            for (const frame of decodeUplink(bytes)) {
              if (frame.type === 'subscribe') space.subscribe(now, connection, frame, true, out)
              else if (frame.type !== 'hello' && frame.type !== 'auth')
                space.receive(now, connection, frame, out)
            }
          } catch (error) {
            // A frame that overtook its subscription: a hub would close; so do we.
            if (!(error instanceof AtomikError)) throw error
            if (!error.message.includes('before a subscription')) throw error
          }
          space.commit(out)
          doSpace(out)
        },
        healed,
        2 * connection + 1,
      )
    }
  }
  const connect = (node: (typeof nodes)[number]) => {
    if (node.connection !== 0) space.leave(node.connection)
    const out: ReplicaAction[] = []
    if (node.connection !== 0) node.replica.step(now, { type: 'close' }, out)
    node.connection = nextConnection++
    node.replica.step(now, { type: 'open', isOrdered: faults.isOrdered === true }, out)
    doReplica(node, out)
  }
  const crash = () => {
    generation++
    commits = []
    space = openSpace(loadSpace(storage, 's'))
    for (const node of nodes) connect(node)
  }
  const advance = () => {
    now += 5
    while (true) {
      queue.sort((a, b) => a.at - b.at || a.order - b.order)
      if (queue.length === 0 || queue[0].at > now) break
      queue.shift()?.deliver()
    }
    const due = commits.filter(commit => commit.at <= now)
    commits = commits.filter(commit => commit.at > now)
    for (const commit of due) {
      storage.put(commit.puts)
      const out: SpaceAction[] = []
      space.committed(now, commit.lsn, out)
      doSpace(out)
    }
    const out: SpaceAction[] = []
    space.tick(now, out)
    space.commit(out)
    doSpace(out)
    for (const node of nodes) {
      const replicaOut: ReplicaAction[] = []
      node.replica.step(now, { type: 'tick' }, replicaOut)
      doReplica(node, replicaOut)
    }
  }

  for (const node of nodes) connect(node)
  const totals = { sum: new Map<string, number>(), flips: new Map<string, number>() }
  const written = new Map<string, Set<number>>()
  const undoable: { node: (typeof nodes)[number]; change: number; key: string; by: number }[] = []
  for (let i = 0; i < changes; i++) {
    const node = nodes[random.below(nodes.length)]
    const key = `k${random.below(12)}`
    const by = random.below(9) - 4
    const row = node.replica.row(0, key)
    const change = node.replica.change(now, edit => {
      edit.add(0, row, sumWord, by, by < 0 ? -1 : 0)
      edit.xor(0, row, bitWord, 1, 0)
      edit.write(0, row, nameWord, Int32Array.of(i + 1, 0))
      edit.set(0, row, onWord, i % 3 !== 0)
    })
    totals.sum.set(key, (totals.sum.get(key) ?? 0) + by)
    totals.flips.set(key, (totals.flips.get(key) ?? 0) + 1)
    written.set(key, (written.get(key) ?? new Set()).add(i + 1))
    undoable.push({ node, change, key, by })
    if (random.next() < 0.1) {
      const [undone] = undoable.splice(random.below(undoable.length), 1)
      undone.node.replica.undo(now, undone.change)
      totals.sum.set(undone.key, (totals.sum.get(undone.key) ?? 0) - undone.by)
      totals.flips.set(undone.key, (totals.flips.get(undone.key) ?? 0) + 1)
    }
    const out: ReplicaAction[] = []
    node.replica.flush(now, out)
    doReplica(node, out)
    if (random.next() < faults.cut) connect(nodes[random.below(nodes.length)])
    if (random.next() < faults.crash) crash()
    advance()
  }
  healed = true
  if (faults.drop + faults.cut + faults.crash > 0) for (const node of nodes) connect(node)
  let steps = 0
  while (steps++ < 4000) {
    advance()
    if (
      nodes.every(n => n.replica.pendingChanges === 0 && n.replica.lsn === space.durableLsn) &&
      space.lsn === space.durableLsn &&
      queue.length === 0
    )
      break
  }
  return { nodes, space, totals, written, storage, steps, generation }
}

function check({ nodes, space, totals, written, storage }: ReturnType<typeof run>) {
  const digest = space.reference.digest()
  for (const { replica } of nodes) {
    expect(replica.lsn).toBe(space.lsn)
    expect(replica.pendingChanges).toBe(0)
    expect(replica.accumulator.isEmpty).toBe(true)
    expect(replica.stats.divergences).toBe(0)
    expect(replica.reference.digest()).toBe(digest)
    const out = new Int32Array(2 * schema.layouts[0].words)
    for (const [key, sum] of totals.sum) {
      replica.readRow(0, replica.row(0, key), out)
      expect([key, out[2 * sumWord]]).toEqual([key, sum])
      expect([key, out[2 * bitWord] & 1]).toEqual([key, (totals.flips.get(key) ?? 0) & 1])
      const value = out[2 * (nameWord + 1)]
      expect(value === 0 || written.get(key)?.has(value)).toBe(true)
    }
  }
  const image = loadSpace(storage, 's')
  expect(image?.reference.digest()).toBe(digest)
  expect(image?.lsn).toBe(space.lsn)
}

describe('convergence', () => {
  it('holds without faults', () => {
    const result = run(1, { drop: 0, repeat: 0, delayMs: 0, cut: 0, crash: 0 })
    check(result)
    for (const { replica } of result.nodes) expect(replica.stats.batchesResent).toBe(0)
    expect(result.space.stats.duplicatesDropped).toBe(0)
  })
  it.each(Array.from({ length: 30 }, (_, i) => i + 1))(
    'holds under loss, repeats and full reorder, seed %i',
    seed => {
      const result = run(seed, { drop: 0.2, repeat: 0.2, delayMs: 120, cut: 0, crash: 0 })
      check(result)
      expect(result.space.stats.duplicatesDropped).toBeGreaterThan(0)
    },
  )
  it.each(Array.from({ length: 30 }, (_, i) => i + 1))('holds under cuts and hub crashes, seed %i', seed => {
    const result = run(seed, { drop: 0.1, repeat: 0.1, delayMs: 60, cut: 0.03, crash: 0.01 })
    check(result)
  })
  it.each(Array.from({ length: 30 }, (_, i) => i + 1))(
    'holds on ordered links with cuts and hub crashes, seed %i',
    seed => {
      const result = run(seed, { drop: 0, repeat: 0, delayMs: 90, cut: 0.05, crash: 0.01, isOrdered: true })
      check(result)
    },
  )
  it('keeps kinds as the layout says', () => {
    expect(schema.layouts[0].kinds[nameWord]).toBe(WordKind.stamp)
  })
})

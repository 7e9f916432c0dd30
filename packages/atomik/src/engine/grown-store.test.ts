/**
 * Goal: a program whose schema has grown opens the store its older version left, offline, and loses nothing. Method: changes that no
 * hub has seen, saved under the shorter schema, read under the longer one, saved again, read again; then a hub. And what a program
 * must not do: go on under a schema that the store's is not the beginning of.
 */
import { describe, expect, it } from 'vitest'
import { counter, register, Schema, table } from '../schema/index.ts'
import { decodeUplink, type Halves } from '../wire/index.ts'
import { type Put, Replica, type ReplicaAction, readReplica, SeededRandom, Space } from './index.ts'
import type { SpaceAction } from './space.ts'

const old = new Schema({ cells: table({ count: counter(), name: register.u32() }) })
const grown = new Schema({
  cells: table({ count: counter(), name: register.u32(), more: counter() }),
  marks: table({ count: counter() }),
})
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const [count, name, more] = ['count', 'name', 'more'].map(
  field => grown.tables[0].places.get(field)?.[0].word ?? -1,
)

class Disk {
  readonly entries = new Map<string, { key: Uint8Array; value: Uint8Array }>()
  put(puts: readonly Put[]): void {
    for (const { key, value } of puts)
      if (value === undefined) this.entries.delete(hex(key))
      else this.entries.set(hex(key), { key, value })
  }
  read(schema: Schema) {
    const entries = [...this.entries.values()].sort((a, b) => (hex(a.key) < hex(b.key) ? -1 : 1))
    return readReplica(entries, 's', schema)
  }
}

let seed = 1
const open = (disk: Disk, schema: Schema) => {
  const random = new SeededRandom(seed++)
  return new Replica({ schema, space: 's', random32: () => random.next32(), image: disk.read(schema) })
}

function save(replica: Replica, disk: Disk): void {
  const actions: ReplicaAction[] = []
  replica.save(1, actions)
  for (const action of actions)
    if (action.type === 'commit') {
      disk.put(action.puts)
      replica.committed(1, [])
    }
}

/** Both ends at once, until they are silent. */
function meet(replica: Replica, space: TestSpace): void {
  const [up, down]: [ReplicaAction[], SpaceAction[]] = [[], []]
  replica.step(1, { type: 'open' }, up)
  for (let turn = 0; turn < 200; turn++) {
    for (const action of up.splice(0))
      if (action.type === 'send') space.step(action.bytes, down)
      else if (action.type === 'commit') replica.notCommitted()
      else if (action.type === 'fail') throw action.error
    space.commit(down)
    for (const action of down.splice(0))
      if (action.type === 'commit') space.committed(1, action.lsn, down)
      else if (action.type === 'send') replica.step(1 + turn, { type: 'message', bytes: action.bytes }, up)
    replica.step(1 + turn, { type: 'tick' }, up)
  }
}

const words = (replica: Replica, key: string) => {
  const out = new Int32Array(2 * replica.schema.layouts[0].words)
  replica.readRow(0, replica.row(0, key), out)
  return out
}

describe('a store under a schema that goes on from its own', () => {
  it('keeps rows, unsettled batches, incarnation and labels', () => {
    const disk = new Disk()
    const before = open(disk, old)
    before.change(1, edit => {
      edit.add(0, before.row(0, 'a'), count, 5, 0)
      edit.write(0, before.row(0, 'a'), name, Int32Array.of(7, 0))
    })
    save(before, disk)
    const [session] = disk.read(old).sessions
    const image = disk.read(grown)
    expect([image.damage, image.hasGrown, image.sessions.length]).toEqual([[], true, 1])
    expect(hex(image.sessions[0].id)).toBe(hex(session.id))
    const labels = (batches: Iterable<{ label: Halves }>) => [...batches].map(({ label }) => label)
    expect(labels(image.sessions[0].batches)).toEqual(labels(session.batches))
    const after = open(disk, grown)
    expect(words(after, 'a')[2 * count]).toBe(5)
    expect(words(after, 'a')[2 * name + 2]).toBe(7)
    expect(words(after, 'a')[2 * more]).toBe(0)
    after.change(1, edit => edit.add(0, after.row(0, 'a'), more, 3, 0))
    after.change(1, edit => edit.add(1, after.row(1, 'm'), 1, 1, 0))
    save(after, disk)
    // From here on all of it is of the longer one, and the shorter one is refused.
    const again = disk.read(grown)
    expect([again.damage, again.hasGrown, again.lastChange]).toEqual([[], false, 3])
    expect(() => disk.read(old)).toThrow(expect.objectContaining({ code: 'schema' }))
    const last = open(disk, grown)
    expect([words(last, 'a')[2 * count], words(last, 'a')[2 * more]]).toEqual([5, 3])
  })

  it('shows the rows a hub had confirmed until a hub is there, and has it tell them anew', () => {
    const disk = new Disk()
    const space = newSpace(grown)
    const other = open(new Disk(), grown)
    meet(other, space)
    const mine = open(disk, old)
    mine.change(1, edit => edit.add(0, mine.row(0, 'a'), count, 5, 0))
    meet(mine, space)
    other.change(1, edit => edit.add(0, other.row(0, 'a'), more, 9, 0))
    meet(other, space)
    meet(mine, space)
    save(mine, disk)
    expect(mine.lsn).toBe(2)
    const after = open(disk, grown)
    expect(words(after, 'a')[2 * count]).toBe(5)
    expect(words(after, 'a')[2 * more]).toBe(0)
    save(after, disk)
    const restarted = open(disk, grown)
    expect(words(restarted, 'a')[2 * count]).toBe(5)
    meet(restarted, space)
    expect([words(restarted, 'a')[2 * count], words(restarted, 'a')[2 * more]]).toEqual([5, 9])
    expect(restarted.reference.digest()).toBe(space.reference.digest())
  })

  it('is refused under any other while changes wait there', () => {
    const disk = new Disk()
    const before = open(disk, old)
    before.change(1, edit => edit.add(0, before.row(0, 'a'), count, 5, 0))
    save(before, disk)
    const other = new Schema({ cells: table({ name: register.u32(), count: counter() }) })
    expect(() => disk.read(other)).toThrow(/made under schema .* does not go on from/)
  })
})

function newSpace(schema: Schema): TestSpace {
  const random = new SeededRandom(99)
  return new TestSpace(schema, random)
}

/** One connection at a time is enough here. */
class TestSpace extends Space {
  constructor(schema: Schema, random: SeededRandom) {
    super('s', schema, undefined, 1, { random32: () => random.next32() })
  }
  step(bytes: Uint8Array, actions: SpaceAction[]): void {
    for (const frame of decodeUplink(bytes)) {
      if (frame.type === 'subscribe') {
        this.leave(1)
        this.subscribe(1, 1, frame, true, actions)
      } else if (frame.type !== 'hello' && frame.type !== 'auth') this.receive(1, 1, frame, actions)
    }
  }
}

/**
 * Goal: what is kept besides the state does not grow with the changes. Method: a replica with a store and a hub's space with one, in
 * lockstep; after 10,000 and after a million changes of the same 1,000 registers everything both have stored is weighed, the rows
 * apart, and what a newcomer is sent.
 */
import { expect, it } from 'vitest'
import { register, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { type Put, Replica, type ReplicaAction, readReplica, SeededRandom, Space } from './index.ts'
import type { SpaceAction } from './space.ts'

const schema = new Schema({ cells: table({ name: register.u32() }) })
const registers = 1000
const { ATOMIK_SHORT: isShort } = process.env
const [few, many] = [10_000, isShort === undefined ? 1_000_000 : 100_000]
/** Rows are 'R' in a replica's store, 'r' in a hub's. */
const isRow = (key: string) => key[2] === 'R' || key[2] === 'r'
const nameOf = (key: Uint8Array) => Buffer.from(key).toString('latin1')

class Disk {
  readonly entries = new Map<string, Uint8Array>()
  put(puts: readonly Put[]): void {
    for (const { key, value } of puts)
      if (value === undefined) this.entries.delete(nameOf(key))
      else this.entries.set(nameOf(key), value.slice())
  }
  /** Records and bytes, keys included, of all that is no row. */
  get besidesRows() {
    const [records, bytes] = [...this.entries]
      .filter(([key]) => !isRow(key))
      .reduce(([n, sum], [key, value]) => [n + 1, sum + key.length + value.length], [0, 0])
    return { records, bytes }
  }
  get rows(): number {
    return [...this.entries.keys()].filter(isRow).length
  }
}

it(`metadata after ${many} changes of 1,000 registers is what it was after ${few}`, () => {
  const random = new SeededRandom(1)
  const random32 = () => random.next32()
  const [here, there] = [new Disk(), new Disk()]
  let now = Date.UTC(2026, 0, 1)
  const space = new Space('s', schema, undefined, now, { random32 })
  const open = (id: number, image = readReplica([], 's', schema)) => ({
    id,
    replica: new Replica({ schema, space: 's', random32, undoDepth: 0, image }),
    disk: id === 1 ? here : new Disk(),
    received: 0,
  })
  const clients = [open(1)]
  const settle = (ups: ReplicaAction[], from: (typeof clients)[number]) => {
    const down: SpaceAction[] = []
    for (let turn = 0; turn < 1000 && ups.length + down.length > 0; turn++) {
      for (const action of ups.splice(0))
        if (action.type === 'send')
          for (const frame of decodeUplink(action.bytes)) {
            if (frame.type === 'subscribe') space.subscribe(now, from.id, frame, true, down)
            else if (frame.type !== 'hello' && frame.type !== 'auth') space.receive(now, from.id, frame, down)
          }
        else if (action.type === 'commit') {
          from.disk.put(action.puts)
          from.replica.committed(now, ups)
        } else if (action.type === 'fail') throw action.error
      space.commit(down)
      for (const action of down.splice(0)) {
        const to = clients.find(({ id }) => 'connection' in action && id === action.connection)
        if (action.type === 'commit') {
          there.put([...action.puts])
          space.committed(now, action.lsn, down)
        } else if (action.type === 'send' && to !== undefined) {
          to.received += action.bytes.length
          to.replica.step(now, { type: 'message', bytes: action.bytes }, to === from ? ups : [])
        }
      }
    }
  }
  const step = (event: Parameters<Replica['step']>[1], client = clients[0]) => {
    const ups: ReplicaAction[] = []
    client.replica.step(now, event, ups)
    settle(ups, client)
  }
  step({ type: 'open' })
  const [{ replica }] = clients
  const rows = Array.from({ length: registers }, (_, i) => replica.row(0, `register ${i}`))
  const value = new Int32Array(2)
  let changes = 0
  const changeUpTo = (count: number) => {
    for (; changes < count; changes++) {
      const row = rows[random.below(registers)]
      value[0] = random.next32()
      replica.change(now, edit => edit.write(0, row, 1, value))
      if (changes % 50 !== 49) continue
      now += 20
      const ups: ReplicaAction[] = []
      replica.flush(now, ups)
      settle(ups, clients[0])
      step({ type: 'tick' })
    }
    // All is confirmed, declared and saved.
    for (let i = 0; i < 20; i++) {
      now += 500
      step({ type: 'tick' })
      const down: SpaceAction[] = []
      space.tick(now, down)
      for (const action of down)
        if (action.type === 'send') replica.step(now, { type: 'message', bytes: action.bytes }, [])
    }
    space.checkpoint()
    const newcomer = open(100 + clients.length)
    clients.push(newcomer)
    step({ type: 'open' }, newcomer)
    space.leave(newcomer.id)
    expect(newcomer.replica.reference.digest()).toBe(space.reference.digest())
    expect([replica.pendingChanges, replica.stats.divergences]).toEqual([0, 0])
    expect([here.rows, there.rows]).toEqual([registers, registers])
    return {
      client: here.besidesRows,
      hub: there.besidesRows,
      incarnations: space.incarnationCount + space.retiredCount,
      log: space.logBytes,
      newcomer: newcomer.received,
    }
  }
  const early = changeUpTo(few)
  const late = changeUpTo(many)
  console.info(`after ${few}: ${JSON.stringify(early)}, after ${many}: ${JSON.stringify(late)}`)
  expect(replica.lastChange).toBe(many)
  expect(late.client.records).toBe(early.client.records)
  expect(late.hub.records).toBe(early.hub.records)
  expect([late.incarnations, late.log]).toEqual([early.incarnations, early.log])
  // Numbers of changes and of the log are larger by two digits: a byte each.
  expect(late.client.bytes - early.client.bytes).toBeLessThanOrEqual(8)
  expect(late.hub.bytes - early.hub.bytes).toBeLessThanOrEqual(200)
  expect(late.newcomer - early.newcomer).toBeLessThanOrEqual(64)
}, 240_000)

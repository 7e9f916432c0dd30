/**
 * Goal: what a change costs on the wire and on the hub's disk. Method: real replicas and a real space, every message counted
 * as the bytes it is, on a virtual clock and from seeds, so that each figure is the same in every run and may be asserted.
 * Framing below (WebSocket, TCP) is not in the figures.
 */
import { describe, expect, it } from 'vitest'
import { array, bits, type Fields, flag, register, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { kept } from './messages.ts'
import { SeededRandom } from './random.ts'
import { Replica, type ReplicaAction } from './replica.ts'
import type { Edit } from './rows.ts'
import { Space, type SpaceAction } from './space.ts'

/** A hub and some replicas on ordered links, with what travelled. */
class Net {
  now = 1_790_000_000_000
  readonly random: SeededRandom
  readonly schema: Schema
  readonly space: Space
  readonly replicas: Replica[]
  /** Messages in either direction, by replica, since `forget`. */
  readonly up: Uint8Array[][]
  readonly down: Uint8Array[][]
  /** The types of frames at the start of messages of replica 0, in the order in which they were sent: upwards, then downwards after a `/`. */
  readonly trip: string[] = []
  /** The hub's disk: record by key. */
  readonly disk = new Map<string, number>()
  readonly #online: boolean[]
  /** What is under way, in order. */
  readonly #under: (() => void)[] = []

  constructor(fields: Fields, replicas = 2) {
    this.random = new SeededRandom(7)
    const random32 = () => this.random.next32()
    this.schema = new Schema({ t: table(fields) })
    this.space = new Space('s', this.schema, undefined, this.now, { random32 })
    this.replicas = Array.from(
      { length: replicas },
      () => new Replica({ schema: this.schema, space: 's', random32, undoDepth: 0 }),
    )
    this.up = this.replicas.map(() => [])
    this.down = this.replicas.map(() => [])
    this.#online = this.replicas.map(() => false)
  }

  word(field: string): number {
    return this.schema.tables[0].places.get(field)?.[0].word ?? -1
  }

  open(i: number): void {
    this.#online[i] = true
    this.#step(i, { type: 'open', isOrdered: true })
  }

  close(i: number): void {
    this.#online[i] = false
    this.space.leave(i)
    this.replicas[i].step(this.now, { type: 'close' }, [])
  }

  change(i: number, make: (edit: Edit) => void): void {
    this.replicas[i].change(this.now, make)
  }

  flush(i: number): void {
    const out: ReplicaAction[] = []
    this.replicas[i].flush(this.now, out)
    this.#send(i, out)
    this.#carry()
  }

  settle(): void {
    for (let turn = 0; turn < 20; turn++) {
      this.now += 100
      for (const i of this.replicas.keys()) if (this.#online[i]) this.#step(i, { type: 'tick' })
      const out: SpaceAction[] = []
      this.space.tick(this.now, out)
      this.#deliver(out)
      this.#carry()
    }
    for (const [i, replica] of this.replicas.entries())
      if (this.#online[i]) expect(replica.reference.digest()).toBe(this.space.reference.digest())
  }

  forget(): void {
    this.trip.length = 0
    for (const list of [...this.up, ...this.down]) list.length = 0
  }

  sum(lists: readonly Uint8Array[]): number {
    return lists.reduce((bytes, message) => bytes + message.length, 0)
  }

  get diskBytes(): number {
    return [...this.disk.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  #step(i: number, event: Parameters<Replica['step']>[1]): void {
    const out: ReplicaAction[] = []
    this.replicas[i].step(this.now, event, out)
    this.#send(i, out)
    this.#carry()
  }

  #carry(): void {
    for (let arrive = this.#under.shift(); arrive !== undefined; arrive = this.#under.shift()) arrive()
  }

  #send(i: number, actions: readonly ReplicaAction[]): void {
    for (const action of kept(actions)) {
      if (action.type === 'fail') throw action.error
      if (action.type !== 'send') continue
      const bytes = action.bytes.slice()
      this.up[i].push(bytes)
      if (i === 0) this.trip.push(`${bytes[0]}`)
      this.#under.push(() => {
        const out: SpaceAction[] = []
        for (const frame of decodeUplink(bytes)) {
          if (frame.type === 'subscribe') this.space.subscribe(this.now, i, frame, true, out)
          else if (frame.type !== 'hello') this.space.receive(this.now, i, frame, out)
        }
        this.space.commit(out)
        this.#deliver(out)
      })
    }
  }

  #deliver(out: SpaceAction[]): void {
    for (const action of out) {
      if (action.type === 'commit') {
        for (const { key, value } of action.puts)
          this.disk.set(key.join(), key.length + (value === undefined ? 0 : value.length))
        this.space.committed(this.now, action.lsn, out)
      } else if (action.type === 'send') {
        const bytes = action.bytes.slice()
        this.down[action.connection].push(bytes)
        if (action.connection === 0) this.trip.push(`/${bytes[0]}`)
        this.#under.push(() => {
          const back: ReplicaAction[] = []
          this.replicas[action.connection].step(this.now, { type: 'message', bytes }, back)
          this.#send(action.connection, back)
        })
      }
    }
  }
}

const registers = 1000
const rowsOf = (net: Net, i: number, count: number) =>
  Array.from({ length: count }, (_, row) => net.replicas[i].row(0, `row-${row}`))

/** A space in which replica 0 has made `count` rows that everybody knows. */
function withRows(fields: Fields, count: number): { net: Net; rows: number[] } {
  const net = new Net(fields)
  net.open(0)
  net.open(1)
  const rows = rowsOf(net, 0, count)
  const [kind] = Object.values(fields)
  for (const row of rows)
    net.change(0, edit => {
      if (kind.kind === 'register') edit.write(0, row, 1, Int32Array.of(1, 0))
      else if (kind.kind === 'bits' || (kind.kind === 'array' && kind.element.kind === 'toggle'))
        edit.xor(0, row, 1, 1, 0)
      else edit.set(0, row, 1, true)
    })
  net.settle()
  return { net, rows }
}

const random64 = (net: Net) => Int32Array.of(net.random.next32() | 0, net.random.next32() | 0)

/** One random register of 64 bits, changed. */
type Write = (net: Net, edit: Edit, row: number) => void
const writeRegister: Write = (net, edit, row) => edit.write(0, row, 1, random64(net))
const writeXor: Write = (net, edit, row) =>
  edit.xor(0, row, 1, net.random.next32() | 0, net.random.next32() | 0)

function offline(fields: Fields, write: Write, changes: number, perMs: number) {
  const { net, rows } = withRows(fields, registers)
  net.close(0)
  for (let i = 0; i < changes; i++) {
    net.change(0, edit => write(net, edit, rows[net.random.below(registers)]))
    if (i % perMs === perMs - 1) net.now++
  }
  net.forget()
  const { batchesAccepted } = net.space.stats
  net.open(0)
  const trip = { messages: [...net.trip], pending: net.replicas[0].pendingChanges }
  const bytes = {
    up: net.sum(net.up[0]),
    down: net.sum(net.down[0]),
    reader: net.sum(net.down[1]),
  }
  net.settle()
  return { bytes, trip, batches: net.space.stats.batchesAccepted - batchesAccepted, net }
}

describe('200,000 offline changes on 1,000 registers of 64 bits', () => {
  for (const perMs of [1, 500])
    it(`cost what they touched, in one round trip, ${perMs} a millisecond`, () => {
      const max = offline({ value: register.u64() }, writeRegister, 200_000, perMs)
      const xor = offline({ value: bits(64) }, writeXor, 200_000, perMs)
      console.log(perMs, max.bytes, xor.bytes, max.trip, xor.trip, max.batches)
      expect(max.batches).toBe(1)
      // Greeting and batch go up, welcome and a stream that confirms come down; then a `have`, and nothing is open.
      expect(max.trip).toEqual({ messages: ['1', '4', '/16', '/17', '5'], pending: 0 })
      expect(max.bytes.up + max.bytes.down).toBeLessThanOrEqual(14_000)
      expect(max.bytes.reader).toBeLessThanOrEqual(14_000)
      expect(xor.trip).toEqual(max.trip)
      expect(xor.bytes.up + xor.bytes.down).toBeLessThanOrEqual(8500)
      expect(xor.bytes.reader).toBeLessThanOrEqual(8500)
    }, 60_000)
})

describe('1,000 of 100,000', () => {
  const spread = (name: string, fields: Fields, rowCount: number, perRow: number, max: number) =>
    it(`${name}: at most ${max} bytes`, () => {
      const { net, rows } = withRows(fields, rowCount)
      net.close(0)
      const chosen = new Set<number>()
      while (chosen.size < 1000) chosen.add(net.random.below(rowCount * perRow))
      for (const one of chosen) {
        const at = one % perRow
        net.change(0, edit => {
          if (name.startsWith('flags')) edit.set(0, rows[Math.floor(one / perRow)], 1 + at, true)
          else
            edit.xor(
              0,
              rows[Math.floor(one / perRow)],
              1 + (at >> 6),
              at % 64 < 32 ? 1 << at : 0,
              at % 64 < 32 ? 0 : 1 << at,
            )
        })
      }
      net.forget()
      net.open(0)
      const up = net.sum(net.up[0])
      const down = net.sum(net.down[0])
      console.log(name, up, down, net.sum(net.down[1]))
      expect(net.replicas[0].pendingChanges).toBe(0)
      expect(up + down).toBeLessThanOrEqual(max)
      expect(net.sum(net.down[1])).toBeLessThanOrEqual(max)
      net.settle()
    })
  spread('toggles, bits(100,000) in a row', { b: bits(100_000) }, 1, 100_000, 1600)
  spread('toggles, bits(10,000) in 10 rows', { b: bits(10_000) }, 10, 10_000, 1600)
  spread('toggles, bits(1,000) in 100 rows', { b: bits(1000) }, 100, 1000, 1600)
  spread('flags, array(flag, 4,000) in 25 rows', { f: array(flag(), 4000) }, 25, 4000, 3500)
  spread('flags, array(flag, 1,000) in 100 rows', { f: array(flag(), 1000) }, 100, 1000, 3500)
})

describe('100,000 toggles at rest', () => {
  for (const [perRow, rowCount] of [
    [100_000, 1],
    [10_000, 10],
    [4000, 25],
  ])
    it(`in ${rowCount} rows of ${perRow}`, () => {
      const { net, rows } = withRows({ b: bits(perRow) }, rowCount)
      for (const row of rows)
        net.change(0, edit => {
          for (let w = 0; w < Math.ceil(perRow / 64); w++) {
            const left = perRow - 64 * w
            const [low, high] = random64(net)
            edit.xor(
              0,
              row,
              1 + w,
              left < 32 ? low & (2 ** left - 1) : low,
              left < 64 ? (left <= 32 ? 0 : high & (2 ** (left - 32) - 1)) : high,
            )
          }
        })
      net.settle()
      console.log(rowCount, net.diskBytes)
      expect(net.diskBytes).toBeLessThanOrEqual(14_000)
    })
})

describe('one change as one message', () => {
  const lone = (fields: Fields, write: Write, gapMs: number, changes: number) => {
    const { net, rows } = withRows(fields, registers)
    net.forget()
    const before = net.space.lsn
    for (let i = 0; i < changes; i++) {
      net.now += gapMs
      net.change(0, edit => write(net, edit, rows[net.random.below(registers)]))
      net.flush(0)
    }
    expect(net.space.lsn - before).toBe(changes)
    const changesUp = net.up[0].filter(([type]) => type >= 128 || type === 4)
    const entries = net.down[1].filter(([type]) => type >= 192 || type === 17)
    const lengths = (list: Uint8Array[]) => list.map(m => m.length).sort((a, b) => a - b)
    const sizes = { up: lengths(changesUp), down: lengths(entries) }
    net.settle()
    const median = (list: number[]) => list[list.length >> 1]
    return {
      median: median(sizes.up),
      mean: net.sum(changesUp) / changes,
      salted: changesUp.filter(([type]) => type === 4).length,
      readerMedian: median(sizes.down),
      readerMean: net.sum(entries) / changes,
    }
  }
  it.each([1, 10, 50])('every %i ms', gapMs => {
    const max = lone({ value: register.u64() }, writeRegister, gapMs, 2000)
    const xor = lone({ value: bits(64) }, writeXor, gapMs, 2000)
    console.log(gapMs, max, xor)
    expect(max.median).toBeLessThanOrEqual(13)
    expect(xor.median).toBeLessThanOrEqual(12)
    expect(max.readerMedian).toBeLessThanOrEqual(13)
    expect(xor.readerMedian).toBeLessThanOrEqual(12)
  })
})

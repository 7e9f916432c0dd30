/**
 * Goal: what only a link that keeps order allows, and that it still counts every change once: changes that follow the greeting without waiting
 * for the answer, whatever that is, and short frames, whatever is sent again. Method: a real replica and a real space, messages carried by hand
 * in both directions, so that each can be held back, or lost with its connection.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { counter, Schema, table } from '../schema/index.ts'
import {
  type DownlinkFrame,
  decodeDownlink,
  decodeUplink,
  type UplinkFrame,
  Writer,
  writeNeed,
} from '../wire/index.ts'
import { Replica, type ReplicaAction, SeededRandom, Space, type SpaceAction } from './index.ts'

const schema = new Schema({ cells: table({ sum: counter() }) })
const sum = schema.tables[0].places.get('sum')?.[0].word ?? -1

let now = 1_790_000_000_000
let random: SeededRandom
/** Who is at the other end, by connection. */
const clients: Client[] = []
beforeEach(() => {
  random = new SeededRandom(11)
})
const random32 = () => random.next32()
const openSpace = () => new Space('s', schema, undefined, now, { random32 })

/** A client and its connection; messages wait on both sides until they are carried. */
class Client {
  readonly replica = new Replica({ schema, space: 's', random32 })
  readonly up: Uint8Array[] = []
  readonly down: Uint8Array[] = []
  readonly refused: string[] = []
  reconnects = 0
  space: Space
  access = true
  #connection = 0

  constructor(space: Space) {
    this.space = space
  }

  open(isOrdered = true): void {
    this.#connection = clients.push(this) - 1
    this.do(out => this.replica.step(now, { type: 'open', isOrdered }, out))
  }

  /** The connection ends, and what is under way with it. */
  cut(): void {
    this.space.leave(this.#connection)
    this.up.length = 0
    this.down.length = 0
    this.do(out => this.replica.step(now, { type: 'close' }, out))
  }

  add(key: string, by: number): void {
    const row = this.replica.row(0, key)
    this.replica.change(now, edit => edit.add(0, row, sum, by, 0))
    this.do(out => this.replica.flush(now, out))
  }

  tick(ms: number): void {
    now += ms
    this.do(out => this.replica.step(now, { type: 'tick' }, out))
  }

  do(make: (out: ReplicaAction[]) => void): void {
    const out: ReplicaAction[] = []
    make(out)
    for (const action of out) {
      if (action.type === 'fail') throw action.error
      if (action.type === 'send') this.up.push(action.bytes.slice())
      if (action.type === 'refused') this.refused.push(action.code)
      if (action.type === 'reconnect') this.reconnects++
    }
    if (out.some(({ type }) => type === 'reconnect')) {
      this.cut()
      this.open()
    }
  }

  types(): string[] {
    return this.up.flatMap(bytes => decodeUplink(bytes)).map(({ type }) => type)
  }

  /** All that waits on the way up arrives; what is held back does so with a later call. */
  carryUp(holdsBack: UplinkFrame['type'] | undefined = undefined): UplinkFrame[] {
    const messages = this.up.splice(0)
    this.up.push(...messages.filter(bytes => decodeUplink(bytes)[0].type === holdsBack))
    const frames = messages.flatMap(bytes => decodeUplink(bytes)).filter(({ type }) => type !== holdsBack)
    const out: SpaceAction[] = []
    for (const frame of frames) {
      if (frame.type === 'subscribe') this.space.subscribe(now, this.#connection, frame, this.access, out)
      else if (frame.type !== 'hello' && frame.type !== 'auth')
        this.space.receive(now, this.#connection, frame, out)
    }
    this.space.commit(out)
    for (const action of out) {
      if (action.type === 'commit') this.space.committed(now, action.lsn, out)
      if (action.type === 'send') clients[action.connection].down.push(action.bytes.slice())
    }
    return frames
  }

  /** And all on the way down. */
  carryDown(): DownlinkFrame[] {
    const messages = this.down.splice(0)
    for (const bytes of messages) this.do(out => this.replica.step(now, { type: 'message', bytes }, out))
    return messages.flatMap(bytes => decodeDownlink(bytes))
  }

  settle(): void {
    for (let turn = 0; turn < 60; turn++) {
      this.carryUp()
      this.carryDown()
      this.tick(50)
    }
    expect(this.replica.pendingChanges).toBe(0)
    expect(this.replica.reference.digest()).toBe(this.space.reference.digest())
  }

  value(key: string): number {
    const out = new Int32Array(2 * schema.layouts[0].words)
    this.replica.readRow(0, this.replica.row(0, key), out)
    return out[2 * sum]
  }
}

/** What the hub holds under a key. */
function held(space: Space, key: string): number {
  const { words, layout } = space.reference.tables[0]
  const row = space.reference.tables[0].find(key)
  return row < 0 ? 0 : words[2 * (row * layout.words + sum)]
}

describe('eagerness', () => {
  it('changes follow the greeting, and one answer settles them', () => {
    const a = new Client(openSpace())
    a.add('x', 5)
    a.open()
    expect(a.types()).toEqual(['hello', 'subscribe', 'batch'])
    a.carryUp()
    a.carryDown()
    expect(a.replica.pendingChanges).toBe(0)
    expect([a.value('x'), held(a.space, 'x')]).toEqual([5, 5])
  })

  it('so do those made before the answer is there', () => {
    const a = new Client(openSpace())
    a.open()
    a.add('x', 5)
    expect(a.types()).toEqual(['hello', 'subscribe', 'batch'])
    a.settle()
    expect(held(a.space, 'x')).toBe(5)
    expect(a.space.stats.duplicatesDropped).toBe(0)
  })

  it('elsewhere they wait for it', () => {
    const a = new Client(openSpace())
    a.add('x', 5)
    a.open(false)
    expect(a.types()).toEqual(['hello', 'subscribe'])
    a.settle()
    expect(held(a.space, 'x')).toBe(5)
  })

  it('a cut between change and answer makes them come again, and count once', () => {
    for (const carried of [false, true]) {
      const a = new Client(openSpace())
      a.add('x', 5)
      a.open()
      if (carried) a.carryUp()
      a.cut()
      a.add('x', 2)
      a.open()
      a.settle()
      expect([a.value('x'), held(a.space, 'x')]).toEqual([7, 7])
      expect(a.replica.stats.forks).toBe(0)
    }
  })

  it('a greeting that got no answer in time is repeated without them, and they count once', () => {
    const a = new Client(openSpace())
    a.add('x', 5)
    a.open()
    a.carryUp()
    a.tick(1000)
    expect(a.types()).toEqual(['hello', 'subscribe'])
    a.add('x', 2)
    expect(a.types()).toEqual(['hello', 'subscribe'])
    a.settle()
    expect([a.value('x'), held(a.space, 'x')]).toEqual([7, 7])
    expect(a.reconnects).toBe(0)
  })

  it('a hub that knows rows by other numbers reads none of them before the client has heard so', () => {
    const first = openSpace()
    const [maker, a] = [new Client(first), new Client(first)]
    maker.open()
    for (const key of ['p', 'q', 'r']) maker.add(key, 1)
    maker.settle()
    a.open()
    a.settle()
    a.cut()
    // Another disk, where 'r' and 'q' have changed numbers, and 'p' is unknown.
    const second = openSpace()
    const other = new Client(second)
    other.open()
    for (const key of ['r', 'q', 's', 't']) other.add(key, 10)
    other.settle()
    a.space = second
    a.add('q', 5)
    a.open()
    expect(a.types()).toEqual(['hello', 'subscribe', 'batch'])
    a.carryUp()
    expect(second.stats.batchesAccepted).toBe(other.space.stats.batchesAccepted)
    expect(['r', 'q', 's', 't'].map(key => held(second, key))).toEqual([10, 10, 10, 10])
    // One greeting more, and it goes on.
    a.carryDown()
    expect(a.types()).toEqual(['hello', 'subscribe'])
    a.settle()
    other.settle()
    expect(['p', 'q', 'r', 's', 't'].map(key => held(second, key))).toEqual([0, 15, 10, 10, 10])
    expect(other.value('q')).toBe(15)
    expect(a.value('p')).toBe(0)
  })

  it('a client that may only read hears so of what it sent, and the rest is refused on the spot', () => {
    const a = new Client(openSpace())
    a.access = false
    a.add('x', 5)
    a.open()
    a.add('x', 7)
    a.carryUp()
    a.carryDown()
    expect(a.refused).toEqual(['readonly', 'readonly'])
    expect([a.value('x'), held(a.space, 'x'), a.replica.pendingChanges]).toEqual([0, 0, 0])
    a.add('x', 9)
    expect(a.refused).toEqual(['readonly', 'readonly', 'readonly'])
    a.access = true
    a.cut()
    a.open()
    a.settle()
    a.add('x', 1)
    a.settle()
    expect([a.value('x'), held(a.space, 'x')]).toEqual([1, 1])
  })
})

describe('a short frame', () => {
  /** A client with a salt in force, so that single changes are short. */
  const begun = () => {
    const a = new Client(openSpace())
    a.open()
    a.add('x', 1)
    a.carryUp()
    a.carryDown()
    return a
  }
  const addMany = (a: Client, times: number) => {
    const row = a.replica.row(0, 'x')
    for (let i = 0; i < times; i++) a.replica.change(now, edit => edit.add(0, row, sum, 1, 0))
    a.do(out => a.replica.flush(now, out))
  }

  it('is for what is sent once: 64 changes later, a repeat of it would be taken for the next', () => {
    const a = begun()
    a.add('x', 10)
    expect(a.types()).toContain('change')
    addMany(a, 63)
    a.carryUp()
    expect(held(a.space, 'x')).toBe(74)
    // The hub is busy, and its answers are late: all is sent again.
    for (let ms = 0; ms < 5000; ms += 100) {
      a.tick(100)
      a.carryUp()
    }
    expect(a.replica.stats.batchesResent).toBeGreaterThan(0)
    expect(held(a.space, 'x')).toBe(74)
    a.settle()
    expect([a.value('x'), held(a.space, 'x')]).toEqual([74, 74])
    expect(a.replica.stats.forks).toBe(0)
  })

  it('says nothing behind a batch that was not taken', () => {
    const a = begun()
    // The author does not say what it knows to be settled: the hub runs out of room for bounds.
    for (let i = 1; i < 1100 && a.replica.pendingChanges === 0; i++) {
      a.add('x', 1)
      a.carryUp('have')
      a.carryDown()
    }
    const before = held(a.space, 'x')
    const { pendingChanges } = a.replica
    expect(pendingChanges).toBe(1)
    addMany(a, 63)
    a.carryUp('have')
    // Now it says so; and the next change ends in the same 6 bits as the one that was not taken.
    a.add('x', 100)
    expect(a.types()).toContain('change')
    const isHave = (bytes: Uint8Array) => decodeUplink(bytes)[0].type === 'have'
    const messages = a.up.splice(0)
    a.up.push(...messages.filter(isHave), ...messages.filter(bytes => !isHave(bytes)))
    expect(a.types()).toEqual(['have', 'have', 'have', 'have', 'change'])
    a.carryUp()
    expect(held(a.space, 'x')).toBe(before)
    a.settle()
    expect([a.value('x'), held(a.space, 'x')]).toEqual([before + 164, before + 164])
    expect(a.replica.stats.forks).toBe(0)
  })
})

describe('a log that keeps order', () => {
  const follower = () => {
    const space = openSpace()
    const [author, reader] = [new Client(space), new Client(space)]
    for (const client of [author, reader]) {
      client.open()
      client.settle()
    }
    author.add('x', 1)
    author.settle()
    reader.carryDown()
    return { author, reader }
  }

  it('is sent once, whatever a reader asks for: who has gone on would take it for what comes next', () => {
    const { author, reader } = follower()
    const w = new Writer()
    writeNeed(w, 0)
    reader.up.push(w.finish())
    reader.carryUp()
    expect(reader.down).toEqual([])
    author.add('x', 1)
    author.settle()
    reader.settle()
    expect(reader.value('x')).toBe(2)
  })

  it('has no holes: one that shows makes the reader begin anew from where it stands', () => {
    const { author, reader } = follower()
    for (const by of [10, 100]) {
      author.add('x', by)
      author.carryUp()
    }
    expect(reader.down.length).toBe(2)
    reader.down.shift()
    reader.carryDown()
    expect(reader.reconnects).toBe(1)
    reader.settle()
    expect(reader.value('x')).toBe(111)
    expect(reader.replica.stats.divergences).toBe(0)
  })
})

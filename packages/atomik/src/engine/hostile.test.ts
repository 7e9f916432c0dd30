/**
 * Goal: bytes that no honest side sends change nothing they should not: a refusal leaves digests as they were, and whatever was taken, the
 * honest side ends up equal to the hub again. Method: a recorded session of real messages, mutated by seed and fed to a live space
 * and a live replica; then a healthy connection, and a comparison of everything.
 */
import { describe, expect, it } from 'vitest'
import { AtomikError } from '../errors.ts'
import { counter, flag, register, Schema, table, toggle } from '../schema/index.ts'
import {
  decodeUplink,
  encodeUtf8,
  Writer,
  writeAck,
  writeBatch,
  writeStream,
  writeWelcome,
} from '../wire/index.ts'
import { kept } from './messages.ts'
import { SeededRandom } from './random.ts'
import { Replica, type ReplicaAction } from './replica.ts'
import { Space, type SpaceAction } from './space.ts'

const schema = new Schema({
  cells: table({ sum: counter(), bit: toggle(), name: register.u32(), on: flag() }),
  logs: table({ n: counter() }),
})
const at = (name: string) => schema.tables[0].places.get(name)?.[0].word ?? -1

class Pair {
  now = 1_000_000
  readonly random = new SeededRandom(3)
  readonly random32 = () => this.random.next32()
  readonly space = new Space('s', schema, undefined, this.now, { random32: this.random32 })
  readonly replicas = [this.draw(), this.draw()]
  /** What travelled, for mutation. */
  readonly up: Uint8Array[] = []
  readonly down: Uint8Array[] = []
  /** Not yet delivered to each replica. */
  readonly #queues: Uint8Array[][] = [[], []]
  /** Connections are numbered anew at every opening. */
  readonly connections = [0, 0]
  #opened = 0

  draw(): Replica {
    return new Replica({ schema, space: 's', random32: this.random32 })
  }

  open(i: number): void {
    if (this.connections[i] !== 0) {
      this.space.leave(this.connections[i])
      this.replicas[i].step(this.now, { type: 'close' }, [])
    }
    this.connections[i] = ++this.#opened
    this.#queues[i] = []
    const out: ReplicaAction[] = []
    this.replicas[i].step(this.now, { type: 'open' }, out)
    this.fromReplica(i, out)
  }

  fromReplica(i: number, actions: readonly ReplicaAction[]): void {
    for (const action of kept(actions))
      if (action.type === 'send') {
        this.up.push(action.bytes)
        this.toSpace(this.connections[i], action.bytes)
      } else if (action.type === 'reconnect') {
        this.open(i)
      }
  }

  /** As a hub does: frames in order, until one is refused. */
  toSpace(connection: number, bytes: Uint8Array): AtomikError | undefined {
    const out: SpaceAction[] = []
    let refusal: AtomikError | undefined
    try {
      for (const frame of decodeUplink(bytes)) {
        if (frame.type === 'subscribe') this.space.subscribe(this.now, connection, frame, true, out)
        else if (frame.type !== 'hello' && frame.type !== 'auth')
          this.space.receive(this.now, connection, frame, out)
      }
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      refusal = error
    }
    this.space.commit(out)
    for (const action of out) {
      if (action.type === 'commit') this.space.committed(this.now, action.lsn, out)
      else if (action.type === 'send') {
        const i = this.connections.indexOf(action.connection)
        if (i >= 0) this.#queues[i].push(action.bytes)
        this.down.push(action.bytes)
      }
    }
    return refusal
  }

  /** Delivers all that waits and lets time pass, until both stand where the hub stands. */
  settle(): void {
    for (let turn = 0; turn < 200; turn++) {
      this.now += 100
      for (const [i, replica] of this.replicas.entries()) {
        const out: ReplicaAction[] = []
        for (const bytes of this.#queues[i].splice(0)) replica.step(this.now, { type: 'message', bytes }, out)
        replica.step(this.now, { type: 'tick' }, out)
        this.fromReplica(i, out)
        if (out.some(action => action.type === 'fail')) this.open(i)
      }
      const out: SpaceAction[] = []
      this.space.tick(this.now, out)
      for (const action of out)
        if (action.type === 'send')
          this.#queues[this.connections.indexOf(action.connection)]?.push(action.bytes)
      const settled = this.replicas.every(r => r.pendingChanges === 0 && r.lsn === this.space.lsn && r.isLive)
      if (
        settled &&
        turn > 10 &&
        this.replicas.every(r => r.reference.digest() === this.space.reference.digest())
      )
        return
    }
    throw new Error('the pair did not settle')
  }

  change(i: number): void {
    const replica = this.replicas[i]
    const row = replica.row(0, `k${this.random.below(5)}`)
    const log = replica.row(1, `l${this.random.below(3)}`)
    replica.change(++this.now, edit => {
      edit.add(0, row, at('sum'), 1 + this.random.below(9), 0)
      edit.xor(0, row, at('bit'), 1, 0)
      edit.write(0, row, at('name'), Int32Array.of(this.random.below(1000), 0))
      edit.set(0, row, at('on'), this.random.below(2) === 0)
      edit.add(1, log, 1, 1, 0)
    })
    const out: ReplicaAction[] = []
    replica.flush(this.now, out)
    this.fromReplica(i, out)
  }
}

function session(): Pair {
  const pair = new Pair()
  pair.open(0)
  pair.open(1)
  for (let i = 0; i < 30; i++) {
    pair.change(i % 2)
    if (i % 3 === 0) pair.settle()
  }
  pair.settle()
  return pair
}

function mutate(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let now = bytes.slice()
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(now.length)
    const kind = random.below(5)
    if (kind === 0) now[at] ^= 1 << random.below(8)
    else if (kind === 1) now[at] = random.below(256)
    else if (kind === 2) now = now.slice(0, at + 1)
    else if (kind === 3) now = Uint8Array.from([...now.slice(0, at), random.below(256), ...now.slice(at)])
    else now = Uint8Array.from([...now.slice(0, at), ...now.slice(at + 1)])
    if (now.length === 0) now = Uint8Array.of(0)
  }
  return now
}

describe('a space under mutated messages', () => {
  it('refuses without a trace, takes whole batches only, and its honest clients end up equal to it', () => {
    const pair = session()
    const random = new SeededRandom(11)
    const recorded = [...pair.up]
    let refusals = 0
    let taken = 0
    let attacker = 1_000_000
    for (let step = 0; step < 20_000; step++) {
      pair.now += 1
      // A stranger that repeats a whole recorded session up to some point, damaged at the end.
      const start = random.below(recorded.length)
      attacker++
      const subscription = recorded[0]
      if (random.below(4) > 0) pair.toSpace(attacker, subscription)
      const { space } = pair
      const before = { digest: space.reference.digest(), lsn: space.lsn }
      const error = pair.toSpace(attacker, mutate(random, recorded[start]))
      const after = { digest: space.reference.digest(), lsn: space.lsn }
      if (error !== undefined) refusals++
      if (after.lsn === before.lsn) expect(after).toEqual(before)
      else taken++
      pair.space.leave(attacker)
    }
    expect(refusals).toBeGreaterThan(5000)
    expect(taken).toBeLessThan(2000)
    pair.change(0)
    pair.change(1)
    pair.settle()
    for (const replica of pair.replicas)
      expect(replica.reference.digest()).toBe(pair.space.reference.digest())
  }, 60_000)
})

describe('a replica under mutated messages', () => {
  it('fails typed and without a trace, and is equal to the hub again after a healthy connection', () => {
    const pair = session()
    const random = new SeededRandom(12)
    const recorded = [...pair.down]
    let failures = 0
    for (let step = 0; step < 20_000; step++) {
      pair.now += 1
      const [replica] = pair.replicas
      const before = { digest: replica.reference.digest(), lsn: replica.lsn }
      const out: ReplicaAction[] = []
      const bytes = mutate(random, recorded[random.below(recorded.length)])
      replica.step(pair.now, { type: 'message', bytes }, out)
      const failed = out.some(action => action.type === 'fail')
      if (failed) failures++
      const after = { digest: replica.reference.digest(), lsn: replica.lsn }
      if (after.lsn === before.lsn && after.digest !== before.digest) {
        // Only a position that the hub is said not to know empties the reference without moving on.
        expect([step, after.lsn, after.digest]).toEqual([step, 0, '0000000000000000'])
      }
      if (failed || step % 40 === 0) {
        pair.open(0)
        pair.settle()
        expect([step, replica.reference.digest()]).toEqual([step, pair.space.reference.digest()])
      }
      if (step % 500 === 0) pair.change(1)
    }
    expect(failures).toBeGreaterThan(1000)
  }, 120_000)
})

const zero = { low: 0, high: 0 }
const finish = (play: (w: Writer) => void) => {
  const w = new Writer()
  play(w)
  return w.finish()
}

describe('frames that are well formed and wrong', () => {
  const hostile: [string, (w: Writer) => void][] = [
    [
      'a batch under an alias nobody claimed',
      w => writeBatch(w, { alias: 5, from: 0, to: 1, salt: undefined, body: Uint8Array.of(0, 0) }),
    ],
    [
      'a batch whose delta is cut',
      w => writeBatch(w, { alias: 0, from: 1, to: 2, salt: undefined, body: Uint8Array.of(0, 1) }),
    ],
    [
      'a batch with bytes after its delta',
      w => writeBatch(w, { alias: 0, from: 1, to: 2, salt: undefined, body: Uint8Array.of(0, 0, 0) }),
    ],
    [
      'a batch that numbers a row itself',
      w =>
        writeBatch(w, {
          alias: 0,
          from: 1,
          to: 2,
          salt: undefined,
          body: Uint8Array.of(0, 1, 0, 4 + 8 * 15, 2, 0, ...encodeUtf8('\u0001z'), 1, 1),
        }),
    ],
  ]
  it.each(hostile)('to a space: %s', (_, write) => {
    const pair = new Pair()
    pair.open(0)
    pair.open(1)
    pair.change(0)
    pair.settle()
    const before = [pair.space.reference.digest(), pair.space.lsn]
    expect(pair.toSpace(pair.connections[0], finish(write))).toBeInstanceOf(AtomikError)
    expect([pair.space.reference.digest(), pair.space.lsn]).toEqual(before)
  })

  it('to a space: a frame before any subscription', () => {
    const pair = new Pair()
    const batch = finish(w =>
      writeBatch(w, { alias: 0, from: 0, to: 1, salt: undefined, body: Uint8Array.of(0, 0) }),
    )
    expect(pair.toSpace(7, batch)?.message).toContain('before a subscription')
  })

  const newRow = (...keys: string[]) => {
    const w = new Writer()
    for (const byte of [0, 1, 5]) w.u8(byte)
    w.varint(keys.length > 1 ? 3 : 2)
    if (keys.length > 1) w.varint(keys.length - 2)
    for (const byte of [2, 0]) w.u8(byte)
    for (const key of keys) w.text(key)
    w.beginSpans()
    for (const _ of keys) w.span(1, 0)
    return w.finish()
  }
  const live = () => {
    const random = new SeededRandom(1)
    const replica = new Replica({ schema, space: 's', random32: () => random.next32() })
    const out: ReplicaAction[] = []
    replica.step(1, { type: 'open' }, out)
    const welcome = finish(w =>
      writeWelcome(w, {
        attempt: 1,
        epoch: zero,
        lsn: 0,
        toLsn: 0,
        stampBaseMs: 0,
        writable: true,
        heads: [],
      }),
    )
    replica.step(2, { type: 'message', bytes: welcome }, out)
    expect(replica.isLive).toBe(true)
    return replica
  }
  it.each<[string, () => Uint8Array]>([
    ['one new key under two numbers', () => newRow('a', 'a')],
    ['bytes after a delta', () => Uint8Array.from([...newRow('a'), 0])],
    ['a number that is not known', () => Uint8Array.of(0, 1, 4, 28, 2, 0, 1, 1)],
  ])('to a replica: %s', (_, body) => {
    const replica = live()
    const out: ReplicaAction[] = []
    const bytes = finish(w => writeStream(w, 0, [{ kind: 'delta', body: body() }]))
    replica.step(3, { type: 'message', bytes }, out)
    expect(out.map(action => action.type)).toEqual(['fail'])
    expect([replica.lsn, replica.reference.digest()]).toEqual([0, '0000000000000000'])
    // The same row is still nobody's: the right stream is taken.
    const right = finish(w => writeStream(w, 0, [{ kind: 'delta', body: newRow('a', 'b') }]))
    replica.step(4, { type: 'message', bytes: right }, out)
    expect(replica.lsn).toBe(1)
  })

  it('to a replica: a stream that settles what it never sent', () => {
    const replica = live()
    const out: ReplicaAction[] = []
    const bytes = finish(w => writeStream(w, 0, [{ kind: 'own', alias: 0, to: 1 }]))
    replica.step(3, { type: 'message', bytes }, out)
    expect(out.map(action => action.type)).toEqual(['fail'])
    expect(replica.lsn).toBe(0)
  })

  it('to a replica: a good entry, then a bad one: the good one holds, and is announced', () => {
    const replica = live()
    const out: ReplicaAction[] = []
    const bytes = finish(w =>
      writeStream(w, 0, [
        { kind: 'delta', body: newRow('a') },
        { kind: 'delta', body: Uint8Array.of(255) },
      ]),
    )
    replica.step(3, { type: 'message', bytes }, out)
    expect(out.filter(action => action.type !== 'send').map(action => action.type)).toEqual([
      'changed',
      'fail',
    ])
    expect(replica.lsn).toBe(1)
    expect(replica.findRow(1, 'a')).toBe(0)
  })
})

describe('keys that could not travel', () => {
  it.each(['', 'x'.repeat(256), 'é'.repeat(128), '\ud800', 'a\udc00'])(
    'are refused before anything is made of them: %j',
    key => {
      const replica = new Pair().replicas[0]
      expect(() => replica.row(0, key)).toThrow(AtomikError)
      expect(replica.findRow(0, key)).toBe(-1)
    },
  )
  it('are no others', () => {
    const replica = new Pair().replicas[0]
    for (const key of ['x'.repeat(255), '\u{1f6eb}', '\0', ' '])
      expect(replica.row(0, key)).toBe(replica.findRow(0, key))
  })
})

describe('a reader that starts over while the log is still there', () => {
  it('gets its own settled batches with their content, and arrives', () => {
    const pair = session()
    const [replica] = pair.replicas
    // A wrong digest makes the replica give up its reference and ask for all of it.
    const before = replica.stats.divergences
    const wrong = finish(w => writeAck(w, replica.lsn, { low: 1, high: 1 }, []))
    const out: ReplicaAction[] = []
    replica.step(pair.now, { type: 'message', bytes: wrong }, out)
    expect(replica.stats.divergences).toBe(before + 1)
    expect(replica.lsn).toBe(0)
    pair.fromReplica(0, out)
    pair.settle()
    expect(replica.reference.digest()).toBe(pair.space.reference.digest())
    expect(replica.stats.snapshots + replica.stats.folds).toBe(0)
  })
})

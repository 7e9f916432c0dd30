/**
 * Goal: the hub's side of a space does what replicas rely on besides counting once: checkpoints that forget nothing, schemas that grow,
 * and rights. Method: real replicas and a space on links that lose nothing, unless a test makes them deaf; a store in a map, so
 * that the space can be opened again; sums as whole numbers.
 */
import { describe, expect, it } from 'vitest'
import { AtomikError } from '../errors.ts'
import { counter, flag, register, Schema, type Tables, table, toggle } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { kept } from './messages.ts'
import { SeededRandom } from './random.ts'
import { Replica, type ReplicaAction } from './replica.ts'
import { Space, type SpaceAction, type SpaceOptions } from './space.ts'
import { inspectSpace, loadSpace } from './space-image.ts'
import type { Grant } from './space-judge.ts'
import { SpaceRepair } from './space-repair.ts'
import type { Put, Storage } from './storage.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

class MapStorage implements Storage {
  readonly entries = new Map<string, { key: Uint8Array; value: Uint8Array }>()
  range(prefix: Uint8Array) {
    return [...this.entries.values()]
      .filter(({ key }) => hex(key).startsWith(hex(prefix)))
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

interface Node {
  readonly replica: Replica
  readonly schema: Schema
  readonly grant: boolean | Grant
  connection: number
  /** What the hub answers does not arrive. */
  isDeaf: boolean
  readonly refused: string[]
  readonly failed: string[]
}

class Bench {
  now = 1_000_000
  readonly storage = new MapStorage()
  space: Space
  readonly nodes: Node[] = []
  readonly adopted: string[] = []
  /** Bytes of each commit. */
  readonly commits: number[] = []
  readonly #random = new SeededRandom(3)
  readonly #random32 = () => this.#random.next32()
  readonly #options: Omit<SpaceOptions, 'random32'>
  #connections = 0

  constructor(schema: Schema, options: Omit<SpaceOptions, 'random32'> = {}) {
    this.#options = {
      recall: key => this.storage.entries.get(hex(key))?.value,
      ...options,
    }
    this.space = this.#open(schema)
  }

  #open(schema: Schema): Space {
    const image = loadSpace(this.storage, 's')
    return new Space('s', image?.schema ?? schema, image, this.now, {
      random32: this.#random32,
      ...this.#options,
    })
  }

  /** The hub dies and comes back with what is on disk; everyone is disconnected. */
  restart(): void {
    for (const node of this.nodes) if (node.connection !== 0) this.disconnect(node)
    this.now += 1000
    this.space = this.#open(this.space.schema)
  }

  join(schema: Schema, grant: boolean | Grant = true): Node {
    const replica = new Replica({ schema, space: 's', random32: this.#random32 })
    const node = { replica, schema, grant, connection: 0, isDeaf: false, refused: [], failed: [] }
    this.nodes.push(node)
    this.connect(node)
    return node
  }

  connect(node: Node): void {
    node.connection = ++this.#connections
    const out: ReplicaAction[] = []
    node.replica.step(this.now, { type: 'open' }, out)
    this.#up(node, out)
  }

  disconnect(node: Node): void {
    this.space.leave(node.connection)
    node.connection = 0
    node.replica.step(this.now, { type: 'close' }, [])
  }

  add(node: Node, key: string, by: number, field = 'sum', t = 0): void {
    const row = node.replica.row(t, key)
    node.replica.change(this.now, edit =>
      edit.add(t, row, wordOf(node.schema, field, t), by, by < 0 ? -1 : 0),
    )
    const out: ReplicaAction[] = []
    node.replica.flush(this.now, out)
    this.#up(node, out)
  }

  read(node: Node, key: string, field = 'sum', t = 0): number {
    const out = new Int32Array(2 * node.schema.layouts[t].words)
    node.replica.readRow(t, node.replica.row(t, key), out)
    return out[2 * wordOf(node.schema, field, t)]
  }

  /** Time passes, until everything that must be said again has been. */
  settle(): void {
    for (let step = 0; step < 40; step++) {
      this.now += 100
      const out: SpaceAction[] = []
      this.space.tick(this.now, out)
      this.#down(out)
      for (const node of this.nodes) {
        if (node.connection === 0) continue
        const actions: ReplicaAction[] = []
        node.replica.step(this.now, { type: 'tick' }, actions)
        this.#up(node, actions)
      }
    }
  }

  #up(node: Node, actions: readonly ReplicaAction[]): void {
    for (const action of kept(actions)) {
      if (action.type === 'fail') node.failed.push(`${action.error.code}: ${action.error.message}`)
      if (action.type === 'refused') node.refused.push(action.code)
      if (action.type !== 'send' || node.connection === 0) continue
      const out: SpaceAction[] = []
      try {
        for (const frame of decodeUplink(action.bytes)) {
          if (frame.type === 'subscribe')
            this.space.subscribe(this.now, node.connection, frame, node.grant, out)
          else if (frame.type !== 'hello' && frame.type !== 'auth')
            this.space.receive(this.now, node.connection, frame, out)
        }
      } catch (error) {
        if (!(error instanceof AtomikError)) throw error
        node.failed.push(`${error.code}: ${error.message}`)
      }
      this.space.commit(out)
      this.#down(out)
    }
  }

  #down(actions: readonly SpaceAction[]): void {
    for (const action of actions) {
      if (action.type === 'adopted') this.adopted.push(action.schema.description)
      if (action.type === 'commit') {
        this.storage.put([...action.puts])
        this.commits.push(
          [...action.puts].reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0),
        )
        const out: SpaceAction[] = []
        this.space.committed(this.now, action.lsn, out)
        this.#down(out)
      } else if (action.type === 'send') {
        const node = this.nodes.find(({ connection }) => connection === action.connection)
        if (node === undefined || node.isDeaf) continue
        const out: ReplicaAction[] = []
        node.replica.step(this.now, { type: 'message', bytes: action.bytes }, out)
        this.#up(node, out)
      }
    }
  }

  expectAgreed(): void {
    this.settle()
    for (const { replica } of this.nodes) {
      if (!replica.isLive) continue
      expect(replica.lsn).toBe(this.space.lsn)
      expect(replica.pendingChanges).toBe(0)
      expect(replica.stats.divergences).toBe(0)
    }
  }
}

const wordOf = (schema: Schema, field: string, t: number) =>
  schema.tables[t].places.get(field)?.[0].word ?? Number.NaN
const schemaOf = (tables: Tables) => new Schema(tables)
const cells = schemaOf({ cells: table({ sum: counter() }) })

describe('a checkpoint', () => {
  it('drops the log and the heads nobody speaks for, and nothing else', () => {
    const bench = new Bench(cells)
    const stays = bench.join(cells)
    for (let i = 0; i < 20; i++) {
      const visitor = bench.join(cells)
      bench.add(visitor, 'x', 1)
      bench.disconnect(visitor)
    }
    bench.add(stays, 'x', 100)
    bench.settle()
    expect(bench.space.incarnationCount).toBe(21)
    expect(bench.space.logBytes).toBeGreaterThan(0)
    const before = bench.space.reference.digest()
    expect(bench.space.checkpoint()).toMatchObject({ lsn: 21 })
    expect([bench.space.incarnationCount, bench.space.retiredCount]).toEqual([1, 20])
    expect(bench.space.logBytes).toBe(0)
    expect(bench.space.reference.digest()).toBe(before)
    // Those who stay go on as before, newcomers get the state.
    bench.add(stays, 'x', 1)
    const late = bench.join(cells)
    bench.expectAgreed()
    expect(bench.read(late, 'x')).toBe(121)
  })

  it('lets an interval from a retired incarnation land once: what was accepted is known, what was not is taken', () => {
    for (const restarts of [false, true]) {
      const bench = new Bench(cells)
      const a = bench.join(cells)
      bench.add(a, 'x', 1)
      bench.settle()
      a.isDeaf = true
      bench.add(a, 'x', 10) // accepted, but its author does not hear of it
      bench.disconnect(a)
      bench.add(a, 'x', 100) // made without a connection
      if (restarts) bench.restart()
      bench.space.checkpoint()
      expect([bench.space.incarnationCount, bench.space.retiredCount]).toEqual([0, 1])
      const b = bench.join(cells)
      bench.add(b, 'x', 1000)
      bench.settle()
      bench.space.checkpoint()
      a.isDeaf = false
      bench.connect(a)
      bench.expectAgreed()
      expect([bench.read(a, 'x'), bench.read(b, 'x')]).toEqual([1111, 1111])
      expect(bench.space.stats).toMatchObject({ duplicatesDropped: 1, forks: 0 })
      expect(bench.space.retiredCount).toBe(0)
    }
  })

  it('at every moment of a run with 30 visitors: each change counts once', () => {
    const random = new SeededRandom(11)
    const bench = new Bench(cells)
    let made = 0
    const visitors = Array.from({ length: 30 }, () => bench.join(cells))
    for (let step = 0; step < 600; step++) {
      const node = visitors[random.below(visitors.length)]
      const chance = random.below(10)
      if (chance < 4) {
        bench.add(node, 'x', 1)
        made++
      } else if (chance < 6) {
        node.isDeaf = !node.isDeaf
      } else if (chance < 8) {
        if (node.connection === 0) bench.connect(node)
        else bench.disconnect(node)
      } else if (chance === 8 && random.below(5) === 0) {
        bench.restart()
      }
      bench.space.checkpoint()
    }
    for (const node of visitors) {
      node.isDeaf = false
      if (node.connection !== 0) bench.disconnect(node)
      bench.connect(node)
    }
    bench.expectAgreed()
    for (const node of visitors) expect(bench.read(node, 'x')).toBe(made)
    const image = loadSpace(bench.storage, 's')
    expect(image?.reference.digest()).toBe(bench.space.reference.digest())
  })

  it('keeps memory and the bytes of a commit the same after 50 and after 1,050 incarnations and openings', () => {
    const bench = new Bench(cells)
    const visit = (times: number) => {
      for (let i = 0; i < times; i++) {
        const visitor = bench.join(cells)
        bench.add(visitor, 'x', 1)
        bench.disconnect(visitor)
        bench.nodes.length = 0
        if (i % 10 === 0) bench.restart()
        bench.space.checkpoint()
      }
      return { heads: bench.space.incarnationCount, bytes: bench.commits.at(-1) ?? 0 }
    }
    const few = visit(50)
    const many = visit(1000)
    expect(few.heads).toBe(0)
    expect(many.heads).toBe(0)
    // The log number takes a byte more.
    expect(many.bytes - few.bytes).toBeLessThan(10)
    expect(many.bytes).toBeLessThan(250)
    const records = [...bench.storage.entries.values()].filter(({ key }) => key[2] === 'h'.charCodeAt(0))
    expect(records).toHaveLength(1050)
    for (const { key, value } of records) expect(key.length + value.length).toBeLessThan(100)
  })

  it('without a way to recall them keeps heads in memory', () => {
    const bench = new Bench(cells, { recall: undefined as never })
    const a = bench.join(cells)
    bench.add(a, 'x', 1)
    bench.disconnect(a)
    bench.space.checkpoint()
    expect([bench.space.incarnationCount, bench.space.retiredCount]).toEqual([1, 0])
  })
})

describe('a schema that grows', () => {
  const old = schemaOf({ cells: table({ sum: counter(), on: toggle() }) })
  const grown = schemaOf({
    cells: table({ sum: counter(), on: toggle(), more: counter(), name: register.u32(), lit: toggle() }),
    logs: table({ n: counter() }),
  })

  it('serves older and newer clients at once: each sees its own fields, all agree', () => {
    const bench = new Bench(old)
    const older = bench.join(old)
    bench.add(older, 'x', 1)
    const newer = bench.join(grown)
    expect(bench.adopted).toEqual([grown.description])
    bench.add(newer, 'x', 10)
    bench.add(newer, 'x', 5, 'more')
    bench.add(newer, 'l', 7, 'n', 1)
    bench.add(older, 'y', 100)
    bench.add(newer, 'y', 3, 'more')
    const late = bench.join(old)
    const lateNewer = bench.join(grown)
    bench.expectAgreed()
    expect([older, newer, late, lateNewer].map(node => bench.read(node, 'x'))).toEqual([11, 11, 11, 11])
    expect([older, newer, late, lateNewer].map(node => bench.read(node, 'y'))).toEqual([100, 100, 100, 100])
    expect([newer, lateNewer].map(node => bench.read(node, 'x', 'more'))).toEqual([5, 5])
    expect([newer, lateNewer].map(node => bench.read(node, 'y', 'more'))).toEqual([3, 3])
    expect(bench.read(lateNewer, 'l', 'n', 1)).toBe(7)
    // It is so on disk too, and for those who come back.
    bench.restart()
    expect(bench.space.schema.description).toBe(grown.description)
    for (const node of bench.nodes) bench.connect(node)
    bench.add(older, 'x', 1)
    bench.add(newer, 'x', 1, 'more')
    bench.expectAgreed()
    expect(bench.read(lateNewer, 'x')).toBe(12)
    expect(bench.read(lateNewer, 'x', 'more')).toBe(6)
    for (const { failed } of bench.nodes) expect(failed).toEqual([])
  })

  it('agrees by fingerprint over what each sees, in folds, snapshots and streams', () => {
    const random = new SeededRandom(5)
    const bench = new Bench(old, { logBytesMax: 2000 })
    const [a, b, c] = [bench.join(old), bench.join(grown), bench.join(old)]
    for (let step = 0; step < 900; step++) {
      const node = [a, b, c][random.below(3)]
      if (random.below(40) === 0 && node.connection !== 0) bench.disconnect(node)
      else if (node.connection === 0 && random.below(20) === 0) bench.connect(node)
      const field = node === b && random.below(2) === 0 ? 'more' : 'sum'
      bench.add(node, `k${random.below(12)}`, 1, field)
      if (random.below(200) === 0) bench.space.checkpoint()
    }
    for (const node of bench.nodes) if (node.connection === 0) bench.connect(node)
    bench.expectAgreed()
    for (let k = 0; k < 12; k++)
      expect(new Set(bench.nodes.map(node => bench.read(node, `k${k}`))).size).toBe(1)
    expect(bench.space.stats.foldsSent + bench.space.stats.snapshotsSent).toBeGreaterThan(3)
    expect(bench.space.stats.streamFrames).toBeGreaterThan(100)
  })

  it.each([
    ['may not bring fields', false, true as boolean | Grant],
    ['may write own rows only', undefined, { principal: 'ana', rows: 'own' } as const],
  ])(
    'stores nothing of a newer client that %s: what it may write is taken, the rest refused and rolled back',
    (_, adoptsFields, grant) => {
      const bench = new Bench(old, adoptsFields === undefined ? {} : { adoptsFields })
      const newer = bench.join(grown, grant)
      bench.add(newer, 'x', 1)
      bench.add(newer, 'x', 5, 'more')
      bench.add(newer, 'l', 5, 'n', 1)
      bench.add(newer, 'x', 1)
      bench.expectAgreed()
      expect(newer.refused).toEqual(['schema', 'schema'])
      expect([bench.read(newer, 'x'), bench.read(newer, 'x', 'more')]).toEqual([2, 0])
      expect(bench.adopted).toEqual([])
      expect(bench.space.schema.description).toBe(old.description)
    },
  )

  it('lets a newer client that may only read follow, without bringing anything', () => {
    const bench = new Bench(old)
    const writer = bench.join(old)
    const reader = bench.join(grown, false)
    bench.add(writer, 'x', 4)
    bench.expectAgreed()
    expect(bench.read(reader, 'x')).toBe(4)
    expect(bench.adopted).toEqual([])
  })

  it.each([
    [
      'a changed type',
      { cells: table({ sum: counter(), on: flag() }) },
      'field 2 of cells is on:toggle here and on:flag there',
    ],
    [
      'a field in between',
      { cells: table({ sum: counter(), in: flag(), on: toggle() }) },
      'field 2 of cells is on:toggle here and in:flag there',
    ],
    [
      'another name that begins the same',
      { cells: table({ sum: counter(), only: toggle() }) },
      'field 2 of cells is on:toggle here and only:toggle there',
    ],
    [
      'another table',
      { other: table({ sum: counter(), on: toggle() }) },
      'table 1 is cells here and other there',
    ],
  ])('refuses %s, with both hashes and the first difference', (_, tables, difference) => {
    const bench = new Bench(old)
    const theirs = new Schema(tables)
    const node = bench.join(theirs)
    expect(node.failed).toHaveLength(1)
    for (const part of ['schema: ', old.hash, theirs.hash, difference]) expect(node.failed[0]).toContain(part)
    expect(bench.space.connectionCount).toBe(0)
  })
})

describe('rights', () => {
  const ana: Grant = { principal: 'ana', rows: 'own' }
  const bo: Grant = { principal: 'bo', rows: 'own' }
  const root: Grant = { principal: 'root', rows: 'all' }

  it('to rows: who made one may write it, others are refused, rolled back and told; who may write all may', () => {
    const bench = new Bench(cells)
    const [a, b, r] = [bench.join(cells, ana), bench.join(cells, bo), bench.join(cells, root)]
    bench.add(a, 'of ana', 1)
    bench.add(b, 'of bo', 1)
    bench.add(r, 'of all', 1)
    bench.settle()
    bench.add(b, 'of ana', 10)
    bench.add(a, 'of all', 10)
    bench.add(r, 'of bo', 100)
    bench.add(a, 'of ana', 2)
    bench.expectAgreed()
    expect([a.refused, b.refused, r.refused]).toEqual([['owner'], ['owner'], []])
    for (const node of [a, b, r])
      expect(['of ana', 'of bo', 'of all'].map(key => bench.read(node, key))).toEqual([3, 101, 1])
    // The owner is on disk.
    bench.restart()
    for (const node of [a, b, r]) bench.connect(node)
    bench.add(b, 'of ana', 10)
    bench.add(a, 'of ana', 3)
    bench.expectAgreed()
    expect(b.refused).toEqual(['owner', 'owner'])
    expect(bench.read(r, 'of ana')).toBe(6)
  })

  it('to rows hold for the whole batch: nothing of a refused one enters', () => {
    const bench = new Bench(cells)
    const [a, b] = [bench.join(cells, ana), bench.join(cells, bo)]
    bench.add(a, 'of ana', 1)
    bench.settle()
    const { replica } = b
    const mine = replica.row(0, 'of bo')
    replica.change(bench.now, edit => {
      edit.add(0, mine, 1, 5, 0)
      edit.add(0, replica.row(0, 'of ana'), 1, 5, 0)
    })
    bench.expectAgreed()
    expect(b.refused).toEqual(['owner'])
    expect([bench.read(b, 'of bo'), bench.read(b, 'of ana')]).toEqual([0, 1])
    expect(bench.space.reference.tables[0].find('of bo')).toBe(-1)
  })

  it('to an incarnation belong to the principal that opened it, in memory and after retirement', () => {
    const bench = new Bench(cells)
    const a = bench.join(cells, ana)
    bench.add(a, 'of ana', 1)
    bench.settle()
    for (const retires of [false, true]) {
      bench.disconnect(a)
      if (retires) bench.space.checkpoint()
      const thief: Node = { ...a, grant: root, failed: [] }
      bench.nodes.push(thief)
      bench.connect(thief)
      expect(thief.failed).toHaveLength(1)
      expect(thief.failed[0]).toContain('unauthorized: these changes were begun by another principal')
      bench.nodes.pop()
      thief.replica.step(bench.now, { type: 'close' }, [])
      bench.connect(a)
      bench.add(a, 'of ana', 1)
      bench.expectAgreed()
    }
    expect(bench.read(a, 'of ana')).toBe(3)
  })
})

describe('a space whose disk lost rows', () => {
  const all: Grant = { principal: '', rows: 'all' }
  const rowRecords = (bench: Bench) =>
    [...bench.storage.entries.values()].filter(({ key }) => key[2] === 'r'.charCodeAt(0))
  const subscription = (node: Node, attempt = 1) => {
    const out: ReplicaAction[] = []
    node.replica.step(0, { type: 'close' }, out)
    for (let i = 0; i < attempt; i++) node.replica.step(0, { type: 'open' }, out)
    for (const action of out)
      if (action.type === 'send')
        for (const frame of decodeUplink(action.bytes)) if (frame.type === 'subscribe') return frame
    throw new Error('no subscription')
  }
  /** What the node answers to what the hub says. */
  const lend = (node: Node, messages: readonly Uint8Array[]) => {
    const out: ReplicaAction[] = []
    for (const bytes of messages) node.replica.step(0, { type: 'message', bytes }, out)
    return out.flatMap(action => {
      if (action.type !== 'send') return []
      return decodeUplink(action.bytes).flatMap(frame => (frame.type === 'rows' ? [frame] : []))
    })
  }
  const fill = () => {
    const bench = new Bench(cells)
    const [stays, leaves] = [bench.join(cells), bench.join(cells)]
    for (let i = 0; i < 40; i++) bench.add(stays, `k${i % 20}`, i)
    bench.settle()
    bench.disconnect(leaves)
    bench.add(stays, 'k3', 1)
    bench.settle()
    return { bench, stays, leaves, digest: bench.space.reference.digest() }
  }
  const damagedOf = (bench: Bench) => {
    const found = inspectSpace(bench.storage, 's')
    if (found === undefined || !('reason' in found)) throw new Error('nothing is damaged')
    return found
  }

  it('is mended with any of them damaged or gone, by who stands at its log number or has the same rows', () => {
    const { bench, stays, leaves, digest } = fill()
    const random = new SeededRandom(8)
    const whole = new Map(bench.storage.entries)
    for (let round = 0; round < 60; round++) {
      bench.storage.entries.clear()
      for (const [key, entry] of whole) bench.storage.entries.set(key, entry)
      const hurt = new Set<number>()
      for (const [row, { key, value }] of rowRecords(bench).entries()) {
        const chance = random.below(6)
        if (chance > 1) continue
        hurt.add(row)
        if (chance === 0) bench.storage.entries.delete(hex(key))
        else {
          const flipped = value.slice()
          flipped[random.below(flipped.length)] ^= 1 << random.below(8)
          bench.storage.entries.set(hex(key), { key, value: flipped })
        }
      }
      if (hurt.size === 0) continue
      expect(() => loadSpace(bench.storage, 's')).toThrow(AtomikError)
      const repair = new SpaceRepair('s', damagedOf(bench))
      expect(repair.missing).toBe(hurt.size)
      expect(repair.alone()).toBeUndefined()
      // Who left before the last change has other words in k3, and is of use only where that row is not among them.
      const [old] = lend(leaves, repair.subscribe(1, subscription(leaves), all))
      if (hurt.has(3)) expect(() => repair.receive(1, old)).toThrow(/does not add up/)
      else expect(repair.receive(1, old)).toBeDefined()
      const [rows] = lend(stays, repair.subscribe(2, subscription(stays), all))
      const puts = repair.receive(2, rows)
      if (puts === undefined) throw new Error('not mended')
      bench.storage.put(puts)
      const image = loadSpace(bench.storage, 's')
      expect(image?.reference.digest()).toBe(digest)
      expect(image?.heads.size).toBe(1)
    }
  })

  it('is mended whole when one record is old, since nobody can tell which', () => {
    const bench = new Bench(cells)
    const node = bench.join(cells)
    bench.add(node, 'x', 1)
    bench.add(node, 'y', 1)
    const old = rowRecords(bench)[0]
    bench.add(node, 'x', 5)
    bench.settle()
    bench.storage.entries.set(hex(old.key), old)
    const repair = new SpaceRepair('s', damagedOf(bench))
    expect(repair.missing).toBe(2)
    const puts = repair.receive(1, lend(node, repair.subscribe(1, subscription(node), all))[0])
    bench.storage.put(puts ?? [])
    bench.restart()
    bench.connect(node)
    bench.add(node, 'y', 1)
    bench.expectAgreed()
    expect([bench.read(node, 'x'), bench.read(node, 'y')]).toEqual([6, 2])
  })

  it('drops records that belong nowhere by itself', () => {
    const { bench, digest } = fill()
    const [{ key, value }] = rowRecords(bench)
    const stray = key.slice()
    stray[2] ^= 1
    bench.storage.entries.set(hex(stray), { key: stray, value })
    const repair = new SpaceRepair('s', damagedOf(bench))
    bench.storage.put(repair.alone() ?? [])
    expect(loadSpace(bench.storage, 's')?.reference.digest()).toBe(digest)
  })

  it('takes nothing from who never followed it, may not write, or lends what does not fit', () => {
    const { bench, stays } = fill()
    bench.storage.entries.delete(hex(rowRecords(bench)[7].key))
    const repair = new SpaceRepair('s', damagedOf(bench))
    const random = new SeededRandom(77)
    const replica = new Replica({ schema: cells, space: 's', random32: () => random.next32() })
    const stranger: Node = { ...stays, replica }
    expect(() => repair.subscribe(1, subscription(stranger), all)).toThrow(
      /waits for a client that has the 1 rows/,
    )
    expect(() => repair.subscribe(1, subscription(stays), { principal: '', rows: 'own' })).toThrow(
      AtomikError,
    )
    const [frame] = lend(stays, repair.subscribe(2, subscription(stays), all))
    expect(repair.receive(3, frame)).toBeUndefined()
    const wrong = { ...frame, rows: frame.rows.map(row => ({ ...row, key: 'k8' })) }
    expect(() => repair.receive(2, wrong)).toThrow(/does not add up/)
    repair.subscribe(2, subscription(stays), all)
    const short = { ...frame, rows: frame.rows.map(row => ({ ...row, words: row.words.slice(1) })) }
    expect(() => repair.receive(2, short)).toThrow(/a row of 1 words/)
    expect(repair.receive(2, frame)).toBeDefined()
  })
})

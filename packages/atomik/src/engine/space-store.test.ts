/**
 * Goal: what a hub wrote comes back as it was, or is found damaged; never something in between. Method: a space filled by a real
 * replica, its records in a plain map; then every record missing, old, in another's place, cut, and with every byte flipped.
 */
import { describe, expect, it } from 'vitest'
import { Delta } from '../algebra/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { counter, flag, register, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { SeededRandom } from './random.ts'
import { Reference } from './reference.ts'
import { Replica, type ReplicaAction } from './replica.ts'
import { Space, type SpaceAction } from './space.ts'
import { listSpaces, loadSpace } from './space-image.ts'
import { SpaceStore } from './space-store.ts'
import type { Put, Storage } from './storage.ts'

const schema = new Schema({
  cells: table({ sum: counter(), name: register.text(10), on: flag() }),
  logs: table({ n: counter() }),
})
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

class MapStorage implements Storage {
  readonly entries: Map<string, { key: Uint8Array; value: Uint8Array }>
  constructor(entries?: Iterable<[string, { key: Uint8Array; value: Uint8Array }]>) {
    this.entries = new Map(entries)
  }
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

/** A space and its replicas on perfect links; every commit is durable at once. */
class Bench {
  readonly storage = new MapStorage()
  readonly space: Space
  now = 1_000_000
  readonly random32: () => number
  #connections = 0
  constructor(seed: number, name = 's') {
    const random = new SeededRandom(seed)
    this.random32 = () => random.next32()
    this.space = new Space(name, schema, loadSpace(this.storage, name), this.now, { random32: this.random32 })
  }
  join(): { replica: Replica; settle: () => void } {
    const replica = new Replica({ schema, space: this.space.name, random32: this.random32 })
    const connection = ++this.#connections
    const settle = () => {
      this.now += 1000
      const out: ReplicaAction[] = []
      if (!replica.isLive) replica.step(this.now, { type: 'open' }, out)
      replica.flush(this.now, out)
      while (out.length > 0) {
        const action = out.shift()
        if (action?.type === 'fail') throw action.error
        if (action?.type !== 'send') continue
        const fromSpace: SpaceAction[] = []
        for (const frame of decodeUplink(action.bytes)) {
          if (frame.type === 'subscribe') this.space.subscribe(this.now, connection, frame, true, fromSpace)
          else if (frame.type !== 'hello' && frame.type !== 'auth')
            this.space.receive(this.now, connection, frame, fromSpace)
        }
        this.space.commit(fromSpace)
        for (const one of fromSpace) {
          if (one.type === 'commit') {
            this.storage.put([...one.puts])
            this.space.committed(this.now, one.lsn, fromSpace)
          } else if (one.type === 'send' && one.connection === connection) {
            replica.step(this.now, { type: 'message', bytes: one.bytes }, out)
          }
        }
      }
    }
    return { replica, settle }
  }
}

const place = (name: string) => schema.tables[0].places.get(name)?.[0].word ?? -1

/** Three incarnations, a dozen rows in two tables. Returns the records before the last changes too. */
function fill() {
  const bench = new Bench(5)
  let older = new Map(bench.storage.entries)
  for (let session = 0; session < 3; session++) {
    const { replica, settle } = bench.join()
    settle()
    for (let i = 0; i < 8; i++) {
      const row = replica.row(0, `k${(i * 5 + session) % 6}`)
      const log = replica.row(1, `l${i % 4}`)
      replica.change(bench.now, edit => {
        edit.add(0, row, place('sum'), i + 1, 0)
        edit.write(0, row, place('name'), Int32Array.of(0x61 + i, 0, 0, 0))
        edit.set(0, row, place('on'), i % 2 === 0)
        edit.add(1, log, 1, 1, 0)
      })
      if (session === 2 && i === 7) older = new Map(bench.storage.entries)
      settle()
    }
    expect(replica.pendingChanges).toBe(0)
  }
  return { ...bench, older }
}

function codeOf(play: () => unknown): ErrorCode | 'none' {
  try {
    play()
  } catch (error) {
    if (error instanceof AtomikError) return error.code
    throw error
  }
  return 'none'
}

describe('a stored space', () => {
  const { storage, space, older } = fill()
  const entries = [...storage.entries]
  const kindOf = (key: string) => String.fromCharCode(Number.parseInt(key.slice(4, 6), 16))

  it('comes back as it was', () => {
    const image = loadSpace(storage, 's')
    if (image === undefined) throw new Error('nothing was stored')
    expect(image.lsn).toBe(space.lsn)
    expect(image.schema.description).toBe(schema.description)
    expect(image.reference.digest()).toBe(space.reference.digest())
    expect(image.reference.tables.map(t => t.keys)).toEqual(space.reference.tables.map(t => t.keys))
    for (const [t, { words, count, layout }] of image.reference.tables.entries())
      expect(words.slice(0, count * 2 * layout.words)).toEqual(
        space.reference.tables[t].words.slice(0, count * 2 * layout.words),
      )
    expect(image.heads.size).toBe(3)
    for (const head of image.heads.values()) expect(head.head.sequence).toBe(8)
    expect(
      entries
        .map(([key]) => kindOf(key))
        .sort()
        .join(''),
    ).toBe('dehhhrrrrrrrrrrs')
  })

  it('is nothing where nothing was written', () => {
    expect(loadSpace(storage, 'other')).toBeUndefined()
    expect(loadSpace(new MapStorage(), 's')).toBeUndefined()
    expect(listSpaces(storage)).toEqual(['s'])
  })

  it.each(entries.map(([key]) => [kindOf(key), key]))('notices a missing record: %s %s', (_, key) => {
    const damaged = new MapStorage(entries)
    damaged.entries.delete(key)
    expect(codeOf(() => loadSpace(damaged, 's'))).toBe('storage')
  })

  it('notices every record that is older than the rest', () => {
    let tried = 0
    for (const [key, entry] of older) {
      if (hex(entry.value) === hex(storage.entries.get(key)?.value ?? new Uint8Array(0))) continue
      const damaged = new MapStorage(entries)
      damaged.entries.set(key, entry)
      expect([key, codeOf(() => loadSpace(damaged, 's'))]).toEqual([key, 'storage'])
      tried++
    }
    // A row of each table, a head, and the space's own record changed last.
    expect(tried).toBeGreaterThanOrEqual(4)
  })

  it('notices every pair of records of one kind that changed places', () => {
    for (const [a, first] of entries)
      for (const [b, second] of entries) {
        if (a >= b || kindOf(a) !== kindOf(b)) continue
        const damaged = new MapStorage(entries)
        damaged.entries.set(a, { key: first.key, value: second.value })
        damaged.entries.set(b, { key: second.key, value: first.value })
        expect(codeOf(() => loadSpace(damaged, 's'))).toBe('storage')
      }
  })

  it('notices a flipped bit in any byte of any value', () => {
    const random = new SeededRandom(1)
    for (const [key, entry] of entries)
      for (let at = 0; at < entry.value.length; at++) {
        const value = entry.value.slice()
        value[at] ^= 1 << random.below(8)
        const damaged = new MapStorage(entries)
        damaged.entries.set(key, { key: entry.key, value })
        const code = codeOf(() => loadSpace(damaged, 's'))
        if (code !== 'storage') throw new Error(`byte ${at} of ${kindOf(key)} ${key}: ${code}`)
      }
  })

  it('notices a flipped bit in any byte of any key', () => {
    for (const [key, entry] of entries)
      for (let at = 0; at < entry.key.length; at++)
        for (let bit = 0; bit < 8; bit++) {
          const flipped = entry.key.slice()
          flipped[at] ^= 1 << bit
          if (storage.entries.has(hex(flipped))) continue
          const damaged = new MapStorage(entries)
          damaged.entries.delete(key)
          damaged.entries.set(hex(flipped), { key: flipped, value: entry.value })
          const code = codeOf(() => loadSpace(damaged, 's'))
          if (code !== 'storage')
            throw new Error(`byte ${at} bit ${bit} of key ${kindOf(key)} ${key}: ${code}`)
        }
  })

  it('notices a record cut anywhere', () => {
    for (const [key, entry] of entries)
      for (let end = 0; end < entry.value.length; end++) {
        const damaged = new MapStorage(entries)
        damaged.entries.set(key, { key: entry.key, value: entry.value.slice(0, end) })
        const code = codeOf(() => loadSpace(damaged, 's'))
        if (code !== 'storage') throw new Error(`${kindOf(key)} ${key} cut at ${end}: ${code}`)
      }
  })

  it('goes on after it was opened again: heads account for what was there', () => {
    const image = loadSpace(new MapStorage(entries), 's')
    const random = new SeededRandom(9)
    const again = new MapStorage(entries)
    const reopened = new Space('s', schema, image, 2_000_000, { random32: () => random.next32() })
    const out: SpaceAction[] = []
    reopened.commit(out)
    for (const action of out) if (action.type === 'commit') again.put([...action.puts])
    expect(loadSpace(again, 's')?.epochs).toHaveLength(2)
    expect(loadSpace(again, 's')?.reference.digest()).toBe(space.reference.digest())
  })
})

describe('spaces beside each other', () => {
  it('do not see each other’s records, whatever they are called', () => {
    const names = ['s', 'ss', 's/r', 'r', 'é', 'x'.repeat(120)]
    const storage = new MapStorage()
    for (const [i, name] of names.entries()) {
      const random = new SeededRandom(i)
      const space = new Space(name, schema, undefined, 1000, { random32: () => random.next32() })
      const out: SpaceAction[] = []
      space.commit(out)
      for (const action of out) if (action.type === 'commit') storage.put([...action.puts])
    }
    expect(listSpaces(storage).sort()).toEqual([...names].sort())
    for (const name of names) expect(loadSpace(storage, name)?.epochs).toHaveLength(1)
  })

  it('are not called by a name with a NUL, which ends names in keys', () => {
    expect(codeOf(() => loadSpace(new MapStorage(), 's\0s'))).toBe('range')
  })
})

describe('SpaceStore', () => {
  const id = (n: number) => ({ low: n, high: n })

  it('knows a position of an epoch up to where the next one opened', () => {
    const store = new SpaceStore('s', schema, new Reference(schema.layouts), undefined)
    store.open(id(1), 0)
    store.open(id(2), 10)
    store.open(id(3), 10)
    store.open(id(4), 25)
    for (const [epoch, lsn, known] of [
      [1, 0, true],
      [1, 10, true],
      [1, 11, false],
      [2, 10, true],
      [2, 11, false],
      [3, 25, true],
      [3, 26, false],
      [4, 26, true],
      [5, 0, false],
      [0, 0, false],
    ] as const)
      expect([epoch, lsn, store.knowsPosition(id(epoch), lsn)]).toEqual([epoch, lsn, known])
  })

  it('remembers 1,024 epochs', () => {
    const store = new SpaceStore('s', schema, new Reference(schema.layouts), undefined)
    for (let n = 1; n <= 1025; n++) store.open(id(n), n)
    expect(store.knowsPosition(id(1), 1)).toBe(false)
    expect(store.knowsPosition(id(2), 2)).toBe(true)
  })

  it('says which rows are newer than a log number, as a plain list does', () => {
    const random = new SeededRandom(3)
    const reference = new Reference(schema.layouts)
    const store = new SpaceStore('s', schema, reference, undefined)
    const born: number[] = []
    const changed: number[] = []
    for (let lsn = 1; lsn <= 60; lsn++) {
      const delta = new Delta(schema.layouts)
      for (let n = 1 + random.below(3); n > 0; n--) {
        const row = reference.tables[1].open(`k${random.below(20)}`)
        const at = delta.tables[1].open(row)
        delta.tables[1].words[at] = 1
        born[row] ??= lsn
        changed[row] = lsn
      }
      reference.accum(delta)
      store.stageRows(delta, lsn)
    }
    for (let lsn = 0; lsn <= 60; lsn++) {
      const { rows, count } = store.changedSince(lsn).tables[1]
      expect([...rows.slice(0, count)].sort((a, b) => a - b)).toEqual(
        changed.map((at, row) => (at > lsn ? row : -1)).filter(row => row >= 0),
      )
      expect(store.rowsAt(1, lsn)).toBe(born.filter(at => at <= lsn).length)
    }
    expect(store.rowsAt(0, 60)).toBe(0)
  })
})

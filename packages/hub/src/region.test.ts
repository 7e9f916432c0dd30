/**
 * Goal: regions are files that stay equal everywhere, cost the pages that changed, and have one writer. Method: clients of the
 * library and a real hub on real sockets, with a plain byte array beside them.
 */
import { randomBytes } from 'node:crypto'
import { connect, counter, limits, region, table } from 'atomik'
import { keepIn, MemoryStorage, WebSocketTransport } from 'atomik/adapters'
import { type Entry, SeededRandom, type SpaceStorage } from 'atomik/engine'
import { openMesh } from 'atomik/mesh'
import { afterEach, expect, it } from 'vitest'
import { Hub } from './hub.ts'

const tables = { files: region(), notes: table({ count: counter() }) }
const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})
async function start() {
  const hub = await Hub.start({ port: 0 })
  running.push(hub)
  return async () => {
    const space = await connect(`ws://127.0.0.1:${hub.port}/files`, { tables })
    running.unshift({ stop: async () => space.close() })
    return Object.assign(space, { port: hub.port })
  }
}
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}
const owner = expect.objectContaining({ code: 'owner' })

it('patches arrive as they were put, pages at a time, and digests agree', async () => {
  const join = await start()
  const [a, b] = [await join(), await join()]
  const mine = a.files.region('logo')
  const theirs = b.files.region('logo')
  const told = new Set<number>()
  b.files.subscribe((_, page) => told.add(page))
  await mine.claim()
  const random = new SeededRandom(3)
  let plain = new Uint8Array(0)
  for (let i = 0; i < 60; i++) {
    const offset = random.below(60_000)
    const bytes = new Uint8Array(randomBytes(1 + random.below(i % 7 === 0 ? 20_000 : 40)))
    if (i % 10 === 9) {
      const length = random.below(50_000)
      mine.resize(length)
      const cut = new Uint8Array(length)
      cut.set(plain.subarray(0, length))
      plain = cut
    } else {
      mine.patch(offset, bytes)
      const grown = new Uint8Array(Math.max(plain.length, offset + bytes.length))
      grown.set(plain)
      grown.set(bytes, offset)
      plain = grown
    }
    expect(Buffer.compare(mine.read(), plain)).toBe(0)
    expect(mine.read(100, 50)).toEqual(plain.slice(100, 150))
  }
  await a.synced()
  await until(() => theirs.length === plain.length && Buffer.compare(theirs.read(), plain) === 0)
  expect(theirs.digest()).toBe(mine.digest())
  expect(theirs.digests()).toEqual(mine.digests())
  expect(told.size).toBeGreaterThan(5)
  const fresh = (await join()).files.region('logo')
  expect(Buffer.compare(fresh.read(), plain)).toBe(0)
  expect(fresh.digest()).toBe(mine.digest())
})

it('a digest follows a change within the same turn, and an undo', async () => {
  const join = await start()
  const a = await join()
  const file = a.files.region('x')
  await file.claim()
  file.patch(0, new Uint8Array(9000).fill(1))
  const before = file.digest()
  const change = file.patch(5000, Uint8Array.of(2))
  expect(file.digest()).not.toBe(before)
  a.undo(change)
  expect(file.digest()).toBe(before)
  expect(file.read(4999, 3)).toEqual(Uint8Array.of(1, 1, 1))
})

it('a patch costs its bytes, and who was away fetches the pages that changed', async () => {
  const join = await start()
  const a = await join()
  const { port } = a
  let cut = () => {}
  let isAway = false
  const sockets = new WebSocketTransport(`ws://127.0.0.1:${port}/files`)
  const b = await connect(`ws://127.0.0.1:${port}/files`, {
    tables,
    transport: {
      connect: handlers => {
        const link = isAway
          ? new WebSocketTransport('ws://127.0.0.1:1/', 50).connect(handlers)
          : sockets.connect(handlers)
        cut = () => link.close()
        return link
      },
    },
  })
  running.unshift({ stop: async () => b.close() })
  const file = a.files.region('disk')
  await file.claim()
  const pages = 200
  file.write(new Uint8Array(randomBytes(pages * 4096)))
  await a.synced()
  await until(() => b.files.region('disk').digest() === file.digest())
  const sent = a.status().bytesSent
  const received = b.status().bytesReceived
  file.patch(70_000, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  await a.synced()
  await until(() => b.files.region('disk').digest() === file.digest())
  expect(a.status().bytesSent - sent).toBeLessThan(120)
  expect(b.status().bytesReceived - received).toBeLessThan(120)
  // 400 patches of three pages while b is away: three pages come, not 400 patches.
  isAway = true
  cut()
  for (let i = 0; i < 400; i++) {
    file.patch(4096 * (10 + 50 * (i % 3)) + 8 * (i % 500), new Uint8Array(randomBytes(64)))
    await a.synced()
  }
  const away = b.status().bytesReceived
  isAway = false
  await until(() => b.files.region('disk').digest() === file.digest())
  expect(b.status().bytesReceived - away).toBeLessThan(3 * 4096 * 1.2 + 1000)
})

it('has one writer: others are refused at the hub, rolled back, and told', async () => {
  const join = await start()
  const [a, b] = [await join(), await join()]
  const [mine, theirs] = [a.files.region('doc'), b.files.region('doc')]
  await mine.claim()
  mine.patch(0, Uint8Array.of(1, 2, 3))
  await a.synced()
  await until(() => theirs.length === 3)
  expect(theirs.writer).toBe('others')
  expect(() => theirs.patch(0, Uint8Array.of(9))).toThrow(owner)
  await expect(theirs.claim()).rejects.toThrow(owner)
  // b takes it; a, who has not heard yet, writes on.
  const refusals: string[] = []
  a.on('refused', ({ code }) => refusals.push(code))
  const taken = theirs.claim({ force: true })
  await taken
  expect(theirs.writer).toBe('us')
  theirs.patch(1, Uint8Array.of(7))
  await b.synced()
  await until(() => mine.writer === 'others')
  expect(() => mine.patch(0, Uint8Array.of(5))).toThrow(owner)
  await until(() => mine.read()[1] === 7)
  theirs.release()
  await until(() => mine.writer === 'nobody')
  await mine.claim()
  mine.patch(2, Uint8Array.of(4))
  await until(() => theirs.read()[2] === 4)
  expect(mine.read()).toEqual(Uint8Array.of(1, 7, 4))
  expect(refusals).toEqual([])
})

it('two that claim at once: one gets it; what the loser made of a new region is rolled back', async () => {
  const join = await start()
  const [a, b] = [await join(), await join()]
  const refusals: string[] = []
  for (const space of [a, b]) space.on('refused', ({ code }) => refusals.push(code))
  const claims = [a, b].map(space => {
    const file = space.files.region('new')
    const claim = file.claim()
    file.patch(0, space === a ? Uint8Array.of(1, 1) : Uint8Array.of(2, 2))
    return claim.then(
      () => 'has it',
      error => error.code,
    )
  })
  const ends = await Promise.all(claims)
  expect(ends.filter(end => end === 'owner').length).toBeGreaterThanOrEqual(1)
  await until(() => a.files.region('new').digest() === b.files.region('new').digest())
  const [bytes] = [a.files.region('new').read()]
  expect([
    [1, 1],
    [2, 2],
  ]).toContainEqual([...bytes])
  expect(refusals).toEqual(['owner'])
})

it('comes and goes by name, and refuses what it cannot hold', async () => {
  const join = await start()
  const [a, b] = [await join(), await join()]
  const file = a.files.region('a/b:c.png')
  expect([file.exists, file.length, file.read().length]).toEqual([false, 0, 0])
  await file.claim()
  file.write(new Uint8Array(10_000).fill(7))
  await until(() => [...b.files.regions()].map(({ name }) => name).join() === 'a/b:c.png')
  file.remove()
  await until(() => [...b.files.regions()].length === 0)
  await file.claim()
  file.patch(9000, Uint8Array.of(1))
  expect(file.read(0, 9000).every(byte => byte === 0)).toBe(true)
  await a.synced()
  await until(() => b.files.region('a/b:c.png').digest() === file.digest())
  const code = (of: string) => expect.objectContaining({ code: of })
  expect(() => file.patch(-1, Uint8Array.of(1))).toThrow(code('range'))
  expect(() => file.patch(limits.regionBytesMax, Uint8Array.of(1))).toThrow(code('range'))
  expect(() => file.patch(0, new Uint8Array(limits.patchBytesMax + 1))).toThrow(code('oversized'))
  expect(() => a.files.region('')).toThrow(code('range'))
  expect(() => a.files.region('x'.repeat(limits.keyBytesMax - 7))).toThrow(code('range'))
  file.patch(0, new Uint8Array(randomBytes(limits.patchBytesMax)))
  await a.synced()
  expect(a.status().pending).toBe(0)
})

/** A storage in memory, and the way to copy what it holds as a backup does. */
function keptIn(from: Iterable<Entry> = []) {
  const memory = new MemoryStorage()
  const filled = memory.write([...from].map(({ key, value }) => ({ key: key.slice(), value: value.slice() })))
  return {
    // The memory goes on when the space is closed.
    storage: keepIn(async () => {
      await filled
      return {
        range: prefix => memory.range(prefix),
        write: puts => memory.write(puts),
        close: async () => {},
      }
    }),
    copy: () => [...memory.range(new Uint8Array(0))],
  }
}
async function hubAt() {
  const hub = await Hub.start({ port: 0 })
  running.push(hub)
  return (storage: SpaceStorage, port = hub.port) =>
    connect(`ws://127.0.0.1:${port}/files`, { tables, storage, timeoutMs: 3000 })
}

it('is written on after a restart: what was patched before counts, and its writer claims it again without force', async () => {
  const { storage } = keptIn()
  const open = await hubAt()
  const first = await open(storage)
  await first.files.region('log').claim()
  first.files.region('log').patch(0, Uint8Array.of(1, 2, 3))
  await first.synced()
  await first.close()
  // Without a hub it is still the writer of nothing new, but the region is there.
  const offline = await open(storage, 1)
  expect([...offline.files.region('log').read()]).toEqual([1, 2, 3])
  expect(offline.files.region('log').writer).toBe('nobody')
  expect(() => offline.files.region('log').patch(0, Uint8Array.of(9))).toThrow(owner)
  await offline.close()
  const second = await open(storage)
  const log = second.files.region('log')
  await log.claim()
  expect(log.writer).toBe('us')
  log.patch(2, Uint8Array.of(4, 5))
  await second.saved()
  // Closed before the hub has answered, perhaps: the patch is in the store, under the incarnation that is the writer.
  await second.close()
  const third = await open(storage)
  await third.synced()
  await third.files.region('log').claim()
  third.files.region('log').patch(5, Uint8Array.of(6))
  await third.synced()
  expect([...third.files.region('log').read()]).toEqual([1, 2, 4, 5, 0, 6])
  const other = await open(keptIn().storage)
  expect([...other.files.region('log').read()]).toEqual([1, 2, 4, 5, 0, 6])
  // To others it is somebody else's, as ever.
  expect(other.files.region('log').writer).toBe('others')
  await expect(other.files.region('log').claim()).rejects.toEqual(owner)
  await third.close()
  await other.close()
})

it('that was begun without a hub is refused as a whole when somebody else has it, whatever was patched since', async () => {
  const open = await hubAt()
  const other = await open(keptIn().storage)
  await other.files.region('log').claim()
  other.files.region('log').patch(0, Uint8Array.of(1, 2, 3, 4))
  await other.synced()
  const mine = keptIn()
  const offline = await open(mine.storage, 1)
  const claimed = offline.files
    .region('log')
    .claim()
    .catch(() => {})
  // Each in a batch of its own, as saving seals them.
  await offline.saved()
  offline.files.region('log').patch(0, Uint8Array.of(9))
  await offline.saved()
  offline.files.region('log').patch(2, Uint8Array.of(9))
  await offline.saved()
  await offline.close()
  await claimed
  const back = await open(mine.storage)
  const refused: string[] = []
  back.on('refused', ({ code }) => refused.push(code))
  await back.synced()
  await until(() => [...back.files.region('log').read()].join() === '1,2,3,4')
  expect([...other.files.region('log').read()]).toEqual([1, 2, 3, 4])
  expect(other.files.region('log').writer).toBe('us')
  expect(new Set(refused)).toEqual(new Set(['owner']))
  await back.files.region('log').claim({ force: true })
  back.files.region('log').patch(1, Uint8Array.of(7))
  await back.synced()
  await until(() => [...other.files.region('log').read()].join() === '1,7,3,4')
  await back.close()
  await other.close()
})

it('keeps the bytes of one writer when a store with patches in it was copied, and tells the other', async () => {
  const original = keptIn()
  const open = await hubAt()
  const first = await open(original.storage)
  await first.files.region('log').claim()
  first.files.region('log').patch(0, Uint8Array.of(1, 1, 1, 1))
  await first.synced()
  await first.saved()
  const copy = keptIn(original.copy())
  await first.close()
  const [a, b] = await Promise.all([open(original.storage), open(copy.storage)])
  const refused: string[] = []
  for (const space of [a, b]) space.on('refused', ({ code }) => refused.push(code))
  await a.files.region('log').claim()
  a.files.region('log').patch(1, Uint8Array.of(2, 2))
  await a.synced()
  await until(() => b.files.region('log').read()[1] === 2)
  // Not the copy's any more: it must take it by force, and then the other's patches are refused.
  expect(b.files.region('log').writer).toBe('others')
  await expect(b.files.region('log').claim()).rejects.toEqual(owner)
  await b.files.region('log').claim({ force: true })
  b.files.region('log').patch(0, Uint8Array.of(3))
  await b.synced()
  await until(() => a.files.region('log').read()[0] === 3)
  expect(() => a.files.region('log').patch(0, Uint8Array.of(9))).toThrow(owner)
  for (const space of [a, b]) expect([...space.files.region('log').read()]).toEqual([3, 2, 2, 1])
  expect(refused).toEqual([])
  await a.close()
  await b.close()
})

it('shows through a branch and is not written there; a mesh has none', async () => {
  const join = await start()
  const a = await join()
  const file = a.files.region('x')
  await file.claim()
  const branch = a.branch()
  file.patch(0, Uint8Array.of(5))
  expect(branch.files.region('x').read()).toEqual(Uint8Array.of(5))
  expect(() => branch.files.region('x').patch(0, Uint8Array.of(6))).toThrow(
    expect.objectContaining({ code: 'readonly' }),
  )
  expect(() => openMesh({ space: 's', tables })).toThrow(expect.objectContaining({ code: 'range' }))
})

/**
 * Goal: what `connect` promises with a storage: it opens without a hub, keeps what `saved()` acknowledged, says what it cannot
 * keep, and holds a space for itself. Method: real hubs on real sockets, LMDB on a real folder, and a storage that fails when it is told to.
 * Kills are in packages/hub/src/client-kill.test.ts, browsers in packages/console/src/offline.test.ts.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hub } from '@atomik/hub'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { keepIn, MemoryStorage } from '../adapters/index.ts'
import { LmdbStorage, lmdb } from '../adapters/storage-lmdb.ts'
import type { Put } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import { counter, flag, register, table } from '../schema/index.ts'
import { connect } from './index.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(20), open: flag() }) }
const folder = mkdtempSync(join(tmpdir(), 'atomik-durable-'))
let stores = 0
const newPath = () => join(folder, `store-${stores++}`)
/** How long an opening would wait for a hub, if it did: a busy machine is not so slow. */
const patienceMs = 40_000
/** Nobody listens there. */
const nowhere = 'ws://127.0.0.1:1/house'

const hubs: Hub[] = []
async function startHub(options: Parameters<typeof Hub.start>[0] = {}): Promise<Hub> {
  const hub = await Hub.start({ port: 0, ...options })
  hubs.push(hub)
  return hub
}
const urlOf = (hub: Hub) => `ws://127.0.0.1:${hub.port}/house`
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.stop()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000, interval: 20 })

describe('connect with a storage', () => {
  it('opens without a hub, across restarts, and brings every change home once', async () => {
    const storage = lmdb({ path: newPath() })
    const store = newPath()
    const first = await startHub({ store })
    const { port } = first
    const online = await connect(urlOf(first), { tables, storage })
    online.rooms.row('hall').visits.add(1)
    await online.synced()
    await online.close()
    await first.stop()

    for (let opening = 0; opening < 3; opening++) {
      const began = Date.now()
      const offline = await connect(nowhere, { tables, storage, timeoutMs: patienceMs })
      expect(Date.now() - began).toBeLessThan(patienceMs / 2)
      expect(offline.status()).toMatchObject({ live: false, loaded: true, pending: 2 * opening, unsaved: 0 })
      expect(offline.rooms.row('hall').visits.value).toBe(1 + 10 * opening)
      offline.rooms.row('hall').visits.add(10)
      offline.rooms.row('hall').topic.set(`opening ${opening}`)
      expect(offline.status().unsaved).toBe(2)
      await offline.saved()
      expect(offline.status()).toMatchObject({ unsaved: 0, pending: 2 * opening + 2 })
      await offline.close()
    }
    const hub = await startHub({ store, port })
    const back = await connect(urlOf(hub), { tables, storage })
    expect(back.rooms.row('hall').read()).toEqual({ visits: 31, topic: 'opening 2', open: false })
    await back.synced()
    const other = await connect(urlOf(hub), { tables })
    expect(other.rooms.row('hall').read()).toEqual({ visits: 31, topic: 'opening 2', open: false })
    await back.close()
    await other.close()
  })

  it('opens empty when nothing was kept and nobody answers, says so, and is filled later', async () => {
    const port = (await startHub()).port
    await hubs.splice(0)[0].stop()
    const space = await connect(`ws://127.0.0.1:${port}/house`, {
      tables,
      storage: keepIn(async () => new MemoryStorage()),
      timeoutMs: 200,
    })
    expect(space.status()).toMatchObject({ live: false, loaded: false })
    expect(space.rooms.size).toBe(0)
    space.rooms.row('hall').visits.add(1)
    await space.saved()
    const hub = await startHub({ port })
    await space.synced()
    expect(space.status()).toMatchObject({ live: true, loaded: true, pending: 0 })
    const other = await connect(urlOf(hub), { tables })
    expect(other.rooms.row('hall').visits.value).toBe(1)
    await space.close()
    await other.close()
  })

  it('waits for the first state when somebody answers', async () => {
    const hub = await startHub()
    const writer = await connect(urlOf(hub), { tables })
    writer.rooms.row('hall').visits.add(7)
    await writer.synced()
    const space = await connect(urlOf(hub), { tables, storage: lmdb({ path: newPath() }) })
    expect(space.rooms.row('hall').visits.value).toBe(7)
    await space.close()
    await writer.close()
  })

  it('saves at the latest when it is closed', async () => {
    const storage = lmdb({ path: newPath() })
    const space = await connect(nowhere, { tables, storage, timeoutMs: 1 })
    space.rooms.row('hall').visits.add(5)
    await space.close()
    const again = await connect(nowhere, { tables, storage, timeoutMs: 1 })
    expect(again.rooms.row('hall').visits.value).toBe(5)
    await again.close()
  })

  it('means by saved() what synced() means where there is no storage', async () => {
    const hub = await startHub()
    const space = await connect(urlOf(hub), { tables })
    space.rooms.row('hall').visits.add(1)
    expect(space.status().unsaved).toBe(1)
    await space.saved()
    expect(space.status()).toMatchObject({ pending: 0, unsaved: 0 })
    await space.close()
  })

  it('takes appended fields and tables along, offline and with changes that wait', async () => {
    const store = newPath()
    const hub = await startHub({ store })
    const storage = lmdb({ path: newPath() })
    const old = await connect(urlOf(hub), { tables, storage })
    old.rooms.row('hall').topic.set('kept')
    await old.synced()
    const { port } = hub
    await hubs.splice(0)[0].stop()
    old.rooms.row('hall').visits.add(5)
    await old.close()

    const more = {
      rooms: table({ visits: counter(), topic: register.text(20), open: flag(), seats: counter() }),
      cars: table({ miles: counter() }),
    }
    const began = Date.now()
    const grown = await connect(nowhere, { tables: more, storage, timeoutMs: patienceMs })
    expect(Date.now() - began).toBeLessThan(patienceMs / 2)
    expect(grown.rooms.row('hall').read()).toEqual({ visits: 5, topic: 'kept', open: false, seats: 0 })
    grown.rooms.row('hall').seats.add(4)
    grown.cars.row('old').miles.add(1000)
    await grown.close()
    // Back to the old program while changes of the new one wait: it cannot hold them.
    await expect(connect(nowhere, { tables, storage })).rejects.toMatchObject({ code: 'schema' })

    await startHub({ store, port })
    const back = await connect(`ws://127.0.0.1:${port}/house`, { tables: more, storage })
    await back.synced()
    const other = await connect(`ws://127.0.0.1:${port}/house`, { tables: more })
    expect(other.rooms.row('hall').read()).toEqual({ visits: 5, topic: 'kept', open: false, seats: 4 })
    expect(other.cars.row('old').miles.value).toBe(1000)
    expect(back.stats()).toMatchObject({ divergences: 0, forks: 0, refused: 0 })
    await back.close()
    await other.close()
  })

  it('holds a space for one client, and different spaces for different ones', async () => {
    const path = newPath()
    const storage = lmdb({ path })
    const space = await connect(nowhere, { tables, storage, timeoutMs: 1 })
    for (const other of [storage, lmdb({ path })])
      await expect(connect(nowhere, { tables, storage: other, timeoutMs: 1 })).rejects.toMatchObject({
        code: 'in-use',
      })
    const garden = await connect('ws://127.0.0.1:1/garden', { tables, storage, timeoutMs: 1 })
    garden.rooms.row('shed').visits.add(1)
    await space.close()
    const again = await connect(nowhere, { tables, storage: lmdb({ path }), timeoutMs: 1 })
    await again.close()
    await garden.close()
  })

  it('frees the storage when the hub will not have it', async () => {
    const hub = await startHub({ token: 'right' })
    const storage = lmdb({ path: newPath() })
    await expect(connect(urlOf(hub), { tables, storage, token: 'wrong' })).rejects.toMatchObject({
      code: 'unauthorized',
    })
    const space = await connect(urlOf(hub), { tables, storage, token: 'right' })
    await space.close()
  })
})

/** Fails its writes while it is told to. */
class FailingStorage extends MemoryStorage {
  fails = false
  attempts = 0
  override async write(puts: readonly Put[]): Promise<void> {
    this.attempts++
    if (this.fails) throw new Error('no space left on device')
    await super.write(puts)
  }
  override async close(): Promise<void> {}
}

describe('a storage that fails', () => {
  it('is reported with a code, tried again, and loses nothing', async () => {
    const disk = new FailingStorage()
    const storage = keepIn(async () => disk)
    const space = await connect(nowhere, { tables, storage, timeoutMs: 1 })
    const errors: AtomikError[] = []
    space.on('error', error => errors.push(error))
    disk.fails = true
    space.rooms.row('hall').visits.add(1)
    let saved = false
    const promise = space.saved().then(() => {
      saved = true
    })
    await eventually(() => disk.attempts).toBeGreaterThan(1)
    expect(errors[0]).toBeInstanceOf(AtomikError)
    expect(errors[0]).toMatchObject({ code: 'storage', message: expect.stringContaining('no space left') })
    space.rooms.row('hall').visits.add(1) // it works on meanwhile
    expect(saved).toBe(false)
    expect(space.status().unsaved).toBe(2)
    disk.fails = false
    await promise
    await space.saved()
    await space.close()
    const again = await connect(nowhere, { tables, storage, timeoutMs: 1 })
    expect(again.rooms.row('hall').visits.value).toBe(2)
    await again.close()
  })

  it('is not left in silence with changes that were never saved', async () => {
    const disk = new FailingStorage()
    const space = await connect(nowhere, { tables, storage: keepIn(async () => disk), timeoutMs: 1 })
    disk.fails = true
    space.rooms.row('hall').visits.add(1)
    const saved = space.saved()
    saved.catch(() => {})
    await expect(space.close()).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining('1 own changes could not be saved'),
    })
    await expect(saved).rejects.toMatchObject({ code: 'storage' })
  })

  it('tells of damage it was opened with', async () => {
    const path = newPath()
    const space = await connect(nowhere, { tables, storage: lmdb({ path }), timeoutMs: 1 })
    space.rooms.row('hall').visits.add(1)
    await space.close()
    const raw = await LmdbStorage.open({ path })
    const batch = [...raw.range(new TextEncoder().encode('house\0B'))][0]
    batch.value[20] ^= 4
    await raw.write([batch])
    await raw.close()
    const again = await connect(nowhere, { tables, storage: lmdb({ path }), timeoutMs: 1 })
    const errors: AtomikError[] = []
    again.on('error', error => errors.push(error))
    await eventually(() => errors.length).toBe(1)
    expect(errors[0]).toMatchObject({
      code: 'storage',
      message: expect.stringContaining('own changes is lost'),
    })
    await again.close()
  })
})

it('tells the program of a fork: here a hub that was set back behind what it had confirmed', async () => {
  const [live, backup] = [newPath(), newPath()]
  const before = await startHub({ store: live })
  const { port } = before
  const space = await connect(urlOf(before), { tables })
  const forks: string[] = []
  space.on('forked', ({ incarnation }) => forks.push(incarnation))
  space.rooms.row('hall').visits.add(1)
  await space.synced()
  await before.stop()
  cpSync(live, backup, { recursive: true })
  const between = await startHub({ store: live, port })
  space.rooms.row('hall').visits.add(1)
  await space.synced()
  expect(forks).toEqual([])
  await between.stop()
  await startHub({ store: backup, port })
  space.rooms.row('hall').visits.add(10)
  await space.synced()
  expect(forks).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)])
  expect(space.stats().forks).toBe(1)
  // What had been confirmed between the backup and its restoration is lost with the hub's disk; new changes count.
  await eventually(() => space.rooms.row('hall').visits.value).toBe(11)
  await space.close()
})

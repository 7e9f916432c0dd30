/**
 * Goal: IndexedDB keeps the storage contract, and a page with it keeps what `saved()` acknowledged: over reloads, over a crash of the browser, and
 * while it is offline behind a cut connection. Method: a real chromium with a profile on disk, a real hub behind a real proxy
 * (packages/flights/src/link.ts), the page served from elsewhere.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BadLink, faultLevels } from '@atomik/flights'
import { Hub } from '@atomik/hub'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storageContract } from '../adapters/storage.contract.ts'
import type { Entry, Put, ReplicaStorage } from '../engine/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { counter, flag, register, table } from '../schema/index.ts'
import { canRun, eventually, launch, servePage, tabOf } from './browser.contract.ts'
import { connect } from './index.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(20), open: flag() }) }
const folder = mkdtempSync(join(tmpdir(), 'atomik-indexeddb-'))
const nowhere = 'ws://127.0.0.1:1/house'

describe.skipIf(!canRun)('in a browser', { timeout: 120_000 }, () => {
  let server: Awaited<ReturnType<typeof servePage>>
  let context: BrowserContext
  let tab: Page

  beforeAll(async () => {
    server = await servePage()
    context = await launch(join(folder, 'profile'))
    tab = await tabOf(context, server.url)
  }, 60_000)
  afterAll(async () => {
    await context?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A storage in the page, held from here. */
  class PageStorage implements ReplicaStorage {
    readonly handle: string
    constructor(handle: string) {
      this.handle = handle
    }
    static opened = 0
    static async open(name = `contract-${PageStorage.opened}`): Promise<PageStorage> {
      const handle = `storage${PageStorage.opened++}`
      await tab.evaluate(`IndexedDbStorage.open('${name}').then(opened => { window.${handle} = opened })`)
      return new PageStorage(handle)
    }
    async #run<T>(code: string): Promise<T> {
      const { error, result } = await tab.evaluate<{ error?: [ErrorCode, string]; result: T }>(
        `(async () => { try { return { result: await (async storage => { ${code} })(window.${this.handle}) } }
          catch (error) { return { error: [error.code, String(error.message)] } } })()`,
      )
      if (error !== undefined) throw new AtomikError(...error)
      return result
    }
    async *range(prefix: Uint8Array): AsyncIterable<Entry> {
      const found = await this.#run<[number[], number[]][]>(
        `const found = []
        for await (const { key, value } of storage.range(Uint8Array.of(${prefix}))) found.push([[...key], [...value]])
        return found`,
      )
      for (const [key, value] of found) yield { key: Uint8Array.from(key), value: Uint8Array.from(value) }
    }
    async write(puts: readonly Put[]): Promise<void> {
      const plain = puts.map(({ key, value }) => [[...key], value && [...value]])
      // Whoever wrote uses its arrays for something else afterwards.
      await this.#run(
        `const puts = ${JSON.stringify(plain)}.map(([key, value]) => ({ key: Uint8Array.from(key), value: value ? Uint8Array.from(value) : undefined }))
        await storage.write(puts)
        for (const { key, value } of puts) { key.fill(99); value?.fill(99) }`,
      )
    }
    async close(): Promise<void> {
      await this.#run('await storage.close()')
    }
  }

  storageContract('indexeddb', PageStorage.open.bind(PageStorage, undefined), async storage => {
    await storage.close()
    return PageStorage.open(`contract-${PageStorage.opened - 1}`)
  })

  it('says in one typed error that a database cannot be written any more', async () => {
    const storage = await PageStorage.open()
    await tab.evaluate(`new Promise(resolve => {
      indexedDB.deleteDatabase('contract-${PageStorage.opened - 1}').onsuccess = resolve
    })`)
    await expect(storage.write([{ key: Uint8Array.of(1), value: Uint8Array.of(1) }])).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining('is being deleted'),
    })
  })

  const visits = () => tab.evaluate<number>(`space.rooms.row('hall').visits.value`)
  const status = () => tab.evaluate<Record<string, unknown>>('space.status()')
  const reload = async () => {
    await tab.reload()
    await tab.waitForFunction(`document.title === 'ready'`)
  }

  it('a page works without a hub, and is as it was after a reload', async () => {
    await tab.evaluate(`open('${nowhere}', { timeoutMs: 300 })`)
    expect(await status()).toMatchObject({ live: false, loaded: false, leads: true })
    await tab.evaluate(`space.rooms.row('hall').visits.add(5)`)
    expect(await visits()).toBe(5)
    await tab.evaluate('space.saved()')
    expect(await status()).toMatchObject({ unsaved: 0, pending: 1 })
    await reload()
    const began = Date.now()
    await tab.evaluate(`open('${nowhere}', { timeoutMs: 40_000 })`)
    expect(Date.now() - began).toBeLessThan(20_000)
    expect(await visits()).toBe(5)
    expect(await status()).toMatchObject({ loaded: false, pending: 1, unsaved: 0 })
  })

  it('what was saved is there when the whole browser has crashed', async () => {
    await tab.evaluate(`space.rooms.row('hall').visits.add(2); space.saved()`)
    await tab.evaluate(`space.rooms.row('hall').topic.set('crash'); space.saved()`)
    const session = await context.newCDPSession(tab)
    const gone = new Promise(resolve => context.once('close', resolve))
    await session.send('Browser.crash').catch(() => {})
    await gone
    context = await launch(join(folder, 'profile'))
    tab = await tabOf(context, server.url)
    await tab.evaluate(`open('${nowhere}')`)
    expect(await tab.evaluate(`space.rooms.row('hall').read()`)).toEqual({
      visits: 7,
      topic: 'crash',
      open: false,
    })
    await tab.evaluate('space.close()')
  })

  it('tells the page of a record that was damaged', async () => {
    await tab.evaluate(`open('ws://127.0.0.1:1/damaged', { timeoutMs: 1 })`)
    await tab.evaluate(`space.rooms.row('hall').visits.add(1); space.close()`)
    await tab.evaluate(`(async () => {
      const storage = await IndexedDbStorage.open('test')
      for await (const { key, value } of storage.range(new TextEncoder().encode('damaged\0B'))) {
        value[12] ^= 1
        await storage.write([{ key, value }])
      }
      await storage.close()
    })()`)
    await tab.evaluate(`open('ws://127.0.0.1:1/damaged', { timeoutMs: 1 })`)
    await eventually(() => tab.evaluate('events.join()')).toContain(
      'error storage a batch of own changes is lost',
    )
    await tab.evaluate('events.length = 0; space.close()')
  })

  it('a second tab may be refused instead of sharing', async () => {
    const refuse = `{ tabs: 'refuse', timeoutMs: 1 }`
    await tab.evaluate(`open('ws://127.0.0.1:1/alone', ${refuse})`)
    const other = await tabOf(context, server.url)
    const open = `codeOf(open('ws://127.0.0.1:1/alone', ${refuse}))`
    expect(await other.evaluate(open)).toBe('in-use')
    await tab.evaluate('space.close()')
    expect(await other.evaluate(open)).toBe('fine')
    await other.close()
  })

  it('goes offline and comes back, with changes and a reload in between: each counts once', async () => {
    const hub = await Hub.start({
      port: 0,
      origins: [new URL(server.url).origin],
      store: join(folder, 'hub'),
    })
    const link = new BadLink(() => hub.port, faultLevels.none, 7)
    const url = `ws://127.0.0.1:${await link.listen()}/journey`
    const desk = await connect(`ws://127.0.0.1:${hub.port}/journey`, { tables })
    desk.rooms.row('hall').visits.add(100)
    await desk.synced()

    await tab.evaluate(`open('${url}')`)
    expect(await visits()).toBe(100)
    await tab.evaluate(`space.rooms.row('hall').visits.add(1); space.synced()`)
    link.cut()
    await eventually(async () => (await status()).live).toBe(false)
    for (let i = 0; i < 20; i++) await tab.evaluate(`space.rooms.row('hall').visits.add(1)`)
    await tab.evaluate('space.saved()')
    desk.rooms.row('hall').visits.add(1000) // meanwhile, elsewhere
    await desk.synced()

    await reload()
    await tab.evaluate(`open('${url}')`)
    expect(await visits()).toBe(121)
    await tab.evaluate(`space.rooms.row('hall').topic.set('on the train')`)
    await tab.evaluate(`for (let i = 0; i < 5; i++) space.rooms.row('hall').visits.add(1); space.saved()`)
    expect(await visits()).toBe(126)
    expect((await status()).live).toBe(false)

    link.heal()
    await eventually(visits).toBe(1126)
    await tab.evaluate('space.synced()')
    await eventually(() => desk.rooms.row('hall').read()).toEqual({
      visits: 1126,
      topic: 'on the train',
      open: false,
    })
    expect(await tab.evaluate('events')).toEqual([])
    // Again over a bad link: it loses, repeats, delays and cuts.
    await tab.evaluate('space.close()')
    link.close()
    const bad = new BadLink(() => hub.port, faultLevels.heavy, 8)
    const badUrl = `ws://127.0.0.1:${await bad.listen()}/journey`
    await tab.evaluate(`open('${badUrl}', { timeoutMs: 30_000 })`)
    for (let i = 0; i < 30; i++) {
      await tab.evaluate(`space.rooms.row('hall').visits.add(1)`)
      if (i === 10) bad.cut()
      if (i === 15) {
        await tab.evaluate('space.saved()')
        await reload()
        await tab.evaluate(`open('${badUrl}')`)
      }
      if (i === 20) bad.heal()
    }
    bad.mend()
    await eventually(() => desk.rooms.row('hall').visits.value).toBe(1156)
    await eventually(visits).toBe(1156)
    await tab.evaluate('space.close()')
    await desk.close()
    bad.close()
    await hub.stop()
  })
})

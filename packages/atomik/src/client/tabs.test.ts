/**
 * Goal: tabs of one page share a space: one leads, what any of them changes is seen in all, and when the leader is closed or crashes another
 * takes over, with nothing lost that was saved and nothing doubled. Method: real tabs of a real chromium, a real hub, tabs closed and
 * crashed while all of them change. Seeded faults on the same engine are in engine/leader.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hub } from '@atomik/hub'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { counter, flag, register, table } from '../schema/index.ts'
import { canRun, eventually, launch, servePage, tabOf } from './browser.contract.ts'
import { connect } from './index.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(20), open: flag() }) }
const folder = mkdtempSync(join(tmpdir(), 'atomik-tabs-'))
const nowhere = 'ws://127.0.0.1:1/tabs'

describe.skipIf(!canRun)('tabs', { timeout: 120_000 }, () => {
  let server: Awaited<ReturnType<typeof servePage>>
  let context: BrowserContext

  beforeAll(async () => {
    server = await servePage()
    context = await launch(join(folder, 'profile'))
  }, 60_000)
  afterAll(async () => {
    await context?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const open = async (url: string, options = '{}') => {
    const tab = await tabOf(context, server.url)
    await tab.evaluate(`open('${url}', ${options})`)
    return tab
  }
  const visits = (tab: Page, row = 'hall') => tab.evaluate<number>(`space.rooms.row('${row}').visits.value`)
  const status = (tab: Page) =>
    tab.evaluate<{ leads: boolean; live: boolean; pending: number; unsaved: number }>('space.status()')
  const add = (tab: Page, by = 1) => tab.evaluate<number>(`space.rooms.row('hall').visits.add(${by})`)

  it('see each other without a hub, one of them leading, and take over when it is closed', async () => {
    const first = await open(nowhere, '{ timeoutMs: 300 }')
    expect(await status(first)).toMatchObject({ leads: true, live: false })
    const second = await open(nowhere, '{ timeoutMs: 300 }')
    expect((await status(second)).leads).toBe(false)
    await add(first, 1)
    await eventually(() => visits(second)).toBe(1)
    const change = await add(second, 10)
    expect(await visits(second)).toBe(11) // at once
    await eventually(() => visits(first)).toBe(11)
    await second.evaluate('space.saved()')
    expect(await status(second)).toMatchObject({ unsaved: 0, pending: 2 })

    await first.close()
    await eventually(async () => (await status(second)).leads).toBe(true)
    expect(await visits(second)).toBe(11)
    await second.evaluate(`space.undo(${change})`) // also what the other tab had taken in
    expect(await visits(second)).toBe(1)
    await second.evaluate('space.saved()')
    const third = await open(nowhere)
    expect(await visits(third)).toBe(1)
    await second.evaluate('space.close()')
    await eventually(async () => (await status(third)).leads).toBe(true)
    await third.evaluate('space.close()')
    await second.close()
    await third.close()
  })

  it('survive a crash of the leader, again and again, with all of them changing', async () => {
    const hub = await Hub.start({
      port: 0,
      origins: [new URL(server.url).origin],
      store: join(folder, 'hub'),
    })
    const url = `ws://127.0.0.1:${hub.port}/crashes`
    const desk = await connect(url, { tables })
    let tabs = await Promise.all([open(url), open(url), open(url)])
    let [made, saved, crashes] = [0, 0, 0]
    for (let round = 0; round < 6; round++) {
      for (const [i, tab] of tabs.entries())
        await tab.evaluate(`(() => {
          const name = '${round}-${i}'
          window.acked = 0
          for (let n = 1; n <= 100; n++) setTimeout(() => {
            const change = n
            space.transact(() => {
              space.rooms.row(name + '-' + n).visits.add(1)
              space.rooms.row('all').visits.add(1)
            })
            space.saved().then(() => { window.acked = Math.max(window.acked, change) }, () => {})
          }, 10 * n)
        })()`)
      await new Promise(resolve => setTimeout(resolve, 60 + 60 * round))
      const leads = await Promise.all(tabs.map(async tab => (await status(tab)).leads))
      const leader = tabs[leads.indexOf(true)]
      const acked = await leader.evaluate<number>('acked')
      saved += acked
      const closed = leads.indexOf(true)
      if (round % 2 === 0) {
        // The renderer dies in the middle of everything.
        const session = await context.newCDPSession(leader)
        session.send('Page.crash').catch(() => {})
        await new Promise(resolve => leader.once('crash', resolve))
        crashes++
      }
      await leader.close()
      tabs = tabs.filter(tab => tab !== leader)
      for (const tab of tabs) {
        await eventually(() => tab.evaluate('acked')).toBe(100)
        made += 100
      }
      made += acked
      await Promise.all(tabs.map(tab => tab.evaluate('space.synced()')))
      // What the one that died had been told to be saved is there, or comes with the store of whoever leads now.
      for (let n = 1; n <= acked; n++)
        await eventually(() => desk.rooms.row(`${round}-${closed}-${n}`).visits.value).toBe(1)
      tabs.push(await open(url))
    }
    await eventually(async () => (await status(tabs[0])).pending).toBe(0)
    let there = 0
    for (const row of desk.rooms.rows()) {
      if (row.key === 'all') continue
      expect([row.key, row.visits.value]).toEqual([row.key, 1])
      there++
    }
    expect(desk.rooms.row('all').visits.value).toBe(there)
    expect(there).toBeGreaterThanOrEqual(made)
    for (const tab of tabs) {
      await eventually(() => visits(tab, 'all')).toBe(there)
      expect(await tab.evaluate('events')).toEqual([])
    }
    console.info(
      `6 leaders gone, ${crashes} by a crash: ${there} changes counted once, ${saved} of the gone were saved`,
    )
    for (const tab of tabs) {
      await tab.evaluate('space.close()')
      await tab.close()
    }
    await desk.close()
    await hub.stop()
  })

  it('pass on what the hub says to the one that leads, and hold together only what has the same tables', async () => {
    const hub = await Hub.start({
      port: 0,
      origins: [new URL(server.url).origin],
      store: join(folder, 'guarded'),
      token: 'right',
    })
    const url = `ws://127.0.0.1:${hub.port}/guarded`
    const tab = await tabOf(context, server.url)
    expect(await tab.evaluate(`codeOf(open('${url}', { token: 'wrong' }))`)).toBe('unauthorized')
    await tab.evaluate(`open('${url}', { token: 'right' })`)
    expect(await status(tab)).toMatchObject({ leads: true, live: true, loaded: true })
    const other = await tabOf(context, server.url)
    expect(await other.evaluate(`codeOf(open('${url}', { token: 'right', isOther: true }))`)).toBe('schema')
    await tab.evaluate('space.close()')
    // Alone it may: there is nothing of its own to be sent any more.
    expect(await other.evaluate(`codeOf(open('${url}', { token: 'right' }))`)).toBe('fine')
    await other.evaluate('space.close()')
    await tab.close()
    await other.close()
    await hub.stop()
  })
})

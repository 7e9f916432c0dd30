/**
 * Goal: both examples do what they show. Method: each is built as its command builds it and served by a hub; two browser contexts edit,
 * undo, lose the hub and get it back. Renderings, and changes of the document, are counted.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Hub } from '@atomik/hub'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const { ATOMIK_REQUIRE_BROWSER, CHROMIUM = '/usr/bin/chromium' } = process.env
const canRun = existsSync(CHROMIUM) || ATOMIK_REQUIRE_BROWSER === '1'
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 30_000, interval: 50 })
const run = promisify(execFile)

describe.skipIf(!canRun).each(['plain', 'react'])('the example %s', { timeout: 60_000 }, example => {
  const folder = fileURLToPath(new URL(`./${example}/`, import.meta.url))
  let browser: Browser
  let hub: Hub
  let store: string
  let contexts: BrowserContext[]
  let a: Page
  let b: Page
  const complaints: string[] = []

  const machine = (page: Page, name: string) => page.locator(`[data-machine="${name}"]`)
  const partsOf = (page: Page, name: string) => machine(page, name).locator('output').textContent()
  const add = async (page: Page, name: string) => {
    await page.getByLabel('Name of a new machine').fill(name)
    await page.getByRole('button', { name: 'Add' }).click()
  }
  const status = (page: Page) => page.locator('header [role="status"]').textContent()

  beforeAll(async () => {
    await run('npm', ['run', '-s', 'build'], { cwd: folder })
    store = mkdtempSync(join(tmpdir(), 'machines-'))
    hub = await Hub.start({ port: 0, page: `${folder}dist`, store })
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    contexts = [await browser.newContext(), await browser.newContext()]
    ;[a, b] = await Promise.all(
      contexts.map(async context => {
        const page = await context.newPage()
        page.on('pageerror', error => complaints.push(String(error)))
        page.on('console', message => {
          if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
        })
        await page.goto(`http://127.0.0.1:${hub.port}/`)
        return page
      }),
    )
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    await hub?.stop()
    rmSync(store, { recursive: true, force: true })
  })

  it('shows in one context what the other adds and changes', async () => {
    for (const name of ['lathe', 'press', 'saw']) await add(a, name)
    await eventually(() => b.getByRole('listitem').count()).toBe(3)
    await machine(b, 'press').getByRole('checkbox').check()
    await b.getByLabel('Note on press').fill('oil it')
    await b.getByLabel('Note on press').press('Tab')
    for (const page of [a, b])
      for (let n = 0; n < 2; n++) await page.getByRole('button', { name: 'One more part of lathe' }).click()
    for (const page of [a, b]) {
      await eventually(() => partsOf(page, 'lathe')).toBe('4')
      await eventually(() => machine(page, 'press').getByRole('checkbox').isChecked()).toBe(true)
      await eventually(() => page.getByLabel('Note on press').inputValue()).toBe('oil it')
      await eventually(() => status(page)).toBe('saved')
    }
  })

  it('undoes what this context did last, whatever the other did since', async () => {
    await b.getByRole('button', { name: 'One more part of lathe' }).click()
    await eventually(() => partsOf(a, 'lathe')).toBe('5')
    await a.getByRole('button', { name: 'Undo' }).click()
    await a.getByRole('button', { name: 'Undo' }).click()
    for (const page of [a, b]) await eventually(() => partsOf(page, 'lathe')).toBe('3')
  })

  it('touches nothing but what changed', async () => {
    const rendersOf = (name: string) => machine(a, name).getAttribute('data-renders')
    const before = [await rendersOf('press'), await rendersOf('saw')]
    const lathe = Number(await rendersOf('lathe'))
    await a.evaluate(() => {
      const seen: string[] = []
      Object.assign(window, { seen })
      new MutationObserver(records => {
        for (const { target } of records)
          seen.push(target.parentElement?.closest('[data-machine]')?.getAttribute('data-machine') ?? '')
      }).observe(document.querySelector('ul') as Node, {
        subtree: true,
        childList: true,
        characterData: true,
      })
    })
    for (let n = 0; n < 5; n++) await b.getByRole('button', { name: 'One more part of lathe' }).click()
    await eventually(() => partsOf(a, 'lathe')).toBe('8')
    const touched = await a.evaluate(() => [...new Set((window as unknown as { seen: string[] }).seen)])
    expect(touched).toEqual(['lathe'])
    expect([await rendersOf('press'), await rendersOf('saw')]).toEqual(before)
    // Strict mode renders twice.
    if (example === 'react') expect(Number(await rendersOf('lathe')) - lathe).toBeLessThanOrEqual(2 * 5)
  })

  it('goes on while there is no hub, and catches up when it is back', async () => {
    const { port } = hub
    await hub.stop()
    await eventually(() => status(a)).toBe('no hub')
    await a.getByRole('button', { name: 'One more part of saw' }).click()
    await b.getByLabel('Note on saw').fill('blunt')
    await b.getByLabel('Note on saw').press('Tab')
    expect(await partsOf(a, 'saw')).toBe('1')
    expect(await partsOf(b, 'saw')).toBe('0')
    hub = await Hub.start({ port, page: `${folder}dist`, store })
    for (const page of [a, b]) {
      await eventually(() => partsOf(page, 'saw')).toBe('1')
      await eventually(() => page.getByLabel('Note on saw').inputValue()).toBe('blunt')
      await eventually(() => status(page)).toBe('saved')
    }
  })

  it.runIf(example === 'plain')('keeps what was changed without a hub over reloads', async () => {
    // The page comes, the hub does not: its sockets are closed at once.
    const alone = await contexts[1].newPage()
    await b.close()
    await alone.routeWebSocket(/.*/, socket => socket.close())
    await alone.goto(`http://127.0.0.1:${hub.port}/`)
    await eventually(() => partsOf(alone, 'lathe')).toBe('8')
    await eventually(() => status(alone)).toBe('no hub')
    await alone.getByRole('button', { name: 'One more part of lathe' }).click()
    await alone.getByLabel('Note on lathe').fill('kept')
    await alone.getByLabel('Note on lathe').press('Tab')
    for (let reload = 0; reload < 2; reload++) {
      await alone.waitForTimeout(300)
      await alone.reload()
      await eventually(() => partsOf(alone, 'lathe')).toBe('9')
      expect(await alone.getByLabel('Note on lathe').inputValue()).toBe('kept')
    }
    expect(await partsOf(a, 'lathe')).toBe('8')
    await alone.close()
    b = await contexts[1].newPage()
    await b.goto(`http://127.0.0.1:${hub.port}/`)
    for (const page of [a, b]) {
      await eventually(() => partsOf(page, 'lathe')).toBe('9')
      await eventually(() => page.getByLabel('Note on lathe').inputValue()).toBe('kept')
      await eventually(() => status(page)).toBe('saved')
    }
  })

  it('has nothing to complain of but the hub that was away', () => {
    expect(complaints.filter(text => !/WebSocket|ERR_CONNECTION/.test(text))).toEqual([])
  })
})

/**
 * Goal: every view is fit to be seen: nothing jumps while it opens, nothing is fetched from elsewhere, nothing is complained of, and on a
 * narrow screen nothing sticks out. Method: the built page, served by a hub that has a busy space, in a real browser; the browser's own
 * measure of layout shifts. UPDATE_SCREENSHOTS=1 keeps the pictures of README.md beside this package.
 */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Hub } from '@atomik/hub'
import { array, bits, connect, counter, flag, register, table, toggle } from 'atomik'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessibilityDefects, canRun, complaintsOf, openBrowser } from './browser.ts'

const { UPDATE_SCREENSHOTS } = process.env
const pictures = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
/** Cumulative, over three seconds; what the browser's makers call good is below 0.1. */
const layoutShiftMax = 0.02

const Pump = table({
  on: toggle(),
  armed: flag(),
  hits: counter(),
  level: register.u16(),
  mode: register.enum('off', 'slow', 'fast'),
  note: register.text(16),
  lamps: bits(8),
  axes: array(register.i8(), 3),
})

interface ViewCase {
  readonly name: string
  readonly address: string
  /** Something that is there when the view is. */
  readonly ready: string
}
const cases: readonly ViewCase[] = [
  { name: 'hub', address: 'view=hub&space=fleet', ready: '[data-key="pump-1"]' },
  {
    name: 'algebra',
    address: 'view=algebra&lane=xor&width=32&load=cafebabe&deltas=ff00.ff0000.ff00',
    ready: '[data-testid="state"]',
  },
  { name: 'nodes', address: 'view=nodes', ready: '[data-testid="engine-verdict"][data-state="good"]' },
  {
    name: 'cluster',
    address: 'view=cluster&seed=7&replicas=24&faults=r2.partition.5000_r9.crash.5300_r16.storm.4200&t=5900',
    ready: '[data-testid="standing-r23"]',
  },
]

describe.skipIf(!canRun)('every view', { timeout: 60_000 }, () => {
  let hub: Hub
  let browser: Browser
  let stop: () => Promise<void>
  const fetched = new Set<string>()

  const open = async ({ address, ready }: ViewCase, options: Parameters<Browser['newPage']>[0]) => {
    const page = await browser.newPage(options)
    const complaints = complaintsOf(page)
    page.on('request', request => fetched.add(new URL(request.url()).host))
    await page.addInitScript(() => {
      const shifts: number[] = []
      Object.assign(window, { shifts })
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value)
      }).observe({ type: 'layout-shift', buffered: true })
    })
    await page.goto(`http://127.0.0.1:${hub.port}/#${address}`)
    await page.locator(ready).first().waitFor()
    return { page, complaints }
  }
  const shiftOf = async (page: Page) =>
    await page.evaluate(() =>
      (window as unknown as { shifts: number[] }).shifts.reduce((sum, shift) => sum + shift, 0),
    )

  beforeAll(async () => {
    hub = await Hub.start({ port: 0, page: fileURLToPath(new URL('../dist/', import.meta.url)) })
    const url = `ws://127.0.0.1:${hub.port}/fleet`
    const clients = await Promise.all([1, 2, 3].map(() => connect(url, { tables: { pumps: Pump } })))
    clients[0].transact(() => {
      for (let n = 0; n < 400; n++) clients[0].pumps.row(`pump-${n}`).level.set(n)
    })
    await clients[0].synced()
    let turn = 0
    const writing = setInterval(() => {
      for (const { pumps } of clients) {
        turn++
        // Some rows change more often than others.
        const row = pumps.row(`pump-${(turn * turn * 7) % (turn % 3 === 0 ? 400 : 40)}`)
        row.hits.add(1 + (turn % 5))
        row.lamps.flip(turn % 8)
        if (turn % 2 === 0) row.level.set((turn * 37) % 900)
        if (turn % 7 === 0) row.note.set(turn % 2 === 0 ? 'checked' : 'oil')
        if (turn % 5 === 0) row.on.flip()
        if (turn % 9 === 0) row.axes[turn % 3].set((turn % 200) - 100)
      }
    }, 50)
    stop = async () => {
      clearInterval(writing)
      for (const client of clients) await client.close()
    }
    browser = await openBrowser()
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    await stop?.()
    await hub?.stop()
  })

  it.each(cases)('$name opens without a jump, and has nothing to complain of', async view => {
    const { page, complaints } = await open(view, { viewport: { width: 1360, height: 900 } })
    await page.waitForTimeout(3000)
    expect(await shiftOf(page)).toBeLessThan(layoutShiftMax)
    expect(complaints).toEqual([])
    await page.close()
  })

  it.each(cases)('$name fits a narrow screen, in the dark, and axe finds no defect', async view => {
    const { page, complaints } = await open(view, {
      viewport: { width: 360, height: 740 },
      colorScheme: 'dark',
    })
    await page.waitForTimeout(500)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    expect(await accessibilityDefects(page)).toEqual([])
    expect(complaints).toEqual([])
    await page.close()
  })

  it('fetches nothing from elsewhere', () => {
    expect([...fetched]).toEqual([`127.0.0.1:${hub.port}`])
  })

  it.runIf(UPDATE_SCREENSHOTS === '1').each(cases)('$name has its picture taken', async view => {
    await mkdir(pictures, { recursive: true })
    const { page } = await open(view, {
      viewport: { width: 1360, height: 900 },
      colorScheme: view.name === 'cluster' ? 'dark' : 'light',
    })
    if (view.name === 'hub') {
      await page.waitForTimeout(20_000)
      await page.getByRole('button', { name: 'pump-1', exact: true }).click()
      await page
        .getByTestId('messages')
        .getByRole('button', { name: /stream|entry/ })
        .first()
        .click()
    }
    if (view.name === 'nodes') {
      for (const lamp of [1, 2, 5, 8, 11, 12])
        await page
          .getByTestId('bare-A')
          .getByRole('button', { name: `lamp ${lamp}`, exact: true })
          .click()
      await page.getByRole('button', { name: '+1 at A' }).click()
      await page.getByRole('button', { name: '+1 at B' }).click()
      await page.waitForTimeout(450)
    } else await page.waitForTimeout(900)
    await page.screenshot({ path: `${pictures}view-${view.name}.png`, fullPage: true })
    await page.close()
  })
})

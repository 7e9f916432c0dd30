/**
 * Goal: the cluster view plays, steps, scrubs and does harm as it says, and its address shows somebody else the same. Method: the built
 * page from a plain web server, a person's clicks and keys, and a second browser context that gets the address.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessibilityDefects, canRun, complaintsOf, frameMeter, openBrowser, servePage } from '../browser.ts'
import { hubFaults, replicaFaults, wideFaults } from './scenario.ts'

const { MEASURE } = process.env
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 30_000, interval: 50 })

describe.skipIf(!canRun)('the cluster view', { timeout: 90_000 }, () => {
  let browser: Browser
  let page: Page
  let site: Awaited<ReturnType<typeof servePage>>
  let complaints: string[]
  const hosts = new Set<string>()

  const open = async (parameters: string, at = page) => {
    await at.goto('about:blank')
    await at.goto(`${site.url}#view=cluster&${parameters}`)
    await at.getByTestId('standings').waitFor()
  }
  const time = async (at = page) =>
    Number.parseFloat((await at.getByTestId('cluster-time').textContent()) ?? '')
  const settle = async (seconds: number, at = page) =>
    await eventually(async () => await time(at)).toBeCloseTo(seconds, 2)
  const standings = async (at = page) => await at.getByTestId('standings').textContent()
  const press = async (name: string) => await page.getByRole('button', { name, exact: true }).click()
  const picked = async () =>
    await page.getByTestId('target').evaluate(select => Number((select as HTMLSelectElement).value))
  /** The picture, as a file. */
  const ink = async () => (await page.getByTestId('cluster-canvas').screenshot()).toString('base64')

  beforeAll(async () => {
    site = await servePage()
    browser = await openBrowser()
    page = await browser.newPage({ viewport: { width: 1360, height: 1000 } })
    complaints = complaintsOf(page)
    page.on('request', request => hosts.add(new URL(request.url()).host))
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    site?.close()
  })

  it('plays by itself when opened without a moment, and stops', async () => {
    await open('seed=3')
    await eventually(time).toBeGreaterThan(0.2)
    await press('Pause')
    const stopped = await time()
    const drawn = await ink()
    await page.waitForTimeout(300)
    expect(await time()).toBe(stopped)
    expect(await ink()).toBe(drawn)
    await press('Play')
    await eventually(time).toBeGreaterThan(stopped)
    expect(await ink()).not.toBe(drawn)
    await press('Pause')
  })

  it('draws the picture at every frame while it plays, and the words around it ten times a second', async () => {
    await open('seed=7&replicas=48')
    await eventually(time).toBeGreaterThan(0.3)
    const measure = await frameMeter(page)
    const turns = page.getByTestId('standings').evaluate(
      table =>
        new Promise<number>(resolve => {
          let count = 0
          const watching = new MutationObserver(() => count++)
          watching.observe(table, { subtree: true, childList: true, characterData: true, attributes: true })
          setTimeout(() => {
            watching.disconnect()
            resolve(count)
          }, 2000)
        }),
    )
    const { framesPerSecond, scriptMs, shown } = await measure(2000)
    if (MEASURE === '1') console.log(shown)
    expect(await turns).toBeGreaterThan(0)
    expect(await turns).toBeLessThan(25)
    expect(framesPerSecond).toBeGreaterThan(0)
    expect(scriptMs).toBeLessThan(12)
    await press('Pause')
  })

  it('steps from one arrival to the next, and back', async () => {
    await open('seed=3&t=2000')
    await settle(2)
    await press('On to the next arrival of a message')
    const first = { time: await time(), standings: await standings(), ink: await ink() }
    for (let n = 0; n < 30; n++) await press('On to the next arrival of a message')
    expect(await time()).toBeGreaterThan(first.time)
    expect(await ink()).not.toBe(first.ink)
    for (let n = 0; n < 30; n++) await press('Back to the message that arrived before')
    expect({ time: await time(), standings: await standings(), ink: await ink() }).toEqual(first)
  })

  it('scrubs by slider and by key, in both directions', async () => {
    await page.getByTestId('scrub').fill('7000')
    await settle(7)
    const there = await standings()
    await page.getByTestId('scrub').fill('1000')
    await settle(1)
    expect(await standings()).not.toBe(there)
    await page.getByTestId('scrub').press('PageUp')
    await eventually(time).toBeGreaterThan(1.5)
    await page.getByTestId('scrub').fill('7000')
    await settle(7)
    expect(await standings()).toBe(there)
  })

  it('picks a machine in the picture and in the table', async () => {
    const box = await page.getByTestId('cluster-canvas').boundingBox()
    if (box === null) throw new Error('no picture')
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
    expect(await picked()).toBe(-1)
    await page.mouse.click(box.x + box.width / 2, box.y + 30)
    expect(await picked()).toBe(0)
    await page.getByTestId('standing-r5').getByRole('button').focus()
    await page.keyboard.press('Enter')
    expect(await picked()).toBe(5)
    expect(await page.getByTestId('events').getByRole('listitem').count()).toBeGreaterThan(3)
  })

  it('shows a second person the same: seed, faults and moment', async () => {
    await open('seed=11&replicas=30&weather=heavy&t=4000')
    await settle(4)
    await page.getByTestId('target').selectOption('4')
    await press(replicaFaults.partition)
    await settle(4)
    await page.getByTestId('target').selectOption('-1')
    await press(hubFaults.crash)
    await settle(4)
    await page.getByTestId('scrub').fill('4700')
    await settle(4.7)
    expect(await page.getByTestId('standing-r4').textContent()).toContain('partitioned')
    expect(await page.getByTestId('standing-hub').textContent()).toContain('down')
    await eventually(() => page.url()).toContain('t=4700')
    const context = await browser.newContext()
    const other = await context.newPage()
    await other.goto(page.url())
    await settle(4.7, other)
    expect(await standings(other)).toBe(await standings())
    expect(await other.getByTestId('faults').textContent()).toBe(
      await page.getByTestId('faults').textContent(),
    )
    await context.close()
  })

  it('takes every fault, and ends equal all the same', async () => {
    await open('seed=5&replicas=12&t=3000')
    await settle(3)
    await page.getByTestId('target').selectOption('2')
    // A machine that is down cannot be copied: the copy comes first.
    await press(replicaFaults.clone)
    for (const [kind, name] of Object.entries(replicaFaults)) if (kind !== 'clone') await press(name)
    await page.getByTestId('target').selectOption('-1')
    for (const [kind, name] of Object.entries(hubFaults)) if (kind !== 'restore') await press(name)
    for (const name of Object.values(wideFaults)) await press(name)
    const put = Object.keys(replicaFaults).length + Object.keys(hubFaults).length - 1 + 2
    expect(await page.getByTestId('faults').getByRole('listitem').count()).toBe(put)
    // What is not modelled is refused, in words.
    await press(hubFaults.restore)
    expect(await page.getByTestId('cluster-said').textContent()).toContain('not in a run with clones')
    await page.getByTestId('scrub').fill('4500')
    await settle(4.5)
    expect(await page.getByTestId('standings').getByRole('row').count()).toBe(1 + 1 + 12 + 1)
    await page.getByTestId('scrub').evaluate(slider => {
      const input = slider as HTMLInputElement
      input.value = input.max
      input.dispatchEvent(new Event('input', { bubbles: true }))
    })
    await eventually(async () => {
      await page.getByTestId('scrub').fill((await page.getByTestId('scrub').getAttribute('max')) ?? '0')
      return await page.getByTestId('cluster-verdict').textContent()
    }).toMatch(/^Equal .* every change counted once/)
    expect(await page.getByTestId('changes-pending').textContent()).toBe('0')
  })

  it('takes a fault out again', async () => {
    await open('seed=5&replicas=12&t=3500&faults=r1.crash.3100_r2.partition.3200')
    await settle(3.5)
    expect(await page.getByTestId('standing-r1').textContent()).toContain('down')
    await page.getByRole('button', { name: /^Take out: r1: Crash/ }).click()
    await settle(3.5)
    expect(await page.getByTestId('standing-r1').textContent()).toContain('live')
    expect(await page.getByTestId('standing-r2').textContent()).toContain('partitioned')
    expect(await page.getByTestId('faults').getByRole('listitem').count()).toBe(1)
  })

  it.each(['light', 'dark'] as const)('has no accessibility defect that axe finds, in %s', async scheme => {
    await page.emulateMedia({ colorScheme: scheme })
    await open('seed=5&replicas=12&t=3500&faults=r1.crash.3100_hub.crash.3200')
    await settle(3.5)
    expect(await accessibilityDefects(page)).toEqual([])
  })

  it('fits a narrow screen, asks nobody else for anything, and has nothing to complain of', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    await open('seed=5&replicas=48&t=3500')
    await settle(3.5)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    expect([...hosts].filter(host => host !== '')).toEqual([new URL(site.url).host])
    expect(complaints).toEqual([])
  })
})

/**
 * Goal: what the page promises, seen from outside. Method: the real main job on 2,000 flights, its page in a real browser;
 * a person's clicks and keys; figures read from what is shown. With UPDATE_SCREENSHOTS=1 it keeps the picture of the README.
 *
 * The browser is Debian's chromium or the one named by CHROMIUM. Without one these tests are skipped, except on CI.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const { CHROMIUM = '/usr/bin/chromium', CI, UPDATE_SCREENSHOTS } = process.env
const canRun = existsSync(CHROMIUM) || CI !== undefined
const command = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url))
const pictures = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
const flights = 2000

/** A running main job, and where its page is. */
interface Job {
  readonly process: ChildProcess
  readonly url: string
}

async function startJob(port: number): Promise<Job> {
  const options = ['--flights', String(flights), '--speed', '0.7', '--seed', '7', '--port', String(port)]
  const job = spawn(process.execPath, [command, 'replay', ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk
      const found = /^page {2}(http:\/\/\S+)$/m.exec(output)?.[1]
      if (found !== undefined) resolve(found)
    }
    job.stdout.on('data', read)
    job.stderr.on('data', read)
    job.on('exit', code => reject(new Error(`the main job ended with code ${code}:\n${output}`)))
  })
  return { process: job, url }
}

async function stopJob({ process: job }: Job): Promise<void> {
  if (job.exitCode !== null || job.signalCode !== null) return
  job.kill('SIGINT')
  await new Promise(resolve => job.once('exit', resolve))
}

const textOf = async (page: Page, id: string) => (await page.getByTestId(id).textContent()) ?? ''
const numberOf = async (page: Page, id: string) => Number((await textOf(page, id)).replaceAll(',', ''))

/** The figure of a replica under a column's heading. */
async function figure(page: Page, replica: string, column: string): Promise<number> {
  const text = await page.locator(`[data-testid="${replica}"] [data-label="${column}"]`).textContent()
  return Number(text?.replaceAll(',', ''))
}

const stateOf = (page: Page, replica: string) => page.getByTestId(replica).getAttribute('data-state')

describe.skipIf(!canRun)('the live page', () => {
  let browser: Browser
  let page: Page
  let job: Job
  const complaints: string[] = []
  const requests: string[] = []

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-background-networking'],
    })
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, colorScheme: 'light' })
    page.on('pageerror', error => complaints.push(String(error)))
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('request', request => requests.push(request.url()))
    await page.addInitScript(() => {
      const shifts: number[] = []
      Object.assign(globalThis, { shifts })
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value)
      }).observe({ type: 'layout-shift', buffered: true })
    })
    job = await startJob(0)
    await page.goto(job.url)
  })

  afterAll(async () => {
    await browser?.close()
    if (job !== undefined) await stopJob(job)
  })

  it('shows numbers that move, from its own replica and from the run', async () => {
    await expect.poll(() => textOf(page, 'phase'), { timeout: 20_000 }).toBe('Replaying')
    await expect.poll(() => numberOf(page, 'departures')).toBeGreaterThan(0)
    const before = {
      flights: await numberOf(page, 'flights'),
      departures: await numberOf(page, 'departures'),
      version: await figure(page, 'replica-page', 'Version'),
    }
    await expect.poll(() => numberOf(page, 'flights')).toBeGreaterThan(before.flights)
    await expect.poll(() => numberOf(page, 'departures')).toBeGreaterThan(before.departures)
    await expect.poll(() => figure(page, 'replica-page', 'Version')).toBeGreaterThan(before.version)
  })

  it('cuts a replica by a click: it falls behind, and says so', async () => {
    await page.getByRole('button', { name: /^Cut / }).nth(2).click()
    await expect.poll(() => stateOf(page, 'replica-2')).toBe('cut')
    await expect.poll(() => figure(page, 'replica-2', 'Lag'), { timeout: 10_000 }).toBeGreaterThan(50)
    const stoodAt = await figure(page, 'replica-2', 'Version')
    const lag = await figure(page, 'replica-2', 'Lag')
    await expect.poll(() => figure(page, 'replica-2', 'Lag'), { timeout: 10_000 }).toBeGreaterThan(lag + 20)
    expect(await figure(page, 'replica-2', 'Pending')).toBeGreaterThan(0)
    expect(await figure(page, 'replica-2', 'Version')).toBe(stoodAt)
    // The others go on.
    expect(await figure(page, 'replica-0', 'Version')).toBeGreaterThan(stoodAt + 20)
    if (UPDATE_SCREENSHOTS === '1') {
      await mkdir(pictures, { recursive: true })
      await page.screenshot({ path: `${pictures}live-page.png`, fullPage: true })
    }
  })

  it('heals it by keyboard: it catches up', async () => {
    const behind = await figure(page, 'replica-2', 'Lag')
    const button = page.getByTestId('replica-2').getByRole('button', { name: /^Heal / })
    expect(await button.getAttribute('aria-pressed')).toBe('true')
    await button.focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => stateOf(page, 'replica-2'), { timeout: 15_000 }).toBe('live')
    await expect.poll(() => figure(page, 'replica-2', 'Lag'), { timeout: 15_000 }).toBeLessThan(behind / 2)
  })

  it('tells about the airport the arrow keys lead to', async () => {
    await page.getByRole('application').focus()
    await page.keyboard.press('Home')
    const busiest = await page.locator('.tip b').textContent()
    expect(busiest).toMatch(/^[A-Z]{3} · /)
    await page.keyboard.press('ArrowLeft')
    await expect.poll(() => page.locator('.tip b').textContent()).not.toBe(busiest)
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('.tip').count()).toBe(0)
  })

  it('ends with the verdict, every replica and the page itself at one version', async () => {
    await expect.poll(() => textOf(page, 'phase'), { timeout: 60_000 }).toBe('Agreed')
    const version = () => figure(page, 'replica-page', 'Version')
    await expect.poll(version, { timeout: 10_000 }).toBe(await figure(page, 'replica-0', 'Version'))
    for (let replica = 0; replica < 8; replica++) {
      expect(await figure(page, `replica-${replica}`, 'Lag')).toBe(0)
      expect(await figure(page, `replica-${replica}`, 'Pending')).toBe(0)
      expect(await figure(page, `replica-${replica}`, 'Version')).toBe(await version())
    }
    expect(await numberOf(page, 'departures')).toBe(flights)
    expect(await numberOf(page, 'flights')).toBe(flights)
  })

  it('says when the hub goes away, and follows the next run by itself', async () => {
    const { port } = new URL(job.url)
    await stopJob(job)
    const notice = page.locator('.notice')
    await expect.poll(() => notice.textContent()).toContain('does not answer')
    expect(await numberOf(page, 'departures')).toBe(flights)
    job = await startJob(Number(port))
    await expect.poll(() => notice.isHidden(), { timeout: 20_000 }).toBe(true)
    await expect.poll(() => textOf(page, 'phase'), { timeout: 20_000 }).toBe('Replaying')
    expect(await numberOf(page, 'departures')).toBeLessThan(flights)
  })

  it('keeps its place, asks no other host, and has nothing to complain of', async () => {
    const shifts = await page.evaluate(() => (globalThis as unknown as { shifts: number[] }).shifts)
    // Figures that grow by a digit move a little inside their cell; 0.01 is a line of text moving by its height.
    expect(shifts.filter(shift => shift > 0.01)).toEqual([])
    expect(requests.filter(url => !url.startsWith(job.url) && !url.startsWith('data:'))).toEqual([])
    // The browser itself reports every connection it could not make, and the run restarts its hub on purpose.
    expect(complaints.filter(text => !/^WebSocket connection to .* failed/.test(text))).toEqual([])
  })
})

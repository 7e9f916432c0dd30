/**
 * Goal: what the page promises, seen from outside. Method: the real main job on 2,000 flights, its page in a real browser;
 * a person's clicks and keys; figures read from what is shown. UPDATE_SCREENSHOTS=1 keeps the pictures of the README,
 * MEASURE=1 prints how many frames a second the page draws at full speed.
 *
 * The browser is Debian's chromium or the one named by CHROMIUM. Without one these tests are skipped, unless
 * ATOMIK_REQUIRE_BROWSER=1 makes that a failure, as the gate does.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessibilityDefects } from './browser.ts'

const { ATOMIK_REQUIRE_BROWSER, CHROMIUM = '/usr/bin/chromium', MEASURE, UPDATE_SCREENSHOTS } = process.env
const canRun = existsSync(CHROMIUM) || ATOMIK_REQUIRE_BROWSER === '1'
const command = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url))
const pictures = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
const flights = 2000
/** Other tests may keep the machine busy. */
const patienceMs = 60_000
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: patienceMs, interval: 100 })

/** https://wicg.github.io/layout-instability/ */
interface LayoutShift {
  readonly value: number
  readonly sources: readonly {
    readonly node: Node | null
    readonly previousRect: DOMRectReadOnly
    readonly currentRect: DOMRectReadOnly
  }[]
}

/** A running main job, and where its page is. */
interface Job {
  readonly process: ChildProcess
  readonly url: string
}

async function startJob(
  port: number,
  options = ['--flights', String(flights), '--speed', '0.4'],
): Promise<Job> {
  const all = ['replay', ...options, '--seed', '7', '--port', String(port)]
  const job = spawn(process.execPath, [command, ...all], { stdio: ['ignore', 'pipe', 'pipe'] })
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

const openBrowser = () =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-background-networking'] })

describe.skipIf(!canRun)('the live page', { timeout: 2 * patienceMs }, () => {
  let browser: Browser
  let page: Page
  let job: Job
  const complaints: string[] = []
  const requests: string[] = []

  beforeAll(async () => {
    browser = await openBrowser()
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, colorScheme: 'light' })
    page.on('pageerror', error => complaints.push(String(error)))
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('request', request => requests.push(request.url()))
    await page.addInitScript(() => {
      const shifts: { value: number; what: string[] }[] = []
      Object.assign(globalThis, { shifts })
      new PerformanceObserver(list => {
        for (const { value, sources } of list.getEntries() as unknown as LayoutShift[])
          shifts.push({
            value,
            what: sources.map(
              ({ node, previousRect: from, currentRect: to }) =>
                `${node?.nodeName} ${(node as Element | null)?.className ?? ''} ${node?.textContent?.slice(0, 20)}: ` +
                `${from.x},${from.y} ${from.width}×${from.height} to ${to.x},${to.y} ${to.width}×${to.height}`,
            ),
          })
      }).observe({ type: 'layout-shift', buffered: true })
    })
    job = await startJob(0)
    await page.goto(job.url)
  }, patienceMs)

  afterAll(async () => {
    await browser?.close()
    if (job !== undefined) await stopJob(job)
  })

  it('shows numbers that move, from its own replica and from the run', async () => {
    await eventually(() => textOf(page, 'phase')).toBe('Replaying')
    await eventually(() => numberOf(page, 'departures')).toBeGreaterThan(0)
    const before = {
      flights: await numberOf(page, 'flights'),
      departures: await numberOf(page, 'departures'),
      version: await figure(page, 'replica-page', 'Version'),
    }
    await eventually(() => numberOf(page, 'flights')).toBeGreaterThan(before.flights)
    await eventually(() => numberOf(page, 'departures')).toBeGreaterThan(before.departures)
    await eventually(() => figure(page, 'replica-page', 'Version')).toBeGreaterThan(before.version)
  })

  it('cuts a replica by a click: it falls behind, and says so', async () => {
    await page.getByRole('button', { name: /^Cut / }).nth(2).click()
    await eventually(() => stateOf(page, 'replica-2')).toBe('cut')
    await eventually(() => figure(page, 'replica-2', 'Lag')).toBeGreaterThan(50)
    const stoodAt = await figure(page, 'replica-2', 'Version')
    const lag = await figure(page, 'replica-2', 'Lag')
    await eventually(() => figure(page, 'replica-2', 'Lag')).toBeGreaterThan(lag + 20)
    expect(await figure(page, 'replica-2', 'Pending')).toBeGreaterThan(0)
    expect(await figure(page, 'replica-2', 'Version')).toBe(stoodAt)
    // The others go on.
    expect(await figure(page, 'replica-0', 'Version')).toBeGreaterThan(stoodAt + 20)
  })

  it('heals it by keyboard: it catches up', async () => {
    const behind = await figure(page, 'replica-2', 'Lag')
    const button = page.getByTestId('replica-2').getByRole('button', { name: /^Heal / })
    expect(await button.getAttribute('aria-pressed')).toBe('true')
    await button.focus()
    await page.keyboard.press('Enter')
    await eventually(() => stateOf(page, 'replica-2')).toBe('live')
    await eventually(() => figure(page, 'replica-2', 'Lag')).toBeLessThan(behind / 2)
  })

  it('tells about the airport the arrow keys lead to', async () => {
    await page.getByRole('application').focus()
    await page.keyboard.press('Home')
    const busiest = await page.locator('.tip b').textContent()
    expect(busiest).toMatch(/^[A-Z]{3} · /)
    await page.keyboard.press('ArrowLeft')
    await eventually(() => page.locator('.tip b').textContent()).not.toBe(busiest)
    await page.keyboard.press('Escape')
    await eventually(() => page.locator('.tip').count()).toBe(0)
  })

  it.each(['light', 'dark'] as const)(
    'has no accessibility defect that axe finds, in %s, while it runs',
    async colorScheme => {
      await page.emulateMedia({ colorScheme })
      expect(await accessibilityDefects(page)).toEqual([])
      await page.emulateMedia({ colorScheme: 'light' })
    },
  )

  it('ends with the verdict, every replica and the page itself at one version', async () => {
    await eventually(() => textOf(page, 'phase')).toBe('Agreed')
    const version = () => figure(page, 'replica-page', 'Version')
    await eventually(version).toBe(await figure(page, 'replica-0', 'Version'))
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
    await eventually(() => notice.textContent()).toContain('does not answer')
    expect(await numberOf(page, 'departures')).toBe(flights)
    job = await startJob(Number(port))
    await eventually(() => notice.isHidden()).toBe(true)
    await eventually(() => textOf(page, 'phase')).toBe('Replaying')
    expect(await numberOf(page, 'departures')).toBeLessThan(flights)
  })

  it('keeps its place, asks no other host, and has nothing to complain of', async () => {
    const shifts = await page.evaluate(
      () => (globalThis as unknown as { shifts: { value: number }[] }).shifts,
    )
    // Figures that grow by a digit move a little inside their cell; 0.01 is a line of text moving by its height.
    expect(shifts.filter(({ value }) => value > 0.01)).toEqual([])
    expect(requests.filter(url => !url.startsWith(job.url) && !url.startsWith('data:'))).toEqual([])
    // The browser itself reports every connection it could not make, and the run restarts its hub on purpose.
    expect(complaints.filter(text => !/^WebSocket connection to .* failed/.test(text))).toEqual([])
  })
})

describe.runIf(UPDATE_SCREENSHOTS === '1')('the picture in the README', () => {
  it('shows all flights half done, one replica cut and one just healed', { timeout: 120_000 }, async () => {
    await mkdir(pictures, { recursive: true })
    const browser = await openBrowser()
    const job = await startJob(0, ['--speed', '1.5'])
    try {
      const open = async (colorScheme: 'light' | 'dark') => {
        const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme })
        await page.goto(job.url)
        return page
      }
      const [light, dark] = [await open('light'), await open('dark')]
      const press = (replica: number) => light.getByTestId(`replica-${replica}`).getByRole('button').click()
      const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
      await sleep(14_000)
      await press(4)
      await sleep(6000)
      await press(4)
      await sleep(9000)
      await press(2)
      await sleep(5000)
      await light.screenshot({ path: `${pictures}live-page.png`, fullPage: true })
      await dark.screenshot({ path: `${pictures}live-page-dark.png`, fullPage: true })
    } finally {
      await browser.close()
      await stopJob(job)
    }
  })
})

describe.runIf(MEASURE === '1')('frames', () => {
  it('are drawn while flights are replayed as fast as it goes', { timeout: 120_000 }, async () => {
    const browser = await openBrowser()
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    const job = await startJob(0, ['--speed', 'max', '--faults', 'none'])
    try {
      await page.goto(job.url)
      await page.evaluate(() => {
        const times: number[] = []
        Object.assign(globalThis, { times })
        const take = (now: number) => {
          if (document.querySelector('[data-phase="replaying"]') !== null) times.push(now)
          requestAnimationFrame(take)
        }
        requestAnimationFrame(take)
      })
      await eventually(() => textOf(page, 'phase')).toBe('Agreed')
      const times = await page.evaluate(() => (globalThis as unknown as { times: number[] }).times)
      const gaps = times.slice(1).map((at, i) => at - times[i])
      gaps.sort((a, b) => a - b)
      const seconds = (times[times.length - 1] - times[0]) / 1000
      console.log(
        `frames: ${(gaps.length / seconds).toFixed(1)} a second over ${seconds.toFixed(1)} s of replay, ` +
          `${gaps[Math.floor(gaps.length * 0.95)].toFixed(0)} ms between frames at the 95th percentile`,
      )
      expect(gaps.length).toBeGreaterThan(10)
    } finally {
      await browser.close()
      await stopJob(job)
    }
  })
})

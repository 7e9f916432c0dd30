/** For tests: a real browser, and the page as any web server would give it out. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import sirv from 'sirv'

const { ATOMIK_REQUIRE_BROWSER, CHROMIUM = '/usr/bin/chromium' } = process.env

/** Without a browser these tests are skipped, unless ATOMIK_REQUIRE_BROWSER=1 makes that a failure, as the gate does. */
export const canRun = existsSync(CHROMIUM) || ATOMIK_REQUIRE_BROWSER === '1'

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-background-networking'] })

/** Serves the built page without a hub. */
export async function servePage(): Promise<{ url: string; close: () => void }> {
  const serve = sirv(fileURLToPath(new URL('../dist/', import.meta.url)), { etag: true })
  const server = createServer((request, response) => serve(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** What the page complained of on its console, from now on. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`${message.text()} ${message.location().url}`.trim())
  })
  return complaints
}

/** Accessibility defects that axe-core finds, each as one line. Source: https://github.com/dequelabs/axe-core */
export async function accessibilityDefects(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return await page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe }
    const { violations } = await checker.run()
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 160)}`),
    )
  })
}

/** What a frame costs on the page's main thread, in milliseconds. */
export interface FrameCost {
  readonly framesPerSecond: number
  readonly scriptMs: number
  /** Style and layout. */
  readonly styleMs: number
  /** All of it, painting included. */
  readonly taskMs: number
  /** The same in one line. */
  readonly shown: string
}

/** Counts frames for some time, and asks the browser's own clocks what they cost. */
export async function frameMeter(page: Page): Promise<(ms: number) => Promise<FrameCost>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const seconds = async (): Promise<Record<string, number>> => {
    const { metrics } = await session.send('Performance.getMetrics')
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]))
  }
  return async ms => {
    const before = await seconds()
    const { frames, elapsedMs, late } = await page.evaluate(async forMs => {
      const start = performance.now()
      let [frames, late, last] = [0, 0, start]
      while (last - start < forMs) {
        await new Promise(resolve => requestAnimationFrame(resolve))
        const now = performance.now()
        if (now - last > 34) late++
        last = now
        frames++
      }
      return { frames, elapsedMs: last - start, late }
    }, ms)
    const after = await seconds()
    const each = (name: string) => (1000 * (after[name] - before[name])) / frames
    const framesPerSecond = (1000 * frames) / elapsedMs
    const [scriptMs, styleMs] = [each('ScriptDuration'), each('RecalcStyleDuration') + each('LayoutDuration')]
    const taskMs = each('TaskDuration')
    const shown = `frames: ${framesPerSecond.toFixed(1)} a second, ${late} of ${frames} later than 34 ms; a frame takes ${scriptMs.toFixed(2)} ms of script, ${styleMs.toFixed(2)} ms of style and layout, ${taskMs.toFixed(2)} ms with painting`
    return { framesPerSecond, scriptMs, styleMs, taskMs, shown }
  }
}

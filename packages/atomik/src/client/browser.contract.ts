/**
 * What tests of the client in a browser stand on: the library bundled for a page, a server for that page which is not the hub, and a
 * real browser. The browser is Debian's chromium or the one named by CHROMIUM. Without one these tests are skipped, unless
 * ATOMIK_REQUIRE_BROWSER=1 makes that a failure, as the gate does.
 */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const { ATOMIK_REQUIRE_BROWSER, CHROMIUM = '/usr/bin/chromium' } = process.env
export const canRun = existsSync(CHROMIUM) || ATOMIK_REQUIRE_BROWSER === '1'

const script = `
import { connect, counter, flag, register, table } from '../index.ts'
import { IndexedDbStorage, indexedDb } from './indexeddb.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(20), open: flag() }) }
Object.assign(window, {
  IndexedDbStorage,
  events: [],
  async open(url, { tabs, isOther, ...options } = {}) {
    const of = isOther ? { rooms: table({ visits: counter() }) } : tables
    window.space = await connect(url, { tables: of, storage: indexedDb({ name: 'test', tabs }), ...options })
    for (const event of ['error', 'forked', 'refused'])
      space.on(event, what => events.push(event + ' ' + (what.code ?? what.incarnation) + ' ' + (what.message ?? '')))
  },
  codeOf: work => work.then(() => 'fine', error => error.code ?? String(error)),
})
document.title = 'ready'
`

/** Serves the page on a port of its own, until `stop`. */
export async function servePage(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: fileURLToPath(new URL('.', import.meta.url)), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
  })
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(isScript ? outputFiles[0].text : '<!doctype html><script src="page.js" defer></script>')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** @param profile folder of what the browser keeps */
export function launch(profile: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-background-networking'],
  })
}

/** A tab that has loaded the page. */
export async function tabOf(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', error => console.error('in the page:', error))
  await page.goto(url)
  await page.waitForFunction(`document.title === 'ready'`)
  return page
}

/** Tests share two cores with others. */
export const eventually = <T>(look: () => T | Promise<T>) =>
  expect.poll(look, { timeout: 30_000, interval: 50 })

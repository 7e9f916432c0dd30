/**
 * Goal: Svelte, Vue and Solid take a store as it stands, show what changed once, and leave it when they are gone. Method: each in a real
 * browser, bundled by esbuild; two nodes of a mesh change the row; how often the store was read and the view made again is counted.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, type Plugin } from 'esbuild'
import { type Browser, chromium } from 'playwright-core'
import { compile } from 'svelte/compiler'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const { ATOMIK_REQUIRE_BROWSER, CHROMIUM = '/usr/bin/chromium' } = process.env
const canRun = existsSync(CHROMIUM) || ATOMIK_REQUIRE_BROWSER === '1'
const folder = fileURLToPath(new URL('./bindings/', import.meta.url))

const svelte: Plugin = {
  name: 'svelte',
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, ({ path }) => ({
      contents: compile(readFileSync(path, 'utf8'), { filename: path, generate: 'client' }).js.code,
      loader: 'js',
    }))
  },
}

const pageOf = (framework: string) => `
import { counts, here, there } from './machines.ts'
import { start } from './${framework}.ts'
Object.assign(globalThis, { counts, here, there, stop: start(document.querySelector('main')) })
`

describe.skipIf(!canRun)('a store', { timeout: 60_000 }, () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  })

  afterAll(async () => {
    await browser?.close()
  })

  it('has examples whose types hold', async () => {
    await promisify(execFile)('npx', ['tsc', '-p', '.'], { cwd: folder })
  })

  it.each(['svelte', 'vue', 'solid'])('is shown by %s', async framework => {
    const { outputFiles } = await build({
      stdin: { contents: pageOf(framework), resolveDir: `${folder}src`, loader: 'ts' },
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
      target: 'es2022',
      conditions: ['browser', 'production'],
      define: { 'process.env.NODE_ENV': '"production"' },
      plugins: [svelte],
      logLevel: 'error',
    })
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', error => complaints.push(String(error)))
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    await page.setContent('<!doctype html><title>parts</title><main></main>')
    await page.addScriptTag({ content: outputFiles[0].text })
    /** Does something, lets all come to rest, and tells how often the view was made again. */
    const renders = async (what: string) =>
      await page.evaluate(`(async () => {
        const before = counts.renders
        ${what}
        await new Promise(resolve => setTimeout(resolve, 60))
        return counts.renders - before
      })()`)
    const text = () => page.textContent('output')

    expect(await text()).toBe('0 parts')
    expect(await renders('')).toBe(0)
    expect(await renders(`here.machines.row('lathe').parts.add(2)`)).toBe(1)
    expect(await text()).toBe('2 parts')
    expect(await renders(`there.machines.row('lathe').parts.add(5)`)).toBe(1)
    expect(await text()).toBe('7 parts')
    // Three changes of one turn; a value that comes back; another field; another row.
    const lathe = `const { parts, note } = here.machines.row('lathe')`
    expect(await renders(`${lathe}; parts.add(1); parts.add(1); parts.add(1)`)).toBe(1)
    expect(await renders(`${lathe}; parts.add(1); parts.add(-1)`)).toBe(0)
    expect(await renders(`${lathe}; note.set('oiled')`)).toBe(0)
    expect(await renders(`here.machines.row('press').parts.add(1)`)).toBe(0)
    expect(await text()).toBe('10 parts')
    // Gone: nobody reads the row any more.
    const reads = `counts.reads`
    expect(await renders('stop()')).toBe(0)
    expect(await page.locator('output').count()).toBe(0)
    const before = await page.evaluate(reads)
    expect(await renders(`here.machines.row('lathe').parts.add(1)`)).toBe(0)
    expect(await page.evaluate(reads)).toBe(before)
    expect(complaints).toEqual([])
    await page.close()
  })
})

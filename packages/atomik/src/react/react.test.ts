/**
 * Goal: a component is rendered when what it selected is another, and at no other time. Method: React in a real browser, on a
 * page bundled from the sources, with components that count their renderings; a second node changes rows from elsewhere.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { expect, it } from 'vitest'

const { ATOMIK_REQUIRE_BROWSER, CHROMIUM = '/usr/bin/chromium' } = process.env
const canRun = existsSync(CHROMIUM) || ATOMIK_REQUIRE_BROWSER === '1'

const page = `
import { createElement as h, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { MemoryTransport } from '../adapters/index.ts'
import { openMesh } from '../client/mesh.ts'
import { counter, register, table } from '../schema/index.ts'
import { rowStore } from '../store/index.ts'
import { useRow, useStore, useTable } from './index.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(20) }) }
const [a, b] = [1, 2].map(() => openMesh({ space: 's', tables }))
a.connect(new MemoryTransport(link => b.accept(link)))
const renders = { visits: 0, row: 0, keys: 0, other: 0, stored: 0 }
const store = rowStore(a.rooms, 'hall', row => row.visits.value * 2)

function Visits({ of }) {
  renders.visits++
  return h('p', { id: 'visits' }, useRow(a.rooms, of, row => row.visits.value))
}
function Whole() {
  renders.row++
  return h('p', { id: 'row' }, JSON.stringify(useRow(a.rooms, 'hall')))
}
function Keys() {
  renders.keys++
  return h('p', { id: 'keys' }, useTable(a.rooms, rows => rows.map(row => row.key)).join())
}
function Other() {
  renders.other++
  return h('p', { id: 'other' }, useRow(a.rooms, 'attic', row => row.visits.value))
}
function Stored() {
  renders.stored++
  return h('p', { id: 'stored' }, useStore(store))
}
function App() {
  const [of, setOf] = useState('hall')
  window.setOf = setOf
  return [h(Visits, { key: 1, of }), h(Whole, { key: 2 }), h(Keys, { key: 3 }), h(Other, { key: 4 }), h(Stored, { key: 5 })]
}
const root = createRoot(document.body.appendChild(document.createElement('main')))
root.render(h(App))
Object.assign(window, { a, b, renders, unmount: () => root.unmount() })
`

it.skipIf(!canRun)('renders what changed and nothing else', async () => {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const { outputFiles } = await build({
    stdin: { contents: page, resolveDir: folder, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-background-networking'],
  })
  try {
    const tab = await browser.newPage()
    const complaints: string[] = []
    tab.on('pageerror', error => complaints.push(String(error)))
    tab.on('console', message => message.type() === 'error' && complaints.push(message.text()))
    await tab.setContent('<!doctype html><title>rows</title>')
    await tab.addScriptTag({ content: outputFiles[0].text })
    const text = (id: string) => tab.textContent(`#${id}`)
    /** Does something, waits until React is idle, and tells what was rendered. */
    const rendered = async (what: string) =>
      (await tab.evaluate(`(async () => {
        const before = { ...renders }
        ${what}
        await new Promise(resolve => setTimeout(resolve, 100))
        return Object.keys(renders).filter(name => renders[name] > before[name]).map(name => name + ' ' + (renders[name] - before[name])).join()
      })()`)) as string
    await tab.waitForSelector('#visits')
    expect(await rendered('')).toBe('')
    expect(await rendered(`a.rooms.row('hall').visits.add(2)`)).toBe('visits 1,row 1,keys 1,stored 1')
    expect(await text('visits')).toBe('2')
    expect(await text('stored')).toBe('4')
    expect(await rendered(`a.rooms.row('hall').topic.set('x')`)).toBe('row 1')
    // Three changes of one turn, and a value that comes back.
    expect(await rendered(`for (let i = 0; i < 3; i++) a.rooms.row('hall').visits.add(1)`)).toBe(
      'visits 1,row 1,stored 1',
    )
    expect(await rendered(`a.rooms.row('hall').visits.add(1); a.rooms.row('hall').visits.add(-1)`)).toBe('')
    expect(await rendered(`a.rooms.row('cellar').visits.add(1)`)).toBe('keys 1')
    expect(await rendered(`b.rooms.row('attic').visits.add(7)`)).toBe('keys 1,other 1')
    expect(await text('other')).toBe('7')
    expect(await text('keys')).toBe('hall,attic,cellar')
    // Another row in the same place.
    expect(await rendered(`setOf('attic')`)).toContain('visits 1')
    expect(await text('visits')).toBe('7')
    expect(await rendered(`a.rooms.row('hall').visits.add(1)`)).not.toContain('visits')
    expect(await rendered(`unmount(); a.rooms.row('hall').visits.add(1)`)).toBe('')
    expect(complaints).toEqual([])
  } finally {
    await browser.close()
  }
})

/**
 * Goal: a store with a flipped bit, or cut short, is never served with another state: what a replica still has is mended from it, the
 * rest is refused in one line. Method: a real store, bytes of its file changed where we choose and at random; a client that
 * followed the space, one that did not; a process of its own for the readers that damage may take down.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, counter, register, table } from 'atomik'
import { SeededRandom } from 'atomik/engine'
import { checkStore } from 'atomik/storage/lmdb'
import { pino } from 'pino'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { Hub, type HubOptions } from './hub.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'atomik-damage-'))
const tables = { cells: table({ sum: counter(), name: register.text(16) }) }

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const hub of running.splice(0)) await hub.stop()
})
let opener: ChildProcess | undefined
afterAll(() => {
  opener?.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function start(options: HubOptions): Promise<Hub> {
  const hub = await Hub.start({ port: 0, ...options })
  running.push(hub)
  return hub
}
const urlOf = (hub: { port: number }) => `ws://127.0.0.1:${hub.port}/load`
const fileOf = (store: string) => (statSync(store).isDirectory() ? join(store, 'data.mdb') : store)

async function until(condition: () => boolean, ms = 60_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!condition() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 10))
  expect(condition()).toBe(true)
}

/** Flips a bit after every occurrence of a text: the last may be in a page that is no longer used. */
function damage(store: string, marks: readonly string[]): void {
  const file = fileOf(store)
  const bytes = readFileSync(file)
  for (const mark of marks) {
    let hits = 0
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1), hits++)
      bytes[at + mark.length - 1] ^= 0x10
    expect(hits).toBeGreaterThan(0)
  }
  writeFileSync(file, bytes)
}

describe('rows that the disk has lost', () => {
  it('are mended from a client that followed the space; until then it serves nobody, and says so', async () => {
    const store = join(folder, 'rows')
    const hub = await start({ store })
    const { port } = hub
    const a = await connect(urlOf(hub), { tables })
    for (let i = 0; i < 200; i++) a.cells.row(`marker-${i}.`).sum.add(i)
    await a.synced()
    await hub.stop()
    a.cells.row('marker-5.').sum.add(1000) // made while the hub was away
    damage(store, ['marker-77', 'marker-78', 'marker-150'])
    const lines: Record<string, unknown>[] = []
    const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) })
    // Where only strangers come, nothing can be had.
    const alone = await start({ store, logger })
    expect(alone.spaces.size).toBe(0)
    expect(lines[0]).toMatchObject({ level: 50, space: 'load', rows: 3 })
    expect(lines[0].reason).toMatch(
      /^row \d+ of table 0 in space load is damaged: its checksum does not match$/,
    )
    expect(await alone.metrics.registry.metrics()).toContain('atomik_rows_damaged{space="load"} 3')
    await expect(connect(urlOf(alone), { tables, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'network',
      message: /space load waits for a client that has the 3 rows its disk has lost/,
    })
    await alone.stop()
    const again = await start({ store, port, logger })
    await until(() => a.status().live)
    await a.synced()
    expect(lines.some(line => line.level === 40 && line.rows === 3)).toBe(true)
    expect(await again.metrics.registry.metrics()).toContain('atomik_rows_mended_total{space="load"} 3')
    const b = await connect(urlOf(again), { tables })
    for (let i = 0; i < 200; i++) expect(b.cells.row(`marker-${i}.`).sum.value).toBe(i === 5 ? 1005 : i)
    expect(a.stats().divergences + b.stats().divergences).toBe(0)
    a.close()
    b.close()
    // It is on disk.
    await again.stop()
    const third = await start({ store })
    expect(third.spaces.get('load')?.space.reference.tables[0].count).toBe(200)
  }, 60_000)
})

describe('what cannot be had from a replica', () => {
  it('is refused at the start, naming what is damaged', async () => {
    const store = join(folder, 'heads')
    const hub = await start({ store })
    const a = await connect(urlOf(hub), { tables })
    a.cells.row('x').sum.add(1)
    await a.synced()
    a.close()
    await hub.stop()
    damage(store, ['sum:counter'])
    await expect(Hub.start({ port: 0, store })).rejects.toMatchObject({
      code: 'storage',
      message: 'the schema of space load is damaged: its checksum does not match',
    })
  })
})

// ── anywhere in the file ────────────────────────────────────────────────────────────────────────────────────────────

interface Found {
  readonly lsn?: number
  readonly digest?: string
  readonly error?: string
  readonly code?: string
  readonly ended?: boolean
}

function open(path: string): Promise<Found> {
  opener ??= fork(fixture('opener.js'), { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const reader = opener
  return new Promise(resolve => {
    const ended = (code: number | null, signal: string | null) => {
      opener = undefined
      resolve({ error: `the process ended: ${signal ?? code}`, ended: true })
    }
    reader.once('exit', ended)
    reader.once('message', found => {
      reader.removeListener('exit', ended)
      resolve(found as Found)
    })
    reader.send({ path, space: 'load' })
  })
}

describe('anywhere in the file', () => {
  const source = join(folder, 'source')
  const tries = process.env.ATOMIK_SHORT === undefined ? 600 : 60
  const pageBytes = 4096
  let bytes = Buffer.alloc(0)
  let good: Found = {}
  const copy = (content: Uint8Array, name: string): string => {
    const path = join(folder, name)
    rmSync(path, { recursive: true, force: true })
    mkdirSync(path)
    writeFileSync(join(path, 'data.mdb'), content)
    return path
  }

  it('a store is filled', async () => {
    mkdirSync(source)
    execFileSync(process.execPath, [fixture('traced-run.js'), source, '80'], { stdio: 'ignore' })
    bytes = readFileSync(join(source, 'store', 'data.mdb'))
    good = await open(copy(bytes, 'good'))
    expect(good.error).toBeUndefined()
    expect(good.lsn).toBeGreaterThan(50)
  }, 60_000)

  it(`${tries} flipped bits: the state that was, or a refusal; in a meta page perhaps the commit before`, async () => {
    const random = new SeededRandom(5)
    const seen = { same: 0, refused: 0, ended: 0, foundBefore: 0, before: 0 }
    for (let i = 0; i < tries; i++) {
      const at = random.below(bytes.length)
      const flipped = Buffer.from(bytes)
      flipped[at] ^= 1 << random.below(8)
      const found = await open(copy(flipped, 'flipped'))
      if (found.ended) {
        // It took its reader down. What `atomik serve` tries before it opens a store finds most of these; what is left hits the
        // list of free pages, and a hub at its first write.
        seen.ended++
        try {
          checkStore(copy(flipped, 'flipped'))
        } catch {
          seen.foundBefore++
        }
      } else if (found.error !== undefined) {
        seen.refused++
        expect(found, `byte ${at}`).toMatchObject({ code: 'storage' })
      } else if (found.digest === good.digest && found.lsn === good.lsn) {
        seen.same++
      } else {
        seen.before++
        expect(at, `byte ${at}: ${JSON.stringify(found)}`).toBeLessThan(2 * pageBytes)
      }
    }
    expect(seen.refused).toBeGreaterThan(tries / 40)
    expect(seen.same).toBeGreaterThan(tries / 4)
    expect(seen.ended).toBeLessThan(tries / 20)
    console.info(`${tries} flipped bits: ${JSON.stringify(seen)}`)
  }, 120_000)

  it('files cut short at every page: refused, unless nothing was lost', async () => {
    const random = new SeededRandom(6)
    let whole = 0
    for (let page = 0; page < bytes.length / pageBytes; page++) {
      const length = page * pageBytes + 1 + random.below(pageBytes - 1)
      const found = await open(copy(bytes.subarray(0, length), 'short'))
      const isWhole = found.digest === good.digest && found.lsn === good.lsn
      if (isWhole) whole++
      else expect(found, `${length} of ${bytes.length} bytes`).toMatchObject({ code: 'storage' })
    }
    // Pages at the end that nobody uses.
    expect(whole).toBeLessThan(10)
  }, 120_000)
})

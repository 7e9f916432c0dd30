/**
 * Goal: a client that is killed at any moment loses nothing that `saved()` acknowledged, and nothing of it counts twice. Method: a real
 * client in a process of its own, with a real LMDB store, and a real hub; SIGKILL again and again, in openings with the hub and without it.
 * Every change adds 1 to a row of its own, so the oracle is whole numbers: in the end a saved change stands at 1, any other at 0 or 1, and
 * what all share at their sum.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, counter, table } from 'atomik'
import { SeededRandom } from 'atomik/engine'
import { lmdb } from 'atomik/storage/lmdb'
import { afterAll, expect, it } from 'vitest'
import { Hub } from './index.ts'

/** The gate repeats the tests on another Node, where fewer will do. */
const kills = process.env.ATOMIK_SHORT === undefined ? 60 : 12
const child = fileURLToPath(new URL('../fixtures/client-child.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'atomik-client-kill-'))
const notes = join(folder, 'notes')
const store = join(folder, 'client')
const tables = { cells: table({ count: counter() }) }
/** Nobody listens there. */
const nowhere = 'ws://127.0.0.1:1/load'

const children = new Set<ChildProcess>()
afterAll(() => {
  for (const client of children) client.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function spare(): Promise<ChildProcess> {
  const client = fork(child, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  children.add(client)
  await new Promise((resolve, reject) => client.once('message', resolve).once('exit', reject))
  return client
}

async function kill(client: ChildProcess): Promise<void> {
  const gone = new Promise(resolve => client.once('exit', resolve))
  client.kill('SIGKILL')
  await gone
  children.delete(client)
}

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const noted = (round: number, what: 'made' | 'saved') => {
  const file = join(notes, `${round}.${what}`)
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
}

it(`${kills} times SIGKILL on a client with a store: what was saved is there, once`, async () => {
  mkdirSync(notes)
  const random = new SeededRandom(1)
  const hub = await Hub.start({ port: 0, store: join(folder, 'hub') })
  const url = `ws://127.0.0.1:${hub.port}/load`
  const complaints: string[] = []
  let offline = 0
  let withUnsettled = 0
  let client = await spare()
  for (let round = 0; round < kills; round++) {
    const next = spare()
    // Stretches without a hub: several openings leave something to be sent.
    const isOffline = random.next() < 0.4
    if (isOffline) offline++
    client.on('message', (message: { error?: string; stats?: { pending: number } }) => {
      if (message.error !== undefined) complaints.push(message.error)
      if ((message.stats?.pending ?? 0) > 0) withUnsettled++
    })
    client.send({ url: isOffline ? nowhere : url, store, round, notes })
    const before = Date.now()
    while (noted(round, 'saved') === 0 && Date.now() - before < 30_000) await sleep(5)
    expect(noted(round, 'saved'), `something is saved in opening ${round}`).toBeGreaterThan(0)
    const heir = await next
    await sleep(random.below(150))
    await kill(client)
    client = heir
  }
  await kill(client)
  // Another program opens the same store: the lock of the dead is gone, and what they left goes home.
  const last = await connect(url, { tables, storage: lmdb({ path: store }) })
  await last.synced()
  let [made, saved, there] = [0, 0, 0]
  for (let round = 0; round < kills; round++) {
    const atLeast = noted(round, 'saved')
    for (let change = 1; change <= noted(round, 'made'); change++) {
      made++
      const { value } = last.cells.row(`${round}-${change}`).count
      if (change <= atLeast) {
        saved++
        expect([round, change, value]).toEqual([round, change, 1])
      } else {
        expect([round, change, value <= 1]).toEqual([round, change, true])
      }
      there += value
    }
  }
  expect(last.cells.row('all').count.value).toBe(there)
  expect(last.stats()).toMatchObject({ divergences: 0, forks: 0, refused: 0 })
  expect(complaints).toEqual([])
  expect(withUnsettled).toBeGreaterThan(kills / 8)
  console.info(
    `${kills} kills, ${offline} of them without a hub: ${made} changes, ${saved} saved, ${there} counted, ${withUnsettled} openings with something to send`,
  )
  await last.close()
  await hub.stop()
}, 900_000)

/**
 * Goal: a hub that is killed at any moment loses nothing it has acknowledged and counts nothing twice. Method: the real hub in a
 * process of its own, with its real store, under the load of four clients; SIGKILL 200 times. Every change adds 1 to a counter of its
 * client and 1 to a counter all share, so the oracle is whole numbers: after each kill the store holds at least what each client had been told
 * to be durable and at most what it has made; at the end it holds exactly that.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, counter, table } from 'atomik'
import { SeededRandom } from 'atomik/engine'
import { afterAll, expect, it } from 'vitest'

/** The gate repeats the tests on another Node, where fewer will do. */
const kills = process.env.ATOMIK_SHORT === undefined ? 200 : 20
const clientCount = 4
const child = fileURLToPath(new URL('../fixtures/hub-child.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'atomik-kill-'))
const tables = { cells: table({ sum: counter() }) }

interface Opened {
  readonly port: number
  readonly lsn: number
  readonly counts: Readonly<Record<string, number>>
}

const children = new Set<ChildProcess>()
afterAll(() => {
  for (const hub of children) hub.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** A process that has loaded its modules and waits to be told which store to open. */
async function spare(): Promise<ChildProcess> {
  const hub = fork(child, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  children.add(hub)
  await new Promise((resolve, reject) => hub.once('message', resolve).once('exit', reject))
  return hub
}

async function start(hub: ChildProcess, port: number): Promise<Opened> {
  const opened = new Promise<Opened>((resolve, reject) =>
    hub.once('message', message => resolve(message as Opened)).once('exit', reject),
  )
  hub.send({ port, store: join(folder, 'store') })
  return opened
}

async function kill(hub: ChildProcess): Promise<void> {
  const gone = new Promise(resolve => hub.once('exit', resolve))
  hub.kill('SIGKILL')
  await gone
  children.delete(hub)
}

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

it(`${kills} times SIGKILL under load: what was acknowledged is there, and every change counts once`, async () => {
  const random = new SeededRandom(1)
  let hub = await spare()
  const { port } = await start(hub, 0)
  const clients = await Promise.all(
    Array.from({ length: clientCount }, () =>
      connect(`ws://127.0.0.1:${port}/load`, { tables, undoDepth: 0 }),
    ),
  )
  const made = clients.map(() => 0)
  const acked = () => clients.map((client, i) => made[i] - client.status().pending)
  const total = (list: readonly number[]) => list.reduce((sum, n) => sum + n, 0)
  const load = setInterval(() => {
    for (const [i, client] of clients.entries()) {
      client.transact(() => {
        client.cells.row(`client ${i}`).sum.add(1)
        client.cells.row('all').sum.add(1)
      })
      made[i]++
    }
  }, 1)

  let withUnacked = 0
  let ahead = 0
  for (let round = 0; round < kills; round++) {
    const next = spare()
    const before = total(acked())
    while (total(acked()) <= before) await sleep(2)
    const heir = await next
    await sleep(random.below(30))
    await kill(hub)
    const known = acked()
    if (total(known) < total(made)) withUnacked++
    hub = heir
    const { counts } = await start(hub, port)
    for (const [i, atLeast] of known.entries()) {
      const stored = counts[`client ${i}`] ?? 0
      expect(stored, `client ${i} after kill ${round + 1}`).toBeGreaterThanOrEqual(atLeast)
      expect(stored, `client ${i} after kill ${round + 1}`).toBeLessThanOrEqual(made[i])
      if (stored > atLeast) ahead++
    }
    expect(counts.all, `all after kill ${round + 1}`).toBe(
      clients.reduce((sum, _, i) => sum + (counts[`client ${i}`] ?? 0), 0),
    )
  }
  clearInterval(load)
  await Promise.all(clients.map(client => client.synced()))
  await kill(hub)
  hub = await spare()
  const { counts, lsn } = await start(hub, port)
  const stats = JSON.stringify(clients.map(client => client.stats()))
  for (const [i, changes] of made.entries())
    expect(counts[`client ${i}`], `client ${i} in the end, ${stats}`).toBe(changes)
  expect(counts.all, 'all in the end').toBe(total(made))
  // The kills met work under way: changes unacknowledged, and some durable whose acknowledgement was lost.
  expect(withUnacked).toBeGreaterThan(kills / 2)
  expect(ahead).toBeGreaterThan(0)
  for (const client of clients) expect(client.stats()).toMatchObject({ divergences: 0, forks: 0, refused: 0 })
  console.info(
    `${kills} kills, ${total(made)} changes in ${lsn} batches, ${withUnacked} kills with changes under way, ${ahead} times stored but not yet acknowledged`,
  )
  for (const client of clients) client.close()
  await kill(hub)
}, 900_000)

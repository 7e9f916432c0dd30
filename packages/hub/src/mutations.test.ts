/**
 * Goal: no bytes from outside bring a hub down, make it grow, or get into a space by halves. Method: an honest session is recorded on
 * real sockets; then strangers greet as it did and send its messages damaged (spec/vectors/mutate.ts), thousands of them from a
 * seed, while honest clients work on. At the end all honest clients are equal, and a newcomer gets the same from the hub.
 */
import { connect, counter, register, table, toggle } from 'atomik'
import { type Transport, WebSocketTransport } from 'atomik/adapters'
import { SeededRandom } from 'atomik/engine'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { mutate } from '../../../spec/vectors/mutate.ts'
import { Hub } from './hub.ts'

const tables = { cells: table({ total: counter(), on: toggle(), name: register.text(12) }) }
const messages = 3000

/** Sends like WebSocket and keeps what was sent. */
function recorder(url: string, sent: Uint8Array[], isOrdered: boolean): Transport {
  const inner = new WebSocketTransport(url, 5000, isOrdered)
  return {
    isOrdered,
    connect(handlers) {
      const link = inner.connect(handlers)
      return {
        send(bytes) {
          sent.push(bytes.slice())
          link.send(bytes)
        },
        close: () => link.close(),
        get bufferedBytes() {
          return link.bufferedBytes
        },
      }
    },
  }
}

it(`stands ${messages} damaged messages on real sockets`, async () => {
  const hub = await Hub.start({ port: 0, logger: pino({ level: 'silent' }) })
  const url = `ws://127.0.0.1:${hub.port}/target`
  const sent: Uint8Array[] = []
  const honest = await Promise.all(
    [true, false].map(isOrdered => connect(url, { tables, transport: recorder(url, sent, isOrdered) })),
  )
  const work = async (round: number) => {
    for (const [i, space] of honest.entries())
      space.transact(() => {
        const row = space.cells.row(`k${(round + i) % 5}`)
        row.total.add(1)
        if (round % 2 === 0) row.on.flip()
        else row.name.set(`round ${round}`)
      })
    await Promise.all(honest.map(space => space.synced()))
    // One change alone travels in a short frame.
    honest[0].cells.row('k0').total.add(1)
    await honest[0].synced()
  }
  for (let round = 0; round < 10; round++) await work(round)
  const greetings = sent.filter(([type]) => type === 1)
  // Greetings, batches and short frames are there to be damaged; what else was sent depends on the time it took.
  const types = new Set(sent.map(([type]) => (type >= 128 ? 128 : type)))
  for (const type of [1, 4, 128]) expect(types.has(type)).toBe(true)

  const random = new SeededRandom(5)
  let left = messages
  let cuts = 0
  let answers = 0
  const heaps: number[] = []
  const attack = async () => {
    while (left > 0) {
      const socket = new WebSocket(url)
      socket.on('message', () => answers++)
      const ended = new Promise<void>(resolve =>
        socket.on('close', () => resolve()).on('error', () => resolve()),
      )
      await new Promise<void>(resolve => socket.once('open', () => resolve()).once('close', () => resolve()))
      if (random.below(5) > 0) socket.send(greetings[random.below(greetings.length)])
      for (let i = 0; i < 8 && left > 0 && socket.readyState === WebSocket.OPEN; i++) {
        left--
        socket.send(mutate(random, sent[random.below(sent.length)], sent))
        await new Promise(resolve => setImmediate(resolve))
      }
      // The last ones may still be under way: the hub reads them before it answers the close.
      if (socket.readyState === WebSocket.OPEN) socket.close()
      else cuts++
      await ended
      if (left % 500 < 8) heaps.push(process.memoryUsage().heapUsed)
    }
  }
  await Promise.all([attack(), attack(), attack(), attack(), work(11)])
  for (let round = 12; round < 20; round++) await work(round)
  expect(answers).toBeGreaterThan(100)
  expect(cuts).toBeGreaterThan(100)

  const space = hub.spaces.get('target')?.space
  if (space === undefined) throw new Error('the space is gone')
  const newcomer = await connect(url, { tables })
  for (let turn = 0; turn < 200; turn++) {
    if ([...honest, newcomer].every(one => one.status().lsn === space.durableLsn)) break
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const read = (one: (typeof honest)[number]) =>
    [...one.cells.rows()]
      .map(row => [row.key, row.read()])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  for (const one of honest) expect(read(one)).toEqual(read(newcomer))
  // Every state since the attack began: not one message's worth of growth a message.
  expect(Math.max(...heaps) - heaps[0]).toBeLessThan(64 * 2 ** 20)
  for (const one of [...honest, newcomer]) one.close()
  await hub.stop()
}, 120_000)

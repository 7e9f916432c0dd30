/**
 * Goal: spaces without a hub hold over real transports what the node promises on a virtual clock. Method: nodes in one process
 * over memory links, and over WebSockets on real sockets that are cut.
 */
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { MemoryTransport, WebSocketTransport } from '../adapters/index.ts'
import { counter, register, table } from '../schema/index.ts'
import { type MeshSpace, openMesh } from './mesh.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(40) }) }
type Space = MeshSpace<typeof tables>

const running: { close(): void }[] = []
afterEach(() => {
  for (const one of running.splice(0)) one.close()
})
function open(image?: Uint8Array): Space {
  const space = openMesh({ space: 'house', tables, ...(image !== undefined && { image }) })
  running.push(space)
  return space
}
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}
const visits = (space: Space) => space.rooms.row('hall').visits.value

/** A node that listens: what a program writes to let others in. */
async function listen(space: Space) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  await new Promise(resolve => server.once('listening', resolve))
  server.on('connection', (socket: WebSocket) => {
    const handlers = space.accept({
      send: bytes => socket.send(bytes),
      close: () => socket.close(),
      get bufferedBytes() {
        return socket.bufferedAmount
      },
    })
    socket.on('message', data => handlers.message(new Uint8Array(data as Buffer)))
    socket.on('close', () => handlers.close('closed'))
    handlers.open()
  })
  running.push({ close: () => void server.close() })
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    cut: () => {
      for (const client of server.clients) client.terminate()
    },
  }
}

it('nodes in one process end equal, through one another', async () => {
  const [a, b, c] = [open(), open(), open()]
  a.rooms.row('hall').visits.add(1)
  c.rooms.row('hall').visits.add(2)
  a.connect(new MemoryTransport(link => b.accept(link)))
  b.connect(new MemoryTransport(link => c.accept(link)))
  const told: number[] = []
  a.rooms.subscribe(row => told.push(row.visits.value))
  await until(() => [a, b, c].every(space => visits(space) === 3))
  expect(told.at(-1)).toBe(3)
  const change = a.transact(() => {
    a.rooms.row('hall').visits.add(10)
    a.rooms.row('attic').topic.set('dust')
  })
  await until(() => c.rooms.row('attic').topic.value === 'dust')
  a.undo(change)
  await until(() => visits(c) === 3 && !c.rooms.row('attic').exists)
  const draft = c.branch()
  draft.rooms.row('hall').visits.add(100)
  expect(visits(c)).toBe(3)
  draft.merge()
  await until(() => visits(a) === 103)
  await until(() => b.status().equal === 2)
  expect(b.status()).toMatchObject({ peers: 2, open: 0, histories: 2 })
})

it('over sockets that are cut, and from an image after a restart', async () => {
  const [a, b] = [open(), open()]
  const { url, cut } = await listen(a)
  b.connect(new WebSocketTransport(url))
  for (let round = 1; round <= 5; round++) {
    a.rooms.row('hall').visits.add(1)
    b.rooms.row('hall').visits.add(10)
    if (round % 2 === 0) cut()
    await until(() => visits(a) === 11 * round && visits(b) === 11 * round)
  }
  const again = open(b.image())
  b.close()
  expect(visits(again)).toBe(55)
  again.connect(new WebSocketTransport(url))
  again.rooms.row('hall').visits.add(100)
  await until(() => visits(a) === 155)
  expect(() => b.rooms.row('hall').visits.add(1)).toThrow(expect.objectContaining({ code: 'closed' }))
})

it('says why a node of another space is not let in', async () => {
  const [a, b] = [open(), openMesh({ space: 'other', tables })]
  running.push(b)
  const errors: string[] = []
  a.on('error', error => errors.push(error.code))
  const stop = b.connect(new MemoryTransport(link => a.accept(link)))
  await until(() => errors.includes('unknown-space'))
  stop()
  expect(a.status().peers).toBe(0)
})

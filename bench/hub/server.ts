/**
 * A server in a process of its own: ours or a peer's, with nothing around it. Tells its parent the port; answers `usage` with CPU time and
 * memory.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { registersMax, type System } from './systems.ts'

async function start(system: System): Promise<number> {
  if (system === 'atomik') {
    const { Hub } = await import('@atomik/hub')
    const store = mkdtempSync(join(tmpdir(), 'atomik-bench-hub-'))
    process.on('exit', () => rmSync(store, { recursive: true, force: true }))
    const hub = await Hub.start({ port: 0, store })
    return hub.port
  }
  if (system === 'colyseus') return startColyseus()
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  if (system === 'yjs') {
    // The server that comes with y-websocket, without its optional store.
    const { setupWSConnection } = createRequire(import.meta.url)('y-websocket/bin/utils')
    sockets.on('connection', (socket, request) => setupWSConnection(socket, request))
  } else if (system === 'ws-batched') {
    // The same, what has come in one turn of the loop as one message.
    let waiting: Buffer[] = []
    const tell = () => {
      const message = Buffer.concat(waiting)
      waiting = []
      for (const client of sockets.clients) (client as WebSocket).send(message)
    }
    sockets.on('connection', socket => {
      socket.on('message', (message: Buffer) => {
        if (waiting.push(message) === 1) setImmediate(tell)
      })
    })
  } else {
    // The ceiling: every message goes to everybody, as it came.
    sockets.on('connection', socket => {
      socket.on('message', (message: Buffer) => {
        for (const client of sockets.clients) (client as WebSocket).send(message)
      })
    })
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function startColyseus(): Promise<number> {
  const { Room, Server } = await import('@colyseus/core')
  const { WebSocketTransport } = await import('@colyseus/ws-transport')
  const { schema, t } = await import('@colyseus/schema')
  const State = schema({ cells: t.array('float64') })
  class BenchRoom extends Room {
    override maxClients = 10_000
    // Sixty patches a second, as fast games do; the default is twenty.
    override patchRate = 1000 / 60
    override onCreate() {
      const state = new State()
      const cells = state.cells as unknown as number[]
      for (let i = 0; i < registersMax; i++) cells.push(0)
      this.state = state
      this.onMessage('set', (_client: unknown, [register, value]: [number, number]) => {
        cells[register] = value
      })
    }
  }
  const http = createServer()
  const server = new Server({ transport: new WebSocketTransport({ server: http }), greet: false })
  server.define('bench', BenchRoom)
  await server.listen(0, '127.0.0.1')
  return (http.address() as AddressInfo).port
}

const port = await start(process.argv[2] as System)
process.on('message', message => {
  if (message !== 'usage') process.exit(0)
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMs: (user + system) / 1000, rssMiB: process.memoryUsage().rss / 2 ** 20 })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ port })

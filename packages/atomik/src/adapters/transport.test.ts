/** Goal: each transport keeps the contract. Method: the contract on each, WebSocket over real sockets to `ws`. */
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { transportContract } from './transport.contract.ts'
import type { Link } from './transport.ts'
import { MemoryTransport } from './transport-memory.ts'
import { WebSocketTransport } from './transport-websocket.ts'

transportContract(
  'memory',
  async () => {
    const links = new Set<Link>()
    const transport = new MemoryTransport(link => {
      links.add(link)
      return { open: () => {}, message: bytes => link.send(bytes), close: () => links.delete(link) }
    })
    return {
      transport,
      drop: () => {
        for (const link of links) link.close()
      },
      stop: async () => {},
    }
  },
  undefined, // a process always reaches itself
)

transportContract(
  'websocket',
  async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    await new Promise(resolve => server.once('listening', resolve))
    server.on('connection', socket => socket.on('message', data => socket.send(data)))
    return {
      transport: new WebSocketTransport(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`),
      drop: () => {
        for (const client of server.clients) client.terminate()
      },
      stop: () => new Promise<void>(resolve => server.close(() => resolve())),
    }
  },
  new WebSocketTransport('ws://127.0.0.1:1/', 1000),
)

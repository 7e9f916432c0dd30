/** A client of each system: writes numbers into registers, says when something changed, and what a register holds. */
import { Client as ColyseusClient } from '@colyseus/sdk'
import { connect, register, table } from 'atomik'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { registersMax, type System } from './systems.ts'

export interface Client {
  /** Register `index` becomes `value`. */
  write(index: number, value: number): void
  value(index: number): number
  /** Resolves when all own writes so far are durable at the server; undefined where there is no such promise. */
  synced?(): Promise<void>
  bytesReceived(): number
  close(): void
}

/** @param onChange called after something arrived */
export type Connect = (port: number, onChange: () => void) => Promise<Client>

/** About as long as our message to a reader. */
const messageBytes = 13

const ceiling: Connect = async (port, onChange) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  const values = new Float64Array(registersMax)
  let bytes = 0
  socket.on('message', (message: Buffer) => {
    bytes += message.length
    for (let at = 0; at < message.length; at += messageBytes)
      values[message.readUInt16LE(at)] = message.readDoubleLE(at + 2)
    onChange()
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return {
    write(index, value) {
      const message = Buffer.alloc(messageBytes)
      message.writeUInt16LE(index, 0)
      message.writeDoubleLE(value, 2)
      socket.send(message)
    },
    value: index => values[index],
    bytesReceived: () => bytes,
    close: () => socket.terminate(),
  }
}

const atomik: Connect = async (port, onChange) => {
  const Cell = table({ v: register.f64() })
  const space = await connect(`ws://127.0.0.1:${port}/bench`, { tables: { cells: Cell }, undoDepth: 0 })
  const rows = Array.from({ length: registersMax }, (_, index) => space.cells.row(`r${index}`))
  space.cells.subscribe(onChange)
  return {
    write: (index, value) => rows[index].v.set(value),
    value: index => rows[index].v.value,
    synced: () => space.synced(),
    bytesReceived: () => space.status().bytesReceived,
    close: () => space.close(),
  }
}

const yjs: Connect = async (port, onChange) => {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, 'bench', doc, {
    WebSocketPolyfill: WebSocket as never,
    disableBc: true,
  })
  const map = doc.getMap<number>('cells')
  let bytes = 0
  await new Promise<void>(resolve => provider.once('sync', () => resolve()))
  ;(provider.ws as unknown as WebSocket).on('message', (message: Buffer | ArrayBuffer) => {
    bytes += message.byteLength
  })
  map.observe(onChange)
  const keys = Array.from({ length: registersMax }, (_, index) => `r${index}`)
  return {
    write: (index, value) => void map.set(keys[index], value),
    value: index => map.get(keys[index]) ?? 0,
    bytesReceived: () => bytes,
    close: () => provider.destroy(),
  }
}

const colyseus: Connect = async (port, onChange) => {
  const client = new ColyseusClient(`http://127.0.0.1:${port}`)
  const room = await client.joinOrCreate('bench')
  let cells: number[] = []
  await new Promise<void>(resolve => {
    room.onStateChange.once(() => resolve())
  })
  cells = (room.state as { cells: number[] }).cells
  room.onStateChange(onChange)
  let bytes = 0
  const transport = (room.connection as unknown as { transport: { ws: WebSocket } }).transport
  transport.ws.addEventListener('message', event => {
    bytes += (event.data as ArrayBuffer).byteLength
  })
  return {
    write: (index, value) => room.send('set', [index, value]),
    value: index => cells[index],
    bytesReceived: () => bytes,
    close: () => void room.leave(true),
  }
}

export const clients: Readonly<Record<System, Connect>> = {
  ws: ceiling,
  'ws-batched': ceiling,
  atomik,
  yjs,
  colyseus,
}

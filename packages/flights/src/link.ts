/**
 * A bad network on purpose: a proxy on a real socket between one replica and the hub. Seeded, so a run can be repeated as
 * far as timers allow. Without faults it pipes bytes untouched; with faults it takes WebSocket messages apart and drops,
 * repeats, delays and so reorders them, and cuts connections. `cut` and `heal` work either way.
 */
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { SeededRandom } from 'atomik/engine'
import { WebSocket, WebSocketServer } from 'ws'

export interface Faults {
  /** Chance that a message is lost, or comes twice. */
  readonly drop: number
  readonly repeat: number
  /** Every message waits 0 to this long, each on its own: that is what reorders them. */
  readonly delayMsMax: number
  /** Mean time between cuts of the connection; 0 for never. */
  readonly cutEveryMs: number
}

export const faultLevels = {
  none: { drop: 0, repeat: 0, delayMsMax: 0, cutEveryMs: 0 },
  light: { drop: 0.02, repeat: 0.02, delayMsMax: 20, cutEveryMs: 10_000 },
  heavy: { drop: 0.2, repeat: 0.2, delayMsMax: 80, cutEveryMs: 1000 },
} as const satisfies Record<string, Faults>

export type FaultLevel = keyof typeof faultLevels

export interface LinkFigures {
  /** Bytes on the replica's side, all framing included. */
  bytesUp: number
  bytesDown: number
  dropped: number
  repeated: number
  cuts: number
}

export class BadLink {
  readonly #figures: LinkFigures = { bytesUp: 0, bytesDown: 0, dropped: 0, repeated: 0, cuts: 0 }
  #faults: Faults
  readonly #hubPort: () => number
  readonly #random: SeededRandom
  #server: Server | undefined
  #sockets: WebSocketServer | undefined
  /** The replica's sockets that are open. */
  readonly #near = new Set<Socket>()
  readonly #open = new Set<{ end(): void }>()
  #isCut = false
  #nextCut: ReturnType<typeof setTimeout> | undefined

  /** @param hubPort asked at every connection, since a hub may come back elsewhere */
  constructor(hubPort: () => number, faults: Faults, seed: number) {
    this.#hubPort = hubPort
    this.#faults = faults
    this.#random = new SeededRandom(seed)
  }

  get isCut(): boolean {
    return this.#isCut
  }

  /** It may cut, but neither loses single messages nor repeats or reorders them. */
  get isOrdered(): boolean {
    return this.#faults.drop + this.#faults.repeat + this.#faults.delayMsMax === 0
  }

  /** Listens on a free loopback port and returns it. */
  async listen(): Promise<number> {
    const isBad = !this.isOrdered
    const server = createServer(socket => this.#accept(socket, isBad))
    this.#server = server
    if (isBad) this.#sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    this.#planCut()
    return (server.address() as AddressInfo).port
  }

  /** What it carried and did so far. */
  traffic(): LinkFigures {
    const figures = { ...this.#figures }
    for (const socket of this.#near) {
      figures.bytesUp += socket.bytesRead
      figures.bytesDown += socket.bytesWritten
    }
    return figures
  }

  /** Ends the connection and lets none through until `heal`. */
  cut(): void {
    if (this.#isCut) return
    this.#isCut = true
    this.#drop()
  }

  heal(): void {
    this.#isCut = false
  }

  /** From now on it behaves. Connections stay. */
  mend(): void {
    this.#faults = faultLevels.none
    clearTimeout(this.#nextCut)
    this.heal()
  }

  close(): void {
    clearTimeout(this.#nextCut)
    this.#server?.close()
    for (const connection of this.#open) connection.end()
  }

  #drop(): void {
    if (this.#open.size > 0) this.#figures.cuts++
    for (const connection of this.#open) connection.end()
  }

  #planCut(): void {
    const { cutEveryMs } = this.#faults
    if (cutEveryMs === 0) return
    const waitMs = cutEveryMs * (0.5 + this.#random.next())
    this.#nextCut = setTimeout(() => {
      this.#drop()
      this.#planCut()
    }, waitMs)
  }

  #accept(socket: Socket, isBad: boolean): void {
    this.#near.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#near.delete(socket)
      this.#figures.bytesUp += socket.bytesRead
      this.#figures.bytesDown += socket.bytesWritten
    })
    if (this.#isCut) {
      socket.destroy()
    } else if (isBad) {
      this.#bridge(socket)
    } else {
      this.#pipe(socket)
    }
  }

  #pipe(socket: Socket): void {
    const hub = connectTcp(this.#hubPort(), '127.0.0.1')
    const connection = {
      end: () => {
        socket.destroy()
        hub.destroy()
        this.#open.delete(connection)
      },
    }
    this.#open.add(connection)
    socket.setNoDelay(true)
    hub.setNoDelay(true)
    hub.on('error', () => {})
    socket.on('close', connection.end)
    hub.on('close', connection.end)
    socket.pipe(hub)
    hub.pipe(socket)
  }

  /** Reads the upgrade request, completes it here, and opens the same path at the hub. */
  #bridge(socket: Socket): void {
    let head = Buffer.alloc(0)
    const read = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) {
        if (head.length > 16_384) socket.destroy()
        return
      }
      socket.off('data', read)
      const [request, ...lines] = head.subarray(0, end).toString('latin1').split('\r\n')
      const headers = Object.fromEntries(
        lines.map(line => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]),
      )
      const [method, url] = request.split(' ')
      const upgrade = { method, url, headers } as unknown as Parameters<WebSocketServer['handleUpgrade']>[0]
      this.#sockets?.handleUpgrade(upgrade, socket, head.subarray(end + 4), near => {
        this.#couple(
          near,
          new WebSocket(`ws://127.0.0.1:${this.#hubPort()}${url}`, { perMessageDeflate: false }),
        )
      })
    }
    socket.on('data', read)
  }

  #couple(near: WebSocket, far: WebSocket): void {
    const connection = {
      end: () => {
        near.terminate()
        far.terminate()
        this.#open.delete(connection)
      },
    }
    this.#open.add(connection)
    const waiting: Buffer[] = []
    near.on('message', data => {
      if (far.readyState === WebSocket.CONNECTING) waiting.push(data as Buffer)
      else this.#carry(far, data as Buffer)
    })
    far.on('open', () => {
      for (const data of waiting.splice(0)) this.#carry(far, data)
    })
    far.on('message', data => this.#carry(near, data as Buffer))
    for (const socket of [near, far]) {
      socket.on('error', () => {})
      socket.on('close', connection.end)
    }
  }

  #carry(to: WebSocket, message: Buffer): void {
    const { drop, repeat, delayMsMax } = this.#faults
    if (this.#random.next() < drop) {
      this.#figures.dropped++
      return
    }
    const copies = this.#random.next() < repeat ? 2 : 1
    this.#figures.repeated += copies - 1
    for (let copy = 0; copy < copies; copy++) {
      const send = () => {
        if (to.readyState === WebSocket.OPEN) to.send(message)
      }
      if (delayMsMax === 0) send()
      else setTimeout(send, this.#random.next() * delayMsMax)
    }
  }
}

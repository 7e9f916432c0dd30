/**
 * The hub: many spaces behind one port. WebSocket for clients, HTTP for health, metrics and the page. It listens on the
 * loopback unless told otherwise, and beyond it only with a token.
 *
 * Over 500 lines: options and answers of HTTP and WebSocket stand with the one server that gives both. Spaces are in `space-host.ts`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { AtomikError, decodeSchema, type ErrorCode, limits, type Schema } from 'atomik'
import { MemoryStorage } from 'atomik/adapters'
import { inspectSpace, listSpaces, type Storage } from 'atomik/engine'
import { checkStore, LmdbStorage } from 'atomik/storage/lmdb'
import { decodeUplink, isChange, type UplinkFrame, Writer, writeError } from 'atomik/wire'
import { type Logger, pino } from 'pino'
import sirv from 'sirv'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Access, openAccess, type Principal, tokenAccess } from './access.ts'
import { HubMetrics } from './metrics.ts'
import { RepairHost } from './repair-host.ts'
import { type Checkpoint, type Peer, SpaceHost } from './space-host.ts'

export interface HubOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 7077; 0 takes any free port. */
  readonly port?: number
  /** Folder of the durable store; without it the hub forgets everything when it stops. */
  readonly store?: string
  /** Read the whole store in a process of its own first: damage may take its reader down. Default false. */
  readonly checksStore?: boolean
  /** Required as soon as the hub listens beyond the loopback. */
  readonly token?: string
  /** A second token that may only read. */
  readonly readToken?: string
  /** Who may do what, in place of tokens. */
  readonly access?: Access
  /** Folder of the page served at `/`. */
  readonly page?: string
  /** Origins of pages, besides the hub's own, whose scripts may connect. */
  readonly origins?: readonly string[]
  readonly logger?: Logger
  /** Stamps further ahead of this clock are refused. Default 10 minutes. */
  readonly skewMsMax?: number
  /** Clients that may write all rows of a space bring appended fields along. Default true. */
  readonly adoptsFields?: boolean
  /** Time between checkpoints: log and heads that nobody needs leave the memory. Default 60,000 ms. */
  readonly checkpointMs?: number
  /** Spaces that may exist at once. Default 1,000. */
  readonly spacesMax?: number
}

/** Above this many unsent bytes a reader is congested, below a quarter of it no more. */
const congestedBytes = 256 * 1024
/** Time a connection has to introduce itself. */
const greetingMs = 5000
const tickMs = 100
/** Frames kept while it is found out who sent them; what is beyond comes again. */
const waitingMax = 64

const loopback = new Set(['127.0.0.1', '::1', 'localhost'])

type Subscription = UplinkFrame & { readonly type: 'subscribe' }

interface Client extends Peer {
  readonly socket: WebSocket
  readonly tcp: Socket
  host: SpaceHost | RepairHost | undefined
  token: string | undefined
  /** As whom it subscribed. */
  principal: Principal | undefined
  greeted: boolean
  /** What came behind the subscription while it is being found out who that is. */
  waiting: UplinkFrame[] | undefined
  congested: boolean
}

export class Hub {
  readonly spaces = new Map<string, SpaceHost>()
  /** Spaces whose disk lost rows, and which wait for a client that has them. */
  readonly repairs = new Map<string, RepairHost>()
  readonly log: Logger
  readonly metrics: HubMetrics
  readonly #options: HubOptions
  readonly #storage: Storage
  #access: Access
  readonly #server: Server
  readonly #sockets: WebSocketServer
  readonly #clients = new Map<number, Client>()
  readonly #ticker: ReturnType<typeof setInterval>
  readonly #page: ReturnType<typeof sirv> | undefined
  /** Bytes of connections that are gone. */
  #past = { received: 0, sent: 0 }
  #nextId = 1
  #stopping = false

  private constructor(options: HubOptions, storage: Storage) {
    this.#options = options
    this.#storage = storage
    this.log = options.logger ?? pino({ level: 'silent' })
    this.#access =
      options.access ??
      (options.token === undefined
        ? openAccess
        : tokenAccess({
            write: options.token,
            ...(options.readToken !== undefined && { read: options.readToken }),
          }))
    this.#page = options.page === undefined ? undefined : sirv(options.page, { etag: true, single: false })
    this.metrics = new HubMetrics({
      spaces: this.spaces,
      repairs: this.repairs,
      connections: () => this.#clients.size,
      traffic: () => this.traffic(),
      queuedBytes: () => this.queuedBytes(),
    })
    this.#server = createServer((request, response) => this.#http(request, response))
    this.#sockets = new WebSocketServer({
      server: this.#server,
      perMessageDeflate: false,
      maxPayload: limits.uplinkBytesMax,
      verifyClient: ({ req }: { req: IncomingMessage }) => this.#originAllowed(req),
    })
    // The server's own errors are reported by `start`; the WebSocket server repeats them here.
    this.#sockets.on('error', () => {})
    this.#sockets.on('connection', (socket, request) => this.#connect(socket, request.socket))
    const checkpointTicks = Math.max(1, Math.round((options.checkpointMs ?? 60_000) / tickMs))
    let ticks = 0
    this.#ticker = setInterval(() => {
      ticks++
      for (const host of this.spaces.values()) {
        host.tick()
        if (ticks % checkpointTicks === 0) host.checkpoint()
      }
    }, tickMs)
  }

  /**
   * Opens the store and listens.
   * @throws AtomikError `storage` (damaged or not writable), `network` (port in use), `unauthorized` (no token for the
   * outside world)
   */
  static async start(options: HubOptions = {}): Promise<Hub> {
    const host = options.host ?? '127.0.0.1'
    if (!loopback.has(host) && options.token === undefined && options.access === undefined)
      throw new AtomikError(
        'unauthorized',
        `a hub that listens on ${host} needs a token or a list of principals: others can reach it`,
      )
    if (options.store !== undefined && options.checksStore === true) checkStore(options.store)
    const storage =
      options.store === undefined ? new MemoryStorage() : await LmdbStorage.open({ path: options.store })
    const hub = new Hub(options, storage)
    try {
      for (const name of listSpaces(storage)) hub.#openStored(name)
      await new Promise<void>((resolve, reject) => {
        hub.#server.once('error', reject)
        hub.#server.listen(options.port ?? 7077, host, resolve)
      })
    } catch (cause) {
      clearInterval(hub.#ticker)
      await storage.close()
      if (cause instanceof AtomikError) throw cause
      const code = (cause as NodeJS.ErrnoException).code
      const why =
        code === 'EADDRINUSE'
          ? 'the port is in use'
          : code === 'EACCES'
            ? 'not allowed to use this port'
            : String(cause)
      throw new AtomikError('network', `cannot listen on ${host}:${options.port ?? 7077}: ${why}`, { cause })
    }
    hub.log.info({ host, port: hub.port, spaces: hub.spaces.size }, 'listening')
    return hub
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Bytes all sockets carried so far, handshakes and framing included. */
  traffic(): { received: number; sent: number } {
    let { received, sent } = this.#past
    for (const { tcp } of this.#clients.values()) {
      received += tcp.bytesRead
      sent += tcp.bytesWritten
    }
    return { received, sent }
  }

  /** Bytes that wait to be sent: in sockets, and held back until they are durable. Bounded by readers and state, not by changes. */
  queuedBytes(): number {
    let bytes = 0
    for (const { socket } of this.#clients.values()) bytes += socket.bufferedAmount
    for (const { space } of this.spaces.values()) bytes += space.heldBytes
    return bytes
  }

  /** Stops listening, makes durable what was accepted, lets everyone go, closes the store. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    clearInterval(this.#ticker)
    for (const host of this.spaces.values()) await host.drain()
    for (const client of this.#clients.values()) client.close(1001, 'the hub is stopping')
    this.#sockets.close()
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve())
      setTimeout(() => {
        for (const client of this.#clients.values()) client.socket.terminate()
        this.#server.closeAllConnections()
      }, 500).unref()
    })
    await this.#storage.close()
    this.log.info('stopped')
  }

  // ── clients ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A name that somebody else's DNS points at the loopback must not make his page ours: a hub that only this machine
   * reaches answers to this machine's names alone.
   */
  #hostAllowed(request: IncomingMessage): boolean {
    if (!loopback.has(this.#options.host ?? '127.0.0.1')) return true
    const name = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(request.headers.host ?? '')?.[1]
    return name !== undefined && loopback.has(name.replace(/^\[|\]$/g, '').toLowerCase())
  }

  /** Scripts of other pages must not reach a hub behind a browser's back: only our own page, and those named. */
  #originAllowed(request: IncomingMessage): boolean {
    const { origin, host } = request.headers
    if (!this.#hostAllowed(request)) return false
    if (origin === undefined) return true
    if (this.#options.origins?.includes(origin)) return true
    try {
      return new URL(origin).host === host
    } catch {
      return false
    }
  }

  #connect(socket: WebSocket, tcp: Socket): void {
    const client: Client = {
      id: this.#nextId++,
      socket,
      tcp,
      host: undefined,
      token: undefined,
      principal: undefined,
      greeted: false,
      waiting: undefined,
      congested: false,
      send: bytes => this.#send(client, bytes),
      close: (code, reason) => socket.close(code, reason),
    }
    this.#clients.set(client.id, client)
    const deadline = setTimeout(() => {
      if (client.host === undefined) socket.close(4001, 'no subscription in time')
    }, greetingMs)
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data, isBinary) => {
      if (!isBinary) return this.#reject(client, new AtomikError('malformed', 'expected binary messages'))
      this.#message(client, data as Buffer)
    })
    socket.on('error', error => this.log.debug({ client: client.id, error: error.message }, 'socket error'))
    socket.on('close', () => {
      clearTimeout(deadline)
      this.#clients.delete(client.id)
      this.#past.received += tcp.bytesRead
      this.#past.sent += tcp.bytesWritten
      client.host?.leave(client)
    })
  }

  #message(client: Client, bytes: Uint8Array): void {
    try {
      const { host } = client
      if (client.greeted && client.waiting === undefined && host instanceof SpaceHost && isChange(bytes))
        host.receiveChange(client, bytes)
      else for (const frame of decodeUplink(bytes)) this.#frame(client, frame)
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      this.#reject(client, error)
    }
  }

  #frame(client: Client, frame: UplinkFrame): void {
    if (frame.type === 'hello') client.greeted = true
    else if (!client.greeted) throw new AtomikError('malformed', `a ${frame.type} frame before hello`)
    else if (frame.type === 'auth') client.token = frame.token
    else if (frame.type === 'subscribe') this.#subscribe(client, frame)
    else if (client.waiting !== undefined) {
      if (client.waiting.length < waitingMax) client.waiting.push(frame)
    } else if (client.host !== undefined) client.host.receive(client, frame)
    // Before the subscription the network may have put a later frame first: it will come again.
  }

  #subscribe(client: Client, frame: Subscription): void {
    const answer = this.#access.authenticate(client.token, frame.space)
    if (answer instanceof Promise) {
      client.waiting = []
      void this.#admitLater(client, frame, answer)
    } else this.#admit(client, frame, answer)
  }

  async #admitLater(
    client: Client,
    frame: Subscription,
    answer: Promise<Principal | undefined>,
  ): Promise<void> {
    try {
      const principal = await answer
      if (!this.#clients.has(client.id)) return
      const waiting = client.waiting ?? []
      client.waiting = undefined
      this.#admit(client, frame, principal)
      for (const next of waiting) this.#frame(client, next)
    } catch (error) {
      this.#reject(
        client,
        error instanceof AtomikError
          ? error
          : new AtomikError('storage', `cannot find out now who this is: ${(error as Error).message}`),
      )
    }
  }

  #admit(client: Client, frame: Subscription, principal: Principal | undefined): void {
    if (principal === undefined)
      throw new AtomikError(
        'unauthorized',
        client.token === undefined
          ? 'a token is required'
          : `the token is wrong, or gives no right to space ${frame.space}`,
      )
    if (client.host !== undefined && client.host.name !== frame.space)
      throw new AtomikError('malformed', 'a connection serves one space')
    let host: SpaceHost | RepairHost | undefined =
      this.spaces.get(frame.space) ?? this.repairs.get(frame.space)
    if (host === undefined) {
      if (principal.rows !== 'all') throw new AtomikError('unknown-space', `there is no space ${frame.space}`)
      if (this.spaces.size >= (this.#options.spacesMax ?? 1000))
        throw new AtomikError('oversized', `this hub has its ${this.spaces.size} spaces`)
      host = this.#open(frame.space, decodeSchema(frame.schema))
    }
    client.host = host
    client.principal = principal
    host.subscribe(client, frame, principal)
  }

  /**
   * Other rights from here on. Whoever is connected with rights that changed is sent away, and comes back to the new ones.
   */
  async replaceAccess(access: Access): Promise<void> {
    this.#access = access
    for (const client of [...this.#clients.values()]) {
      const { host, principal } = client
      if (host === undefined || principal === undefined) continue
      const now = await access.authenticate(client.token, host.name)
      if (now?.principal !== principal.principal || now.rows !== principal.rows)
        client.close(4002, 'rights have changed')
    }
  }

  /**
   * A space as the store has it, or a stand-in while rows of it must be mended.
   * @throws AtomikError `storage` when more than rows is damaged
   */
  #openStored(name: string): void {
    const found = inspectSpace(this.#storage, name)
    if (found === undefined || !('reason' in found)) {
      this.#open(name, undefined)
      return
    }
    const repair = new RepairHost(name, found, this.#storage, {
      mended: (space, rows) => {
        this.repairs.delete(space)
        this.metrics.rowsMended.inc({ space }, rows)
        this.log.warn({ space, rows }, 'mended: a client had what the disk lost')
        if (!this.#stopping) this.#openStored(space)
      },
      failed: (space, error) =>
        this.log.error({ space, error: (error as Error).message }, 'cannot write what would mend the space'),
    })
    this.repairs.set(name, repair)
    const { missing: rows, reason } = repair
    this.log.error({ space: name, rows, reason }, 'damaged: the space waits for a client that followed it')
  }

  #open(name: string, schema: Schema | undefined): SpaceHost {
    const host = new SpaceHost(
      name,
      schema,
      this.#storage,
      {
        fork: (space, incarnation) =>
          this.log.warn({ space, incarnation }, 'fork: a client is a copy of another'),
        adopted: (space, schema) =>
          this.log.info({ space, schema: schema.hash }, 'schema: a client brought appended fields'),
        failed: (space, error) => {
          this.log.error(
            { space, error: error instanceof Error ? error.message : String(error) },
            'cannot write',
          )
          if (this.spaces.get(space) === host) this.spaces.delete(space)
        },
        committed: (_space, seconds) => this.metrics.commitSeconds.observe(seconds),
      },
      {
        ...(this.#options.skewMsMax !== undefined && { skewMsMax: this.#options.skewMsMax }),
        ...(this.#options.adoptsFields !== undefined && { adoptsFields: this.#options.adoptsFields }),
      },
    )
    this.spaces.set(name, host)
    return host
  }

  /** One clear answer, then the door. */
  #reject(client: Client, error: AtomikError): void {
    this.metrics.rejected.inc({ code: error.code })
    this.log.info({ client: client.id, code: error.code, reason: error.message }, 'rejected')
    const w = new Writer()
    writeError(w, error.code, isFinal(error.code), error.message)
    client.send(w.finish())
    client.close(isFinal(error.code) ? 4003 : 4002, error.code)
  }

  #send(client: Client, bytes: Uint8Array): void {
    const { socket } = client
    if (socket.readyState !== socket.OPEN) return
    socket.send(bytes, () => {
      if (!client.congested || socket.bufferedAmount > congestedBytes / 4) return
      client.congested = false
      client.host?.congestion(client, false)
    })
    if (client.congested || socket.bufferedAmount <= congestedBytes) return
    client.congested = true
    client.host?.congestion(client, true)
  }

  // ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #http(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?')[0]
    const cut = /^\/connections\/(\d{1,15})$/.exec(path)?.[1]
    const checkpoint = /^\/spaces\/([^/]+)\/checkpoint$/.exec(path)?.[1]
    if (request.method === 'DELETE' && cut !== undefined && this.#originAllowed(request)) {
      this.#cut(request, response, Number(cut)).catch(error => answer(response, 500, `${error}\n`))
    } else if (request.method === 'POST' && checkpoint !== undefined && this.#originAllowed(request)) {
      this.#checkpoint(request, response, checkpoint).catch(error => answer(response, 500, `${error}\n`))
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(response, 405, 'only GET is served here\n')
    } else if (!this.#hostAllowed(request)) {
      answer(response, 421, 'this hub answers to the names of this machine only\n')
    } else if (path === '/healthz') {
      answer(response, this.#stopping ? 503 : 200, this.#stopping ? 'stopping\n' : 'ok\n')
    } else if (path === '/metrics' || path === '/spaces') {
      const answered =
        path === '/metrics' ? this.#measure(request, response) : this.#describe(request, response)
      answered.catch(error => answer(response, 500, `${error}\n`))
    } else if (this.#page === undefined) {
      answer(response, 404, 'not found\n')
    } else {
      this.#page(request, response, () => answer(response, 404, 'not found\n'))
    }
  }

  /** What the bearer of the request may do in a space; undefined when not even read. */
  async #grantOf(request: IncomingMessage, space: string): Promise<Principal | undefined> {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    return await this.#access.authenticate(token, space)
  }

  /** Figures name all spaces, so they are for those with a right to all. */
  async #measure(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if ((await this.#grantOf(request, '')) === undefined) answer(response, 401, 'a token is required\n')
    else answer(response, 200, await this.metrics.registry.metrics(), this.metrics.registry.contentType)
  }

  /** Closes a client's connection: who may write its space may do that. The client comes back by itself. */
  async #cut(request: IncomingMessage, response: ServerResponse, id: number): Promise<void> {
    const client = this.#clients.get(id)
    const space = client?.host?.name
    if (client === undefined || space === undefined) answer(response, 404, 'there is no such connection\n')
    else if ((await this.#grantOf(request, space))?.rows !== 'all')
      answer(response, 401, 'a token that may write is required\n')
    else {
      this.log.info({ client: id, space }, 'cut by an operator')
      client.close(4004, 'cut by an operator')
      answer(response, 200, 'cut\n')
    }
  }

  /** SWAP, now and not at the next minute. Who may write all of a space may do that. */
  async #checkpoint(request: IncomingMessage, response: ServerResponse, encoded: string): Promise<void> {
    const name = decodeName(encoded)
    const host = name === undefined ? undefined : this.spaces.get(name)
    if (host === undefined) answer(response, 404, 'there is no such space\n')
    else if ((await this.#grantOf(request, host.name))?.rows !== 'all')
      answer(response, 401, 'a token that may write is required\n')
    else
      answer(response, 200, `${JSON.stringify(describeCheckpoint(host.checkpoint()))}\n`, 'application/json')
  }

  /** What is served, as JSON: names, schemas and where each space stands. The token goes into an Authorization header. */
  async #describe(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const spaces: unknown[] = []
    for (const [name, { space, commitSeconds, lastCheckpoint }] of this.spaces) {
      const grant = await this.#grantOf(request, name)
      if (grant === undefined) continue
      spaces.push({
        name,
        schema: space.schema.description,
        schemaHash: space.schema.hash,
        lsn: space.durableLsn,
        readers: space.connectionCount,
        writable: grant.rows !== 'none',
        connections: [...space.readers()].flatMap(({ connection, lag }) => {
          const client = this.#clients.get(connection)
          if (client === undefined) return []
          return {
            id: connection,
            lsn: space.durableLsn - lag,
            backlogBytes: client.socket.bufferedAmount,
            sentBytes: client.tcp.bytesWritten,
            receivedBytes: client.tcp.bytesRead,
          }
        }),
        rows: Object.fromEntries(
          space.schema.names.map((table, t) => [table, space.reference.tables[t].count]),
        ),
        stats: space.stats,
        commitSeconds,
        logBytes: space.logBytes,
        checkpoint: describeCheckpoint(lastCheckpoint),
      })
    }
    if (spaces.length === 0 && this.spaces.size > 0) answer(response, 401, 'a token is required\n')
    else answer(response, 200, `${JSON.stringify(spaces, null, 2)}\n`, 'application/json')
  }
}

/** Errors that trying again will not mend. */
function isFinal(code: ErrorCode): boolean {
  return code === 'version' || code === 'schema' || code === 'unauthorized' || code === 'unknown-space'
}

function describeCheckpoint({ lsn, digest, at }: Checkpoint): { lsn: number; digest: string; at: number } {
  const hex = (half: number) => (half >>> 0).toString(16).padStart(8, '0')
  return { lsn, digest: hex(digest.high) + hex(digest.low), at }
}

/** Undefined when it is no percent encoding. */
function decodeName(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

function answer(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' })
  response.end(text)
}

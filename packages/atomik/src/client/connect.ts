/**
 * The front door: `connect`, three lines from install to a synced record, the same in Node and browsers. It drives one
 * replica with the platform's clock, timers, randomness and sockets, reconnects for as long as it is open, and tells
 * listeners what changed, once a batch.
 */

import { type Link, type Transport, WebSocketTransport } from '../adapters/index.ts'
import {
  type Edit,
  Replica,
  type ReplicaAction,
  type ReplicaStats,
  type RowRef,
  TouchedRows,
  writerOf,
} from '../engine/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { Schema } from '../schema/index.ts'
import type { Halves } from '../wire/index.ts'
import { type BranchSpace, LocalBranch } from './branch.ts'
import type { RegionHost } from './regions.ts'
import { openAny, type TableOf, type TablesOf } from './tables.ts'

/** Names a connected space has for itself. */
const reservedTableNames = [
  'transact',
  'undo',
  'status',
  'stats',
  'on',
  'synced',
  'close',
  'branch',
  'diff',
  'merge',
  'drop',
  'isOpen',
] as const
type ReservedName = (typeof reservedTableNames)[number]

export interface ConnectOptions<T extends TablesOf> {
  readonly tables: T & { readonly [Name in ReservedName]?: never }
  /** What the hub asks for, when it asks. */
  readonly token?: string
  /** Own changes that can be undone. Default 1,000. */
  readonly undoDepth?: number
  /** Fail when the first state has not arrived by then. Default 10,000 ms. */
  readonly timeoutMs?: number
  /** Another way than WebSocket to reach a hub; then the URL only names the space. */
  readonly transport?: Transport
  /** Called while `connect` is trying in vain, with the reason. */
  readonly onRetry?: (reason: string) => void
}

export interface Status {
  /** Connected and welcomed by the hub. */
  readonly live: boolean
  /** Log number of the confirmed state. */
  readonly lsn: number
  /** Own changes the hub has not confirmed to be durable. */
  readonly pending: number
  readonly reconnects: number
  /** Bytes of messages, and of WebSocket framing around them (RFC 6455 §5.2). */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly messagesSent: number
  readonly messagesReceived: number
  /** Synchronisation metadata kept here: it does not grow. */
  readonly metadataBytes: number
}

export interface Events {
  /** Connection or confirmation moved. */
  status(status: Status): void
  /** The hub refused own changes (from, to]; they are rolled back. */
  refused(refusal: { readonly from: number; readonly to: number; readonly code: ErrorCode }): void
  /** The hub will not have us, or spoke nonsense. After a fatal one the space is closed. */
  error(error: AtomikError): void
}

export type ConnectedSpace<T extends TablesOf> = { readonly [Name in keyof T]: TableOf<T[Name]> } & {
  /** Makes all changes inside one change: they travel, apply and undo together, or not at all when `make` throws. */
  transact(make: () => void): number
  /** Undoes one own change whatever came after it. Returns the undoing change. @throws AtomikError `unknown-change` */
  undo(change: number): number
  /**
   * Makes a branch: rows to read and change like these, seen by nobody else until `merge`.
   * What others change here shows through meanwhile.
   */
  branch(): BranchSpace<T>
  status(): Status
  stats(): ReplicaStats
  on<Name extends keyof Events>(event: Name, listener: Events[Name]): () => void
  /** Resolves when every own change so far is durable at the hub, or was refused. @throws AtomikError `closed` */
  synced(): Promise<void>
  /** Sends what can be sent at once, and leaves. */
  close(): void
}

const tickMs = 50
const retryMsMin = 100
const retryMsMax = 3000

/**
 * Connects to a space and resolves when its state is here.
 *
 * @param url `ws://host:port/space`
 * @throws AtomikError `network` (no hub in time), `unauthorized`, `schema`, or what else the hub answers
 * @example
 * ```ts
 * import { connect, counter, table } from 'atomik'
 * const Airport = table({ departures: counter() })
 * const fleet = await connect(url, { tables: { airports: Airport } })
 * fleet.airports.row('ATL').departures.add(1)
 * const stop = fleet.airports.subscribe(row => console.log(row.key, row.departures.value))
 * ```
 */
export async function connect<const T extends TablesOf>(
  url: string,
  options: ConnectOptions<T>,
): Promise<ConnectedSpace<T>> {
  const client = new Client<T>(url, options)
  await client.ready
  return client.space
}

function spaceOf(url: string): string {
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/]+\/([^?#]+)/i.exec(url)?.[1]
  if (path === undefined)
    throw new AtomikError('range', `expected a URL like ws://host:port/space, got ${url}`)
  return decodeURIComponent(path)
}

class Client<T extends TablesOf> implements RegionHost {
  readonly replica: Replica
  readonly space: ConnectedSpace<T>
  /** Settles when the first state is here, or never will be. */
  readonly ready: Promise<void>
  readonly #transport: Transport
  readonly #schema: Schema
  readonly #tables: { notify(row: number): void }[] = []
  /** Who else is told of rows that changed: open branches. */
  readonly #watchers = new Set<(rows: readonly RowRef[]) => void>()
  readonly #listeners: { [Name in keyof Events]: Set<Events[Name]> } = {
    status: new Set(),
    refused: new Set(),
    error: new Set(),
  }
  #link: Link | undefined
  #closed = false
  #settleReady: (error?: AtomikError) => void = () => {}
  readonly #ticker: ReturnType<typeof setInterval>
  #retry: ReturnType<typeof setTimeout> | undefined
  #retryMs = retryMsMin
  #onRetry: (reason: string) => void
  #touched = new TouchedRows()
  #statusChanged = false
  #turn = false
  readonly #waiting: { change: number; resolve: () => void; reject: (error: Error) => void }[] = []
  #opened = 0
  #bytesSent = 0
  #bytesReceived = 0
  #messagesSent = 0
  #messagesReceived = 0

  constructor(url: string, options: ConnectOptions<T>) {
    const schema = new Schema(options.tables)
    for (const name of schema.names)
      if ((reservedTableNames as readonly string[]).includes(name))
        throw new AtomikError('range', `a table cannot be called ${name}: the space uses that name itself`)
    this.replica = new Replica({
      schema,
      space: spaceOf(url),
      random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
      ...(options.token !== undefined && { token: options.token }),
      ...(options.undoDepth !== undefined && { undoDepth: options.undoDepth }),
    })
    this.#transport = options.transport ?? new WebSocketTransport(url)
    this.#onRetry = options.onRetry ?? (() => {})
    this.#schema = schema
    this.space = this.#face(schema)
    this.ready = new Promise((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? 10_000
      let last = 'no answer'
      const retried = this.#onRetry
      this.#onRetry = (reason: string) => {
        last = reason
        retried(reason)
      }
      const timer = setTimeout(
        () => this.#fail(new AtomikError('network', `no state from ${url} within ${timeoutMs} ms: ${last}`)),
        timeoutMs,
      )
      this.#settleReady = error => {
        clearTimeout(timer)
        this.#settleReady = () => {}
        if (error === undefined) resolve()
        else reject(error)
      }
    })
    this.#ticker = setInterval(() => this.#step({ type: 'tick' }), tickMs)
    this.#open()
  }

  // ── changing ────────────────────────────────────────────────────────────────────────────────────────────────────

  edit(table: number, row: number, make: (edit: Edit) => void): number {
    this.#requireOpen()
    const change = this.replica.change(Date.now(), make)
    this.#touched.addRow(table, row)
    this.#schedule()
    return change
  }

  writer(): Halves {
    return writerOf(this.replica.incarnation)
  }

  get untold(): readonly RowRef[] {
    return this.#touched.rows
  }

  /** Resolves when every change so far has its fate. */
  synced(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#requireOpen()
      this.#waiting.push({ change: this.replica.lastChange, resolve, reject })
      this.#settleWaiting()
    })
  }

  #transact(make: () => void): number {
    this.#requireOpen()
    const change = this.replica.change(Date.now(), make)
    this.#schedule()
    return change
  }

  #undo(change: number): number {
    this.#requireOpen()
    const undoing = this.replica.undo(Date.now(), change)
    this.#touched.add(this.replica.accumulator)
    this.#schedule()
    return undoing
  }

  #branch(): BranchSpace<T> {
    this.#requireOpen()
    return new LocalBranch<T>(this.replica, this.#schema, {
      tables: this.space,
      merged: rows => {
        for (const { table, row } of rows) this.#touched.addRow(table, row)
        this.#schedule()
      },
      watch: watcher => {
        this.#watchers.add(watcher)
        return () => this.#watchers.delete(watcher)
      },
      requireOpen: () => this.#requireOpen(),
    }).space
  }

  /** Sends and tells at the end of this turn: changes made together travel together. */
  #schedule(): void {
    this.#statusChanged = true
    if (this.#turn) return
    this.#turn = true
    queueMicrotask(() => {
      this.#turn = false
      const actions: ReplicaAction[] = []
      this.replica.flush(Date.now(), actions)
      this.#perform(actions)
      this.#tell()
    })
  }

  #tell(): void {
    if (this.#touched.rows.length > 0) {
      const { rows } = this.#touched
      this.#touched = new TouchedRows()
      for (const { table, row } of rows) this.#tables[table].notify(row)
      for (const watcher of this.#watchers) watcher(rows)
    }
    if (!this.#statusChanged) return
    this.#statusChanged = false
    if (this.#listeners.status.size > 0) {
      const status = this.#status()
      for (const listener of this.#listeners.status) listener(status)
    }
    this.#settleWaiting()
  }

  // ── connection ──────────────────────────────────────────────────────────────────────────────────────────────────

  #open(): void {
    if (this.#closed) return
    this.#link = this.#transport.connect({
      open: () => {
        this.#opened++
        this.#step({ type: 'open', isOrdered: this.#transport.isOrdered === true })
      },
      message: bytes => {
        this.#bytesReceived += bytes.length + (bytes.length < 126 ? 2 : bytes.length < 65536 ? 4 : 10)
        this.#messagesReceived++
        this.#step({ type: 'message', bytes })
      },
      close: reason => {
        this.#link = undefined
        this.#step({ type: 'close' })
        if (this.#closed) return
        this.#statusChanged = true
        this.#onRetry(reason)
        const waitMs = this.#retryMs * (0.5 + Math.random() / 2)
        this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2)
        this.#retry = setTimeout(() => this.#open(), waitMs)
        this.#tell()
      },
    })
  }

  #step(event: Parameters<Replica['step']>[1]): void {
    const actions: ReplicaAction[] = []
    this.replica.step(Date.now(), event, actions)
    this.#perform(actions)
    if (event.type !== 'tick') this.#statusChanged = true
    this.#tell()
  }

  #perform(actions: readonly ReplicaAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'send':
          this.#bytesSent +=
            action.bytes.length + (action.bytes.length < 126 ? 6 : action.bytes.length < 65536 ? 8 : 14)
          this.#messagesSent++
          this.#link?.send(action.bytes)
          break
        case 'changed':
          for (const { table, row } of action.rows) this.#touched.addRow(table, row)
          break
        case 'welcome':
          this.#retryMs = retryMsMin
          break
        case 'caught-up':
          this.#settleReady()
          break
        case 'refused':
          for (const listener of this.#listeners.refused) listener(action)
          break
        case 'fail':
          if (action.fatal) this.#fail(action.error)
          else {
            for (const listener of this.#listeners.error) listener(action.error)
            this.#onRetry(action.error.message)
            this.#link?.close()
          }
          break
        case 'confirmed':
          break
      }
    }
  }

  #fail(error: AtomikError): void {
    this.#settleReady(error)
    for (const listener of this.#listeners.error) listener(error)
    this.#close(error)
  }

  #close(error: AtomikError): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#ticker)
    clearTimeout(this.#retry)
    this.#link?.close()
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  #requireOpen(): void {
    if (this.#closed) throw new AtomikError('closed', 'the space is closed')
  }

  #settleWaiting(): void {
    if (this.#waiting.length === 0) return
    const settled = this.replica.lastChange - this.replica.pendingChanges
    while (this.#waiting.length > 0 && this.#waiting[0].change <= settled) this.#waiting.shift()?.resolve()
  }

  #status(): Status {
    return {
      live: this.replica.isLive,
      lsn: this.replica.lsn,
      pending: this.replica.pendingChanges,
      reconnects: Math.max(0, this.#opened - 1),
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
      metadataBytes: this.replica.metadataBytes,
    }
  }

  // ── what the program sees ───────────────────────────────────────────────────────────────────────────────────────

  #face(schema: Schema): ConnectedSpace<T> {
    const face: Record<string, unknown> = {
      transact: (make: () => void) => this.#transact(make),
      undo: (change: number) => this.#undo(change),
      branch: () => this.#branch(),
      status: () => this.#status(),
      stats: () => this.replica.stats,
      on: <Name extends keyof Events>(event: Name, listener: Events[Name]) => {
        const listeners = this.#listeners[event] as Set<Events[Name]>
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      synced: () => this.synced(),
      close: () => {
        const actions: ReplicaAction[] = []
        this.replica.flush(Date.now(), actions)
        this.#perform(actions)
        this.#close(new AtomikError('closed', 'the space was closed before the hub confirmed'))
      },
    }
    for (let table = 0; table < schema.names.length; table++) {
      const { face: rows, notify } = openAny(schema.tables[table], table, this)
      this.#tables[table] = { notify }
      face[schema.names[table]] = rows
    }
    return face as ConnectedSpace<T>
  }
}

/**
 * The front door: `connect`, three lines from install to a synced record, the same in Node and browsers. It drives one
 * replica with the platform's clock, timers, randomness and sockets, reconnects for as long as it is open, and tells
 * listeners what changed, once a batch. What is kept on disk goes through `keeper.ts`; code for disks is not here, a storage
 * brings its own.
 */

import { type Link, type Transport, WebSocketTransport } from '../adapters/index.ts'
import {
  type Edit,
  type Follower,
  formatIncarnation,
  Replica,
  type ReplicaAction,
  type ReplicaStats,
  type RowRef,
  type Seat,
  type SpaceStorage,
  TouchedRows,
  writerOf,
} from '../engine/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import { Schema } from '../schema/index.ts'
import type { Halves } from '../wire/index.ts'
import { type BranchSpace, LocalBranch } from './branch.ts'
import { Keeper } from './keeper.ts'
import type { RegionHost } from './regions.ts'
import type { LeadListener, Member, Place, SharedStorage } from './shared.ts'
import { openAny, type TableOf, type TablesOf } from './tables.ts'

/** Names a connected space has for itself. */
const reservedTableNames = [
  'transact',
  'undo',
  'redo',
  'status',
  'stats',
  'on',
  'synced',
  'saved',
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
  /**
   * Without `storage`: fail when the first state has not arrived by then. Default 10,000 ms. With one: wait that long for a first state
   * when the storage has none, then open empty. Default 3,000 ms.
   */
  readonly timeoutMs?: number
  /**
   * Where the space is kept on this machine, own changes included: `lmdb()` of `atomik/storage/lmdb`, `indexedDb()` of
   * `atomik/storage/indexeddb`. Then it opens without a hub, from what was kept. Spaces are kept by name, so give each hub a
   * storage of its own.
   */
  readonly storage?: SpaceStorage | SharedStorage
  /** Another way than WebSocket to reach a hub; then the URL only names the space. */
  readonly transport?: Transport
  /** Called while `connect` is trying in vain, with the reason. */
  readonly onRetry?: (reason: string) => void
}

export interface Status {
  /** Connected and welcomed by the hub. */
  readonly live: boolean
  /** This client writes the storage and talks to the hub. False in tabs that leave that to another. */
  readonly leads: boolean
  /** A state of the hub is here. False only where a storage was opened empty, and no hub has answered yet. */
  readonly loaded: boolean
  /** Log number of the confirmed state. */
  readonly lsn: number
  /** Own changes the hub has not confirmed to be durable. */
  readonly pending: number
  /** Own changes that would be lost with this process: neither in the storage nor confirmed. */
  readonly unsaved: number
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
  /**
   * A copy of this client went on as this client: its store was copied or restored from a backup, or its machine was. Both histories
   * count, once each; from here on this one writes as a client of its own. `incarnation` is what both had written under.
   */
  forked(fork: { readonly incarnation: string }): void
  /**
   * The hub will not have us, or spoke nonsense: after a fatal one the space is closed. Or with the code `storage`: what should
   * be kept could not be written, and is tried again; or was damaged when it was opened.
   */
  error(error: AtomikError): void
}

export type ConnectedSpace<T extends TablesOf> = { readonly [Name in keyof T]: TableOf<T[Name]> } & {
  /** Makes all changes inside one change: they travel, apply and undo together, or not at all when `make` throws. */
  transact(make: () => void): number
  /**
   * Undoes one own change whatever came after it. Returns the undoing change; of a change that is undone already the one that did it.
   * @throws AtomikError `unknown-change`
   */
  undo(change: number): number
  /** Brings back an own change that was undone. Returns the change that does so. @throws AtomikError `unknown-change` */
  redo(change: number): number
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
  /**
   * Resolves when every own change so far survives the end of this process and a power cut: it is in the storage, or durable at the hub.
   * Waits for as long as neither can be; `status().unsaved` and the event `error` say so. @throws AtomikError `closed`
   */
  saved(): Promise<void>
  /**
   * Sends what can be sent at once, saves the rest, and leaves. Resolves when the storage is free to be opened again.
   * @throws AtomikError `storage` when there is one and own changes could not be saved: they are lost
   */
  close(): Promise<void>
}

const tickMs = 50
/** How long a client that follows waits for its last changes to be saved, before it leaves. */
const leaveMs = 3000
const retryMsMin = 100
const retryMsMax = 3000

/** How long to wait for the first state. */
const firstStateMs = 10_000
/** The same where there is a storage, so that nobody has to wait for a hub. */
const firstStateStoredMs = 3000

/**
 * Connects to a space and resolves when its state is here: from the hub, or, with `storage`, what was kept of it, at once.
 *
 * @param url `ws://host:port/space`
 * @throws AtomikError `network` (no hub in time, and no storage), `unauthorized`, `schema`, or what else the hub answers;
 * `in-use` or `storage` when the storage cannot be opened
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
  const schema = new Schema(options.tables)
  for (const name of schema.names)
    if ((reservedTableNames as readonly string[]).includes(name))
      throw new AtomikError('range', `a table cannot be called ${name}: the space uses that name itself`)
  const client = new Client<T>(url, schema, options, await partsOf(url, schema, options))
  try {
    await client.ready
  } catch (error) {
    await client.ended
    throw error
  }
  return client.space
}

/** What a client is made of. */
interface Parts {
  readonly replica: Replica | Follower
  readonly transport: Transport
  /** Where its replica is written. */
  readonly seat?: Seat | undefined
  /** Its part in a storage that is shared. */
  readonly member?: Member
  /** Whom it leads. */
  readonly leads?: LeadListener
}

const random32 = () => crypto.getRandomValues(new Uint32Array(1))[0]

async function partsOf<T extends TablesOf>(
  url: string,
  schema: Schema,
  options: ConnectOptions<T>,
): Promise<Parts> {
  const space = spaceOf(url)
  const { storage, token, undoDepth } = options
  const transport = options.transport ?? new WebSocketTransport(url)
  const depth = undoDepth === undefined ? {} : { undoDepth }
  const replicaOf = (seat: Seat | undefined) =>
    new Replica({
      schema,
      space,
      random32,
      ...depth,
      ...(token !== undefined && { token }),
      ...(seat !== undefined && { image: seat.image }),
    })
  if (storage === undefined || 'open' in storage) {
    const seat = await storage?.open(space, schema)
    return { replica: replicaOf(seat), transport, seat }
  }
  const lead: Place['lead'] = (seat, to) => {
    const replica = replicaOf(seat)
    const client = new Client<T>(url, schema, options, { replica, transport, seat, leads: to })
    // Why it failed is told to those it leads.
    client.ready.catch(() => {})
    return client.lead(replica)
  }
  const member = await storage.join({ space, schema, random32, ...depth, lead })
  const { replica, transport: toLeader } = member
  return { replica, transport: toLeader, member }
}

function spaceOf(url: string): string {
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/]+\/([^?#]+)/i.exec(url)?.[1]
  if (path === undefined)
    throw new AtomikError('range', `expected a URL like ws://host:port/space, got ${url}`)
  return decodeURIComponent(path)
}

/** Somebody who waits for the fate of all changes up to one. */
interface Waiting {
  readonly change: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class Client<T extends TablesOf> implements RegionHost {
  readonly replica: Replica | Follower
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
    forked: new Set(),
    error: new Set(),
  }
  readonly #keeper: Keeper | undefined
  readonly #member: Member | undefined
  readonly #leads: LeadListener | undefined
  /** Changes of others were taken in, which wait for the store. */
  #mustSave = false
  #link: Link | undefined
  #closed = false
  #ended: Promise<void> = Promise.resolve()
  #isLoaded = false
  #settleReady: (error?: AtomikError) => void = () => {}
  readonly #ticker: ReturnType<typeof setInterval>
  #retry: ReturnType<typeof setTimeout> | undefined
  #retryMs = retryMsMin
  #onRetry: (reason: string) => void
  #touched = new TouchedRows()
  #statusChanged = false
  #turn = false
  /** Who waits for the hub, and who for the storage. */
  readonly #syncing: Waiting[] = []
  readonly #saving: Waiting[] = []
  /** The replica asked for another connection; nothing failed. */
  #isMoving = false
  #opened = 0
  #bytesSent = 0
  #bytesReceived = 0
  #messagesSent = 0
  #messagesReceived = 0

  constructor(
    url: string,
    schema: Schema,
    options: ConnectOptions<T>,
    { replica, transport, seat, member, leads }: Parts,
  ) {
    this.replica = replica
    this.#keeper = seat && this.#keep(seat)
    this.#member = member
    this.#leads = leads
    this.#transport = transport
    this.#onRetry = options.onRetry ?? (() => {})
    this.#schema = schema
    this.space = this.#face(schema)
    this.ready = new Promise((resolve, reject) => {
      const isStored = seat !== undefined || member !== undefined
      const timeoutMs = options.timeoutMs ?? (isStored ? firstStateStoredMs : firstStateMs)
      let last = 'no answer'
      const retried = this.#onRetry
      this.#onRetry = (reason: string) => {
        last = reason
        retried(reason)
      }
      const timer = setTimeout(() => {
        if (isStored) this.#settleReady()
        else this.#fail(new AtomikError('network', `no state from ${url} within ${timeoutMs} ms: ${last}`))
      }, timeoutMs)
      this.#settleReady = error => {
        clearTimeout(timer)
        this.#settleReady = () => {}
        if (error === undefined) resolve()
        else reject(error)
      }
    })
    if (seat?.image.state !== undefined) {
      this.#isLoaded = true
      this.#settleReady()
    }
    this.#ticker = setInterval(() => this.#step({ type: 'tick' }), tickMs)
    this.#open()
    member?.onFail(error => this.#fail(error))
  }

  /** How whoever serves followers holds this client. @param replica its own */
  lead(replica: Replica): ReturnType<Place['lead']> {
    const isLoaded = () => this.#isLoaded
    return {
      replica,
      get isLoaded() {
        return isLoaded()
      },
      take: (id, number, delta) => {
        this.#requireOpen()
        const change = replica.take(Date.now(), id, number, delta)
        this.#touched.add(delta)
        this.#mustSave = true
        this.#schedule()
        return change
      },
      close: () => this.#leave(),
    }
  }

  #keep(seat: Seat): Keeper {
    // Later, when the program has had the time to listen.
    if (seat.image.damage.length > 0)
      setTimeout(() => {
        for (const what of seat.image.damage) this.#report(new AtomikError('storage', what))
      })
    return new Keeper(seat, {
      committed: () => {
        const actions: ReplicaAction[] = []
        this.replica.committed(Date.now(), actions)
        // Changes made meanwhile, when somebody waits for them.
        if (this.#mustSave || this.#saving.some(({ change }) => change > this.replica.savedChange))
          this.#save(actions)
        this.#perform(actions)
        this.#statusChanged = true
        this.#tell()
      },
      notCommitted: () => this.replica.notCommitted(),
      failed: error => this.#report(error),
    })
  }

  // ── changing ────────────────────────────────────────────────────────────────────────────────────────────────────

  edit(table: number, row: number, make: (edit: Edit) => void): number {
    this.#requireOpen()
    const change = this.replica.change(Date.now(), make)
    this.#touched.addRow(table, row)
    this.#schedule()
    return change
  }

  /** A region has one writer, and those who follow share one incarnation. */
  writer(): Halves | undefined {
    return this.#member === undefined ? writerOf(this.replica.incarnation) : undefined
  }

  get untold(): readonly RowRef[] {
    return this.#touched.rows
  }

  /** Resolves when every change so far has its fate. */
  synced(): Promise<void> {
    return this.#wait(this.#syncing)
  }

  #saved(): Promise<void> {
    const saved = this.#wait(this.#saving)
    const actions: ReplicaAction[] = []
    this.#save(actions)
    this.#perform(actions)
    return saved
  }

  /** Asks for a write, unless one is under way: then once more when it is done. */
  #save(actions: ReplicaAction[]): void {
    this.replica.save(Date.now(), actions)
    if (actions.some(({ type }) => type === 'commit')) this.#mustSave = false
  }

  #wait(among: Waiting[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#requireOpen()
      among.push({ change: this.replica.lastChange, resolve, reject })
      this.#settleWaiting()
    })
  }

  #transact(make: () => void): number {
    this.#requireOpen()
    const change = this.replica.change(Date.now(), make)
    this.#schedule()
    return change
  }

  #undo(change: number, how: 'undo' | 'redo'): number {
    this.#requireOpen()
    const rows = this.replica.rowsOf(change)
    const undoing = this.replica[how](Date.now(), change)
    for (const { table, row } of rows) this.#touched.addRow(table, row)
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
      if (this.#mustSave) this.#save(actions)
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
      this.#leads?.changed(rows)
    }
    if (!this.#statusChanged) return
    this.#statusChanged = false
    this.#leads?.moved()
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
        if (this.#isMoving) {
          this.#isMoving = false
          this.#open()
          return
        }
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
          this.#isLoaded = true
          this.#settleReady()
          break
        case 'commit':
          this.#keeper?.write(action.puts)
          break
        case 'forked': {
          const fork = { incarnation: formatIncarnation(action.incarnation) }
          for (const listener of this.#listeners.forked) listener(fork)
          this.#leads?.forked(action.incarnation)
          break
        }
        case 'refused':
          for (const listener of this.#listeners.refused) listener(action)
          this.#leads?.refused(action.from, action.to, action.code)
          break
        case 'fail':
          if (action.fatal) this.#fail(action.error)
          else if (action.isElsewhere) this.#report(action.error)
          else {
            this.#report(action.error)
            this.#onRetry(action.error.message)
            this.#link?.close()
          }
          break
        case 'reconnect':
          this.#isMoving = true
          this.#link?.close()
          break
        case 'confirmed':
        case 'saved':
          break
      }
    }
  }

  #leave(): Promise<void> {
    if (this.#closed) return this.#ended
    const actions: ReplicaAction[] = []
    this.replica.flush(Date.now(), actions)
    this.#perform(actions)
    return this.#close(new AtomikError('closed', 'the space was closed before the hub confirmed'))
  }

  #report(error: AtomikError, fatal = false): void {
    for (const listener of this.#listeners.error) listener(error)
    this.#leads?.failed(error, fatal)
  }

  #fail(error: AtomikError): void {
    this.#settleReady(error)
    this.#report(error, true)
    // What could not be saved was reported.
    this.#close(error).catch(() => {})
  }

  /** Resolves when all is let go. */
  get ended(): Promise<void> {
    return this.#ended.catch(() => {})
  }

  #close(error: AtomikError): Promise<void> {
    if (this.#closed) return this.#ended
    this.#closed = true
    clearInterval(this.#ticker)
    clearTimeout(this.#retry)
    // One that follows stays until its changes are saved.
    if (this.#member === undefined) this.#link?.close()
    for (const { reject } of this.#syncing.splice(0)) reject(error)
    this.#ended = this.#end(error)
    return this.#ended
  }

  async #end(error: AtomikError): Promise<void> {
    if (this.#member !== undefined) {
      const saved = new Promise<void>((resolve, reject) => {
        this.#saving.push({ change: this.replica.lastChange, resolve, reject })
      })
      saved.catch(() => {})
      this.#settleWaiting()
      await Promise.race([saved, new Promise(resolve => setTimeout(resolve, leaveMs))])
      this.#link?.close()
      await this.#member.close()
    }
    const failure = await this.#keeper?.close(() => {
      const actions: ReplicaAction[] = []
      this.#save(actions)
      this.#perform(actions)
    })
    this.#settleWaiting()
    for (const { reject } of this.#saving.splice(0)) reject(failure ?? error)
    const lost = this.replica.lastChange - this.replica.savedChange
    if (lost > 0 && (failure !== undefined || this.#member !== undefined))
      throw new AtomikError(
        'storage',
        `${lost} own changes could not be saved: ${failure?.message ?? 'the leading tab did not'}`,
        { cause: failure },
      )
  }

  #requireOpen(): void {
    if (this.#closed) throw new AtomikError('closed', 'the space is closed')
  }

  #settleWaiting(): void {
    const { confirmedChange, savedChange } = this.replica
    while (this.#syncing.length > 0 && this.#syncing[0].change <= confirmedChange)
      this.#syncing.shift()?.resolve()
    while (this.#saving.length > 0 && this.#saving[0].change <= savedChange) this.#saving.shift()?.resolve()
  }

  #status(): Status {
    return {
      live: this.replica.isLive,
      leads: this.#member?.leads ?? true,
      loaded: this.#isLoaded,
      lsn: this.replica.lsn,
      pending: this.replica.pendingChanges,
      unsaved: this.replica.lastChange - this.replica.savedChange,
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
      undo: (change: number) => this.#undo(change, 'undo'),
      redo: (change: number) => this.#undo(change, 'redo'),
      branch: () => this.#branch(),
      status: () => this.#status(),
      stats: () => this.replica.stats,
      on: <Name extends keyof Events>(event: Name, listener: Events[Name]) => {
        const listeners = this.#listeners[event] as Set<Events[Name]>
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      synced: () => this.synced(),
      saved: () => this.#saved(),
      close: () => this.#leave(),
    }
    for (let table = 0; table < schema.names.length; table++) {
      const { face: rows, notify } = openAny(schema.tables[table], table, this)
      this.#tables[table] = { notify }
      face[schema.names[table]] = rows
    }
    return face as ConnectedSpace<T>
  }
}

/**
 * Drives one replica with the platform's clock, timers and a transport: sends, reconnects for as long as it is open, has written what is kept
 * (keeper.ts), and tells listeners what changed, once a batch. The replica is one of its own, or follows another's (shared.ts); a client may also
 * run one that others follow. Code for disks is not here, a storage brings its own.
 *
 * Just over 500 lines: one life, from opening to the last write, whose parts share the replica, the link and who waits.
 */
import type { Link, Transport } from '../adapters/index.ts'
import {
  type Edit,
  type Follower,
  formatIncarnation,
  isSameWriter,
  type Replica,
  type ReplicaAction,
  type RowRef,
  type Seat,
  TouchedRows,
  writerOf,
} from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import type { Schema } from '../schema/index.ts'
import type { Halves } from '../wire/index.ts'
import { type BranchSpace, LocalBranch } from './branch.ts'
import type { ConnectedSpace, ConnectOptions, Events, Status } from './face.ts'
import { Keeper } from './keeper.ts'
import type { RegionHost } from './regions.ts'
import type { LeadListener, Member, Place } from './shared.ts'
import { openAny, type TablesOf } from './tables.ts'

const tickMs = 50
/** How long a client that follows waits for its last changes to be saved, before it leaves. */
const leaveMs = 3000
const retryMsMin = 100
const retryMsMax = 3000

/** How long to wait for the first state. */
const firstStateMs = 10_000
/** The same where there is a storage, so that nobody has to wait for a hub. */
const firstStateStoredMs = 3000

/** What a client is made of. */
export interface Parts {
  readonly replica: Replica | Follower
  readonly transport: Transport
  /** Where its replica is written. */
  readonly seat?: Seat | undefined
  /** Its part in a storage that is shared. */
  readonly member?: Member
  /** Whom it leads. */
  readonly leads?: LeadListener
}

/** Somebody who waits for the fate of all changes up to one. */
interface Waiting {
  readonly change: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class Client<T extends TablesOf> implements RegionHost {
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
  #isReady = false
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
        if (error !== undefined) {
          reject(error)
          return
        }
        this.#isReady = true
        this.#leads?.moved()
        resolve()
      }
    })
    if (seat !== undefined) {
      const { state, sessions } = seat.image
      // Of an opening that no hub answered there is no epoch; a state under tables that have grown has none any more.
      this.#isLoaded = state !== undefined && (state.lsn > 0 || (state.epoch.low | state.epoch.high) !== 0)
      if (this.#isLoaded || sessions.length > 0) this.#settleReady()
    }
    // Later, when the program has had the time to listen.
    if (seat !== undefined && seat.image.damage.length > 0)
      this.ready.then(
        () => setTimeout(() => this.#reportDamage(seat.image.damage)),
        () => {},
      )
    this.#ticker = setInterval(() => this.#step({ type: 'tick' }), tickMs)
    this.#open()
    member?.onFail(error => this.#fail(error))
  }

  /** How whoever serves followers holds this client. @param replica its own */
  lead(replica: Replica): ReturnType<Place['lead']> {
    const [isLoaded, isReady] = [() => this.#isLoaded, () => this.#isReady]
    return {
      replica,
      get isLoaded() {
        return isLoaded()
      },
      get isReady() {
        return isReady()
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
    if (!('regionsRefused' in this.replica)) return undefined
    return writerOf(this.replica.incarnation, this.replica.regionsRefused)
  }

  get mayMissRegions(): boolean {
    return this.replica.mayMissRegions
  }

  wrote(writer: Halves): boolean {
    return this.replica.incarnations.some(id => isSameWriter(writerOf(id), writer))
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
    // Messages first: their bytes are borrowed, and a listener may call the replica again.
    for (const action of actions) if (action.type === 'send') this.#send(action.bytes)
    for (const action of actions) {
      switch (action.type) {
        case 'changed':
          for (const { table, row } of action.rows) this.#touched.addRow(table, row)
          break
        case 'welcome':
          this.#retryMs = retryMsMin
          break
        case 'caught-up':
          this.#isLoaded = this.#member?.replica.isLoaded ?? true
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
        case 'send':
        case 'confirmed':
        case 'saved':
          break
      }
    }
  }

  #send(bytes: Uint8Array): void {
    this.#bytesSent += bytes.length + (bytes.length < 126 ? 6 : bytes.length < 65536 ? 8 : 14)
    this.#messagesSent++
    this.#link?.send(bytes)
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

  #reportDamage(damage: readonly string[]): void {
    for (const what of damage) this.#report(new AtomikError('storage', what))
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
      loaded: this.#member?.replica.isLoaded ?? this.#isLoaded,
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

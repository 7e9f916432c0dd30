/**
 * A space without a hub (`atomik/mesh`): the same tables, rows and changes, kept equal with whichever nodes it meets. It drives
 * one `MeshNode` with the platform's clock, timers and randomness over any transport, dials again what it was told to dial,
 * and tells listeners what changed, once a turn.
 */
import type { Link, LinkHandlers, Transport } from '../adapters/index.ts'
import {
  type Edit,
  type MeshAction,
  MeshNode,
  type MeshStats,
  type RowRef,
  TouchedRows,
} from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import { isRegion, Schema } from '../schema/index.ts'
import { type BranchSpace, LocalBranch } from './branch.ts'
import type { RegionHost } from './regions.ts'
import { openAny, type TableOf, type TablesOf } from './tables.ts'

/** Names a space of a mesh and its branches have for themselves. */
// biome-ignore format: one list
const reservedNames = [
  'transact', 'undo', 'redo', 'branch', 'status', 'stats', 'on', 'connect', 'accept', 'image', 'close', 'diff', 'merge', 'drop', 'isOpen',
] as const
type ReservedName = (typeof reservedNames)[number]

export interface MeshSpaceOptions<T extends TablesOf> {
  /** Nodes of other spaces are refused. */
  readonly space: string
  readonly tables: T & { readonly [Name in ReservedName]?: never }
  /** What an earlier node's `image` gave. */
  readonly image?: Uint8Array
  /** Own changes that can be undone. Default 1,000. */
  readonly undoDepth?: number
}

export interface MeshStatus {
  /** Nodes we are connected to, and of these, those that held exactly what we hold when last heard. */
  readonly peers: number
  readonly equal: number
  /** Own changes that were sent to nobody yet. */
  readonly open: number
  /** Openings of nodes whose changes are held here. */
  readonly histories: number
  readonly bytesSent: number
  readonly bytesReceived: number
}

export interface MeshEvents {
  status(status: MeshStatus): void
  /** A copy of a machine has shown itself; `own`: of this one. Both count. */
  fork(fork: { readonly incarnation: string; readonly own: boolean }): void
  /** A copy of this machine went on too far apart from it: changes made here may be gone. */
  lost(lost: { readonly incarnation: string }): void
  /** A node could not be talked to: other schema, other space, nonsense. */
  error(error: AtomikError): void
}

export type MeshSpace<T extends TablesOf> = { readonly [Name in keyof T]: TableOf<T[Name]> } & {
  /** Makes all changes inside one change, or none when `make` throws. */
  transact(make: () => void): number
  /** Undoes one own change whatever came after it. @throws AtomikError `unknown-change` */
  undo(change: number): number
  /** Brings back an own change that was undone. @throws AtomikError `unknown-change` */
  redo(change: number): number
  branch(): BranchSpace<T>
  status(): MeshStatus
  stats(): MeshStats
  on<Name extends keyof MeshEvents>(event: Name, listener: MeshEvents[Name]): () => void
  /** Dials another node, again and again while it is not there. Returns the way to stop. */
  connect(transport: Transport): () => void
  /** Takes a connection that another node opened to us. */
  accept(link: Link): LinkHandlers
  /** All that is held here, to be given to `openMesh` after a restart. */
  image(): Uint8Array
  close(): void
}

const tickMs = 100
const retryMsMin = 100
const retryMsMax = 3000
/** A peer that does not take this many bytes gets nothing more; what it lacks is found by comparing, later. */
const bufferedBytesMax = 1024 * 1024

/**
 * Opens a space that lives without a hub.
 *
 * @throws AtomikError `range` for a table name in use, and what a damaged image throws
 * @example
 * ```ts
 * import { counter, table } from 'atomik'
 * import { MemoryTransport } from 'atomik/adapters'
 * import { openMesh } from 'atomik/mesh'
 *
 * const tables = { rooms: table({ visits: counter() }) }
 * const [a, b, c] = [1, 2, 3].map(() => openMesh({ space: 'house', tables }))
 * a.rooms.row('hall').visits.add(1)
 * c.rooms.row('hall').visits.add(2)
 * a.connect(new MemoryTransport(link => b.accept(link))) // any transport will do
 * b.connect(new MemoryTransport(link => c.accept(link))) // a and c meet through b
 * await new Promise(resolve => setTimeout(resolve, 300))
 * for (const node of [a, b, c]) console.assert(node.rooms.row('hall').visits.value === 3)
 * for (const node of [a, b, c]) node.close()
 * ```
 */
export function openMesh<const T extends TablesOf>(options: MeshSpaceOptions<T>): MeshSpace<T> {
  return new MeshClient<T>(options).space
}

class MeshClient<T extends TablesOf> implements RegionHost {
  readonly replica: MeshNode
  readonly space: MeshSpace<T>
  readonly #schema: Schema
  readonly #tables: { notify(row: number): void }[] = []
  readonly #watchers = new Set<(rows: readonly RowRef[]) => void>()
  readonly #listeners: { [Name in keyof MeshEvents]: Set<MeshEvents[Name]> } = {
    status: new Set(),
    fork: new Set(),
    lost: new Set(),
    error: new Set(),
  }
  readonly #links = new Map<number, Link>()
  readonly #equal = new Set<number>()
  readonly #dialling = new Set<() => void>()
  readonly #ticker: ReturnType<typeof setInterval>
  #nextPeer = 1
  #touched = new TouchedRows()
  #turn = false
  #closed = false
  #bytesSent = 0
  #bytesReceived = 0

  constructor(options: MeshSpaceOptions<T>) {
    const schema = new Schema(options.tables)
    for (const table of schema.names)
      if ((reservedNames as readonly string[]).includes(table))
        throw new AtomikError('range', `a table cannot be called ${table}: the space uses that name itself`)
    if (schema.tables.some(isRegion))
      throw new AtomikError('range', 'regions need a hub: in a mesh nobody could hold them to one writer')
    this.#schema = schema
    this.replica = new MeshNode({
      schema,
      space: options.space,
      random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
      ...(options.undoDepth !== undefined && { undoDepth: options.undoDepth }),
    })
    if (options.image !== undefined) this.replica.restore(Date.now(), options.image)
    this.space = this.#face()
    this.#ticker = setInterval(() => this.#step({ type: 'tick' }), tickMs)
  }

  edit(table: number, row: number, make: (edit: Edit) => void): number {
    this.#requireOpen()
    const change = this.replica.change(Date.now(), make)
    this.#touch([{ table, row }])
    return change
  }

  writer(): undefined {}

  wrote(): boolean {
    return false
  }

  readonly mayMissRegions = false

  async synced(): Promise<void> {}

  get untold(): readonly RowRef[] {
    return this.#touched.rows
  }

  /** Sends and tells at the end of this turn: changes made together travel together. */
  #touch(rows: readonly RowRef[]): void {
    for (const { table, row } of rows) this.#touched.addRow(table, row)
    if (this.#turn) return
    this.#turn = true
    queueMicrotask(() => {
      this.#turn = false
      if (!this.#closed) {
        const actions: MeshAction[] = []
        this.replica.flush(Date.now(), actions)
        this.#perform(actions)
      }
      this.#tell()
    })
  }

  #tell(): void {
    const { rows } = this.#touched
    this.#touched = new TouchedRows()
    for (const { table, row } of rows) this.#tables[table].notify(row)
    if (rows.length > 0) for (const watcher of this.#watchers) watcher(rows)
    if (this.#listeners.status.size === 0) return
    const status = this.#status()
    for (const listener of this.#listeners.status) listener(status)
  }

  #step(event: Parameters<MeshNode['step']>[1]): void {
    if (this.#closed) return
    const actions: MeshAction[] = []
    this.replica.step(Date.now(), event, actions)
    this.#perform(actions)
    if (event.type !== 'tick') this.#tell()
  }

  #perform(actions: readonly MeshAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'send': {
          const link = this.#links.get(action.peer)
          if (link === undefined || link.bufferedBytes > bufferedBytesMax) break
          this.#bytesSent += action.bytes.length
          link.send(action.bytes)
          break
        }
        case 'changed':
          this.#equal.clear()
          for (const { table, row } of action.rows) this.#touched.addRow(table, row)
          break
        case 'same':
          this.#equal.add(action.peer)
          break
        case 'fork':
          for (const listener of this.#listeners.fork) listener(action)
          break
        case 'lost':
          for (const listener of this.#listeners.lost) listener(action)
          break
        case 'fail':
          for (const listener of this.#listeners.error) listener(action.error)
          this.#links.get(action.peer)?.close()
          break
      }
    }
  }

  /** What a link to another node does with its events. */
  #handlers(peer: number, closed: () => void): LinkHandlers {
    return {
      open: () => this.#step({ type: 'open', peer }),
      message: bytes => {
        this.#bytesReceived += bytes.length
        this.#step({ type: 'message', peer, bytes })
      },
      close: () => {
        this.#links.delete(peer)
        this.#equal.delete(peer)
        this.#step({ type: 'close', peer })
        closed()
      },
    }
  }

  #connect(transport: Transport): () => void {
    this.#requireOpen()
    let retryMs = retryMsMin
    let timer: ReturnType<typeof setTimeout> | undefined
    let current: number | undefined
    let stopped = false
    const dial = () => {
      const peer = this.#nextPeer++
      current = peer
      const handlers = this.#handlers(peer, () => {
        if (stopped) return
        timer = setTimeout(dial, retryMs * (0.5 + Math.random() / 2))
        retryMs = Math.min(retryMsMax, retryMs * 2)
      })
      const link = transport.connect({
        ...handlers,
        open: () => {
          retryMs = retryMsMin
          handlers.open()
        },
      })
      this.#links.set(peer, link)
    }
    const stop = () => {
      stopped = true
      clearTimeout(timer)
      this.#dialling.delete(stop)
      if (current !== undefined) this.#links.get(current)?.close()
    }
    this.#dialling.add(stop)
    dial()
    return stop
  }

  #accept(link: Link): LinkHandlers {
    this.#requireOpen()
    const peer = this.#nextPeer++
    this.#links.set(peer, link)
    return this.#handlers(peer, () => {})
  }

  #close(): void {
    if (this.#closed) return
    const actions: MeshAction[] = []
    this.replica.flush(Date.now(), actions)
    this.#perform(actions)
    this.#closed = true
    clearInterval(this.#ticker)
    for (const stop of [...this.#dialling]) stop()
    for (const link of [...this.#links.values()]) link.close()
  }

  #requireOpen(): void {
    if (this.#closed) throw new AtomikError('closed', 'the space is closed')
  }

  #status(): MeshStatus {
    return {
      peers: this.replica.peerCount,
      equal: this.#equal.size,
      open: this.replica.openChanges,
      histories: this.replica.historyCount,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
    }
  }

  #branch(): BranchSpace<T> {
    this.#requireOpen()
    return new LocalBranch<T>(this.replica, this.#schema, {
      tables: this.space,
      merged: rows => this.#touch(rows),
      watch: watcher => {
        this.#watchers.add(watcher)
        return () => this.#watchers.delete(watcher)
      },
      requireOpen: () => this.#requireOpen(),
    }).space
  }

  #undo(change: number, how: 'undo' | 'redo'): number {
    this.#requireOpen()
    const undoing = this.replica[how](Date.now(), change)
    this.#touch(this.replica.rowsOf(change))
    return undoing
  }

  #face(): MeshSpace<T> {
    const face: Record<string, unknown> = {
      transact: (make: () => void) => {
        this.#requireOpen()
        const change = this.replica.change(Date.now(), make)
        this.#touch([])
        return change
      },
      undo: (change: number) => this.#undo(change, 'undo'),
      redo: (change: number) => this.#undo(change, 'redo'),
      branch: () => this.#branch(),
      status: () => this.#status(),
      stats: () => this.replica.stats,
      on: <Name extends keyof MeshEvents>(event: Name, listener: MeshEvents[Name]) => {
        const listeners = this.#listeners[event] as Set<MeshEvents[Name]>
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      connect: (transport: Transport) => this.#connect(transport),
      accept: (link: Link) => this.#accept(link),
      image: () => this.replica.image(Date.now()),
      close: () => this.#close(),
    }
    for (let table = 0; table < this.#schema.names.length; table++) {
      const { face: rows, notify } = openAny(this.#schema.tables[table], table, this)
      this.#tables[table] = { notify }
      face[this.#schema.names[table]] = rows
    }
    return face as MeshSpace<T>
  }
}

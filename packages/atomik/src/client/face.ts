/** What a program sees of a connected space: options, status, events, and the space itself. Types, and the names it keeps for itself. */
import type { Transport } from '../adapters/index.ts'
import type { ReplicaStats, SpaceStorage } from '../engine/index.ts'
import type { AtomikError, ErrorCode } from '../errors.ts'
import type { BranchSpace } from './branch.ts'
import type { SharedStorage } from './shared.ts'
import type { TableOf, TablesOf } from './tables.ts'

/** Names a connected space has for itself. */
export const reservedTableNames = [
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

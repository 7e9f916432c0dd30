/**
 * The storage port: an ordered map of bytes to bytes with atomic, durable writes. Adapters live in `adapters`; one contract
 * suite (`adapters/storage.contract.ts`) says what every one of them must do.
 */
import type { Schema } from '../schema/index.ts'
import type { ReplicaImage } from './replica-store.ts'

export interface Put {
  readonly key: Uint8Array
  /** Undefined removes the key. */
  readonly value: Uint8Array | undefined
}

export interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** What a replica needs. It reads once, at its opening, so reading may take its time, as it does in browsers. */
export interface ReplicaStorage {
  /**
   * All entries whose key starts with `prefix`, in ascending order of key bytes.
   * @throws AtomikError `storage` or `closed`, at the call or while iterating
   */
  range(prefix: Uint8Array): Iterable<Entry> | AsyncIterable<Entry>
  /**
   * Writes all puts or none. Resolves once they survive a power cut; writes are durable in the order of the calls.
   * Borrows keys and values until then.
   * @throws AtomikError `storage` with the cause; then none of them is there
   */
  write(puts: readonly Put[]): Promise<void>
  close(): Promise<void>
}

/** What a hub needs: the same, and reading without waiting. */
export interface Storage extends ReplicaStorage {
  range(prefix: Uint8Array): Iterable<Entry>
}

/** Where a client keeps the replicas of its spaces. What `connect` is handed; a `ReplicaStorage` with a lock is one way to make it. */
export interface SpaceStorage {
  /**
   * Takes hold of one space: until the seat is closed nobody else writes its records, in whatever process.
   * @throws AtomikError `in-use` when somebody else does, `storage` when it cannot be read, `schema` as `loadReplica`
   */
  open(space: string, schema: Schema): Promise<Seat>
}

/** One space of a storage, held by one client. */
export interface Seat {
  /** What is kept of it, empty or not. */
  readonly image: ReplicaImage
  /** As `ReplicaStorage.write`. */
  write(puts: readonly Put[]): Promise<void>
  /** Lets the space go, after the last write. */
  close(): Promise<void>
}

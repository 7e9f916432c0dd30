/**
 * Storage in LMDB, for Node. A write is one transaction and resolves after the data and the page that points to it are
 * synced to disk. `overlappingSync: false` is not negotiable: the library's default acknowledges commits that a copied or
 * snapshotted volume may not contain (docs/decisions/0003-storage.md).
 */

import { closeSync, fdatasyncSync, openSync, statSync } from 'node:fs'
import type { Put, SpaceStorage, Storage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import { fileOf, requireWholeFile } from './lmdb-file.ts'
import { lockName } from './lock-process.ts'
import { keepIn } from './space-storage.ts'

export { checkStore } from './lmdb-file.ts'

/** The part of `lmdb` used here. The package is an optional peer: install it where you open a store. */
interface LmdbDatabase {
  getRange(options: {
    start?: Uint8Array
    end?: Uint8Array
  }): Iterable<{ key: Uint8Array; value: Uint8Array }>
  transaction<T>(action: () => T): Promise<T>
  putSync(key: Uint8Array, value: Uint8Array): unknown
  removeSync(key: Uint8Array): unknown
  close(): Promise<void>
}

export interface LmdbOptions {
  /** Folder or file of the store; made when absent. */
  readonly path: string
  /** Most bytes the store may grow to. Default 16 GiB of address space; the file is as large as its content. */
  readonly mapBytesMax?: number
  readonly readOnly?: boolean
}

/**
 * Keeps the replicas of a client on disk: what `connect` takes as `storage`. One store may hold many spaces, and several processes
 * may use it, but each space is held by one of them: another that opens it fails with `in-use`, until the first closes it or dies.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs'
 * import { connect, counter, table } from 'atomik'
 * import { lmdb } from 'atomik/storage/lmdb'
 *
 * const storage = lmdb({ path: mkdtempSync('/tmp/fleet-') }) // or a folder of your own
 * const fleet = await connect(url, { tables: { airports: table({ departures: counter() }) }, storage })
 * fleet.airports.row('ATL').departures.add(1)
 * await fleet.saved() // from here on it survives a power cut, hub or no hub
 * await fleet.close()
 * ```
 */
export function lmdb(options: LmdbOptions): SpaceStorage {
  return keepIn(
    () => LmdbStorage.open(options),
    space => {
      const { dev, ino } = statSync(fileOf(options.path) ?? options.path)
      return lockName(`${dev}:${ino}:${space}`, `the space ${space} of the store ${options.path}`)
    },
  )
}

export class LmdbStorage implements Storage {
  readonly #database: LmdbDatabase
  #closed = false

  private constructor(database: LmdbDatabase) {
    this.#database = database
  }

  /** @throws AtomikError `storage` when the store cannot be opened, with the cause */
  static async open(options: LmdbOptions): Promise<LmdbStorage> {
    try {
      requireWholeFile(options.path)
      if (options.readOnly !== true) syncWhatIsThere(options.path)
      const { open } = await import('lmdb')
      const database = open({
        path: options.path,
        keyEncoding: 'binary',
        encoding: 'binary',
        overlappingSync: false,
        eventTurnBatching: false,
        mapSize: options.mapBytesMax ?? 16 * 2 ** 30,
        readOnly: options.readOnly ?? false,
      } as Parameters<typeof open>[0])
      return new LmdbStorage(database as unknown as LmdbDatabase)
    } catch (cause) {
      if (cause instanceof AtomikError) throw cause
      throw new AtomikError('storage', `cannot open the store ${options.path}: ${reason(cause)}`, { cause })
    }
  }

  *range(prefix: Uint8Array): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    this.#requireOpen()
    const end = successor(prefix)
    try {
      for (const { key, value } of this.#database.getRange({ start: prefix, ...(end && { end }) }))
        yield { key: new Uint8Array(key), value: new Uint8Array(value) }
    } catch (cause) {
      throw new AtomikError('storage', `cannot read the store: ${reason(cause)}`, { cause })
    }
  }

  async write(puts: readonly Put[]): Promise<void> {
    this.#requireOpen()
    try {
      await this.#database.transaction(() => {
        for (const { key, value } of puts) {
          if (value === undefined) this.#database.removeSync(key)
          else this.#database.putSync(key, value)
        }
      })
    } catch (failure) {
      const cause = await rootCause(failure)
      throw new AtomikError('storage', `cannot write to the store: ${reason(cause)}`, { cause })
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#database.close()
  }

  #requireOpen(): void {
    if (this.#closed) throw new AtomikError('closed', 'the storage is closed')
  }
}

/**
 * A process that was killed between a write and its sync leaves what the next one reads, and what a power cut would still take back: it
 * counts as saved from here on, so it must be.
 */
function syncWhatIsThere(path: string): void {
  const file = fileOf(path)
  if (file === undefined) return
  const fd = openSync(file, 'r+')
  try {
    fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** A failed commit names its cause in a promise of its own, which somebody must await. */
async function rootCause(failure: unknown): Promise<unknown> {
  if (!(failure instanceof Error) || !('commitError' in failure)) return failure
  const never = new Promise<unknown>(resolve => setTimeout(resolve, 1000, failure))
  return Promise.race([
    Promise.resolve(failure.commitError).then(
      () => failure,
      cause => cause,
    ),
    never,
  ])
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

/** The least key above all keys with this prefix, or undefined when there is none. */
function successor(prefix: Uint8Array): Uint8Array | undefined {
  let last = prefix.length - 1
  while (last >= 0 && prefix[last] === 0xff) last--
  if (last < 0) return undefined
  const next = prefix.slice(0, last + 1)
  next[last]++
  return next
}

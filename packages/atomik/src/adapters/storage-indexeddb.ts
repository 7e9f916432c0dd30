/**
 * Storage in IndexedDB, for browsers. A write is one transaction with `durability: 'strict'`: it resolves after the browser has asked the disk to
 * sync. Keys are bytes, which IndexedDB orders as we do. Plain IndexedDB, without a wrapper: docs/decisions/0014-durable-clients.md.
 */
import type { Entry, Put, ReplicaStorage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'

const records = 'records'

export class IndexedDbStorage implements ReplicaStorage {
  readonly #database: IDBDatabase
  /** Why nothing more can be done. */
  #ended: AtomikError | undefined

  private constructor(database: IDBDatabase) {
    this.#database = database
    database.onclose = () => {
      this.#ended ??= new AtomikError('storage', `the browser closed the database ${database.name}`)
    }
    // Somebody wants to delete it: we are in nobody's way, and our writes fail from here on.
    database.onversionchange = () => {
      this.#ended ??= new AtomikError('storage', `the database ${database.name} is being deleted`)
      database.close()
    }
  }

  /**
   * @param name of the database; made when absent
   * @throws AtomikError `storage` when the browser has none or refuses, with the cause
   */
  static async open(name = 'atomik'): Promise<IndexedDbStorage> {
    if (typeof indexedDB === 'undefined')
      throw new AtomikError('storage', 'there is no IndexedDB here: it lives in browsers')
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(records)
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(new IndexedDbStorage(request.result))
      request.onerror = () => reject(failure(`cannot open the database ${name}`, request.error))
    })
  }

  async *range(prefix: Uint8Array): AsyncIterable<Entry> {
    this.#requireOpen()
    const end = successor(prefix)
    const query =
      end !== undefined
        ? IDBKeyRange.bound(prefix, end, false, true)
        : prefix.length > 0
          ? IDBKeyRange.lowerBound(prefix)
          : null
    const [keys, values] = await new Promise<[IDBValidKey[], Uint8Array[]]>((resolve, reject) => {
      const transaction = this.#begin('readonly')
      const store = transaction.objectStore(records)
      const keys = store.getAllKeys(query)
      const values = store.getAll(query)
      transaction.oncomplete = () => resolve([keys.result, values.result as Uint8Array[]])
      transaction.onabort = () => reject(failure('cannot read the database', transaction.error))
    })
    for (const [i, key] of keys.entries()) yield { key: new Uint8Array(key as ArrayBuffer), value: values[i] }
  }

  async write(puts: readonly Put[]): Promise<void> {
    this.#requireOpen()
    return new Promise((resolve, reject) => {
      const transaction = this.#begin('readwrite')
      const store = transaction.objectStore(records)
      transaction.oncomplete = () => resolve()
      transaction.onabort = () =>
        reject(this.#ended ?? failure('cannot write to the database', transaction.error))
      // A view is kept together with all of its buffer, so each is copied.
      for (const { key, value } of puts) {
        if (value === undefined) store.delete(key.slice())
        else store.put(value.slice(), key.slice())
      }
      transaction.commit()
    })
  }

  async close(): Promise<void> {
    if (this.#ended?.code === 'closed') return
    this.#ended = new AtomikError('closed', 'the storage is closed')
    // What is under way is still completed.
    this.#database.close()
  }

  #begin(mode: IDBTransactionMode): IDBTransaction {
    try {
      return this.#database.transaction(records, mode, { durability: 'strict' })
    } catch (cause) {
      throw failure('cannot use the database', cause)
    }
  }

  #requireOpen(): void {
    if (this.#ended !== undefined) throw this.#ended
  }
}

function failure(what: string, cause: unknown): AtomikError {
  const why = cause instanceof Error ? `${cause.name} ${cause.message}` : 'the browser does not say why'
  return new AtomikError('storage', `${what}: ${why}`, { cause })
}

/** The least key above all keys with this prefix, or undefined when there is none. */
function successor(prefix: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  let last = prefix.length - 1
  while (last >= 0 && prefix[last] === 0xff) last--
  if (last < 0) return undefined
  const next = prefix.slice(0, last + 1)
  next[last]++
  return next
}

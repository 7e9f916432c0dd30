/** Storage in memory: for tests, and for spaces nobody needs tomorrow. Durable for as long as the process lives. */

import type { Put, Storage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import { compareBytes } from '../wire/index.ts'

export class MemoryStorage implements Storage {
  /** Sorted by key. */
  #entries: { readonly key: Uint8Array; readonly value: Uint8Array }[] = []
  #closed = false;

  *range(prefix: Uint8Array): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    this.#requireOpen()
    for (let i = this.#find(prefix); i < this.#entries.length; i++) {
      const entry = this.#entries[i]
      if (
        entry.key.length < prefix.length ||
        compareBytes(entry.key.subarray(0, prefix.length), prefix) !== 0
      )
        return
      yield entry
    }
  }

  async write(puts: readonly Put[]): Promise<void> {
    this.#requireOpen()
    for (const { key, value } of puts) {
      const at = this.#find(key)
      const found = at < this.#entries.length && compareBytes(this.#entries[at].key, key) === 0
      if (value === undefined) this.#entries.splice(at, found ? 1 : 0)
      else this.#entries.splice(at, found ? 1 : 0, { key: key.slice(), value: value.slice() })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #requireOpen(): void {
    if (this.#closed) throw new AtomikError('closed', 'the storage is closed')
  }

  /** Index of the first entry whose key is not below `key`. */
  #find(key: Uint8Array): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareBytes(this.#entries[middle].key, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

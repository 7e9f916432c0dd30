/** The log of a space as far as it is in memory: entries in the order of their log numbers, without holes. */
import type { ErrorCode } from '../errors.ts'
import type { Stamp } from '../wire/index.ts'

export interface LogEntry {
  /** The incarnation whose batch made it, in hexadecimal digits, and the batch's bound. */
  readonly author: string
  readonly to: number
  readonly refused: ErrorCode | undefined
  /** As readers of the whole schema get it: rows by number, new rows with their key. Empty when refused. */
  readonly body: Uint8Array
  /** What the stamps in it are coded against: the largest in the state before it, or the stamp base. */
  readonly base: Stamp
  /** The same for the views that had readers when it was made; undefined where nothing of it is theirs. */
  readonly parts: ReadonlyMap<string, Uint8Array | undefined>
}

/** What an entry costs besides its body, about. */
const entryBytes = 16

export class SpaceLog {
  /** Entries (from, end]. */
  #entries: LogEntry[] = []
  #from: number
  #bytes = 0

  constructor(from: number) {
    this.#from = from
  }

  get from(): number {
    return this.#from
  }

  get bytes(): number {
    return this.#bytes
  }

  push(entry: LogEntry): void {
    this.#entries.push(entry)
    this.#bytes += entry.body.length + entryBytes
  }

  /** The entry that leads from this log number to the next. */
  after(lsn: number): LogEntry {
    return this.#entries[lsn - this.#from]
  }

  /** Forgets entries up to `lsn`, and stops earlier once at most `bytesMax` are left. */
  trim(lsn: number, bytesMax: number): void {
    let drop = 0
    while (this.#from + drop < lsn && drop < this.#entries.length && this.#bytes > bytesMax) {
      this.#bytes -= this.#entries[drop].body.length + entryBytes
      drop++
    }
    if (drop === 0) return
    this.#entries = this.#entries.slice(drop)
    this.#from += drop
  }
}

/**
 * The log of a space as far as it is in memory: entries in the order of their log numbers, without holes. Bodies lie one after the
 * other in one array of bytes and the rest in flat arrays beside it: hundreds of thousands of entries are a few objects for the
 * collector, and accepting a batch leaves none behind.
 */
import type { ErrorCode } from '../errors.ts'
import { errorCodes, type Stamp } from '../wire/index.ts'

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
const entryBytes = 48
const noParts: ReadonlyMap<string, Uint8Array | undefined> = new Map()

export class SpaceLog {
  /** Entries (from, from + count]; the one after log number n is at n − #origin. */
  #from: number
  #count = 0
  #origin: number
  #authors: string[] = []
  #to = new Float64Array(64)
  /** 0, or 1 + the number of the error. */
  #refused = new Uint8Array(64)
  /** Milliseconds and counts of the stamps that bodies are coded against. */
  #baseMs = new Float64Array(64)
  #baseCounts = new Uint16Array(64)
  /** Where a body begins; it ends where the next begins. */
  #starts = new Float64Array(65)
  #bodies = new Uint8Array(1024)
  /** By log number before it, for the few that have any. */
  readonly #parts = new Map<number, ReadonlyMap<string, Uint8Array | undefined>>()

  constructor(from: number) {
    this.#from = from
    this.#origin = from
  }

  get from(): number {
    return this.#from
  }

  get bytes(): number {
    const first = this.#from - this.#origin
    return this.#starts[first + this.#count] - this.#starts[first] + entryBytes * this.#count
  }

  push({ author, to, refused, body, base, parts }: LogEntry): void {
    if (this.#from - this.#origin + this.#count === this.#to.length) this.#grow()
    const at = this.#from - this.#origin + this.#count
    const start = this.#starts[at]
    const end = start + body.length
    if (end > this.#bodies.length) {
      const bodies = new Uint8Array(Math.max(2 * this.#bodies.length, end))
      bodies.set(this.#bodies.subarray(0, start))
      this.#bodies = bodies
    }
    this.#bodies.set(body, start)
    this.#starts[at + 1] = end
    this.#authors[at] = author
    this.#to[at] = to
    this.#baseMs[at] = base.ms
    this.#baseCounts[at] = base.count
    this.#refused[at] = refused === undefined ? 0 : 1 + errorCodes.indexOf(refused)
    if (parts.size > 0) this.#parts.set(this.#from + this.#count, parts)
    this.#count++
  }

  /** The entry that leads from this log number to the next. Its body is borrowed: it holds until the next push or trim. */
  after(lsn: number): LogEntry {
    const at = lsn - this.#origin
    const refused = this.#refused[at]
    return {
      author: this.#authors[at],
      to: this.#to[at],
      refused: refused === 0 ? undefined : errorCodes[refused - 1],
      body: this.#bodies.subarray(this.#starts[at], this.#starts[at + 1]),
      base: { ms: this.#baseMs[at], count: this.#baseCounts[at] },
      parts: this.#parts.get(lsn) ?? noParts,
    }
  }

  /** Forgets entries up to `lsn`, and stops earlier once at most `bytesMax` are left. */
  trim(lsn: number, bytesMax: number): void {
    while (this.#from < lsn && this.#count > 0 && this.bytes > bytesMax) {
      this.#parts.delete(this.#from)
      this.#from++
      this.#count--
    }
    // What is forgotten goes once it is more than what is left: each entry moves once on average.
    if (this.#from - this.#origin > Math.max(64, this.#count)) this.#compact(this.#to.length)
  }

  #grow(): void {
    const first = this.#from - this.#origin
    this.#compact(first > this.#count ? this.#to.length : 2 * this.#to.length)
  }

  /** Moves what is left to the front, into arrays of this many entries at most. */
  #compact(capacity: number): void {
    const first = this.#from - this.#origin
    const count = this.#count
    let entries = capacity
    while (entries > 64 && entries >= 4 * count) entries /= 2
    const start = this.#starts[first]
    const bodyBytes = this.#starts[first + count] - start
    const last = first + count
    const [to, baseMs, starts] = [
      new Float64Array(entries),
      new Float64Array(entries),
      new Float64Array(entries + 1),
    ]
    const [refused, baseCounts] = [new Uint8Array(entries), new Uint16Array(entries)]
    to.set(this.#to.subarray(first, last))
    baseMs.set(this.#baseMs.subarray(first, last))
    refused.set(this.#refused.subarray(first, last))
    baseCounts.set(this.#baseCounts.subarray(first, last))
    for (let i = 0; i <= count; i++) starts[i] = this.#starts[first + i] - start
    const bodies = new Uint8Array(Math.max(1024, 2 * bodyBytes))
    bodies.set(this.#bodies.subarray(start, start + bodyBytes))
    this.#authors = this.#authors.slice(first, last)
    this.#baseMs = baseMs
    this.#baseCounts = baseCounts
    this.#to = to
    this.#refused = refused
    this.#starts = starts
    this.#bodies = bodies
    this.#origin = this.#from
  }
}

/**
 * The log of a space as far as it is in memory: entries in the order of their log numbers, without holes. Bodies lie one after the
 * other in one array of bytes and the rest in flat arrays beside it: hundreds of thousands of entries are a few objects for the
 * collector, and accepting a batch leaves none behind.
 */
import type { ErrorCode } from '../errors.ts'
import { errorCodes, errorNumber, StampMark, type Writer } from '../wire/index.ts'

export interface LogEntry {
  /** The incarnation whose batch made it, in hexadecimal digits, and the batch's bound. */
  readonly author: string
  readonly to: number
  readonly refused: ErrorCode | undefined
  /** As readers of the whole schema get it: rows by number, new rows with their key. Empty when refused. */
  readonly body: Uint8Array
  /** What the stamps in it are coded against: the largest in the state before it, or the stamp base. */
  readonly base: StampMark
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
  /** Plain numbers: small integers stay such, which those of a Float64Array do not. */
  #to: number[] = []
  #capacity = 64
  /** 0, or 1 + the number of the error. */
  #refused = new Uint8Array(64)
  /** The stamps that bodies are coded against, two halves each. */
  #bases = new Int32Array(128)
  /** Where a body begins; it ends where the next begins. */
  #starts = new Int32Array(65)
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
    const code = refused === undefined ? 0 : 1 + errorNumber(refused)
    this.add(author, to, code, body, 0, body.length, base, parts)
  }

  /** The same from where things lie: the body's bytes from `start` to `end` − 1, and 0 or 1 + the number of the error. */
  add(
    author: string,
    to: number,
    refused: number,
    bytes: Uint8Array,
    from: number,
    until: number,
    base: StampMark,
    parts: ReadonlyMap<string, Uint8Array | undefined>,
  ): void {
    if (this.#from - this.#origin + this.#count === this.#capacity) this.#grow()
    const at = this.#from - this.#origin + this.#count
    const start = this.#starts[at]
    const end = start + until - from
    if (end > this.#bodies.length) {
      const bodies = new Uint8Array(Math.max(2 * this.#bodies.length, end))
      bodies.set(this.#bodies.subarray(0, start))
      this.#bodies = bodies
    }
    const body = this.#bodies
    for (let i = from, at = start; i < until; i++) body[at++] = bytes[i]
    this.#starts[at + 1] = end
    this.#authors[at] = author
    this.#to[at] = to
    this.#bases[2 * at] = base.low
    this.#bases[2 * at + 1] = base.high
    this.#refused[at] = refused
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
      base: StampMark.of(this.#bases[2 * at], this.#bases[2 * at + 1]),
      parts: this.#parts.get(lsn) ?? noParts,
    }
  }

  /** The same one by one, of the entry that leads from this log number to the next. */
  author(lsn: number): string {
    return this.#authors[lsn - this.#origin]
  }

  to(lsn: number): number {
    return this.#to[lsn - this.#origin]
  }

  refused(lsn: number): ErrorCode | undefined {
    const refused = this.#refused[lsn - this.#origin]
    return refused === 0 ? undefined : errorCodes[refused - 1]
  }

  parts(lsn: number): ReadonlyMap<string, Uint8Array | undefined> {
    return this.#parts.size === 0 ? noParts : (this.#parts.get(lsn) ?? noParts)
  }

  /** How many entries from this log number on, up to `end`, are accepted batches of one author whose bounds lie in (after, last]. */
  runOf(lsn: number, end: number, author: string, after: number, last: number): number {
    const authors = this.#authors
    const to = this.#to
    const refused = this.#refused
    const first = lsn - this.#origin
    const stop = end - this.#origin
    let at = first
    while (at < stop && authors[at] === author && refused[at] === 0 && to[at] > after && to[at] <= last) at++
    return at - first
  }

  bodyBytes(lsn: number): number {
    return this.#starts[lsn - this.#origin + 1] - this.#starts[lsn - this.#origin]
  }

  writeBody(w: Writer, lsn: number): void {
    w.copy(this.#bodies, this.#starts[lsn - this.#origin], this.#starts[lsn - this.#origin + 1])
  }

  /** Forgets entries up to `lsn`, and stops earlier once at most `bytesMax` are left. */
  trim(lsn: number, bytesMax: number): void {
    while (this.#count > 0 && this.#from < lsn && this.bytes > bytesMax) {
      this.#parts.delete(this.#from)
      this.#from++
      this.#count--
    }
    // What is forgotten goes once it is more than what is left: each entry moves once on average.
    if (this.#from - this.#origin > Math.max(64, this.#count)) this.#compact(this.#capacity)
  }

  #grow(): void {
    const first = this.#from - this.#origin
    this.#compact(first > this.#count ? this.#capacity : 2 * this.#capacity)
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
    if (entries === this.#capacity && bodyBytes <= this.#bodies.length) {
      this.#moveDown(first, start, bodyBytes)
      return
    }
    const starts = new Int32Array(entries + 1)
    const [refused, bases] = [new Uint8Array(entries), new Int32Array(2 * entries)]
    bases.set(this.#bases.subarray(2 * first, 2 * last))
    refused.set(this.#refused.subarray(first, last))
    for (let i = 0; i <= count; i++) starts[i] = this.#starts[first + i] - start
    const bodies = new Uint8Array(Math.max(1024, 2 * bodyBytes))
    bodies.set(this.#bodies.subarray(start, start + bodyBytes))
    this.#authors = this.#authors.slice(first, last)
    this.#bases = bases
    this.#to = this.#to.slice(first, last)
    this.#capacity = entries
    this.#refused = refused
    this.#starts = starts
    this.#bodies = bodies
    this.#origin = this.#from
  }

  /** The same within the arrays as they are. */
  #moveDown(first: number, start: number, bodyBytes: number): void {
    const count = this.#count
    const [authors, to, starts] = [this.#authors, this.#to, this.#starts]
    for (let i = 0; i < count; i++) {
      authors[i] = authors[first + i]
      to[i] = to[first + i]
    }
    for (let i = 0; i <= count; i++) starts[i] = starts[first + i] - start
    this.#bases.copyWithin(0, 2 * first, 2 * (first + count))
    this.#refused.copyWithin(0, first, first + count)
    this.#bodies.copyWithin(0, start, start + bodyBytes)
    this.#origin = this.#from
  }
}

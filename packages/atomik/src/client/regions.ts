/**
 * What a program holds of a table of regions: byte arrays by name, read and patched in place. One client writes a region at a
 * time; the hub refuses what others write there, and they are told as of any refusal.
 */
import {
  isNewRegion,
  mayPatch,
  nameWriter,
  PageDigests,
  pageKey,
  parsePageKey,
  patchPage,
  type RowRef,
  readPage,
  regionWords,
} from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { type RegionSchema, regionTable } from '../schema/index.ts'
import { encodeUtf8, type Halves } from '../wire/index.ts'
import type { Host } from './handles.ts'

export interface Region {
  readonly name: string
  /** False before the first claim and after `remove`. */
  readonly exists: boolean
  /** Bytes. */
  readonly length: number
  readonly pageBytes: number
  /**
   * Who may write it: this client, somebody else, or nobody until a claim, which is also what it says of a region that this client wrote before
   * it was closed.
   */
  readonly writer: 'us' | 'others' | 'nobody'
  /**
   * Becomes its writer, and resolves when the hub has confirmed it: from then on we have all that was written before. A new
   * region may be written at once. The right is that of an incarnation, so it ends with the program, and where a copy of this client shows
   * itself: claim again. With a `storage`, what was patched before still counts, and the region is still ours to claim without force.
   * @param options.force take it from somebody else, whose later patches the hub will refuse
   * @throws AtomikError `owner` when somebody else has it, or was faster; `readonly` on a branch and in tabs that share a space
   */
  claim(options?: { readonly force?: boolean }): Promise<void>
  /** Ceases to be its writer. @throws AtomikError `owner` */
  release(): number
  /**
   * Puts these bytes at `offset`, as one change; the region grows as needed, with zeros in between. Undo flips back what it flipped,
   * so of patches that overlap undo the last first.
   * @throws AtomikError `owner` unless we are its writer, `range` beyond the largest region, `oversized` for more than
   * `limits.patchBytesMax` bytes
   */
  patch(offset: number, bytes: Uint8Array): number
  /** Makes these the whole content, in as many changes as it takes. Returns their numbers. @throws AtomikError as `patch` */
  write(bytes: Uint8Array): number[]
  /** Cuts it off, or lets it grow by zeros. @throws AtomikError `owner`, `range` */
  resize(length: number): number
  /** At most `length` bytes from `offset`: fewer at the end. Default all. @throws AtomikError `range` */
  read(offset?: number, length?: number): Uint8Array
  /** Removes it. @throws AtomikError `owner` */
  remove(): number
  /** One digest of length and content: 16 hexadecimal digits. Only pages that changed since are read again. */
  digest(): string
  /** A digest of each page, in order. */
  digests(): Halves[]
}

export interface RegionTable {
  /** The region of this name. Asking for it does not make it exist; the first claim does. @throws AtomikError `range` */
  region(name: string): Region
  /** Regions that exist. */
  regions(): Iterable<Region>
  /** Calls back for every page that changes, here or elsewhere, after all of a batch is applied; page 0 also for length and writer. */
  subscribe(listener: (region: Region, page: number) => void): () => void
}

/** What regions need of the client they belong to. */
export interface RegionHost extends Host {
  /** Who we are to a region; undefined where regions cannot be written. */
  writer(): Halves | undefined
  /** True when this is who we were to a region in an earlier opening. */
  wrote(writer: Halves): boolean
  /** A region that is not seen here may be one of ours. */
  readonly mayMissRegions: boolean
  synced(): Promise<void>
  /** Rows that have changed and nobody was told yet. */
  readonly untold: readonly RowRef[]
}

class PagedRegion implements Region {
  readonly name: string
  readonly pageBytes: number
  readonly #table: number
  readonly #host: RegionHost
  readonly #words: Int32Array
  readonly #digests = new PageDigests()

  constructor(name: string, schema: RegionSchema, table: number, host: RegionHost) {
    this.name = name
    this.pageBytes = schema.pageBytes
    this.#table = table
    this.#host = host
    this.#words = new Int32Array(2 * schema.layout.words)
  }

  get exists(): boolean {
    return this.#load(0) !== undefined
  }

  get length(): number {
    return (this.#load(0)?.[2 * regionWords.length + 2] ?? 0) >>> 0
  }

  get writer(): 'us' | 'others' | 'nobody' {
    const words = this.#load(0)
    if (words === undefined) return 'nobody'
    const [low, high] = words.subarray(2 * regionWords.writer + 2)
    if ((low | high) === 0) return 'nobody'
    const us = this.#host.writer()
    if (low === us?.low && high === us.high) return 'us'
    return this.#host.wrote({ low, high }) ? 'nobody' : 'others'
  }

  async claim(options: { readonly force?: boolean } = {}): Promise<void> {
    if (this.#isOurs()) return
    this.#requireWritable()
    if (this.writer === 'others' && options.force !== true)
      throw new AtomikError('owner', `region ${this.name} is written by somebody else`)
    await this.#tryToClaim()
    // Refused, as we took it for new and it was not, or changes before it were and took our right with them: now we know.
    if (!this.#isOurs() && (options.force === true || this.writer === 'nobody')) await this.#tryToClaim()
    if (!this.#isOurs())
      throw new AtomikError(
        'owner',
        `region ${this.name} is not ours: somebody else was faster, or the claim was refused`,
      )
  }

  async #tryToClaim(): Promise<void> {
    if (this.writer !== 'us') this.#name(this.#requireWritable())
    await this.#host.synced()
  }

  release(): number {
    this.#requireOurs()
    return this.#name({ low: 0, high: 0 })
  }

  #name(writer: Halves): number {
    const head = this.#row(0)
    return this.#host.edit(this.#table, head, edit => {
      const shown = this.#words
      this.#host.replica.readRow(this.#table, head, shown)
      const isNew = isNewRegion(shown, this.#confirmed(head), this.#host.mayMissRegions)
      nameWriter(edit, this.#table, head, isNew, writer)
    })
  }

  /** The reference's words of a row. */
  #confirmed(row: number): Int32Array {
    const { words, layout } = this.#host.replica.reference.tables[this.#table]
    return words.subarray(2 * row * layout.words, 2 * (row + 1) * layout.words)
  }

  patch(offset: number, bytes: Uint8Array): number {
    requireIndex(offset, 'an offset')
    if (bytes.length > limits.patchBytesMax)
      throw new AtomikError(
        'oversized',
        `a patch of ${bytes.length} bytes, at most ${limits.patchBytesMax} travel as one change`,
      )
    const end = offset + bytes.length
    if (end > limits.regionBytesMax)
      throw new AtomikError('range', `a region has at most ${limits.regionBytesMax} bytes, got ${end}`)
    this.#requireOurs()
    return this.#change(() => {
      if (end > this.length) this.#setLength(end)
      for (let at = offset; at < end; ) {
        const page = Math.floor(at / this.pageBytes)
        const inside = at - page * this.pageBytes
        const count = Math.min(this.pageBytes - inside, end - at)
        this.#patchPage(page, inside, bytes.subarray(at - offset, at - offset + count))
        at += count
      }
    })
  }

  write(bytes: Uint8Array): number[] {
    const changes: number[] = []
    if (bytes.length < this.length) changes.push(this.resize(bytes.length))
    const step = Math.max(1, Math.floor(limits.patchBytesMax / this.pageBytes)) * this.pageBytes
    for (let at = 0; at < bytes.length; at += step)
      changes.push(this.patch(at, bytes.subarray(at, at + step)))
    return changes
  }

  resize(length: number): number {
    requireIndex(length, 'a length')
    this.#requireOurs()
    return this.#change(() => {
      const before = this.length
      if (length === before) return
      this.#setLength(length)
      const kept = Math.ceil(length / this.pageBytes)
      for (let page = Math.max(1, kept); page * this.pageBytes < before; page++) {
        const row = this.#host.replica.findRow(this.#table, pageKey(page, this.name))
        if (row >= 0) this.#host.edit(this.#table, row, edit => edit.remove(this.#table, row))
      }
      const cut = length % this.pageBytes
      const page = Math.floor(length / this.pageBytes)
      if ((cut > 0 || page === 0) && length < before && this.#load(page) !== undefined)
        this.#patchPage(page, cut, new Uint8Array(this.pageBytes - cut))
    })
  }

  read(offset = 0, length = Number.POSITIVE_INFINITY): Uint8Array {
    requireIndex(offset, 'an offset')
    const end = Math.min(offset + length, this.length)
    const bytes = new Uint8Array(Math.max(0, end - offset))
    for (let at = offset; at < end; ) {
      const page = Math.floor(at / this.pageBytes)
      const inside = at - page * this.pageBytes
      const count = Math.min(this.pageBytes - inside, end - at)
      const words = this.#load(page)
      if (words !== undefined) readPage(words, inside, bytes.subarray(at - offset, at - offset + count))
      at += count
    }
    return bytes
  }

  remove(): number {
    this.#requireOurs()
    return this.#change(() => {
      this.resize(0)
      const head = this.#row(0)
      this.#host.edit(this.#table, head, edit => edit.remove(this.#table, head))
    })
  }

  digest(): string {
    this.digests()
    return this.#digests.whole(this.length)
  }

  digests(): Halves[] {
    for (const { table, row } of this.#host.untold) {
      if (table !== this.#table) continue
      const place = parsePageKey(this.#host.replica.reference.tables[table].keys[row])
      if (place?.name === this.name) this.#digests.mark(place.page)
    }
    const pages = Math.ceil(this.length / this.pageBytes)
    return Array.from({ length: pages }, (_, page) => this.#digests.page(page, () => this.#load(page)))
  }

  mark(page: number): void {
    this.#digests.mark(page)
  }

  /** READ of a page's row, or undefined when it is not there; valid until the next call. */
  #load(page: number): Int32Array | undefined {
    const row = this.#host.replica.findRow(this.#table, pageKey(page, this.name))
    if (row < 0) return undefined
    this.#host.replica.readRow(this.#table, row, this.#words)
    return (this.#words[0] & 1) === 1 ? this.#words : undefined
  }

  #row(page: number): number {
    return this.#host.replica.row(this.#table, pageKey(page, this.name))
  }

  /** All that `make` edits is one change; its number. */
  #change(make: () => void): number {
    const head = this.#row(0)
    return this.#host.edit(this.#table, head, make)
  }

  #setLength(length: number): void {
    const head = this.#row(0)
    this.#host.edit(this.#table, head, edit =>
      edit.write(this.#table, head, regionWords.length, Int32Array.of(length, 0)),
    )
  }

  #patchPage(page: number, inside: number, bytes: Uint8Array): void {
    const row = this.#row(page)
    this.#host.edit(this.#table, row, edit => {
      this.#host.replica.readRow(this.#table, row, this.#words)
      patchPage(edit, this.#table, row, this.#words, inside, bytes)
    })
  }

  /** True when what we write now will be taken: the hub knows us as the writer, or never knew one. */
  #isOurs(): boolean {
    const us = this.#host.writer()
    const shown = this.#load(0)
    return us !== undefined && shown !== undefined && mayPatch(shown, this.#confirmed(this.#row(0)), us)
  }

  #requireWritable(): Halves {
    const us = this.#host.writer()
    if (us === undefined)
      throw new AtomikError(
        'readonly',
        `region ${this.name} is read only here: on a branch, and in tabs that share a space`,
      )
    return us
  }

  #requireOurs(): void {
    this.#requireWritable()
    if (!this.#isOurs())
      throw new AtomikError('owner', `region ${this.name} is not ours to write: claim it, and wait for that`)
  }
}

function requireIndex(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > limits.regionBytesMax)
    throw new AtomikError('range', `expected ${what} from 0 to ${limits.regionBytesMax}, got ${value}`)
}

/** Makes the regions that a program sees, and the way to tell their listeners of a row. */
/**
 * A table of regions: byte arrays by name, for files and images, kept in pages. What travels and what a late reader fetches
 * are the pages that changed. One client writes a region at a time.
 *
 * @param options.pageBytes a multiple of 8 up to 16,384; default 4,096. Small pages cost a row each, large ones are fetched whole
 * @throws AtomikError `range`
 */
export function region(options: { readonly pageBytes?: number } = {}): RegionSchema {
  const schema = regionTable(options)
  // It brings its code along: whoever has no regions does not load it.
  const opened: RegionSchema & OpensItself = {
    ...schema,
    open: (table, host) => openRegions(schema, table, host),
  }
  return opened
}

/** A table that is no rows for a program says itself what it is. */
export interface OpensItself {
  open(table: number, host: RegionHost): { readonly face: unknown; notify(row: number): void }
}

function openRegions(
  schema: RegionSchema,
  table: number,
  host: RegionHost,
): { readonly face: RegionTable; notify(row: number): void } {
  const known = new Map<string, PagedRegion>()
  const listeners = new Set<(region: Region, page: number) => void>()
  const reference = host.replica.reference.tables[table]
  const regionOf = (name: string): PagedRegion => {
    let one = known.get(name)
    if (one === undefined) {
      const bytes = encodeUtf8(name).length
      // Eight bytes of a row's key are the page's number and a colon.
      if (bytes < 1 || bytes > limits.keyBytesMax - 8 || /\p{Surrogate}/u.test(name))
        throw new AtomikError(
          'range',
          `a region's name is text of 1 to ${limits.keyBytesMax - 8} UTF-8 bytes, got ${bytes}`,
        )
      one = new PagedRegion(name, schema, table, host)
      known.set(name, one)
    }
    return one
  }
  const face: RegionTable = {
    region: regionOf,
    *regions() {
      for (let row = 0; row < reference.count; row++) {
        const place = parsePageKey(reference.keys[row])
        if (place?.page === 0 && regionOf(place.name).exists) yield regionOf(place.name)
      }
    },
    subscribe: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return {
    face,
    notify: row => {
      const place = parsePageKey(reference.keys[row])
      if (place === undefined) return
      const one = regionOf(place.name)
      one.mark(place.page)
      for (const listener of listeners) listener(one, place.page)
    },
  }
}

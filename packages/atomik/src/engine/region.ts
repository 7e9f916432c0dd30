/**
 * Regions: byte arrays by page, as rows of a table whose words are in the `xor` lane, so a patch travels as the bits it flips and
 * two patches of different bytes never meet. Which bits those are is reckoned against what its writer sees, so only one may
 * write at a time: the hub holds that (`objectionToPages`, spec/semantics.md §10).
 *
 *   row `0:name`    life · writer (stamp, hash of an incarnation) · length (stamp, bytes) · the first page
 *   row `7:name`    life · 0 0 · 0 0 · the eighth page                      a page that is not there reads as zeros
 */
import { type Delta, Fingerprint, Mixer } from '../algebra/index.ts'
import type { ErrorCode } from '../errors.ts'
import { isRegion, type TableSchema } from '../schema/index.ts'
import type { Halves, NamedRow } from '../wire/index.ts'
import type { Reference } from './reference.ts'
import type { Edit } from './rows.ts'

/** Words of a page's row, as `region()` in `schema` places them. */
export const regionWords = { life: 0, writer: 1, length: 3, bytes: 5 } as const

/** The name of a row. */
export function pageKey(page: number, name: string): string {
  return `${page}:${name}`
}

/** The page and the region that a row's key names, or undefined when it names none. */
export function parsePageKey(key: string): { readonly page: number; readonly name: string } | undefined {
  const match = /^(0|[1-9][0-9]{0,6}):(.+)$/s.exec(key)
  return match === null ? undefined : { page: Number(match[1]), name: match[2] }
}

/**
 * How a region's row names the incarnation that may write: its hash, where the high half turns with every refusal that took bits of regions
 * with it. So who names itself has heard of all its refusals, and has not reckoned patches on what never came to be. Never 0, which
 * names nobody.
 * @param refused sequence at which its last refused batch ended that touched regions; 0 when there was none
 */
export function writerOf(incarnation: Uint8Array, refused = 0): Halves {
  const mixer = new Mixer()
  mixer.hash(0x7772_6974, incarnation)
  const low = mixer.low || 1
  if (refused > 0) mixer.mix(low, mixer.high, refused | 0, Math.floor(refused / 2 ** 32))
  return { low, high: mixer.high }
}

/** True when both name one incarnation, whatever was refused to it between. */
export function isSameWriter(a: Halves, b: Halves): boolean {
  return a.low === b.low
}

/** True when a batch has anything in a table of regions: then its refusal ends the rights of its incarnation. */
export function touchesRegions({ tables }: Delta, regions: readonly boolean[]): boolean {
  for (let t = 0; t < tables.length; t++) if (regions[t] && tables[t].count > 0) return true
  return false
}

/**
 * Why a batch that touches regions is not accepted, or undefined. Naming a writer is everybody's right; anything else in
 * a region is that of the writer named before this batch, or in this batch when nobody ever was.
 * @param us its author, as `writerOf` names it now
 */
export function objectionToPages(
  { delta, named }: { readonly delta: Delta; readonly named: readonly NamedRow[] },
  tables: readonly TableSchema[],
  reference: Reference,
  us: Halves,
): ErrorCode | undefined {
  for (let t = 0; t < tables.length; t++) {
    const part = delta.tables[t]
    if (part.count === 0 || !isRegion(tables[t])) continue
    const { keys, words } = reference.tables[t]
    const stride = 2 * part.layout.words
    const fresh = new Map<number, string>()
    const byKey = new Map<string, number>()
    for (const { table, key, row } of named) {
      if (table !== t) continue
      fresh.set(row, key)
      byKey.set(key, row)
    }
    for (let slot = 0; slot < part.count; slot++) {
      const row = part.rows[slot]
      const place = parsePageKey(row < keys.length ? keys[row] : (fresh.get(row) ?? ''))
      if (place === undefined) return 'range'
      if (place.page === 0 && isClaim(part.words, slot * stride, stride)) continue
      const headKey = pageKey(0, place.name)
      const head = byKey.get(headKey) ?? reference.tables[t].find(headKey)
      const before = head >= 0 && head < keys.length ? head * stride + 2 * regionWords.writer : -1
      if (before >= 0 && (words[before] | words[before + 1]) !== 0) {
        if (words[before + 2] !== us.low || words[before + 3] !== us.high) return 'owner'
        continue
      }
      // Nobody was named yet: then this batch must, or the page has no region.
      const opened = head < 0 ? -1 : part.find(head)
      const now = opened + 2 * regionWords.writer
      if (opened < 0 || part.words[now + 2] !== us.low || part.words[now + 3] !== us.high) return 'owner'
    }
  }
  return undefined
}

/**
 * Names a writer in page 0. A region that is new is claimed together with its length: then a hub that knows of somebody else refuses
 * that (`isClaim` is everybody's right), and with it all patches that took the region for empty.
 */
export function nameWriter(
  edit: Edit,
  table: number,
  head: number,
  isNew: boolean,
  { low, high }: Halves,
): void {
  edit.write(table, head, regionWords.writer, Int32Array.of(low, high))
  if (isNew) edit.write(table, head, regionWords.length, Int32Array.of(0, 0))
}

/**
 * True for a region of which this client knows nothing at all. Not while changes of an earlier incarnation wait: they may be refused
 * one by one, and what is shown holds their bits. Not while a reference that was given up comes back: the hub may know us as its writer.
 */
export function isNewRegion(
  shown: Int32Array,
  confirmed: Int32Array | undefined,
  mayMissRegions: boolean,
): boolean {
  const isUnnamed = confirmed === undefined || isZero(confirmed, regionWords.writer)
  return !mayMissRegions && isUnnamed && isZero(shown, regionWords.writer)
}

/**
 * True when what `us` patches now is reckoned against what it will be put on: the reference names us, or nobody yet and our claim
 * will be refused if that is not true.
 */
export function mayPatch(shown: Int32Array, confirmed: Int32Array | undefined, us: Halves): boolean {
  const names = (words: Int32Array) =>
    words[2 * regionWords.writer + 2] === us.low && words[2 * regionWords.writer + 3] === us.high
  if (!names(shown)) return false
  if (confirmed !== undefined && !isZero(confirmed, regionWords.writer)) return names(confirmed)
  // The length was written with the claim, or after it. Else this claim follows one of an earlier opening, whose fate is open.
  const [writer, length] = [2 * regionWords.writer, 2 * regionWords.length]
  return shown[length + 1] === shown[writer + 1]
    ? shown[length] >>> 0 >= shown[writer] >>> 0
    : shown[length + 1] >>> 0 > shown[writer + 1] >>> 0
}

/** No stamp there. */
function isZero(words: Int32Array, word: number): boolean {
  return (words[2 * word] | words[2 * word + 1]) === 0
}

/** True when this row of a batch names a writer, brings the region to life perhaps, and does nothing else. */
function isClaim(words: Int32Array, at: number, stride: number): boolean {
  const life = words[at]
  if ((life | words[at + 1]) !== 0 && (life & 1) === 0) return false
  for (let half = 2 * regionWords.length; half < stride; half++) if (words[at + half] !== 0) return false
  return true
}

/**
 * Makes the bytes of a page from `offset` on those given: one `xor` for each word in which they differ. `words` is READ of the
 * page's row. A page that is not alive counts as zeros; when it gets others, what its row still held is taken out.
 */
export function patchPage(
  edit: Edit,
  table: number,
  row: number,
  words: Int32Array,
  offset: number,
  bytes: Uint8Array,
): void {
  const isAlive = (words[0] & 1) === 1
  if (!isAlive) {
    if (bytes.every(byte => byte === 0)) return
    // Brings the page to life also when its row holds these very bytes.
    edit.xor(table, row, regionWords.bytes, 0, 0)
  }
  const first = isAlive ? offset >> 3 : 0
  const end = isAlive ? Math.ceil((offset + bytes.length) / 8) : (words.length >> 1) - regionWords.bytes
  for (let word = first; word < end; word++) {
    const at = 2 * (regionWords.bytes + word)
    const low = words[at] ^ patched(isAlive ? words[at] : 0, 8 * word, offset, bytes)
    const high = words[at + 1] ^ patched(isAlive ? words[at + 1] : 0, 8 * word + 4, offset, bytes)
    if ((low | high) !== 0) edit.xor(table, row, regionWords.bytes + word, low, high)
  }
}

/** The half that starts at byte `start` of the page, with those of its bytes replaced that the patch covers. */
function patched(half: number, start: number, offset: number, bytes: Uint8Array): number {
  let value = half
  const end = Math.min(start + 4, offset + bytes.length)
  for (let i = Math.max(start, offset); i < end; i++) {
    const shift = 8 * (i & 3)
    value = (value & ~(0xff << shift)) | (bytes[i - offset] << shift)
  }
  return value
}

/** Copies the bytes [offset, offset + into.length) of a page; `words` is READ of its row, of a page that is alive. */
export function readPage(words: Int32Array, offset: number, into: Uint8Array): void {
  for (let i = 0; i < into.length; i++) {
    const at = offset + i
    into[i] = words[2 * regionWords.bytes + (at >> 2)] >>> (8 * (at & 3))
  }
}

/**
 * Digests of a region's pages, and of the whole over them; each page is reckoned again only after it was marked. A page's digest
 * is the fingerprint of its words at (word, page), so equal pages at other places differ; zeros count for nothing, so a page that
 * is not there and one of zeros agree.
 */
export class PageDigests {
  readonly #pages = new Map<number, Halves>()
  readonly #whole = new Fingerprint()
  readonly #print = new Fingerprint()

  /** This page has changed. */
  mark(page: number): void {
    const known = this.#pages.get(page)
    if (known === undefined) return
    this.#pages.delete(page)
    this.#whole.replace(page, 0, known.low, known.high, 0, 0)
  }

  /** The digest of a page; `words` gives READ of its row, or undefined when the page is not there. */
  page(page: number, words: () => Int32Array | undefined): Halves {
    const known = this.#pages.get(page)
    if (known !== undefined) return known
    const print = this.#print
    print.clear()
    const row = words()
    for (let word = regionWords.bytes; row !== undefined && 2 * word < row.length; word++)
      print.replace(word - regionWords.bytes, page, 0, 0, row[2 * word], row[2 * word + 1])
    const digest = { low: print.low, high: print.high }
    this.#pages.set(page, digest)
    this.#whole.replace(page, 0, 0, 0, digest.low, digest.high)
    return digest
  }

  /** The digest over all pages asked for so far, for a region of this many bytes: 16 hexadecimal digits. */
  whole(lengthBytes: number): string {
    return this.#whole.digest(lengthBytes)
  }
}

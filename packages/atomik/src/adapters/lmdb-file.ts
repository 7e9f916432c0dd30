/**
 * The file of an LMDB store, before LMDB maps it. Reading a file that was cut short takes the process down: pages beyond its end are a
 * SIGBUS, and pages that make no sense an assertion, not errors. So when the newest meta page says that bytes are missing, they
 * are added as zeros and a process of its own reads everything once; where it fails the store is refused.
 *
 *   page    0 and 1 are meta pages; of both the one with the larger transaction number counts
 *   offset  24 magic 0xbeefc0de · 28 version 2 · 48 page size u32 · 144 last page u64 · 152 transaction u64
 */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { AtomikError } from '../errors.ts'

const magic = 0xbeef_c0de
const version = 2
const metaBytes = 160

/**
 * Makes sure that reading a store cannot run beyond the end of its file.
 * @throws AtomikError `storage` when it is cut short by more than pages nobody uses
 */
export function requireWholeFile(path: string): void {
  const file = fileOf(path)
  if (file === undefined) return
  const bytes = bytesNeeded(file)
  // After the meta pages: the file of a store in use only grows.
  const { size } = statSync(file)
  // LMDB makes a new store of an empty file, and of nothing else.
  if (size === 0) return
  if (bytes === undefined)
    throw new AtomikError('storage', `${file} is cut short or no store: ${size} bytes and no meta page`)
  if (size >= bytes) return
  // LMDB may leave a page at the end unwritten that it gave back: that is no damage.
  truncateSync(file, bytes)
  if (isReadable(path)) return
  truncateSync(file, size)
  throw new AtomikError('storage', `${file} is cut short: it has ${size} bytes of ${bytes}`)
}

/**
 * Reads a whole store in a process of its own: damage in LMDB's own pages can take a reader down, and better that one.
 * @throws AtomikError `storage` when it cannot be read to its end, or nothing more be written
 */
export function checkStore(path: string): void {
  requireWholeFile(path)
  if (fileOf(path) !== undefined && !isReadable(path))
    throw new AtomikError(
      'storage',
      `the store ${path} is damaged: it cannot be read to its end, or not written`,
    )
}

/**
 * Reads everything in a process of its own. A page of zeros reads as one without entries, not as an error: so what a cursor finds must be
 * as much as the meta page says there is. Asking for more pages in a row than are free makes LMDB read its list of free pages, as a first
 * write would; the transaction is given up, so the file stays as it is.
 */
function isReadable(path: string): boolean {
  const script = `
    import { ABORT, open } from ${JSON.stringify(import.meta.resolve('lmdb'))}
    const database = open({ path: ${JSON.stringify(path)}, keyEncoding: 'binary', encoding: 'binary', overlappingSync: false })
    let entries = 0
    for (const { key, value } of database.getRange({})) if (key !== value) entries++
    if (entries !== database.getStats().entryCount) process.exit(1)
    database.transactionSync(() => {
      database.putSync(Uint8Array.of(255, 255), new Uint8Array(4 << 20))
      return ABORT
    })
    process.exit(0)`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  return status === 0
}

/** A path without an ending is a folder, as the `lmdb` package takes it. */
export function fileOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile()) return path
  const inside = join(path, 'data.mdb')
  return statSync(inside, { throwIfNoEntry: false })?.isFile() ? inside : undefined
}

function bytesNeeded(file: string): number | undefined {
  const fd = openSync(file, 'r')
  try {
    const first = readMeta(fd, 0)
    // The first page tells the size of pages; without it, the usual one.
    const second = readMeta(fd, first?.pageBytes ?? 4096)
    return extentOf([first, second])
  } finally {
    closeSync(fd)
  }
}

function extentOf(metas: readonly (Meta | undefined)[]): number | undefined {
  const newest = metas.filter(meta => meta !== undefined).sort((a, b) => b.transaction - a.transaction)[0]
  return newest && (newest.lastPage + 1) * newest.pageBytes
}

interface Meta {
  readonly pageBytes: number
  readonly lastPage: number
  readonly transaction: number
}

function readMeta(fd: number, at: number): Meta | undefined {
  const page = new DataView(new ArrayBuffer(metaBytes))
  if (readSync(fd, page, 0, metaBytes, at) < metaBytes) return undefined
  if (page.getUint32(24, true) !== magic || page.getUint32(28, true) !== version) return undefined
  const pageBytes = page.getUint32(48, true)
  const lastPage = Number(page.getBigUint64(144, true))
  const transaction = Number(page.getBigUint64(152, true))
  const isSane = pageBytes >= 512 && pageBytes <= 65_536 && (pageBytes & (pageBytes - 1)) === 0
  // Beyond this no hub has a store, and a damaged number must not fill the disk.
  return isSane && lastPage < 2 ** 40 / pageBytes ? { pageBytes, lastPage, transaction } : undefined
}

/**
 * Without the module: what /proc tells of a process. Pages written in an interval (soft-dirty bits), memory shared and
 * private (smaps_rollup), pages merged (KSM). It cannot tell a copy that was needed from one that was not.
 *
 * Writing clear_refs makes the process fault once for each page it then writes: it observes, at a price.
 */
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { DeviceError } from './abi.ts'

export interface UserReport {
  readonly source: 'user'
  readonly pid: number
  readonly command: string
  readonly intervalMs: number
  /** Pages present in memory, and of those written in the interval; null where the kernel does not say. */
  readonly presentPages: number
  readonly writtenPages: number | null
  readonly sharedBytes: number
  readonly privateDirtyBytes: number
  readonly proportionalBytes: number
  /** Pages of it that KSM merged; null before Linux 6.1 or without KSM. */
  readonly ksmMergedPages: number | null
}

const pageBytes = 4096n
const present = 1n << 63n
const softDirty = 1n << 55n

export interface PageCount {
  readonly present: number
  readonly written: number
}

/** Counts the entries of /proc/PID/pagemap (little-endian u64). */
export function countPages(entries: Buffer): PageCount {
  const counts = { present: 0, written: 0 }
  for (let at = 0; at + 8 <= entries.length; at += 8) {
    const entry = entries.readBigUInt64LE(at)
    if ((entry & present) === 0n) continue
    counts.present++
    if ((entry & softDirty) !== 0n) counts.written++
  }
  return counts
}

/** The writable private mappings of /proc/PID/maps: where a write can copy. */
export function privateMappings(maps: string): { start: bigint; end: bigint }[] {
  const list: { start: bigint; end: bigint }[] = []
  for (const line of maps.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) .w.p/.exec(line)
    if (match) list.push({ start: BigInt(`0x${match[1]}`), end: BigInt(`0x${match[2]}`) })
  }
  return list
}

/** `Name:   123 kB` of smaps_rollup, in bytes. */
export function rollupBytes(rollup: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)
  return match ? Number(match[1]) * 1024 : 0
}

function pagesOf(proc: string, pid: number | 'self'): PageCount {
  const file = openSync(`${proc}/${pid}/pagemap`, 'r')
  const total = { present: 0, written: 0 }
  try {
    const chunk = Buffer.alloc(1 << 20)
    for (const { start, end } of privateMappings(readFileSync(`${proc}/${pid}/maps`, 'utf8'))) {
      let at = (start / pageBytes) * 8n
      const last = (end / pageBytes) * 8n
      while (at < last) {
        const want = Number(last - at < BigInt(chunk.length) ? last - at : BigInt(chunk.length))
        const got = readSync(file, chunk, 0, want, at)
        if (got <= 0) break
        const counts = countPages(chunk.subarray(0, got))
        total.present += counts.present
        total.written += counts.written
        at += BigInt(got)
      }
    }
  } finally {
    closeSync(file)
  }
  return total
}

/** clear_refs may succeed and nothing be reported ever after: try it on ourselves, who certainly write. */
function softDirtyWorks(proc: string): boolean {
  try {
    writeFileSync(`${proc}/self/clear_refs`, '4')
    Buffer.alloc(1 << 20, 1)
    const { present, written } = pagesOf(proc, 'self')
    return written > 0 && written < present
  } catch {
    return false
  }
}

/**
 * Watches processes for an interval.
 * @throws DeviceError `ESRCH` for no such process, `EACCES` for somebody else's
 */
export async function userReports(
  pids: readonly number[],
  intervalMs: number,
  proc = '/proc',
): Promise<UserReport[]> {
  const soft = softDirtyWorks(proc)
  for (const pid of pids) {
    try {
      readFileSync(`${proc}/${pid}/smaps_rollup`)
      if (soft) writeFileSync(`${proc}/${pid}/clear_refs`, '4')
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code
      if (code === 'ENOENT' || code === 'ESRCH')
        throw new DeviceError('ESRCH', `there is no process ${pid}`, { cause })
      throw new DeviceError('EACCES', `process ${pid} is not ours to look at (${code})`, { cause })
    }
  }
  await new Promise(resolve => setTimeout(resolve, intervalMs))
  return pids.map(pid => {
    try {
      const rollup = readFileSync(`${proc}/${pid}/smaps_rollup`, 'utf8')
      const pages = pagesOf(proc, pid)
      return {
        source: 'user',
        pid,
        command: readFileSync(`${proc}/${pid}/comm`, 'utf8').trim(),
        intervalMs,
        presentPages: pages.present,
        writtenPages: soft ? pages.written : null,
        sharedBytes: rollupBytes(rollup, 'Shared_Clean') + rollupBytes(rollup, 'Shared_Dirty'),
        privateDirtyBytes: rollupBytes(rollup, 'Private_Dirty'),
        proportionalBytes: rollupBytes(rollup, 'Pss'),
        ksmMergedPages: ksmPages(proc, pid),
      }
    } catch (cause) {
      throw new DeviceError('ESRCH', `process ${pid} ended while it was watched`, { cause })
    }
  })
}

function ksmPages(proc: string, pid: number): number | null {
  try {
    return Number(readFileSync(`${proc}/${pid}/ksm_merging_pages`, 'utf8'))
  } catch {
    return null
  }
}

/**
 * A virtual disk, and on it the storage port as a journal of checksummed records, so that a crash has something to tear:
 *
 *   file     ── synced ──────────────┬── written, not synced ──
 *   record   u32 bytes of payload, 8 bytes of hash over it, payload: puts
 *
 * A crash keeps what was synced; of the rest it keeps nothing, all, a prefix, or some sectors. Opening reads records up to the first
 * that is not whole and forgets the rest. A record is one write of the port: so a write is there whole or not at all.
 */

import { Mixer } from 'atomik/algebra'
import type { Put, SeededRandom, Storage } from 'atomik/engine'
import { Reader, Writer } from 'atomik/wire'

/** What a crash leaves of unsynced bytes. */
export type CrashLoss = 'lost' | 'kept' | 'torn' | 'sectors'

/** Bytes the disk writes at once. Real ones have 512 or 4,096; these records are smaller, so these sectors are. */
const sectorBytes = 32

export class VirtualDisk {
  #bytes = new Uint8Array(1024)
  #length = 0
  #synced = 0

  get bytes(): number {
    return this.#length
  }

  get unsyncedBytes(): number {
    return this.#length - this.#synced
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.set(bytes, this.#length)
    this.#length = length
  }

  sync(): void {
    this.#synced = this.#length
  }

  /** The power fails. Returns unsynced bytes that are gone or damaged. */
  crash(loss: CrashLoss, random: SeededRandom): number {
    const unsynced = this.unsyncedBytes
    if (unsynced === 0 || loss === 'kept') {
      this.#synced = this.#length
      return 0
    }
    let damaged = unsynced
    if (loss === 'lost') {
      this.#length = this.#synced
    } else if (loss === 'torn') {
      const kept = random.below(unsynced)
      damaged = unsynced - kept
      this.#length = this.#synced + kept
    } else {
      damaged = 0
      for (let at = this.#synced; at < this.#length; at += sectorBytes) {
        if (random.next() < 0.5) continue
        const end = Math.min(at + sectorBytes, this.#length)
        this.#bytes.fill(0, at, end)
        damaged += end - at
      }
    }
    this.#synced = this.#length
    return damaged
  }

  /** All bytes as they would be read now. */
  read(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Cuts the file, durably: what recovery does with a torn end. */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length)
    this.#synced = Math.min(this.#synced, this.#length)
  }

  /** A disk with the same durable bytes: a backup, or a clone. */
  copy(): VirtualDisk {
    const copy = new VirtualDisk()
    copy.append(this.#bytes.subarray(0, this.#synced))
    copy.sync()
    return copy
  }
}

/** The storage port on a virtual disk. Writing is two steps, so that a crash can come between them. */
export class JournalStorage implements Storage {
  readonly disk: VirtualDisk
  readonly #entries = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>()
  readonly #w = new Writer()

  /** Opens what the disk holds; a torn end is cut off, and what is read is durable from here on. */
  constructor(disk: VirtualDisk) {
    this.disk = disk
    const bytes = disk.read()
    let at = 0
    while (at + 12 <= bytes.length) {
      const head = new Reader(bytes.subarray(at, at + 12))
      const length = head.u32()
      head.u64()
      const end = at + 12 + length
      if (end > bytes.length) break
      const payload = bytes.slice(at + 12, end)
      const sum = sumOf(payload)
      if (length === 0 || sum.low !== head.low || sum.high !== head.high) break
      this.#take(payload)
      at = end
    }
    disk.truncate(at)
    disk.sync()
  }

  *range(prefix: Uint8Array): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    const start = nameOf(prefix)
    for (const name of [...this.#entries.keys()].sort()) {
      const entry = this.#entries.get(name)
      if (entry !== undefined && name.startsWith(start)) yield entry
    }
  }

  /** The first step: bytes go to the disk's cache. Throws nothing, syncs nothing. */
  begin(puts: readonly Put[]): Uint8Array {
    const w = this.#w
    w.reset()
    w.varint(puts.length)
    for (const { key, value } of puts) {
      w.varint(key.length)
      w.bytes(key)
      w.varint(value === undefined ? 0 : value.length + 1)
      if (value !== undefined) w.bytes(value)
    }
    const payload = w.finish().slice()
    const sum = sumOf(payload)
    w.reset()
    w.u32(payload.length)
    w.u64(sum.low, sum.high)
    this.disk.append(w.finish())
    this.disk.append(payload)
    return payload
  }

  /** The second: they are durable, and readable. */
  finish(payload: Uint8Array): void {
    this.disk.sync()
    this.#take(payload)
  }

  /** The disk filled up in the middle of a record: part of it is there, and is cut off again. */
  fail(puts: readonly Put[], random: SeededRandom): void {
    const start = this.disk.bytes
    const payload = this.begin(puts)
    this.disk.truncate(start + random.below(payload.length))
    this.disk.truncate(start)
  }

  async write(puts: readonly Put[]): Promise<void> {
    this.finish(this.begin(puts))
  }

  async close(): Promise<void> {}

  #take(payload: Uint8Array): void {
    const r = new Reader(payload)
    for (let count = r.varint(2 ** 24, 'puts'); count > 0; count--) {
      const key = r.bytes(r.varint(2 ** 16, 'key')).slice()
      const length = r.varint(2 ** 26, 'value')
      if (length === 0) this.#entries.delete(nameOf(key))
      else this.#entries.set(nameOf(key), { key, value: r.bytes(length - 1).slice() })
    }
  }
}

/** Bytes as a string of char codes 0–255: sorts as the bytes do. */
function nameOf(bytes: Uint8Array): string {
  let name = ''
  for (const byte of bytes) name += String.fromCharCode(byte)
  return name
}

function sumOf(bytes: Uint8Array): { low: number; high: number } {
  const mixer = new Mixer()
  mixer.hash(0x6a6f_7572, bytes)
  return { low: mixer.low, high: mixer.high }
}

/**
 * A table in the kernel, with the names of the library: load, accum, read, swap.
 *
 * One ioctl an operation, about the price of a system call; `accumAll` posts through a shared ring, thousands of
 * deltas a system call. Where the device is absent, opening says so in one sentence and nothing else happens.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import {
  commands,
  cqeBytes,
  DeviceError,
  decodeTable,
  decodeWords,
  encodeTable,
  encodeWords,
  enterBytes,
  lanes,
  opBytes,
  opcodes,
  ringBytes,
  ringHead,
  sqeBytes,
  sqeSilent,
  swapKeep,
  swapReplace,
  tableFlags,
  version,
} from './abi.ts'
import { type Native, native } from './native.ts'

export type DeviceLane = keyof typeof lanes

export interface DeviceTableOptions {
  /** How deltas accumulate. Default `xor`. */
  readonly lane?: DeviceLane
  /** Bits in a context, 1 to 4,096. Default 64. */
  readonly width?: number
  /** Shared by everybody of this IPC namespace whom `mode` admits; without a name it is this process's own. */
  readonly name?: string
  /** Permission bits of a table that is made. Default 0600. */
  readonly mode?: number
  /** Default `/dev/atomik`. */
  readonly path?: string
}

const ringEntries = 1024

interface Ring {
  readonly words: DataView
  /** The four indices, for Atomics: the kernel reads them on another CPU. */
  readonly head: Uint32Array
  readonly sqes: number
  readonly cqes: number
  unmap(): void
}

/** Is there a device to open? */
export function deviceAvailable(path = '/dev/atomik'): boolean {
  return existsSync(path)
}

function openDevice(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'EIO'
    if (code === 'ENOENT')
      throw new DeviceError('absent', `${path} is absent: load the kernel module (kmod/README.md)`, { cause })
    throw new DeviceError(code, `cannot open ${path}: ${code}`, { cause })
  }
}

/**
 * `contexts` words of `width` bits, kept by the kernel.
 *
 * ```ts
 * const counters = DeviceTable.create(1000, { lane: 'add', name: 'counters' })
 * counters.accum(7, 40n)
 * counters.read(7) // 40n
 * counters.close()
 * ```
 */
export class DeviceTable {
  readonly contexts: number
  readonly width: number
  readonly lane: DeviceLane
  readonly #file: number
  readonly #native: Native
  readonly #op = Buffer.alloc(opBytes)
  #ring: Ring | undefined
  #closed = false

  private constructor(path: string, args: Parameters<typeof encodeTable>[0]) {
    this.#file = openDevice(path)
    try {
      this.#native = native()
      const bytes = encodeTable(args)
      this.#native.ioctl(
        this.#file,
        commands.table,
        bytes,
        args.name ? `table '${args.name}'` : 'a private table',
      )
      const made = decodeTable(bytes)
      this.contexts = made.contexts
      this.width = made.width
      this.lane = made.lane === lanes.add ? 'add' : 'xor'
    } catch (error) {
      closeSync(this.#file)
      throw error
    }
  }

  /** Makes a table, or attaches to one of that name with the same lane, width and contexts. @throws DeviceError */
  static create(contexts: number, options: DeviceTableOptions = {}): DeviceTable {
    const { lane = 'xor', width = 64, name = '', mode = 0o600, path = '/dev/atomik' } = options
    if (!Object.hasOwn(lanes, lane))
      throw new DeviceError('value', `the device has the lanes xor and add, got ${lane}`)
    return new DeviceTable(path, { flags: tableFlags.create, name, mode, lane: lanes[lane], width, contexts })
  }

  /** Attaches to a table that somebody made. @throws DeviceError `ENOENT` when nobody has, `EACCES` */
  static attach(
    name: string,
    options: { readonly readonly?: boolean; readonly path?: string } = {},
  ): DeviceTable {
    const flags = options.readonly ? tableFlags.readonly : 0
    return new DeviceTable(options.path ?? '/dev/atomik', {
      flags,
      name,
      mode: 0,
      lane: 0,
      width: 0,
      contexts: 0,
    })
  }

  /** LOAD: sets the reference and clears the accumulator. */
  load(address: number, value: bigint): void {
    this.#run(opcodes.load, 0, address, value)
  }

  /** ACCUM: folds a delta into the accumulator. */
  accum(address: number, delta: bigint): void {
    this.#run(opcodes.accum, 0, address, delta)
  }

  /** READ: reference ⊙ accumulator. */
  read(address: number): bigint {
    return this.#run(opcodes.read, 0, address)
  }

  /** SWAP: returns the state; it, or `newReference` (also 0n), becomes the reference; clears the accumulator. */
  swap(address: number, newReference?: bigint): bigint {
    return newReference === undefined
      ? this.#run(opcodes.swap, swapKeep, address)
      : this.#run(opcodes.swap, swapReplace, address, newReference)
  }

  /**
   * Folds deltas[i] into the context addresses[i], through a ring.
   * @throws DeviceError with the first refusal; the deltas before it, and those after it in its batch of 1,024, are in
   */
  accumAll(addresses: Uint32Array, deltas: BigUint64Array): void {
    if (addresses.length !== deltas.length)
      throw new DeviceError('value', `${addresses.length} addresses came with ${deltas.length} deltas`)
    this.#assertOpen()
    this.#ring ??= this.#makeRing()
    for (let from = 0; from < addresses.length; from += ringEntries)
      this.#post(this.#ring, addresses, deltas, from, Math.min(from + ringEntries, addresses.length))
  }

  /** Detaches; a table goes with the last to do so. Closing twice is harmless. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#ring?.unmap()
    closeSync(this.#file)
  }

  #assertOpen(): void {
    if (this.#closed) throw new DeviceError('closed', 'the table is closed')
  }

  #run(opcode: number, flags: number, address: number, value?: bigint): bigint {
    this.#assertOpen()
    if (!Number.isSafeInteger(address) || address < 0)
      throw new DeviceError('value', `an address is a whole number from 0, got ${address}`)
    const words = encodeWords(value ?? 0n, this.width)
    const wide = this.width > 64
    const op = this.#op
    op.fill(0)
    op.writeUInt32LE(version, 0)
    op.writeUInt32LE(opcode, 4)
    op.writeUInt32LE(flags, 8)
    op.writeBigUInt64LE(BigInt(address), 16)
    if (wide) op.writeBigUInt64LE(this.#native.address(words), 32)
    else words.copy(op, 24)
    this.#native.ioctl(this.#file, commands.op, op, `context ${address}`)
    return wide ? decodeWords(words) : op.readBigUInt64LE(24)
  }

  #makeRing(): Ring {
    const args = Buffer.alloc(ringBytes)
    args.writeUInt32LE(version, 0)
    args.writeUInt32LE(ringEntries, 4)
    this.#native.ioctl(this.#file, commands.ring, args, 'making the ring')
    const { view, unmap } = this.#native.map(this.#file, Number(args.readBigUInt64LE(8)))
    return {
      words: new DataView(view),
      head: new Uint32Array(view, 0, 64),
      sqes: args.readUInt32LE(16),
      cqes: args.readUInt32LE(20),
      unmap,
    }
  }

  #post(ring: Ring, addresses: Uint32Array, deltas: BigUint64Array, from: number, end: number): void {
    const { words, head } = ring
    const tail = Atomics.load(head, ringHead.sqTail / 4)
    for (let i = from; i < end; i++) {
      const at = ring.sqes + ((tail + i - from) & (ringEntries - 1)) * sqeBytes
      words.setUint32(at, opcodes.accum, true)
      words.setUint32(at + 4, sqeSilent, true)
      words.setBigUint64(at + 8, BigInt(addresses[i] as number), true)
      words.setBigUint64(at + 16, deltas[i] as bigint, true)
      words.setBigUint64(at + 24, BigInt(i), true)
    }
    Atomics.store(head, ringHead.sqTail / 4, tail + end - from)
    const enter = Buffer.alloc(enterBytes)
    enter.writeUInt32LE(version, 0)
    enter.writeUInt32LE(end - from, 4)
    const done = this.#native.ioctl(this.#file, commands.enter, enter, 'entering the ring')
    this.#refuse(ring)
    if (done !== end - from) throw new DeviceError('short', `the ring took ${done} of ${end - from} deltas`)
  }

  /** Silent entries complete only when refused. */
  #refuse(ring: Ring): void {
    const first = Atomics.load(ring.head, ringHead.cqHead / 4)
    const tail = Atomics.load(ring.head, ringHead.cqTail / 4)
    if (first === tail) return
    const at = ring.cqes + (first & (2 * ringEntries - 1)) * cqeBytes
    const user = ring.words.getBigUint64(at, true)
    const result = ring.words.getInt32(at + 16, true)
    Atomics.store(ring.head, ringHead.cqHead / 4, tail)
    throw new DeviceError('refused', `delta ${user} was refused with errno ${-result}`)
  }
}

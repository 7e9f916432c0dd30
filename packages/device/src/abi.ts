/**
 * The bytes of kmod/include/atomik.h, little endian, version 1. Pure: no device, no native library.
 *
 *   table  [ u32 version | u32 flags | 32 bytes name | u32 mode | u32 lane | u32 width | u32 contexts ]   56
 *   op     [ u32 version | u32 opcode | u32 flags | u32 0 | u64 address | u64 value | u64 words ]        40
 *   ring   [ u32 version | u32 entries | u64 map bytes | u32 sqes | u32 cqes | u64 0 ]                   32
 *   enter  [ u32 version | u32 count | u64 0 ]                                                           16
 *   sqe    [ u32 opcode | u32 flags | u64 address | u64 value | u64 user ]                               32
 *   cqe    [ u64 user | u64 value | i32 result | u32 0 ]                                                 24
 */

export const version = 1
export const lanes = { xor: 0, add: 1 } as const
export const opcodes = { load: 1, accum: 2, read: 3, swap: 4 } as const
export const swapKeep = 1
export const swapReplace = 2
export const sqeSilent = 1 << 8
export const tableFlags = { create: 1, exclusive: 2, readonly: 4 } as const
export const nameBytesMax = 31
export const widthBitsMax = 4096

export const tableBytes = 56
export const opBytes = 40
export const ringBytes = 32
export const enterBytes = 16
export const sqeBytes = 32
export const cqeBytes = 24
/** Offsets in the shared head of a ring: each index has a cache line of its own. */
export const ringHead = { sqHead: 0, sqTail: 64, cqHead: 128, cqTail: 192 } as const

/** `_IOC(direction, 'A', number, bytes)` of asm-generic/ioctl.h. */
const command = (direction: number, number: number, bytes: number): number =>
  ((direction << 30) | (bytes << 16) | (0x41 << 8) | number) >>> 0
const write = 1
const readWrite = 3

export const commands = {
  info: command(readWrite, 0x40, 48),
  table: command(readWrite, 0x41, tableBytes),
  op: command(readWrite, 0x42, opBytes),
  ring: command(readWrite, 0x43, ringBytes),
  enter: command(write, 0x44, enterBytes),
} as const

/** What the device or the system refused. `code` is the errno's name, or `absent`, `native`, `value`. */
export class DeviceError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DeviceError'
    this.code = code
  }
}

export interface TableArguments {
  readonly flags: number
  readonly name: string
  readonly mode: number
  readonly lane: number
  readonly width: number
  readonly contexts: number
}

export function encodeTable(args: TableArguments): Buffer {
  const bytes = Buffer.alloc(tableBytes)
  if (Buffer.byteLength(args.name) > nameBytesMax)
    throw new DeviceError('value', `a table's name has ${nameBytesMax} bytes at most, got '${args.name}'`)
  bytes.writeUInt32LE(version, 0)
  bytes.writeUInt32LE(args.flags, 4)
  bytes.write(args.name, 8)
  bytes.writeUInt32LE(args.mode, 40)
  bytes.writeUInt32LE(args.lane, 44)
  bytes.writeUInt32LE(args.width, 48)
  bytes.writeUInt32LE(args.contexts, 52)
  return bytes
}

/** The answer: what the table attached to is. */
export function decodeTable(bytes: Buffer): Pick<TableArguments, 'lane' | 'width' | 'contexts'> {
  return { lane: bytes.readUInt32LE(44), width: bytes.readUInt32LE(48), contexts: bytes.readUInt32LE(52) }
}

/** @throws DeviceError `value` for one that is negative or wider than the context */
export function encodeWords(value: bigint, width: number): Buffer {
  if (value < 0n || value >> BigInt(width) !== 0n)
    throw new DeviceError('value', `wanted a value of ${width} bits, got ${value}`)
  const bytes = Buffer.alloc(Math.ceil(width / 64) * 8)
  for (let at = 0; at < bytes.length; at += 8) {
    bytes.writeBigUInt64LE(value & 0xffff_ffff_ffff_ffffn, at)
    value >>= 64n
  }
  return bytes
}

export function decodeWords(bytes: Buffer): bigint {
  let value = 0n
  for (let at = bytes.length - 8; at >= 0; at -= 8) value = (value << 64n) | bytes.readBigUInt64LE(at)
  return value
}

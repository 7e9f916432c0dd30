/**
 * Typed fields over words. Each constructor says by its name how concurrent changes combine, so nothing gets a lane by
 * silence:
 *
 *   toggle()          one bit, `xor`: two flips cancel, wherever they were made
 *   bits(n)           n toggles
 *   flag()            `max` of a causal length (odd = set): of two concurrent sets nobody loses
 *   counter()         `add`, a signed 64-bit sum: every increment counts
 *   register.*        `max` of (stamp, value): the last write wins, whole, everywhere
 *   array(field, n)   n of one of these
 */
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeUtf8, encodeUtf8 } from '../wire/index.ts'

/** How a register's value lies in words. Reading is total: it makes a value of any bits that fit. */
export interface ValueCodec<Value> {
  /** Words of 64 bits. */
  readonly words: number
  /** Bits in use of each word. */
  readonly bits: readonly number[]
  /** The value of a register nobody wrote. */
  readonly initial: Value
  /** Writes 2 × words halves at `at`. @throws AtomikError `range` or `width`; then nothing is written */
  write(value: Value, halves: Int32Array, at: number): void
  read(halves: Int32Array, at: number): Value
}

export interface Toggle {
  readonly kind: 'toggle'
}
export interface Bits {
  readonly kind: 'bits'
  readonly count: number
  /** The bits are a page of a region: one writer at a time. */
  readonly isPage?: true
}
export interface Flag {
  readonly kind: 'flag'
}
export interface Counter {
  readonly kind: 'counter'
}
export interface Register<Value> {
  readonly kind: 'register'
  /** Name of the type and its parameters, as the schema's description spells it. */
  readonly type: string
  readonly codec: ValueCodec<Value>
}
export interface FieldArray<Element extends ScalarField> {
  readonly kind: 'array'
  readonly element: Element
  readonly count: number
}

// biome-ignore lint/suspicious/noExplicitAny: a register of any value; invariance leaves no other way to say it
export type ScalarField = Toggle | Flag | Counter | Register<any>
export type Field = ScalarField | Bits | FieldArray<ScalarField>

/** One bit in the `xor` lane. */
export function toggle(): Toggle {
  return { kind: 'toggle' }
}

/** `count` bits in the `xor` lane. @throws AtomikError `range` */
export function bits(count: number): Bits {
  requireCount(count, 64 * (limits.rowWordsMax - 1), 'bits')
  return { kind: 'bits', count }
}

/** The bytes of one page of a region. @throws AtomikError `range` */
export function page(bytes: number): Bits {
  if (!Number.isInteger(bytes) || bytes < 8 || bytes > limits.pageBytesMax || bytes % 8 !== 0)
    throw new AtomikError(
      'range',
      `a page has 8 to ${limits.pageBytesMax} bytes, a multiple of 8, got ${bytes}`,
    )
  return { kind: 'bits', count: 8 * bytes, isPage: true }
}

/** A boolean whose concurrent sets keep their intent. */
export function flag(): Flag {
  return { kind: 'flag' }
}

/** A signed 64-bit sum. Reads as a number, exact up to 2^53. */
export function counter(): Counter {
  return { kind: 'counter' }
}

/** `count` fields of one type. @throws AtomikError `range` */
export function array<Element extends ScalarField>(element: Element, count: number): FieldArray<Element> {
  requireCount(count, limits.rowWordsMax - 1, 'elements')
  return { kind: 'array', element, count }
}

function requireCount(count: number, max: number, what: string): void {
  if (!Number.isInteger(count) || count < 1 || count > max)
    throw new AtomikError('range', `expected 1 to ${max} ${what}, got ${count}`)
}

function define<Value>(type: string, codec: ValueCodec<Value>): Register<Value> {
  return { kind: 'register', type, codec }
}

/** Integers of up to 32 bits. Signed ones are zigzag-coded, so that small magnitudes are small words. */
function integer(type: string, width: number, signed: boolean): Register<number> {
  const min = signed ? -(2 ** (width - 1)) : 0
  const max = signed ? 2 ** (width - 1) - 1 : 2 ** width - 1
  return define(type, {
    words: 1,
    bits: [width],
    initial: 0,
    write(value, halves, at) {
      if (!Number.isInteger(value) || value < min || value > max)
        throw new AtomikError('range', `${type}: expected an integer from ${min} to ${max}, got ${value}`)
      halves[at] = signed ? (value << 1) ^ (value >> 31) : value
      halves[at + 1] = 0
    },
    read(halves, at) {
      const raw = halves[at]
      return signed ? (raw >>> 1) ^ -(raw & 1) : raw >>> 0
    },
  })
}

function wideInteger(type: string, signed: boolean): Register<bigint> {
  const min = signed ? -(2n ** 63n) : 0n
  const max = signed ? 2n ** 63n - 1n : 2n ** 64n - 1n
  return define(type, {
    words: 1,
    bits: [64],
    initial: 0n,
    write(value, halves, at) {
      if (typeof value !== 'bigint' || value < min || value > max)
        throw new AtomikError('range', `${type}: expected a bigint from ${min} to ${max}, got ${value}`)
      const raw = signed ? BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)) : value
      halves[at] = Number(raw & 0xffff_ffffn)
      halves[at + 1] = Number(raw >> 32n)
    },
    read(halves, at) {
      const raw = (BigInt(halves[at + 1] >>> 0) << 32n) | BigInt(halves[at] >>> 0)
      return signed ? (raw >> 1n) ^ -(raw & 1n) : raw
    },
  })
}

function float(type: 'f32' | 'f64'): Register<number> {
  const scratch = new DataView(new ArrayBuffer(8))
  const wide = type === 'f64'
  return define(type, {
    words: 1,
    bits: [wide ? 64 : 32],
    initial: 0,
    write(value, halves, at) {
      if (typeof value !== 'number')
        throw new AtomikError('range', `${type}: expected a number, got ${value}`)
      if (wide) scratch.setFloat64(0, value, true)
      else scratch.setFloat32(0, value, true)
      halves[at] = scratch.getInt32(0, true)
      halves[at + 1] = wide ? scratch.getInt32(4, true) : 0
    },
    read(halves, at) {
      scratch.setInt32(0, halves[at], true)
      scratch.setInt32(4, halves[at + 1], true)
      return wide ? scratch.getFloat64(0, true) : scratch.getFloat32(0, true)
    },
  })
}

function readBytes(halves: Int32Array, at: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  for (let i = 0; i < count; i++) bytes[i] = halves[at + (i >> 2)] >>> (8 * (i & 3))
  return bytes
}

function writeBytes(bytes: Uint8Array, halves: Int32Array, at: number, words: number): void {
  halves.fill(0, at, at + 2 * words)
  for (let i = 0; i < bytes.length; i++) halves[at + (i >> 2)] |= bytes[i] << (8 * (i & 3))
}

function byteWords(count: number): { words: number; bits: number[] } {
  const words = Math.ceil(count / 8)
  const last = count * 8 - (words - 1) * 64
  return { words, bits: Array.from({ length: words }, (_, i) => (i === words - 1 ? last : 64)) }
}

/** Registers: the last write wins, whole. One constructor a value type. */
export const register = {
  u8: () => integer('u8', 8, false),
  u16: () => integer('u16', 16, false),
  u32: () => integer('u32', 32, false),
  i8: () => integer('i8', 8, true),
  i16: () => integer('i16', 16, true),
  i32: () => integer('i32', 32, true),
  /** Read and written as bigint. */
  u64: () => wideInteger('u64', false),
  /** Read and written as bigint. */
  i64: () => wideInteger('i64', true),
  f32: () => float('f32'),
  f64: () => float('f64'),
  bool: (): Register<boolean> =>
    define('bool', {
      words: 1,
      bits: [1],
      initial: false,
      write(value, halves, at) {
        if (typeof value !== 'boolean')
          throw new AtomikError('range', `bool: expected a boolean, got ${value}`)
        halves[at] = value ? 1 : 0
        halves[at + 1] = 0
      },
      read: (halves, at) => (halves[at] & 1) === 1,
    }),
  /** One of the given names; the first is what an unwritten register reads as. */
  enum: <const Names extends readonly [string, ...string[]]>(...names: Names): Register<Names[number]> => {
    if (
      names.length < 1 ||
      names.length > 256 ||
      new Set(names).size !== names.length ||
      names.some(n => /[,()\s]/.test(n))
    )
      throw new AtomikError(
        'range',
        'enum: expected 1 to 256 different names without spaces, commas, brackets',
      )
    return define<Names[number]>(`enum(${names.join(',')})`, {
      words: 1,
      bits: [Math.max(1, Math.ceil(Math.log2(names.length)))],
      initial: names[0],
      write(value, halves, at) {
        const index = names.indexOf(value)
        if (index < 0) throw new AtomikError('range', `expected one of ${names.join(', ')}, got ${value}`)
        halves[at] = index
        halves[at + 1] = 0
      },
      read: (halves, at) => names[halves[at]] ?? names[0],
    })
  },
  /** Exactly `count` bytes. */
  bytes: (count: number): Register<Uint8Array> => {
    requireCount(count, 2048, 'bytes')
    const shape = byteWords(count)
    return define<Uint8Array>(`bytes(${count})`, {
      ...shape,
      initial: new Uint8Array(count),
      write(value, halves, at) {
        if (!(value instanceof Uint8Array) || value.length !== count)
          throw new AtomikError('width', `expected ${count} bytes, got ${value?.length}`)
        writeBytes(value, halves, at, shape.words)
      },
      read: (halves, at) => readBytes(halves, at, count),
    })
  },
  /** Text of at most `bytesMax` UTF-8 bytes, without NUL characters. */
  text: (bytesMax: number): Register<string> => {
    requireCount(bytesMax, 2048, 'bytes')
    const shape = byteWords(bytesMax)
    return define(`text(${bytesMax})`, {
      ...shape,
      initial: '',
      write(value, halves, at) {
        if (typeof value !== 'string' || /\0|\p{Surrogate}/u.test(value))
          throw new AtomikError(
            'range',
            'text: expected a string without NUL characters and unpaired surrogates',
          )
        const bytes = encodeUtf8(value)
        if (bytes.length > bytesMax)
          throw new AtomikError('width', `text(${bytesMax}): got ${bytes.length} UTF-8 bytes`)
        writeBytes(bytes, halves, at, shape.words)
      },
      read(halves, at) {
        const bytes = readBytes(halves, at, bytesMax)
        const end = bytes.indexOf(0)
        return decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end)) ?? '\u{fffd}'
      },
    })
  },
}

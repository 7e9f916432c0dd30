/**
 * Records as stores keep them: a key that begins with the space's name, and bytes that end in 8 bytes of hash over that key
 * and the rest. So a flipped bit, a torn record and one under the wrong key are found when it is read, each for itself.
 */
import { Mixer } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { encodeUtf8, type Halves, Reader, type Writer } from '../wire/index.ts'
import { sameLabel } from './label.ts'
import type { Put } from './storage.ts'

const recordSeed = 0x7265_636f

/** What all keys of a space begin with: its name and a NUL. @throws AtomikError `range` for a name that holds a NUL */
export function spacePrefix(space: string): Uint8Array {
  if (space.includes('\0')) throw new AtomikError('range', 'the name of a space holds no NUL')
  const name = encodeUtf8(space)
  const prefix = new Uint8Array(name.length + 1)
  prefix.set(name)
  return prefix
}

/** The key of a record: the space's prefix, one letter for the kind, and what tells records of that kind apart. */
export function recordKey(
  space: string,
  kind: string,
  rest: Uint8Array | readonly number[] = [],
): Uint8Array {
  const prefix = spacePrefix(space)
  const key = new Uint8Array(prefix.length + 1 + rest.length)
  key.set(prefix)
  key[prefix.length] = kind.charCodeAt(0)
  key.set(rest, prefix.length + 1)
  return key
}

/** The hash of a record: its bytes under the key they belong to. */
function sumRecord(key: Uint8Array, bytes: Uint8Array): Halves {
  const mixer = new Mixer()
  mixer.hash(recordSeed, key)
  mixer.hash(mixer.low ^ mixer.high, bytes)
  return { low: mixer.low, high: mixer.high }
}

/** Appends the hash to what the writer holds. */
export function sealRecord(w: Writer, key: Uint8Array): { put: Put; sum: Halves } {
  const sum = sumRecord(key, w.view())
  w.u64(sum.low, sum.high)
  return { put: { key, value: w.finish() }, sum }
}

/** A reader over the record without its hash. @throws AtomikError `storage` when the hash does not match */
export function openRecord(key: Uint8Array, value: Uint8Array, what: string): { r: Reader; sum: Halves } {
  const broken = () => new AtomikError('storage', `${what} is damaged: its checksum does not match`)
  if (value.length < 8) throw broken()
  const sum = sumRecord(key, value.subarray(0, value.length - 8))
  const check = new Reader(value.subarray(value.length - 8))
  check.u64()
  if (!sameLabel(check, sum)) throw broken()
  return { r: new Reader(value.subarray(0, value.length - 8)), sum }
}

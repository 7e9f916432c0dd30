/**
 * Records as stores keep them: a key that begins with the space's name, and bytes that end in 8 bytes of hash over that key
 * and the rest. So a flipped bit, a torn record and one under the wrong key are found when it is read, each for itself.
 */
import { Mixer } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { encodeUtf8, type Halves, Reader, Writer } from '../wire/index.ts'
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

/**
 * The records of one commit, one after the other in memory that is used again. What it gives is borrowed: it holds until it is
 * cleared.
 */
export class RecordPack implements Iterable<Put> {
  readonly #w = new Writer()
  /** Where keys and values begin; a value ends where the next key begins. −1 − the beginning where the record is to be removed. */
  #keys = new Int32Array(64)
  #values = new Int32Array(64)
  #count = 0
  readonly #mixer = new Mixer()
  /** Hash of the record sealed last. */
  low = 0
  high = 0

  get length(): number {
    return this.#count
  }

  clear(): void {
    this.#w.reset()
    this.#count = 0
  }

  /** Begins a record under this key; its value is written to what this returns, then sealed. */
  begin(key: Uint8Array): Writer {
    this.beginKey().bytes(key)
    return this.beginValue()
  }

  /** The same where the key is written in pieces: it ends with `beginValue`. */
  beginKey(): Writer {
    if (this.#count === this.#keys.length) {
      const [keys, values] = [new Int32Array(2 * this.#count), new Int32Array(2 * this.#count)]
      keys.set(this.#keys)
      values.set(this.#values)
      this.#keys = keys
      this.#values = values
    }
    this.#keys[this.#count] = this.#w.length
    return this.#w
  }

  beginValue(): Writer {
    this.#values[this.#count] = this.#w.length
    return this.#w
  }

  /** Ends a record: its hash, which stays in `low` and `high`, is appended. */
  seal(): void {
    const w = this.#w
    const mixer = this.#mixer
    const value = this.#values[this.#count]
    mixer.hashPart(recordSeed, w.memory, this.#keys[this.#count], value)
    mixer.hashPart(mixer.low ^ mixer.high, w.memory, value, w.length)
    this.low = mixer.low
    this.high = mixer.high
    w.u64(mixer.low, mixer.high)
    this.#count++
  }

  /** The record under this key is to go. */
  remove(key: Uint8Array): void {
    this.begin(key)
    this.#values[this.#count] = -1 - this.#values[this.#count]
    this.#count++
  }

  *[Symbol.iterator](): Iterator<Put> {
    const { memory, length } = this.#w
    for (let i = 0; i < this.#count; i++) {
      const isRemoved = this.#values[i] < 0
      const value = isRemoved ? -1 - this.#values[i] : this.#values[i]
      const end = i + 1 < this.#count ? this.#keys[i + 1] : length
      yield {
        key: memory.subarray(this.#keys[i], value),
        value: isRemoved ? undefined : memory.subarray(value, end),
      }
    }
  }
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

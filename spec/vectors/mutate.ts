/** Damage to valid bytes, from a seed, as disks, networks and people do it; it knows where bytes of this format matter. */
import type { SeededRandom } from '../../packages/atomik/src/engine/random.ts'
import { Writer } from '../../packages/atomik/src/wire/index.ts'
import { parseBytes } from './text.ts'

/** Numbers that stand on edges, as varints: lengths and counts. */
// biome-ignore format: one list
const edges = [
  0, 1, 63, 64, 127, 128, 255, 256, 1024, 1025, 4096, 65_535, 65_536, 2 ** 20, 2 ** 22, 2 ** 24, 2 ** 26, 2 ** 31,
  2 ** 32, 2 ** 48, 2 ** 53 - 1,
]
const edgeBytes = [
  ...edges.map(value => {
    const w = new Writer()
    w.varint(value)
    return w.finish()
  }),
  ...['8000', 'ffffffffffffff7f', 'ffffffffffffffffff01'].map(parseBytes),
]
const edgeByte = [0, 1, 0x7f, 0x80, 0xff]

/** A damaged copy, in one to four places. `others` are valid bytes of the same kind, to splice with. */
export function mutate(random: SeededRandom, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let now = bytes
  const splice = (at: number, drop: number, insert: Uint8Array) => {
    const next = new Uint8Array(now.length - drop + insert.length)
    next.set(now.subarray(0, at))
    next.set(insert, at)
    next.set(now.subarray(at + drop), at + insert.length)
    now = next
  }
  /** The end of the varint that begins at `at`. */
  const varintEnd = (at: number) => {
    let end = at
    while (end < now.length && now[end] >= 0x80) end++
    return Math.min(end + 1, now.length)
  }
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(now.length + 1)
    const rest = now.length - at
    const kind = random.below(12)
    if (kind === 0 && rest > 0) splice(at, 1, Uint8Array.of(now[at] ^ (1 << random.below(8))))
    else if (kind === 1 && rest > 0) splice(at, 1, Uint8Array.of(edgeByte[random.below(edgeByte.length)]))
    else if (kind === 2) splice(at, Math.min(rest, 1 + random.below(8)), new Uint8Array(0))
    else if (kind === 3) {
      const noise = new Uint8Array(1 + random.below(8))
      for (let i = 0; i < noise.length; i++) noise[i] = random.below(256)
      splice(at, 0, noise)
    } else if (kind === 4) splice(at, varintEnd(at) - at, edgeBytes[random.below(edgeBytes.length)])
    else if (kind === 5 && rest > 0)
      splice(at, 1, Uint8Array.of((now[at] + (random.below(2) === 0 ? 1 : 255)) & 255))
    else if (kind === 6) splice(at, 0, now.slice(at, at + random.below(24)))
    else if (kind === 7) {
      const other = others[random.below(others.length)]
      splice(at, rest, other.subarray(random.below(other.length + 1)))
    } else if (kind === 8) splice(at, rest, new Uint8Array(0))
    else if (kind === 9 && rest > 0) {
      // The same number in more bytes than it needs.
      const end = varintEnd(at)
      splice(end - 1, 1, Uint8Array.of(now[end - 1] | 0x80, 0))
    } else if (kind === 10 && rest > 1) {
      // Two neighbours change places.
      const middle = varintEnd(at)
      const end = Math.min(now.length, middle + 1 + random.below(8))
      const swapped = new Uint8Array(end - at)
      swapped.set(now.subarray(middle, end))
      swapped.set(now.subarray(at, middle), end - middle)
      splice(at, end - at, swapped)
    } else if (kind === 11) splice(now.length, 0, others[random.below(others.length)])
  }
  return now
}

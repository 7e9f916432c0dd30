/**
 * The work every system is given: seeded, the same for all, with values in the forms their users would hold them in. The
 * expected end is computed here, apart from all of them.
 */

/** A stream of uniform 32-bit numbers (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}

/** Random writes: number w puts `values[w]` into register `targets[w]`. */
export interface Writes {
  readonly registers: number
  readonly count: number
  readonly targets: Int32Array
  readonly values: BigUint64Array
  /** The same values as halves (2 × w, less significant first) and as 8 bytes each. */
  readonly halves: Int32Array
  readonly bytes: readonly Uint8Array[]
  /** The same as 11 characters, for peers that hold only text and 53-bit numbers. */
  readonly texts: readonly string[]
  /** By register, the number of its last write, or −1. */
  readonly last: Int32Array
}

export function makeWrites(
  registers: number,
  count: number,
  seed: number,
  forms: { bytes: boolean; texts: boolean },
): Writes {
  const next = numbers(seed)
  const buffer = new ArrayBuffer(8 * count)
  const halves = new Int32Array(buffer)
  const targets = new Int32Array(count)
  const last = new Int32Array(registers).fill(-1)
  for (let w = 0; w < count; w++) {
    targets[w] = next() % registers
    halves[2 * w] = next()
    halves[2 * w + 1] = next()
    last[targets[w]] = w
  }
  const octets = new Uint8Array(buffer)
  return {
    registers,
    count,
    targets,
    values: new BigUint64Array(buffer),
    halves,
    // Slices of their own: what a peer keeps of them is its state, not a view of ours.
    bytes: forms.bytes ? Array.from({ length: count }, (_, w) => octets.slice(8 * w, 8 * w + 8)) : [],
    texts: forms.texts
      ? Array.from({ length: count }, (_, w) =>
          Buffer.from(buffer, 8 * w, 8)
            .toString('base64')
            .slice(0, 11),
        )
      : [],
    last,
  }
}

/** `count` different indices below `of`, in random order. */
export function pick(count: number, of: number, seed: number): Int32Array {
  const next = numbers(seed)
  const chosen = new Set<number>()
  while (chosen.size < count) chosen.add(next() % of)
  return Int32Array.from(chosen)
}

export const keyOf = (index: number) => String(index)

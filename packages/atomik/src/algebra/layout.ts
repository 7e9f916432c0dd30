/**
 * What the words of one row mean, as flat arrays the inner loops can read, and those loops: fold one row into another,
 * and its inverse. A schema compiles to a layout; algebra, wire and engine see nothing else of it.
 *
 *   words   0     1       2      3        4        5
 *   kind    max   add     xor    stamp    value    value        word 0 is always the row's life, a causal length
 *   group   1     1       1      3        –        –            a register is compared as one wide unsigned number,
 *                                                               first word most significant: stamp, then value
 */

/** Kinds of words, as stored in `RowLayout.kinds`. */
export const WordKind = {
  xor: 0,
  add: 1,
  /** A maximum of one word: a causal length (flag, life). */
  max: 2,
  /** The first word of a register: its stamp. */
  stamp: 3,
  /** A further word of the register that the last stamp opened. */
  value: 4,
} as const

export interface RowLayout {
  /** Words in a row, the life word included. */
  readonly words: number
  /** `WordKind` of each word. */
  readonly kinds: Uint8Array
  /** Words in the register a stamp opens, stamp included; 1 elsewhere. */
  readonly groups: Uint16Array
  /** Bits a word may use, 1 to 64. Wider input is refused. */
  readonly bits: Uint8Array
}

/** Compares two `group`-word numbers, most significant word first: negative, zero or positive. */
function compareGroup(a: Int32Array, aAt: number, b: Int32Array, bAt: number, group: number): number {
  for (let word = 0; word < group; word++) {
    const i = aAt + 2 * word
    const j = bAt + 2 * word
    // Signs, not differences: a difference beyond 32 bits would be an object.
    if (a[i + 1] !== b[j + 1]) return a[i + 1] >>> 0 < b[j + 1] >>> 0 ? -1 : 1
    if (a[i] !== b[j]) return a[i] >>> 0 < b[j] >>> 0 ? -1 : 1
  }
  return 0
}

/** `to[toAt…] ⊙= from[fromAt…]`, one row. Offsets count halves. */
export function foldRow(
  layout: RowLayout,
  to: Int32Array,
  toAt: number,
  from: Int32Array,
  fromAt: number,
): void {
  const { kinds, groups, words } = layout
  for (let word = 0; word < words; word += groups[word])
    foldGroup(kinds[word], groups[word], to, toAt + 2 * word, from, fromAt + 2 * word)
}

/** The same of one group: `i` and `j` are where its first word is. */
export function foldGroup(
  kind: number,
  group: number,
  to: Int32Array,
  i: number,
  from: Int32Array,
  j: number,
): void {
  if (group === 1 && (from[j] | from[j + 1]) === 0) {
    // The identity of every lane.
  } else if (kind === WordKind.xor) {
    to[i] ^= from[j]
    to[i + 1] ^= from[j + 1]
  } else if (kind === WordKind.add) {
    const low = (to[i] + from[j]) | 0
    const carry = low >>> 0 < from[j] >>> 0 ? 1 : 0
    to[i] = low
    to[i + 1] = to[i + 1] + from[j + 1] + carry
  } else if (compareGroup(to, i, from, j, group) < 0) {
    for (let half = 0; half < 2 * group; half++) to[i + half] = from[j + half]
  }
}

/**
 * Writes the inverse of a row where lanes have one; words of the `max` lane become 0, their identity. The caller
 * decides what undo means there.
 */
export function invertRow(
  layout: RowLayout,
  to: Int32Array,
  toAt: number,
  from: Int32Array,
  fromAt: number,
): void {
  const { kinds, words } = layout
  for (let word = 0; word < words; word++) {
    const i = toAt + 2 * word
    const j = fromAt + 2 * word
    if (kinds[word] === WordKind.xor) {
      to[i] = from[j]
      to[i + 1] = from[j + 1]
    } else if (kinds[word] === WordKind.add) {
      const low = -from[j] | 0
      to[i] = low
      to[i + 1] = ~from[j + 1] + (low === 0 ? 1 : 0)
    } else {
      to[i] = 0
      to[i + 1] = 0
    }
  }
}

/** `to[toAt…]` without `from[fromAt…]`, which was folded into it before all else that is there now: `Delta.release` says how. */
export function releaseRow(
  layout: RowLayout,
  to: Int32Array,
  toAt: number,
  from: Int32Array,
  fromAt: number,
): void {
  const { kinds, groups, words } = layout
  for (let word = 0; word < words; word += groups[word])
    releaseGroup(kinds[word], groups[word], to, toAt + 2 * word, from, fromAt + 2 * word)
}

/** The same of one group: `i` and `j` are where its first word is. */
export function releaseGroup(
  kind: number,
  group: number,
  to: Int32Array,
  i: number,
  from: Int32Array,
  j: number,
): void {
  if (kind === WordKind.xor) {
    to[i] ^= from[j]
    to[i + 1] ^= from[j + 1]
  } else if (kind === WordKind.add) {
    const borrow = to[i] >>> 0 < from[j] >>> 0 ? 1 : 0
    to[i] -= from[j]
    to[i + 1] -= from[j + 1] + borrow
  } else if ((from[j] | from[j + 1]) !== 0 && compareGroup(to, i, from, j, group) === 0) {
    for (let half = 0; half < 2 * group; half++) to[i + half] = 0
  }
}

/** True when `bits` bits hold the word (low, high). */
export function fitsBits(low: number, high: number, bits: number): boolean {
  if (bits >= 64) return true
  if (bits >= 32) return high >>> 0 < 2 ** (bits - 32)
  return high === 0 && low >>> 0 < 2 ** bits
}

/**
 * The plain reference: the algebra as one would write it on a blackboard, with bigint, and no thought of speed. Every
 * faster implementation is compared with this one; it shares no code with them, so keep it this simple.
 */
import type { Lane } from './lane.ts'

/** `a ⊙ b` on `width`-bit words. */
export function plainCombine(lane: Lane, width: number, a: bigint, b: bigint): bigint {
  if (lane === 'xor') return a ^ b
  if (lane === 'add') return (a + b) % 2n ** BigInt(width)
  return a > b ? a : b
}

/** The word that undoes `a`, or undefined in the `max` lane, which has none. */
export function plainInverse(lane: Lane, width: number, a: bigint): bigint | undefined {
  if (lane === 'xor') return a
  if (lane === 'add') return (2n ** BigInt(width) - a) % 2n ** BigInt(width)
  return undefined
}

/** Contexts as two maps from address to word; what is absent is 0. */
export class PlainTable {
  readonly lane: Lane
  readonly width: number
  readonly reference = new Map<number, bigint>()
  readonly accumulator = new Map<number, bigint>()

  constructor(lane: Lane, width: number) {
    this.lane = lane
    this.width = width
  }

  load(address: number, value: bigint): void {
    this.reference.set(address, value)
    this.accumulator.delete(address)
  }

  accum(address: number, delta: bigint): void {
    this.accumulator.set(
      address,
      plainCombine(this.lane, this.width, this.accumulator.get(address) ?? 0n, delta),
    )
  }

  read(address: number): bigint {
    const reference = this.reference.get(address) ?? 0n
    return plainCombine(this.lane, this.width, reference, this.accumulator.get(address) ?? 0n)
  }

  swap(address: number, newReference?: bigint): bigint {
    const state = this.read(address)
    this.load(address, newReference ?? state)
    return state
  }
}

// The specification of the hardware's delta units, for reading: BigInt words, one object a context.
//
// Everything that happens in one clock happens in this order: READ, SWAP, LOAD, ACCUM.

export type Lane = 'xor' | 'add' | 'max'
export const LANES: Lane[] = ['xor', 'add', 'max'] // the position is the Verilog parameter LANE

export function join(lane: Lane, width: number, a: bigint, b: bigint): bigint {
  if (lane === 'xor') return a ^ b
  if (lane === 'add') return BigInt.asUintN(width, a + b)
  return a < b ? b : a
}

export class Context {
  reference = 0n
  accumulator = 0n
  constructor(
    readonly lane: Lane,
    readonly width: number,
  ) {}
  read(): bigint {
    return join(this.lane, this.width, this.reference, this.accumulator)
  }
  load(value: bigint): void {
    this.reference = value
    this.accumulator = 0n
  }
  accum(delta: bigint): void {
    this.accumulator = join(this.lane, this.width, this.accumulator, delta)
  }
  /** `value` undefined keeps: the state becomes the reference. */
  swap(value: bigint | undefined): bigint {
    const state = this.read()
    this.reference = value ?? state
    this.accumulator = 0n
    return state
  }
}

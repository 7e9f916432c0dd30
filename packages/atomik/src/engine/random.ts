/** A small seeded generator (xorshift128) for tests and faults: the same seed, the same run. Not for secrets. */
export class SeededRandom {
  readonly #state = new Uint32Array(4)

  constructor(seed: number) {
    let x = (seed ^ 0x9e37_79b9) >>> 0
    for (let i = 0; i < 4; i++) {
      x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
      x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35)
      x = (x ^ (x >>> 16)) + i + 1
      this.#state[i] = x
    }
    for (let i = 0; i < 8; i++) this.next32()
  }

  /** Uniform in 0 … 2^32 − 1. */
  next32(): number {
    const s = this.#state
    let t = s[3]
    t ^= t << 11
    t ^= t >>> 8
    s[3] = s[2]
    s[2] = s[1]
    s[1] = s[0]
    s[0] = t ^ s[0] ^ (s[0] >>> 19)
    return s[0]
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.next32() / 2 ** 32
  }

  /** Uniform in 0 … below − 1. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }
}

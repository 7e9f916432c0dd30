/** What the parts of the kernels' contract share: where things lie in the memory under test, odd inputs, and a quick comparison. */
import { jumpsBytes } from './kernels.ts'

export const memoryBytes = 8 * 1024 * 1024
export const resultAt = 0
export const jumpsAt = 4096
export const scratchAt = jumpsAt + jumpsBytes
export const dataAt = 256 * 1024

/** A small generator: kernels' inputs need to be odd, not unpredictable. */
export function randomWords(seed: number): () => bigint {
  let state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n
  return () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n)
    return state ^ (state >> 29n)
  }
}

/** Whether two views hold the same bytes. */
export function same(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  return Buffer.compare(bytes(a), bytes(b)) === 0
}

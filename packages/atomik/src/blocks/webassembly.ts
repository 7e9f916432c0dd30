/**
 * The kernels as WebAssembly: decodes a generated module and binds it to a memory. Nothing here knows DOM or Node types, so the few
 * parts of the WebAssembly interface in use are declared.
 */
import type { Kernels } from './kernels.ts'
import { type EncodedModule, scalarModule, simdModule } from './modules.ts'

/** A WebAssembly memory, by the one property in use. Worker messages can carry it as it is. */
export interface FlatMemory {
  readonly buffer: ArrayBufferLike
}

interface WebAssemblyInterface {
  readonly Memory: new (descriptor: { initial: number; maximum: number; shared: boolean }) => FlatMemory
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object,
    imports: { env: { memory: FlatMemory } },
  ) => { readonly exports: unknown }
  readonly validate: (bytes: Uint8Array) => boolean
}

declare const WebAssembly: WebAssemblyInterface | undefined

export const pageOfMemoryBytes = 65_536

/** The platform's WebAssembly, or undefined. */
const platform = () => (typeof WebAssembly === 'undefined' ? undefined : WebAssembly)

function decode({ base64, memoryFlagsAt }: EncodedModule, shared: boolean): Uint8Array {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const digits = base64.replace(/=+$/, '')
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let bits = 0
  let at = 0
  for (let i = 0; i < digits.length; i++) {
    bits = (bits << 6) | alphabet.indexOf(digits[i])
    // Every four digits are three bytes; a byte is complete at each but the first.
    if (i % 4 !== 0) bytes[at++] = bits >>> (6 - 2 * (i % 4))
  }
  if (shared) bytes[memoryFlagsAt] = 3
  return bytes
}

const moduleOf = (implementation: 'simd' | 'scalar') =>
  implementation === 'simd' ? simdModule : scalarModule

/** True when this platform runs that module. */
export function runs(implementation: 'simd' | 'scalar', shared: boolean): boolean {
  return platform()?.validate(decode(moduleOf(implementation), shared)) === true
}

/** A memory of exactly `bytes`, a multiple of 65,536, that never grows, so views of it stay valid. */
export function flatMemory(bytes: number, shared: boolean): FlatMemory | undefined {
  const api = platform()
  const pages = bytes / pageOfMemoryBytes
  return api === undefined ? undefined : new api.Memory({ initial: pages, maximum: pages, shared })
}

/** Compiles a module over a memory: under a millisecond. Throws what the platform throws when it refuses. */
export function webAssemblyKernels(
  implementation: 'simd' | 'scalar',
  memory: FlatMemory,
  shared: boolean,
): Kernels {
  const api = platform()
  if (api === undefined) throw new Error('this platform has no WebAssembly')
  const module = new api.Module(decode(moduleOf(implementation), shared))
  // Results are i32 and f64: counts stay below 2^31, since 4 GiB hold no more deltas or pages.
  const { exports } = new api.Instance(module, { env: { memory } })
  // A module's exports are a dictionary, looked up at every call; an object of our own is not.
  return { ...(exports as Kernels) }
}

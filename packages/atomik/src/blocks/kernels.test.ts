/** Goal: the three implementations keep the contract, and the committed modules are what the source compiles to. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { modulesFile, modulesText } from '../../kernels/build.ts'
import { javascriptKernels } from './javascript.ts'
import { kernelsContract } from './kernels.contract.ts'
import { implementations } from './kernels.ts'
import { flatMemory, runs, webAssemblyKernels } from './webassembly.ts'

for (const implementation of implementations)
  for (const shared of [false, true])
    kernelsContract(`${implementation}${shared ? ', shared' : ''}`, bytes => {
      if (implementation === 'javascript') {
        const buffer = new (shared ? SharedArrayBuffer : ArrayBuffer)(bytes)
        return { kernels: javascriptKernels(buffer), buffer }
      }
      const memory = flatMemory(bytes, shared)
      if (memory === undefined) throw new Error('Node without WebAssembly')
      return { kernels: webAssemblyKernels(implementation, memory, shared), buffer: memory.buffer }
    })

describe('the modules', () => {
  it('are what kernels/ compiles to (npm run kernels writes them)', async () => {
    expect(readFileSync(modulesFile, 'utf8')).toBe(await modulesText())
  }, 60_000)
  it('run here, shared and not', () => {
    for (const shared of [false, true])
      expect([runs('simd', shared), runs('scalar', shared)]).toEqual([true, true])
  })
})

describe('the matrix of the digest', () => {
  it('has order 2^64 − 1, so that all its powers differ, and any two of them in every vector', () => {
    // An element of that order in GL(64, 2) generates the field GF(2^64): the sum of two different powers is invertible.
    const m64 = 2n ** 64n
    const bit = (i: number) => 1n << BigInt(i)
    const step = (x: bigint) => {
      x ^= (x << 13n) % m64
      x ^= x >> 7n
      return x ^ ((x << 17n) % m64)
    }
    type Matrix = readonly bigint[]
    const times = (a: Matrix, x: bigint) => {
      let sum = 0n
      for (let i = 0; i < 64; i++) if ((x & bit(i)) !== 0n) sum ^= a[i]
      return sum
    }
    const product = (a: Matrix, b: Matrix): Matrix => b.map(column => times(a, column))
    const one: Matrix = Array.from({ length: 64 }, (_, i) => bit(i))
    const t: Matrix = one.map(step)
    const power = (exponent: bigint): Matrix => {
      let result = one
      let square = t
      for (let rest = exponent; rest > 0n; rest >>= 1n) {
        if ((rest & 1n) === 1n) result = product(result, square)
        square = product(square, square)
      }
      return result
    }
    const order = m64 - 1n
    const primes = [3n, 5n, 17n, 257n, 641n, 65_537n, 6_700_417n]
    expect(primes.reduce((all, prime) => all * prime, 1n)).toBe(order)
    expect(power(order)).toEqual(one)
    for (const prime of primes) expect(power(order / prime)).not.toEqual(one)
  })
})

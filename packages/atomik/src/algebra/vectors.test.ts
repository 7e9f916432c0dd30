/**
 * Goal: spec/vectors/operations*.json and digest.json are the truth for this implementation too. Method: compare the generated files
 * with a fresh run; replay every trace, those of other rooms included; recompute digests from the formulas of
 * spec/semantics.md §4 in bigint, without the library.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type digestVectors, formatDigest } from '../../../../spec/vectors/generate-digest.ts'
import { type Case, formatCases, operationCases } from '../../../../spec/vectors/generate-operations.ts'
import { parseBytes } from '../../../../spec/vectors/text.ts'
import { AtomikTable } from './table.ts'

const folder = new URL('../../../../spec/vectors/', import.meta.url)
const text = (name: string) => readFileSync(new URL(name, folder), 'utf8')

describe.each(readdirSync(folder).filter(name => /^operations.*\.json$/.test(name)))('%s', file => {
  const { cases } = JSON.parse(text(file)) as { cases: Case[] }
  it('holds cases', () => {
    expect(cases.length).toBeGreaterThan(0)
  })
  it.each(cases)('$name', ({ lane, width, contexts, steps }) => {
    const table = new AtomikTable(contexts, { lane, width })
    for (const { op, address, value, expect: want } of steps) {
      if (op === 'load') table.load(address, BigInt(value ?? 'missing'))
      else if (op === 'accum') table.accum(address, BigInt(value ?? 'missing'))
      else if (op === 'read') expect(`0x${table.read(address).toString(16)}`).toBe(want)
      else {
        const state = table.swap(address, value === null || value === undefined ? undefined : BigInt(value))
        expect(`0x${state.toString(16)}`).toBe(want)
      }
    }
  })
})

describe('generated files', () => {
  it('operations.json is what the generator writes', () => {
    expect(text('operations.json')).toBe(formatCases(operationCases()))
  })
  it('digest.json is what the generator writes', () => {
    expect(text('digest.json')).toBe(formatDigest())
  })
})

describe('digest.json', () => {
  const file = JSON.parse(text('digest.json')) as ReturnType<typeof digestVectors>
  const m32 = 2n ** 32n
  const m64 = 2n ** 64n
  const join = (low: bigint, high: bigint) => ((high % m32) << 32n) | (low % m32)
  /** S21, word for word. */
  const mix = (address: bigint, value: bigint): bigint => {
    const [al, ah] = [address % m32, address >> 32n]
    let [x, y] = [value % m32, value >> 32n]
    const p = ((y ^ al) * 0x85ebca6bn) % m32
    x = (x + (p ^ (p >> 15n))) % m32
    const q = ((x ^ ah) * 0xc2b2ae35n) % m32
    y = y ^ q ^ (q >> 13n)
    const r = (((y + ah) % m32) * 0x27d4eb2fn) % m32
    x = (x + (r ^ (r >> 16n))) % m32
    const s = (((x + al) % m32) * 0x165667b1n) % m32
    y = y ^ s ^ (s >> 14n)
    return join(x, y)
  }
  /** S22. */
  const hash = (seed: bigint, bytes: Uint8Array): bigint => {
    let a = 0x811c9dc5n ^ seed
    let b = (0x9e3779b9n + seed) % m32
    for (const byte of bytes) {
      a = ((a ^ BigInt(byte)) * 0x01000193n) % m32
      b = ((b ^ BigInt(byte) ^ (b >> 15n)) * 0x85ebca6bn) % m32
    }
    return mix(join(BigInt(bytes.length), seed), join(a, b))
  }
  const fingerprint = (words: readonly { address: string; value: string }[]) => {
    let sum = 0n
    for (const { address, value } of words)
      if (BigInt(value) !== 0n) sum = (sum + mix(BigInt(address), BigInt(value))) % m64
    return sum
  }
  const hex = (value: bigint) => `0x${value.toString(16)}`

  it('follows S21 in mix', () => {
    for (const one of file.mix) expect(hex(mix(BigInt(one.address), BigInt(one.value)))).toBe(one.mix)
  })
  it('follows S22 in hash', () => {
    for (const one of file.hash) expect(hex(hash(BigInt(one.seed), parseBytes(one.bytes)))).toBe(one.hash)
  })
  it('follows S23 in addresses', () => {
    for (const { table, key, word, address } of file.addresses) {
      const row = hash(BigInt(table), new TextEncoder().encode(key))
      expect(hex(join((row + BigInt(word) * 0x9e3779b1n) % m32, row >> 32n))).toBe(address)
    }
  })
  it('follows S24 in fingerprints', () => {
    for (const { words, sum, digest } of file.fingerprints) {
      expect(hex(fingerprint(words))).toBe(sum)
      const over = mix(join(BigInt(words.length), 0x61746f6dn), fingerprint(words))
      expect(over.toString(16).padStart(16, '0')).toBe(digest)
    }
  })
  it('follows S25 in labels', () => {
    for (const { incarnation, first, steps } of file.labels) {
      let label = parseBytes(incarnation)
        .slice(0, 8)
        .reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
      expect(hex(label)).toBe(first)
      for (const { salt, digest, to, label: want } of steps) {
        label = mix(BigInt(to), mix(label ^ BigInt(salt), BigInt(digest)))
        expect(hex(label)).toBe(want)
      }
    }
  })
})

/** How vectors are spelt: hexadecimal words and bytes, one case a line, so that a diff shows what changed. */
import type { Halves } from '../../packages/atomik/src/wire/index.ts'

/** A number as in all vectors: `0x`, lower case, no leading zeros. */
export function hexWord(value: bigint | number): string {
  return `0x${value.toString(16)}`
}

export function hexHalves({ low, high }: Halves): string {
  return hexWord((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0))
}

export function parseHalves(text: string): Halves {
  const value = BigInt(text)
  return { low: Number(value & 0xffff_ffffn) | 0, high: Number(value >> 32n) | 0 }
}

export function hexBytes(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

export function parseBytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
}

/** A file of lists of cases, one case a line. */
export function formatLists(lists: Readonly<Record<string, readonly unknown[]>>): string {
  const parts = Object.entries(lists).map(([name, cases]) => {
    const lines = cases.map(one => `    ${JSON.stringify(one)}`).join(',\n')
    return `  ${JSON.stringify(name)}: [\n${lines}\n  ]`
  })
  return `{ "version": 1,\n${parts.join(',\n')} }\n`
}

/** Words as text, in the base the reader chose. */

export const bases = ['hexadecimal', 'binary', 'decimal'] as const
export type Base = (typeof bases)[number]

const radix: Record<Base, number> = { hexadecimal: 16, binary: 2, decimal: 10 }
const prefix: Record<Base, string> = { hexadecimal: '0x', binary: '0b', decimal: '' }
const digits: Record<Base, RegExp> = { hexadecimal: /^[0-9a-f]+$/i, binary: /^[01]+$/, decimal: /^[0-9]+$/ }

export function formatWord(value: bigint, width: number, base: Base): string {
  const text = value.toString(radix[base])
  if (base === 'decimal') return text
  return prefix[base] + text.padStart(base === 'binary' ? width : Math.ceil(width / 4), '0').toUpperCase()
}

/** The value, or what is wrong with the text. A prefix (0x, 0b) says more than the chosen base. */
export function parseWord(text: string, width: number, base: Base): bigint | string {
  const clean = text.replaceAll(/[\s_,]/g, '')
  const named: Base | undefined = /^0x/i.test(clean)
    ? 'hexadecimal'
    : /^0b/i.test(clean) && base !== 'hexadecimal'
      ? 'binary'
      : undefined
  const inBase = named ?? base
  const body = named === undefined ? clean : clean.slice(2)
  if (body === '') return 'a number is wanted'
  if (body.length > 5000) return 'that is too long'
  if (!digits[inBase].test(body)) return `not a ${inBase} number`
  const value = BigInt(inBase === 'decimal' ? body : prefix[inBase] + body)
  return value >> BigInt(width) === 0n ? value : `it does not fit into ${width} bits`
}

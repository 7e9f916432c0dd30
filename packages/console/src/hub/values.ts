/** Values of any field as text, and text as values. */
import type { Field } from 'atomik'

/** Longer bit fields are pages of regions: their bytes are no text. */
const textBits = 4096

export function valueText(value: unknown): string {
  if (value === true) return 'on'
  if (value === false) return 'off'
  if (value instanceof Uint8Array) return [...value].map(byte => byte.toString(16).padStart(2, '0')).join('')
  if (Array.isArray(value) && value.length > textBits) return `${value.length / 8} bytes`
  if (Array.isArray(value))
    return value.every(item => typeof item === 'boolean')
      ? value.map(item => (item ? '1' : '0')).join('')
      : value.map(valueText).join(' ')
  return String(value)
}

export function fieldType(field: Field): string {
  if (field.kind === 'register') return field.type
  if (field.kind === 'bits') return `bits(${field.count})`
  if (field.kind === 'array') return `${fieldType(field.element)}*${field.count}`
  return field.kind
}

/** The value a register of this type takes from text, or undefined when it is none. */
export function parseValue(type: string, text: string): unknown {
  if (type === 'bool')
    return text === 'on' || text === 'true' ? true : text === 'off' || text === 'false' ? false : undefined
  if (/^[ui]64$/.test(type)) return /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
  if (/^[uif]\d+$/.test(type))
    return text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text)
  if (type.startsWith('bytes')) {
    if (!/^([0-9a-f]{2})*$/i.test(text)) return undefined
    return Uint8Array.from(text.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
  }
  return text
}

/** Bits shown of one field at most. */
const bitsMax = 512

/** The bits of a value as they stand in its words; for numbers the most significant first, for bit fields in their own order. */
export function bitsOf(field: Field, value: unknown): boolean[] {
  if (field.kind === 'bits') return (value as boolean[]).slice(0, bitsMax)
  if (field.kind === 'array')
    return (value as unknown[]).flatMap(element => bitsOf(field.element, element)).slice(0, bitsMax)
  if (field.kind === 'toggle' || field.kind === 'flag') return [value === true]
  if (field.kind === 'counter') return word(BigInt.asUintN(64, BigInt(value as number)), 64)
  const halves = new Int32Array(2 * field.codec.words)
  field.codec.write(value, halves, 0)
  return field.codec.bits
    .flatMap((width, i) =>
      word((BigInt(halves[2 * i + 1] >>> 0) << 32n) | BigInt(halves[2 * i] >>> 0), width),
    )
    .slice(0, bitsMax)
}

const word = (value: bigint, width: number) =>
  Array.from({ length: width }, (_, i) => ((value >> BigInt(width - 1 - i)) & 1n) === 1n)

/**
 * Schemas as others describe them: read, compared, joined. For hubs and for programs that show spaces they have no source code of; a
 * client that knows its tables needs none of it.
 */
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeUtf8 } from '../wire/index.ts'
import { array, bits, counter, type Field, flag, page, register, type ScalarField, toggle } from './fields.ts'
import {
  countElements,
  describeField,
  describeFields,
  type Fields,
  requireElements,
  Schema,
  type TableSchema,
  table,
} from './schema.ts'

/**
 * The schema a description speaks of: what lets a hub hold, check and show records it has no source code for.
 * @throws AtomikError `schema` when it is not a description this version writes
 */
export function decodeSchema(bytes: Uint8Array): Schema {
  const text = bytes.length > limits.schemaBytesMax ? undefined : decodeUtf8(bytes)
  if (text === undefined) throw new AtomikError('schema', 'a schema description that is not text')
  const tables: Record<string, TableSchema> = Object.create(null)
  let schema: Schema
  try {
    const lines = text.split('\n').slice(0, -1)
    if (lines.length > limits.tablesMax)
      throw new AtomikError('schema', `a space has at most ${limits.tablesMax} tables, got ${lines.length}`)
    let elements = 0
    for (const line of lines) {
      const match = /^([\w-]+)\((.*)\)$/.exec(line)
      if (match === null || match[1] in tables)
        throw new AtomikError('schema', `not a table description: ${line.slice(0, 80)}`)
      const fields = parseFields(match[2])
      // Counted before places are made for them: 12 bytes can announce 4,095 elements.
      elements += countElements(fields)
      requireElements(elements)
      tables[match[1]] = table(fields)
    }
    schema = new Schema(tables)
  } catch (error) {
    if (error instanceof AtomikError) throw new AtomikError('schema', error.message, { cause: error })
    throw error
  }
  if (schema.description !== text) throw new AtomikError('schema', 'a schema description in unusual spelling')
  return schema
}

/**
 * The schema that has all of both, where one only goes on after the other: tables at the end, fields at the end of a table. `ours`
 * when it has everything already. Otherwise the first thing that stands against it, in words.
 */
export function joinSchemas(ours: Schema, other: Schema): Schema | { readonly difference: string } {
  if (ours.description === other.description) return ours
  const tables: Record<string, TableSchema> = Object.create(null)
  for (let t = 0; t < Math.max(ours.names.length, other.names.length); t++) {
    const [here, there] = [ours.tables[t], other.tables[t]]
    if (here !== undefined && there !== undefined) {
      if (ours.names[t] !== other.names[t]) return { difference: differenceOf(ours, other) ?? '' }
      const [shorter, longer] = [here, there]
        .map(({ fields }) => describeFields(fields))
        .sort((a, b) => a.length - b.length)
      if (shorter !== '' && longer !== shorter && !longer.startsWith(`${shorter},`))
        return { difference: differenceOf(ours, other) ?? '' }
    }
    const isLonger =
      here === undefined || Object.keys(there?.fields ?? {}).length > Object.keys(here.fields).length
    tables[ours.names[t] ?? other.names[t]] = isLonger ? there : here
  }
  try {
    const joined = new Schema(tables)
    return joined.description === ours.description ? ours : joined
  } catch (error) {
    if (error instanceof AtomikError) return { difference: error.message }
    throw error
  }
}

/** The first thing in which two schemas differ, in words, or undefined when they are the same. */
export function differenceOf(ours: Schema, other: Schema): string | undefined {
  if (ours.description === other.description) return undefined
  for (let t = 0; t < Math.max(ours.names.length, other.names.length); t++) {
    const name = ours.names[t]
    if (name !== other.names[t])
      return `table ${t + 1} is ${name ?? 'absent'} here and ${other.names[t] ?? 'absent'} there`
    const here = Object.entries(ours.tables[t].fields).map(
      ([field, type]) => `${field}:${describeField(type)}`,
    )
    const there = Object.entries(other.tables[t].fields).map(
      ([field, type]) => `${field}:${describeField(type)}`,
    )
    for (let f = 0; f < Math.max(here.length, there.length); f++)
      if (here[f] !== there[f])
        return `field ${f + 1} of ${name} is ${here[f] ?? 'absent'} here and ${there[f] ?? 'absent'} there`
  }
  return 'the descriptions differ'
}

function parseFields(text: string): Fields {
  const fields: Record<string, Field> = Object.create(null)
  for (const part of splitFields(text)) {
    const match = /^([\w-]+):([a-z0-9]+)(?:\(([^()]*)\))?(?:\*([0-9]{1,5}))?$/.exec(part)
    if (match === null || match[1] in fields)
      throw new AtomikError('schema', `not a field description: ${part.slice(0, 80)}`)
    const [, name, type, parameter, count] = match
    const field = parseField(type, parameter)
    if (count !== undefined && field.kind === 'bits')
      throw new AtomikError('schema', `not a field description: ${part.slice(0, 80)}`)
    fields[name] = count === undefined || field.kind === 'bits' ? field : array(field, Number(count))
  }
  return fields
}

/** Splits at commas outside brackets, in one pass. */
function splitFields(text: string): string[] {
  const parts: string[] = []
  let start = 0
  let inside = false
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') inside = true
    else if (text[i] === ')') inside = false
    else if (text[i] === ',' && !inside) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  if (text !== '') parts.push(text.slice(start))
  return parts
}

function parseField(type: string, parameter: string | undefined): ScalarField | ReturnType<typeof bits> {
  if (parameter !== undefined) {
    if (type === 'enum') return register.enum(...(parameter.split(',') as [string, ...string[]]))
    if (type === 'bits') return bits(Number(parameter))
    if (type === 'page') return page(Number(parameter))
    if (type === 'bytes') return register.bytes(Number(parameter))
    if (type === 'text') return register.text(Number(parameter))
  } else {
    if (type === 'toggle') return toggle()
    if (type === 'flag') return flag()
    if (type === 'counter') return counter()
    if (type !== 'enum' && type !== 'bytes' && type !== 'text' && Object.hasOwn(register, type))
      return register[type as 'u8' | 'u64' | 'bool']()
  }
  throw new AtomikError('schema', `an unknown field type: ${type}`)
}

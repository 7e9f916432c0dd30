/**
 * Tables and schemas: fields placed in words, the layout the engine runs on, and a description that both sides compare.
 *
 * Placement is by declaration order, so a field appended at the end moves nothing: word 0 is the row's life; toggles share
 * words of 64, allotted when the first of each 64 appears; every other field takes the next free words.
 */
import { formatHalves, Mixer, type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { decodeUtf8, encodeUtf8 } from '../wire/index.ts'
import type { Bits, Field, Register, ScalarField } from './fields.ts'
import { array, bits, counter, flag, page, register, toggle } from './fields.ts'

export type Fields = Readonly<Record<string, Field>>

/** Names a row has for itself. */
export const reservedFieldNames = ['key', 'exists', 'remove', 'read'] as const
type ReservedName = (typeof reservedFieldNames)[number]

/** Where one field lies. */
export interface Place {
  /** First word. */
  readonly word: number
  /** Words it takes: one element of an array, stamp included. */
  readonly words: number
  /** Bit in the word, for toggles; 0 elsewhere. */
  readonly bit: number
}

export interface TableSchema<F extends Fields = Fields> {
  readonly fields: F
  readonly layout: RowLayout
  /** Places by field name; an array has one a element. */
  readonly places: ReadonlyMap<string, readonly Place[]>
}

/**
 * A table of records with these fields.
 *
 * @throws AtomikError `range` for a reserved, empty or overlong name, or more words than a row may have
 * @example
 * ```ts
 * import { counter, flag, register, table } from 'atomik'
 * const Device = table({ online: flag(), boots: counter(), room: register.text(24), celsius: register.f32() })
 * ```
 */
export function table<const F extends Fields>(
  fields: F & { readonly [K in ReservedName]?: never },
): TableSchema<F> {
  const kinds: number[] = [WordKind.max]
  const groups: number[] = [1]
  const widths: number[] = [64]
  const places = new Map<string, readonly Place[]>()
  let toggleWord = -1
  let togglesUsed = 64
  requireElements(countElements(fields))

  const push = (kind: number, width: number, group = 1): number => {
    kinds.push(kind)
    widths.push(width)
    groups.push(group)
    return kinds.length - 1
  }
  const place = (field: ScalarField): Place => {
    switch (field.kind) {
      case 'toggle':
        if (togglesUsed === 64) {
          toggleWord = push(WordKind.xor, 64)
          togglesUsed = 0
        }
        return { word: toggleWord, words: 1, bit: togglesUsed++ }
      case 'flag':
        return { word: push(WordKind.max, 64), words: 1, bit: 0 }
      case 'counter':
        return { word: push(WordKind.add, 64), words: 1, bit: 0 }
      case 'register': {
        const word = push(WordKind.stamp, 64, 1 + field.codec.words)
        for (const width of field.codec.bits) push(WordKind.value, width)
        return { word, words: 1 + field.codec.words, bit: 0 }
      }
    }
  }

  const names = Object.keys(fields)
  if (
    Object.values(fields as Fields).some(isPage) &&
    describeFields(fields as Fields) !== pageFields(fields as Fields)
  )
    throw new AtomikError('range', 'pages stand in tables made by region() alone')
  if (names.length > limits.fieldsMax)
    throw new AtomikError('range', `a table has at most ${limits.fieldsMax} fields, got ${names.length}`)
  for (const name of names) {
    requireName(name, 'field')
    if ((reservedFieldNames as readonly string[]).includes(name))
      throw new AtomikError('range', `a field cannot be called ${name}: a row uses that name itself`)
    const field = (fields as Fields)[name]
    if (field.kind === 'bits') {
      const first = kinds.length
      for (let left = field.count; left > 0; left -= 64) push(WordKind.xor, Math.min(64, left))
      places.set(name, [{ word: first, words: kinds.length - first, bit: 0 }])
    } else if (field.kind === 'array') {
      places.set(
        name,
        Array.from({ length: field.count }, () => place(field.element)),
      )
    } else {
      places.set(name, [place(field)])
    }
    if (kinds.length > limits.rowWordsMax)
      throw new AtomikError(
        'range',
        `a row has at most ${limits.rowWordsMax} words; field ${name} goes beyond`,
      )
  }
  const layout = {
    words: kinds.length,
    kinds: Uint8Array.from(kinds),
    groups: Uint16Array.from(groups),
    bits: Uint8Array.from(widths),
  }
  return { fields: fields as F, layout, places }
}

export interface RegionFields extends Fields {
  readonly writer: Register<bigint>
  readonly length: Register<number>
  readonly page: Bits
}

export interface RegionSchema extends TableSchema<RegionFields> {
  /** Bytes in a page. */
  readonly pageBytes: number
}

/**
 * A table of regions: byte arrays by name, for files and images, kept in pages. What travels and what a late reader fetches
 * are the pages that changed. One client writes a region at a time.
 *
 * @param options.pageBytes a multiple of 8 up to 16,384; default 4,096. Small pages cost a row each, large ones are fetched whole
 * @throws AtomikError `range`
 */
export function region(options: { readonly pageBytes?: number } = {}): RegionSchema {
  const pageBytes = options.pageBytes ?? 4096
  const fields: RegionFields = { writer: register.u64(), length: register.u32(), page: page(pageBytes) }
  return { ...table(fields), fields, pageBytes }
}

/** True for tables made by `region()`, here or by whoever wrote the description. */
export function isRegion(schema: TableSchema): boolean {
  return Object.values(schema.fields).some(isPage)
}

function isPage(field: Field): boolean {
  return field.kind === 'bits' && field.isPage === true
}

/** The one way in which a page may stand in a table. */
function pageFields(fields: Fields): string {
  const { page: last } = fields
  return `writer:u64,length:u32,page:${last === undefined ? '' : describeField(last)}`
}

function requireName(name: string, what: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) || name.length > limits.keyBytesMax)
    throw new AtomikError('range', `a ${what} name is letters, digits, _ and -, got ${JSON.stringify(name)}`)
}

function countElements(fields: Fields): number {
  let elements = 0
  for (const field of Object.values(fields)) if (field.kind === 'array') elements += field.count
  return elements
}

function requireElements(elements: number): void {
  if (elements > limits.elementsMax)
    throw new AtomikError(
      'range',
      `a space has at most ${limits.elementsMax} array elements, got ${elements} or more`,
    )
}

export type Tables = Readonly<Record<string, TableSchema>>

/** The tables of one space, in order, and what both sides compare about them. */
export class Schema {
  readonly names: readonly string[]
  readonly tables: readonly TableSchema[]
  readonly layouts: readonly RowLayout[]
  /** One line a table: `name(field:type,…)`. Equal descriptions, equal layouts. */
  readonly description: string
  /** 16 hexadecimal digits over the description. */
  readonly hash: string

  /** @throws AtomikError `range` for no table, too many, too much in them, or a name that will not do */
  constructor(tables: Tables) {
    this.names = Object.keys(tables)
    if (this.names.length === 0 || this.names.length > limits.tablesMax)
      throw new AtomikError('range', `a space has 1 to ${limits.tablesMax} tables, got ${this.names.length}`)
    for (const name of this.names) requireName(name, 'table')
    this.tables = this.names.map(name => tables[name])
    this.layouts = this.tables.map(schema => schema.layout)
    requireElements(this.tables.reduce((sum, { fields }) => sum + countElements(fields), 0))
    this.description = this.names.map(name => `${name}(${describeFields(tables[name].fields)})\n`).join('')
    const bytes = encodeUtf8(this.description)
    if (bytes.length > limits.schemaBytesMax)
      throw new AtomikError(
        'range',
        `a schema's description has at most ${limits.schemaBytesMax} bytes, got ${bytes.length}: use shorter names`,
      )
    const mixer = new Mixer()
    mixer.hash(0, bytes)
    this.hash = formatHalves(mixer.low, mixer.high)
  }

  /** The description as it travels. */
  encode(): Uint8Array {
    return encodeUtf8(this.description)
  }

  /**
   * The schema a description speaks of: what lets a hub hold, check and show records it has no source code for.
   * @throws AtomikError `schema` when it is not a description this version writes
   */
  static decode(bytes: Uint8Array): Schema {
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
    if (schema.description !== text)
      throw new AtomikError('schema', 'a schema description in unusual spelling')
    return schema
  }

  /**
   * The schema that has all of both, where one only goes on after the other: tables at the end, fields at the end of a table. `this`
   * when it has everything already. Otherwise the first thing that stands against it, in words.
   */
  join(other: Schema): Schema | { readonly difference: string } {
    if (this.description === other.description) return this
    const tables: Record<string, TableSchema> = Object.create(null)
    for (let t = 0; t < Math.max(this.names.length, other.names.length); t++) {
      const [here, there] = [this.tables[t], other.tables[t]]
      if (here !== undefined && there !== undefined) {
        if (this.names[t] !== other.names[t]) return { difference: this.difference(other) ?? '' }
        const [shorter, longer] = [here, there]
          .map(({ fields }) => describeFields(fields))
          .sort((a, b) => a.length - b.length)
        if (shorter !== '' && longer !== shorter && !longer.startsWith(`${shorter},`))
          return { difference: this.difference(other) ?? '' }
      }
      const isLonger =
        here === undefined || Object.keys(there?.fields ?? {}).length > Object.keys(here.fields).length
      tables[this.names[t] ?? other.names[t]] = isLonger ? there : here
    }
    try {
      const joined = new Schema(tables)
      return joined.description === this.description ? this : joined
    } catch (error) {
      if (error instanceof AtomikError) return { difference: error.message }
      throw error
    }
  }

  /** The first thing in which two schemas differ, in words, or undefined when they are the same. */
  difference(other: Schema): string | undefined {
    if (this.description === other.description) return undefined
    for (let t = 0; t < Math.max(this.names.length, other.names.length); t++) {
      const name = this.names[t]
      if (name !== other.names[t])
        return `table ${t + 1} is ${name ?? 'absent'} here and ${other.names[t] ?? 'absent'} there`
      const here = Object.entries(this.tables[t].fields).map(
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
}

function describeFields(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, field]) => `${name}:${describeField(field)}`)
    .join(',')
}

function describeField(field: Field): string {
  if (field.kind === 'register') return field.type
  if (field.kind === 'bits')
    return field.isPage === true ? `page(${field.count / 8})` : `bits(${field.count})`
  if (field.kind === 'array') return `${describeField(field.element)}*${field.count}`
  return field.kind
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

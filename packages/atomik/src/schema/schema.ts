/**
 * Tables and schemas: fields placed in words, the layout the engine runs on, and a description that both sides compare.
 *
 * Placement is by declaration order, so a field appended at the end moves nothing: word 0 is the row's life; toggles share
 * words of 64, allotted when the first of each 64 appears; every other field takes the next free words.
 */
import { formatHalves, Mixer, type RowLayout, WordKind } from '../algebra/index.ts'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { encodeUtf8 } from '../wire/index.ts'
import { type Bits, type Field, page, type Register, register, type ScalarField } from './fields.ts'

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
 * The table in which regions are kept, by page. Programs call `region()`, which brings the code that reads and patches them.
 * @throws AtomikError `range`
 */
export function regionTable(options: { readonly pageBytes?: number } = {}): RegionSchema {
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

export function countElements(fields: Fields): number {
  let elements = 0
  for (const field of Object.values(fields)) if (field.kind === 'array') elements += field.count
  return elements
}

export function requireElements(elements: number): void {
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
}

export function describeFields(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, field]) => `${name}:${describeField(field)}`)
    .join(',')
}

export function describeField(field: Field): string {
  if (field.kind === 'register') return field.type
  if (field.kind === 'bits')
    return field.isPage === true ? `page(${field.count / 8})` : `bits(${field.count})`
  if (field.kind === 'array') return `${describeField(field.element)}*${field.count}`
  return field.kind
}

/** Reads a delta as vectors name its rows: what a test, or another implementation's test, does with codec.json. */
import type { RowLayout } from '../../packages/atomik/src/algebra/index.ts'
import { decodeSchema } from '../../packages/atomik/src/schema/index.ts'
import {
  type DecodedDelta,
  decodeDelta,
  encodeUtf8,
  Reader,
  type RowDirectory,
} from '../../packages/atomik/src/wire/index.ts'
import type { Naming, RowCase } from './generate-codec.ts'
import { hexHalves } from './text.ts'

export interface DeltaInput {
  readonly schema: string
  readonly stampBaseMs: number
  readonly naming: Naming
  readonly known: readonly (readonly string[])[]
}

/** Rows as the reader has them: the known ones, each under its number. A hub takes no new numbers. */
export function directoryFor(known: readonly (readonly string[])[], naming: Naming): RowDirectory {
  const keys = (table: number) => known[table] ?? []
  return {
    rowNumbered: (table, number) => (number < keys(table).length ? number : -1),
    rowNamed: (table, key) => keys(table).indexOf(key),
    rowCount: table => keys(table).length,
    knownRows: table => keys(table).length,
    hasLiterals: naming !== 'downlink',
    hasNumber: (table, row) => row < keys(table).length,
  }
}

export function layoutsOf(schema: string): readonly RowLayout[] {
  return decodeSchema(encodeUtf8(schema)).layouts
}

/** @throws AtomikError */
export function decodeVector(
  bytes: Uint8Array,
  { schema, stampBaseMs, naming, known }: DeltaInput,
  layouts = layoutsOf(schema),
): DecodedDelta {
  const reader = new Reader(bytes)
  const decoded = decodeDelta(reader, layouts, directoryFor(known, naming), {
    ms: stampBaseMs,
    count: 0,
  })
  if (!reader.done) reader.fail('malformed', 'bytes after the end of a delta')
  return decoded
}

/** The rows of a decoded delta as vectors spell them, in order of table and key. */
export function rowsOf({ delta, named }: DecodedDelta, known: readonly (readonly string[])[]): RowCase[] {
  const rows: RowCase[] = []
  delta.tables.forEach((part, table) => {
    const stride = 2 * part.layout.words
    for (let slot = 0; slot < part.count; slot++) {
      const row = part.rows[slot]
      const key = named.find(n => n.table === table && n.row === row)?.key ?? known[table][row]
      const words: Record<string, string> = {}
      for (let word = 0; word < part.layout.words; word++) {
        const at = slot * stride + 2 * word
        const [low, high] = [part.words[at], part.words[at + 1]]
        if ((low | high) !== 0) words[word] = hexHalves({ low, high })
      }
      rows.push({ table, key, words })
    }
  })
  return sortRows(rows)
}

export function sortRows(rows: readonly RowCase[]): RowCase[] {
  return [...rows].sort((a, b) => a.table - b.table || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

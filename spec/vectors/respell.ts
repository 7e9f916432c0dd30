/** Whether a decoder only takes what the encoder writes: decodes a delta, and writes it again under the naming its bytes used. */
import {
  compareBytes,
  DeltaDecoder,
  DeltaEncoder,
  Reader,
  Writer,
} from '../../packages/atomik/src/wire/index.ts'
import { directoryFor, type layoutsOf } from './decode.ts'
import type { DeltaCase } from './generate-codec.ts'

type Input = Pick<DeltaCase, 'known' | 'naming' | 'stampBaseMs'> & { layouts: ReturnType<typeof layoutsOf> }

/** True when the bytes come out as they went in. @throws AtomikError when they are refused */
export function respell(bytes: Uint8Array, { layouts, known, naming, stampBaseMs }: Input): boolean {
  const r = new Reader(bytes)
  const base = { ms: stampBaseMs, count: 0 }
  const decoder = new DeltaDecoder(layouts)
  const { delta, named } = decoder.decode(r, directoryFor(known, naming), base)
  if (!r.done) r.fail('malformed', 'bytes after the end of a delta')
  const keysOf = (table: number) => known[table] ?? []
  const ofTable = (table: number) => named.filter(n => n.table === table)
  const names = {
    knownRows: (table: number) => keysOf(table).length,
    keyOf: (table: number, row: number) => ofTable(table).find(n => n.row === row)?.key ?? keysOf(table)[row],
    numberOf: (table: number, row: number) => {
      const position = ofTable(table).findIndex(n => n.row === row)
      if (position < 0) return row
      return naming === 'downlink' ? keysOf(table).length + position : -1
    },
  }
  const w = new Writer()
  new DeltaEncoder().encode(w, delta, names, base)
  return compareBytes(w.view(), bytes) === 0
}

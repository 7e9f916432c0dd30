/**
 * How many bytes of heap one delta costs on its way, once everything is warm: encoded as the short frame of one change, decoded into a
 * reused delta and folded into a reference; and the same for a batch of rows, by row. Exported for benchmarks.
 *
 *   npm run allocation
 *
 * Method: the heap before and after many deltas, between which nothing was collected (young generation of 64 MiB; a collection
 * would show as a smaller heap, and is reported). Exit code 1 when a delta allocates.
 */
import { getHeapStatistics } from 'node:v8'
import { Delta } from '../packages/atomik/src/algebra/index.ts'
import { Reference } from '../packages/atomik/src/engine/index.ts'
import { bits, register, Schema, type TableSchema, table } from '../packages/atomik/src/schema/index.ts'
import {
  DeltaDecoder,
  DeltaEncoder,
  Reader,
  type RowDirectory,
  type RowNames,
  StampMark,
  Writer,
} from '../packages/atomik/src/wire/index.ts'

/** One way of a delta, with everything it reuses. `step` makes, sends, reads and applies one. */
export interface Way {
  readonly name: string
  /** Rows a delta touches. */
  readonly rows: number
  /** Bytes of the last delta as it was sent. */
  readonly bytes: () => number
  step(): void
}

const rowCount = 1000

function way(name: string, tableSchema: TableSchema, rows: number): Way {
  const { layouts } = new Schema({ t: tableSchema })
  /** Xorshift on 32-bit integers: a number above 2³¹ would be an object itself. */
  let state = 0x2545_f491
  const draw = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  }
  const reference = new Reference(layouts)
  for (let row = 0; row < rowCount; row++) reference.tables[0].open(`row-${row}`)
  const names: RowNames = { numberOf: (_, row) => row, keyOf: () => '', knownRows: () => rowCount }
  const directory: RowDirectory = {
    rowNumbered: (_, number) => number,
    rowNamed: () => -1,
    rowCount: () => rowCount,
    knownRows: () => rowCount,
    hasLiterals: true,
    hasNumber: () => true,
  }
  const made = new Delta(layouts)
  const arrived = new Delta(layouts)
  const encoder = new DeltaEncoder()
  const decoder = new DeltaDecoder(layouts)
  const w = new Writer()
  const r = new Reader(w.memory)
  const here = new StampMark(1_790_000_000_000)
  const there = new StampMark(1_790_000_000_000)
  const isStamped = layouts[0].words > 2
  let change = 0
  return {
    name,
    rows,
    bytes: () => w.length,
    step() {
      made.clear()
      change++
      const first = rows === 1 ? (draw() & 0x7fff_ffff) % rowCount : 0
      const part = made.tables[0]
      for (let row = first; row < first + rows; row++) {
        const at = part.append(row)
        if (isStamped) {
          // A millisecond every 20 changes, from the base on.
          const ms = 1_790_000_000_000 + Math.floor(change / 20)
          part.words[at + 2] = ((ms % 65_536) << 16) | (change % 20)
          part.words[at + 3] = Math.floor(ms / 65_536)
        }
        const value = isStamped ? at + 4 : at + 2
        part.words[value] = draw()
        part.words[value + 1] = draw()
      }
      w.reset()
      w.u8(128 + (change % 64))
      encoder.encode(w, made, names, here)
      here.see(made)
      r.reset(w.memory, 1, w.length)
      const { delta } = decoder.decode(r, directory, there, arrived)
      if (!r.done) throw new Error('bytes after a delta')
      there.see(delta)
      reference.accum(delta)
    },
  }
}

export function ways(): readonly Way[] {
  return [
    way('one xor word', table({ value: bits(64) }), 1),
    way('one register of 64 bits', table({ value: register.u64() }), 1),
    way('100 xor words, by row', table({ value: bits(64) }), 100),
    way('100 registers, by row', table({ value: register.u64() }), 100),
  ]
}

/** Heap bytes a delta takes, averaged over many, and the mean of its bytes on the wire. Negative when a collection came between. */
export function measureAllocation(one: Way, deltas = 100_000): { heap: number; wire: number } {
  for (let i = 0; i < deltas; i++) one.step()
  globalThis.gc?.()
  const before = getHeapStatistics().used_heap_size
  let wire = 0
  for (let i = 0; i < deltas; i++) {
    one.step()
    wire += one.bytes()
  }
  return { heap: (getHeapStatistics().used_heap_size - before) / deltas, wire: wire / deltas }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const one of ways()) {
    const rounds = Array.from({ length: 4 }, () => measureAllocation(one, one.rows === 1 ? 200_000 : 10_000))
    const heaps = rounds.map(({ heap }) => heap / one.rows)
    console.log(
      `allocation: ${one.name}: ${heaps.map(bytes => bytes.toFixed(3)).join(', ')} bytes of heap in ${rounds.length} rounds, ` +
        `${(rounds[0].wire / one.rows).toFixed(2)} on the wire`,
    )
    // What the compiler does not inline may cost one iterator a batch; an object a row is 12 bytes, in every round.
    if (Math.min(...heaps.map(Math.abs)) >= 1) process.exitCode = 1
  }
}

/**
 * `atomik bench`: what the algebra, the codec and a sync cost here, beside the plain way of doing the same. Rounds are
 * interleaved and the median is shown, with the range: other work on the machine hits both sides alike. It comes with the command line and
 * needs nothing else; comparisons with C and with the peers are in bench/, and only those are published beside others' figures.
 */
import { AtomikContext, AtomikTable, counter, register, Schema, table } from 'atomik'
import { Delta } from 'atomik/algebra'
import { Replica, SeededRandom } from 'atomik/engine'
import { decodeDelta, encodeDelta, namesByKey, Reader, Writer } from 'atomik/wire'
import Table from 'cli-table3'
import { Command } from 'commander'
import { wholeNumber } from './options.ts'

interface Case {
  readonly name: string
  /** What `run` does in one call. */
  readonly operations: number
  /** Bytes it reads or writes, where that is the point. */
  readonly bytes?: number
  run(): unknown
}

interface Pair {
  readonly ours: Case
  readonly plain: Case
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('a quick check of this machine: operations, fold, encode and sync, beside the plain way')
    .option('--rounds <n>', 'interleaved rounds', wholeNumber(3, 1000), 15)
    .option('--json', 'as JSON')
    .action((options: { rounds: number; json?: boolean }) => {
      const results = pairs().map(pair => measure(pair, options.rounds))
      if (options.json === true) {
        process.stdout.write(
          `${JSON.stringify({ node: process.version, rounds: options.rounds, results }, null, 2)}\n`,
        )
        return
      }
      const shown = new Table({
        head: ['', 'ops/s', 'range', 'GB/s', 'the plain way', 'its ops/s', 'ratio'],
        style: { head: [], border: [], compact: true },
        colAligns: ['left', 'right', 'right', 'right', 'left', 'right', 'right'],
      })
      for (const r of results)
        shown.push([
          r.name,
          rate(r.opsPerSecond),
          `${rate(r.opsPerSecondMin)}–${rate(r.opsPerSecondMax)}`,
          r.gigabytesPerSecond === undefined ? '' : r.gigabytesPerSecond.toFixed(2),
          r.plain,
          rate(r.plainOpsPerSecond),
          `${r.ratio.toFixed(1)} ×`,
        ])
      process.stdout.write(
        `${shown.toString()}\nMedians of ${options.rounds} interleaved rounds, Node ${process.version}.\n`,
      )
    })
}

function rate(perSecond: number): string {
  if (perSecond >= 1e9) return `${(perSecond / 1e9).toFixed(2)} G`
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} M`
  return `${(perSecond / 1e3).toFixed(1)} k`
}

function measure({ ours, plain }: Pair, rounds: number) {
  const times: [number[], number[]] = [[], []]
  for (let round = -2; round < rounds; round++)
    for (const [side, { run }] of [ours, plain].entries()) {
      const startedAt = performance.now()
      run()
      if (round >= 0) times[side].push((performance.now() - startedAt) / 1000)
    }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]
  const [oursS, plainS] = [median(times[0]), median(times[1])]
  return {
    name: ours.name,
    opsPerSecond: ours.operations / oursS,
    opsPerSecondMin: ours.operations / times[0][times[0].length - 1],
    opsPerSecondMax: ours.operations / times[0][0],
    gigabytesPerSecond: ours.bytes === undefined ? undefined : ours.bytes / oursS / 1e9,
    plain: plain.name,
    plainOpsPerSecond: plain.operations / plainS,
    ratio: plainS / oursS / (plain.operations / ours.operations),
  }
}

const count = 100_000

function pairs(): Pair[] {
  const random = new SeededRandom(1)
  const low = Int32Array.from({ length: count }, () => random.next32())
  const high = Int32Array.from({ length: count }, () => random.next32())
  const big = Array.from(low, (l, i) => (BigInt(high[i] >>> 0) << 32n) | BigInt(l >>> 0))
  const sink = new AtomikTable(1)
  const many = new AtomikTable(1024, { lane: 'add' })
  const plainMany = new Map<number, bigint>()
  const context = new AtomikContext()
  return [
    {
      ours: {
        name: 'ACCUM, halves, one context',
        operations: count,
        run: () => {
          for (let i = 0; i < count; i++) sink.accumHalves(0, low[i], high[i])
        },
      },
      plain: {
        name: 'bigint ^=',
        operations: count,
        run: () => {
          let sum = 0n
          for (let i = 0; i < count; i++) sum = BigInt.asUintN(64, sum ^ big[i])
          return sum
        },
      },
    },
    {
      ours: {
        name: 'ACCUM, add lane, 1,024 contexts',
        operations: count,
        run: () => {
          for (let i = 0; i < count; i++) many.accumHalves(i & 1023, low[i], high[i])
        },
      },
      plain: {
        name: 'Map of bigint',
        operations: count,
        run: () => {
          for (let i = 0; i < count; i++)
            plainMany.set(i & 1023, BigInt.asUintN(64, (plainMany.get(i & 1023) ?? 0n) + big[i]))
        },
      },
    },
    {
      ours: {
        name: 'LOAD, ACCUM, READ, SWAP with bigint',
        operations: 4 * (count / 10),
        run: () => {
          for (let i = 0; i < count / 10; i++) {
            context.load(big[i])
            context.accum(big[i + 1])
            context.read()
            context.swap()
          }
        },
      },
      plain: {
        name: 'two bigint variables',
        operations: 4 * (count / 10),
        run: () => {
          let reference = 0n
          let accumulator = 0n
          for (let i = 0; i < count / 10; i++) {
            reference = big[i]
            accumulator = 0n
            accumulator = BigInt.asUintN(64, accumulator ^ big[i + 1])
            reference = BigInt.asUintN(64, reference ^ accumulator)
          }
          return reference
        },
      },
    },
    foldPair(),
    codecPair(),
    replicaPair(),
  ]
}

/** Merging tables is the fold of all their accumulators. */
function foldPair(): Pair {
  const contexts = 2 ** 16
  const [a, b] = [new AtomikTable(contexts), new AtomikTable(contexts)]
  const [x, y] = [new BigUint64Array(contexts), new BigUint64Array(contexts)]
  for (let i = 0; i < contexts; i++) {
    b.accumHalves(i, i * 7, i * 13)
    y[i] = BigInt(i * 7)
  }
  return {
    ours: { name: 'fold of 65,536 words', operations: contexts, bytes: contexts * 8, run: () => a.merge(b) },
    plain: {
      name: 'BigUint64Array ^=',
      operations: contexts,
      run: () => {
        for (let i = 0; i < contexts; i++) x[i] ^= y[i]
      },
    },
  }
}

const Cell = table({ total: counter(), value: register.u32() })

function codecPair(): Pair {
  const schema = new Schema({ cells: Cell })
  const rows = 1000
  const keys = Array.from({ length: rows }, (_, i) => `row-${i}`)
  const delta = new Delta(schema.layouts)
  for (let row = 0; row < rows; row++) {
    const at = delta.tables[0].open(row)
    delta.tables[0].words[at + 2] = row + 1
    delta.tables[0].words[at + 4] = 1
    delta.tables[0].words[at + 5] = 0x0190_0000
    delta.tables[0].words[at + 6] = row * 3 + 1
  }
  const names = namesByKey((_, row) => keys[row])
  const index = new Map(keys.map((key, row) => [key, row]))
  const directory = {
    rowNumbered: () => -1,
    rowNamed: (_: number, key: string) => index.get(key) ?? -1,
    rowCount: () => rows,
    knownRows: () => 0,
    hasLiterals: true,
    hasNumber: () => false,
  }
  const w = new Writer()
  const plain = keys.map((key, row) => ({
    key,
    total: row + 1,
    stamp: 0x0190_0000_0001,
    value: row * 3 + 1,
  }))
  return {
    ours: {
      name: 'encode and decode a delta of 1,000 rows',
      operations: rows,
      run: () => {
        w.reset()
        encodeDelta(w, delta, names, { ms: 0, count: 0 })
        return decodeDelta(new Reader(w.finish()), schema.layouts, directory, { ms: 0, count: 0 })
      },
    },
    plain: { name: 'JSON', operations: rows, run: () => JSON.parse(JSON.stringify(plain)) },
  }
}

/** A replica on its own: the change, its undo record and the outbox, without a network. */
function replicaPair(): Pair {
  const schema = new Schema({ cells: Cell })
  const random = new SeededRandom(2)
  const replica = new Replica({ schema, space: 'bench', random32: () => random.next32() })
  const rows = Array.from({ length: 1000 }, (_, i) => replica.row(0, `row-${i}`))
  const plain = new Map<string, { total: number }>()
  const changes = 10_000
  return {
    ours: {
      name: 'one change of one counter, with undo',
      operations: changes,
      run: () => {
        for (let i = 0; i < changes; i++) replica.change(i, edit => edit.add(0, rows[i % 1000], 1, 1, 0))
      },
    },
    plain: {
      name: 'a Map of objects, without',
      operations: changes,
      run: () => {
        for (let i = 0; i < changes; i++) {
          const key = `row-${i % 1000}`
          plain.set(key, { total: (plain.get(key)?.total ?? 0) + 1 })
        }
      },
    },
  }
}

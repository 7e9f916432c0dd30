/**
 * Goal: one connection speaks for several incarnations (a replica's own, and those of earlier sessions whose outbox it still has),
 * and each change of each counts once. Method: frames put together by hand, sent to a space, and its answers read; a second reader
 * without claims follows the same log.
 */
import { describe, expect, it } from 'vitest'
import { Delta, Fingerprint } from '../algebra/index.ts'
import { counter, Schema, table } from '../schema/index.ts'
import {
  type Claim,
  type DownlinkFrame,
  decodeDownlink,
  encodeDelta,
  type Halves,
  namesByKey,
  type UplinkFrame,
  Writer,
} from '../wire/index.ts'
import { firstLabel, nextLabel } from './label.ts'
import { digestDelta, Reference } from './reference.ts'
import { Space, type SpaceAction } from './space.ts'

const schema = new Schema({ cells: table({ sum: counter() }) })
const now = 1_000_000
type Batch = UplinkFrame & { type: 'batch' }

/** One incarnation by hand: batches that each add to row x, and their labels. */
class Author {
  readonly id: Uint8Array
  readonly batches: Batch[] = []
  /** By sequence. */
  readonly labels: Halves[]
  constructor(seed: number) {
    this.id = new Uint8Array(16).fill(seed)
    this.labels = [firstLabel(this.id)]
  }
  add(by: number, alias = 0): this {
    const names = new Reference(schema.layouts)
    names.tables[0].open('x')
    const delta = new Delta(schema.layouts)
    const at = delta.tables[0].open(0)
    delta.tables[0].words[at] = 1
    delta.tables[0].words[at + 2] = by
    const w = new Writer()
    encodeDelta(
      w,
      delta,
      namesByKey((_, row) => names.tables[0].keys[row]),
      { ms: now, count: 0 },
    )
    const from = this.labels.length - 1
    const salt = { low: this.id[0], high: from }
    const digest = new Fingerprint()
    digestDelta(delta, names.tables, digest)
    this.labels.push(nextLabel(this.labels[from], salt, digest, from + 1))
    this.batches.push({ type: 'batch', alias, from, to: from + 1, salt, body: w.finish() })
    return this
  }
  claim(sequence = 0): Claim {
    return { incarnation: this.id, sequence, label: this.labels[sequence] }
  }
}

class Bench {
  readonly space: Space
  readonly got = new Map<number, DownlinkFrame[]>()
  constructor() {
    let draw = 7
    this.space = new Space('s', schema, undefined, now, { random32: () => draw++ })
  }
  subscribe(connection: number, claims: readonly Claim[], attempt = 1, lsn = 0): DownlinkFrame[] {
    const out: SpaceAction[] = []
    this.got.set(connection, [])
    const epoch = { low: 7, high: 8 }
    this.space.subscribe(
      now,
      connection,
      {
        type: 'subscribe',
        attempt,
        space: 's',
        schema: schema.encode(),
        epoch,
        lsn,
        stampBaseMs: 0,
        isOrdered: false,
        claims,
      },
      true,
      out,
    )
    this.perform(out)
    return this.got.get(connection) ?? []
  }
  send(connection: number, batches: readonly Batch[], aliases: readonly number[] = []): void {
    for (const [i, batch] of batches.entries()) {
      const out: SpaceAction[] = []
      this.space.receive(now, connection, { ...batch, alias: aliases[i] ?? batch.alias }, out)
      this.space.commit(out)
      this.perform(out)
    }
  }
  perform(actions: SpaceAction[]): void {
    for (const action of actions) {
      if (action.type === 'commit') {
        const out: SpaceAction[] = []
        this.space.committed(now, action.lsn, out)
        this.perform(out)
      } else if (action.type === 'send')
        this.got.get(action.connection)?.push(...decodeDownlink(action.bytes))
    }
  }
  get sum(): number {
    return this.space.reference.tables[0].words[2]
  }
}

/** What a reader was told of log entries: `own 1:3` is alias 1 up to 3. */
const told = (frames: readonly DownlinkFrame[]) =>
  frames.flatMap(frame =>
    frame.type !== 'stream'
      ? []
      : frame.entries.map(entry =>
          entry.kind === 'own' || entry.kind === 'refused'
            ? `${entry.kind} ${entry.alias}:${entry.to}`
            : entry.kind,
        ),
  )

describe('a connection that claims three incarnations', () => {
  const authors = () => [
    new Author(1).add(1).add(10),
    new Author(2).add(100),
    new Author(3).add(1000).add(10_000),
  ]

  it('has the batches of each accepted, in any mixture, and its own entries told by alias', () => {
    const [a, b, c] = authors()
    const bench = new Bench()
    const frames = bench.subscribe(1, [a.claim(), b.claim(), c.claim()])
    const other = bench.subscribe(2, [])
    bench.send(1, [c.batches[0], a.batches[0], c.batches[1], b.batches[0], a.batches[1]], [2, 0, 2, 1, 0])
    expect(bench.sum).toBe(11_111)
    expect(told(frames)).toEqual(['own 2:1', 'own 0:1', 'own 2:2', 'own 1:1', 'own 0:2'])
    expect(told(other)).toEqual(Array(5).fill('delta'))
  })

  it('that comes again repeats all of them, and nothing counts twice', () => {
    const [a, b, c] = authors()
    const bench = new Bench()
    bench.subscribe(1, [a.claim(), b.claim(), c.claim()])
    bench.send(1, [a.batches[0], b.batches[0], c.batches[0]], [0, 1, 2])
    bench.space.leave(1)
    // The answers were lost: the same claims in another order, everything once more and what is left.
    const frames = bench.subscribe(3, [c.claim(), a.claim(), b.claim()])
    const [welcome] = frames
    expect(welcome.type === 'welcome' && welcome.heads.map(head => head.sequence)).toEqual([1, 1, 1])
    bench.send(3, [...c.batches, ...a.batches, ...b.batches], [0, 0, 1, 1, 2])
    expect(bench.sum).toBe(11_111)
    expect(bench.space.stats).toMatchObject({ batchesAccepted: 5, duplicatesDropped: 3, forks: 0 })
    // It stood at 0, so it needs all five, each as its own.
    expect(told(frames).sort()).toEqual(['own 0:1', 'own 0:2', 'own 1:1', 'own 1:2', 'own 2:1'])
  })

  it('is told of a fork of one alone, and goes on with the others', () => {
    const [a, b, c] = authors()
    const copy = new Author(2).add(7)
    const bench = new Bench()
    bench.subscribe(1, [copy.claim()])
    bench.send(1, copy.batches)
    const frames = bench.subscribe(2, [a.claim(), b.claim(), c.claim()])
    bench.send(2, [b.batches[0], a.batches[0], c.batches[0]], [1, 0, 2])
    expect(frames.filter(({ type }) => type === 'fork')).toMatchObject([{ alias: 1, sequence: 0 }])
    expect(bench.sum).toBe(1008)
  })

  it('keeps the heads of the others when it leaves, and only of those that wrote', () => {
    const [a, b, c] = authors()
    const bench = new Bench()
    bench.subscribe(1, [a.claim(), b.claim(), c.claim()])
    bench.send(1, [b.batches[0]], [1])
    expect(bench.space.incarnationCount).toBe(3)
    bench.space.leave(1)
    expect(bench.space.incarnationCount).toBe(1)
  })
})

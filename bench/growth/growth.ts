/**
 * How cost grows, as curves with their exponents: e in cost ∝ xᵉ, fitted on logarithms. The engine in memory, without sockets, as in `sync`.
 */
import { counter, register, Schema, table } from 'atomik'
import { Replica, type ReplicaAction, Space, type SpaceAction } from 'atomik/engine'
import { decodeUplink } from 'atomik/wire'
import { counted, exponentOf, figureOf } from '../harness/measure.ts'
import { formatNumber } from '../harness/numbers.ts'
import type { Bar, Column, Figure, ResultTable, Section } from '../harness/section.ts'
import { numbers } from '../sync/work.ts'

const schema = new Schema({ r: table({ value: register.u64(), count: counter() }) })
const valueWord = schema.tables[0].places.get('value')?.[0].word ?? -1
const countWord = schema.tables[0].places.get('count')?.[0].word ?? -1
const random32 = numbers(21)

/** A hub in memory and replicas on wires to it. */
class Bed {
  readonly space = new Space('bench', schema, undefined, Date.now(), { random32 })
  readonly links: { replica: Replica; queue: Uint8Array[] }[] = []
  /** Bytes that readers were sent. */
  down = 0

  join(): Replica {
    const replica = new Replica({ schema, space: 'bench', random32, undoDepth: 0 })
    this.links.push({ replica, queue: [] })
    const actions: ReplicaAction[] = []
    replica.step(Date.now(), { type: 'open', isOrdered: true }, actions)
    this.#deliver(this.links.length - 1, actions)
    this.settle()
    return replica
  }

  /** Everything made so far reaches everybody. */
  settle(): void {
    for (let turns = 0; ; turns++) {
      if (turns > 10_000) throw new Error('the bed does not settle')
      let moved = false
      this.links.forEach(({ replica, queue }, index) => {
        const actions: ReplicaAction[] = []
        for (const bytes of queue.splice(0)) {
          this.down += bytes.length
          replica.step(Date.now(), { type: 'message', bytes }, actions)
          moved = true
        }
        replica.flush(Date.now(), actions)
        moved = this.#deliver(index, actions) || moved
      })
      const actions: SpaceAction[] = []
      this.space.commit(actions)
      moved = this.#spread(actions) || moved
      if (!moved && this.links.every(({ replica }) => replica.pendingChanges === 0)) return
    }
  }

  #deliver(index: number, actions: ReplicaAction[]): boolean {
    let moved = false
    for (const action of actions) {
      if (action.type === 'fail') throw action.error
      if (action.type !== 'send') continue
      moved = true
      const out: SpaceAction[] = []
      for (const frame of decodeUplink(action.bytes))
        if (frame.type === 'subscribe') this.space.subscribe(Date.now(), index, frame, true, out)
        else if (frame.type !== 'hello' && frame.type !== 'auth')
          this.space.receive(Date.now(), index, frame, out)
      this.#spread(out)
    }
    return moved
  }

  #spread(actions: SpaceAction[]): boolean {
    let moved = false
    for (let i = 0; i < actions.length; i++) {
      const action = actions[i]
      moved = true
      if (action.type === 'send') this.links[action.connection].queue.push(action.bytes)
      else if (action.type === 'commit') this.space.committed(Date.now(), action.lsn, actions)
    }
    return moved
  }
}

const value = new Int32Array(2)

function rowsOf(replica: Replica, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => replica.row(0, `row-${i}`))
}

/** A state of so many rows. */
function filled(count: number): { bed: Bed; replica: Replica; rows: Int32Array } {
  const bed = new Bed()
  const replica = bed.join()
  const rows = rowsOf(replica, count)
  for (let first = 0; first < count; first += 1000) {
    replica.change(Date.now(), edit => {
      for (let i = first; i < Math.min(count, first + 1000); i++) {
        value[0] = i
        edit.write(0, rows[i], valueWord, value)
      }
    })
    bed.settle()
  }
  return { bed, replica, rows }
}

/** Microseconds of one change, one message, to the hub and back, in a state of so many rows. */
function changeMicros({ bed, replica, rows }: ReturnType<typeof filled>, changes: number): number {
  const next = numbers(22)
  const startedAt = performance.now()
  for (let i = 0; i < changes; i++) {
    replica.change(Date.now(), edit => edit.add(0, rows[next() % rows.length], countWord, 1, 0))
    bed.settle()
  }
  return ((performance.now() - startedAt) * 1000) / changes
}

interface Curve {
  readonly name: string
  readonly unit: string
  readonly points: Figure[]
}

function tableOf(
  id: string,
  title: string,
  method: string,
  xLabel: string,
  xs: readonly number[],
  curves: readonly Curve[],
): ResultTable {
  const columns: Column[] = xs.map(x => ({ name: formatNumber(x), unit: '', better: 'lower', x }))
  return {
    id,
    title,
    method,
    columns: [...columns, { name: 'exponent', unit: '', better: 'lower' }],
    rows: curves.map(({ name, unit, points }) => ({
      name: `${name}, ${unit}`,
      cells: [
        ...points,
        counted(
          Math.round(
            exponentOf(
              xs,
              points.map(({ median }) => Math.max(median, 1e-9)),
            ) * 100,
          ) / 100,
        ),
      ],
    })),
    plot: { kind: 'curve', xLabel },
  }
}

export const section: Section = {
  title: 'how cost grows',
  async run({ quick, rounds, say }) {
    const repeat = Math.min(rounds, 3)
    const figures = (measure: () => number) => figureOf(Array.from({ length: repeat }, measure))

    const sizes = quick ? [100, 1000] : [1000, 10_000, 100_000]
    const change: Figure[] = []
    const back: Figure[] = []
    const join: Figure[] = []
    for (const size of sizes) {
      const state = filled(size)
      changeMicros(state, quick ? 50 : 3000)
      change.push(figures(() => changeMicros(state, quick ? 50 : 3000)))
      // A reader that missed 100 changed rows.
      const joined = () => {
        const before = state.bed.down
        const startedAt = performance.now()
        const reader = state.bed.join()
        if (reader.reference.digest() !== state.bed.space.reference.digest())
          throw new Error('wrong end: a newcomer')
        const ms = performance.now() - startedAt
        return { ms, bytes: state.bed.down - before }
      }
      const all = Array.from({ length: repeat }, joined)
      join.push(figureOf(all.map(({ ms }) => ms)))
      back.push(figureOf(all.map(({ bytes }) => bytes)))
      say(`growth, ${size} rows`)
    }

    const readers = quick ? [1, 4] : [1, 4, 16, 64]
    const perChange: Figure[] = []
    for (const count of readers) {
      const state = filled(1000)
      for (let i = 1; i < count; i++) state.bed.join()
      changeMicros(state, quick ? 20 : 500)
      perChange.push(figures(() => changeMicros(state, quick ? 20 : 1000)))
      const digests = state.bed.links.map(({ replica }) => replica.reference.digest())
      if (new Set(digests).size !== 1) throw new Error('wrong end: readers disagree')
      say(`growth, ${count} replicas`)
    }

    const counts = quick ? [100, 1000] : [1000, 10_000, 100_000]
    const total: Figure[] = []
    const snapshot: Figure[] = []
    for (const count of counts) {
      const state = filled(1000)
      total.push(figureOf([changeMicros(state, count) * count * 1e-3]))
      const before = state.bed.down
      state.bed.join()
      snapshot.push(counted(state.bed.down - before))
      say(`growth, ${count} changes`)
    }

    const tables = [
      tableOf(
        'state',
        'Against the state',
        'Rows of one register and one counter. A change: one message to the hub, committed, acknowledged.',
        'rows',
        sizes,
        [
          { name: 'one change', unit: 'µs', points: change },
          { name: 'a newcomer loads', unit: 'ms', points: join },
          { name: 'a newcomer loads', unit: 'B', points: back },
        ],
      ),
      tableOf(
        'replicas',
        'Against replicas',
        'One change in a state of 1,000 rows until every replica has it, all of them in this process.',
        'replicas',
        readers,
        [{ name: 'one change at all of them', unit: 'µs', points: perChange }],
      ),
      tableOf(
        'changes',
        'Against the number of changes',
        'Changes to the same 1,000 rows, each one message; then what a newcomer is sent.',
        'changes',
        counts,
        [
          { name: 'all of them', unit: 'ms', points: total },
          { name: 'a newcomer loads', unit: 'B', points: snapshot },
        ],
      ),
    ]
    return { tables, bars: quick ? [] : barsOf(tables), notes: [] }
  },
}

function barsOf(tables: readonly ResultTable[]): Bar[] {
  const exponent = (table: number, row: number) => tables[table].rows[row].cells.at(-1)?.median ?? Number.NaN
  const bar = (name: string, most: number, got: number): Bar => ({
    name,
    wanted: `exponent ≤ ${most}`,
    measured: String(got),
    met: got <= most,
  })
  return [
    bar('a change, against the size of the state', 0.2, exponent(0, 0)),
    bar('a change at all replicas, against their number', 1.1, exponent(1, 0)),
    bar('many changes, against their number', 1.1, exponent(2, 0)),
    bar('what a newcomer loads, against the number of changes', 0.05, exponent(2, 1)),
  ]
}

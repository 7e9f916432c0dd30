/**
 * Goal: a program follows a table, a row or one field, and is told once a batch, of whole changes only. Method: two clients on a real
 * hub, the one writing transactions over several fields and rows, the other noting every call and what it could read in it; and
 * undo and redo, which tell of the rows they touch alone.
 */
import { Hub } from '@atomik/hub'
import { afterEach, describe, expect, it } from 'vitest'
import { array, bits, counter, flag, register, table, toggle } from '../schema/index.ts'
import { connect } from './index.ts'

const tables = {
  rooms: table({
    left: counter(),
    right: counter(),
    topic: register.text(20),
    raw: register.bytes(4),
    open: flag(),
    lit: toggle(),
    seats: bits(40),
    votes: array(counter(), 3),
  }),
}
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
async function two() {
  const hub = await Hub.start({ port: 0 })
  closing.push(() => hub.stop())
  return Promise.all(
    [1, 2].map(async () => {
      const space = await connect(`ws://127.0.0.1:${hub.port}/house`, { tables })
      closing.push(() => space.close())
      return space
    }),
  )
}
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 10_000, interval: 5 })
const turn = () => new Promise(resolve => setTimeout(resolve))

describe('a subscription to a field', () => {
  it('gives the value at once and every other it becomes, here and elsewhere, and no equal one', async () => {
    const [here, there] = await two()
    const hall = here.rooms.row('hall')
    const seen: Record<string, unknown[]> = {}
    const note = (field: string, value: unknown) => {
      seen[field] = [...(seen[field] ?? []), value]
    }
    const stops = [
      hall.left.subscribe(value => note('left', value)),
      hall.topic.subscribe(value => note('topic', value)),
      hall.raw.subscribe(value => note('raw', [...value])),
      hall.open.subscribe(value => note('open', value)),
      hall.lit.subscribe(value => note('lit', value)),
      hall.seats.subscribe(value => note('seats', value.indexOf(true))),
      hall.votes[1].subscribe(value => note('votes', value)),
    ]
    hall.left.add(2)
    await turn()
    hall.topic.set('a')
    hall.raw.set(Uint8Array.of(1, 2, 3, 4))
    await turn()
    hall.topic.set('a')
    hall.raw.set(Uint8Array.of(1, 2, 3, 4))
    await turn()
    await here.synced()
    there.transact(() => {
      const row = there.rooms.row('hall')
      row.open.set(true)
      row.lit.flip()
      row.seats.flip(33)
      row.votes[1].add(7)
      row.votes[2].add(9)
    })
    await eventually(() => seen.votes).toEqual([0, 7])
    expect(seen).toEqual({
      left: [0, 2],
      topic: ['', 'a'],
      raw: [
        [0, 0, 0, 0],
        [1, 2, 3, 4],
      ],
      open: [false, true],
      lit: [false, true],
      seats: [-1, 33],
      votes: [0, 7],
    })
    for (const stop of stops) stop()
    hall.left.add(1)
    await turn()
    expect(seen.left).toEqual([0, 2])
  })

  it('is called once for what changes in one turn', async () => {
    const [here] = await two()
    const { left } = here.rooms.row('hall')
    const seen: number[] = []
    left.subscribe(value => seen.push(value))
    for (let i = 0; i < 10; i++) left.add(1)
    await turn()
    expect(seen).toEqual([0, 10])
  })
})

describe('subscriptions to fields, rows and tables', () => {
  it('are called once a batch, and see all of it', async () => {
    const [here, there] = await two()
    // In every transaction left and right move alike, in two rows; whoever is told must find them equal everywhere.
    const rows = ['a', 'b'].map(key => here.rooms.row(key))
    const torn: string[] = []
    const check = (who: string) => {
      const values = rows.flatMap(({ left, right }) => [left.value, right.value])
      if (new Set(values).size !== 1) torn.push(`${who}: ${values}`)
    }
    const calls = { field: 0, row: 0, table: 0 }
    rows[0].left.subscribe(() => {
      calls.field++
      check('field')
    })
    here.rooms.watch('a', () => {
      calls.row++
      check('row')
    })
    here.rooms.subscribe(() => {
      calls.table++
      check('table')
    })
    const lsn = here.status().lsn
    for (let i = 0; i < 50; i++) {
      there.transact(() => {
        for (const key of ['a', 'b']) {
          there.rooms.row(key).left.add(1)
          there.rooms.row(key).right.add(1)
        }
      })
      if (i % 7 === 0) await turn()
    }
    await there.synced()
    await eventually(() => rows[0].left.value).toBe(50)
    expect(torn).toEqual([])
    const batches = here.status().lsn - lsn
    expect(calls.row).toBeGreaterThan(0)
    expect(calls.row).toBeLessThanOrEqual(batches)
    expect(calls.field).toBeLessThanOrEqual(batches + 1)
    expect(calls.table).toBe(2 * calls.row)
  })

  it('are not called for rows that an undo or redo left alone', async () => {
    const [here] = await two()
    const change = here.rooms.row('a').left.add(1)
    here.rooms.row('b').left.add(1)
    await turn()
    const told: string[] = []
    here.rooms.subscribe(row => told.push(`${row.key}${row.left.value}`))
    told.length = 0
    const undone = here.undo(change)
    await turn()
    expect(told).toEqual(['a0'])
    expect(here.undo(change)).toBe(undone)
    const again = here.redo(change)
    expect(again).toBeGreaterThan(undone)
    await turn()
    expect(here.rooms.row('a').left.value).toBe(1)
    expect(told.at(-1)).toBe('a1')
    expect(told.filter(call => call.startsWith('b'))).toEqual([])
    expect(() => here.redo(999)).toThrow(expect.objectContaining({ code: 'unknown-change' }))
  })

  it('work on a branch, where undo and redo are its own', async () => {
    const [here] = await two()
    const branch = here.branch()
    const seen: number[] = []
    branch.rooms.row('a').left.subscribe(value => seen.push(value))
    const change = branch.rooms.row('a').left.add(5)
    await turn()
    branch.undo(change)
    await turn()
    branch.redo(change)
    await turn()
    expect(seen).toEqual([0, 5, 0, 5])
    branch.merge()
    expect(here.rooms.row('a').left.value).toBe(5)
  })
})

/**
 * Goal: a branch of a connected space behaves as one of its tables does, and nobody sees it before its merge. Method: two
 * clients of the library and a real hub on real sockets.
 */
import { connect, counter, flag, register, table } from 'atomik'
import { afterEach, expect, it } from 'vitest'
import { Hub } from './hub.ts'

const tables = { rooms: table({ visits: counter(), topic: register.text(40), open: flag() }) }

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const hub of running.splice(0)) await hub.stop()
})
async function pair() {
  const hub = await Hub.start({ port: 0 })
  running.push(hub)
  const url = `ws://127.0.0.1:${hub.port}/branch`
  const [a, b] = [await connect(url, { tables }), await connect(url, { tables })]
  return { a, b }
}
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

it('shows what arrives meanwhile, tells its own listeners, and travels only when merged', async () => {
  const { a, b } = await pair()
  a.rooms.row('hall').visits.add(1)
  await a.synced()
  const draft = a.branch()
  const told: number[] = []
  const above: string[] = []
  draft.rooms.subscribe(row => told.push(row.visits.value))
  draft.transact(() => {
    draft.rooms.row('hall').visits.add(10)
    draft.rooms.row('hall').topic.set('draft')
    draft.rooms.row('attic').open.set(true)
  })
  b.rooms.subscribe(row => above.push(`${row.key} ${row.visits.value}`))
  await until(() => above.includes('hall 1'))
  b.rooms.row('hall').visits.add(2)
  await until(() => told.includes(13))
  await a.synced()
  expect(a.rooms.row('hall').read()).toEqual({ visits: 3, topic: '', open: false })
  expect(draft.rooms.size).toBe(2)
  expect(a.rooms.size).toBe(1)
  expect(draft.diff()).toEqual([
    {
      table: 'rooms',
      key: 'hall',
      change: 'changed',
      fields: { visits: { from: 3, to: 13 }, topic: { from: '', to: 'draft' } },
    },
    { table: 'rooms', key: 'attic', change: 'added', fields: { open: { from: false, to: true } } },
  ])
  expect(above.filter(line => line.startsWith('attic'))).toEqual([])
  const change = draft.merge()
  await until(() => b.rooms.row('attic').exists)
  expect(b.rooms.row('hall').visits.value).toBe(13)
  expect(draft.isOpen).toBe(false)
  expect(() => draft.rooms.row('hall').visits.add(1)).toThrow(expect.objectContaining({ code: 'closed' }))
  a.undo(change)
  await until(() => !b.rooms.row('attic').exists)
  expect(b.rooms.row('hall').read()).toEqual({ visits: 3, topic: '', open: false })
  a.close()
  b.close()
})

it('tells its listeners when it is dropped, and an inner branch merges into the outer', async () => {
  const { a, b } = await pair()
  const outer = a.branch()
  const inner = outer.branch()
  inner.rooms.row('hall').visits.add(4)
  expect(inner.diff()).toHaveLength(1)
  inner.merge()
  expect(outer.rooms.row('hall').visits.value).toBe(4)
  const told: number[] = []
  outer.rooms.subscribe(row => told.push(row.visits.value))
  outer.drop()
  await until(() => told.at(-1) === 0)
  expect(a.rooms.size).toBe(0)
  expect(a.status().pending).toBe(0)
  a.close()
  expect(() => a.branch()).toThrow(expect.objectContaining({ code: 'closed' }))
  b.close()
})

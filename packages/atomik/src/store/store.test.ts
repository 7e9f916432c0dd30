/**
 * Goal: a store tells each new value once and nothing else, whatever watches it. Method: two nodes in one process, and counts
 * of what was read and told.
 */
import { afterEach, expect, it } from 'vitest'
import { MemoryTransport } from '../adapters/index.ts'
import { openMesh } from '../client/mesh.ts'
import { array, counter, flag, register, table } from '../schema/index.ts'
import { isSame, rowStore, storeOf, tableStore } from './index.ts'

const tables = {
  rooms: table({ visits: counter(), topic: register.text(20), open: flag(), seats: array(counter(), 2) }),
}
const running: { close(): void }[] = []
afterEach(() => {
  for (const one of running.splice(0)) one.close()
})
function pair() {
  const [a, b] = [1, 2].map(() => openMesh({ space: 's', tables }))
  running.push(a, b)
  a.connect(new MemoryTransport(link => b.accept(link)))
  return { a, b }
}
const turn = () => new Promise(resolve => setTimeout(resolve, 0))
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

it('tells the value at once, then each new one, also from elsewhere; not what stays equal', async () => {
  const { a, b } = pair()
  const store = rowStore(a.rooms, 'hall', row => row.visits.value)
  const seen: number[] = []
  const stop = store.subscribe(value => seen.push(value))
  expect(seen).toEqual([0])
  a.rooms.row('hall').visits.add(2)
  expect(store.get()).toBe(2)
  await turn()
  a.rooms.row('hall').topic.set('other')
  a.rooms.row('attic').visits.add(1)
  await turn()
  expect(seen).toEqual([0, 2])
  b.rooms.row('hall').visits.add(5)
  await until(() => store.get() === 7)
  expect(seen).toEqual([0, 2, 7])
  stop()
  a.rooms.row('hall').visits.add(1)
  await turn()
  expect(seen).toEqual([0, 2, 7])
  expect(store.get()).toBe(8)
})

it('keeps the identity of equal values, watched or not', async () => {
  const { a } = pair()
  a.rooms.row('hall').topic.set('x')
  const store = rowStore(a.rooms, 'hall')
  const before = store.get()
  expect(before).toEqual({ visits: 0, topic: 'x', open: false, seats: [0, 0] })
  expect(store.get()).toBe(before)
  const stop = store.subscribe(() => {})
  a.rooms.row('hall').topic.set('x')
  await turn()
  expect(store.get()).toBe(before)
  a.rooms.row('hall').seats[1].add(1)
  expect(store.get()).not.toBe(before)
  stop()
})

it('reads a table once a turn, however many rows change', async () => {
  const { a } = pair()
  let reads = 0
  const store = tableStore(a.rooms, rows => {
    reads++
    return rows.map(row => row.key)
  })
  const seen: string[] = []
  store.subscribe(keys => seen.push(keys.join()))
  await turn()
  reads = 0
  a.transact(() => {
    for (let i = 0; i < 100; i++) a.rooms.row(`r${i}`).visits.add(1)
  })
  await turn()
  expect(reads).toBe(1)
  expect(seen).toHaveLength(2)
  a.rooms.row('r5').remove()
  await turn()
  expect(seen.at(-1)?.split(',')).toHaveLength(99)
})

it('watches only while somebody listens, once for all of them', () => {
  let watching = 0
  const store = storeOf(
    () => {
      watching++
      return () => {
        watching--
      }
    },
    () => 1,
  )
  const run = () => {}
  const stops = [store.subscribe(run), store.subscribe(run)]
  expect(watching).toBe(1)
  stops[0]()
  stops[0]()
  expect(watching).toBe(1)
  stops[1]()
  expect(watching).toBe(0)
})

it('knows equal from alike', () => {
  const same: [unknown, unknown][] = [
    [Number.NaN, Number.NaN],
    [
      { a: [1, { b: 'x' }], c: Uint8Array.of(1, 2) },
      { c: Uint8Array.of(1, 2), a: [1, { b: 'x' }] },
    ],
  ]
  const other: [unknown, unknown][] = [
    [0, '0'],
    [null, {}],
    [[1], { 0: 1 }],
    [Uint8Array.of(1), [1]],
    [{ a: undefined }, { b: undefined }],
    [new Map(), new Map()],
    [[1], [1, 2]],
  ]
  for (const [a, b] of same) expect(isSame(a, b)).toBe(true)
  for (const [a, b] of other) expect(isSame(a, b)).toBe(false)
})

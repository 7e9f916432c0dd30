/**
 * Goal: every byte of every message has exactly one name, and the names are right. Method: the frames of the specification's vectors and
 * their truncations; and a page's own replica on a real hub, whose messages are taken apart while another client writes.
 */
import { readFileSync } from 'node:fs'
import { Hub } from '@atomik/hub'
import { array, bits, connect, counter, flag, register, Schema, table, toggle } from 'atomik'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dissection, dissect } from './dissect.ts'
import { RowBook } from './row-book.ts'
import { type AnyHandle, SpaceModel } from './space-model.ts'
import type { TappedMessage } from './tap.ts'

function expectTiled(bytes: Uint8Array, { ranges }: Dissection): void {
  let at = 0
  for (const { from, end, name } of ranges) {
    expect(from).toBe(at)
    expect(end).toBeGreaterThan(from)
    expect(name).not.toBe('')
    at = end
  }
  expect(at).toBe(bytes.length)
}

const emptySchema = new Schema({ cells: table({ sum: counter() }) })

describe('a message taken apart', () => {
  const { messages } = JSON.parse(
    readFileSync(new URL('../../../../spec/vectors/frames.json', import.meta.url), 'utf8'),
  ) as { messages: { direction: 'up' | 'down'; bytes: string }[] }
  const vectors = messages.map(({ direction, bytes }) => ({
    bytes: Uint8Array.from(bytes.match(/../g) ?? [], pair => Number.parseInt(pair, 16)),
    fromHub: direction === 'down',
  }))

  it('has one name for every byte, of every frame in the vectors and of every beginning of one', () => {
    expect(vectors.length).toBeGreaterThan(20)
    for (const { bytes, fromHub } of vectors) {
      const whole = dissect({ bytes, fromHub, known: [0] }, emptySchema, new RowBook(emptySchema))
      expect(whole.problem).toBe('')
      expectTiled(bytes, whole)
      for (let length = 1; length < Math.min(bytes.length, 200); length++) {
        const part = bytes.slice(0, length)
        expectTiled(
          part,
          dissect({ bytes: part, fromHub, known: [0] }, emptySchema, new RowBook(emptySchema)),
        )
      }
    }
  })
})

describe('the messages of a page', { timeout: 30_000 }, () => {
  const Device = table({
    on: toggle(),
    armed: flag(),
    hits: counter(),
    level: register.u16(),
    note: register.text(16),
    lamps: bits(100),
    axes: array(register.i8(), 3),
    off: toggle(),
  })
  let hub: Hub
  let model: SpaceModel
  const open = async () => await connect(`ws://127.0.0.1:${hub.port}/fleet`, { tables: { devices: Device } })
  let fleet: Awaited<ReturnType<typeof open>>
  const seen = new Map<number, TappedMessage>()
  const gather = () => {
    for (const message of model.tap.messages) seen.set(message.id, message)
    return [...seen.values()]
  }
  const namesOf = (message: TappedMessage) =>
    dissect(message, model.schema, model.book).ranges.map(({ name }) => name)
  const handleOf = (field: string) => model.row('devices', 'pump-1')?.[field] as unknown as AnyHandle
  const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 10_000, interval: 20 })

  beforeAll(async () => {
    hub = await Hub.start({ port: 0 })
    fleet = await open()
    fleet.transact(() => {
      for (let n = 0; n < 20; n++) fleet.devices.row(`pump-${n}`).level.set(n + 1)
    })
    await fleet.synced()
    const schema = new Schema({ devices: Device })
    model = new SpaceModel(`ws://127.0.0.1:${hub.port}`, 'fleet', schema.description, undefined)
  })

  afterAll(async () => {
    model?.close()
    fleet?.close()
    await hub?.stop()
  })

  it('name rows and fields, of a whole state and of single changes', async () => {
    await eventually(() => model.status?.live).toBe(true)
    const { devices } = fleet
    const steps: readonly [() => unknown, string[]][] = [
      [() => devices.row('pump-7').hits.add(3), ['hits of pump-7']],
      [() => devices.row('pump-3').on.flip(), ['on of pump-3']],
      [() => devices.row('pump-3').off.flip(), ['off of pump-3']],
      [() => devices.row('pump-4').level.set(77), ['stamp: level of pump-4', 'level of pump-4']],
      [() => devices.row('pump-5').note.set('hello'), ['note of pump-5']],
      [() => devices.row('pump-6').axes[1].set(-5), ['axes[1] of pump-6']],
      [() => devices.row('pump-8').lamps.flip(70), ['lamps of pump-8']],
      [() => devices.row('pump-9').armed.set(true), ['armed of pump-9']],
      [() => devices.row('new').hits.add(1), ['key of a row', 'hits of new']],
      [() => devices.row('new').hits.add(1), ['hits of new']],
    ]
    for (const [change, expected] of steps) {
      const before = Math.max(0, ...gather().map(({ id }) => id))
      change()
      await fleet.synced()
      await eventually(() => {
        const names = gather()
          .filter(({ id, fromHub }) => id > before && fromHub)
          .flatMap(namesOf)
        return expected.every(name => names.includes(name)) ? expected : names
      }).toEqual(expected)
    }
    const whole = gather().find(message => namesOf(message).includes('level of pump-19'))
    expect(whole).toBeDefined()
  })

  it('tile, whichever they are, and hide nothing', async () => {
    for (let round = 0; round < 30; round++) {
      for (let n = 0; n < 20; n += 1 + (round % 5)) fleet.devices.row(`pump-${n}`).hits.add(round)
      fleet.devices.row(`pump-${round % 20}`).lamps.flip(round)
      // Stamps of one millisecond are told apart by counts that go up and down between rows.
      fleet.devices.row(`pump-${(7 * round) % 20}`).level.set(round)
      fleet.devices.row(`pump-${(3 * round) % 20}`).note.set(`${round}`)
      model.change(() => handleOf('hits').add?.(1) ?? 0)
      await fleet.synced()
      gather()
    }
    expect(seen.size).toBeGreaterThan(30)
    for (const message of gather()) {
      const dissection = dissect(message, model.schema, model.book)
      expect(dissection.problem).toBe('')
      expectTiled(message.bytes, dissection)
      expect(dissection.ranges.map(({ name }) => name)).not.toContain('delta, of rows not known here')
    }
  })
})

/**
 * Goal: whatever is changed without a connection can be sent when there is one. Method: one replica that changes far more than a
 * message holds, then a hub that counts what it is sent.
 */
import { describe, expect, it } from 'vitest'
import { AtomikError } from '../errors.ts'
import { limits } from '../limits.ts'
import { counter, register, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { SeededRandom } from './random.ts'
import { Replica, type ReplicaAction } from './replica.ts'
import { Space, type SpaceAction } from './space.ts'

const schema = new Schema({ cells: table({ sum: counter(), name: register.text(24) }) })
const random = new SeededRandom(1)
const random32 = () => random.next32()

/** Connects the two on a perfect link; returns the sizes of the messages to the hub. */
function connect(replica: Replica, space: Space): number[] {
  const sizes: number[] = []
  const out: ReplicaAction[] = []
  replica.step(2000, { type: 'open' }, out)
  for (let action = out.shift(); action !== undefined; action = out.shift()) {
    if (action.type === 'fail') throw action.error
    if (action.type !== 'send') continue
    sizes.push(action.bytes.length)
    const answers: SpaceAction[] = []
    for (const frame of decodeUplink(action.bytes)) {
      if (frame.type === 'subscribe') space.subscribe(2000, 1, frame, true, answers)
      else if (frame.type !== 'hello' && frame.type !== 'auth') space.receive(2000, 1, frame, answers)
    }
    space.commit(answers)
    for (const answer of answers)
      if (answer.type === 'commit') space.committed(2000, answer.lsn, answers)
      else if (answer.type === 'send') replica.step(2001, { type: 'message', bytes: answer.bytes }, out)
  }
  return sizes
}

const write = (replica: Replica, rows: readonly number[]) =>
  replica.change(1000, edit => {
    for (const row of rows) {
      edit.add(0, row, 1, 5, 0)
      edit.write(
        0,
        row,
        2,
        Int32Array.of(0x11111111, 0x22222222, 0x33333333, 0x44444444, 0x55555555, 0x66666666),
      )
    }
  })

describe('the outbox', () => {
  it('holds 40,000 rows changed offline in messages that a hub reads', () => {
    const replica = new Replica({ schema, space: 's', random32 })
    for (let i = 0; i < 40_000; i++) write(replica, [replica.row(0, `row-number-${i}`)])
    const space = new Space('s', schema, undefined, 1000, { random32 })
    const sizes = connect(replica, space)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limits.uplinkBytesMax)
    expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(limits.uplinkBytesMax)
    expect(replica.pendingChanges).toBe(0)
    expect(space.stats.changesAccepted).toBe(40_000)
    expect(replica.reference.digest()).toBe(space.reference.digest())
  })

  it('folds 100,000 changes of one row into one batch', () => {
    const replica = new Replica({ schema, space: 's', random32, undoDepth: 0 })
    const row = replica.row(0, 'one')
    for (let i = 0; i < 100_000; i++) replica.change(1000, edit => edit.add(0, row, 1, 1, 0))
    const space = new Space('s', schema, undefined, 1000, { random32 })
    expect(connect(replica, space).filter(size => size > 64)).toHaveLength(1)
    expect(space.stats).toMatchObject({ batchesAccepted: 1, changesAccepted: 100_000 })
    expect(space.reference.tables[0].words[2]).toBe(100_000)
  })

  it('refuses one change that no message could carry, and makes nothing of it', () => {
    const replica = new Replica({ schema, space: 's', random32 })
    const rows = Array.from({ length: 40_000 }, (_, i) => replica.row(0, `row-number-${i}`))
    expect(() => write(replica, rows)).toThrow(AtomikError)
    expect([replica.lastChange, replica.pendingChanges, replica.accumulator.isEmpty]).toEqual([0, 0, true])
    // A large one that fits goes through, whole.
    write(replica, rows.slice(0, 20_000))
    const space = new Space('s', schema, undefined, 1000, { random32 })
    connect(replica, space)
    expect(space.stats).toMatchObject({ batchesAccepted: 1, changesAccepted: 1 })
    expect(replica.reference.digest()).toBe(space.reference.digest())
  })
})

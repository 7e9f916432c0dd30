/**
 * Goal: a client whose disk is slow, and that dies, comes back to a hub that still knows where its store stands: what is settled and not
 * saved as such is not declared, or the hub would forget the bound that the store claims. Method: a real replica and a real space on an
 * ordered link; writes to the store that stay under way while hundreds of batches settle.
 */
import { describe, expect, it } from 'vitest'
import { counter, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { Replica, type ReplicaAction, readReplica, SeededRandom, Space, type SpaceAction } from './index.ts'

const schema = new Schema({ cells: table({ sum: counter() }) })
const sum = schema.tables[0].places.get('sum')?.[0].word ?? -1

describe('a client that dies before its store has what is settled', () => {
  for (const [isOrdered, settlesMeanwhile, dies] of [
    [true, 400, true],
    [false, 400, true],
    [true, 2500, false],
    [false, 2500, false],
  ] as const)
    it(`${dies ? 'goes on where its store stands' : 'is not stopped by a disk that writes nothing'}, ${isOrdered ? 'ordered' : 'unordered'}`, () => {
      let now = 1_790_000_000_000
      const random = new SeededRandom(3)
      const random32 = () => random.next32()
      const space = new Space('s', schema, undefined, now, { random32 })
      const disk = new Map<string, { key: Uint8Array; value: Uint8Array }>()
      const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
      const open = () =>
        new Replica({
          schema,
          space: 's',
          random32,
          image: readReplica(
            [...disk.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry),
            's',
            schema,
          ),
        })
      let replica = open()
      let connection = 1
      let isDiskSlow = false
      const errors: string[] = []
      const step = (make: (out: ReplicaAction[]) => void): void => {
        const out: ReplicaAction[] = []
        make(out)
        const hub: SpaceAction[] = []
        let hasWritten = false
        let isLost = false
        for (const action of out) {
          if (action.type === 'fail') errors.push(action.error.code)
          if (action.type === 'reconnect') isLost = true
          if (action.type === 'commit' && !isDiskSlow) {
            for (const { key, value } of action.puts)
              if (value === undefined) disk.delete(hex(key))
              else disk.set(hex(key), { key: key.slice(), value: value.slice() })
            hasWritten = true
          }
          if (action.type !== 'send') continue
          for (const frame of decodeUplink(action.bytes.slice())) {
            if (frame.type === 'subscribe') space.subscribe(now, connection, frame, true, hub)
            else if (frame.type !== 'hello' && frame.type !== 'auth')
              space.receive(now, connection, frame, hub)
          }
        }
        space.commit(hub)
        const down: Uint8Array[] = []
        for (const action of hub) {
          if (action.type === 'commit') space.committed(now, action.lsn, hub)
          if (action.type === 'send' && action.connection === connection) down.push(action.bytes.slice())
        }
        if (hasWritten) step(more => replica.committed(now, more))
        if (isLost) {
          reconnect()
          return
        }
        for (const bytes of down) step(more => replica.step(now, { type: 'message', bytes }, more))
      }
      const reconnect = (): void => {
        space.leave(connection++)
        step(out => replica.step(now, { type: 'close' }, out))
        step(out => replica.step(now, { type: 'open', isOrdered }, out))
      }
      const add = (): void => {
        now += 10
        replica.change(now, edit => edit.add(0, replica.row(0, 'all'), sum, 1, 0))
        step(out => replica.flush(now, out))
        step(out => replica.step(now, { type: 'tick' }, out))
      }
      step(out => replica.step(now, { type: 'open', isOrdered }, out))
      let made = 0
      for (let i = 0; i < 20; i++, made++) add()
      now += 2000
      // One that is in the store as under way.
      replica.change(now, edit => edit.add(0, replica.row(0, 'all'), sum, 1, 0))
      made++
      step(out => replica.save(now, out))
      isDiskSlow = true
      for (let i = 0; i < settlesMeanwhile; i++, made++) add()
      now += 2000
      for (let i = 0; i < 10; i++) step(out => replica.step(now, { type: 'tick' }, out))
      expect(replica.pendingChanges).toBe(0)
      expect(space.stats.duplicatesDropped).toBe(0)
      // It dies, and what comes back has what the disk had.
      isDiskSlow = false
      if (dies) replica = open()
      space.leave(connection++)
      if (!dies) step(out => replica.step(now, { type: 'close' }, out))
      step(out => replica.step(now, { type: 'open', isOrdered }, out))
      for (let i = 0; i < 50; i++, made++) add()
      expect(errors).toEqual([])
      expect(replica.pendingChanges).toBe(0)
      const hub = space.reference.tables[0]
      expect(hub.words[2 * sum]).toBe(made)
      expect(replica.reference.digest()).toBe(space.reference.digest())
    })
})

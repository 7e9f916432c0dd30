/**
 * json-joy: one `obj` node, a key for each register, the value as a `con` of 8 bytes. Live writes: the local API, then the flushed patch in
 * its binary form. Sync is the library's own exchange of three messages by version vectors (json-crdt/delta/sync). Its counter is the
 * usual one cell for each writer; written out here, since the extension draws a session for every node.
 */

import { peer1Finalize, peer1Initiate, peer2Finalize, peer2Reply } from 'json-joy/lib/json-crdt/delta/sync.js'
import { Model, s } from 'json-joy/lib/json-crdt/index.js'
import { Patch } from 'json-joy/lib/json-crdt-patch/index.js'
import type { Copy, Cost, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import { keyOf, type Writes } from '../work.ts'

const zero = new Uint8Array(8)

/** A slash in a key would be read as a path. Values are read from the nodes: `view()` builds the whole object. */
function readerOf(model: Model, { writes, replicas = 1 }: Shape): Reader {
  const object = model.api.obj([])
  const value = (key: string): unknown => (object.has(key) ? object.get(key).view() : undefined)
  return {
    holds: (register, w) =>
      writes !== undefined && Buffer.compare(value(keyOf(register)) as Uint8Array, writes.bytes[w]) === 0,
    flag: index => value(keyOf(index)) === true,
    counter: index => {
      let sum = 0
      for (let r = 0; r < replicas; r++) sum += (value(`${index}:${r}`) as number | undefined) ?? 0
      return sum
    },
  }
}

/** All keys are there from the start, those of each writer's part of a counter too. */
function filled({ kind, count, replicas = 1 }: Shape): Model {
  const model = Model.create()
  const entries: Record<string, unknown> = {}
  for (let i = 0; i < count; i++)
    if (kind === 'counters') for (let r = 0; r < replicas; r++) entries[`${i}:${r}`] = s.con(0)
    else entries[keyOf(i)] = s.con(kind === 'flags' ? false : zero)
  model.api.set(entries)
  model.api.flush()
  return model
}

function storm(writes: Writes): Storm {
  const shape: Shape = { kind: 'registers', count: writes.registers, writes }
  const here = filled(shape)
  const there = Model.load(here.toBinary(), Model.sid())
  const { api } = here
  const object = api.obj([])
  const { builder } = api
  const id = object.node.id
  return {
    write(register, w) {
      // The builder is what `object.set({ … })` uses inside; called directly it saves the walk over an object of one key.
      builder.insObj(id, [[keyOf(register), builder.con(writes.bytes[w])]])
      api.apply()
      const message = api.flush().toBinary()
      there.applyPatch(Patch.fromBinary(message))
      return message.length
    },
    finish: () => 0,
    there: readerOf(there, shape),
  }
}

function star(shape: Shape): Star {
  const centre = filled(shape)
  let joined = 0
  return {
    join() {
      const model = Model.load(centre.toBinary(), Model.sid())
      const { api } = model
      const object = api.obj([])
      const { builder } = api
      const id = object.node.id
      const self = joined++
      const { holds, flag, counter } = readerOf(model, shape)
      const put = (key: string, value: unknown) => {
        builder.insObj(id, [[key, builder.con(value)]])
        api.apply()
      }
      const value = (key: string) => (object.has(key) ? object.get(key).view() : undefined)
      const copy: Copy = {
        batch(make) {
          make()
          api.flush()
        },
        write: (register, w) => put(keyOf(register), (shape.writes as Writes).bytes[w]),
        toggle: index => put(keyOf(index), value(keyOf(index)) !== true),
        increment(index, by) {
          const key = `${index}:${self}`
          put(key, ((value(key) as number | undefined) ?? 0) + by)
        },
        async sync(): Promise<Cost> {
          api.flush()
          let bytes = 0
          const second = await peer1Initiate(model, async first => {
            bytes += first.length
            let reply = first
            await peer2Reply(centre, first, async message => {
              reply = message
              return message
            })
            return reply
          })
          bytes += second.length
          await peer1Finalize(model, second, async third => {
            bytes += third.length
            peer2Finalize(centre, third)
          })
          return { bytes, trips: 2 }
        },
        read: { holds, flag, counter },
      }
      return copy
    },
    centre: readerOf(centre, shape),
    save: () => centre.toBinary(),
  }
}

export const peer: Peer = {
  name: 'json-joy',
  forms: { bytes: true, texts: false },
  storm,
  star,
  load: (saved, shape) => readerOf(Model.fromBinary(saved), shape),
}

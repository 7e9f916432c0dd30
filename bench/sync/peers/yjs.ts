/**
 * Yjs: one Y.Map, a key for each register, the 64-bit value as 8 bytes (ContentBinary: the smallest form that Yjs has for it). Garbage
 * collection is on, as by default. Live updates in the V1 encoding, which is smaller for single writes; sync and storage in V2,
 * which is smaller for many. Sync is that of y-protocols: state vector there, missing part and state vector back, missing part there.
 * Yjs has no counter; its users keep a cell for each writer and add them up.
 */
import * as Y from 'yjs'
import type { Copy, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import { keyOf, type Writes } from '../work.ts'

type Value = Uint8Array | boolean | number
const zero = new Uint8Array(8)

function readerOf(map: Y.Map<Value>, { writes, replicas = 1 }: Shape): Reader {
  return {
    holds: (register, w) =>
      writes !== undefined && Buffer.compare(map.get(keyOf(register)) as Uint8Array, writes.bytes[w]) === 0,
    flag: index => map.get(keyOf(index)) === true,
    counter: index => {
      let sum = 0
      for (let r = 0; r < replicas; r++) sum += (map.get(`${index}/${r}`) as number | undefined) ?? 0
      return sum
    },
  }
}

function fill(doc: Y.Doc, shape: Shape): void {
  const map = doc.getMap<Value>('r')
  doc.transact(() => {
    if (shape.kind === 'counters') return
    for (let i = 0; i < shape.count; i++) map.set(keyOf(i), shape.kind === 'flags' ? false : zero)
  })
}

function storm(writes: Writes): Storm {
  const shape: Shape = { kind: 'registers', count: writes.registers, writes }
  const [here, there] = [new Y.Doc(), new Y.Doc()]
  fill(here, shape)
  Y.applyUpdate(there, Y.encodeStateAsUpdate(here))
  const map = here.getMap<Value>('r')
  let bytes = 0
  here.on('update', update => {
    bytes += update.length
    Y.applyUpdate(there, update)
  })
  return {
    write(register, w) {
      bytes = 0
      map.set(keyOf(register), writes.bytes[w])
      return bytes
    },
    finish: () => 0,
    there: readerOf(there.getMap('r'), shape),
  }
}

function star(shape: Shape): Star {
  const centre = new Y.Doc()
  fill(centre, shape)
  let joined = 0
  return {
    join() {
      const doc = new Y.Doc()
      Y.applyUpdateV2(doc, Y.encodeStateAsUpdateV2(centre))
      const map = doc.getMap<Value>('r')
      const self = joined++
      const copy: Copy = {
        batch: make => doc.transact(make),
        write: (register, w) => void map.set(keyOf(register), (shape.writes as Writes).bytes[w]),
        toggle: flag => void map.set(keyOf(flag), map.get(keyOf(flag)) !== true),
        increment(counter, by) {
          const key = `${counter}/${self}`
          map.set(key, ((map.get(key) as number | undefined) ?? 0) + by)
        },
        sync() {
          const first = Y.encodeStateVector(doc)
          const second = [Y.encodeStateAsUpdateV2(centre, first), Y.encodeStateVector(centre)]
          Y.applyUpdateV2(doc, second[0])
          const third = Y.encodeStateAsUpdateV2(doc, second[1])
          Y.applyUpdateV2(centre, third)
          return { bytes: first.length + second[0].length + second[1].length + third.length, trips: 2 }
        },
        read: readerOf(map, shape),
      }
      return copy
    },
    centre: readerOf(centre.getMap('r'), shape),
    save: () => Y.encodeStateAsUpdateV2(centre),
  }
}

export const peer: Peer = {
  name: 'Yjs',
  forms: { bytes: true, texts: false },
  storm,
  star,
  load(saved, shape) {
    const doc = new Y.Doc()
    Y.applyUpdateV2(doc, saved)
    return readerOf(doc.getMap('r'), shape)
  },
}

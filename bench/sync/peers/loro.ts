/**
 * Loro: one LoroMap, the value as 8 bytes, LoroCounter for counters. Live writes travel by `subscribeLocalUpdates`, one commit each;
 * sync exchanges encoded version vectors and exports what is missing from there. Stored as a snapshot; the shallow snapshot, which cuts
 * history off, is shown beside it.
 */
import { LoroDoc, VersionVector } from 'loro-crdt'
import type { Copy, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import { keyOf, type Writes } from '../work.ts'

const zero = new Uint8Array(8)

function readerOf(doc: LoroDoc, { writes }: Shape): Reader {
  const map = doc.getMap('r')
  return {
    holds: (register, w) =>
      writes !== undefined && Buffer.compare(map.get(keyOf(register)) as Uint8Array, writes.bytes[w]) === 0,
    flag: index => map.get(keyOf(index)) === true,
    counter: index => doc.getCounter(keyOf(index)).value,
  }
}

function fill(doc: LoroDoc, shape: Shape): void {
  const map = doc.getMap('r')
  if (shape.kind !== 'counters')
    for (let i = 0; i < shape.count; i++) map.set(keyOf(i), shape.kind === 'flags' ? false : zero)
  doc.commit()
}

function storm(writes: Writes): Storm {
  const shape: Shape = { kind: 'registers', count: writes.registers, writes }
  const [here, there] = [new LoroDoc(), new LoroDoc()]
  fill(here, shape)
  there.import(here.export({ mode: 'snapshot' }))
  const map = here.getMap('r')
  let bytes = 0
  here.subscribeLocalUpdates(update => {
    bytes += update.length
    there.import(update)
  })
  return {
    write(register, w) {
      bytes = 0
      map.set(keyOf(register), writes.bytes[w])
      here.commit()
      return bytes
    },
    finish: () => 0,
    there: readerOf(there, shape),
  }
}

function starWith(mode: 'snapshot' | 'shallow-snapshot') {
  return (shape: Shape): Star => {
    const centre = new LoroDoc()
    fill(centre, shape)
    return {
      join() {
        const doc = new LoroDoc()
        doc.import(centre.export({ mode: 'snapshot' }))
        const map = doc.getMap('r')
        const copy: Copy = {
          batch(make) {
            make()
            doc.commit()
          },
          write: (register, w) => void map.set(keyOf(register), (shape.writes as Writes).bytes[w]),
          toggle: flag => void map.set(keyOf(flag), map.get(keyOf(flag)) !== true),
          increment: (counter, by) => doc.getCounter(keyOf(counter)).increment(by),
          sync() {
            doc.commit()
            const first = doc.version().encode()
            const second = [
              centre.export({ mode: 'update', from: VersionVector.decode(first) }),
              centre.version().encode(),
            ]
            doc.import(second[0])
            const third = doc.export({ mode: 'update', from: VersionVector.decode(second[1]) })
            centre.import(third)
            return { bytes: first.length + second[0].length + second[1].length + third.length, trips: 2 }
          },
          read: readerOf(doc, shape),
        }
        return copy
      },
      centre: readerOf(centre, shape),
      save: () =>
        mode === 'snapshot'
          ? centre.export({ mode })
          : centre.export({ mode, frontiers: centre.oplogFrontiers() }),
    }
  }
}

const forms = { bytes: true, texts: false }
function load(saved: Uint8Array, shape: Shape): Reader {
  const doc = new LoroDoc()
  doc.import(saved)
  return readerOf(doc, shape)
}

export const peer: Peer = {
  name: 'Loro',
  share: { storm: 0.1 },
  forms,
  storm,
  star: starWith('snapshot'),
  load,
}
export const shallow: Peer = {
  name: 'Loro, shallow snapshot',
  forms,
  star: starWith('shallow-snapshot'),
  load,
}

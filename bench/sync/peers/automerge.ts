/**
 * Automerge 3: one map, the value as 8 bytes, its own Counter type, its own sync protocol. A change costs about a
 * millisecond however small, so a live write is a change of its own (there is no smaller message), and work done apart is made in
 * changes of a thousand writes, which is how its users batch.
 */
import * as A from '@automerge/automerge'
import type { Copy, Cost, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import { keyOf, type Writes } from '../work.ts'

type State = { r: Record<string, Uint8Array | boolean | A.Counter> }
const zero = new Uint8Array(8)

function readerOf(doc: () => A.Doc<State>, { writes }: Shape): Reader {
  return {
    holds: (register, w) =>
      writes !== undefined && Buffer.compare(doc().r[keyOf(register)] as Uint8Array, writes.bytes[w]) === 0,
    flag: index => doc().r[keyOf(index)] === true,
    counter: index => (doc().r[keyOf(index)] as A.Counter).value,
  }
}

function filled(shape: Shape): A.Doc<State> {
  return A.change(A.init<State>(), doc => {
    doc.r = {}
    for (let i = 0; i < shape.count; i++)
      doc.r[keyOf(i)] = shape.kind === 'flags' ? false : shape.kind === 'counters' ? new A.Counter(0) : zero
  })
}

function storm(writes: Writes): Storm {
  const shape: Shape = { kind: 'registers', count: writes.registers, writes }
  let here = filled(shape)
  let there = A.load<State>(A.save(here))
  return {
    write(register, w) {
      here = A.change(here, doc => {
        doc.r[keyOf(register)] = writes.bytes[w]
      })
      const change = A.getLastLocalChange(here) as Uint8Array
      ;[there] = A.applyChanges(there, [change])
      return change.length
    },
    finish: () => 0,
    there: readerOf(() => there, shape),
  }
}

function star(shape: Shape): Star {
  let centre = filled(shape)
  return {
    join() {
      let doc = A.load<State>(A.save(centre))
      let draft: State | undefined
      const edit = (make: (state: State) => void) => {
        if (draft !== undefined) make(draft)
        else doc = A.change(doc, make)
      }
      const copy: Copy = {
        batch(make) {
          doc = A.change(doc, state => {
            draft = state
            make()
            draft = undefined
          })
        },
        write: (register, w) =>
          edit(state => {
            state.r[keyOf(register)] = (shape.writes as Writes).bytes[w]
          }),
        toggle: flag =>
          edit(state => {
            state.r[keyOf(flag)] = state.r[keyOf(flag)] !== true
          }),
        increment: (counter, by) => edit(state => (state.r[keyOf(counter)] as A.Counter).increment(by)),
        sync(): Cost {
          let [ours, theirs] = [A.initSyncState(), A.initSyncState()]
          let bytes = 0
          let trips = 0
          for (;;) {
            const [nextOurs, up] = A.generateSyncMessage(doc, ours)
            ours = nextOurs
            if (up !== null) {
              bytes += up.length
              ;[centre, theirs] = A.receiveSyncMessage(centre, theirs, up)
            }
            const [nextTheirs, down] = A.generateSyncMessage(centre, theirs)
            theirs = nextTheirs
            if (down !== null) {
              bytes += down.length
              ;[doc, ours] = A.receiveSyncMessage(doc, ours, down)
            }
            if (up === null && down === null) return { bytes, trips }
            trips++
          }
        },
        read: readerOf(() => doc, shape),
      }
      return copy
    },
    centre: readerOf(() => centre, shape),
    save: () => A.save(centre),
  }
}

export const peer: Peer = {
  name: 'Automerge',
  share: { storm: 0.01, growth: 0.1 },
  forms: { bytes: true, texts: false },
  storm,
  star,
  load(saved, shape) {
    const doc = A.load<State>(saved)
    return readerOf(() => doc, shape)
  },
}

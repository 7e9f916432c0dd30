/**
 * TinyBase: a MergeableStore, one cell for each register. Cells hold text, numbers and booleans, so 64 bits are 11 characters. Live
 * writes: the transaction's mergeable changes as JSON, which is what its synchronizers send. Sync: a custom synchronizer on each side,
 * their messages counted as JSON. No counter: a cell for each writer.
 */
import { createMergeableStore, getUniqueId, type MergeableStore } from 'tinybase'
import { createCustomSynchronizer, type Receive } from 'tinybase/synchronizers'
import type { Copy, Cost, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import { keyOf, type Writes } from '../work.ts'

const zero = 'AAAAAAAAAAA'

function readerOf(store: MergeableStore, { writes, replicas = 1 }: Shape): Reader {
  return {
    holds: (register, w) => store.getCell('r', keyOf(register), 'v') === writes?.texts[w],
    flag: index => store.getCell('r', keyOf(index), 'v') === true,
    counter: index => {
      let sum = 0
      for (let r = 0; r < replicas; r++)
        sum += (store.getCell('r', keyOf(index), String(r)) as number | undefined) ?? 0
      return sum
    },
  }
}

function filled(shape: Shape): MergeableStore {
  const store = createMergeableStore(getUniqueId())
  store.transaction(() => {
    if (shape.kind === 'counters') return
    for (let i = 0; i < shape.count; i++)
      store.setCell('r', keyOf(i), 'v', shape.kind === 'flags' ? false : zero)
  })
  return store
}

function copyOf(store: MergeableStore): MergeableStore {
  const copy = createMergeableStore(getUniqueId())
  copy.setMergeableContent(JSON.parse(JSON.stringify(store.getMergeableContent())))
  return copy
}

function storm(writes: Writes): Storm {
  const shape: Shape = { kind: 'registers', count: writes.registers, writes }
  const here = filled(shape)
  const there = copyOf(here)
  let bytes = 0
  here.addDidFinishTransactionListener(() => {
    const message = JSON.stringify(here.getTransactionMergeableChanges())
    bytes += message.length
    there.applyMergeableChanges(JSON.parse(message))
  })
  return {
    write(register, w) {
      bytes = 0
      here.setCell('r', keyOf(register), 'v', writes.texts[w])
      return bytes
    },
    finish: () => 0,
    there: readerOf(there, shape),
  }
}

/** Two synchronizers on a wire that counts; ends when nothing moves any more. */
async function exchange(a: MergeableStore, b: MergeableStore): Promise<Cost> {
  const receivers: (Receive | undefined)[] = [undefined, undefined]
  let bytes = 0
  let messages = 0
  let inFlight = 0
  const failures: unknown[] = []
  const side = (index: number, store: MergeableStore) =>
    createCustomSynchronizer(
      store,
      (_to, requestId, message, body) => {
        const text = JSON.stringify([requestId, message, body])
        bytes += text.length
        messages++
        inFlight++
        setImmediate(() => {
          inFlight--
          const [id, kind, content] = JSON.parse(text)
          receivers[1 - index]?.(String(index), id, kind, content)
        })
      },
      receive => {
        receivers[index] = receive
      },
      () => {
        receivers[index] = undefined
      },
      60,
      undefined,
      undefined,
      error => failures.push(error),
    )
  const [first, second] = [side(0, a), side(1, b)]
  await Promise.all([first.startSync(), second.startSync()])
  let quiet = 0
  for (let seen = -1; quiet < 5; seen = messages) {
    await new Promise(resolve => setTimeout(resolve, 4))
    quiet = inFlight === 0 && messages === seen ? quiet + 1 : 0
  }
  await first.destroy()
  await second.destroy()
  if (failures.length > 0) throw failures[0]
  return { bytes, trips: Math.ceil(messages / 2) }
}

function star(shape: Shape): Star {
  const centre = filled(shape)
  let joined = 0
  return {
    join() {
      const store = copyOf(centre)
      const self = joined++
      const copy: Copy = {
        batch: make => void store.transaction(make),
        write: (register, w) =>
          void store.setCell('r', keyOf(register), 'v', (shape.writes as Writes).texts[w]),
        toggle: flag =>
          void store.setCell('r', keyOf(flag), 'v', store.getCell('r', keyOf(flag), 'v') !== true),
        increment(counter, by) {
          const now = (store.getCell('r', keyOf(counter), String(self)) as number | undefined) ?? 0
          store.setCell('r', keyOf(counter), String(self), now + by)
        },
        sync: () => exchange(store, centre),
        read: readerOf(store, shape),
      }
      return copy
    },
    centre: readerOf(centre, shape),
    save: () => new TextEncoder().encode(JSON.stringify(centre.getMergeableContent())),
  }
}

export const peer: Peer = {
  name: 'TinyBase',
  share: { storm: 0.1, growth: 0.1 },
  forms: { bytes: false, texts: true },
  storm,
  star,
  load(saved, shape) {
    const store = createMergeableStore(getUniqueId())
    store.setMergeableContent(JSON.parse(new TextDecoder().decode(saved)))
    return readerOf(store, shape)
  },
}

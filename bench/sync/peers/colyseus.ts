/**
 * @colyseus/schema: an ArraySchema of `biguint64` (booleans for flags), the densest form it has for this. One server writes, clients
 * decode: nothing is merged, so counters from several replicas and reconnecting with changes of one's own do not apply. A live
 * write is one `encode` and one `decode`; the server that wrote 200,000 times before anyone asked encodes once.
 */
import { Decoder, Encoder, schema, t } from '@colyseus/schema'
import type { Copy, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import type { Writes } from '../work.ts'

const Registers = schema({ cells: t.array('biguint64') })
const Flags = schema({ cells: t.array('boolean') })
type Registers = InstanceType<typeof Registers>
type Flags = InstanceType<typeof Flags>

// The state of 100,000 booleans does not fit the default of 8 kB; growing on the way would only warn.
Encoder.BUFFER_SIZE = 4 * 1024 * 1024

function readerOf(state: Registers | Flags, { writes }: Shape): Reader {
  return {
    holds: (register, w) => state.cells[register] === writes?.values[w],
    flag: index => state.cells[index] === true,
    counter() {
      throw new Error('no counters')
    },
  }
}

function pair(shape: Shape) {
  const state = shape.kind === 'flags' ? new Flags() : new Registers()
  const cells = state.cells as unknown as (bigint | boolean)[]
  for (let i = 0; i < shape.count; i++) cells.push(shape.kind === 'flags' ? false : 0n)
  const encoder = new Encoder(state)
  const mirror = shape.kind === 'flags' ? new Flags() : new Registers()
  const decoder = new Decoder(mirror)
  decoder.decode(encoder.encodeAll())
  encoder.discardChanges()
  return { state, encoder, mirror, decoder }
}

function storm(writes: Writes): Storm {
  const shape: Shape = { kind: 'registers', count: writes.registers, writes }
  const { state, encoder, mirror, decoder } = pair(shape)
  const cells = (state as Registers).cells
  return {
    write(register, w) {
      cells[register] = writes.values[w]
      const message = encoder.encode()
      decoder.decode(message)
      encoder.discardChanges()
      return message.length
    },
    finish: () => 0,
    there: readerOf(mirror, shape),
  }
}

function star(shape: Shape): Star {
  const { state, encoder, mirror, decoder } = pair(shape)
  return {
    join() {
      const copy: Copy = {
        batch: make => make(),
        write(register, w) {
          ;(state as Registers).cells[register] = (shape.writes as Writes).values[w]
        },
        toggle(flag) {
          const { cells } = state as Flags
          cells[flag] = !cells[flag]
        },
        increment() {
          throw new Error('no counters')
        },
        sync() {
          const message = encoder.encode()
          decoder.decode(message)
          encoder.discardChanges()
          return { bytes: message.length, trips: 1 }
        },
        read: readerOf(state, shape),
      }
      return copy
    },
    centre: readerOf(mirror, shape),
    save: () => encoder.encodeAll().slice(),
  }
}

export const peer: Peer = {
  name: 'Colyseus',
  note: 'one server writes and clients follow: concurrent writers are not merged, nothing is repaired',
  forms: { bytes: false, texts: false },
  storm,
  star,
  load(saved, shape) {
    const state = shape.kind === 'flags' ? new Flags() : new Registers()
    new Decoder(state).decode(saved)
    return readerOf(state, shape)
  },
}

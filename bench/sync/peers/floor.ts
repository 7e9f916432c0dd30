/**
 * The floor: what one would write by hand for this one purpose. A typed array, frames of 12 bytes (u32 register, u64 value), no
 * merging of concurrent writers, no repair of loss, no history, no types. Nothing with guarantees can be expected to be
 * faster; it is here to show how far away it is.
 */
import type { Copy, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import type { Writes } from '../work.ts'

const frameBytes = 12

class Cells {
  readonly words: Int32Array
  readonly dirty: Uint8Array
  constructor(count: number) {
    this.words = new Int32Array(2 * count)
    this.dirty = new Uint8Array(count)
  }
  encode(index: number, into: DataView, at: number): void {
    into.setUint32(at, index, true)
    into.setInt32(at + 4, this.words[2 * index], true)
    into.setInt32(at + 8, this.words[2 * index + 1], true)
  }
  apply(frame: DataView, at: number): void {
    const index = frame.getUint32(at, true)
    this.words[2 * index] = frame.getInt32(at + 4, true)
    this.words[2 * index + 1] = frame.getInt32(at + 8, true)
  }
  reader(writes: Writes | undefined): Reader {
    return {
      holds: (register, w) =>
        writes !== undefined &&
        this.words[2 * register] === writes.halves[2 * w] &&
        this.words[2 * register + 1] === writes.halves[2 * w + 1],
      flag: index => this.words[2 * index] === 1,
      counter: index => this.words[2 * index],
    }
  }
}

function storm(writes: Writes): Storm {
  const [here, there] = [new Cells(writes.registers), new Cells(writes.registers)]
  return {
    write(register, w) {
      here.words[2 * register] = writes.halves[2 * w]
      here.words[2 * register + 1] = writes.halves[2 * w + 1]
      // A message of its own, as a socket would be given.
      const message = new Uint8Array(frameBytes)
      here.encode(register, new DataView(message.buffer), 0)
      there.apply(new DataView(message.buffer), 0)
      return message.length
    },
    finish: () => 0,
    there: there.reader(writes),
  }
}

function star(shape: Shape): Star {
  const centre = new Cells(shape.count)
  const copies: Cells[] = []
  return {
    join() {
      const cells = new Cells(shape.count)
      cells.words.set(centre.words)
      copies.push(cells)
      const touch = (index: number) => {
        cells.dirty[index] = 1
      }
      const copy: Copy = {
        batch: make => make(),
        write(register, w) {
          const { halves } = shape.writes as Writes
          cells.words[2 * register] = halves[2 * w]
          cells.words[2 * register + 1] = halves[2 * w + 1]
          touch(register)
        },
        toggle(flag) {
          cells.words[2 * flag] ^= 1
          touch(flag)
        },
        increment() {
          throw new Error('no merging of concurrent writers')
        },
        sync() {
          const up = cells.dirty.reduce((sum, dirty) => sum + dirty, 0)
          const frame = new DataView(new ArrayBuffer(frameBytes * up))
          let at = 0
          for (let i = 0; i < shape.count; i++)
            if (cells.dirty[i] === 1) {
              cells.encode(i, frame, at)
              at += frameBytes
            }
          for (at = 0; at < frame.byteLength; at += frameBytes) centre.apply(frame, at)
          cells.dirty.fill(0)
          // The way back: what the centre has and this copy has not. A hand-written server keeps a dirty set for each client.
          let down = 0
          for (let i = 0; i < shape.count; i++) {
            if (
              cells.words[2 * i] === centre.words[2 * i] &&
              cells.words[2 * i + 1] === centre.words[2 * i + 1]
            )
              continue
            cells.words[2 * i] = centre.words[2 * i]
            cells.words[2 * i + 1] = centre.words[2 * i + 1]
            down++
          }
          return { bytes: frameBytes * (up + down), trips: 1 }
        },
        read: cells.reader(shape.writes),
      }
      return copy
    },
    centre: centre.reader(shape.writes),
    save: () => new Uint8Array(centre.words.buffer).slice(),
  }
}

export const peer: Peer = {
  name: 'floor, by hand',
  note: 'a typed array and 12-byte frames: no merging, no repair, no types',
  forms: { bytes: false, texts: false },
  storm,
  star,
  load(saved, shape) {
    const cells = new Cells(shape.count)
    cells.words.set(new Int32Array(saved.slice().buffer))
    return cells.reader(shape.writes)
  },
}

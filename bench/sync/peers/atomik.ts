/**
 * ATOMiK: the engine as it runs in a client and in a hub, `Replica` and `Space`, joined by encoded messages without a socket between
 * them. The centre is the hub: every message is decoded, checked for exactly-once, applied, relayed, committed to a store (in memory here) and
 * acknowledged; all of that is inside the time. Bytes are both directions.
 *
 *   registers  a row each, `register.u64()`: last write wins, whole, on every copy      (max lane, as the merging peers)
 *   xor        a row each, `bits(64)`: a write travels as the difference it makes       (for one writer a register; for several, bits)
 *   flags      `flag()`: of two concurrent sets none is lost                            (max lane)
 *   toggles    `bits(100,000)` in one row: two flips cancel                             (xor lane)
 */
import { array, bits, counter, flag, register, Schema, table } from 'atomik'
import {
  listSpaces,
  loadSpace,
  type Put,
  type Reference,
  Replica,
  type ReplicaAction,
  Space,
  type SpaceAction,
  type Storage,
} from 'atomik/engine'
import { decodeUplink, isChange } from 'atomik/wire'
import type { Copy, Cost, Peer, Reader, Shape, Star, Storm } from '../star.ts'
import { keyOf, numbers, type Writes } from '../work.ts'

/** How the elements of a shape lie in rows: element i is in row ⌊i / inRow⌋. */
interface Plan {
  readonly schema: Schema
  readonly inRow: number
  /** First word and words between elements of one row; for bits, elements share words of 64. */
  readonly word: number
  readonly step: number
  readonly isBits: boolean
}

type Form = 'max' | 'xor'

function planOf({ kind, count }: Shape, form: Form): Plan {
  const field =
    kind === 'counters'
      ? counter()
      : kind === 'registers'
        ? form === 'max'
          ? register.u64()
          : bits(64)
        : form === 'max'
          ? array(flag(), Math.min(count, 1000))
          : bits(count)
  const schema = new Schema({ r: table({ v: field }) })
  const inRow = kind === 'flags' ? (form === 'max' ? Math.min(count, 1000) : count) : 1
  const word = schema.tables[0].places.get('v')?.[0].word ?? -1
  return { schema, inRow, word, step: 1, isBits: kind === 'flags' && form === 'xor' }
}

/** A store in memory: what the hub would write to its disk. */
class Records implements Storage {
  readonly entries = new Map<string, Put>();
  *range(prefix: Uint8Array): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    const wanted = Buffer.from(prefix).toString('latin1')
    for (const name of [...this.entries.keys()].sort()) {
      const { key, value } = this.entries.get(name) as Put
      if (name.startsWith(wanted) && value !== undefined) yield { key, value }
    }
  }
  put(puts: Iterable<Put>): void {
    for (const { key, value } of puts)
      this.entries.set(Buffer.from(key).toString('latin1'), {
        key: key.slice(),
        value: value?.slice(),
      })
  }
  async write(puts: readonly Put[]): Promise<void> {
    this.put(puts)
  }
  async close(): Promise<void> {}
  /** One byte of key length, two of value length, then both: what any store needs at least. */
  encode(): Uint8Array {
    const parts = [...this.range(new Uint8Array(0))].flatMap(({ key, value }) => [
      Uint8Array.of(key.length, value.length & 255, value.length >>> 8),
      key,
      value,
    ])
    return Buffer.concat(parts)
  }
  static decode(saved: Uint8Array): Records {
    const records = new Records()
    for (let at = 0; at < saved.length; ) {
      const [keyBytes, valueBytes] = [saved[at], saved[at + 1] | (saved[at + 2] << 8)]
      const key = saved.subarray(at + 3, at + 3 + keyBytes)
      const value = saved.subarray(at + 3 + keyBytes, at + 3 + keyBytes + valueBytes)
      records.put([{ key, value }])
      at += 3 + keyBytes + valueBytes
    }
    return records
  }
}

const random32 = numbers(4)
/**
 * A star has a time of its own, a millisecond on with every transaction and exchange: stamps of one millisecond differ in their count, and
 * a count that is not 0 takes two bytes, so bytes by the clock on the wall would depend on how fast the machine is.
 */
const startMs = 1_790_000_000_000
const spaceName = 'bench'

/** Empties a list and keeps its memory, which setting its length does not. */
function clear(list: unknown[]): void {
  while (list.length > 0) list.pop()
}

/** The hub's side and its connections. */
class Centre {
  readonly plan: Plan
  readonly space: Space
  /** Undefined: records are made and go nowhere. */
  readonly records: Records | undefined
  readonly links = new Map<number, Link>()
  /** The time, where nobody reads a clock. */
  nowMs = startMs
  #connections = 0
  readonly #actions: SpaceAction[] = []

  constructor(plan: Plan, keepsRecords = true) {
    this.plan = plan
    this.records = keepsRecords ? new Records() : undefined
    this.space = new Space(spaceName, plan.schema, undefined, startMs, { random32 })
  }

  connect(link: Link): number {
    this.links.set(++this.#connections, link)
    return this.#connections
  }

  /** A message from a client; what it causes is queued at the links. */
  receive(connection: number, message: Uint8Array, nowMs: number): void {
    const actions = this.#actions
    if (isChange(message)) this.space.receiveChange(nowMs, connection, message, actions)
    else
      for (const frame of decodeUplink(message)) {
        if (frame.type === 'subscribe') this.space.subscribe(nowMs, connection, frame, true, actions)
        else if (frame.type !== 'hello' && frame.type !== 'auth')
          this.space.receive(nowMs, connection, frame, actions)
      }
    if (actions.length > 0) this.#do(actions, nowMs)
  }

  /** Group commit of what has been accepted: stored, acknowledged, told to readers. */
  commit(nowMs: number): void {
    this.space.commit(this.#actions)
    this.#do(this.#actions, nowMs)
  }

  #do(actions: SpaceAction[], nowMs: number): void {
    for (let i = 0; i < actions.length; i++) {
      const action = actions[i]
      if (action.type === 'send') this.links.get(action.connection)?.queue.push(action.bytes)
      else if (action.type === 'commit') {
        this.records?.put(action.puts)
        this.space.committed(nowMs, action.lsn, actions)
      } else throw new Error(`the hub: ${action.type}`)
    }
    clear(actions)
  }
}

/** A replica and its connection. */
class Link {
  readonly centre: Centre
  readonly replica: Replica
  readonly rows: Int32Array
  /** Messages from the hub that have not been read. */
  readonly queue: Uint8Array[] = []
  bytes = 0
  #connection = -1
  readonly #actions: ReplicaAction[] = []

  constructor(centre: Centre, count: number, inFlightMax: number) {
    this.centre = centre
    const { schema, inRow } = centre.plan
    // No undo: none of the peers keeps any here either.
    this.replica = new Replica({ schema, space: spaceName, random32, undoDepth: 0, inFlightMax })
    this.rows = Int32Array.from({ length: Math.ceil(count / inRow) }, (_, i) => this.replica.row(0, keyOf(i)))
  }

  open(nowMs: number): void {
    this.#connection = this.centre.connect(this)
    this.replica.step(nowMs, { type: 'open', isOrdered: true }, this.#actions)
  }

  close(nowMs: number): void {
    this.replica.step(nowMs, { type: 'close' }, this.#actions)
    this.centre.space.leave(this.#connection)
    this.centre.links.delete(this.#connection)
    this.#actions.length = 0
    this.queue.length = 0
  }

  /** Seals what is open, and sends it and all else that waits. Returns the bytes sent. */
  send(nowMs: number): number {
    this.replica.flush(nowMs, this.#actions)
    let bytes = 0
    // Handling a message may append further actions; none of them is a send of this turn.
    for (let i = 0; i < this.#actions.length; i++) {
      const action = this.#actions[i]
      if (action.type === 'fail' || action.type === 'refused') throw new Error(`the replica: ${action.type}`)
      if (action.type !== 'send') continue
      bytes += action.bytes.length
      this.centre.receive(this.#connection, action.bytes, nowMs)
    }
    clear(this.#actions)
    return bytes
  }

  /** Reads what the hub has sent. Returns its bytes. */
  take(nowMs: number): number {
    let bytes = 0
    for (const message of this.queue) {
      bytes += message.length
      this.replica.step(nowMs, { type: 'message', bytes: message }, this.#actions)
    }
    this.queue.length = 0
    return bytes
  }

  get isSettled(): boolean {
    const { replica, centre } = this
    return replica.isLive && replica.pendingChanges === 0 && replica.lsn === centre.space.lsn
  }

  /** Connects, exchanges until both sides have everything, disconnects. */
  sync(): Cost {
    const { centre } = this
    this.open(++centre.nowMs)
    let bytes = 0
    let trips = 0
    do {
      const nowMs = ++centre.nowMs
      bytes += this.send(nowMs)
      centre.commit(nowMs)
      bytes += this.take(nowMs)
      if (++trips > 1000) throw new Error('ATOMiK does not settle')
    } while (!this.isSettled)
    this.close(++centre.nowMs)
    return { bytes, trips }
  }
}

/** Elements read at the words of a row. */
function readerOf(plan: Plan, shape: Shape, readRow: (key: string, out: Int32Array) => boolean): Reader {
  const out = new Int32Array(2 * plan.schema.layouts[0].words)
  const at = (index: number) => {
    if (!readRow(keyOf(Math.floor(index / plan.inRow)), out)) out.fill(0)
    return 2 * (plan.word + plan.step * (index % plan.inRow))
  }
  const isMaxRegister = shape.kind === 'registers' && plan.schema.layouts[0].words === 3
  return {
    holds(register, w) {
      const value = at(register) + (isMaxRegister ? 2 : 0)
      const halves = shape.writes?.halves
      return out[value] === halves?.[2 * w] && out[value + 1] === halves[2 * w + 1]
    },
    flag(index) {
      if (!plan.isBits) return (out[at(index)] & 1) === 1
      at(0)
      return ((out[2 * plan.word + (index >>> 5)] >>> (index & 31)) & 1) === 1
    },
    counter: index => out[at(index)],
  }
}

function readHub(reference: Reference) {
  return (key: string, out: Int32Array) => {
    const rows = reference.tables[0]
    const row = rows.find(key)
    if (row < 0) return false
    for (let i = 0; i < out.length; i++) out[i] = rows.words[row * out.length + i]
    return true
  }
}

/** Edits by element. No object is made for one. */
class Hand {
  readonly #link: Link
  readonly #shape: Shape
  readonly #plan: Plan
  readonly #value = new Int32Array(2)
  readonly #row: Int32Array
  readonly write: (register: number, w: number, nowMs?: number) => void
  #register = 0
  #w = 0

  constructor(link: Link, shape: Shape) {
    this.#link = link
    this.#shape = shape
    this.#plan = link.centre.plan
    this.#row = new Int32Array(2 * this.#plan.schema.layouts[0].words)
    const { replica } = link
    const halves = shape.writes?.halves ?? new Int32Array(0)
    const { word } = this.#plan
    const isMax = this.#plan.schema.layouts[0].words === 3
    const makeMax = (edit: Parameters<Parameters<Replica['change']>[1]>[0]) => {
      this.#value[0] = halves[2 * this.#w]
      this.#value[1] = halves[2 * this.#w + 1]
      edit.write(0, link.rows[this.#register], word, this.#value)
    }
    const makeXor = (edit: Parameters<Parameters<Replica['change']>[1]>[0]) => {
      const row = link.rows[this.#register]
      replica.readRow(0, row, this.#row)
      const low = this.#row[2 * word] ^ halves[2 * this.#w]
      const high = this.#row[2 * word + 1] ^ halves[2 * this.#w + 1]
      edit.xor(0, row, word, low, high)
    }
    const make = isMax ? makeMax : makeXor
    this.write = (register, w, nowMs = link.centre.nowMs) => {
      this.#register = register
      this.#w = w
      replica.change(nowMs, make)
    }
  }

  toggle(index: number): void {
    const { replica, rows } = this.#link
    const { word, inRow, isBits } = this.#plan
    replica.change(++this.#link.centre.nowMs, edit => {
      if (isBits) {
        const bit = index & 63
        edit.xor(0, rows[0], word + (index >>> 6), bit < 32 ? 1 << bit : 0, bit < 32 ? 0 : 1 << (bit - 32))
        return
      }
      const row = rows[Math.floor(index / inRow)]
      const at = word + (index % inRow)
      replica.readRow(0, row, this.#row)
      edit.set(0, row, at, (this.#row[2 * at] & 1) === 0)
    })
  }

  increment(index: number, by: number): void {
    const { replica, rows } = this.#link
    replica.change(this.#link.centre.nowMs, edit => edit.add(0, rows[index], this.#plan.word, by, 0))
  }

  batch(make: () => void): void {
    if (this.#shape.kind === 'flags') make()
    else this.#link.replica.change(++this.#link.centre.nowMs, make)
  }

  get reader(): Reader {
    const { replica } = this.#link
    return readerOf(this.#plan, this.#shape, (key, out) => {
      const row = replica.findRow(0, key)
      if (row < 0) return false
      replica.readRow(0, row, out)
      return true
    })
  }
}

/** All rows exist, with nothing in them but their life: as the peers' keys do. */
function fill(centre: Centre, shape: Shape): void {
  const link = new Link(centre, shape.count, 16)
  const hand = new Hand(link, shape)
  const rows = link.rows.length
  for (let first = 0; first < rows; first += 1000)
    link.replica.change(++centre.nowMs, edit => {
      for (let row = first; row < Math.min(rows, first + 1000); row++) edit.add(0, link.rows[row], 0, 0, 0)
    })
  void hand
  link.sync()
}

function star(form: Form) {
  return (shape: Shape): Star => {
    const plan = planOf(shape, form)
    const centre = new Centre(plan)
    fill(centre, shape)
    return {
      join() {
        const link = new Link(centre, shape.count, 16)
        link.sync()
        const hand = new Hand(link, shape)
        const copy: Copy = {
          batch: make => hand.batch(make),
          write: hand.write,
          toggle: index => hand.toggle(index),
          increment: (index, by) => hand.increment(index, by),
          sync: () => link.sync(),
          read: hand.reader,
        }
        return copy
      },
      centre: readerOf(plan, shape, readHub(centre.space.reference)),
      save: () => (centre.records as Records).encode(),
    }
  }
}

/**
 * What the hub commits and acknowledges at once: at a million writes a second, every half millisecond, about as often as a disk syncs.
 * On a link that keeps order so many may be on their way.
 */
const groupBatches = 500

/** One message a write, as everybody's. The records of a commit are made but kept nowhere: no peer stores anything here. */
function storm(form: Form, withReader: boolean) {
  return (writes: Writes): Storm => {
    const shape: Shape = { kind: 'registers', count: writes.registers, writes }
    const centre = new Centre(planOf(shape, form), false)
    fill(centre, shape)
    const [writer, reader] = [new Link(centre, shape.count, groupBatches), new Link(centre, shape.count, 16)]
    for (const link of withReader ? [writer, reader] : [writer]) {
      link.open(Date.now())
      while (!link.isSettled) {
        link.send(Date.now())
        centre.commit(Date.now())
        link.take(Date.now())
      }
    }
    const hand = new Hand(writer, shape)
    let inGroup = 0
    const settle = (nowMs: number) => {
      inGroup = 0
      centre.commit(nowMs)
      writer.take(nowMs)
      if (withReader) reader.take(nowMs)
    }
    return {
      write(register, w) {
        // A program reads its clock once a turn, and here writer and hub are one program.
        const nowMs = Date.now()
        hand.write(register, w, nowMs)
        const bytes = writer.send(nowMs)
        if (++inGroup === groupBatches) settle(nowMs)
        return bytes
      },
      finish() {
        let bytes = 0
        do {
          settle(Date.now())
          bytes += writer.send(Date.now())
          if (withReader) reader.send(Date.now())
        } while (!writer.isSettled || (withReader && !reader.isSettled))
        return bytes
      },
      there: withReader
        ? new Hand(reader, shape).reader
        : readerOf(centre.plan, shape, readHub(centre.space.reference)),
    }
  }
}

function load(form: Form) {
  return (saved: Uint8Array, shape: Shape): Reader => {
    const records = Records.decode(saved)
    if (!listSpaces(records).includes(spaceName)) throw new Error('no space in the store')
    const image = loadSpace(records, spaceName)
    if (image === undefined) throw new Error('no space in the store')
    return readerOf(planOf(shape, form), shape, readHub(image.reference))
  }
}

const forms = { bytes: false, texts: false }
export const max: Peer = {
  name: 'ATOMiK',
  forms,
  storm: storm('max', false),
  star: star('max'),
  load: load('max'),
}
export const xor: Peer = {
  name: 'ATOMiK, xor lane',
  note: 'a write travels as a difference: for one writer a register, for several a set of bits',
  forms,
  storm: storm('xor', false),
  star: star('xor'),
  load: load('xor'),
}
export const relayed: Peer = {
  name: 'ATOMiK, on to a reader',
  note: 'replica → hub → second replica, both acknowledged: two applications of every write',
  forms,
  storm: storm('max', true),
}

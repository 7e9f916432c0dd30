/**
 * Goal: a refused change takes with it all patches that were reckoned on its bytes, and nobody's right to write outlives it (spec S66).
 * Method: a replica and a space joined by hand, so that patches are under way when the refusal is made; the bytes at the hub.
 */
import { expect, it } from 'vitest'
import { regionTable, register, Schema, table } from '../schema/index.ts'
import { decodeUplink, Writer, writeAck } from '../wire/index.ts'
import {
  type Grant,
  isNewRegion,
  mayPatch,
  nameWriter,
  pageKey,
  patchPage,
  Replica,
  type ReplicaAction,
  readPage,
  SeededRandom,
  Space,
  type SpaceAction,
  writerOf,
} from './index.ts'

const files = regionTable({ pageBytes: 64 })
const schema = new Schema({ notes: table({ text: register.u64() }), files })
const random = new SeededRandom(7)
const random32 = () => random.next32()
const hourMs = 3_600_000

class Pair {
  readonly space = new Space('s', schema, undefined, 1000, { random32 })
  readonly replica = new Replica({ schema, space: 's', random32 })
  readonly refused: string[] = []
  hubMs = 1000
  readonly #grant: Grant
  readonly #actions: ReplicaAction[] = []
  readonly #words = new Int32Array(2 * files.layout.words)

  constructor(grant: Grant = { principal: '', rows: 'all' }) {
    this.#grant = grant
    this.connect()
  }

  connect(): void {
    this.#actions.length = 0
    this.space.leave(1)
    this.replica.step(1000, { type: 'open' }, this.#actions)
    this.exchange()
  }

  /** A message from the hub. */
  give(bytes: Uint8Array): void {
    this.replica.step(1001, { type: 'message', bytes }, this.#actions)
  }

  /** A row of the first table that somebody else made. */
  addNoteOf(principal: string): void {
    const other = new Replica({ schema, space: 's', random32 })
    const out: ReplicaAction[] = []
    other.change(1000, edit => edit.write(0, other.row(0, 'n'), 1, Int32Array.of(9, 0)))
    other.step(1000, { type: 'open', isOrdered: true }, out)
    for (const action of out)
      if (action.type === 'send') this.#receive(2, action.bytes, { principal, rows: 'own' })
    this.exchange()
  }

  #receive(connection: number, message: Uint8Array, grant: Grant): void {
    const { space, hubMs } = this
    const answers: SpaceAction[] = []
    for (const frame of decodeUplink(message)) {
      if (frame.type === 'subscribe') space.subscribe(hubMs, connection, frame, grant, answers)
      else if (frame.type !== 'hello' && frame.type !== 'auth')
        space.receive(hubMs, connection, frame, answers)
    }
    space.commit(answers)
    for (const answer of answers)
      if (answer.type === 'commit') space.committed(hubMs, answer.lsn, answers)
      else if (answer.type === 'send' && answer.connection === 1)
        this.replica.step(1001, { type: 'message', bytes: answer.bytes }, this.#actions)
  }

  /** Everything under way arrives, answers included. What was made before is on its way before any of it. */
  exchange(): void {
    this.replica.flush(1000, this.#actions)
    for (let action = this.#actions.shift(); action !== undefined; action = this.#actions.shift()) {
      if (action.type === 'refused') this.refused.push(action.code)
      if (action.type === 'send') this.#receive(1, action.bytes, this.#grant)
    }
  }

  /** As a client does it: a change that is sealed at once. */
  change(nowMs: number, make: Parameters<Replica['change']>[1]): void {
    this.replica.change(nowMs, make)
    this.replica.flush(nowMs, this.#actions)
  }

  claim(nowMs = 1000): void {
    const head = this.replica.row(1, pageKey(0, 'x'))
    this.change(nowMs, edit => {
      this.replica.readRow(1, head, this.#words)
      const isNew = isNewRegion(this.#words, this.#confirmed, false)
      nameWriter(edit, 1, head, isNew, this.us)
    })
  }

  get us() {
    return writerOf(this.replica.incarnation, this.replica.regionsRefused)
  }

  patch(offset: number, byte: number, nowMs = 1000, note?: number): void {
    const head = this.replica.row(1, pageKey(0, 'x'))
    this.change(nowMs, edit => {
      if (note !== undefined) edit.write(0, this.replica.row(0, 'n'), 1, Int32Array.of(note, 0))
      this.replica.readRow(1, head, this.#words)
      patchPage(edit, 1, head, this.#words, offset, Uint8Array.of(byte))
    })
  }

  get #confirmed(): Int32Array {
    const row = this.replica.row(1, pageKey(0, 'x'))
    return this.replica.reference.tables[1].words.subarray(row * this.#words.length)
  }

  get mayPatch(): boolean {
    this.replica.readRow(1, this.replica.row(1, pageKey(0, 'x')), this.#words)
    return mayPatch(this.#words, this.#confirmed, this.us)
  }

  /** It would be patched at once, as nobody's. */
  get canOpen(): boolean {
    this.replica.readRow(1, this.replica.row(1, pageKey(0, 'x')), this.#words)
    return isNewRegion(this.#words, this.#confirmed, this.replica.mayMissRegions)
  }

  /** The first bytes of the region at the hub. */
  get bytes(): number[] {
    const { words, keys } = this.space.reference.tables[1]
    const row = keys.indexOf(pageKey(0, 'x'))
    const bytes = new Uint8Array(4)
    if (row >= 0) readPage(words.subarray(row * this.#words.length), 0, bytes)
    return [...bytes]
  }
}

it('patches on their way behind a refused one are refused, until their author has heard of it and claims again', () => {
  const pair = new Pair()
  pair.claim()
  pair.patch(0, 1)
  pair.exchange()
  expect([pair.bytes, pair.mayPatch]).toEqual([[1, 0, 0, 0], true])

  // Byte 0 becomes 6 in a change that the hub refuses for the stamp beside it; 7 is reckoned on that 6.
  pair.patch(0, 6, 1000 + hourMs, 1)
  pair.patch(0, 7)
  pair.exchange()
  expect(pair.refused).toEqual(['stamp', 'owner'])
  expect([pair.bytes, pair.mayPatch]).toEqual([[1, 0, 0, 0], false])

  pair.hubMs += hourMs
  pair.claim(1000 + hourMs)
  pair.exchange()
  expect(pair.mayPatch).toBe(true)
  pair.patch(0, 7)
  pair.exchange()
  expect([pair.bytes, pair.refused.length]).toEqual([[7, 0, 0, 0], 2])
  expect(pair.replica.reference.digest()).toBe(pair.space.reference.digest())
})

it('a claim that was on its way behind a refused patch gives no right', () => {
  const pair = new Pair({ principal: 'a', rows: 'own' })
  pair.addNoteOf('b')
  pair.claim()
  pair.patch(0, 1)
  pair.exchange()
  // The note is somebody else's.
  pair.patch(0, 6, 1000, 1)
  pair.claim()
  pair.patch(0, 7)
  pair.exchange()
  expect(pair.refused).toEqual(['owner', 'owner'])
  expect([pair.bytes, pair.mayPatch]).toEqual([[1, 0, 0, 0], false])
  pair.claim()
  pair.exchange()
  pair.patch(0, 7)
  pair.exchange()
  expect([pair.bytes, pair.refused.length]).toEqual([[7, 0, 0, 0], 2])
})

it('a region taken for new and refused gives nothing to patches behind it, claimed in them or not', () => {
  const pair = new Pair()
  pair.claim(1000 + hourMs)
  pair.patch(0, 6)
  pair.patch(1, 9)
  pair.exchange()
  expect(pair.refused[0]).toBe('stamp')
  expect(pair.refused).toHaveLength(3)
  expect([pair.bytes, pair.mayPatch]).toEqual([[0, 0, 0, 0], false])
  pair.hubMs += hourMs
  pair.claim(1000 + hourMs)
  pair.patch(1, 3)
  pair.exchange()
  expect(pair.refused).toHaveLength(3)
  expect(pair.bytes).toEqual([0, 3, 0, 0])
})

it('a right is not lost by refusals that touch no region', () => {
  const pair = new Pair()
  pair.claim()
  pair.exchange()
  pair.change(1000 + hourMs, edit => edit.write(0, pair.replica.row(0, 'n'), 1, Int32Array.of(1, 0)))
  pair.patch(2, 8)
  pair.exchange()
  expect(pair.refused).toEqual(['stamp'])
  expect([pair.bytes, pair.mayPatch]).toEqual([[0, 0, 8, 0], true])
})

it('a region of ours is not taken for new while a reference that was given up comes back', () => {
  const pair = new Pair()
  pair.claim()
  pair.patch(0, 5)
  pair.exchange()
  expect([pair.canOpen, pair.mayPatch]).toEqual([false, true])
  // The digest is none that the state has, so the replica asks for all of it again.
  const w = new Writer()
  writeAck(w, pair.replica.lsn, { low: 1, high: 2 }, [])
  pair.give(w.finish())
  expect(pair.replica.reference.tables[1].words.some(half => half !== 0)).toBe(false)
  expect([pair.canOpen, pair.mayPatch]).toEqual([false, false])
  pair.connect()
  expect([pair.canOpen, pair.mayPatch]).toEqual([false, true])
  pair.patch(0, 9)
  pair.exchange()
  expect([pair.bytes, pair.refused]).toEqual([[9, 0, 0, 0], []])
})

/**
 * Goal: a slow line is not taken for a lossy one. Method: one replica and the hub on a virtual clock, every message under way for
 * the same time, up to twenty seconds; a change must arrive, and the line must not be filled with repeats.
 */
import { describe, expect, it } from 'vitest'
import { counter, Schema, table } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import {
  Replica,
  type ReplicaAction,
  type ReplicaEvent,
  SeededRandom,
  Space,
  type SpaceAction,
} from './index.ts'

const schema = new Schema({ cells: table({ sum: counter() }) })
const tickMs = 50

class SlowLine {
  now = 0
  messages = 0
  refusals = 0
  readonly replica: Replica
  readonly space: Space
  readonly #delayMs: number
  #under: { at: number; arrive: () => void }[] = []

  constructor(delayMs: number) {
    const random = new SeededRandom(3)
    const random32 = () => random.next32()
    this.#delayMs = delayMs
    this.space = new Space('s', schema, undefined, this.now, { random32 })
    this.replica = new Replica({ schema, space: 's', random32 })
    this.#step({ type: 'open' })
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += tickMs
      const due = this.#under.filter(({ at }) => at <= this.now)
      this.#under = this.#under.filter(({ at }) => at > this.now)
      for (const { arrive } of due) arrive()
      this.#step({ type: 'tick' })
      const actions: SpaceAction[] = []
      this.space.tick(this.now, actions)
      this.#carryDown(actions)
    }
  }

  #carry(arrive: () => void): void {
    this.messages++
    this.#under.push({ at: this.now + this.#delayMs, arrive })
  }

  #step(event: ReplicaEvent): void {
    const actions: ReplicaAction[] = []
    this.replica.step(this.now, event, actions)
    this.replica.flush(this.now, actions)
    for (const action of actions) {
      if (action.type === 'fail') this.refusals++
      if (action.type !== 'send') continue
      const bytes = action.bytes.slice()
      this.#carry(() => {
        const out: SpaceAction[] = []
        for (const frame of decodeUplink(bytes)) {
          if (frame.type === 'subscribe') this.space.subscribe(this.now, 1, frame, true, out)
          else if (frame.type !== 'hello' && frame.type !== 'auth')
            this.space.receive(this.now, 1, frame, out)
        }
        this.space.commit(out)
        this.#carryDown(out)
      })
    }
  }

  #carryDown(actions: readonly SpaceAction[]): void {
    for (const action of actions) {
      if (action.type === 'commit') {
        const out: SpaceAction[] = []
        this.space.committed(this.now, action.lsn, out)
        this.#carryDown(out)
      } else if (action.type === 'send') {
        const bytes = action.bytes.slice()
        this.#carry(() => this.#step({ type: 'message', bytes }))
      }
    }
  }
}

describe('a slow line', () => {
  it.each([0, 200, 500, 1000, 4000, 20_000])('of %i ms each way carries a change, once', delayMs => {
    const line = new SlowLine(delayMs)
    line.run(12 * delayMs + 1000)
    line.replica.change(line.now, edit => edit.add(0, line.replica.row(0, 'x'), 1, 5, 0))
    line.run(4 * delayMs + 1000)
    expect(line.replica.pendingChanges).toBe(0)
    expect(line.space.lsn).toBe(1)
    expect(line.refusals).toBe(0)
    expect(line.replica.stats.batchesResent).toBe(0)
  })
})

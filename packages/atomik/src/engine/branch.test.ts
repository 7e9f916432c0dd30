/**
 * Goal: a branch shows what merging it gives, merging counts each change once and keeps the later write, dropping leaves nothing.
 * Method: a replica with a branch and a second replica on one hub, random changes on all three, compared with whole numbers and
 * with a plain record of which write was the last; then the edges one by one.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AtomikError } from '../errors.ts'
import { counter, flag, register, Schema, table, toggle } from '../schema/index.ts'
import { decodeUplink } from '../wire/index.ts'
import { Branch, Replica, type ReplicaAction, SeededRandom, Space, type SpaceAction } from './index.ts'
import { kept } from './messages.ts'

const schema = new Schema({
  cells: table({ sum: counter(), bit: toggle(), name: register.u32(), on: flag() }),
})
const [sum, bit, name, on] = ['sum', 'bit', 'name', 'on'].map(
  field => schema.tables[0].places.get(field)?.[0].word ?? -1,
)
const words = schema.layouts[0].words

/** A hub and replicas on perfect links, delivered when asked. */
class Star {
  now = 1000
  readonly replicas: Replica[]
  readonly refusals: string[] = []
  readonly #space: Space
  readonly #open = new Set<number>()

  constructor(count: number, skewMsMax?: number) {
    const random = new SeededRandom(5)
    const random32 = () => random.next32()
    this.#space = new Space('s', schema, undefined, this.now, {
      random32,
      ...(skewMsMax !== undefined && { skewMsMax }),
    })
    this.replicas = Array.from({ length: count }, () => new Replica({ schema, space: 's', random32 }))
    for (let i = 0; i < count; i++) {
      const actions: ReplicaAction[] = []
      this.replicas[i].step(this.now, { type: 'open' }, actions)
      this.#up(i, actions)
    }
  }

  sync(): void {
    for (let i = 0; i < this.replicas.length; i++) {
      const actions: ReplicaAction[] = []
      this.replicas[i].flush(this.now, actions)
      this.#up(i, actions)
    }
  }

  #up(i: number, actions: readonly ReplicaAction[]): void {
    for (const action of kept(actions)) {
      if (action.type === 'refused') this.refusals.push(action.code)
      if (action.type === 'fail') throw action.error
      if (action.type !== 'send') continue
      const answers: SpaceAction[] = []
      for (const frame of decodeUplink(action.bytes)) {
        if (frame.type === 'subscribe') {
          this.#open.add(i)
          this.#space.subscribe(this.now, i, frame, true, answers)
        } else if (this.#open.has(i)) this.#space.receive(this.now, i, frame, answers)
      }
      this.#commit(answers)
      this.#down(answers)
    }
  }

  #commit(answers: SpaceAction[]): void {
    const staged: SpaceAction[] = []
    this.#space.commit(staged)
    for (const action of staged)
      if (action.type === 'commit') this.#space.committed(this.now, action.lsn, answers)
      else answers.push(action)
  }

  #down(answers: readonly SpaceAction[]): void {
    for (const answer of answers) {
      if (answer.type !== 'send') continue
      const actions: ReplicaAction[] = []
      this.replicas[answer.connection].step(this.now, { type: 'message', bytes: answer.bytes }, actions)
      this.#up(answer.connection, actions)
    }
  }
}

/** A row as plain values. */
function view(of: Replica | Branch, key = 'x') {
  const row = of.findRow(0, key)
  if (row < 0) return { exists: false, sum: 0, bit: 0, name: 0, on: false }
  const out = new Int32Array(2 * words)
  of.readRow(0, row, out)
  return {
    exists: (out[0] & 1) === 1,
    sum: out[2 * sum],
    bit: out[2 * bit] & 1,
    name: out[2 * name + 2],
    on: (out[2 * on] & 1) === 1,
  }
}

const write = (of: Replica | Branch, now: number, value: number, key = 'x') =>
  of.change(now, edit => edit.write(0, of.row(0, key), name, Int32Array.of(value, 0)))
const add = (of: Replica | Branch, now: number, by: number, key = 'x') =>
  of.change(now, edit => edit.add(0, of.row(0, key), sum, by, by < 0 ? -1 : 0))

interface Step {
  readonly who: 'parent' | 'branch' | 'remote'
  readonly what: 'add' | 'flip' | 'write' | 'sync'
  readonly key: string
  readonly by: number
}
const steps = fc.array(
  fc.record<Step>({
    who: fc.constantFrom('parent', 'branch', 'remote'),
    what: fc.constantFrom('add', 'flip', 'write', 'sync'),
    key: fc.constantFrom('x', 'y', 'z'),
    by: fc.integer({ min: 1, max: 9 }),
  }),
  { maxLength: 40 },
)

describe('a branch among changes of its parent and of others', () => {
  it('merges to what it showed, each change once, the later write standing', () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (script, merge) => {
        const star = new Star(2)
        const [parent, remote] = star.replicas
        const branch = new Branch(parent)
        const sums = new Map<string, number>()
        const flips = new Map<string, number>()
        const last = new Map<string, number>()
        for (const { who, what, key, by } of script) {
          star.now += 10
          if (what === 'sync') {
            star.sync()
            continue
          }
          const of = who === 'parent' ? parent : who === 'branch' ? branch : remote
          const counts = merge || who !== 'branch'
          if (what === 'add') {
            add(of, star.now, by, key)
            if (counts) sums.set(key, (sums.get(key) ?? 0) + by)
          } else if (what === 'flip') {
            of.change(star.now, edit => edit.xor(0, of.row(0, key), bit, 1, 0))
            if (counts) flips.set(key, (flips.get(key) ?? 0) + 1)
          } else {
            write(of, star.now, star.now, key)
            if (counts) last.set(key, star.now)
          }
        }
        star.sync()
        const shown = ['x', 'y', 'z'].map(key => view(merge ? branch : parent, key))
        const differing = merge ? branch.diff().map(({ row }) => parent.reference.tables[0].keys[row]) : []
        const before = ['x', 'y', 'z'].map(key => view(parent, key))
        if (merge) branch.merge(star.now)
        else branch.drop()
        const after = ['x', 'y', 'z'].map(key => view(parent, key))
        expect(after).toEqual(shown)
        const changed = ['x', 'y', 'z'].filter(
          (_, i) => JSON.stringify(before[i]) !== JSON.stringify(after[i]),
        )
        for (const key of changed) expect(differing).toContain(key)
        star.sync()
        for (const of of [parent, remote])
          for (const key of ['x', 'y', 'z']) {
            expect(view(of, key).sum).toBe(sums.get(key) ?? 0)
            expect(view(of, key).bit).toBe((flips.get(key) ?? 0) % 2)
            expect(view(of, key).name).toBe(last.get(key) ?? 0)
          }
        expect(parent.reference.digest()).toBe(remote.reference.digest())
        expect(star.refusals).toEqual([])
      }),
      { numRuns: 300, seed: 1 },
    )
  })
})

describe('a branch', () => {
  it('shows what its parent receives, and its parent shows nothing of it', () => {
    const star = new Star(2)
    const [parent, remote] = star.replicas
    const branch = new Branch(parent)
    add(branch, star.now, 5)
    add(remote, star.now, 2)
    star.sync()
    expect(view(branch).sum).toBe(7)
    expect(view(parent).sum).toBe(2)
  })
  it('merges as one change, which is undone as one', () => {
    const star = new Star(2)
    const [parent, remote] = star.replicas
    write(parent, star.now, 3)
    star.sync()
    const branch = new Branch(parent)
    for (let i = 0; i < 4; i++) add(branch, ++star.now, 1, `row${i}`)
    write(branch, ++star.now, 4)
    const change = branch.merge(++star.now)
    expect(change).toBe(2)
    star.sync()
    expect(view(remote)).toMatchObject({ name: 4 })
    expect(view(remote, 'row3')).toMatchObject({ exists: true, sum: 1 })
    parent.undo(++star.now, change)
    star.sync()
    expect(view(remote)).toMatchObject({ name: 3 })
    expect(view(remote, 'row3')).toMatchObject({ exists: false, sum: 0 })
  })
  it('keeps stamps: a write here, then one below, then the merge: the one below stands', () => {
    const { replicas, now } = new Star(1)
    const [parent] = replicas
    const branch = new Branch(parent)
    write(branch, now + 1, 10)
    write(parent, now + 2, 20)
    expect(view(branch).name).toBe(20)
    branch.merge(now + 3)
    expect(view(parent).name).toBe(20)
  })
  it('shares the clock: within one millisecond the later write has the larger stamp', () => {
    const { replicas, now } = new Star(1)
    const [parent] = replicas
    const branch = new Branch(parent)
    write(parent, now, 99)
    write(branch, now, 1)
    branch.merge(now)
    expect(view(parent).name).toBe(1)
  })
  it('undoes on its own, by its own numbers', () => {
    const { replicas, now } = new Star(1)
    const [parent] = replicas
    write(parent, now, 7)
    const branch = new Branch(parent)
    const first = write(branch, now + 1, 8)
    add(branch, now + 2, 5)
    branch.undo(now + 3, first)
    expect(view(branch)).toMatchObject({ name: 7, sum: 5 })
    expect(() => branch.undo(now + 4, 9)).toThrow(expect.objectContaining({ code: 'unknown-change' }))
  })
  it('leaves nothing of a change that throws', () => {
    const { replicas, now } = new Star(1)
    const branch = new Branch(replicas[0])
    expect(() =>
      branch.change(now, edit => {
        edit.add(0, branch.row(0, 'x'), sum, 5, 0)
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(view(branch).sum).toBe(0)
    expect(branch.diff()).toEqual([])
    expect(branch.lastChange).toBe(0)
  })
  it('keeps a removal below, as for any concurrent change, and brings back a row whose making was refused', () => {
    const star = new Star(2, 1000)
    const [parent, remote] = star.replicas
    add(parent, star.now, 1)
    star.sync()
    const branch = new Branch(parent)
    add(branch, star.now, 1)
    remote.change(star.now, edit => edit.remove(0, remote.row(0, 'x')))
    // Made with a stamp that the hub refuses, so that row y never comes to be.
    write(parent, star.now + 50_000, 1, 'y')
    add(branch, star.now, 1, 'y')
    star.sync()
    expect(star.refusals).toEqual(['stamp'])
    expect(view(branch)).toMatchObject({ exists: false, sum: 2 })
    expect(view(branch, 'y')).toMatchObject({ exists: true, sum: 1 })
    branch.merge(star.now)
    star.sync()
    expect(star.refusals).toEqual(['stamp'])
    expect(view(remote)).toMatchObject({ exists: false, sum: 2 })
    expect(view(remote, 'y')).toMatchObject({ exists: true, sum: 1 })
  })
  it('merges nothing of a row it made and removed', () => {
    const { replicas, now } = new Star(1)
    const branch = new Branch(replicas[0])
    add(branch, now, 1)
    branch.change(now, edit => edit.remove(0, branch.row(0, 'x')))
    expect(branch.diff()).toEqual([])
    branch.merge(now)
    expect(replicas[0].lastChange).toBe(0)
  })
  it('joins a change of its parent that is being made, and goes with it', () => {
    const { replicas, now } = new Star(1)
    const [parent] = replicas
    const branch = new Branch(parent)
    add(branch, now, 3)
    expect(() =>
      parent.change(now, edit => {
        edit.add(0, parent.row(0, 'x'), sum, 1, 0)
        branch.merge(now)
        expect(view(parent).sum).toBe(4)
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(view(parent).sum).toBe(0)
  })
  it('branches again: the inner merges into the outer', () => {
    const { replicas, now } = new Star(1)
    const [parent] = replicas
    const outer = new Branch(parent)
    add(outer, now, 1)
    const inner = new Branch(outer)
    add(inner, now, 2)
    expect(view(inner).sum).toBe(3)
    expect(view(outer).sum).toBe(1)
    inner.merge(now)
    expect(view(outer).sum).toBe(3)
    outer.merge(now)
    expect(view(parent).sum).toBe(3)
    expect(parent.lastChange).toBe(1)
  })
  it('is closed after its end, and refuses more than a message carries before anything happens', () => {
    const { replicas, now } = new Star(1)
    const [parent] = replicas
    const closed = expect.objectContaining({ code: 'closed' })
    for (const end of [(b: Branch) => b.merge(now), (b: Branch) => b.drop()]) {
      const branch = new Branch(parent)
      end(branch)
      expect(() => add(branch, now, 1)).toThrow(closed)
      expect(() => branch.merge(now)).toThrow(closed)
      expect(branch.isOpen).toBe(false)
    }
    const wide = new Branch(parent)
    for (let i = 0; i < 20_000; i++) add(wide, now, 1, `${i}`.padStart(60, '-'))
    let refusal: unknown
    try {
      wide.merge(now)
    } catch (error) {
      refusal = error
    }
    expect((refusal as AtomikError).code).toBe('oversized')
    expect(wide.isOpen).toBe(true)
    expect(parent.lastChange).toBe(0)
    expect(view(wide, '7'.padStart(60, '-')).sum).toBe(1)
  })
})

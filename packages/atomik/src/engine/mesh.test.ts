/**
 * Goal: nodes without a hub end equal, with every change counted exactly once, whatever the network and the machines do; and
 * what they exchange is in proportion to what changed. Method: the real node on a virtual clock; arbitrary scripts of changes,
 * links made and cut, messages dropped, repeated and reordered, nodes restarted from images old and new, and a node that goes
 * on as two; then a healed network, and a count per change, in whole numbers, on every node.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counter, flag, register, Schema, table, toggle } from '../schema/index.ts'
import { Branch, type MeshAction, type MeshEvent, MeshNode, type MeshOptions, SeededRandom } from './index.ts'

const schema = new Schema({
  cells: table({ sum: counter(), bit: toggle(), name: register.u32(), on: flag() }),
  marks: table({ count: counter() }),
})
const [sum, bit, name, on] = ['sum', 'bit', 'name', 'on'].map(
  field => schema.tables[0].places.get(field)?.[0].word ?? -1,
)

/** A node on its machine: `twin` is a copy of the machine, which runs along until it goes its own way. */
interface Machine {
  node: MeshNode
  random: SeededRandom
  twin: Machine | undefined
  readonly alive: Set<number>
  /** Indices of changes that only this machine may have. */
  image: Uint8Array
  imageAt: number
}

class Net {
  now = 2_000_000_000_000
  readonly machines: Machine[] = []
  readonly inFlight: { from: number; to: number; link: number; bytes: Uint8Array }[] = []
  readonly links = new Map<number, readonly [number, number]>()
  readonly actions: MeshAction[] = []
  messages = 0
  bytes = 0
  /** What each change did, by number: the machine that made it. */
  readonly made: number[] = []
  readonly uncertain = new Set<number>()
  #nextLink = 1
  readonly #options: Partial<MeshOptions>

  constructor(count: number, options: Partial<MeshOptions> = {}) {
    this.#options = options
    for (let i = 0; i < count; i++) this.machines.push(this.#machine(i + 1))
  }

  #machine(seed: number): Machine {
    const random = new SeededRandom(seed)
    const machine: Machine = {
      random,
      node: undefined as unknown as MeshNode,
      twin: undefined,
      alive: new Set(),
      image: new Uint8Array(0),
      imageAt: 0,
    }
    machine.node = this.#open(machine)
    return machine
  }

  #open(machine: Machine): MeshNode {
    return new MeshNode({ schema, space: 's', random32: () => machine.random.next32(), ...this.#options })
  }

  /** From now on this machine runs twice: the copy does all the same, and nobody hears it. */
  shadow(i: number): void {
    const machine = this.machines[i]
    if (machine.twin !== undefined || machine.node.lastChange > 0 || machine.node.historyCount > 0) return
    const twin = this.#machine(0)
    twin.random = new SeededRandom(77 + i)
    machine.random = new SeededRandom(77 + i)
    twin.node = this.#open(twin)
    machine.node = this.#open(machine)
    machine.twin = twin
  }

  /** The copy goes on by itself, as a machine of its own. */
  split(i: number): void {
    const machine = this.machines[i]
    const { twin } = machine
    if (twin === undefined) return
    // What is in no segment yet would be in both copies: see the last test but one.
    machine.node.image(this.now)
    twin.node.image(this.now)
    machine.twin = undefined
    for (const link of machine.alive) twin.node.step(this.now, { type: 'close', peer: link }, [])
    twin.random = new SeededRandom(1000 + i)
    this.machines.push(twin)
  }

  step(i: number, event: MeshEvent): void {
    const machine = this.machines[i]
    const actions: MeshAction[] = []
    machine.node.step(this.now, event, actions)
    machine.twin?.node.step(this.now, event, [])
    this.perform(i, actions)
  }

  flush(i: number): void {
    const actions: MeshAction[] = []
    this.machines[i].node.flush(this.now, actions)
    this.machines[i].twin?.node.flush(this.now, [])
    this.perform(i, actions)
  }

  perform(i: number, actions: readonly MeshAction[]): void {
    for (const action of actions) {
      if (action.type !== 'send') {
        this.actions.push(action)
        if (action.type === 'fail') throw action.error
        continue
      }
      const ends = this.links.get(action.peer)
      this.messages++
      this.bytes += action.bytes.length
      if (ends !== undefined)
        this.inFlight.push({
          from: i,
          to: ends[0] === i ? ends[1] : ends[0],
          link: action.peer,
          bytes: action.bytes,
        })
    }
  }

  /** One change that counts itself in a row of its own, and does something to shared rows. */
  change(i: number, what: number): void {
    const number = this.made.length
    this.made.push(i)
    const machine = this.machines[i]
    for (const { node } of machine.twin === undefined ? [machine] : [machine, machine.twin])
      node.change(this.now, edit => {
        edit.add(1, node.row(1, `c${number}`), 1, 1, 0)
        const row = node.row(0, `r${what % 3}`)
        if (what % 5 === 0) edit.add(0, row, sum, what, 0)
        else if (what % 5 === 1) edit.xor(0, row, bit, 1, 0)
        else if (what % 5 === 2) edit.write(0, row, name, Int32Array.of(number + 1, 0))
        else if (what % 5 === 3) edit.set(0, row, on, what % 2 === 0)
        else edit.remove(0, row)
      })
  }

  connect(a: number, b: number): void {
    if (a === b || [...this.links.values()].some(([x, y]) => (x === a && y === b) || (x === b && y === a)))
      return
    const link = this.#nextLink++
    this.links.set(link, [a, b])
    for (const i of [a, b]) {
      this.machines[i].alive.add(link)
      this.step(i, { type: 'open', peer: link })
    }
  }

  cut(link: number): void {
    const ends = this.links.get(link)
    if (ends === undefined) return
    this.links.delete(link)
    for (const i of ends) {
      this.machines[i].alive.delete(link)
      this.step(i, { type: 'close', peer: link })
    }
  }

  deliver(index: number, keep = false): void {
    const message = this.inFlight[index]
    if (!keep) this.inFlight.splice(index, 1)
    if (this.links.has(message.link))
      this.step(message.to, { type: 'message', peer: message.link, bytes: message.bytes })
  }

  save(i: number): void {
    const machine = this.machines[i]
    machine.image = machine.node.image(this.now)
    machine.twin?.node.image(this.now)
    machine.imageAt = this.made.length
  }

  /** The process ends and comes back with what was saved. What came after that may be gone. */
  restart(i: number): void {
    const machine = this.machines[i]
    if (machine.twin !== undefined) return
    for (const [link, ends] of this.links) if (ends.includes(i)) this.cut(link)
    for (let change = machine.imageAt; change < this.made.length; change++)
      if (this.made[change] === i) this.uncertain.add(change)
    machine.node = this.#open(machine)
    machine.node.restore(this.now, machine.image)
    machine.imageAt = this.made.length
  }

  /** A chain of all machines, nothing lost, until nothing moves. */
  heal(): void {
    for (const i of this.machines.keys()) this.split(i)
    for (const link of [...this.links.keys()]) this.cut(link)
    this.inFlight.length = 0
    for (let i = 1; i < this.machines.length; i++) this.connect(i - 1, i)
    this.settle()
  }

  settle(): void {
    for (let round = 0; round < 60; round++) {
      for (let guard = 0; this.inFlight.length > 0; guard++) {
        if (guard > 20_000) throw new Error('messages without end')
        this.deliver(0)
      }
      this.now += 500
      for (const i of this.machines.keys()) this.step(i, { type: 'tick' })
      if (this.inFlight.length === 0) return
    }
    throw new Error('nodes that never rest')
  }

  count(i: number, change: number): number {
    const { node } = this.machines[i]
    const row = node.findRow(1, `c${change}`)
    if (row < 0) return 0
    const out = new Int32Array(2 * schema.layouts[1].words)
    node.readRow(1, row, out)
    return out[2]
  }

  digests(): Set<string> {
    return new Set(this.machines.map(({ node }) => node.reference.digest()))
  }
}

type Command =
  | {
      readonly do: 'change' | 'flush' | 'save' | 'restart' | 'split' | 'tick'
      readonly at: number
      readonly what: number
    }
  | {
      readonly do: 'connect' | 'cut' | 'deliver' | 'drop' | 'repeat'
      readonly at: number
      readonly what: number
    }

const command = fc.record({
  do: fc.oneof(
    { weight: 6, arbitrary: fc.constant('change' as const) },
    { weight: 12, arbitrary: fc.constant('deliver' as const) },
    { weight: 4, arbitrary: fc.constantFrom('flush' as const, 'tick' as const) },
    { weight: 3, arbitrary: fc.constantFrom('connect' as const, 'drop' as const, 'repeat' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('cut' as const, 'save' as const, 'restart' as const, 'split' as const),
    },
  ),
  at: fc.nat(1000),
  what: fc.nat(1000),
})

const script = fc.array(command, { minLength: 80, maxLength: 200 })

function play(net: Net, script: readonly Command[], isEager = false): void {
  for (const { do: what, at, what: by } of script) {
    const i = at % net.machines.length
    net.now += 40
    if (what === 'change') {
      net.change(i, by)
      if (isEager) net.flush(i)
    } else if (what === 'flush') net.flush(i)
    else if (what === 'tick') net.step(i, { type: 'tick' })
    else if (what === 'save') net.save(i)
    else if (what === 'restart') net.restart(i)
    else if (what === 'split') net.split(i)
    else if (what === 'connect') net.connect(i, by % net.machines.length)
    else if (what === 'cut') net.cut([...net.links.keys()][by % Math.max(1, net.links.size)] ?? -1)
    else if (net.inFlight.length > 0) {
      const index = by % net.inFlight.length
      if (what === 'deliver') net.deliver(index)
      else if (what === 'repeat') net.deliver(index, true)
      else net.inFlight.splice(index, 1)
    }
  }
}

function verify(net: Net): void {
  net.heal()
  expect(net.digests().size).toBe(1)
  for (let change = 0; change < net.made.length; change++) {
    const counts = new Set(net.machines.map((_, i) => net.count(i, change)))
    expect(counts.size, `change ${change} by machine ${net.made[change]} counts ${[...counts]}`).toBe(1)
    const [count] = counts
    if (net.uncertain.has(change)) expect([0, 1]).toContain(count)
    else expect(count, `change ${change} by machine ${net.made[change]}`).toBe(1)
  }
  for (const { node } of net.machines) {
    expect(node.stats.divergences).toBe(0)
    // The running fingerprint is that of the words.
    const fresh = new MeshNode({ schema, space: 's', random32: () => 5 })
    fresh.restore(net.now + 1, node.image(net.now))
    expect(fresh.reference.digest()).toBe(node.reference.digest())
  }
}

/** More of them: MESH_RUNS=3000 MESH_SEED=100 npx vitest run packages/atomik/src/engine/mesh.test.ts */
const { MESH_RUNS = '100', MESH_SEED = '0' } = process.env
const [runs, seed] = [Number(MESH_RUNS), Number(MESH_SEED)]

describe('nodes of a mesh, on any schedule', () => {
  it('end equal and count each change once', { timeout: 60_000 + 200 * runs }, () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), script, (count, commands) => {
        const net = new Net(count)
        play(net, commands)
        verify(net)
      }),
      { numRuns: runs, seed: seed + 3 },
    )
  })
  it('the same with few segments kept apart, so that beginnings travel whole', {
    timeout: 60_000 + 200 * runs,
  }, () => {
    let wholes = 0
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), script, (count, commands) => {
        const net = new Net(count, { segmentsKept: 1 })
        for (let i = 1; i < count; i++) net.connect(i - 1, i)
        net.settle()
        play(net, commands, true)
        verify(net)
        for (const { node } of net.machines) wholes += node.stats.wholesApplied
      }),
      { numRuns: runs, seed: seed + 4 },
    )
    expect(wholes).toBeGreaterThan(runs / 10)
  })
  it('the same with machines that go on as two', { timeout: 60_000 + 200 * runs }, () => {
    let forks = 0
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), script, (count, commands) => {
        const net = new Net(count)
        net.shadow(0)
        net.shadow(1)
        for (let i = 1; i < count; i++) net.connect(i - 1, i)
        play(net, commands)
        verify(net)
        for (const { node } of net.machines) forks += node.stats.forks
        expect(net.actions.filter(action => action.type === 'lost')).toEqual([])
      }),
      { numRuns: runs, seed: seed + 5 },
    )
    expect(forks).toBeGreaterThan(runs / 10)
  })
  it('end equal even when the branches of a fork lie too far apart, and say that changes are lost', {
    timeout: 60_000 + 200 * runs,
  }, () => {
    let lost = 0
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), script, (count, commands) => {
        const net = new Net(count, { segmentsKept: 1 })
        net.shadow(0)
        for (let i = 1; i < count; i++) net.connect(i - 1, i)
        play(net, commands, true)
        net.heal()
        expect(net.digests().size).toBe(1)
        for (let change = 0; change < net.made.length; change++)
          expect(net.count(0, change)).toBeLessThanOrEqual(1)
        for (const { node } of net.machines) lost += node.stats.lost
      }),
      { numRuns: runs, seed: seed + 6 },
    )
    expect(lost).toBeGreaterThan(0)
  })
})

/** Messages and bytes that `make` causes between connected nodes, until they rest. */
function cost(net: Net, make: () => void): { messages: number; bytes: number } {
  const before = { messages: net.messages, bytes: net.bytes }
  make()
  net.settle()
  return { messages: net.messages - before.messages, bytes: net.bytes - before.bytes }
}

function chain(count: number, options: Partial<MeshOptions> = {}): Net {
  const net = new Net(count, options)
  for (let i = 1; i < count; i++) net.connect(i - 1, i)
  net.settle()
  return net
}

const add = (net: Net, i: number, row: string, by: number) =>
  net.machines[i].node.change(net.now, edit => edit.add(0, net.machines[i].node.row(0, row), sum, by, 0))

function read(net: Net, i: number, row: string, word: number): number {
  const { node } = net.machines[i]
  const out = new Int32Array(2 * schema.layouts[0].words)
  if (node.findRow(0, row) >= 0) node.readRow(0, node.findRow(0, row), out)
  return out[2 * word]
}

describe('what it costs', () => {
  it('a change goes over each link once; nodes that are equal are silent', () => {
    const net = chain(4)
    const change = cost(net, () => {
      add(net, 0, 'x', 1)
      net.flush(0)
    })
    expect(read(net, 3, 'x', sum)).toBe(1)
    // Three links: a segment over each, then summaries that end equal.
    expect(change.bytes).toBeLessThan(3 * (70 + 3 * 33))
    expect(cost(net, () => {}).messages).toBe(0)
    for (let i = 0; i < 20; i++) {
      net.now += 1000
      expect(cost(net, () => {}).messages).toBe(0)
    }
  })
  it('nodes that meet again exchange what changed, however much they hold', () => {
    const net = chain(2)
    for (let row = 0; row < 5000; row++) add(net, 0, `row${row}`, row)
    net.flush(0)
    net.settle()
    const whole = net.bytes
    net.cut([...net.links.keys()][0])
    for (let i = 0; i < 10; i++) add(net, i % 2, `row${i}`, 1)
    const again = cost(net, () => net.connect(0, 1))
    expect(net.digests().size).toBe(1)
    expect(whole).toBeGreaterThan(50_000)
    expect(again.bytes).toBeLessThan(1200)
  })
  it('200,000 changes made apart cost what they touched', () => {
    const net = chain(2)
    net.cut([...net.links.keys()][0])
    for (let i = 0; i < 200_000; i++) add(net, 0, `r${i % 1000}`, 1)
    const { bytes } = cost(net, () => net.connect(0, 1))
    expect(read(net, 1, 'r7', sum)).toBe(200)
    expect(bytes).toBeLessThan(1000 * 14 + 1000)
  })
  it('with many incarnations, only those parts of the vector that differ travel', () => {
    const net = new Net(2)
    for (let i = 0; i < 400; i++) {
      const other = new MeshNode({ schema, space: 's', random32: () => net.machines[0].random.next32() })
      other.change(net.now, edit => edit.add(0, other.row(0, 'x'), sum, 1, 0))
      const image = other.image(net.now)
      for (const { node } of net.machines) node.restore(net.now, image)
    }
    expect(net.digests().size).toBe(1)
    add(net, 0, 'x', 1)
    const { bytes } = cost(net, () => net.connect(0, 1))
    expect(read(net, 1, 'x', sum)).toBe(401)
    // A whole vector would be 400 × 26 bytes.
    expect(bytes).toBeLessThan(2000)
  })
  it('keeps nothing that grows with the number of changes', () => {
    const net = chain(2, { segmentsKept: 8 })
    const sizes: number[] = []
    for (let i = 0; i < 2000; i++) {
      add(net, 0, `r${i % 10}`, 1)
      net.flush(0)
      while (net.inFlight.length > 0) net.deliver(0)
      if (i === 999 || i === 1999) sizes.push(net.machines[1].node.image(net.now).length)
    }
    expect(read(net, 1, 'r3', sum)).toBe(200)
    expect(Math.abs(sizes[1] - sizes[0])).toBeLessThan(400)
  })
})

describe('a node', () => {
  it('passes on what it knows, when the author is gone', () => {
    const net = new Net(3)
    net.connect(0, 1)
    net.settle()
    add(net, 0, 'x', 5)
    net.flush(0)
    net.settle()
    net.cut([...net.links.keys()][0])
    net.connect(1, 2)
    net.settle()
    expect(read(net, 2, 'x', sum)).toBe(5)
  })
  it('goes on offering what a peer lacks when the clocks are set back by an hour', () => {
    const net = new Net(2)
    net.connect(0, 1)
    net.settle()
    net.now -= 3_600_000
    add(net, 0, 'x', 5)
    net.flush(0)
    // All that was sent is lost: what is told again after a while must bring it.
    net.inFlight.length = 0
    net.settle()
    net.settle()
    expect(read(net, 1, 'x', sum)).toBe(5)
  })
  it('undoes, branches and merges as a replica does', () => {
    const net = chain(2)
    const [a] = net.machines
    const change = add(net, 0, 'x', 5)
    net.flush(0)
    const branch = new Branch(a.node)
    branch.change(net.now, edit => edit.add(0, branch.row(0, 'x'), sum, 2, 0))
    branch.merge(net.now)
    a.node.undo(net.now, change)
    net.flush(0)
    net.settle()
    expect(read(net, 1, 'x', sum)).toBe(2)
  })
  it('shows what it changed at once, and leaves nothing of a change that throws', () => {
    const net = new Net(1)
    const [{ node }] = net.machines
    expect(() =>
      node.change(net.now, edit => {
        edit.add(0, node.row(0, 'x'), sum, 1, 0)
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(read(net, 0, 'x', sum)).toBe(0)
    add(net, 0, 'x', 3)
    expect(read(net, 0, 'x', sum)).toBe(3)
    expect(node.openChanges).toBe(1)
  })
  it('comes back from an image under a new incarnation, and takes what it lacks of the old one', () => {
    const net = chain(2)
    add(net, 0, 'x', 1)
    net.flush(0)
    net.settle()
    net.save(0)
    const { incarnation } = net.machines[0].node
    add(net, 0, 'x', 10)
    net.flush(0)
    net.settle()
    net.restart(0)
    expect(net.machines[0].node.incarnation).not.toBe(incarnation)
    expect(read(net, 0, 'x', sum)).toBe(1)
    add(net, 0, 'x', 100)
    net.heal()
    for (const i of [0, 1]) expect(read(net, i, 'x', sum)).toBe(111)
    expect(net.machines[1].node.stats.forks).toBe(0)
  })
  it('lets a register from a clock far ahead wait until its time has come', () => {
    const net = chain(2, { skewMsMax: 60_000 })
    const [a, b] = net.machines
    a.node.change(net.now + 100_000, edit => edit.write(0, a.node.row(0, 'x'), name, Int32Array.of(7, 0)))
    net.flush(0)
    while (net.inFlight.length > 0) net.deliver(0)
    expect(read(net, 1, 'x', name + 1)).toBe(0)
    expect(b.node.stats.stampsAhead).toBeGreaterThan(0)
    net.now += 50_000
    net.settle()
    expect(read(net, 1, 'x', name + 1)).toBe(7)
    expect(net.digests().size).toBe(1)
  })
  it('of two copies of one machine both count, and both go on under other names', () => {
    const net = new Net(2)
    net.shadow(0)
    net.connect(0, 1)
    net.settle()
    add2(net, 0, 'x', 1)
    net.flush(0)
    net.settle()
    net.split(0)
    const before = net.machines[0].node.incarnation
    expect(net.machines[2].node.incarnation).toBe(before)
    add(net, 0, 'x', 10)
    add(net, 2, 'x', 100)
    net.heal()
    for (const i of [0, 1, 2]) expect(read(net, i, 'x', sum)).toBe(111)
    const [a, , c] = net.machines
    expect(new Set([before, a.node.incarnation, c.node.incarnation]).size).toBe(3)
    expect(net.actions).toContainEqual({ type: 'fork', incarnation: before, own: true })
    add(net, 0, 'x', 1000)
    add(net, 2, 'x', 10_000)
    for (const i of [0, 2]) net.flush(i)
    net.settle()
    for (const i of [0, 1, 2]) expect(read(net, i, 'x', sum)).toBe(11_111)
  })
  it('cannot tell that a change in no segment yet is in both copies: it counts twice, as the specification says', () => {
    const net = new Net(2)
    net.shadow(0)
    add2(net, 0, 'x', 1)
    const machine = net.machines[0]
    const twin = machine.twin
    if (twin === undefined) throw new Error('no copy')
    machine.twin = undefined
    twin.random = new SeededRandom(4)
    net.machines.push(twin)
    net.heal()
    for (const i of [0, 1, 2]) expect(read(net, i, 'x', sum)).toBe(2)
  })
  it('refuses another schema, another space, and nonsense, and nothing happens', () => {
    const other = new Schema({ cells: table({ sum: counter() }) })
    const node = (options: Partial<MeshOptions>) =>
      new MeshNode({ schema, space: 's', random32: () => 3, ...options })
    const refusal = (theirs: Partial<MeshOptions>) => {
      const sent: MeshAction[] = []
      node(theirs).step(0, { type: 'open', peer: 1 }, sent)
      const got: MeshAction[] = []
      const here = node({})
      here.step(0, { type: 'open', peer: 1 }, [])
      const [hello] = sent
      if (hello.type === 'send') here.step(0, { type: 'message', peer: 1, bytes: hello.bytes }, got)
      expect(here.peerCount).toBe(0)
      return got.find(action => action.type === 'fail')
    }
    expect(refusal({ schema: other })?.error).toMatchObject({ code: 'schema' })
    expect(refusal({ space: 'other' })?.error).toMatchObject({ code: 'unknown-space' })
    const here = node({})
    here.step(0, { type: 'open', peer: 1 }, [])
    const got: MeshAction[] = []
    here.step(0, { type: 'message', peer: 1, bytes: Uint8Array.of(9, 9) }, got)
    here.step(0, { type: 'message', peer: 2, bytes: Uint8Array.of(9, 9) }, got)
    expect(got).toMatchObject([{ type: 'fail', error: { code: 'malformed', offset: 0 } }])
    expect(() => here.restore(0, Uint8Array.of(65))).toThrow(expect.objectContaining({ code: 'truncated' }))
  })
  it('takes no damage from damaged messages', () => {
    const net = chain(2)
    const random = new SeededRandom(8)
    const caught: Uint8Array[] = []
    for (let i = 0; i < 30; i++) {
      net.change(i % 2, i)
      net.flush(i % 2)
      for (const { bytes } of net.inFlight) caught.push(bytes)
      net.settle()
    }
    const actions: MeshAction[] = []
    const victim = net.machines[0].node
    const [peer] = net.machines[0].alive
    for (let i = 0; i < 20_000; i++) {
      const bytes = caught[random.below(caught.length)].slice(
        0,
        random.below(4) === 0 ? random.below(60) : undefined,
      )
      for (let flips = random.below(4); flips >= 0 && bytes.length > 0; flips--)
        bytes[random.below(bytes.length)] ^= 1 << random.below(8)
      victim.step(net.now, { type: 'message', peer, bytes }, actions)
    }
    expect(actions.filter(({ type }) => type === 'fail').length).toBeGreaterThan(1000)
    // It still tells the truth about what it holds.
    const fresh = new MeshNode({ schema, space: 's', random32: () => 5 })
    fresh.restore(net.now, victim.image(net.now))
    expect(fresh.reference.digest()).toBe(victim.reference.digest())
  })
})

/** A change on a machine and on its copy. */
function add2(net: Net, i: number, row: string, by: number): void {
  add(net, i, row, by)
  const twin = net.machines[i].twin
  twin?.node.change(net.now, edit => edit.add(0, twin.node.row(0, row), sum, by, 0))
}

/**
 * Goal: the instrument itself is right: one seed, one run; what it finds can be replayed and shortened; its disk, its ledger and its
 * copies of machines do what the runs rely on. The great number of seeds and the injected bugs run beside these (`.ci/run`).
 */
import { SeededRandom } from 'atomik/engine'
import { describe, expect, it } from 'vitest'
import { JournalStorage, VirtualDisk } from './disk.ts'
import { Ledger, type View } from './ledger.ts'
import { drawPlan, type Plan } from './plan.ts'
import { EventQueue } from './queue.ts'
import { digitsPerCounter, placeOfDigit, readDigit, words } from './schema.ts'
import { shorten } from './shorten.ts'
import { Simulation } from './simulation.ts'
import { FailureError } from './verdict.ts'

describe('a simulation', () => {
  it('is a function of its seed, with branches, a mesh and tabs too', () => {
    const parts = new Set<string>()
    for (let seed = 7; seed < 27; seed++) {
      const [a, b] = [1, 2].map(() => {
        const simulation = new Simulation({ seed, record: true })
        simulation.run()
        return simulation
      })
      expect(a.events.length).toBeGreaterThan(100)
      expect(b.events).toEqual(a.events)
      expect(b.outcome).toEqual(a.outcome)
      const { mesh, tabs, items } = a.plan
      if (mesh !== undefined) parts.add('mesh')
      if (tabs !== undefined) parts.add('tabs')
      if (items.some(({ kind }) => kind === 'branch')) parts.add('branches')
    }
    expect(parts.size).toBe(3)
    expect(new Simulation({ seed: 8 }).run().changes).not.toBe(new Simulation({ seed: 7 }).run().changes)
  })

  it.each(Array.from({ length: 40 }, (_, i) => 100_001 + i))('holds with seed %i', seed => {
    expect(new Simulation({ seed }).run().failure).toBeUndefined()
  })

  it('injects every kind of fault within 200 seeds', () => {
    const missing = new Set([
      'drop',
      'repeat',
      'reorder',
      'delay',
      'one-way partition',
      'partition',
      'cut',
      'cut in mid-frame',
      'replica crash',
      'hub crash idle',
      'hub crash before write',
      'hub crash after write',
      'hub crash after sync',
      'replica crash before write',
      'replica crash after write',
      'replica crash after sync',
      'lost writes',
      'torn writes',
      'torn writes of a replica',
      'disk full',
      'disk full of a replica',
      'restore from backup',
      'hub restored from backup',
      'clone',
      'clock jump',
      'clock drift',
      'slow reader',
      'checkpoint',
      'schema upgrade',
      'branch merged',
      'branch dropped',
      'tab dies',
      'tab stalls',
      'tab message lost',
      'leading tab dies',
      'leading tab dies before write',
      'leading tab dies after write',
      'leading tab dies after sync',
      'mesh node restarted empty',
      'mesh node restarted from an image',
    ])
    for (let seed = 1; seed <= 200 && missing.size > 0; seed++)
      for (const fault of Object.keys(new Simulation({ seed }).run().faults)) missing.delete(fault)
    expect([...missing]).toEqual([])
  })

  it('keeps the bytes of a region whose hub was set back while patches were waiting', () => {
    // Seed 168, shortened. The bits of the patch at 3,227 ms, which is refused, were in what the next one was reckoned against.
    const plan: Plan = {
      seed: 168,
      durable: [true, true],
      ordered: [false, false, false, false, false],
      unsentBatchesMax: 1024,
      healAtMs: 6321,
      logBytesMax: 2000,
      items: [
        {
          kind: 'weather',
          atMs: 0,
          untilMs: 6321,
          node: 1,
          drop: 0.2,
          repeat: 0.2,
          delayMs: 120,
          reorder: true,
        },
        { kind: 'change', atMs: 302, node: 1, effects: [{ kind: 'name', key: 'c1', value: 13 }] },
        {
          kind: 'change',
          atMs: 377,
          node: 1,
          effects: [
            { kind: 'name', key: 'c1', value: 35 },
            { kind: 'name', key: 'c2', value: 35 },
            { kind: 'pair', key: 'c3', value: 35 },
          ],
        },
        {
          kind: 'change',
          atMs: 424,
          node: 1,
          effects: [
            { kind: 'patch', key: 'f1', slot: 3, value: 40 },
            { kind: 'pair', key: 'c2', value: 40 },
            { kind: 'name', key: 'c0', value: 40 },
            { kind: 'sum', key: 'c0', by: 3 },
          ],
        },
        { kind: 'change', atMs: 444, node: 1, effects: [{ kind: 'patch', key: 'f1', slot: 7, value: 110 }] },
        { kind: 'partition', atMs: 1857, untilMs: 3721, node: 1, way: 'both' },
        { kind: 'cut', atMs: 1857, untilMs: 3721, node: 1, midFrame: false },
        { kind: 'hub restore', atMs: 1877, takenAtMs: 148 },
        {
          kind: 'change',
          atMs: 1890,
          node: 0,
          effects: [
            { kind: 'remove', key: 'c1' },
            { kind: 'pair', key: 'c3', value: 31 },
          ],
        },
        { kind: 'change', atMs: 3227, node: 1, effects: [{ kind: 'patch', key: 'f1', slot: 7, value: 123 }] },
        {
          kind: 'change',
          atMs: 5131,
          node: 1,
          effects: [
            { kind: 'patch', key: 'f1', slot: 7, value: 136 },
            { kind: 'name', key: 'c0', value: 136 },
          ],
        },
      ],
    }
    const simulation = new Simulation({ seed: 168, plan })
    expect(simulation.run().failure).toBeUndefined()
  })

  it('shows what is going on between steps', () => {
    const simulation = new Simulation({ seed: 3 })
    while (simulation.network.flights.size === 0) simulation.step()
    expect(simulation.replicas.length).toBeGreaterThanOrEqual(2)
    expect([...simulation.network.flights][0].bytes.length).toBeGreaterThan(0)
    expect(simulation.outcome).toBeUndefined()
  })

  it('tells a hub that forgets from one that holds, and shortens the plan that shows it', () => {
    // The disk loses what it had synced: the hub's promise is broken, without any bug in the engine.
    const sync = VirtualDisk.prototype.sync
    VirtualDisk.prototype.sync = () => {}
    try {
      let seed = 1
      while (new Simulation({ seed }).run().failure === undefined) expect(++seed).toBeLessThan(50)
      const failure = new Simulation({ seed }).run().failure
      if (failure === undefined) throw new Error('it failed a moment ago')
      const plan = shorten(drawPlan(seed), failure.kind, 60)
      expect(plan.items.length).toBeLessThan(drawPlan(seed).items.length / 2)
      expect(new Simulation({ seed, plan }).run().failure?.kind).toBe(failure.kind)
    } finally {
      VirtualDisk.prototype.sync = sync
    }
  })
})

describe('the ledger', () => {
  /** A state of one ledger row in which each digit counts as often as told. */
  function stateOf(counts: readonly number[]): View {
    const row = new Int32Array(64)
    counts.forEach((count, digit) => {
      const { word, low, high } = placeOfDigit(digit)
      const sum =
        (BigInt(row[2 * word + 1] >>> 0) << 32n) +
        BigInt(row[2 * word] >>> 0) +
        BigInt(count) * ((BigInt(high >>> 0) << 32n) + BigInt(low >>> 0))
      row[2 * word] = Number(BigInt.asIntN(32, sum))
      row[2 * word + 1] = Number(BigInt.asIntN(32, sum >> 32n))
    })
    return {
      name: 'a state',
      cellWords: () => 16,
      readRow: (_table, key, out) => {
        if (key === 'l0') out.set(row)
        return key === 'l0'
      },
    }
  }
  const kindOf = (run: () => void) => {
    try {
      run()
      return 'fine'
    } catch (error) {
      if (error instanceof FailureError) return error.failure.kind
      throw error
    }
  }

  it('reads each digit as a whole number, whatever stands beside it', () => {
    const counts = Array.from({ length: digitsPerCounter }, (_, i) => (i % 2 === 0 ? 7 : -8))
    const row = new Int32Array(64)
    stateOf(counts).readRow(0, 'l0', row)
    const at = 2 * words.digits
    expect(counts.map((_, i) => readDigit(row[at], row[at + 1], i))).toEqual(counts)
  })

  it('takes three for three, where parity would take it for one', () => {
    const ledger = new Ledger()
    for (let i = 1; i <= 3; i++) ledger.add('r0', i, { effects: [] })
    expect(kindOf(() => ledger.checkFinal(stateOf([1, 1, 1])))).toBe('fine')
    expect(kindOf(() => ledger.checkFinal(stateOf([1, 3, 1])))).toBe('double')
    expect(kindOf(() => ledger.checkFinal(stateOf([1, 0, 1])))).toBe('lost')
  })

  it('lets a change of unknown fate count or not, but not twice; a refused one not at all', () => {
    const ledger = new Ledger()
    ledger.release(ledger.add('r0', 1, { effects: [] }))
    ledger.refuse(ledger.add('r0', 2, { effects: [] }))
    expect(kindOf(() => ledger.checkFinal(stateOf([0, 0])))).toBe('fine')
    expect(kindOf(() => ledger.checkFinal(stateOf([1, 0])))).toBe('fine')
    expect(kindOf(() => ledger.checkFinal(stateOf([2, 0])))).toBe('double')
    expect(kindOf(() => ledger.checkFinal(stateOf([0, 1])))).toBe('refused-counts')
  })

  it('nets a change with its undo, and sees an undo that counts twice', () => {
    const ledger = new Ledger()
    ledger.undo('r0', 2, ledger.add('r0', 1, { effects: [] }))
    expect(kindOf(() => ledger.checkFinal(stateOf([0])))).toBe('fine')
    expect(kindOf(() => ledger.checkFinal(stateOf([-1])))).toBe('double')
    expect(kindOf(() => ledger.checkFinal(stateOf([1])))).toBe('double')
  })

  it('counts what was made on a branch there alone until it is merged, then everywhere as one, and never once it is dropped', () => {
    const ledger = new Ledger()
    const aside = {}
    const made = [ledger.add('r0', 1, { effects: [] }, aside), ledger.add('r0', 2, { effects: [] }, aside)]
    const dropped = ledger.add('r0', 3, { effects: [] }, aside)
    const onBranch = (counts: readonly number[]): View => ({ ...stateOf(counts), asides: new Set([aside]) })
    expect(kindOf(() => ledger.checkView(stateOf([0, 0, 0])))).toBe('fine')
    expect(kindOf(() => ledger.checkView(stateOf([1, 0, 0])))).toBe('double')
    expect(kindOf(() => ledger.checkView(onBranch([1, 1, 1])))).toBe('fine')
    expect(kindOf(() => ledger.checkView(onBranch([1, 0, 1])))).toBe('torn')
    ledger.drop([dropped])
    ledger.merge(made, 7, new Set())
    expect(kindOf(() => ledger.checkView(stateOf([1, 1, 0])))).toBe('fine')
    expect(kindOf(() => ledger.checkView(stateOf([0, 0, 0])))).toBe('fine')
    expect(kindOf(() => ledger.checkView(stateOf([1, 0, 0])))).toBe('torn')
    expect(kindOf(() => ledger.checkView(stateOf([1, 1, 1])))).toBe('double')
    expect(kindOf(() => ledger.checkFinal(stateOf([0, 0, 0])))).toBe('lost')
    expect(kindOf(() => ledger.checkFinal(stateOf([1, 1, 0])))).toBe('fine')
  })

  it('computes sums from what counts: half a change shows', () => {
    const ledger = new Ledger()
    ledger.add('r0', 1, { effects: [{ kind: 'sum', key: 'c0', by: 4 }] })
    expect(kindOf(() => ledger.checkView(stateOf([0])))).toBe('fine')
    expect(kindOf(() => ledger.checkView(stateOf([1])))).toBe('torn')
  })
})

describe('the virtual disk', () => {
  const puts = (text: string) => [{ key: new TextEncoder().encode(text), value: new Uint8Array(40).fill(7) }]
  const keysOf = (disk: VirtualDisk) =>
    [...new JournalStorage(disk).range(new Uint8Array(0))].map(({ key }) => new TextDecoder().decode(key))

  it.each(['lost', 'torn', 'sectors', 'kept'] as const)(
    'keeps what was synced and no part of what was not, after a crash that leaves it %s',
    loss => {
      for (let seed = 1; seed <= 100; seed++) {
        const disk = new VirtualDisk()
        const storage = new JournalStorage(disk)
        storage.finish(storage.begin(puts('a')))
        storage.begin(puts('b'))
        disk.crash(loss, new SeededRandom(seed))
        const keys = keysOf(disk)
        expect(loss === 'kept' ? [['a', 'b']] : [['a'], ['a', 'b']]).toContainEqual(keys)
        // And goes on from there.
        const next = new JournalStorage(disk)
        next.finish(next.begin(puts('c')))
        expect(keysOf(disk)).toEqual([...keys, 'c'])
      }
    },
  )

  it('is whole after it was full', () => {
    const disk = new VirtualDisk()
    const storage = new JournalStorage(disk)
    storage.finish(storage.begin(puts('a')))
    storage.fail(puts('b'), new SeededRandom(1))
    storage.finish(storage.begin(puts('c')))
    expect(keysOf(disk)).toEqual(['a', 'c'])
  })
})

describe('the queue', () => {
  it('runs events in the order of their times, and of their planning at one time', () => {
    const queue = new EventQueue()
    const random = new SeededRandom(1)
    const seen: [number, number][] = []
    for (let i = 0; i < 500; i++) {
      const atMs = random.below(40)
      queue.at(atMs, () => seen.push([queue.nowMs, i]))
    }
    while (queue.step());
    expect(seen).toEqual([...seen].sort(([a, i], [b, j]) => a - b || i - j))
    expect(seen.length).toBe(500)
  })
})

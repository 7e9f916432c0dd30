/**
 * Goal: what the cluster view shows is one function of its address. Method: scenarios run twice; faults put in late must leave what was
 * before them as it was; whatever faults a hand puts in, the simulator's oracle must find every change counted once.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lostShownMs, type Message, Recording } from './recording.ts'
import {
  type Fault,
  faultsMax,
  fromParameters,
  healAtMs,
  hubFaults,
  initialScenario,
  objectionTo,
  replicaFaults,
  type Scenario,
  toParameters,
  weathers,
  wideFaults,
  withFault,
} from './scenario.ts'

const keysOf = <T extends object>(of: T) => Object.keys(of) as (keyof T)[]
const small = 6

const faults = (replicas: number): fc.Arbitrary<Fault> => {
  const atMs = fc.integer({ min: 600, max: healAtMs - 1 })
  return fc.oneof(
    fc.record({
      atMs,
      target: fc.constant('replica' as const),
      node: fc.nat(replicas - 1),
      kind: fc.constantFrom(...keysOf(replicaFaults)),
    }),
    fc.record({ atMs, target: fc.constant('hub' as const), kind: fc.constantFrom(...keysOf(hubFaults)) }),
    fc.record({ atMs, target: fc.constant('all' as const), kind: fc.constantFrom(...keysOf(wideFaults)) }),
  )
}
const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    seed: fc.nat(10_000),
    replicas: fc.integer({ min: 3, max: small }),
    weather: fc.constantFrom(...keysOf(weathers)),
  })
  .chain(base =>
    fc
      .array(faults(base.replicas), { maxLength: 12 })
      .map(list => list.reduce(withFault, { ...base, faults: [] } as Scenario)),
  )

const shown = (recording: Recording, atMs: number) => ({
  moment: recording.momentAt(atMs),
  messages: [...recording.messagesAt(atMs)],
})

describe('a recorded cluster', () => {
  it('comes back from its address', () => {
    fc.assert(
      fc.property(scenarios, scenario => {
        expect(fromParameters(new URLSearchParams(toParameters(scenario)))).toEqual(scenario)
      }),
    )
  })

  it.each([
    '',
    'seed=-1&replicas=1e9&weather=__proto__',
    'seed=NaN&replicas=2&faults=r99.cut.5_hub.cut.5_all.toString.5_r1.cut.999999_r1.cut.20000',
  ])('takes a damaged address for the first scenario: %s', address => {
    expect(fromParameters(new URLSearchParams(address))).toEqual(initialScenario)
  })

  it('leaves out what is not modelled, and more than its number of faults', () => {
    const clone: Fault = { atMs: 900, target: 'replica', node: 1, kind: 'clone' }
    const restore: Fault = { atMs: 900, target: 'hub', kind: 'restore' }
    const cloned = withFault(initialScenario, clone)
    expect(objectionTo(initialScenario, clone)).toBe('')
    expect(objectionTo(cloned, { ...clone, atMs: 5000 })).toContain('cloned already')
    expect(objectionTo(cloned, restore)).toContain('clones')
    expect(objectionTo(withFault(initialScenario, restore), clone)).toContain('backup')
    let full = initialScenario
    for (let atMs = 1; full.faults.length < faultsMax; atMs++)
      full = withFault(full, { atMs, target: 'hub', kind: 'checkpoint' })
    expect(withFault(full, { atMs: 1, target: 'hub', kind: 'full' })).toBe(full)
  })

  it('ends equal, every change counted once, whatever faults are put in', () => {
    fc.assert(
      fc.property(scenarios, scenario => {
        const recording = new Recording(scenario)
        recording.runTo(Number.POSITIVE_INFINITY)
        expect(recording.outcome?.failure).toBeUndefined()
        const { hub, replicas, changes } = recording.momentAt(Number.POSITIVE_INFINITY)
        expect(changes.made).toBeGreaterThan(100)
        for (const { lsn, digest, pending } of replicas)
          expect({ lsn, digest, pending }).toEqual({ lsn: hub.lsn, digest: hub.digest, pending: 0 })
      }),
      { numRuns: 12 },
    )
  }, 120_000)

  it('lets a replica with a disk go on where it stood, and one in memory begin anew', () => {
    const crashed = (node: number) => {
      const partition: Fault = { atMs: 4500, target: 'replica', node, kind: 'partition' }
      const crash: Fault = { atMs: 5000, target: 'replica', node, kind: 'crash' }
      const scenario = { ...initialScenario, replicas: small, weather: 'calm' as const }
      const recording = new Recording([partition, crash].reduce(withFault, scenario))
      recording.runTo(6600)
      const [before, down, after] = [4950, 5500, 6500].map(atMs => recording.momentAt(atMs).replicas[node])
      expect(before).toMatchObject({ blocked: true, down: false, durable: node % 2 === 1 })
      expect(down).toMatchObject({ down: true })
      expect(after).toMatchObject({ blocked: true, down: false, live: false })
      expect(before.lsn).toBeGreaterThan(50)
      return { before: before.lsn, after: after.lsn }
    }
    for (const node of [1, 3]) expect(crashed(node).after).toBe(crashed(node).before)
    for (const node of [0, 2]) expect(crashed(node).after).toBe(0)
  })

  it('shows the same again, in however many pieces it was computed', () => {
    fc.assert(
      fc.property(scenarios, fc.integer({ min: 1000, max: 8000 }), (scenario, atMs) => {
        const whole = new Recording(scenario)
        whole.runTo(atMs)
        const pieces = new Recording(scenario)
        for (let calls = 0; !pieces.runTo(atMs, () => true) && calls < 1e5; ) calls++
        expect(shown(pieces, atMs)).toEqual(shown(whole, atMs))
      }),
      { numRuns: 10 },
    )
  }, 60_000)

  it('is the same before a fault as without it', () => {
    fc.assert(
      fc.property(scenarios, faults(3), (scenario, fault) => {
        const late: Fault = { ...fault, atMs: 6000 }
        fc.pre(objectionTo(scenario, late) === '')
        const without = new Recording(scenario)
        const withIt = new Recording(withFault(scenario, late))
        for (const recording of [without, withIt]) recording.runTo(7000)
        for (const atMs of [1000, 3333, 5949])
          expect(shown(withIt, atMs).moment).toEqual(shown(without, atMs).moment)
      }),
      { numRuns: 15 },
    )
  }, 60_000)

  it('knows each message from its sending to its arrival, and steps from one to the next', () => {
    const recording = new Recording({ ...initialScenario, replicas: small })
    recording.runTo(5000)
    let atMs = 1000
    for (let step = 0; step < 50; step++) {
      const next = recording.arrivalAfter(atMs)
      if (next === undefined) throw new Error('no arrival')
      expect(next).toBeGreaterThan(atMs)
      expect(recording.arrivalBefore(next)).toBeLessThan(next)
      expect([...recording.messagesAt(next - 1e-6)].some(({ endMs }) => endMs === next)).toBe(true)
      expect([...recording.messagesAt(next)].some(({ endMs }) => endMs === next)).toBe(false)
      atMs = next
    }
  })

  it('shows every message that is lost, where it was lost, and none that is not', () => {
    const lostIn = (scenario: Scenario) => {
      const recording = new Recording(scenario)
      recording.runTo(4000)
      const lost = new Set<Message>()
      for (let atMs = 0; atMs < 4000 + lostShownMs; atMs += 20)
        for (const message of recording.messagesAt(atMs)) if (message.lost) lost.add(message)
      for (const { fromMs, endMs, dueMs } of lost) {
        expect(endMs).toBeGreaterThanOrEqual(fromMs)
        expect(endMs).toBeLessThanOrEqual(dueMs)
      }
      const { messages } = recording.momentAt(4000)
      expect(lost.size).toBe(messages.lost)
      return { lost: [...lost], sent: messages.sent }
    }
    const base = { ...initialScenario, replicas: small }
    expect(lostIn({ ...base, weather: 'calm' })).toMatchObject({ lost: [] })
    // A quarter is lost; copies of what is repeated count as sent.
    const heavy = lostIn({ ...base, weather: 'heavy' })
    expect(heavy.lost.length / heavy.sent).toBeGreaterThan(0.15)
    expect(heavy.lost.length / heavy.sent).toBeLessThan(0.35)
    const cut: Fault = { atMs: 2000, target: 'replica', node: 2, kind: 'partition' }
    const parted = lostIn(withFault({ ...base, weather: 'calm' }, cut))
    expect(parted.lost.length).toBeGreaterThan(3)
    for (const { node, endMs } of parted.lost) {
      expect(node).toBe(2)
      expect(endMs).toBeGreaterThanOrEqual(2000)
    }
  })
})

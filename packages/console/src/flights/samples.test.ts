/** Goal: rates are what the counters say. Method: counters with known slopes, a hub that starts again, a hub that is away. */
import { describe, expect, it } from 'vitest'
import { windowSeconds } from '../plot.tsx'
import type { HubView, ReplicaView, RunView } from './live-hub.ts'
import { Samples, sampleMs } from './samples.ts'

const perSample = sampleMs / 1000

function view(seconds: number, bytesBefore = 0): HubView {
  const run = {
    hubReceived: 100 * seconds - bytesBefore,
    hubSent: 1000 * seconds - bytesBefore,
    hubLsn: 10 * seconds,
    flights: 5 * seconds,
  }
  return {
    connection: 'live',
    reason: '',
    note: '',
    run: run as RunView,
    replicas: [{ lag: seconds }, { lag: 0 }] as ReplicaView[],
    page: undefined,
  }
}

function filled(count: number, make = view): Samples {
  const samples = new Samples()
  for (let i = 0; i < count; i++) samples.take(i * perSample, make(i * perSample))
  return samples
}

describe('samples of the last minute', () => {
  it('gives the slope of a steady counter, whenever the samples were taken', () => {
    const samples = new Samples()
    for (let i = 0; i < 40; i++)
      samples.take(i * perSample + (i % 3) * 0.05, view(i * perSample + (i % 3) * 0.05))
    for (const rate of samples.rate('received')) expect(rate).toBeCloseTo(100, 6)
    for (const rate of samples.rate('batches')) expect(rate).toBeCloseTo(10, 6)
  })

  it('has a time for every value, ending now, and keeps no more than the window', () => {
    for (const count of [0, 1, 5, 10_000]) {
      const samples = filled(count)
      expect(samples.rate('sent')).toHaveLength(samples.times().length)
      expect(samples.lag(0)).toHaveLength(samples.times().length)
      expect(samples.times().at(0) ?? 0).toBeGreaterThanOrEqual(-windowSeconds)
      expect(samples.times().at(-1) ?? 0).toBe(0)
    }
    expect(filled(10_000).times()).toHaveLength((windowSeconds * 1000) / sampleMs + 1)
  })

  it('shows a gap, not a spike, when the hub starts again from zero', () => {
    const samples = filled(60, seconds => view(seconds, seconds > 20 ? 1e9 : 0))
    const rates = samples.rate('sent')
    expect(rates).toContain(null)
    for (const rate of rates) if (rate !== null) expect(rate).toBeCloseTo(1000, 6)
  })

  it('shows a gap while the hub is away', () => {
    const samples = filled(60, seconds => ({
      ...view(seconds),
      connection: seconds > 10 && seconds < 20 ? 'away' : 'live',
    }))
    expect(samples.lag(0).filter(lag => lag === null)).toHaveLength(19)
    expect(samples.rate('sent')).toContain(null)
  })

  it('has nothing to say of a replica that is not there', () => {
    expect(
      filled(10)
        .lag(7)
        .every(lag => lag === null),
    ).toBe(true)
  })
})

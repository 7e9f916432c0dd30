/**
 * The last minute as figures: what the hub's counters and the replicas' lags were, twice a second, and from that rates.
 * A rate is taken over two seconds, because the counters themselves move in steps of a fifth of a second. A counter that
 * went backwards (the hub was started again) gives a gap in the line, not a spike.
 */
import { type Line, windowSeconds } from '../plot.tsx'
import type { HubView } from './live-hub.ts'

export const sampleMs = 500
const rateSamples = 4

interface Sample {
  /** Seconds of the page's clock. */
  readonly at: number
  readonly received: number
  readonly sent: number
  readonly batches: number
  readonly flights: number
  readonly lags: readonly (number | null)[]
}

type Counter = 'received' | 'sent' | 'batches' | 'flights'

export class Samples {
  readonly #samples: (Sample | undefined)[] = []

  take(seconds: number, { connection, run, replicas }: HubView): void {
    this.#samples.push(
      connection !== 'live' || run === undefined
        ? undefined
        : {
            at: seconds,
            received: run.hubReceived,
            sent: run.hubSent,
            batches: run.hubLsn,
            flights: run.flights,
            lags: replicas.map(({ lag }) => lag),
          },
    )
    if (this.#samples.length > (windowSeconds * 1000) / sampleMs + 1 + rateSamples) this.#samples.shift()
  }

  /** Seconds before now, ending with 0. */
  times(): number[] {
    const { length } = this.#shown()
    return Array.from({ length }, (_, i) => ((i - length + 1) * sampleMs) / 1000)
  }

  rate(counter: Counter): Line {
    return this.#shown().map((sample, i) => {
      const earlier = this.#samples[i]
      if (sample === undefined || earlier === undefined || sample[counter] < earlier[counter]) return null
      return (sample[counter] - earlier[counter]) / (sample.at - earlier.at)
    })
  }

  lag(replica: number): Line {
    return this.#shown().map(sample => sample?.lags[replica] ?? null)
  }

  /** Without the first ones, which are only there for rates. */
  #shown(): readonly (Sample | undefined)[] {
    return this.#samples.slice(rateSamples)
  }
}

/** The last minute of a space, one sample a second: from counters, rates. */
import { type Line, windowSeconds } from '../plot.tsx'
import type { SpaceInfo } from './hub-info.ts'

interface Sample {
  readonly at: number
  readonly lsn: number
  readonly sent: number
  readonly received: number
  readonly backlog: number
  readonly lag: number
}

export class History {
  readonly #samples: Sample[] = []

  /** @param seconds of a clock that only goes forward */
  take(seconds: number, { lsn, connections }: SpaceInfo): void {
    this.#samples.push({
      at: seconds,
      lsn,
      sent: connections.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
      received: connections.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      backlog: connections.reduce((sum, { backlogBytes }) => sum + backlogBytes, 0),
      lag: connections.reduce((most, connection) => Math.max(most, lsn - connection.lsn), 0),
    })
    while (this.#samples[0].at < seconds - windowSeconds - 1) this.#samples.shift()
  }

  /** Seconds before now. */
  times(): number[] {
    const now = this.#samples.at(-1)?.at ?? 0
    return this.#samples.map(({ at }) => at - now)
  }

  /** Growth a second. A counter that went back, because a connection left, gives a gap. */
  rate(counter: 'lsn' | 'sent' | 'received'): Line {
    return this.#samples.map((sample, i) => {
      const before = this.#samples[i - 1]
      if (before === undefined || sample[counter] < before[counter] || sample.at <= before.at) return null
      return (sample[counter] - before[counter]) / (sample.at - before.at)
    })
  }

  level(of: 'backlog' | 'lag'): Line {
    return this.#samples.map(sample => sample[of])
  }
}

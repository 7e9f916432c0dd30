/** The last minute of a space, one sample a second: from counters, rates. */
import { type Line, windowSeconds } from '../plot.tsx'
import type { SpaceInfo } from './hub-info.ts'

/** What the page itself has seen, in totals. */
export interface PageTotals {
  /** Bytes both ways between this page and the hub. */
  readonly carriedBytes: number
  /** What the same changes would have taken as whole rows: key and words of each row that changed. */
  readonly rowBytes: number
  /** The latest time from a change made here to its confirmation. */
  readonly confirmMs: number | null
}

interface Sample {
  readonly at: number
  readonly batches: number
  readonly changes: number
  readonly sent: number
  readonly received: number
  readonly commits: number
  readonly commitMs: number
  readonly carried: number
  readonly rows: number
  readonly log: number
  readonly lag: number
  readonly answer: number
  readonly confirm: number | null
}

export class History {
  readonly #samples: Sample[] = []
  /** Samples so far. */
  taken = 0

  /** @param seconds of a clock that only goes forward */
  take(seconds: number, info: SpaceInfo, answerMs: number, page: PageTotals): void {
    const { lsn, connections, stats, commitSeconds, logBytes } = info
    this.taken++
    this.#samples.push({
      at: seconds,
      batches: lsn,
      changes: stats.changesAccepted,
      sent: connections.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
      received: connections.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      commits: stats.commits,
      commitMs: 1000 * commitSeconds,
      carried: page.carriedBytes,
      rows: page.rowBytes,
      log: logBytes,
      lag: connections.reduce((most, connection) => Math.max(most, lsn - connection.lsn), 0),
      answer: answerMs,
      confirm: page.confirmMs,
    })
    while (this.#samples[0].at < seconds - windowSeconds - 1) this.#samples.shift()
  }

  /** Seconds before now. */
  times(): number[] {
    const now = this.#samples.at(-1)?.at ?? 0
    return this.#samples.map(({ at }) => at - now)
  }

  /** Growth a second. A counter that went back, because a connection left, gives a gap. */
  rate(counter: 'batches' | 'changes' | 'sent' | 'received' | 'carried' | 'rows'): Line {
    return this.#between((sample, before) =>
      sample[counter] < before[counter]
        ? null
        : (sample[counter] - before[counter]) / (sample.at - before.at),
    )
  }

  /** Milliseconds of the mean commit, between two samples; a gap where there was none. */
  commitMs(): Line {
    return this.#between((sample, before) =>
      sample.commits > before.commits
        ? (sample.commitMs - before.commitMs) / (sample.commits - before.commits)
        : null,
    )
  }

  level(of: 'log' | 'lag' | 'answer' | 'confirm'): Line {
    return this.#samples.map(sample => sample[of])
  }

  /** Share of bytes saved over the window; undefined when nothing was carried. */
  saved(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    if (first === undefined || last === undefined || last.rows <= first.rows) return undefined
    return 1 - (last.carried - first.carried) / (last.rows - first.rows)
  }

  #between(read: (sample: Sample, before: Sample) => number | null): Line {
    return this.#samples.map((sample, i) => {
      const before = this.#samples[i - 1]
      return before === undefined || sample.at <= before.at ? null : read(sample, before)
    })
  }
}

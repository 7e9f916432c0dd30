import { type Delta, WordKind } from '../algebra/index.ts'
import { stampMsMax } from '../wire/index.ts'

/**
 * A hybrid logical clock: 48 bits of milliseconds and 16 of count. Stamps it gives are unique to no node, only ever larger
 * than all it gave or saw; equal stamps of two nodes are ordered by the value beside them.
 */
export class StampClock {
  /** The 64 bits of the last stamp: a number of 48 bits of time would be an object at every change. */
  low = 0
  high = 0

  get ms(): number {
    return (this.high >>> 0) * 2 ** 16 + (this.low >>> 16)
  }

  get count(): number {
    return this.low & countMax
  }

  /** The next stamp, larger than every earlier one; it stays in `low` and `high`. */
  next(nowMs: number): void {
    this.advance(msHigh(nowMs), msLow(nowMs))
  }

  /** The same, of a time in two parts. */
  advance(high: number, low: number): void {
    const ms = this.low >>> 16
    if (high === this.high ? low > ms : high >>> 0 > this.high >>> 0) {
      this.high = high
      this.low = low << 16
    } else if ((this.low & countMax) < countMax) {
      this.low++
    } else if (ms < 0xffff) {
      this.low = (ms + 1) << 16
    } else {
      this.low = 0
      this.high = (this.high + 1) | 0
    }
  }

  /** Takes note of a stamp from elsewhere. */
  see(low: number, high: number): void {
    if (high === this.high ? low >>> 0 <= this.low >>> 0 : high >>> 0 < this.high >>> 0) return
    this.low = low
    this.high = high
  }
}

const countMax = 0xffff

/** Milliseconds since 1970, without their lowest 16 bits. */
export function msHigh(nowMs: number): number {
  return nowMs <= 0 ? 0 : (Math.min(nowMs, stampMsMax) / 2 ** 16) | 0
}

/** Their lowest 16 bits. */
export function msLow(nowMs: number): number {
  return nowMs <= 0 ? 0 : Math.min(nowMs, stampMsMax) & 0xffff
}

/** True when a register in the delta was written later than this. */
export function hasStampAfter(latestMs: number, delta: Delta): boolean {
  for (const { layout, words, count } of delta.tables)
    for (let w = 0; w < layout.words; w++) {
      if (layout.kinds[w] !== WordKind.stamp) continue
      for (let slot = 0; slot < count; slot++) {
        const at = 2 * (slot * layout.words + w)
        if ((words[at + 1] >>> 0) * 2 ** 16 + (words[at] >>> 16) > latestMs) return true
      }
    }
  return false
}

/** Who is asked the time many times a second and sees more than this go by was asleep, or its clock was set. */
const stepMsMax = 5000

/**
 * Time as timers want it, made of a clock that people and networks set: it goes on by what the clock goes forward, and stands
 * while that is set back. Without it a clock that goes back an hour would stop every resend for an hour, and one that goes forward
 * would make a round trip of it, and every resend wait for as long.
 */
export class SteadyClock {
  #passedMs = 0
  #lastMs: number | undefined

  /** Milliseconds passed since the first reading. */
  at(nowMs: number): number {
    if (nowMs === this.#lastMs) return this.#passedMs
    const passedMs = this.#passedMs + Math.min(stepMsMax, Math.max(0, nowMs - (this.#lastMs ?? nowMs)))
    this.#lastMs = nowMs
    // Whole milliseconds are kept as an integer: any other number would be an object at every call.
    if (passedMs === (passedMs | 0)) this.#passedMs = passedMs | 0
    else this.#passedMs = passedMs
    return this.#passedMs
  }
}

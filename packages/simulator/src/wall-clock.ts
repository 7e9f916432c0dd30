/** The clock of one machine: virtual time as it reads it, set and drifting at will. */
import type { EventQueue } from './queue.ts'

/** 2026-01-01: stamps need a time of day. */
const epochMs = Date.UTC(2026, 0, 1)

export class WallClock {
  readonly #queue: EventQueue
  #rate = 1
  /** What it showed at `#atMs` of virtual time. */
  #shownMs: number
  #atMs = 0

  constructor(queue: EventQueue, offsetMs: number) {
    this.#queue = queue
    this.#shownMs = epochMs + offsetMs
    this.#atMs = queue.nowMs
    this.#shownMs += queue.nowMs
  }

  now(): number {
    return Math.floor(this.#shownMs + (this.#queue.nowMs - this.#atMs) * this.#rate)
  }

  jump(byMs: number): void {
    this.#shownMs += byMs
  }

  drift(rate: number): void {
    this.#shownMs += (this.#queue.nowMs - this.#atMs) * this.#rate
    this.#atMs = this.#queue.nowMs
    this.#rate = rate
  }
}

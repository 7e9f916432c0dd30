/**
 * Time in the cluster view: plays, steps and scrubs through a recording, and computes on when it meets the frontier, a slice between
 * two frames so that the page stays alive.
 */
import { Recording } from './recording.ts'
import type { Scenario } from './scenario.ts'

/** Time one frame may spend on simulating: while it plays, and while somebody waits for a moment. */
const sliceMs = { playing: 12, waiting: 40 }

export class Player {
  recording: Recording
  /** What is shown, in virtual time. */
  atMs = 0
  /** Virtual seconds a second. */
  speed: number
  isPlaying = false
  readonly #onChange: (player: Player) => void
  /** Wanted, and not computed yet. */
  #goalMs: number
  #frame = 0
  #before = 0

  constructor(scenario: Scenario, atMs: number, speed: number, onChange: (player: Player) => void) {
    this.recording = new Recording(scenario)
    this.speed = speed
    this.#goalMs = atMs
    this.#onChange = onChange
    this.#frame = requestAnimationFrame(now => this.#tick(now))
  }

  get isComputing(): boolean {
    return this.#goalMs > this.atMs
  }

  get isOver(): boolean {
    return this.recording.outcome !== undefined && this.atMs >= this.recording.endMs
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
  }

  play(on: boolean): void {
    if (on && this.isOver) this.#goalMs = this.atMs = 0
    this.isPlaying = on
    this.#onChange(this)
  }

  scrub(atMs: number): void {
    this.#goalMs = Math.max(0, Math.min(atMs, this.recording.endMs))
    if (this.#goalMs <= this.recording.frontierMs) this.atMs = this.#goalMs
    this.#onChange(this)
  }

  /** To the next arrival of a message, or back to the one before. */
  step(forward: boolean): void {
    this.isPlaying = false
    const find = () =>
      forward ? this.recording.arrivalAfter(this.atMs) : this.recording.arrivalBefore(this.atMs)
    let found = find()
    for (let ahead = 50; forward && found === undefined && ahead < 5000; ahead += 50) {
      this.recording.runTo(this.atMs + ahead)
      found = find()
    }
    this.scrub(found ?? (forward ? this.recording.endMs : 0))
  }

  /** Another run, seen at the same time. */
  become(scenario: Scenario, atMs = this.atMs): void {
    this.recording = new Recording(scenario)
    this.atMs = 0
    this.#goalMs = atMs
    this.#onChange(this)
  }

  #tick(now: number): void {
    this.#frame = requestAnimationFrame(then => this.#tick(then))
    const elapsed = Math.min(100, now - this.#before)
    this.#before = now
    const moved = this.isPlaying && !this.isComputing
    if (moved) this.#goalMs = Math.min(this.recording.endMs, this.atMs + elapsed * this.speed)
    if (!moved && !this.isComputing) return
    const until = performance.now() + (this.isPlaying ? sliceMs.playing : sliceMs.waiting)
    this.recording.runTo(this.#goalMs, () => performance.now() > until)
    const { frontierMs, outcome, endMs } = this.recording
    this.atMs = Math.min(this.#goalMs, frontierMs)
    if (outcome !== undefined) this.#goalMs = Math.min(this.#goalMs, endMs)
    if (this.isOver) this.isPlaying = false
    this.#onChange(this)
  }
}

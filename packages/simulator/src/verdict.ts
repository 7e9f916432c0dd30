/** What a run can end with. */
export type FailureKind =
  /** Two replicas, or a replica and the hub, differ at one log number. */
  | 'divergence'
  /** A change counts more often than it was made. */
  | 'double'
  /** A change that was acknowledged, or is held by a living replica, does not count. */
  | 'lost'
  /** A refused change counts. */
  | 'refused-counts'
  /** A register or flag holds what nobody wrote, or not the last of what was written. */
  | 'unwritten'
  /** A reader saw part of a change. */
  | 'torn'
  /** A program does not read what it has just written, or, of a branch that was merged, what that showed. */
  | 'unread'
  /** The diff of a branch does not name what merging it changes. */
  | 'diff'
  /** A reader was told what was not on disk yet. */
  | 'early'
  /** After healing, equality did not come within its bound. */
  | 'stuck'
  /** The hub's store does not open, or holds something else than the hub. */
  | 'store'
  /** A stamp further ahead than the hub allows. */
  | 'skew'
  /** After a restart a change is stamped no later than what was saved before it. */
  | 'clock'
  /** A broken invariant, or an error that should not occur. */
  | 'error'

export interface Failure {
  readonly kind: FailureKind
  readonly message: string
}

/** Ends a run. */
export class FailureError extends Error {
  readonly failure: Failure
  constructor(kind: FailureKind, message: string) {
    super(`${kind}: ${message}`)
    this.failure = { kind, message }
  }
}

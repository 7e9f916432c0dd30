/**
 * The one error class of the library. Every refusal carries a `code` a program can switch on and, where bytes were
 * read, the `offset` at which they stopped making sense. Bugs assert instead; they never take this road.
 */

/** What went wrong, as a program reads it. `spec/wire.md` lists which of them travel as numbers. */
export type ErrorCode =
  /** An address, index or width outside its range. */
  | 'range'
  /** A value wider than the context, field or word that should hold it. */
  | 'width'
  /** An operation the lane has no meaning for (the inverse of a maximum). */
  | 'lane'
  /** Bytes ended in the middle of a field. */
  | 'truncated'
  /** Bytes that no encoder of this version writes. */
  | 'malformed'
  /** A size or count above its limit in `limits.ts`. */
  | 'oversized'
  /** Another version of the wire format. */
  | 'version'
  /** The two sides lay their records out differently. */
  | 'schema'
  /** A token is missing or wrong. */
  | 'unauthorized'
  /** The principal may read but not write. */
  | 'readonly'
  /** A row that belongs to somebody else. */
  | 'owner'
  /** A space that does not exist and may not be created. */
  | 'unknown-space'
  /** A stamp further in the future than the hub allows. */
  | 'stamp'
  /** The same incarnation was seen with another history: a clone or a restored copy. */
  | 'fork'
  /** The change to be undone is not known (any more), or was refused. */
  | 'unknown-change'
  /** The replica, connection or store was closed. */
  | 'closed'
  /** Another process, tab or client holds this space of the store. */
  | 'in-use'
  /** The outside world failed: disk, socket, missing module. `cause` says how. */
  | 'storage'
  | 'network'

export class AtomikError extends Error {
  readonly code: ErrorCode
  /** Byte offset into the input, where there was one. */
  readonly offset: number | undefined

  constructor(code: ErrorCode, message: string, options: { offset?: number; cause?: unknown } = {}) {
    super(options.offset === undefined ? message : `${message} (at byte ${options.offset})`, {
      cause: options.cause,
    })
    this.name = 'AtomikError'
    this.code = code
    this.offset = options.offset
  }
}

/** Holds an invariant in production too: a failure is a bug in ATOMiK, never a property of the input. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`atomik: broken invariant: ${what}`)
}

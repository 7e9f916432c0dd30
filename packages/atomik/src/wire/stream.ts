/**
 * The entries of a stream, one by one from where they lie: an author is told of hundreds of its batches in one frame, and none of
 * them becomes an object. Drawn in spec/wire.md §4:
 *
 *   entry   varint 0                                      nothing
 *           varint 1 · varint alias · varint to           the reader's own, accepted
 *           varint 2 · varint alias · varint to · code    the reader's own, refused
 *           varint bytes + 3 · delta
 */
import type { ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { Reader } from './reader.ts'

const nothing = new Uint8Array(0)

export class StreamCursor {
  kind: 'nothing' | 'own' | 'refused' | 'delta' = 'nothing'
  /** Of an own entry. */
  alias = 0
  to = 0
  code: ErrorCode = 'malformed'
  /** Where the delta lies in the bytes. */
  start = 0
  end = 0
  readonly #r = new Reader(nothing)

  /** Begins at the first of entries that lie in `bytes`. */
  reset(bytes: Uint8Array): void {
    this.#r.reset(bytes)
  }

  /** Reads the next entry. @throws AtomikError with code and offset */
  next(): void {
    this.read(this.#r)
  }

  /** The same from a reader that stands at an entry. */
  read(r: Reader): void {
    const head = r.varint(limits.downlinkBytesMax, 'bytes in a log entry')
    if (head >= 3) {
      this.kind = 'delta'
      this.start = r.position
      r.skip(head - 3)
      this.end = r.position
    } else if (head === 0) {
      this.kind = 'nothing'
    } else {
      this.alias = r.varint(limits.incarnationsMax - 1, 'alias')
      this.to = r.varint(Number.MAX_SAFE_INTEGER, 'sequence')
      this.kind = head === 1 ? 'own' : 'refused'
      if (head === 2) this.code = r.errorCode()
    }
  }
}

/**
 * What a hub remembers of one incarnation: its head, the labels of the bounds that its author, or a copy of its author, may still
 * come back to, and who opened it. The rule that uses them is `Space.#accept` (spec/semantics.md §5).
 *
 * The record on disk is the head; memory holds those in use. Bounds in a record:
 *
 *   varint sequence − the one before · u8 (salt follows ? 2 : 0) + (refused ? 1 : 0) · u64 label · [ u64 salt ] · [ u8 error ]
 */
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { errorCodes, type Halves, type Reader, type Writer } from '../wire/index.ts'
import { firstLabel, formatIncarnation, sameLabel } from './label.ts'

/** The end of an accepted or refused batch. */
export interface Bound {
  readonly sequence: number
  readonly label: Halves
  /** The salt in force after it. */
  readonly salt: Halves
  /** Why it was refused; undefined when accepted. */
  readonly refused: ErrorCode | undefined
}

const zero: Halves = { low: 0, high: 0 }
/** Bounds kept although the author has confirmed them: what lets a copy of it be recognised. */
const confirmedBoundsKept = 64

export class IncarnationHead {
  readonly id: Uint8Array
  /** The same in hexadecimal digits. */
  readonly name: string
  /** The principal that opened it; empty where the hub knows no principals. */
  readonly owner: string
  /** Bounds in ascending order; the last is the head. */
  bounds: Bound[]
  /** The author knows everything up to here. */
  confirmed = 0
  /** Hash of its record as it was last staged; undefined when it has none. */
  sum: Halves | undefined

  constructor(id: Uint8Array, owner = '') {
    this.id = id.slice()
    this.name = formatIncarnation(id)
    this.owner = owner
    this.bounds = [{ sequence: 0, label: firstLabel(id), salt: zero, refused: undefined }]
  }

  get head(): Bound {
    return this.bounds[this.bounds.length - 1]
  }

  /** The bound at this sequence, when it is remembered. */
  bound(sequence: number): Bound | undefined {
    for (let i = this.bounds.length - 1; i >= 0; i--) {
      if (this.bounds[i].sequence === sequence) return this.bounds[i]
      if (this.bounds[i].sequence < sequence) return undefined
    }
    return undefined
  }

  /** True when this position was ours, as far as is remembered. */
  knows(sequence: number, label: Halves): boolean {
    const bound = this.bound(sequence)
    return bound !== undefined && sameLabel(bound.label, label)
  }

  /** Room for one more bound the author has not confirmed. */
  get hasRoom(): boolean {
    // Refusals are among the bounds.
    return this.bounds.length < limits.unconfirmedBatchesMax
  }

  move(bound: Bound): void {
    this.bounds.push(bound)
  }

  confirm(sequence: number): void {
    if (sequence <= this.confirmed || this.bound(sequence) === undefined) return
    this.confirmed = sequence
    const first = this.bounds.findIndex(bound => bound.sequence >= sequence)
    const drop = Math.max(0, first - confirmedBoundsKept)
    if (drop > 0) this.bounds.splice(0, drop)
  }

  /** Refusals the author may not know of. */
  refusals(): { to: number; code: ErrorCode }[] {
    const list: { to: number; code: ErrorCode }[] = []
    for (const { sequence, refused } of this.bounds)
      if (refused !== undefined && sequence > this.confirmed) list.push({ to: sequence, code: refused })
    return list
  }

  encode(w: Writer): void {
    w.bytes(this.id)
    w.text(this.owner)
    w.varint(this.confirmed)
    w.varint(this.bounds.length)
    let before: { sequence: number; salt: Halves } = { sequence: 0, salt: zero }
    for (const bound of this.bounds) {
      const { sequence, label, salt, refused } = bound
      const isNew = !sameLabel(salt, before.salt)
      w.varint(sequence - before.sequence)
      w.u8((isNew ? 2 : 0) + (refused === undefined ? 0 : 1))
      w.u64(label.low, label.high)
      if (isNew) w.u64(salt.low, salt.high)
      if (refused !== undefined) w.u8(errorCodes.indexOf(refused))
      before = bound
    }
  }

  /** @throws AtomikError */
  static decode(r: Reader): IncarnationHead {
    const id = r.bytes(16)
    const head = new IncarnationHead(id, r.text(limits.principalBytesMax, 'bytes in a principal'))
    head.confirmed = r.varint(Number.MAX_SAFE_INTEGER, 'confirmed')
    const count = r.varint(2 * limits.unconfirmedBatchesMax, 'bounds')
    if (count === 0) throw new AtomikError('malformed', 'an incarnation without a head')
    head.bounds = []
    let sequence = 0
    let salt = zero
    for (let i = 0; i < count; i++) {
      sequence += r.varint(Number.MAX_SAFE_INTEGER - sequence, 'sequence')
      const flags = r.u8()
      const label = readHalves(r)
      if ((flags & 2) !== 0) salt = readHalves(r)
      const refused = (flags & 1) === 0 ? undefined : errorCodes[r.u8()]
      if ((flags & 1) !== 0 && refused === undefined) r.fail('malformed', 'a refusal without a reason')
      head.bounds.push({ sequence, label, salt, refused })
    }
    return head
  }
}

function readHalves(r: Reader): Halves {
  r.u64()
  return { low: r.low, high: r.high }
}

/**
 * What a hub remembers of one incarnation: its head, and the labels of the bounds that its author, or a copy of its
 * author, may still come back to. The rule that uses them is `Space.#accept` (spec/semantics.md §5).
 */
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { errorCodes, type Halves, type Reader, type Writer } from '../wire/index.ts'
import { firstLabel, sameLabel } from './label.ts'

/** The end of an accepted or refused batch. */
export interface Bound {
  readonly sequence: number
  readonly label: Halves
  /** The salt in force after it. */
  readonly salt: Halves
  /** Why it was refused; undefined when accepted. */
  readonly refused: ErrorCode | undefined
}

/** Bounds kept although the author has confirmed them: what lets a copy of it be recognised. */
const confirmedBoundsKept = 64

export class IncarnationHead {
  readonly id: Uint8Array
  /** Bounds in ascending order; the last is the head. */
  bounds: Bound[]
  /** The author knows everything up to here. */
  confirmed = 0

  constructor(id: Uint8Array) {
    this.id = id.slice()
    this.bounds = [{ sequence: 0, label: firstLabel(id), salt: { low: 0, high: 0 }, refused: undefined }]
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
    return (
      this.refusals().length < limits.unconfirmedBatchesMax &&
      this.bounds.length < limits.unconfirmedBatchesMax
    )
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
    w.varint(this.confirmed)
    w.varint(this.bounds.length)
    for (const { sequence, label, salt, refused } of this.bounds) {
      w.varint(sequence)
      w.u64(label.low, label.high)
      w.u64(salt.low, salt.high)
      w.text(refused ?? '')
    }
  }

  /** @throws AtomikError */
  static decode(r: Reader): IncarnationHead {
    const head = new IncarnationHead(r.bytes(16))
    head.confirmed = r.varint(Number.MAX_SAFE_INTEGER, 'confirmed')
    const count = r.varint(2 * limits.unconfirmedBatchesMax, 'bounds')
    if (count === 0) throw new AtomikError('malformed', 'an incarnation without a head')
    head.bounds = []
    for (let i = 0; i < count; i++) {
      const sequence = r.varint(Number.MAX_SAFE_INTEGER, 'sequence')
      r.u64()
      const label = { low: r.low, high: r.high }
      r.u64()
      const salt = { low: r.low, high: r.high }
      const text = r.text(32, 'refusal')
      const refused = errorCodes.find(code => code === text)
      if (text !== '' && refused === undefined) r.fail('malformed', `a refusal for ${text}`)
      head.bounds.push({ sequence, label, salt, refused })
    }
    return head
  }
}

/**
 * What a hub remembers of one incarnation: its head, the labels of the bounds that its author, or a copy of its author, may still
 * come back to, and who opened it. The rule that uses them is `Space.#accept` (spec/semantics.md §5).
 *
 * The record on disk is the head; memory holds those in use. Bounds in a record:
 *
 *   varint sequence − the one before · u8 flags · u64 label · [ u64 salt ] · [ u8 error ] · [ varint regionsRefused ]
 *   flags: 1 refused, and the error follows; 2 the salt follows; 4 `regionsRefused` follows, at the first bound when it is not 0
 */
import { AtomikError, type ErrorCode } from '../errors.ts'
import { limits } from '../limits.ts'
import { errorCodes, errorNumber, type Halves, type Reader, type Writer } from '../wire/index.ts'
import { firstLabel, formatIncarnation } from './label.ts'

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
  /** Bounds in ascending order, the last is the head: flat, since one comes with every batch. */
  #count = 0
  #sequences: number[] = []
  /** Two halves each. */
  #labels = new Int32Array(32)
  #salts = new Int32Array(32)
  /** 0, or 1 + the number of the error. */
  #refusals = new Uint8Array(16)
  /** The author knows everything up to here. */
  confirmed = 0
  /** The head. */
  sequence = 0
  /** Where the last refused batch ended that touched regions; 0 before the first (spec/semantics.md S66). */
  regionsRefused = 0
  /** Hash of its record as it was last staged; undefined when it has none. */
  sum: Halves | undefined

  constructor(id: Uint8Array, owner = '') {
    this.id = id.slice()
    this.name = formatIncarnation(id)
    this.owner = owner
    const { low, high } = firstLabel(id)
    this.add(0, low, high, 0, 0, undefined)
  }

  get head(): Bound {
    return this.#boundAt(this.#count - 1)
  }

  get bounds(): Bound[] {
    return Array.from({ length: this.#count }, (_, i) => this.#boundAt(i))
  }

  #boundAt(i: number): Bound {
    return {
      sequence: this.#sequences[i],
      label: { low: this.#labels[2 * i], high: this.#labels[2 * i + 1] },
      salt: { low: this.#salts[2 * i], high: this.#salts[2 * i + 1] },
      refused: this.#refusals[i] === 0 ? undefined : errorCodes[this.#refusals[i] - 1],
    }
  }

  /** The bound at this sequence, when it is remembered. */
  bound(sequence: number): Bound | undefined {
    const i = this.indexOf(sequence)
    return i < 0 ? undefined : this.#boundAt(i)
  }

  /** Index of the bound at this sequence, or −1 when it is not remembered. It holds until the next is added or confirmed. */
  indexOf(sequence: number): number {
    const sequences = this.#sequences
    for (let i = this.#count - 1; i >= 0 && sequences[i] >= sequence; i--)
      if (sequences[i] === sequence) return i
    return -1
  }

  /** Index of the head. */
  get last(): number {
    return this.#count - 1
  }

  /** Halves of label and salt of the bound at this index. */
  labelLow(i: number): number {
    return this.#labels[2 * i]
  }

  labelHigh(i: number): number {
    return this.#labels[2 * i + 1]
  }

  saltLow(i: number): number {
    return this.#salts[2 * i]
  }

  saltHigh(i: number): number {
    return this.#salts[2 * i + 1]
  }

  /** True when this position was ours, as far as is remembered. */
  knows(sequence: number, label: Halves): boolean {
    const i = this.indexOf(sequence)
    return i >= 0 && this.#labels[2 * i] === label.low && this.#labels[2 * i + 1] === label.high
  }

  /** Room for one more bound the author has not confirmed. */
  get hasRoom(): boolean {
    // Refusals are among the bounds.
    return this.#count < limits.unconfirmedBatchesMax
  }

  move({ sequence, label, salt, refused }: Bound): void {
    this.add(sequence, label.low, label.high, salt.low, salt.high, refused)
  }

  /** The same, in halves. */
  add(
    sequence: number,
    labelLow: number,
    labelHigh: number,
    saltLow: number,
    saltHigh: number,
    refused: ErrorCode | undefined,
  ): void {
    if (this.#count === this.#refusals.length) this.#grow()
    const i = this.#count++
    this.#sequences[i] = sequence
    this.#labels[2 * i] = labelLow
    this.#labels[2 * i + 1] = labelHigh
    this.#salts[2 * i] = saltLow
    this.#salts[2 * i + 1] = saltHigh
    this.#refusals[i] = refused === undefined ? 0 : 1 + errorNumber(refused)
    this.sequence = sequence
  }

  #grow(): void {
    const [labels, salts] = [new Int32Array(4 * this.#count), new Int32Array(4 * this.#count)]
    const refusals = new Uint8Array(2 * this.#count)
    labels.set(this.#labels)
    salts.set(this.#salts)
    refusals.set(this.#refusals)
    this.#labels = labels
    this.#salts = salts
    this.#refusals = refusals
  }

  confirm(sequence: number): void {
    const i = sequence <= this.confirmed ? -1 : this.indexOf(sequence)
    if (i < 0) return
    this.confirmed = sequence
    const drop = Math.max(0, i - confirmedBoundsKept)
    if (drop === 0) return
    this.#sequences.copyWithin(0, drop, this.#count)
    this.#labels.copyWithin(0, 2 * drop, 2 * this.#count)
    this.#salts.copyWithin(0, 2 * drop, 2 * this.#count)
    this.#refusals.copyWithin(0, drop, this.#count)
    this.#count -= drop
  }

  /** Refusals the author may not know of. */
  refusals(): { to: number; code: ErrorCode }[] {
    const list: { to: number; code: ErrorCode }[] = []
    for (let i = 0; i < this.#count; i++)
      if (this.#refusals[i] > 0 && this.#sequences[i] > this.confirmed)
        list.push({ to: this.#sequences[i], code: errorCodes[this.#refusals[i] - 1] })
    return list
  }

  encode(w: Writer): void {
    w.bytes(this.id)
    w.text(this.owner)
    w.varint(this.confirmed)
    w.varint(this.#count)
    const [labels, salts, refusals] = [this.#labels, this.#salts, this.#refusals]
    let before = 0
    let low = 0
    let high = 0
    for (let i = 0; i < this.#count; i++) {
      const sequence = this.#sequences[i]
      const isNew = salts[2 * i] !== low || salts[2 * i + 1] !== high
      low = salts[2 * i]
      high = salts[2 * i + 1]
      w.varint(sequence - before)
      const hasRegions = i === 0 && this.regionsRefused > 0
      w.u8((hasRegions ? 4 : 0) + (isNew ? 2 : 0) + (refusals[i] === 0 ? 0 : 1))
      w.u64(labels[2 * i], labels[2 * i + 1])
      if (isNew) w.u64(low, high)
      if (refusals[i] > 0) w.u8(refusals[i] - 1)
      if (hasRegions) w.varint(this.regionsRefused)
      before = sequence
    }
  }

  /** @throws AtomikError */
  static decode(r: Reader): IncarnationHead {
    const id = r.bytes(16)
    const head = new IncarnationHead(id, r.text(limits.principalBytesMax, 'bytes in a principal'))
    head.confirmed = r.varint(Number.MAX_SAFE_INTEGER, 'confirmed')
    const count = r.varint(2 * limits.unconfirmedBatchesMax, 'bounds')
    if (count === 0) throw new AtomikError('malformed', 'an incarnation without a head')
    head.#count = 0
    let sequence = 0
    let salt = zero
    for (let i = 0; i < count; i++) {
      sequence += r.varint(Number.MAX_SAFE_INTEGER - sequence, 'sequence')
      const flags = r.u8()
      const label = readHalves(r)
      if ((flags & 2) !== 0) salt = readHalves(r)
      const refused = (flags & 1) === 0 ? undefined : r.errorCode()
      if ((flags & 4) !== 0) head.regionsRefused = r.varint(Number.MAX_SAFE_INTEGER, 'regions refused')
      head.add(sequence, label.low, label.high, salt.low, salt.high, refused)
    }
    return head
  }
}

function readHalves(r: Reader): Halves {
  r.u64()
  return { low: r.low, high: r.high }
}

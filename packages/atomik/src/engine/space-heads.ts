/**
 * The heads of a space: all on disk, in memory those in use. What a client claims is looked for in memory, then on disk, and is
 * new when neither has it; who opened an incarnation is the only one to continue it.
 */
import { AtomikError } from '../errors.ts'
import { IncarnationHead } from './heads.ts'
import { formatIncarnation } from './label.ts'
import { openRecord } from './records.ts'
import { incarnationKey } from './space-records.ts'

export class HeadTable {
  readonly #space: string
  readonly #heads: Map<string, IncarnationHead>
  /** What the storage holds under a key; without it everything stays in memory. */
  readonly #recall: ((key: Uint8Array) => Uint8Array | undefined) | undefined
  #cold = 0

  constructor(
    space: string,
    heads: Map<string, IncarnationHead>,
    recall: ((key: Uint8Array) => Uint8Array | undefined) | undefined,
  ) {
    this.#space = space
    this.#heads = heads
    this.#recall = recall
  }

  /** Heads in memory. */
  get warm(): number {
    return this.#heads.size
  }

  /** Heads on disk alone. */
  get cold(): number {
    return this.#cold
  }

  /**
   * The head of an incarnation: from memory, from disk, or new. A new one is not in the table until it is kept.
   * @throws AtomikError `unauthorized` when another principal opened it, `storage` when its record is damaged
   */
  find(incarnation: Uint8Array, principal: string): IncarnationHead {
    const head =
      this.#heads.get(formatIncarnation(incarnation)) ??
      this.#fromDisk(incarnation) ??
      new IncarnationHead(incarnation, principal)
    if (head.owner !== '' && head.owner !== principal)
      throw new AtomikError(
        'unauthorized',
        'these changes were begun by another principal: they cannot be continued under this one',
      )
    return head
  }

  #fromDisk(incarnation: Uint8Array): IncarnationHead | undefined {
    if (this.#cold === 0) return undefined
    const key = incarnationKey(this.#space, incarnation)
    const record = this.#recall?.(key)
    if (record === undefined) return undefined
    const { r, sum } = openRecord(key, record, `a head of space ${this.#space}`)
    const head = IncarnationHead.decode(r)
    head.sum = sum
    this.#heads.set(head.name, head)
    this.#cold--
    return head
  }

  keep(head: IncarnationHead): void {
    this.#heads.set(head.name, head)
  }

  /** Forgets a head that never moved. */
  forget(head: IncarnationHead): void {
    this.#heads.delete(head.name)
  }

  /** Leaves on disk alone those that are there as they are and that nobody needs. */
  retire(isFree: (head: IncarnationHead) => boolean): void {
    if (this.#recall === undefined) return
    for (const head of this.#heads.values()) {
      if (head.sum === undefined || !isFree(head)) continue
      this.#heads.delete(head.name)
      this.#cold++
    }
  }
}

/**
 * Writes to a seat what a replica asks to have written: one write at a time, again and again where the disk refuses, a last time at
 * the end. A write that failed is never dropped: its records are staged in the replica until one succeeds.
 */
import type { Put, Seat } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'

const retryMsMin = 250
const retryMsMax = 10_000

export interface KeeperHooks {
  /** The write is durable: as `Replica.committed`. */
  committed(): void
  /** Nothing of it is there, and the replica may ask again: as `Replica.notCommitted`. */
  notCommitted(): void
  /** Why. Called at once, before the wait. */
  failed(error: AtomikError): void
}

export class Keeper {
  readonly #seat: Seat
  readonly #hooks: KeeperHooks
  /** The last write: what it failed with. */
  #writing: Promise<AtomikError | undefined> = Promise.resolve(undefined)
  #retryMs = retryMsMin
  #isClosing = false
  #wake = () => {}

  constructor(seat: Seat, hooks: KeeperHooks) {
    this.#seat = seat
    this.#hooks = hooks
  }

  /** Why nothing can be written at present. */
  error: AtomikError | undefined

  /** One at a time: the next after `committed` or `notCommitted`. */
  write(puts: readonly Put[]): void {
    this.#writing = this.#write(puts)
  }

  async #write(puts: readonly Put[]): Promise<AtomikError | undefined> {
    try {
      await this.#seat.write(puts)
    } catch (cause) {
      const error =
        cause instanceof AtomikError
          ? cause
          : new AtomikError('storage', `cannot write to the store: ${String(cause)}`, { cause })
      this.error = error
      this.#hooks.failed(error)
      if (!this.#isClosing) await this.#pause()
      this.#hooks.notCommitted()
      return error
    }
    this.error = undefined
    this.#retryMs = retryMsMin
    this.#hooks.committed()
    return undefined
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#retryMs)
      this.#retryMs = Math.min(retryMsMax, 2 * this.#retryMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /**
   * Lets the seat go, after a last write.
   * @param save asks the replica for what it has left to write
   * @returns why that failed
   */
  async close(save: () => void): Promise<AtomikError | undefined> {
    this.#isClosing = true
    this.#wake()
    await this.#writing
    save()
    const error = await this.#writing
    await this.#seat.close()
    return error
  }
}

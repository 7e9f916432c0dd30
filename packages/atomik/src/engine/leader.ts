/**
 * The other end of followers: it takes their changes into the replica it holds, tells them what the replica reads, and when their
 * changes are saved and confirmed.
 *
 * Exactly once: a change of a follower is a change of our own, held back from the hub until one write has brought it to the store
 * together with who made it and its number (`Replica.take`). So a later leader knows what the store has, whatever died when; what it has not
 * comes again, and no hub has seen it.
 */
import type { Delta } from '../algebra/index.ts'
import { AtomikError, type ErrorCode } from '../errors.ts'
import {
  decodeForLeader,
  deltaOf,
  encodeChanged,
  encodeFail,
  encodeFate,
  encodeForked,
  encodeRefused,
  encodeRows,
  encodeWelcome,
  type Fate,
} from './follow.ts'
import { formatIncarnation } from './label.ts'
import type { Replica } from './replica.ts'
import type { RowRef } from './rows.ts'

/** The replica that is led, and what is around it. */
export interface Led {
  readonly replica: Replica
  /** A state of the hub is here, from now or from the store. */
  readonly isLoaded: boolean
  /** A program need not wait any longer: that is here, or nobody has answered in time. */
  readonly isReady: boolean
  /** As `Replica.take`, and then sees to it that it is shown and saved soon. */
  take(id: Uint8Array, number: number, change: Delta): number
}

interface Following {
  readonly id: Uint8Array
  /** Its link; undefined while it has none. */
  peer: number | undefined
  /** Its last change that was taken in, and the last that is in rows it was told of. */
  taken: number
  told: number
  saved: number
  confirmed: number
  /** Its changes that are not confirmed, and which of ours they became. */
  unconfirmed: { readonly number: number; readonly change: number }[]
  /** How many of them are saved. */
  savedCount: number
  fate: string
}

/** A storage that fails and fails is told of often enough. */
const unheardMax = 16

export class Leader {
  readonly #led: Led
  readonly #taken: ReadonlyMap<string, number>
  /** All that was taken in before is settled with this change. */
  readonly #before: number
  readonly #send: (peer: number, bytes: Uint8Array) => void
  readonly #following = new Map<string, Following>()
  /** What nobody was there to hear. */
  #unheard: Uint8Array[] = []

  /** @param taken what the store knew when it was opened: `ReplicaImage.taken` */
  constructor(led: Led, taken: ReadonlyMap<string, number>, send: (peer: number, bytes: Uint8Array) => void) {
    this.#led = led
    this.#taken = taken
    this.#before = led.replica.lastChange
    this.#send = send
  }

  /** Takes a message from a link. What makes no sense is answered, and changes nothing. */
  receive(peer: number, bytes: Uint8Array): void {
    const { replica } = this.#led
    try {
      const frame = decodeForLeader(bytes, replica.schema.layouts)
      if (frame.type === 'hello') {
        if (frame.schema !== replica.schema.hash)
          throw new AtomikError(
            'schema',
            'this space is open elsewhere on this machine with other tables: close it there first',
          )
        this.#welcome(peer, frame.id, frame.saved)
        return
      }
      const from = [...this.#following.values()].find(one => one.peer === peer)
      if (from === undefined) return
      for (const [i, rows] of frame.changes.entries()) {
        const number = frame.first + i
        if (number <= from.taken) continue
        if (number > from.taken + 1)
          throw new AtomikError('malformed', `change ${number} after ${from.taken}`)
        const change = this.#led.take(from.id, number, deltaOf(rows, replica.reference))
        from.taken = number
        from.unconfirmed.push({ number, change })
      }
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      this.#send(peer, encodeFail(error, true))
    }
  }

  #welcome(peer: number, id: Uint8Array, saved: number): void {
    const name = formatIncarnation(id)
    let following = this.#following.get(name)
    if (following === undefined) {
      // Nothing it knows to be saved comes again, so the store need not remember that for ever.
      const taken = Math.max(this.#taken.get(name) ?? 0, saved)
      const unconfirmed = taken > 0 ? [{ number: taken, change: this.#before }] : []
      const savedCount = unconfirmed.length
      following = {
        id,
        peer,
        taken,
        told: taken,
        saved: taken,
        confirmed: 0,
        unconfirmed,
        savedCount,
        fate: '',
      }
      this.#following.set(name, following)
    }
    following.peer = peer
    following.told = following.taken
    following.fate = ''
    this.#send(peer, encodeWelcome(following.taken, encodeRows(this.#allRows(), this.#led.replica)))
    this.tell()
    for (const bytes of this.#unheard.splice(0)) this.#send(peer, bytes)
  }

  *#allRows(): Iterable<RowRef> {
    const { tables } = this.#led.replica.reference
    for (let table = 0; table < tables.length; table++)
      for (let row = 0; row < tables[table].count; row++) yield { table, row }
  }

  /** A link ended: whoever it was may come back. */
  leave(peer: number): void {
    for (const following of this.#following.values()) if (following.peer === peer) following.peer = undefined
  }

  /** Whoever this was is gone for good: nothing of it will come again. */
  forget(id: Uint8Array): void {
    this.#following.delete(formatIncarnation(id))
    this.#led.replica.forget(id)
  }

  /** These rows of the replica may read differently. Call it once a batch, before `tell`. */
  changed(rows: readonly RowRef[]): void {
    let body: Uint8Array | undefined
    for (const following of this.#following.values()) {
      if (following.peer === undefined) continue
      if (rows.length === 0 && following.told === following.taken) continue
      body ??= encodeRows(rows, this.#led.replica)
      following.told = following.taken
      this.#send(following.peer, encodeChanged(following.taken, body))
    }
  }

  /** What is saved, confirmed or live may have changed. */
  tell(): void {
    const { replica, isLoaded, isReady } = this.#led
    for (const following of this.#following.values()) {
      const { unconfirmed } = following
      for (; unconfirmed[following.savedCount]?.change <= replica.savedChange; following.savedCount++)
        following.saved = unconfirmed[following.savedCount].number
      let count = 0
      for (; unconfirmed[count]?.change <= replica.confirmedChange; count++)
        following.confirmed = unconfirmed[count].number
      if (count > 0) {
        following.unconfirmed = unconfirmed.slice(count)
        following.savedCount = Math.max(0, following.savedCount - count)
      }
      if (following.peer === undefined) continue
      const { saved, confirmed } = following
      const { lsn, pendingChanges: pending, isLive } = replica
      const fate: Fate = { saved, confirmed, lsn, pending, isLive, isLoaded, isReady }
      const told = JSON.stringify(fate)
      if (told === following.fate) continue
      following.fate = told
      this.#send(following.peer, encodeFate(fate))
    }
  }

  /** The hub refused changes (from, to] of the replica: those among them that are a follower's. */
  refused(from: number, to: number, code: ErrorCode): void {
    for (const { peer, unconfirmed } of this.#following.values()) {
      const numbers = unconfirmed.filter(({ change }) => change > from && change <= to)
      if (peer === undefined || numbers.length === 0) continue
      this.#send(peer, encodeRefused(numbers[0].number - 1, numbers[numbers.length - 1].number, code))
    }
  }

  forked(incarnation: Uint8Array): void {
    this.#all(encodeForked(incarnation))
  }

  fail(error: AtomikError, fatal: boolean): void {
    this.#all(encodeFail(error, fatal))
  }

  #all(bytes: Uint8Array): void {
    let isHeard = false
    for (const { peer } of this.#following.values()) {
      if (peer === undefined) continue
      isHeard = true
      this.#send(peer, bytes)
    }
    if (!isHeard && this.#unheard.length < unheardMax) this.#unheard.push(bytes)
  }
}

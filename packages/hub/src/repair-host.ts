/**
 * Stands in for a space whose disk lost rows, until a client that followed it has lent them (`SpaceRepair`). Then it writes them, sends
 * everyone away, and they come back to the space.
 */
import { AtomikError } from 'atomik'
import { type DamagedSpace, type Grant, type Put, SpaceRepair, type Storage } from 'atomik/engine'
import type { UplinkFrame } from 'atomik/wire'
import type { Peer } from './space-host.ts'

export interface RepairEvents {
  /** The rows are on disk: the space can be opened. */
  mended(space: string, rows: number): void
  failed(space: string, error: unknown): void
}

export class RepairHost {
  readonly name: string
  readonly reason: string
  readonly #repair: SpaceRepair
  readonly #storage: Storage
  readonly #events: RepairEvents
  readonly #peers = new Map<number, Peer>()
  #isWriting = false

  constructor(name: string, damage: DamagedSpace, storage: Storage, events: RepairEvents) {
    this.name = name
    this.reason = damage.reason
    this.#repair = new SpaceRepair(name, damage)
    this.#storage = storage
    this.#events = events
    const puts = this.#repair.alone()
    if (puts !== undefined) void this.#write(puts)
  }

  /** Rows that are damaged or missing. */
  get missing(): number {
    return this.#repair.missing
  }

  /** @throws AtomikError `storage` when this client can be of no help now */
  subscribe(peer: Peer, frame: UplinkFrame & { type: 'subscribe' }, grant: Grant): void {
    if (this.#isWriting) throw new AtomikError('storage', `space ${this.name} is being mended`)
    const messages = this.#repair.subscribe(peer.id, frame, grant)
    this.#peers.set(peer.id, peer)
    for (const message of messages) peer.send(message)
  }

  /** @throws AtomikError `storage` when with this client's rows the space does not add up */
  receive(peer: Peer, frame: UplinkFrame): void {
    if (frame.type !== 'rows' || this.#isWriting) return
    const puts = this.#repair.receive(peer.id, frame)
    if (puts !== undefined) void this.#write(puts)
  }

  leave(peer: Peer): void {
    this.#peers.delete(peer.id)
    this.#repair.leave(peer.id)
  }

  /** Here no reader is fed. */
  congestion(): void {}

  async #write(puts: readonly Put[]): Promise<void> {
    this.#isWriting = true
    try {
      await this.#storage.write(puts)
      this.#events.mended(this.name, this.#repair.missing)
    } catch (error) {
      this.#isWriting = false
      this.#events.failed(this.name, error)
    }
    for (const peer of this.#peers.values()) peer.close(4002, 'the space was mended')
  }
}

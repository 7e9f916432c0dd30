/**
 * Runs one space: hands the engine time, messages and a disk, and carries out what it asks. One commit is under way at a
 * time; what arrives meanwhile goes into the next, so the disk sets the pace and nobody waits in line.
 *
 * When the disk fails, everything unsaved was told to nobody: the space is dropped, its clients are sent away and come back to
 * the state on disk.
 */
import { AtomikError, type Schema } from 'atomik'
import { type Grant, loadSpace, Space, type SpaceAction, type Storage } from 'atomik/engine'
import type { Halves, UplinkFrame } from 'atomik/wire'

/** After what has already arrived. The page runs spaces too, where there is no setImmediate. */
const soon: (run: () => void) => unknown =
  typeof setImmediate === 'function' ? setImmediate : run => setTimeout(run, 0)

/** What a space needs of a connected client. */
export interface Peer {
  readonly id: number
  send(bytes: Uint8Array): void
  close(code: number, reason: string): void
}

export interface SpaceEvents {
  /** A client turned out to be a copy of another. */
  fork(space: string, incarnation: string): void
  /** A client brought appended fields, and they are stored from here on. */
  adopted?(space: string, schema: Schema): void
  /** The space could not be written and is no longer served from memory. */
  failed(space: string, error: unknown): void
  /** A commit took this long. */
  committed(space: string, seconds: number): void
}

/** The state at a log number, when the log before it was let go. */
export interface Checkpoint {
  readonly lsn: number
  readonly digest: Halves
  /** Time of day in milliseconds. */
  readonly at: number
}

export class SpaceHost {
  readonly name: string
  readonly space: Space
  lastCheckpoint: Checkpoint
  /** Time spent on all commits so far. Their number is in the space's `stats`. */
  commitSeconds = 0
  readonly #storage: Storage
  readonly #events: SpaceEvents
  readonly #peers = new Map<number, Peer>()
  #turn = false
  #failed = false
  #writing: Promise<void> = Promise.resolve()

  /**
   * Opens a space as it was stored, or a new one.
   * @throws AtomikError `storage` when what is stored is damaged
   */
  constructor(
    name: string,
    schema: Schema | undefined,
    storage: Storage,
    events: SpaceEvents,
    options: { skewMsMax?: number; adoptsFields?: boolean },
  ) {
    const image = loadSpace(storage, name)
    const known = image?.schema ?? schema
    if (known === undefined) throw new AtomikError('storage', `space ${name} is not in the store`)
    this.name = name
    this.#storage = storage
    this.#events = events
    this.space = new Space(name, known, image, Date.now(), {
      random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
      recall: key => {
        for (const entry of storage.range(key)) if (entry.key.length === key.length) return entry.value
        return undefined
      },
      ...options,
    })
    // Who has left long ago stays on disk.
    this.lastCheckpoint = { ...this.space.checkpoint(), at: Date.now() }
    this.#endOfTurn()
  }

  /** @throws AtomikError what the engine makes of the frame; nothing was applied */
  subscribe(peer: Peer, frame: UplinkFrame & { type: 'subscribe' }, access: boolean | Grant): void {
    this.#requireHealthy()
    this.#peers.set(peer.id, peer)
    const actions: SpaceAction[] = []
    this.space.subscribe(Date.now(), peer.id, frame, access, actions)
    this.#perform(actions)
  }

  /** @throws AtomikError what the engine makes of the frame; nothing was applied */
  receive(peer: Peer, frame: UplinkFrame): void {
    this.#requireHealthy()
    const actions: SpaceAction[] = []
    this.space.receive(Date.now(), peer.id, frame, actions)
    this.#perform(actions)
    this.#endOfTurn()
  }

  /** The same for a message that is one change in the short form. Borrows the bytes. */
  receiveChange(peer: Peer, message: Uint8Array): void {
    this.#requireHealthy()
    const actions: SpaceAction[] = []
    this.space.receiveChange(Date.now(), peer.id, message, actions)
    this.#perform(actions)
    this.#endOfTurn()
  }

  leave(peer: Peer): void {
    this.#peers.delete(peer.id)
    this.space.leave(peer.id)
  }

  congestion(peer: Peer, congested: boolean): void {
    const actions: SpaceAction[] = []
    this.space.congestion(Date.now(), peer.id, congested, actions)
    this.#perform(actions)
  }

  tick(): void {
    if (this.#failed) return
    const actions: SpaceAction[] = []
    this.space.tick(Date.now(), actions)
    this.#perform(actions)
  }

  /** SWAP: the log goes, and heads that nobody speaks for stay on disk alone. */
  checkpoint(): Checkpoint {
    if (this.#failed) return this.lastCheckpoint
    this.lastCheckpoint = { ...this.space.checkpoint(), at: Date.now() }
    return this.lastCheckpoint
  }

  get peers(): Iterable<Peer> {
    return this.#peers.values()
  }

  /** Resolves when all that was accepted so far is on disk. */
  async drain(): Promise<void> {
    this.#commit()
    while (!this.#failed && this.space.durableLsn < this.space.lsn) await this.#writing
    await this.#writing
  }

  #requireHealthy(): void {
    if (this.#failed) throw new AtomikError('storage', 'the hub cannot write to its disk')
  }

  /** Commits after the messages that have already arrived: that is the group commit. */
  #endOfTurn(): void {
    if (this.#turn) return
    this.#turn = true
    soon(() => {
      this.#turn = false
      this.#commit()
    })
  }

  #commit(): void {
    if (this.#failed) return
    const actions: SpaceAction[] = []
    this.space.commit(actions)
    this.#perform(actions)
  }

  #perform(actions: readonly SpaceAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') this.#peers.get(action.connection)?.send(action.bytes)
      else if (action.type === 'close') this.#peers.get(action.connection)?.close(4000, action.code)
      else if (action.type === 'fork') this.#events.fork(this.space.name, action.incarnation)
      else if (action.type === 'adopted') this.#events.adopted?.(this.space.name, action.schema)
      else this.#writing = this.#write(action)
    }
  }

  async #write(action: SpaceAction & { type: 'commit' }): Promise<void> {
    const startedAt = performance.now()
    try {
      await this.#storage.write([...action.puts])
    } catch (error) {
      this.#failed = true
      this.#events.failed(this.space.name, error)
      for (const peer of this.#peers.values()) peer.close(1011, 'the hub cannot write to its disk')
      return
    }
    const seconds = (performance.now() - startedAt) / 1000
    this.commitSeconds += seconds
    this.#events.committed(this.space.name, seconds)
    const actions: SpaceAction[] = []
    this.space.committed(Date.now(), action.lsn, actions)
    this.#perform(actions)
  }
}

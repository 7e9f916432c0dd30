/**
 * The hub's process: one space, a disk that can fail at any step of a commit, and restarts. It does for the engine what
 * `packages/hub` does, on virtual time.
 */
import { AtomikError } from 'atomik'
import { loadSpace, type Put, type SeededRandom, Space, type SpaceAction } from 'atomik/engine'
import { decodeUplink, Writer, writeError } from 'atomik/wire'
import { type CrashLoss, JournalStorage, VirtualDisk } from './disk.ts'
import type { View } from './ledger.ts'
import type { Connection } from './network.ts'
import type { CrashPoint } from './plan.ts'
import type { EventQueue } from './queue.ts'
import { cellsTable, schemas } from './schema.ts'
import { FailureError } from './verdict.ts'
import type { WallClock } from './wall-clock.ts'

export interface HubWorld {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly logBytesMax: number
  send(connection: Connection, bytes: Uint8Array): void
  /** The hub ends a connection. */
  close(connection: Connection): void
  count(fault: string): void
  note(what: string, text: string): void
}

const spaceName = 's'
export const skewMsMax = 10 * 60_000

export class HubNode {
  readonly clock: WallClock
  space: Space | undefined
  disk = new VirtualDisk()
  isDiskFull = false
  /** The power fails when the next commit gets here. */
  armed: { readonly point: CrashPoint; readonly loss: CrashLoss; readonly downMs: number } | undefined
  isDown = false
  forks = 0
  /** Log number that the disk holds for certain: what may be told. */
  syncedLsn = 0
  readonly #world: HubWorld
  #storage: JournalStorage | undefined
  readonly #connections = new Map<number, Connection>()
  readonly #subscribed = new Set<number>()
  /** Counts lives of the process: what was planned in an earlier one does not happen. */
  #life = 0

  constructor(world: HubWorld, clock: WallClock) {
    this.#world = world
    this.clock = clock
  }

  /** Starts, or starts again, from what the disk holds. @throws FailureError when it does not open */
  start(): void {
    this.isDown = false
    this.#life++
    const before = this.disk.bytes
    this.#storage = new JournalStorage(this.disk)
    if (this.disk.bytes < before) this.#world.note('hub', `cut ${before - this.disk.bytes} torn bytes off`)
    this.#openSpace()
  }

  #openSpace(): void {
    if (this.#storage === undefined) return
    try {
      const image = loadSpace(this.#storage, spaceName)
      this.space = new Space(spaceName, image?.schema ?? schemas[0], image, this.clock.now(), {
        random32: () => this.#world.random.next32(),
        logBytesMax: this.#world.logBytesMax,
        skewMsMax,
        recall: key => {
          for (const entry of this.#storage?.range(key) ?? [])
            if (entry.key.length === key.length) return entry.value
          return undefined
        },
      })
      this.space.checkpoint()
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      throw new FailureError('store', `the hub's store does not open: ${error.message}`)
    }
    this.syncedLsn = this.space.lsn
    this.#world.note('hub', `opened at log number ${this.space.lsn}`)
    this.#commit()
  }

  crash(loss: CrashLoss, downMs: number): void {
    if (this.isDown) return
    this.armed = undefined
    const damaged = this.disk.crash(loss, this.#world.random)
    if (damaged > 0) this.#world.count(loss === 'lost' ? 'lost writes' : 'torn writes')
    this.#world.note('hub', `crash; ${damaged} unsynced bytes lost`)
    this.#stop()
    this.isDown = true
    this.#world.queue.after(downMs, () => {
      if (this.isDown) this.start()
    })
  }

  /** The disk becomes that of an earlier time. */
  restore(backup: VirtualDisk): void {
    this.#stop()
    this.disk = backup.copy()
    this.start()
  }

  #stop(): void {
    this.#life++
    this.space = undefined
    for (const connection of this.#connections.values()) {
      connection.hubOpen = false
      this.#world.close(connection)
    }
    this.#connections.clear()
    this.#subscribed.clear()
  }

  accept(connection: Connection): void {
    connection.hubOpen = true
    this.#connections.set(connection.id, connection)
    if (this.space === undefined) this.#openSpace()
  }

  leave(connection: Connection): void {
    connection.hubOpen = false
    this.#connections.delete(connection.id)
    this.#subscribed.delete(connection.id)
    this.space?.leave(connection.id)
  }

  congestion(connection: Connection, congested: boolean): void {
    const actions: SpaceAction[] = []
    this.space?.congestion(this.clock.now(), connection.id, congested, actions)
    this.#perform(actions)
  }

  receive(connection: Connection, bytes: Uint8Array): void {
    const { space } = this
    if (space === undefined) return
    const actions: SpaceAction[] = []
    try {
      for (const frame of decodeUplink(bytes)) {
        if (frame.type === 'subscribe') {
          space.subscribe(this.clock.now(), connection.id, frame, true, actions)
          this.#subscribed.add(connection.id)
        } else if (frame.type !== 'hello' && frame.type !== 'auth' && this.#subscribed.has(connection.id)) {
          // A later frame may have overtaken the subscription: such a one passes.
          space.receive(this.clock.now(), connection.id, frame, actions)
        }
      }
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      if (!connection.damaged)
        throw new FailureError('error', `the hub rejects replica ${connection.node}: ${error.message}`)
      const w = new Writer()
      writeError(w, error.code, false, error.message)
      this.#world.send(connection, w.finish())
      this.leave(connection)
      this.#world.close(connection)
    }
    this.#perform(actions)
    this.#commit()
  }

  /** SWAP: the log goes as far as nobody needs it, heads that nobody speaks for stay on disk alone. */
  checkpoint(): void {
    this.space?.checkpoint()
  }

  tick(): void {
    if (this.space === undefined) return
    const actions: SpaceAction[] = []
    this.space.tick(this.clock.now(), actions)
    this.#perform(actions)
    this.#commit()
  }

  #commit(): void {
    const actions: SpaceAction[] = []
    this.space?.commit(actions)
    this.#perform(actions)
  }

  #perform(actions: readonly SpaceAction[]): void {
    for (const action of actions) {
      const connection = 'connection' in action ? this.#connections.get(action.connection) : undefined
      if (action.type === 'commit') this.#write(action.puts, action.lsn)
      else if (connection === undefined) continue
      else if (action.type === 'send') this.#world.send(connection, action.bytes)
      else if (action.type === 'close') {
        this.leave(connection)
        this.#world.close(connection)
      } else if (action.type === 'adopted') {
        this.#world.note('hub', `takes over the schema of replica ${connection.node}`)
      } else {
        this.forks++
        this.#world.note('hub', `fork of ${action.incarnation.slice(0, 8)} at replica ${connection.node}`)
      }
    }
  }

  /** One commit: bytes to the disk's cache, sync, and only then the engine hears of it. */
  #write(puts: readonly Put[], lsn: number): void {
    const { queue, random } = this.#world
    const life = this.#life
    const storage = this.#storage
    if (storage === undefined || this.#reached('before write')) return
    queue.after(random.below(6), () => {
      if (life !== this.#life) return
      if (this.isDiskFull) {
        storage.fail(puts, random)
        this.#world.count('disk full')
        this.#world.note('hub', 'the disk is full')
        this.#stop()
        return
      }
      const payload = storage.begin(puts)
      if (this.#reached('after write')) return
      queue.after(random.below(20), () => {
        if (life !== this.#life) return
        storage.finish(payload)
        this.syncedLsn = lsn
        if (this.#reached('after sync')) return
        queue.after(random.below(3), () => {
          if (life !== this.#life || this.space === undefined) return
          this.#world.note('hub', `committed up to ${lsn}`)
          const actions: SpaceAction[] = []
          this.space.committed(this.clock.now(), lsn, actions)
          this.#perform(actions)
          this.#commit()
        })
      })
    })
  }

  #reached(point: CrashPoint): boolean {
    const { armed } = this
    if (armed === undefined || armed.point !== point) return false
    this.#world.count(`hub crash ${point}`)
    // The engine is in the middle of a turn: the process ends right after it.
    this.armed = undefined
    this.crash(armed.loss, armed.downMs)
    return true
  }

  get view(): View {
    return viewOf('the hub', this.space)
  }

  /** What a restart would find. @throws FailureError */
  reopened(): { readonly digest: string; readonly lsn: number } {
    try {
      const image = loadSpace(new JournalStorage(this.disk.copy()), spaceName)
      return { digest: image?.reference.digest() ?? '', lsn: image?.lsn ?? 0 }
    } catch (error) {
      throw new FailureError('store', `the hub's store does not open: ${error}`)
    }
  }
}

function viewOf(name: string, space: Space | undefined): View {
  return {
    name,
    cellWords: () => space?.reference.tables[cellsTable].layout.words ?? 0,
    readRow(table, key, out) {
      const part = space?.reference.tables[table]
      const row = part?.find(key) ?? -1
      if (part === undefined || row < 0) return false
      const halves = 2 * part.layout.words
      out.set(part.words.subarray(row * halves, (row + 1) * halves))
      return true
    },
  }
}

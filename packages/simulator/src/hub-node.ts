/**
 * The hub's process: one space, a disk that can fail at any step of a commit, and restarts. It does for the engine what
 * `packages/hub` does, on virtual time.
 */
import { AtomikError } from 'atomik'
import { loadSpace, type SeededRandom, Space, type SpaceAction } from 'atomik/engine'
import { decodeUplink, Writer, writeError } from 'atomik/wire'
import { type CrashLoss, JournalStorage, type VirtualDisk } from './disk.ts'
import type { View } from './ledger.ts'
import { MachineDisk } from './machine-disk.ts'
import type { Connection } from './network.ts'
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
  readonly disk: MachineDisk
  isDown = false
  forks = 0
  /** Log number that the disk holds for certain: what may be told. */
  syncedLsn = 0
  readonly #world: HubWorld
  readonly #connections = new Map<number, Connection>()
  readonly #subscribed = new Set<number>()

  constructor(world: HubWorld, clock: WallClock) {
    this.#world = world
    this.clock = clock
    this.disk = new MachineDisk({
      queue: world.queue,
      random: world.random,
      owner: 'hub',
      count: fault => world.count(fault),
      note: text => world.note('hub', text),
      powerFails: ({ loss, downMs }) => this.crash(loss, downMs),
    })
  }

  /** Starts, or starts again, from what the disk holds. @throws FailureError when it does not open */
  start(): void {
    this.isDown = false
    this.disk.start()
    this.#openSpace()
  }

  #openSpace(): void {
    const { storage } = this.disk
    try {
      const image = loadSpace(storage, spaceName)
      this.space = new Space(spaceName, image?.schema ?? schemas[0], image, this.clock.now(), {
        random32: () => this.#world.random.next32(),
        logBytesMax: this.#world.logBytesMax,
        skewMsMax,
        recall: key => {
          for (const entry of storage.range(key)) if (entry.key.length === key.length) return entry.value
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
    const damaged = this.disk.fail(loss)
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
    this.disk.replace(backup)
    this.start()
  }

  #stop(): void {
    this.disk.stop()
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
      if (action.type === 'commit') this.#write(action)
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

  /** Only when the disk has it for certain the engine hears of it. */
  #write({ puts, lsn }: SpaceAction & { type: 'commit' }): void {
    this.disk.write([...puts], {
      full: () => this.#stop(),
      synced: () => {
        this.syncedLsn = lsn
      },
      done: () => {
        if (this.space === undefined) return
        this.#world.note('hub', `committed up to ${lsn}`)
        const actions: SpaceAction[] = []
        this.space.committed(this.clock.now(), lsn, actions)
        this.#perform(actions)
        this.#commit()
      },
    })
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

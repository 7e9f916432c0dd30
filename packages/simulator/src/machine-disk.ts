/**
 * The disk of a machine, a hub's or a replica's, and the writing of a commit on it in steps that take time:
 *
 *   asked ── before write ── bytes in the cache ── after write ── synced ── after sync ── the engine hears of it
 *
 * The power can fail at each of the points named, and the disk can be full. What a crash leaves is the virtual disk's affair.
 */
import type { Put, SeededRandom } from 'atomik/engine'
import { type CrashLoss, JournalStorage, VirtualDisk } from './disk.ts'
import type { CrashPoint } from './plan.ts'
import type { EventQueue } from './queue.ts'

/** A power failure that waits for the next commit to get to its point. */
export interface ArmedCrash {
  readonly point: CrashPoint
  readonly loss: CrashLoss
  readonly downMs: number
  /** Only the process that writes ends, not the machine: what is written stays. */
  readonly isProcess?: boolean
}

export interface DiskWorld {
  readonly queue: EventQueue
  readonly random: SeededRandom
  /** `hub`, or `replica`: what faults are counted under. */
  readonly owner: string
  count(fault: string): void
  note(text: string): void
  /** The power fails at this point of a commit: the machine must call `fail`. */
  powerFails(crash: ArmedCrash): void
}

/** What a commit leads to; nothing of it after a crash. */
export interface CommitSteps {
  /** It is on the disk for certain, but nobody was told. */
  synced?(): void
  /** The machine hears of it. */
  done(): void
  /** The disk was full: nothing of the commit is there. */
  full(): void
}

export class MachineDisk {
  isFull = false
  armed: ArmedCrash | undefined
  readonly #world: DiskWorld
  #disk: VirtualDisk
  #storage: JournalStorage
  /** What was asked to be written and is not done. */
  #writing: readonly Put[] | undefined
  /** Counts lives of the machine: what was planned in an earlier one does not happen. */
  #life = 0

  constructor(world: DiskWorld, disk = new VirtualDisk()) {
    this.#world = world
    this.#disk = disk
    this.#storage = new JournalStorage(disk)
  }

  /** What can be read. */
  get storage(): JournalStorage {
    return this.#storage
  }

  /** The machine starts: what a crash tore is cut off. */
  start(): void {
    const before = this.#disk.bytes
    this.#storage = new JournalStorage(this.#disk)
    const torn = before - this.#disk.bytes
    if (torn > 0) this.#world.note(`cut ${torn} torn bytes off its disk`)
  }

  /** The process ends and the machine goes on: what was written stays, synced or not. */
  stop(): void {
    this.#life++
    this.#writing = undefined
  }

  /** The power fails. Returns how many unsynced bytes are gone or damaged. */
  fail(loss: CrashLoss): number {
    this.stop()
    this.armed = undefined
    const damaged = this.#disk.crash(loss, this.#world.random)
    const of = this.#world.owner === 'hub' ? '' : ` of a ${this.#world.owner}`
    if (damaged > 0) this.#world.count((loss === 'lost' ? 'lost writes' : 'torn writes') + of)
    return damaged
  }

  /** A disk with the same durable bytes: a backup, or a clone's. */
  copy(): VirtualDisk {
    return this.#disk.copy()
  }

  /** The disk becomes another one, while the machine is off. */
  replace(disk: VirtualDisk): void {
    this.stop()
    this.#disk = disk
  }

  /** A copy of the storage on which the commit under way is done too. */
  settled(): { readonly storage: JournalStorage; readonly hadCommit: boolean } {
    const storage = new JournalStorage(this.#disk.copy())
    const writing = this.#writing
    if (writing !== undefined) storage.finish(storage.begin(writing))
    return { storage, hadCommit: writing !== undefined }
  }

  write(puts: readonly Put[], steps: CommitSteps): void {
    const { queue, random, owner } = this.#world
    const life = this.#life
    const storage = this.#storage
    this.#writing = puts
    if (this.#reaches('before write')) return
    queue.after(random.below(6), () => {
      if (life !== this.#life) return
      if (this.isFull) {
        storage.fail(puts, random)
        this.#writing = undefined
        this.#world.count(owner === 'hub' ? 'disk full' : `disk full of a ${owner}`)
        this.#world.note('the disk is full')
        steps.full()
        return
      }
      const payload = storage.begin(puts)
      if (this.#reaches('after write')) return
      queue.after(random.below(20), () => {
        if (life !== this.#life) return
        storage.finish(payload)
        steps.synced?.()
        if (this.#reaches('after sync')) return
        queue.after(random.below(3), () => {
          if (life !== this.#life) return
          this.#writing = undefined
          steps.done()
        })
      })
    })
  }

  #reaches(point: CrashPoint): boolean {
    const { armed } = this
    if (armed === undefined || armed.point !== point) return false
    this.#world.count(
      `${armed.isProcess === true ? 'leading tab dies' : `${this.#world.owner} crash`} ${point}`,
    )
    // The engine is in the middle of a turn: the process ends right after it.
    this.armed = undefined
    this.#world.powerFails(armed)
    return true
  }
}

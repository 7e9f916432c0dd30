/**
 * From a storage to what `connect` takes: the replica of one space is read out of it, and held under a lock so that no second
 * client writes the same records. The storage is opened with the first space and closed with the last.
 */
import { loadReplica, type ReplicaStorage, type Seat, type SpaceStorage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'

/** Takes hold of a space for everybody who can reach the same store. Returns the way to let go. @throws AtomikError `in-use` */
export type LockSpace = (space: string) => Promise<() => Promise<void>>

/**
 * Keeps replicas in any storage.
 *
 * @param open called when the first space is opened, and again when all were closed in between
 * @param lock what keeps other processes away; without it only this object refuses a space that is open
 */
export function keepIn(open: () => Promise<ReplicaStorage>, lock?: LockSpace): SpaceStorage {
  const held = new Set<string>()
  let storage: Promise<ReplicaStorage> | undefined
  let users = 0
  const leave = async () => {
    if (--users > 0 || storage === undefined) return
    const closing = storage
    storage = undefined
    await closing.then(
      opened => opened.close(),
      () => {},
    )
  }
  return {
    open: async (space, schema): Promise<Seat> => {
      if (held.has(space))
        throw new AtomikError('in-use', `the space ${space} of this storage is open already`)
      held.add(space)
      users++
      let unlock = async () => {}
      let isOpen = true
      const close = async () => {
        if (!isOpen) return
        isOpen = false
        try {
          await leave()
        } finally {
          await unlock()
          held.delete(space)
        }
      }
      try {
        storage ??= open()
        const opened = await storage
        // Before reading: what is read must stay as it is.
        if (lock !== undefined) unlock = await lock(space)
        const image = await loadReplica(opened, space, schema)
        return { image, write: puts => opened.write(puts), close }
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}

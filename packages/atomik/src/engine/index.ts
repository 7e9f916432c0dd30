/** The engine: the replica and its hub-side twin, without I/O. */
export { StampClock } from './clock.ts'
export { formatIncarnation } from './label.ts'
export { SeededRandom } from './random.ts'
export { Reference } from './reference.ts'
export {
  Replica,
  type ReplicaAction,
  type ReplicaEvent,
  type ReplicaOptions,
  type ReplicaStats,
} from './replica.ts'
export { loadReplica, type ReplicaImage, readReplica } from './replica-store.ts'
export { type Edit, type RowRef, TouchedRows } from './rows.ts'
export { Space, type SpaceAction, type SpaceOptions, type SpaceStats } from './space.ts'
export { listSpaces, loadSpace, type SpaceImage } from './space-store.ts'
export type { Entry, Put, ReplicaStorage, Storage } from './storage.ts'

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
export { type Edit, type RowRef, TouchedRows } from './rows.ts'
export { Space, type SpaceAction, type SpaceOptions, type SpaceStats } from './space.ts'
export { inspectSpace, listSpaces, loadSpace, type SpaceImage } from './space-image.ts'
export type { Grant } from './space-judge.ts'
export type { Put, Storage } from './storage.ts'

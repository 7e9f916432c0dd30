/** The engine: the replica and its hub-side twin, without I/O. */
export { Branch, type BranchParent } from './branch.ts'
export { StampClock } from './clock.ts'
export { Follower, type FollowerOptions } from './follower.ts'
export { formatIncarnation } from './label.ts'
export { Leader, type Led } from './leader.ts'
export { type MeshAction, type MeshEvent, MeshNode } from './mesh.ts'
export type { MeshNews, MeshOptions, MeshStats } from './mesh-state.ts'
export { kept } from './messages.ts'
export { SeededRandom } from './random.ts'
export { Reference } from './reference.ts'
export {
  isNewRegion,
  isSameWriter,
  mayPatch,
  nameWriter,
  objectionToPages,
  PageDigests,
  pageKey,
  parsePageKey,
  patchPage,
  readPage,
  regionWords,
  writerOf,
} from './region.ts'
export {
  Replica,
  type ReplicaAction,
  type ReplicaEvent,
  type ReplicaOptions,
  type ReplicaStats,
} from './replica.ts'
export { loadReplica, type ReplicaImage, readReplica } from './replica-store.ts'
export { type Edit, type RowReader, type RowRef, TouchedRows } from './rows.ts'
export { Space, type SpaceAction, type SpaceOptions, type SpaceStats } from './space.ts'
export {
  type DamagedSpace,
  inspectSpace,
  listSpaces,
  loadSpace,
  type SpaceImage,
} from './space-image.ts'
export type { Grant } from './space-judge.ts'
export { SpaceRepair } from './space-repair.ts'
export type { Entry, Put, ReplicaStorage, Seat, SpaceStorage, Storage } from './storage.ts'

/** The client: the front door and the handles it gives out. */

export type { BranchSpace, RowChange } from './branch.ts'
export { connect } from './connect.ts'
export type { ConnectedSpace, ConnectOptions, Events, Status } from './face.ts'
export type {
  BitsHandle,
  CounterHandle,
  FlagHandle,
  HandleOf,
  RegisterHandle,
  Row,
  ToggleHandle,
  ValueOf,
} from './handles.ts'
export { type Region, type RegionTable, region } from './regions.ts'
export type { SharedStorage } from './shared.ts'
export type { Table, TableOf } from './tables.ts'

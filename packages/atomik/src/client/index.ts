/** The client: the front door and the handles it gives out. */
export {
  type ConnectedSpace,
  type ConnectOptions,
  connect,
  type Events,
  type Status,
  type Table,
} from './connect.ts'
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

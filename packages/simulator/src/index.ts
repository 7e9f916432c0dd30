/** A cluster on one seed. Browser-safe: no file, socket, timer or clock of a platform. Workers and files are in `node`. */
export { type CrashLoss, JournalStorage, VirtualDisk } from './disk.ts'
export { HubNode } from './hub-node.ts'
export { type Entry, Ledger, type View } from './ledger.ts'
export { type Connection, type Flight, type Loss, Network } from './network.ts'
export { describeItem, drawPlan, type Plan, type PlanItem } from './plan.ts'
export { ReplicaNode } from './replica-node.ts'
export { shorten } from './shorten.ts'
export {
  convergeMsMax,
  type Outcome,
  Simulation,
  type SimulationEvent,
  type SimulationOptions,
} from './simulation.ts'
export type { Failure, FailureKind } from './verdict.ts'
export { drawChange } from './workload.ts'

/** What the orchestrator and its processes say to each other. */
import type { AirportFigures } from './recompute.ts'

export interface ReplicaSetup {
  readonly url: string
  readonly region: number
  readonly replicas: number
  readonly flights: number
  /** The link on the way keeps the order of messages and repeats none. */
  readonly isOrdered: boolean
}

export type ToReplica =
  /** Make all own flights up to this time of the data; Infinity for as fast as possible. */
  | { readonly type: 'advance'; readonly toMs: number }
  /** Answer with the whole state. */
  | { readonly type: 'dump' }
  | { readonly type: 'stop' }

export interface ReplicaReport {
  readonly type: 'report'
  readonly live: boolean
  readonly lsn: number
  readonly pending: number
  /** Own flights made, of how many in all. */
  readonly flights: number
  readonly flightsTotal: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly messagesSent: number
  readonly messagesReceived: number
  readonly batchesSent: number
  readonly batchesResent: number
  readonly entriesApplied: number
  readonly duplicatesDropped: number
  readonly gapsRepaired: number
  readonly reconnects: number
  readonly divergences: number
  readonly forks: number
  readonly metadataBytes: number
}

export type FromReplica =
  | { readonly type: 'ready' }
  | ReplicaReport
  | { readonly type: 'dump'; readonly airports: Map<string, AirportFigures> }
  | { readonly type: 'failed'; readonly reason: string }

export interface HubSetup {
  readonly port: number
  readonly store: string
  readonly page: string | undefined
  readonly log: string
}

export type FromHub =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'failed'; readonly reason: string }
  | {
      readonly type: 'figures'
      readonly lsn: number
      readonly received: number
      readonly sent: number
      readonly batches: number
      readonly changes: number
      readonly duplicates: number
      readonly gaps: number
      readonly commits: number
      readonly folds: number
      readonly snapshots: number
    }

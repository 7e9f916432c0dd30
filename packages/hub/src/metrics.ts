/** The hub's figures for Prometheus. Counters of the engine are read when scraped, so counting costs nothing in between. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { SpaceHost } from './space-host.ts'

export interface HubFigures {
  readonly spaces: ReadonlyMap<string, SpaceHost>
  readonly repairs: ReadonlyMap<string, { readonly missing: number }>
  /** Bytes the sockets carried, all framing included. */
  traffic(): { readonly received: number; readonly sent: number }
  connections(): number
  queuedBytes(): number
}

export class HubMetrics {
  readonly registry = new Registry()
  readonly commitSeconds: Histogram
  readonly rejected: Counter
  readonly rowsMended: Counter

  constructor(figures: HubFigures) {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    this.commitSeconds = new Histogram({
      name: 'atomik_commit_seconds',
      help: 'Time from staging a group commit to its being durable',
      buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
      registers,
    })
    this.rejected = new Counter({
      name: 'atomik_connections_rejected_total',
      help: 'Connections closed for what they sent, by error code',
      labelNames: ['code'],
      registers,
    })
    this.rowsMended = new Counter({
      name: 'atomik_rows_mended_total',
      help: 'Rows the disk had lost and a client had',
      labelNames: ['space'],
      registers,
    })
    new Gauge({
      name: 'atomik_rows_damaged',
      help: 'Rows the disk has lost: the space is not served until a client lends them',
      labelNames: ['space'],
      registers,
      collect() {
        this.reset()
        for (const [space, { missing }] of figures.repairs) this.set({ space }, missing)
      },
    })
    new Gauge({
      name: 'atomik_connections',
      help: 'Open connections',
      registers,
      collect() {
        this.set(figures.connections())
      },
    })
    new Gauge({
      name: 'atomik_queued_bytes',
      help: 'Bytes that wait to be sent, in sockets and until they are durable',
      registers,
      collect() {
        this.set(figures.queuedBytes())
      },
    })
    const traffic = (name: string, help: string, pick: 'received' | 'sent') =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(figures.traffic()[pick])
        },
      })
    traffic(
      'atomik_socket_received_bytes',
      'Bytes read from sockets, framing and handshakes included',
      'received',
    )
    traffic('atomik_socket_sent_bytes', 'Bytes written to sockets, framing and handshakes included', 'sent')
    const bySpace = (name: string, help: string, read: (host: SpaceHost) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ['space'],
        registers,
        collect() {
          for (const [space, host] of figures.spaces) this.set({ space }, read(host))
        },
      })
    bySpace('atomik_log_number', 'Log number of the last durable batch', host => host.space.durableLsn)
    bySpace('atomik_readers', 'Subscribed connections', host => host.space.connectionCount)
    bySpace('atomik_incarnations', 'Incarnations with a head in memory', host => host.space.incarnationCount)
    bySpace(
      'atomik_incarnations_retired',
      'Incarnations whose head is on disk alone',
      host => host.space.retiredCount,
    )
    bySpace('atomik_log_bytes', 'Log kept in memory', host => host.space.logBytes)
    bySpace('atomik_readers_congested', 'Readers the network holds up', host => {
      let congested = 0
      for (const reader of host.space.readers()) if (reader.congested) congested++
      return congested
    })
    bySpace('atomik_reader_lag_max', 'Log numbers the last reader is behind', host => {
      let lag = 0
      for (const reader of host.space.readers()) lag = Math.max(lag, reader.lag)
      return lag
    })
    const stats = {
      batchesAccepted: 'Batches accepted',
      batchesRefused: 'Batches refused',
      changesAccepted: 'Changes in accepted batches',
      duplicatesDropped: 'Batches that came again and were dropped',
      gapsSeen: 'Batches that came before their turn',
      forks: 'Copies of clients detected',
      commits: 'Group commits',
      streamFrames: 'Stream frames sent',
      foldsSent: 'Folds sent to readers that were behind',
      snapshotsSent: 'Snapshots sent',
      checkpoints: 'Checkpoints',
    } as const
    for (const [stat, help] of Object.entries(stats) as [keyof typeof stats, string][])
      bySpace(
        `atomik_${stat.replace(/[A-Z]/g, c => `_${c.toLowerCase()}`)}_total`,
        help,
        host => host.space.stats[stat],
      )
  }
}

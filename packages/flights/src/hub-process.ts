/** The hub as a process of its own, so that it can be killed for real. */
import { Hub } from '@atomik/hub'
import { AtomikError } from 'atomik'
import type { FromHub, HubSetup } from './process-messages.ts'

const figuresMs = 100
const say = (message: FromHub) => process.send?.(message)

async function run(setup: HubSetup): Promise<void> {
  const hub = await Hub.start({
    port: setup.port,
    store: setup.store,
    ...(setup.page !== undefined && { page: setup.page }),
  })
  const report = () => {
    const space = hub.spaces.get('flights')?.space
    if (space === undefined) return
    const { stats } = space
    say({
      type: 'figures',
      lsn: space.durableLsn,
      ...hub.traffic(),
      batches: stats.batchesAccepted,
      changes: stats.changesAccepted,
      duplicates: stats.duplicatesDropped,
      gaps: stats.gapsSeen,
      commits: stats.commits,
      folds: stats.foldsSent,
      snapshots: stats.snapshotsSent,
    })
  }
  const reporter = setInterval(report, figuresMs)
  const stop = async () => {
    clearInterval(reporter)
    await hub.stop()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('disconnect', stop)
  say({ type: 'listening', port: hub.port })
}

process.on('SIGINT', () => {}) // the orchestrator decides
run(JSON.parse(process.argv[2]) as HubSetup).catch((error: Error) => {
  say({ type: 'failed', reason: error instanceof AtomikError ? error.message : String(error.stack) })
  process.exitCode = 1
  process.disconnect?.()
})

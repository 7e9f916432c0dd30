/**
 * One replica as a process of its own: the region's flights, made as changes when the orchestrator says how far time has
 * come. It uses the library from outside, through `connect`.
 */
import { connect } from 'atomik'
import { WebSocketTransport } from 'atomik/adapters'
import { type Flight, loadFlights, loadRegions } from './data.ts'
import type { FromReplica, ReplicaSetup, ToReplica } from './process-messages.ts'
import type { AirportFigures } from './recompute.ts'
import { flightTables } from './schema.ts'

/** Changes made between two looks at the network. */
const burst = 64
/** As fast as possible means: as long as no more than this many changes wait for the hub. */
const pendingMax = 2048
const reportMs = 200

const say = (message: FromReplica) => process.send?.(message)

async function run(setup: ReplicaSetup): Promise<void> {
  const all = await loadFlights(setup.flights)
  const region = (await loadRegions(setup.replicas))[setup.region]
  const flights = all.filter(({ origin }) => region.airports.has(origin))
  const space = await connect(setup.url, {
    tables: flightTables,
    undoDepth: 0,
    timeoutMs: 60_000,
    // The bad link on the way reorders and repeats whole messages.
    transport: new WebSocketTransport(setup.url, 5000, setup.isOrdered),
  })
  const { airports } = space

  const makeFlight = ({ origin, destination, delay }: Flight) =>
    space.transact(() => {
      const from = airports.row(origin)
      from.departures.add(1)
      from.delayMinutes.add(delay)
      from.lastDelay.set(delay)
      from.lastRoute.set(destination)
      from.delayed.set(delay > 15)
      from.pulse.flip()
      airports.row(destination).arrivals.add(1)
    })

  let made = 0
  let toMs = Number.NEGATIVE_INFINITY
  let isRunning = false
  const work = () => {
    for (let i = 0; i < burst && made < flights.length && flights[made].atMs <= toMs; i++) {
      if (toMs === Number.POSITIVE_INFINITY && space.status().pending > pendingMax) break
      makeFlight(flights[made++])
    }
    isRunning = made < flights.length && flights[made].atMs <= toMs
    if (!isRunning) return
    if (space.status().pending > pendingMax) setTimeout(work, 1)
    else setImmediate(work)
  }

  const report = () => {
    const status = space.status()
    const stats = space.stats()
    say({
      type: 'report',
      ...status,
      flights: made,
      flightsTotal: flights.length,
      batchesSent: stats.batchesSent,
      batchesResent: stats.batchesResent,
      entriesApplied: stats.entriesApplied,
      duplicatesDropped: stats.duplicatesDropped,
      gapsRepaired: stats.gapsRepaired,
      divergences: stats.divergences,
      forks: stats.forks,
    })
  }
  const reporter = setInterval(report, reportMs)

  process.on('message', (message: ToReplica) => {
    if (message.type === 'advance') {
      toMs = message.toMs
      if (!isRunning) {
        isRunning = true
        work()
      }
    } else if (message.type === 'dump') {
      report()
      const dump = new Map<string, AirportFigures>()
      for (const row of airports.rows()) dump.set(row.key, row.read())
      say({ type: 'dump', airports: dump })
    } else {
      clearInterval(reporter)
      space.close()
      process.disconnect()
    }
  })
  space.on('error', error => say({ type: 'failed', reason: error.message }))
  say({ type: 'ready' })
}

process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {}) // the orchestrator decides
run(JSON.parse(process.argv[2]) as ReplicaSetup).catch((error: Error) => {
  say({ type: 'failed', reason: error.message })
  process.exitCode = 1
})

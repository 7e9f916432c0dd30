/**
 * The main job, conducted: a hub, replicas and bad links as real processes and sockets; flights replayed in time order;
 * then everything healed and compared with a recomputation that shares no code with the engine.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AtomikError, type ConnectedSpace, connect } from 'atomik'
import { loadFlights, loadRegions } from './data.ts'
import { BadLink, type FaultLevel, faultLevels } from './link.ts'
import type {
  FromHub,
  FromReplica,
  HubSetup,
  ReplicaReport,
  ReplicaSetup,
  ToReplica,
} from './process-messages.ts'
import { type AirportFigures, firstDifference, recompute } from './recompute.ts'
import { controlTables, fieldsPerFlight, flightTables, type phases } from './schema.ts'

export interface ReplayOptions {
  readonly flights: number
  readonly replicas: number
  readonly seed: number
  readonly faults: FaultLevel
  /** Days of data a second, or as fast as it goes. */
  readonly speed: number | 'max'
  /** Port of hub and page; 0 for any free one. */
  readonly port: number
  /** Kill the hub with SIGKILL in mid-replay and start it again. */
  readonly crashHub: boolean
  /** Folder of the built page. */
  readonly page: string | undefined
  /** Time all may take to agree once the links are healed. */
  readonly settleMsMax?: number
}

/** The run as figures. Names carry their units. */
export interface ReplayFigures {
  flights: number
  replicas: number
  seed: number
  faults: FaultLevel
  speed: number | 'max'
  fieldChanges: number
  batches: number
  hubCommits: number
  duplicatesDropped: number
  gapsRepaired: number
  batchesResent: number
  reconnects: number
  messagesDroppedByLinks: number
  messagesRepeatedByLinks: number
  cutsByLinks: number
  hubKills: number
  /** Bytes on the replicas' sockets, handshakes and all framing included. */
  bytesUp: number
  bytesDown: number
  /** Up: per field change made. Down: per field change of another replica delivered. */
  bytesPerChangeUp: number
  bytesPerChangeDown: number
  /** Both directions over all field changes sent and delivered: the mean a change costs on a wire. */
  bytesPerChange: number
  clientMetadataBytes: number
  replaySeconds: number
  /** From the first flight until every replica had confirmed state equal to the hub's. */
  convergedSeconds: number
  flightsPerSecond: number
  /** What was compared with the recomputation, and what came of it. */
  comparisons: { what: string; difference: string | undefined }[]
  agreed: boolean
}

export interface ReplayEvents {
  page(url: string): void
  /** Called a few times a second. */
  progress(line: string): void
  note(text: string): void
}

type Control = ConnectedSpace<typeof controlTables>
type Phase = (typeof phases)[number]

const stepMs = 50
const statusMs = 200
const dayMs = 86_400_000

interface RunningReplica {
  readonly process: ChildProcess
  readonly link: BadLink
  readonly name: string
  report: ReplicaReport | undefined
  dump: ((airports: Map<string, AirportFigures>) => void) | undefined
}

export class Replay {
  readonly #options: ReplayOptions
  readonly #events: ReplayEvents
  #hub: ChildProcess | undefined
  #hubPort = 0
  #hubFigures: (FromHub & { type: 'figures' }) | undefined
  /** Counts of hubs that were killed: they start again at 0. */
  readonly #earlier = { commits: 0, batches: 0, duplicates: 0, gaps: 0 }
  readonly #replicas: RunningReplica[] = []
  #control: Control | undefined
  #store = ''
  #phase: Phase = 'starting'
  #dataMs = 0
  #hubKills = 0
  #failure: AtomikError | undefined
  #stopped = false
  #statusTimer: ReturnType<typeof setInterval> | undefined

  constructor(options: ReplayOptions, events: ReplayEvents) {
    this.#options = options
    this.#events = events
  }

  /**
   * Runs to the comparison; hub and page stay up until `stop`.
   * @throws AtomikError when a process fails, or replicas do not settle in time
   */
  async run(): Promise<ReplayFigures> {
    const options = this.#options
    const flights = await loadFlights(options.flights)
    const regions = await loadRegions(options.replicas)
    this.#store = await mkdtemp(join(tmpdir(), 'atomik-replay-'))
    this.#requireGoing()
    await this.#startHub(options.port)
    this.#events.page(`http://127.0.0.1:${this.#hubPort}/`)
    this.#control = await connect(`ws://127.0.0.1:${this.#hubPort}/control`, { tables: controlTables })
    this.#followCuts(this.#control)
    await Promise.all(regions.map(region => this.#startReplica(region.index, region.name)))
    this.#requireGoing()
    this.#statusTimer = setInterval(() => this.#showStatus(flights.length), statusMs)

    this.#phase = 'replaying'
    const startedAt = performance.now()
    await this.#replay(flights.at(-1)?.atMs ?? 0, flights.length)
    const replayedAt = performance.now()
    this.#phase = 'healing'
    this.#heal()
    await this.#settle()
    const convergedAt = performance.now()
    this.#phase = 'verifying'
    const comparisons = await this.#compare(recompute(flights))
    this.#requireGoing()
    const agreed = comparisons.every(({ difference }) => difference === undefined)
    this.#phase = agreed ? 'agreed' : 'disagreed'
    const figures = this.#figures(comparisons, agreed, {
      replaySeconds: (replayedAt - startedAt) / 1000,
      convergedSeconds: (convergedAt - startedAt) / 1000,
    })
    this.#showStatus(flights.length)
    return figures
  }

  /** Stops everything that was started, and removes the store. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#statusTimer)
    this.#control?.close()
    // While starting, some places may still be empty: `flat` leaves them out.
    const replicas = this.#replicas.flat()
    for (const { process, link } of replicas) {
      if (process.connected) process.send({ type: 'stop' } satisfies ToReplica)
      link.close()
    }
    await Promise.all([...replicas.map(({ process }) => ended(process, 1000)), this.#endHub('SIGTERM')])
    if (this.#store !== '') await rm(this.#store, { recursive: true, force: true })
  }

  // ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #startHub(port: number): Promise<void> {
    const setup: HubSetup = { port, store: this.#store, page: this.#options.page, log: 'silent' }
    const hub = fork(script('hub-process.js'), [JSON.stringify(setup)], { serialization: 'advanced' })
    this.#hub = hub
    await new Promise<void>((resolve, reject) => {
      hub.on('message', (message: FromHub) => {
        if (message.type === 'listening') {
          this.#hubPort = message.port
          resolve()
        } else if (message.type === 'failed') reject(new AtomikError('network', message.reason))
        else this.#hubFigures = message
      })
      hub.on('exit', (code, signal) => {
        const failure = new AtomikError('network', `the hub ended by itself (${signal ?? `code ${code}`})`)
        reject(failure)
        if (this.#hub === hub && !this.#stopped) this.#failure ??= failure
      })
    })
  }

  async #endHub(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const hub = this.#hub
    this.#hub = undefined
    if (hub === undefined || hub.exitCode !== null || hub.signalCode !== null) return
    hub.kill(signal)
    await ended(hub, 5000)
  }

  /** The hard way: no goodbye, nothing flushed by us. */
  async #killHub(): Promise<void> {
    await this.#endHub('SIGKILL')
    this.#hubKills++
    for (const count of ['commits', 'batches', 'duplicates', 'gaps'] as const)
      this.#earlier[count] += this.#hubFigures?.[count] ?? 0
    this.#hubFigures = undefined
    await this.#startHub(this.#hubPort)
  }

  async #startReplica(region: number, name: string): Promise<void> {
    const { replicas, flights, seed, faults } = this.#options
    const link = new BadLink(() => this.#hubPort, faultLevels[faults], seed * 1000 + region)
    const port = await link.listen()
    if (this.#stopped) return link.close()
    const setup: ReplicaSetup = {
      url: `ws://127.0.0.1:${port}/flights`,
      region,
      replicas,
      flights,
      isOrdered: link.isOrdered,
    }
    const process = fork(script('replica-process.js'), [JSON.stringify(setup)], { serialization: 'advanced' })
    const replica: RunningReplica = { process, link, name, report: undefined, dump: undefined }
    this.#replicas[region] = replica
    await new Promise<void>((resolve, reject) => {
      process.on('message', (message: FromReplica) => {
        if (message.type === 'ready') resolve()
        else if (message.type === 'report') replica.report = message
        else if (message.type === 'dump') replica.dump?.(message.airports)
        else {
          // Not final: a replica whose link spoke nonsense connects again. Before it is ready, it is.
          reject(new AtomikError('network', `replica ${name}: ${message.reason}`))
          this.#events.note(`replica ${name}: ${message.reason}`)
        }
      })
      process.on('exit', code => {
        const failure = new AtomikError('network', `replica ${name} ended with code ${code}`)
        if (!this.#stopped) this.#failure ??= failure
        reject(failure)
      })
    })
  }

  #tell(message: ToReplica): void {
    for (const { process } of this.#replicas) if (process.connected) process.send(message)
  }

  #requireGoing(): void {
    if (this.#stopped) throw new AtomikError('closed', 'stopped')
    if (this.#failure !== undefined) throw this.#failure
  }

  // ── acts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #replay(lastMs: number, total: number): Promise<void> {
    const { speed, crashHub } = this.#options
    if (speed === 'max') this.#tell({ type: 'advance', toMs: Number.POSITIVE_INFINITY })
    const startedAt = performance.now()
    let crashed = false
    while (this.#made() < total) {
      this.#requireGoing()
      if (speed !== 'max') {
        this.#dataMs = ((performance.now() - startedAt) / 1000) * speed * dayMs
        this.#tell({ type: 'advance', toMs: Math.min(this.#dataMs, lastMs) })
      } else {
        this.#dataMs = (this.#made() / total) * lastMs
      }
      await sleep(stepMs)
      if (crashHub && !crashed && this.#made() > total / 2) {
        crashed = true
        await this.#killHub()
        this.#events.note('the hub was killed with SIGKILL and started again from disk')
      }
    }
    this.#dataMs = lastMs
  }

  #made(): number {
    return this.#replicas.reduce((sum, { report }) => sum + (report?.flights ?? 0), 0)
  }

  #heal(): void {
    for (const { link } of this.#replicas) link.mend()
    const control = this.#control
    control?.transact(() => {
      for (const row of control.replicas.rows()) if (row.cut.value) row.cut.set(false)
    })
  }

  /** Waits until nothing is pending and all stand at the hub's log number. */
  async #settle(): Promise<void> {
    const deadline = performance.now() + (this.#options.settleMsMax ?? 60_000)
    while (!this.#isSettled()) {
      this.#requireGoing()
      if (performance.now() > deadline)
        throw new AtomikError(
          'network',
          `not settled ${(this.#options.settleMsMax ?? 60_000) / 1000} s after the links were healed: ${this.#replicas
            .map(({ name, report }) => `${name} at ${report?.lsn} with ${report?.pending} pending`)
            .join(', ')}; hub at ${this.#hubFigures?.lsn}`,
        )
      await sleep(stepMs)
    }
  }

  #isSettled(): boolean {
    const lsn = this.#hubFigures?.lsn
    return this.#replicas.every(({ report }) => report?.pending === 0 && report.lsn === lsn && report.live)
  }

  async #compare(expected: Map<string, AirportFigures>): Promise<ReplayFigures['comparisons']> {
    const comparisons: ReplayFigures['comparisons'] = []
    const check = (what: string, actual: Map<string, AirportFigures>) =>
      comparisons.push({ what, difference: firstDifference(expected, actual) })
    for (const replica of this.#replicas) check(`replica ${replica.name}`, await dumpOf(replica))
    check('the hub, read by a newcomer', await this.#readHub())
    await this.#killHub()
    check('the hub, killed and restarted from disk', await this.#readHub())
    return comparisons
  }

  async #readHub(): Promise<Map<string, AirportFigures>> {
    const space = await connect(`ws://127.0.0.1:${this.#hubPort}/flights`, { tables: flightTables })
    const airports = new Map<string, AirportFigures>()
    for (const row of space.airports.rows()) airports.set(row.key, row.read())
    space.close()
    return airports
  }

  // ── what people see ─────────────────────────────────────────────────────────────────────────────────────────────

  #followCuts(control: Control): void {
    control.replicas.subscribe(row => {
      const link = this.#replicas[Number(row.key)]?.link
      if (link === undefined || this.#phase === 'healing' || this.#phase === 'verifying') return
      if (row.cut.value) link.cut()
      else link.heal()
    })
  }

  #showStatus(total: number): void {
    const control = this.#control
    const hub = this.#hubFigures
    if (control === undefined || this.#stopped) return
    const dataTime = new Date(Date.UTC(2001, 0, 1) + this.#dataMs)
      .toISOString()
      .slice(0, 16)
      .replace('T', ' ')
    const made = this.#made()
    control.transact(() => {
      const run = control.run.row('run')
      put(run.phase, this.#phase)
      put(run.flights, made)
      put(run.flightsTotal, total)
      put(run.dataTime, dataTime)
      put(run.faults, this.#options.faults)
      put(run.seed, this.#options.seed)
      put(run.hubLsn, hub?.lsn ?? run.hubLsn.value)
      put(run.hubReceived, hub?.received ?? run.hubReceived.value)
      put(run.hubSent, hub?.sent ?? run.hubSent.value)
      if (this.#phase === 'agreed' || this.#phase === 'disagreed')
        put(run.verdict, this.#phase === 'agreed' ? 'every comparison is equal' : 'comparisons differ')
      this.#replicas.forEach(({ name, report, link }, index) => {
        // All rows appear in one change, before their first figures: the page's table never grows under the reader.
        const row = control.replicas.row(String(index))
        put(row.name, name)
        if (report === undefined) return
        put(row.live, report.live && !link.isCut)
        put(row.lsn, report.lsn)
        put(row.lag, Math.max(0, (hub?.lsn ?? report.lsn) - report.lsn))
        put(row.pending, report.pending)
        put(row.changes, report.flights)
        put(row.bytesSent, report.bytesSent)
        put(row.bytesReceived, report.bytesReceived)
        put(row.duplicatesDropped, report.duplicatesDropped)
        put(row.gapsRepaired, report.gapsRepaired)
        put(row.reconnects, report.reconnects)
      })
    })
    const lag = Math.max(0, ...this.#replicas.map(({ report }) => (hub?.lsn ?? 0) - (report?.lsn ?? 0)))
    const pending = this.#sum('pending')
    const live = this.#replicas.filter(({ report }) => report?.live).length
    this.#events.progress(
      `${this.#phase.padEnd(9)} ${dataTime}  flights ${made}/${total}  log ${hub?.lsn ?? 0}  live ${live}/${
        this.#replicas.length
      }  pending ${pending}  lag ${lag}`,
    )
  }

  #sum(figure: Exclude<keyof ReplicaReport, 'type' | 'live'>): number {
    return this.#replicas.reduce((sum, { report }) => sum + (report?.[figure] ?? 0), 0)
  }

  #figures(
    comparisons: ReplayFigures['comparisons'],
    agreed: boolean,
    times: { replaySeconds: number; convergedSeconds: number },
  ): ReplayFigures {
    const { flights, replicas, seed, faults, speed } = this.#options
    const made = this.#made()
    const links = this.#replicas.map(({ link }) => link.traffic())
    const bytesUp = links.reduce((sum, link) => sum + link.bytesUp, 0)
    const bytesDown = links.reduce((sum, link) => sum + link.bytesDown, 0)
    const sent = made * fieldsPerFlight
    const delivered = sent * (replicas - 1)
    return {
      flights: Math.min(flights, made),
      replicas,
      seed,
      faults,
      speed,
      fieldChanges: sent,
      batches: this.#hubCount('batches'),
      hubCommits: this.#hubCount('commits'),
      duplicatesDropped: this.#sum('duplicatesDropped') + this.#hubCount('duplicates'),
      gapsRepaired: this.#sum('gapsRepaired') + this.#hubCount('gaps'),
      batchesResent: this.#sum('batchesResent'),
      reconnects: this.#sum('reconnects'),
      messagesDroppedByLinks: links.reduce((sum, link) => sum + link.dropped, 0),
      messagesRepeatedByLinks: links.reduce((sum, link) => sum + link.repeated, 0),
      cutsByLinks: links.reduce((sum, link) => sum + link.cuts, 0),
      hubKills: this.#hubKills,
      bytesUp,
      bytesDown,
      bytesPerChangeUp: bytesUp / sent,
      bytesPerChangeDown: delivered === 0 ? 0 : bytesDown / delivered,
      bytesPerChange: (bytesUp + bytesDown) / (sent + delivered),
      clientMetadataBytes: this.#replicas[0]?.report?.metadataBytes ?? 0,
      ...times,
      flightsPerSecond: made / times.convergedSeconds,
      comparisons,
      agreed,
    }
  }

  #hubCount(count: 'commits' | 'batches' | 'duplicates' | 'gaps'): number {
    return this.#earlier[count] + (this.#hubFigures?.[count] ?? 0)
  }
}

/** Sets a register when it differs: status rows cost what changed. */
function put<Value>(handle: { readonly value: Value; set(value: Value): number }, value: Value): void {
  if (handle.value !== value) handle.set(value)
}

function dumpOf(replica: RunningReplica): Promise<Map<string, AirportFigures>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AtomikError('network', `replica ${replica.name} does not answer`)),
      10_000,
    )
    replica.dump = airports => {
      clearTimeout(timer)
      resolve(airports)
    }
    replica.process.send({ type: 'dump' } satisfies ToReplica)
  })
}

function ended(process: ChildProcess, withinMs: number): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return Promise.resolve()
  return new Promise(resolve => {
    const timer = setTimeout(() => process.kill('SIGKILL'), withinMs)
    process.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

const script = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url))
const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

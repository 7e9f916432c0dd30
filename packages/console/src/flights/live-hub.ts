/**
 * What the page knows of a hub: it is two ordinary replicas, one of the space `flights` and one of `control`. The library
 * keeps them connected; here their rows become one view, made anew a few times a second. The page changes nothing but
 * the `cut` flags.
 */
import { controlTables, flightTables } from '@atomik/flights/schema'
import { AtomikError, type ConnectedSpace, connect } from 'atomik'

export type FlightSpace = ConnectedSpace<typeof flightTables>
type ControlSpace = ConnectedSpace<typeof controlTables>
type ValuesOf<Table extends { row(key: string): { read(): unknown } }> = ReturnType<
  ReturnType<Table['row']>['read']
>

export type RunView = ValuesOf<ControlSpace['run']>
export interface ReplicaView extends ValuesOf<ControlSpace['replicas']> {
  readonly key: string
  /** Number of its region. */
  readonly region: number
}

/** The page's own replica of `flights`. Bytes are those of both of its connections. */
export interface PageView {
  readonly lsn: number
  readonly lag: number
  readonly pending: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly duplicatesDropped: number
  readonly gapsRepaired: number
  readonly reconnects: number
  readonly metadataBytes: number
}

export interface HubView {
  /** `refused` is final: trying again would not help. */
  readonly connection: 'connecting' | 'live' | 'away' | 'refused'
  /** Why it is not live. */
  readonly reason: string
  /** Something that happened, for a while. */
  readonly note: string
  /** Absent as long as no run was seen on this hub. */
  readonly run: RunView | undefined
  readonly replicas: readonly ReplicaView[]
  readonly page: PageView | undefined
}

/** Listeners are told no oftener. */
const tellMs = 100
/** How long a passing note stays. */
const noteMs = 8000
/** Answers that trying again will not change; the library then closes the space. */
const finalCodes: readonly string[] = ['version', 'schema', 'unauthorized', 'unknown-space']

/** A connection that never gives up: setTimeout's longest. */
const foreverMs = 2 ** 31 - 1

export class LiveHub {
  #flights: FlightSpace | undefined
  #control: ControlSpace | undefined
  #reason = ''
  #refused = false
  #note = ''
  #noteTimer: ReturnType<typeof setTimeout> | undefined
  #view: HubView | undefined
  #scheduled = false
  #toldAt = 0
  readonly #listeners = new Set<() => void>()
  readonly #whenFlights: ((space: FlightSpace) => void)[] = []

  /** @param origin `ws://host:port` */
  constructor(origin: string, token?: string) {
    const options = {
      timeoutMs: foreverMs,
      undoDepth: 0,
      onRetry: (reason: string) => {
        this.#reason = reason
        this.#changed()
      },
      ...(token !== undefined && { token }),
    }
    const fail = (error: unknown) => {
      this.#refused = true
      this.#reason = error instanceof AtomikError ? error.message : String(error)
      if (error instanceof AtomikError && error.code === 'unauthorized')
        this.#reason += '. It goes at the end of the address: #token=…'
      this.#changed()
    }
    connect(`${origin}/flights`, { tables: flightTables, ...options }).then(space => {
      this.#flights = space
      space.on('status', () => this.#changed())
      space.on('error', error => finalCodes.includes(error.code) && fail(error))
      for (const tell of this.#whenFlights.splice(0)) tell(space)
      this.#changed()
    }, fail)
    connect(`${origin}/control`, { tables: controlTables, ...options }).then(space => {
      this.#control = space
      space.on('status', () => this.#changed())
      space.on('error', error => finalCodes.includes(error.code) && fail(error))
      space.on('refused', ({ code }) => this.#say(`The hub refused the change (${code}).`))
      space.replicas.subscribe(() => this.#changed())
      space.run.subscribe(() => this.#changed())
      this.#changed()
    }, fail)
  }

  /** The state now. The same object until something changes. */
  get view(): HubView {
    this.#view ??= this.#read()
    return this.#view
  }

  /** Calls back after changes, at most ten times a second. Returns the way to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Hands over the space of the flights as soon as its state is here. */
  whenFlights(tell: (space: FlightSpace) => void): void {
    if (this.#flights === undefined) this.#whenFlights.push(tell)
    else tell(this.#flights)
  }

  /** Cuts a replica's link, or heals it: a change like any other, obeyed by the run. */
  setCut(key: string, cut: boolean): void {
    const row = this.#control?.replicas.row(key)
    if (row !== undefined && row.cut.value !== cut) row.cut.set(cut)
  }

  #say(note: string): void {
    this.#note = note
    clearTimeout(this.#noteTimer)
    this.#noteTimer = setTimeout(() => {
      this.#note = ''
      this.#changed()
    }, noteMs)
    this.#changed()
  }

  #changed(): void {
    this.#view = undefined
    if (this.#scheduled) return
    this.#scheduled = true
    const waitMs = Math.max(0, this.#toldAt + tellMs - performance.now())
    setTimeout(() => {
      this.#scheduled = false
      this.#toldAt = performance.now()
      for (const listener of this.#listeners) listener()
    }, waitMs)
  }

  #read(): HubView {
    const run = this.#control?.run.row('run')
    const isLive = this.#flights?.status().live === true && this.#control?.status().live === true
    if (isLive) this.#reason = ''
    const seen = run?.exists === true ? run.read() : undefined
    // The run says a few times a second where the hub is; this page may have heard later numbers from it already.
    const hubLsn = Math.max(seen?.hubLsn ?? 0, this.#flights?.status().lsn ?? 0)
    const replicas = [...(this.#control?.replicas.rows() ?? [])]
      .map(row => ({ key: row.key, region: Number(row.key), ...row.read() }))
      .filter(({ region }) => Number.isInteger(region) && region >= 0)
      .sort((a, b) => a.region - b.region)
    return {
      connection: this.#refused ? 'refused' : isLive ? 'live' : this.#reason === '' ? 'connecting' : 'away',
      reason: this.#reason,
      note: this.#note,
      run: seen === undefined ? undefined : { ...seen, hubLsn },
      replicas,
      page: this.#readPage(hubLsn),
    }
  }

  #readPage(hubLsn: number): PageView | undefined {
    if (this.#flights === undefined || this.#control === undefined) return undefined
    const flights = this.#flights.status()
    const control = this.#control.status()
    const stats = [this.#flights.stats(), this.#control.stats()]
    return {
      lsn: flights.lsn,
      lag: Math.max(0, hubLsn - flights.lsn),
      pending: flights.pending + control.pending,
      bytesSent: flights.bytesSent + control.bytesSent,
      bytesReceived: flights.bytesReceived + control.bytesReceived,
      duplicatesDropped: stats[0].duplicatesDropped + stats[1].duplicatesDropped,
      gapsRepaired: stats[0].gapsRepaired + stats[1].gapsRepaired,
      reconnects: flights.reconnects,
      metadataBytes: flights.metadataBytes,
    }
  }
}

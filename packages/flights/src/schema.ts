/**
 * The two spaces of the main job. `flights` is what it is about; `control` is how it is watched and steered, by the same
 * means: the page cuts a replica by setting a flag.
 */
import { counter, flag, register, table, toggle } from 'atomik'

/** One airport, by its IATA code. Each flight is one change: most of it at the origin, one field at the destination. */
export const Airport = table({
  /** Flights that left: written by the replica of this region. */
  departures: counter(),
  /** Flights that came in: written by the replicas of all regions at once. */
  arrivals: counter(),
  /** Sum of the delays of departing flights; early ones count negative. */
  delayMinutes: counter(),
  /** Delay and destination of the last departing flight. */
  lastDelay: register.i16(),
  lastRoute: register.text(3),
  /** The last departing flight left more than 15 minutes late. */
  delayed: flag(),
  /** Flips with every departing flight. */
  pulse: toggle(),
})

export const flightTables = { airports: Airport }

/** Field changes one flight makes: six at the origin, one at the destination. */
export const fieldsPerFlight = 7

/** One replica, by the number of its region, "0" and up. */
export const ReplicaStatus = table({
  name: register.text(32),
  /** Connected to the hub just now. */
  live: register.bool(),
  /** Log number of its confirmed state, and how far that is behind the hub. */
  lsn: register.u32(),
  lag: register.u32(),
  /** Own changes not yet confirmed. */
  pending: register.u32(),
  /** Own changes made. */
  changes: register.u32(),
  bytesSent: register.f64(),
  bytesReceived: register.f64(),
  duplicatesDropped: register.u32(),
  gapsRepaired: register.u32(),
  reconnects: register.u32(),
  /** Set to cut its link, clear to heal it: anyone may. */
  cut: flag(),
})

export const phases = [
  'starting',
  'replaying',
  'healing',
  'verifying',
  'agreed',
  'disagreed',
  'stopped',
] as const

/** The run, in the row "run". */
export const Run = table({
  phase: register.enum(...phases),
  /** Flights made changes of, and in all. */
  flights: register.u32(),
  flightsTotal: register.u32(),
  /** Where the replay stands in the data, like 2001-02-03 04:05. */
  dataTime: register.text(16),
  faults: register.text(8),
  seed: register.u32(),
  /** Log number of the hub, and its sockets' bytes. */
  hubLsn: register.u32(),
  hubReceived: register.f64(),
  hubSent: register.f64(),
  /** What the comparison said, once it was made. */
  verdict: register.text(120),
})

export const controlTables = { replicas: ReplicaStatus, run: Run }

/**
 * The data set: 20,000 flights within the United States in the first quarter of 2001, and where their airports are. From
 * the npm package `vega-datasets` (US Bureau of Transportation Statistics), read as it is, never changed.
 */
import { readFile } from 'node:fs/promises'
import { divideRegions, type Region } from './regions.ts'

export interface Flight {
  /** Scheduled departure, milliseconds since 2001-01-01 00:00. */
  readonly atMs: number
  readonly origin: string
  readonly destination: string
  /** Minutes late; negative when early. */
  readonly delay: number
}

export interface AirportPlace {
  readonly iata: string
  readonly name: string
  readonly city: string
  readonly state: string
  readonly latitude: number
  readonly longitude: number
}

const dataFile = (name: string) =>
  readFile(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')), 'utf8')

const epochMs = Date.UTC(2001, 0, 1)

/** The first `count` flights in time order. */
export async function loadFlights(count = 20_000): Promise<Flight[]> {
  const rows = JSON.parse(await dataFile('flights-20k.json')) as {
    date: string
    delay: number
    origin: string
    destination: string
  }[]
  const flights = rows.map(({ date, delay, origin, destination }) => {
    const [year, month, day, hour, minute] = date.split(/[/ :]/).map(Number)
    return { atMs: Date.UTC(year, month - 1, day, hour, minute) - epochMs, origin, destination, delay }
  })
  return flights.sort((a, b) => a.atMs - b.atMs).slice(0, count)
}

/** Airports that occur in the flights. */
export async function loadAirports(flights: readonly Flight[]): Promise<AirportPlace[]> {
  const used = new Set(flights.flatMap(({ origin, destination }) => [origin, destination]))
  const lines = (await dataFile('airports.csv')).trim().split(/\r?\n/).slice(1)
  return lines
    .map(parseCsvLine)
    .filter(([iata]) => used.has(iata))
    .map(([iata, name, city, state, , latitude, longitude]) => ({
      iata,
      name,
      city,
      state,
      latitude: Number(latitude),
      longitude: Number(longitude),
    }))
}

/** Fields of one line; quotes as RFC 4180 has them, no line breaks inside. */
function parseCsvLine(line: string): string[] {
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
    .map(match => (match[1].startsWith('"') ? match[1].slice(1, -1).replaceAll('""', '"') : match[1]))
    .slice(0, 7)
}

/** Departures by airport. */
export function countDepartures(flights: readonly Flight[]): Map<string, number> {
  const departures = new Map<string, number>()
  for (const { origin } of flights) departures.set(origin, (departures.get(origin) ?? 0) + 1)
  return departures
}

/** The regions of a run: by all flights of the data set, so that they do not depend on how many are replayed. */
export async function loadRegions(count: number): Promise<Region[]> {
  const flights = await loadFlights()
  return divideRegions(await loadAirports(flights), countDepartures(flights), count)
}

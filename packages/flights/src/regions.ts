/**
 * Regions: who replicates what. One rule for the orchestrator, the replicas and the page, which colours airports by it;
 * therefore no Node imports here.
 */

/** What of an airport decides about its region. */
export interface RegionAirport {
  readonly iata: string
  readonly city: string
  readonly longitude: number
}

/** A replica's part of the country. */
export interface Region {
  readonly index: number
  /** Named after the city of its busiest airport. */
  readonly name: string
  readonly airports: ReadonlySet<string>
}

/** Bands from west to east, each with about the same number of departures. */
export function divideRegions(
  airports: readonly RegionAirport[],
  departures: ReadonlyMap<string, number>,
  count: number,
): Region[] {
  const departuresOf = ({ iata }: RegionAirport) => departures.get(iata) ?? 0
  const total = airports.reduce((sum, airport) => sum + departuresOf(airport), 0)
  const eastward = [...airports].sort((a, b) => a.longitude - b.longitude || (a.iata < b.iata ? -1 : 1))
  const bands: RegionAirport[][] = Array.from({ length: count }, () => [])
  let before = 0
  let current = 0
  eastward.forEach((airport, i) => {
    // No band stays empty, even when there are hardly more airports than bands.
    const byTraffic = Math.floor((before / total) * count)
    const isDue = byTraffic > current || eastward.length - i < count - current
    if (isDue && current < count - 1 && bands[current].length > 0) current++
    bands[current].push(airport)
    before += departuresOf(airport)
  })
  return bands.map((band, index) => {
    const busiest = band.reduce<RegionAirport | undefined>(
      (best, airport) => (best === undefined || departuresOf(airport) > departuresOf(best) ? airport : best),
      undefined,
    )
    return {
      index,
      name: (busiest?.city ?? 'nowhere').slice(0, 32),
      airports: new Set(band.map(({ iata }) => iata)),
    }
  })
}

/** Goal: regions are a partition that every process computes alike. Method: the real airports, every number of regions. */
import { describe, expect, it } from 'vitest'
import { countDepartures, loadAirports, loadFlights, loadRegions } from './data.ts'
import { divideRegions } from './regions.ts'

describe('regions', () => {
  it('hold every airport once, and none is empty, from 1 to one for each airport', async () => {
    const flights = await loadFlights()
    const airports = await loadAirports(flights)
    const departures = countDepartures(flights)
    for (let count = 1; count <= airports.length; count++) {
      const regions = divideRegions(airports, departures, count)
      expect(regions.map(({ index }) => index)).toEqual(Array.from({ length: count }, (_, i) => i))
      expect(Math.min(...regions.map(region => region.airports.size))).toBeGreaterThan(0)
      const all = regions.flatMap(region => [...region.airports])
      expect(all).toHaveLength(airports.length)
      expect(new Set(all).size).toBe(airports.length)
    }
  })

  it('do not depend on the order airports come in', async () => {
    const flights = await loadFlights()
    const airports = await loadAirports(flights)
    const departures = countDepartures(flights)
    expect(divideRegions([...airports].reverse(), departures, 8)).toEqual(
      divideRegions(airports, departures, 8),
    )
  })

  it('share the work: none of eight makes more than a fifth of the flights', async () => {
    const departures = countDepartures(await loadFlights())
    for (const { airports } of await loadRegions(8)) {
      const made = [...airports].reduce((sum, iata) => sum + (departures.get(iata) ?? 0), 0)
      expect(made / 20_000).toBeGreaterThan(0.05)
      expect(made / 20_000).toBeLessThan(0.2)
    }
  })
})

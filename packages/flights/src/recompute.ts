/**
 * What the airports must look like in the end, worked out from the data set alone: plain loops over plain objects, with
 * no import from the library, so that an error of the engine cannot hide here as well.
 */
export interface AirportFigures {
  departures: number
  arrivals: number
  delayMinutes: number
  lastDelay: number
  lastRoute: string
  delayed: boolean
  pulse: boolean
}

interface FlightLike {
  readonly origin: string
  readonly destination: string
  readonly delay: number
}

/** @param flights in time order */
export function recompute(flights: readonly FlightLike[]): Map<string, AirportFigures> {
  const airports = new Map<string, AirportFigures>()
  const at = (code: string): AirportFigures => {
    let airport = airports.get(code)
    if (airport === undefined) {
      airport = {
        departures: 0,
        arrivals: 0,
        delayMinutes: 0,
        lastDelay: 0,
        lastRoute: '',
        delayed: false,
        pulse: false,
      }
      airports.set(code, airport)
    }
    return airport
  }
  for (const { origin, destination, delay } of flights) {
    const from = at(origin)
    from.departures += 1
    from.delayMinutes += delay
    from.lastDelay = delay
    from.lastRoute = destination
    from.delayed = delay > 15
    from.pulse = !from.pulse
    at(destination).arrivals += 1
  }
  return airports
}

/** The first difference, in words, or undefined when the two agree in every field of every airport. */
export function firstDifference(
  expected: ReadonlyMap<string, AirportFigures>,
  actual: ReadonlyMap<string, AirportFigures>,
): string | undefined {
  for (const [code, want] of expected) {
    const have = actual.get(code)
    if (have === undefined) return `airport ${code} is missing`
    for (const field of Object.keys(want) as (keyof AirportFigures)[])
      if (want[field] !== have[field])
        return `${code}.${field}: expected ${want[field]}, found ${have[field]}`
  }
  for (const code of actual.keys()) if (!expected.has(code)) return `airport ${code} should not be there`
  return undefined
}

/** The map of airports: a still picture below, the painter's canvas above it, and what is asked about one airport. */
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import { count, decimal, delay } from '../format.ts'
import type { LiveHub, ReplicaView } from './live-hub.ts'
import { type MapData, mapSize } from './map-data.ts'
import { type AirportNow, MapPainter } from './map-painter.ts'

/** How near a pointer must come, beyond an airport's circle. */
const reachPixels = 10

export function FlightsMap({ hub, regions }: { hub: LiveHub; regions: readonly ReplicaView[] }) {
  const [data, setData] = useState<MapData>()
  const [painter, setPainter] = useState<MapPainter>()
  const [chosen, setChosen] = useState<AirportNow>()
  const [spoken, setSpoken] = useState('')
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  const canvas = useRef<HTMLCanvasElement>(null)

  useEffect(() => {
    import('virtual:map').then(({ default: map }) => setData(map))
  }, [])
  useEffect(() => {
    if (data === undefined || canvas.current === null) return
    const made = new MapPainter(canvas.current, data, () => redraw(undefined))
    hub.whenFlights(space => made.follow(space))
    setPainter(made)
    return () => made.stop()
  }, [data, hub])
  useEffect(() => painter?.setRegions(regions.length), [painter, regions.length])
  const cut = regions.filter(replica => replica.cut).map(({ region }) => region)
  useEffect(() => painter?.setCut(new Set(cut)), [painter, cut.join()])

  const choose = (airport: AirportNow | undefined, isAsked = false) => {
    if (airport !== chosen) {
      painter?.select(airport)
      setChosen(airport)
    }
    setSpoken(isAsked && airport !== undefined ? describe(airport, regions) : '')
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (painter === undefined) return
    const next =
      event.key === 'Escape' ? undefined : (towards(painter, chosen, event.key) ?? ('unhandled' as const))
    if (next === 'unhandled') return
    event.preventDefault()
    choose(next, true)
  }
  const onPointer = (event: PointerEvent) => {
    if (painter === undefined || canvas.current === null) return
    const box = canvas.current.getBoundingClientRect()
    choose(nearest(painter, event.clientX - box.left, event.clientY - box.top))
  }

  return (
    <section class="map" aria-labelledby="map-title">
      <div class="title">
        <h2 id="map-title">Airports, as this page’s replica has them</h2>
        <p class="legend">
          <span class="mark" /> size: flights <span class="mark ring" /> last one over 15 min late
        </p>
      </div>
      <div
        class="picture"
        style={{ aspectRatio: `${mapSize.width} / ${mapSize.height}` }}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move from airport to airport
        tabIndex={0}
        aria-label="Map of the airports. Arrow keys move from airport to airport, Home to the busiest, Escape leaves."
        onKeyDown={onKeyDown}
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={() => choose(undefined)}
        onBlur={() => choose(undefined)}
      >
        <Land data={data} />
        <canvas ref={canvas} />
        {painter !== undefined && chosen !== undefined && (
          <Tip painter={painter} airport={chosen} regions={regions} />
        )}
        <p class="unseen" aria-live="polite">
          {spoken}
        </p>
      </div>
      <Totals painter={painter} />
    </section>
  )
}

function Land({ data }: { data: MapData | undefined }) {
  const { width, height } = mapSize
  return useMemo(() => {
    const [left, top, right, bottom] = data?.islandsFrame ?? [0, 0, 0, 0]
    return (
      <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        <title>States</title>
        {data !== undefined && (
          <>
            <path class="land" d={data.land} />
            <path class="borders" d={data.borders} />
            <path class="frame" d={`M${left},${bottom}V${top}H${right}`} />
            <text class="place" x={right} y={top - 6} text-anchor="end">
              Puerto Rico, V. I.
            </text>
          </>
        )}
      </svg>
    )
  }, [data])
}

function Tip(props: { painter: MapPainter; airport: AirportNow; regions: readonly ReplicaView[] }) {
  const { painter, airport, regions } = props
  const { place } = airport
  const { x, y } = painter.position(airport)
  const style = {
    left: `${(100 * place.x) / mapSize.width}%`,
    top: `${(100 * place.y) / mapSize.height}%`,
    '--away': `${painter.radius(airport) + 10}px`,
  }
  const side = `${place.y > mapSize.height / 2 ? 'above' : 'below'} ${
    place.x > mapSize.width * 0.75 ? 'to-left' : place.x < mapSize.width * 0.25 ? 'to-right' : 'centred'
  }`
  return (
    <div class={`tip ${side}`} style={style} data-x={Math.round(x)} data-y={Math.round(y)}>
      <b>
        {place.iata} · {place.city}
        {place.state !== '' && `, ${place.state}`}
      </b>
      <dl>
        <dt>Region</dt>
        <dd>{regions[airport.region]?.name ?? '–'}</dd>
        <dt>Departures</dt>
        <dd>{count(airport.departures)}</dd>
        <dt>Arrivals</dt>
        <dd>{count(airport.arrivals)}</dd>
        <dt>Mean delay</dt>
        <dd>{airport.departures === 0 ? '–' : delay(airport.delayMinutes / airport.departures)}</dd>
        <dt>Last flight</dt>
        <dd>{airport.lastRoute === '' ? '–' : `to ${airport.lastRoute}, ${delay(airport.lastDelay)}`}</dd>
      </dl>
    </div>
  )
}

/** Sums over the page's own copy. */
function Totals({ painter }: { painter: MapPainter | undefined }) {
  let departures = 0
  let arrivals = 0
  let minutes = 0
  let late = 0
  for (const airport of painter?.airports ?? []) {
    departures += airport.departures
    arrivals += airport.arrivals
    minutes += airport.delayMinutes
    if (airport.delayed) late++
  }
  return (
    <dl class="totals">
      <div>
        <dt>departures</dt>
        <dd data-testid="departures">{count(departures)}</dd>
      </div>
      <div>
        <dt>arrivals</dt>
        <dd>{count(arrivals)}</dd>
      </div>
      <div>
        <dt>min mean delay</dt>
        <dd>{decimal(departures === 0 ? 0 : minutes / departures)}</dd>
      </div>
      <div>
        <dt>last one late</dt>
        <dd>{count(late)}</dd>
      </div>
    </dl>
  )
}

function describe(airport: AirportNow, regions: readonly ReplicaView[]): string {
  const { place, departures, arrivals, lastRoute, lastDelay } = airport
  const last = lastRoute === '' ? '' : `, last flight to ${lastRoute} ${delay(lastDelay)}`
  return `${place.iata}, ${place.city}, region ${regions[airport.region]?.name ?? 'unknown'}: ${count(
    departures,
  )} departures, ${count(arrivals)} arrivals${last}`
}

function nearest(painter: MapPainter, x: number, y: number): AirportNow | undefined {
  let best: AirportNow | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const airport of painter.airports) {
    const at = painter.position(airport)
    const distance = Math.hypot(at.x - x, at.y - y)
    if (distance > painter.radius(airport) + reachPixels || distance >= bestDistance) continue
    best = airport
    bestDistance = distance
  }
  return best
}

const directions: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/** The airport a key leads to: the nearest one that lies more ahead than aside, or the one we are at. */
function towards(painter: MapPainter, from: AirportNow | undefined, key: string): AirportNow | undefined {
  const direction = directions[key]
  if (direction === undefined && key !== 'Home') return undefined
  if (from === undefined || direction === undefined)
    return painter.airports.reduce((a, b) => (b.departures + b.arrivals > a.departures + a.arrivals ? b : a))
  let best = from
  let bestDistance = Number.POSITIVE_INFINITY
  for (const airport of painter.airports) {
    const x = airport.place.x - from.place.x
    const y = airport.place.y - from.place.y
    const ahead = x * direction[0] + y * direction[1]
    const aside = Math.abs(x * direction[1]) + Math.abs(y * direction[0])
    const distance = ahead + 2 * aside
    if (ahead <= 0 || aside > ahead || distance >= bestDistance) continue
    best = airport
    bestDistance = distance
  }
  return best
}

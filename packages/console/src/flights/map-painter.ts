/**
 * The moving part of the map, on a canvas. Changes only mark an airport; once a frame what was marked is read and drawn,
 * so that thousands of changes a second cost what 224 airports cost. When nothing moves, nothing is drawn.
 */
import { divideRegions } from '@atomik/flights/regions'
import { cssValue, onThemeChange, regionColor } from '../theme.ts'
import type { FlightSpace } from './live-hub.ts'
import { type MapAirport, type MapData, mapSize } from './map-data.ts'

/** Arcs drawn at once; further departures only flash. */
const arcsMax = 120
const arcMs = 1100
const flashMs = 500
/** Part of its way that an arc is long. */
const arcLength = 0.4
const radiusMax = 17
/** The busiest airport is drawn largest, but not while it has hardly any traffic. */
const trafficFloor = 40
const pixelRatioMax = 2
/** What an observer is told: not oftener than this. */
const tellMs = 200

export interface AirportNow {
  readonly place: MapAirport
  region: number
  departures: number
  arrivals: number
  delayMinutes: number
  lastDelay: number
  lastRoute: string
  delayed: boolean
  flashAt: number
}

interface Arc {
  readonly from: MapAirport
  readonly to: MapAirport
  readonly region: number
  readonly startedAt: number
}

type AirportRow = ReturnType<FlightSpace['airports']['row']>

export class MapPainter {
  readonly airports: readonly AirportNow[]
  readonly #data: MapData
  readonly #byIata = new Map<string, AirportNow>()
  /** Large ones first: small ones stay visible on top of them. */
  readonly #order: readonly AirportNow[]
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)')
  readonly #marked = new Map<AirportNow, AirportRow>()
  readonly #onChange: () => void
  #arcs: Arc[] = []
  #regions = 0
  #cut: ReadonlySet<number> = new Set()
  #colors: string[] = []
  #ink = ''
  #selected: AirportNow | undefined
  #trafficMax = trafficFloor
  #scale = 1
  #pixelRatio = 1
  #frame = 0
  #told = 0
  #untold = false
  #stops: (() => void)[] = []

  /** @param onChange called a few times a second while figures change */
  constructor(canvas: HTMLCanvasElement, data: MapData, onChange: () => void) {
    const context = canvas.getContext('2d')
    if (context === null) throw new Error('no canvas here')
    this.#canvas = canvas
    this.#context = context
    this.#data = data
    this.#onChange = onChange
    this.airports = data.airports.map(place => ({
      place,
      region: 0,
      departures: 0,
      arrivals: 0,
      delayMinutes: 0,
      lastDelay: 0,
      lastRoute: '',
      delayed: false,
      flashAt: Number.NEGATIVE_INFINITY,
    }))
    for (const airport of this.airports) this.#byIata.set(airport.place.iata, airport)
    this.#order = [...this.airports].sort((a, b) => b.place.departures - a.place.departures)
    this.#stops.push(onThemeChange(() => this.#recolor()))
    const resizing = new ResizeObserver(() => this.#resize())
    resizing.observe(canvas)
    this.#stops.push(() => resizing.disconnect())
    this.#recolor()
    this.#resize()
  }

  follow({ airports }: FlightSpace): void {
    this.#stops.push(
      airports.subscribe(row => {
        const airport = this.#byIata.get(row.key)
        if (airport === undefined) return
        this.#marked.set(airport, row)
        this.#request()
      }),
    )
  }

  /** Colours airports by the regions of a run with so many replicas. */
  setRegions(count: number): void {
    if (count === this.#regions || count < 1) return
    this.#regions = count
    const departures = new Map(this.airports.map(({ place }) => [place.iata, place.departures]))
    for (const region of divideRegions(this.#data.airports, departures, count))
      for (const airport of this.airports)
        if (region.airports.has(airport.place.iata)) airport.region = region.index
    this.#recolor()
  }

  /** Airports of regions whose replicas are cut fade: their departures are not heard of here. */
  setCut(regions: ReadonlySet<number>): void {
    this.#cut = regions
    this.#request()
  }

  select(airport: AirportNow | undefined): void {
    this.#selected = airport
    this.#request()
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** Radius in CSS pixels. */
  radius({ departures, arrivals }: AirportNow): number {
    const size = Math.max(0.55, Math.min(1.15, this.#scale))
    return size * (1.8 + (radiusMax - 1.8) * Math.sqrt((departures + arrivals) / this.#trafficMax))
  }

  /** Where an airport is, in CSS pixels of the canvas. */
  position({ place }: AirportNow): { x: number; y: number } {
    return { x: place.x * this.#scale, y: place.y * this.#scale }
  }

  #recolor(): void {
    this.#colors = Array.from({ length: Math.max(1, this.#regions) }, (_, i) =>
      this.#regions === 0 ? cssValue('--quiet') : regionColor(i, this.#regions),
    )
    this.#ink = cssValue('--ink')
    this.#request()
  }

  #resize(): void {
    const { clientWidth } = this.#canvas
    if (clientWidth === 0) return
    this.#scale = clientWidth / mapSize.width
    this.#pixelRatio = Math.min(pixelRatioMax, devicePixelRatio)
    this.#canvas.width = Math.round(clientWidth * this.#pixelRatio)
    this.#canvas.height = Math.round(mapSize.height * this.#scale * this.#pixelRatio)
    // A canvas that was resized is empty: draw before it is shown.
    this.#draw(performance.now())
  }

  #request(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(now => {
      this.#frame = 0
      this.#read(now)
      this.#draw(now)
      const isMoving = this.#arcs.length > 0 || this.airports.some(({ flashAt }) => now - flashAt < flashMs)
      if (this.#untold && now - this.#told >= tellMs) {
        this.#told = now
        this.#untold = false
        this.#onChange()
      }
      if (isMoving || this.#untold) this.#request()
    })
  }

  #read(now: number): void {
    if (this.#marked.size === 0) return
    const isFirst = this.#told === 0
    for (const [airport, row] of this.#marked) {
      const departures = row.departures.value
      const departed = departures > airport.departures
      airport.departures = departures
      airport.arrivals = row.arrivals.value
      airport.delayed = row.delayed.value
      airport.delayMinutes = row.delayMinutes.value
      airport.lastDelay = row.lastDelay.value
      airport.lastRoute = row.lastRoute.value
      if (departed && !isFirst) this.#depart(airport, now)
    }
    this.#marked.clear()
    this.#trafficMax = this.airports.reduce(
      (max, { departures, arrivals }) => Math.max(max, departures + arrivals),
      trafficFloor,
    )
    this.#untold = true
  }

  #depart(airport: AirportNow, now: number): void {
    airport.flashAt = now
    const to = this.#byIata.get(airport.lastRoute)?.place
    if (to === undefined || this.#still.matches || this.#arcs.length >= arcsMax) return
    this.#arcs.push({ from: airport.place, to, region: airport.region, startedAt: now })
  }

  #draw(now: number): void {
    const c = this.#context
    c.setTransform(this.#pixelRatio, 0, 0, this.#pixelRatio, 0, 0)
    c.clearRect(0, 0, this.#canvas.width, this.#canvas.height)
    this.#drawArcs(c, now)
    for (const airport of this.#order) this.#drawAirport(c, airport, now)
    c.globalAlpha = 1
    if (this.#selected !== undefined) {
      const { x, y } = this.position(this.#selected)
      c.strokeStyle = this.#ink
      c.lineWidth = 2
      circle(c, x, y, this.radius(this.#selected) + 5)
      c.stroke()
    }
  }

  #drawAirport(c: CanvasRenderingContext2D, airport: AirportNow, now: number): void {
    const { x, y } = this.position(airport)
    const radius = this.radius(airport)
    const flash = Math.max(0, 1 - (now - airport.flashAt) / flashMs)
    c.strokeStyle = c.fillStyle = this.#colors[airport.region]
    const presence = this.#cut.has(airport.region) ? 0.35 : 1
    c.globalAlpha = presence * (0.38 + 0.5 * flash)
    circle(c, x, y, radius)
    c.fill()
    c.globalAlpha = presence
    c.lineWidth = 1
    c.stroke()
    if (!airport.delayed) return
    c.strokeStyle = this.#ink
    c.lineWidth = 1.1
    circle(c, x, y, radius + 2.4)
    c.stroke()
  }

  #drawArcs(c: CanvasRenderingContext2D, now: number): void {
    this.#arcs = this.#arcs.filter(({ startedAt }) => now - startedAt < arcMs)
    c.lineCap = 'round'
    c.lineWidth = 1.3
    for (const { from, to, region, startedAt } of this.#arcs) {
      const progress = (now - startedAt) / arcMs
      const head = Math.min(1, progress * (1 + arcLength))
      const tail = Math.max(0, progress * (1 + arcLength) - arcLength)
      c.strokeStyle = this.#colors[region]
      c.globalAlpha = 0.75 * Math.min(1, 4 * (1 - progress))
      part(c, from, to, tail, head, this.#scale)
      c.stroke()
    }
    c.globalAlpha = 1
  }
}

function circle(c: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  c.beginPath()
  c.arc(x, y, radius, 0, 2 * Math.PI)
}

/** The part [tail, head] of the way from one place to another, a quadratic curve bent to the north, scaled. */
function part(
  c: CanvasRenderingContext2D,
  from: MapAirport,
  to: MapAirport,
  tail: number,
  head: number,
  scale: number,
): void {
  const bend = to.x >= from.x ? 0.18 : -0.18
  const viaX = (from.x + to.x) / 2 + (to.y - from.y) * bend
  const viaY = (from.y + to.y) / 2 - (to.x - from.x) * bend
  // Blossoms of the curve: at (tail, tail), (tail, head) and (head, head) they are the control points of its part.
  const x = (s: number, t: number) =>
    scale * ((1 - s) * (1 - t) * from.x + (s * (1 - t) + t * (1 - s)) * viaX + s * t * to.x)
  const y = (s: number, t: number) =>
    scale * ((1 - s) * (1 - t) * from.y + (s * (1 - t) + t * (1 - s)) * viaY + s * t * to.y)
  c.beginPath()
  c.moveTo(x(tail, tail), y(tail, tail))
  c.quadraticCurveTo(x(tail, head), y(tail, head), x(head, head), y(head, head))
}

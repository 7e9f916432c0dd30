/**
 * The map, made when the page is built: states and airports, projected to flat coordinates (Albers, with Alaska and
 * Hawaii moved in, as d3-geo does it). Puerto Rico and the Virgin Islands lie outside of that projection and get a frame
 * of their own, so that no airport of the data set is missing. The page then needs neither topology nor projection.
 */
import { readFile } from 'node:fs/promises'
import { type GeoPath, type GeoProjection, geoAlbersUsa, geoMercator, geoPath, geoTransform } from 'd3-geo'
import { feature, merge, mesh } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'
import type { Plugin } from 'vite'
import { type MapData, mapSize } from '../src/flights/map-data.ts'

type States = Topology<{ states: GeometryCollection }>

const name = 'virtual:map'
/** Where the frame of the islands lies: left, top, right, bottom. */
const islandsFrame = [850, 552, 971, 608] as const
/** FIPS codes of Puerto Rico and the Virgin Islands. */
const islands = new Set(['72', '78'])
/** Points nearer to the one before are left out: less than a third of a pixel shows. */
const detail = 0.35

export function mapPlugin(): Plugin {
  return {
    name: 'atomik-map',
    resolveId: id => (id === name ? `\0${name}` : undefined),
    load: async id =>
      id === `\0${name}`
        ? `export default JSON.parse(${JSON.stringify(JSON.stringify(await makeMap()))})`
        : undefined,
  }
}

async function makeMap(): Promise<MapData> {
  // By URL at run time: bundled into the configuration, it would look for its data beside that.
  const { countDepartures, loadAirports, loadFlights } = (await import(
    new URL('../../flights/dist/data.js', import.meta.url).href
  )) as typeof import('../../flights/dist/data.js')
  const flights = await loadFlights()
  const departures = countDepartures(flights)
  const topology = JSON.parse(
    await readFile(new URL('../data/us-10m.json', import.meta.resolve('vega-datasets')), 'utf8'),
  ) as States
  const { states } = topology.objects

  const mainland = geoAlbersUsa()
    .scale(1300)
    .translate([mapSize.width / 2, 305])
  const inFrame = states.geometries.filter(({ id }) => islands.has(String(id)))
  const [left, top, right, bottom] = islandsFrame
  const frame = geoMercator().fitExtent(
    [
      [left + 8, top + 6],
      [right - 8, bottom - 6],
    ],
    feature(topology, { type: 'GeometryCollection', geometries: inFrame }),
  )

  const areas = (geometries: typeof states.geometries) =>
    // `merge` wants polygons, which these are.
    merge(topology, geometries as Parameters<typeof merge>[1])
  const main = states.geometries.filter(({ id }) => !islands.has(String(id)))
  const borders = mesh(topology, states, (a, b) => a !== b)

  return {
    islandsFrame: [...islandsFrame],
    land: draw(mainland, path => path(areas(main))) + draw(frame, path => path(areas(inFrame))),
    borders: draw(mainland, path => path(borders)),
    airports: (await loadAirports(flights)).map(({ iata, name, city, state, latitude, longitude }) => {
      const at = mainland([longitude, latitude]) ?? frame([longitude, latitude])
      if (at === null) throw new Error(`no place on the map for airport ${iata}`)
      return {
        iata,
        // The data set has NA where it has nothing.
        city: city === 'NA' ? name : city,
        state: state === 'NA' ? '' : state,
        longitude,
        x: Math.round(at[0] * 10) / 10,
        y: Math.round(at[1] * 10) / 10,
        departures: departures.get(iata) ?? 0,
      }
    }),
  }
}

/** An SVG path with points too near to the one before left out. */
function draw(projection: GeoProjection, make: (path: GeoPath) => string | null): string {
  let x = 0
  let y = 0
  const thin = geoTransform({
    lineStart() {
      x = Number.POSITIVE_INFINITY
      this.stream.lineStart()
    },
    point(px, py) {
      if (Math.abs(px - x) < detail && Math.abs(py - y) < detail) return
      x = px
      y = py
      this.stream.point(px, py)
    },
  })
  const path = geoPath({ stream: output => projection.stream(thin.stream(output)) }).digits(1)
  return make(path) ?? ''
}

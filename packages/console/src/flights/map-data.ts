/** What the map is made of: computed when the page is built, in flat coordinates. */
import type { RegionAirport } from '@atomik/flights/regions'

/** Size of the picture. */
export const mapSize = { width: 975, height: 616 } as const

export interface MapAirport extends RegionAirport {
  readonly state: string
  readonly x: number
  readonly y: number
  /** Departures in the whole data set: what regions are divided by. */
  readonly departures: number
}

export interface MapData {
  /** Frame around what lies outside of the projection: left, top, right, bottom. */
  readonly islandsFrame: readonly number[]
  /** SVG paths. */
  readonly land: string
  readonly borders: string
  readonly airports: readonly MapAirport[]
}

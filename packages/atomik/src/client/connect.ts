/** The front door: `connect`, three lines from install to a synced record, the same in Node and browsers. */

import { WebSocketTransport } from '../adapters/index.ts'
import { Replica, type Seat } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import { Schema } from '../schema/index.ts'
import { Client, type Parts } from './client.ts'
import { type ConnectedSpace, type ConnectOptions, reservedTableNames } from './face.ts'
import type { Place } from './shared.ts'
import type { TablesOf } from './tables.ts'

/**
 * Connects to a space and resolves when its state is here: from the hub, or, with `storage`, what was kept of it, at once.
 *
 * @param url `ws://host:port/space`
 * @throws AtomikError `network` (no hub in time, and no storage), `unauthorized`, `schema`, or what else the hub answers;
 * `in-use` or `storage` when the storage cannot be opened
 * @example
 * ```ts
 * import { connect, counter, table } from 'atomik'
 * const Airport = table({ departures: counter() })
 * const fleet = await connect(url, { tables: { airports: Airport } })
 * fleet.airports.row('ATL').departures.add(1)
 * const stop = fleet.airports.subscribe(row => console.log(row.key, row.departures.value))
 * ```
 */
export async function connect<const T extends TablesOf>(
  url: string,
  options: ConnectOptions<T>,
): Promise<ConnectedSpace<T>> {
  const schema = new Schema(options.tables)
  for (const name of schema.names)
    if ((reservedTableNames as readonly string[]).includes(name))
      throw new AtomikError('range', `a table cannot be called ${name}: the space uses that name itself`)
  const client = new Client<T>(url, schema, options, await partsOf(url, schema, options))
  try {
    await client.ready
  } catch (error) {
    await client.ended
    throw error
  }
  return client.space
}

const random32 = () => crypto.getRandomValues(new Uint32Array(1))[0]

async function partsOf<T extends TablesOf>(
  url: string,
  schema: Schema,
  options: ConnectOptions<T>,
): Promise<Parts> {
  const space = spaceOf(url)
  const { storage, token, undoDepth } = options
  const transport = options.transport ?? new WebSocketTransport(url)
  const depth = undoDepth === undefined ? {} : { undoDepth }
  const replicaOf = (seat: Seat | undefined) =>
    new Replica({
      schema,
      space,
      random32,
      ...depth,
      ...(token !== undefined && { token }),
      ...(seat !== undefined && { image: seat.image }),
    })
  if (storage === undefined || 'open' in storage) {
    const seat = await storage?.open(space, schema)
    return { replica: replicaOf(seat), transport, seat }
  }
  const lead: Place['lead'] = (seat, to) => {
    const replica = replicaOf(seat)
    const client = new Client<T>(url, schema, options, { replica, transport, seat, leads: to })
    // Why it failed is told to those it leads.
    client.ready.catch(() => {})
    return client.lead(replica)
  }
  const member = await storage.join({ space, schema, random32, ...depth, lead })
  const { replica, transport: toLeader } = member
  return { replica, transport: toLeader, member }
}

function spaceOf(url: string): string {
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/]+\/([^?#]+)/i.exec(url)?.[1]
  if (path === undefined)
    throw new AtomikError('range', `expected a URL like ws://host:port/space, got ${url}`)
  return decodeURIComponent(path)
}

/** What a hub says of itself over HTTP. */
import { AtomikError } from 'atomik'

/** One space, as `/spaces` describes it. */
export interface SpaceDescription {
  readonly name: string
  readonly schema: string
  readonly schemaHash: string
  readonly lsn: number
  readonly readers: number
  readonly rows: Readonly<Record<string, number>>
  readonly stats: Readonly<Record<string, number>> & { readonly commits: number }
  /** Time spent on all commits so far. */
  readonly commitSeconds: number
  /** Log kept in memory. */
  readonly logBytes: number
  readonly connections: readonly ConnectionDescription[]
}

export interface ConnectionDescription {
  readonly id: number
  /** Log number it has confirmed. */
  readonly lsn: number
  readonly backlogBytes: number
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** @throws AtomikError `range` (no URL), `network`, `unauthorized` */
export async function describeHub(url: string, token: string | undefined): Promise<SpaceDescription[]> {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base === undefined || !/^https?:$/.test(base.protocol))
    throw new AtomikError('range', `expected a URL like http://host:port, got ${url}`)
  let response: Response
  try {
    response = await fetch(new URL('/spaces', base), {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })
  } catch (cause) {
    throw new AtomikError('network', `no hub at ${url}`, { cause })
  }
  if (response.status === 401)
    throw new AtomikError('unauthorized', 'the hub asks for a token, or for another one')
  if (!response.ok) throw new AtomikError('network', `${url} answers with status ${response.status}`)
  try {
    return (await response.json()) as SpaceDescription[]
  } catch (cause) {
    throw new AtomikError('network', `what answers at ${url} is no hub`, { cause })
  }
}

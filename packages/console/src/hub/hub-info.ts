/** What a hub says of itself: its spaces, asked for once a second by `/spaces`. */

export interface ConnectionInfo {
  readonly id: number
  /** Log number it has confirmed. */
  readonly lsn: number
  /** Bytes not yet taken by its network. */
  readonly backlogBytes: number
  readonly sentBytes: number
  readonly receivedBytes: number
}

export interface SpaceInfo {
  readonly name: string
  readonly schema: string
  readonly schemaHash: string
  readonly lsn: number
  readonly readers: number
  /** What the token at hand allows. */
  readonly writable: boolean
  readonly rows: Readonly<Record<string, number>>
  readonly stats: Readonly<Record<string, number>>
  readonly connections: readonly ConnectionInfo[]
}

export interface HubInfo {
  readonly spaces: readonly SpaceInfo[]
  /** Empty while the hub answers. */
  readonly problem: string
}

const pollMs = 1000

export class HubWatch {
  #info: HubInfo | undefined
  readonly #token: string | undefined
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(token: string | undefined) {
    this.#token = token
    void this.#poll()
  }

  /** Undefined before the first answer. */
  get info(): HubInfo | undefined {
    return this.#info
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Asks the hub to close a connection; its client will come back. Resolves to what went wrong, or an empty text. */
  async cut(connection: number): Promise<string> {
    try {
      const response = await fetch(`./connections/${connection}`, {
        method: 'DELETE',
        headers: this.#headers(),
      })
      return response.ok ? '' : (await response.text()).trim()
    } catch (error) {
      return String(error)
    }
  }

  #headers(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }
  }

  async #poll(): Promise<void> {
    const before = this.#info?.spaces ?? []
    try {
      const response = await fetch('./spaces', { headers: this.#headers(), cache: 'no-store' })
      if (response.ok) this.#info = { spaces: (await response.json()) as SpaceInfo[], problem: '' }
      else
        this.#info = {
          spaces: before,
          problem:
            response.status === 401
              ? 'This hub asks for a token. It goes at the end of the address: #token=…'
              : `The hub answers with status ${response.status}.`,
        }
    } catch {
      this.#info = { spaces: before, problem: 'The hub does not answer. What you see is the last state.' }
    }
    if (this.#stopped) return
    for (const listener of this.#listeners) listener()
    this.#timer = setTimeout(() => this.#poll(), pollMs)
  }
}

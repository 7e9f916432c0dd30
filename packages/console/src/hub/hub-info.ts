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
  readonly stats: { readonly changesAccepted: number; readonly commits: number; readonly checkpoints: number }
  /** Time spent on all commits so far. */
  readonly commitSeconds: number
  /** Log kept in memory, for readers that are behind. */
  readonly logBytes: number
  readonly checkpoint: CheckpointInfo
  readonly connections: readonly ConnectionInfo[]
}

export interface CheckpointInfo {
  readonly lsn: number
  readonly digest: string
  /** Time of day at the hub, in milliseconds. */
  readonly at: number
}

export interface HubInfo {
  readonly spaces: readonly SpaceInfo[]
  /** Empty while the hub answers. */
  readonly problem: string
  /** How long it took to answer. */
  readonly answerMs: number
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
    return await this.#ask(`./connections/${connection}`, 'DELETE')
  }

  /** Asks the hub to let its log go now. Resolves to what went wrong, or an empty text. */
  async checkpoint(space: string): Promise<string> {
    return await this.#ask(`./spaces/${encodeURIComponent(space)}/checkpoint`, 'POST')
  }

  async #ask(path: string, method: string): Promise<string> {
    try {
      const response = await fetch(path, { method, headers: this.#headers() })
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
    const askedAt = performance.now()
    const problem = (text: string) => {
      this.#info = { spaces: before, problem: text, answerMs: performance.now() - askedAt }
    }
    try {
      const response = await fetch('./spaces', { headers: this.#headers(), cache: 'no-store' })
      if (response.ok) {
        const spaces = (await response.json()) as SpaceInfo[]
        this.#info = { spaces, problem: '', answerMs: performance.now() - askedAt }
      } else
        problem(
          response.status === 401
            ? 'This hub asks for a token. It goes at the end of the address: #token=…'
            : `The hub answers with status ${response.status}.`,
        )
    } catch {
      problem('The hub does not answer. What you see is the last state.')
    }
    if (this.#stopped) return
    for (const listener of this.#listeners) listener()
    this.#timer = setTimeout(() => this.#poll(), pollMs)
  }
}

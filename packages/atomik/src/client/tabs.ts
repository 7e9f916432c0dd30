/**
 * One store, many tabs. Web Locks say who leads: the tab that has the lock of the space. The browser takes it from a tab that is closed or
 * has crashed and gives it to the next, which opens the store and goes on. Tabs talk over a BroadcastChannel.
 *
 *   program ── Follower ──┐
 *   program ── Follower ──┼── Leader ── Replica ── hub          in the tab that has the lock; its own program is a follower too
 *   program ── Follower ──┘               └ store
 *
 * Each tab holds a second lock for as long as it lives, by which the leader sees that it is gone and its changes need not be remembered.
 */
import { type Link, type LinkHandlers, MemoryTransport, type Transport } from '../adapters/index.ts'
import { Follower, formatIncarnation, Leader, loadReplica, type ReplicaStorage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import type { Core, LeadListener, Member, Place, SharedStorage } from './shared.ts'

/** What tabs say to each other; `to` and `from` are followers by name. */
type Message =
  /** Who leads? Answered by the leader, and said unasked by a new one. */
  | { readonly kind: 'who' }
  | { readonly kind: 'lead'; readonly from: string }
  | {
      readonly kind: 'open' | 'data' | 'close'
      readonly to: string
      readonly from: string
      /** Links of one tab, counted. */
      readonly link: number
      readonly bytes?: Uint8Array
    }

/** @param name tells this store from others of the same origin */
export function sharedByTabs(name: string, open: () => Promise<ReplicaStorage>): SharedStorage {
  return {
    join: async place => {
      const tab = new Tab(name, open, place)
      await tab.begin()
      return tab
    },
  }
}

class Tab implements Member {
  readonly replica: Follower
  readonly transport: Transport
  readonly #name: string
  readonly #lockName: string
  readonly #open: () => Promise<ReplicaStorage>
  readonly #place: Place
  readonly #channel: BroadcastChannel
  readonly #leaving = new AbortController()
  #releaseLife = () => {}
  #endLead = () => {}
  #leading: Promise<unknown> = Promise.resolve()
  #fail: (error: AtomikError) => void = error => {
    this.#failure = error
  }
  #failure: AtomikError | undefined
  /** Who leads, as far as is known; ourselves when `#core` is there. */
  #leader: string | undefined
  #core: Core | undefined
  /** The link of our follower: to another tab, or waiting for somebody to lead. */
  #link: TabLink | undefined
  #links = 0

  constructor(name: string, open: () => Promise<ReplicaStorage>, place: Place) {
    if (typeof navigator === 'undefined' || navigator.locks === undefined)
      throw new AtomikError(
        'storage',
        'tabs share a storage by Web Locks, which need a browser and https or localhost',
      )
    this.#open = open
    this.#place = place
    this.replica = new Follower({
      schema: place.schema,
      random32: place.random32,
      ...(place.undoDepth !== undefined && { undoDepth: place.undoDepth }),
    })
    this.#name = formatIncarnation(this.replica.id)
    this.#lockName = `atomik ${name} ${place.space}`
    this.#channel = new BroadcastChannel(this.#lockName)
    this.transport = { isOrdered: true, connect: handlers => this.#connect(handlers) }
  }

  get leads(): boolean {
    return this.#core !== undefined
  }

  onFail(listener: (error: AtomikError) => void): void {
    this.#fail = listener
    if (this.#failure !== undefined) listener(this.#failure)
  }

  async begin(): Promise<void> {
    await this.#hold(this.#lifeOf(this.#name))
    this.#channel.onmessage = event => this.#hear(event.data as Message)
    this.#leading = navigator.locks
      .request(this.#lockName, { signal: this.#leaving.signal }, () => this.#lead())
      .catch(cause => {
        if (this.#leaving.signal.aborted) return
        this.#fail(
          cause instanceof AtomikError ? cause : new AtomikError('storage', String(cause), { cause }),
        )
      })
    this.#post({ kind: 'who' })
  }

  async close(): Promise<void> {
    this.#link?.close()
    this.#leaving.abort()
    this.#endLead()
    await this.#leading
    this.#channel.close()
    this.#releaseLife()
  }

  #lifeOf(name: string): string {
    return `${this.#lockName} ${name}`
  }

  /** Takes the lock of our life and keeps it. */
  #hold(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      navigator.locks
        .request(name, () => {
          resolve()
          return new Promise<void>(release => {
            this.#releaseLife = release
          })
        })
        .catch(reject)
    })
  }

  #post(message: Message): void {
    this.#channel.postMessage(message)
  }

  // ── following ───────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(handlers: LinkHandlers): Link {
    const link = new TabLink(handlers, ++this.#links)
    this.#link = link
    this.#reach(link)
    return link
  }

  /** Opens the link to whoever leads; while nobody is known to, it waits. */
  #reach(link: TabLink): void {
    const to = this.#leader
    if (to === undefined) return
    if (this.#core !== undefined) {
      link.openWith(this.#serve)
      return
    }
    const { number } = link
    const say = (kind: 'open' | 'data' | 'close', bytes?: Uint8Array) =>
      this.#post({ kind, to, from: this.#name, link: number, ...(bytes !== undefined && { bytes }) })
    say('open')
    link.open({ send: bytes => say('data', bytes), close: () => say('close'), bufferedBytes: 0 })
  }

  #hear(message: Message): void {
    if (message.kind === 'who') {
      if (this.#core !== undefined) this.#post({ kind: 'lead', from: this.#name })
    } else if (message.kind === 'lead') {
      if (message.from === this.#leader || this.#core !== undefined) return
      const before = this.#leader
      this.#leader = message.from
      this.#changeLeader(before)
    } else if (message.to === this.#name) {
      const { kind, from, link, bytes } = message
      if (from === this.#leader && this.#core === undefined) {
        if (this.#link?.number !== link) return
        if (kind === 'data' && bytes !== undefined) this.#link.receive(bytes)
        else if (kind === 'close') this.#link.end('the leading tab closed the link')
      } else {
        this.#hearFollower(kind, from, link, bytes)
      }
    }
  }

  /** Links to the one before are of no use: the client opens another. One that waited has now somewhere to go. */
  #changeLeader(before: string | undefined): void {
    if (this.#link === undefined) return
    if (before === undefined) this.#reach(this.#link)
    else this.#link.end('another tab leads')
  }

  // ── leading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The far end of links of followers in this tab, and of those elsewhere by tab and number. */
  #serve: (link: Link) => LinkHandlers = () => ({ open: () => {}, message: () => {}, close: () => {} })
  readonly #served = new Map<string, LinkHandlers>()
  #mourn: (name: string) => void = () => {}

  /** Has the lock: opens the store and leads, until this tab is closed. */
  async #lead(): Promise<void> {
    const ended = new Promise<void>(resolve => {
      this.#endLead = resolve
    })
    const { space, schema } = this.#place
    const storage = await this.#open()
    try {
      const image = await loadReplica(storage, space, schema)
      if (this.#leaving.signal.aborted) return
      const links = new Map<number, Link>()
      let leader: Leader | undefined
      const listener: LeadListener = {
        changed: rows => leader?.changed(rows),
        moved: () => leader?.tell(),
        refused: (from, to, code) => leader?.refused(from, to, code),
        forked: incarnation => leader?.forked(incarnation),
        failed: (error, fatal) => leader?.fail(error, fatal),
      }
      const core = this.#place.lead(
        { image, write: puts => storage.write(puts), close: () => storage.close() },
        listener,
      )
      const led = new Leader(core, image.taken, (peer, bytes) => links.get(peer)?.send(bytes))
      leader = led
      let peers = 0
      this.#serve = link => {
        const peer = ++peers
        links.set(peer, link)
        return {
          open: () => {},
          message: bytes => led.receive(peer, bytes),
          close: () => {
            links.delete(peer)
            led.leave(peer)
          },
        }
      }
      const mourned = new Set([this.#name])
      this.#mourn = name => {
        if (mourned.has(name)) return
        mourned.add(name)
        navigator.locks
          .request(this.#lifeOf(name), { signal: this.#leaving.signal }, () => led.forget(parseName(name)))
          .catch(() => {}) // we are leaving ourselves
      }
      for (const name of image.taken.keys()) this.#mourn(name)
      this.#core = core
      const before = this.#leader
      this.#leader = this.#name
      this.#post({ kind: 'lead', from: this.#name })
      this.#changeLeader(before)
      await ended
      await core.close()
      this.#core = undefined
    } finally {
      await storage.close()
    }
  }

  #hearFollower(
    kind: 'open' | 'data' | 'close',
    from: string,
    number: number,
    bytes: Uint8Array | undefined,
  ): void {
    if (this.#core === undefined) return
    const name = `${from}/${number}`
    if (kind === 'open') {
      this.#mourn(from)
      const say = (kind: 'data' | 'close', bytes?: Uint8Array) =>
        this.#post({ kind, to: from, from: this.#name, link: number, ...(bytes !== undefined && { bytes }) })
      this.#served.set(
        name,
        this.#serve({ send: bytes => say('data', bytes), close: () => say('close'), bufferedBytes: 0 }),
      )
    } else if (kind === 'data' && bytes !== undefined) {
      this.#served.get(name)?.message(bytes)
    } else {
      this.#served.get(name)?.close('closed by the other side')
      this.#served.delete(name)
    }
  }
}

/** A follower's link: first to nobody, then to a leader, here or in another tab. */
class TabLink implements Link {
  readonly bufferedBytes = 0
  readonly number: number
  readonly #handlers: LinkHandlers
  #far: Link | undefined
  #isEnded = false

  constructor(handlers: LinkHandlers, number: number) {
    this.#handlers = handlers
    this.number = number
  }

  open(far: Link): void {
    if (this.#isEnded) return
    this.#far = far
    queueMicrotask(() => {
      if (!this.#isEnded) this.#handlers.open()
    })
  }

  /** To a leader in this tab. */
  openWith(serve: (link: Link) => LinkHandlers): void {
    if (this.#isEnded) return
    this.#far = new MemoryTransport(serve).connect({
      open: () => this.#handlers.open(),
      message: bytes => this.receive(bytes),
      close: reason => this.end(reason),
    })
  }

  receive(bytes: Uint8Array): void {
    if (!this.#isEnded) this.#handlers.message(bytes)
  }

  send(bytes: Uint8Array): void {
    if (!this.#isEnded) this.#far?.send(bytes)
  }

  close(): void {
    this.#far?.close()
    this.end('closed here')
  }

  end(reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    queueMicrotask(() => this.#handlers.close(reason))
  }
}

function parseName(name: string): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(name.slice(2 * i, 2 * i + 2), 16))
}

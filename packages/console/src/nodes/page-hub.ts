/** A hub inside the page: the space host that the real hub runs, with a store in memory, reached over a bad network. */
import { SpaceHost } from '@atomik/hub/space-host'
import { AtomikError, decodeSchema, type Schema } from 'atomik'
import { type Link, type LinkHandlers, MemoryStorage, type Transport } from 'atomik/adapters'
import { decodeUplink, Writer, writeError } from 'atomik/wire'
import type { BadNetwork } from './bad-link.ts'

/** The hub stands in the middle of the picture. */
const hubPlace = 0.5
const tickMs = 100

export class PageHub {
  readonly #storage = new MemoryStorage()
  readonly #network: BadNetwork
  readonly #ticker = setInterval(() => this.host?.tick(), tickMs)
  #nextId = 1
  host: SpaceHost | undefined

  constructor(network: BadNetwork) {
    this.#network = network
  }

  /** How a node at this place reaches the hub. A connection is made at once: what the network does to it comes after. */
  transportFrom(place: number): Transport {
    return { connect: handlers => this.#connect(place, handlers) }
  }

  stop(): void {
    clearInterval(this.#ticker)
  }

  #connect(place: number, handlers: LinkHandlers): Link {
    let isOpen = true
    const close = (reason: string) => {
      if (!isOpen) return
      isOpen = false
      this.host?.leave(peer)
      queueMicrotask(() => handlers.close(reason))
    }
    const peer = {
      id: this.#nextId++,
      send: (bytes: Uint8Array) => {
        const message = bytes.slice()
        this.#network.send(hubPlace, place, message.length, () => isOpen && handlers.message(message.slice()))
      },
      close: (_code: number, reason: string) => close(reason),
    }
    queueMicrotask(() => handlers.open())
    return {
      bufferedBytes: 0,
      send: bytes => {
        const message = bytes.slice()
        this.#network.send(place, hubPlace, message.length, () => {
          if (isOpen) this.#receive(peer, message)
        })
      },
      close: () => close('closed here'),
    }
  }

  #receive(peer: Parameters<SpaceHost['subscribe']>[0], message: Uint8Array): void {
    try {
      for (const frame of decodeUplink(message)) {
        if (frame.type === 'subscribe') {
          this.host ??= this.#open(frame.space, decodeSchema(frame.schema))
          this.host.subscribe(peer, frame, true)
        } else if (frame.type !== 'hello' && frame.type !== 'auth') this.host?.receive(peer, frame)
      }
    } catch (error) {
      if (!(error instanceof AtomikError)) throw error
      const w = new Writer()
      writeError(w, error.code, false, error.message)
      peer.send(w.finish())
      peer.close(4002, error.code)
    }
  }

  #open(name: string, schema: Schema): SpaceHost {
    const nothing = () => {}
    return new SpaceHost(
      name,
      schema,
      this.#storage,
      { fork: nothing, failed: nothing, committed: nothing },
      {},
    )
  }
}

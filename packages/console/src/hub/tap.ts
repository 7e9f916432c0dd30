/** A WebSocket transport that remembers the last messages, so that they can be looked at. */
import { type Link, type LinkHandlers, type Transport, WebSocketTransport } from 'atomik/adapters'

export interface TappedMessage {
  readonly id: number
  readonly at: number
  readonly fromHub: boolean
  readonly bytes: Uint8Array
}

const keptMessages = 60
/** Of a longer message only the beginning is kept. */
const keptBytes = 4096

export class TapTransport implements Transport {
  readonly #inner: WebSocketTransport
  #messages: TappedMessage[] = []
  #nextId = 1
  isPaused = false

  constructor(url: string) {
    this.#inner = new WebSocketTransport(url)
  }

  /** The last ones, newest first. */
  get messages(): readonly TappedMessage[] {
    return this.#messages
  }

  connect(handlers: LinkHandlers): Link {
    const link = this.#inner.connect({
      open: () => handlers.open(),
      message: bytes => {
        this.#note(true, bytes)
        handlers.message(bytes)
      },
      close: reason => handlers.close(reason),
    })
    return {
      get bufferedBytes() {
        return link.bufferedBytes
      },
      send: bytes => {
        this.#note(false, bytes)
        link.send(bytes)
      },
      close: () => link.close(),
    }
  }

  #note(fromHub: boolean, bytes: Uint8Array): void {
    if (this.isPaused) return
    const kept = { id: this.#nextId++, at: Date.now(), fromHub, bytes: bytes.slice(0, keptBytes) }
    this.#messages = [kept, ...this.#messages.slice(0, keptMessages - 1)]
  }
}

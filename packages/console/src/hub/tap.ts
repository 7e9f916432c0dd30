/** A WebSocket transport that remembers the last messages, so that they can be looked at. */
import { type Link, type LinkHandlers, type Transport, WebSocketTransport } from 'atomik/adapters'
import { decodeDownlink } from 'atomik/wire'
import type { RowBook } from './row-book.ts'

export interface TappedMessage {
  readonly id: number
  readonly at: number
  readonly fromHub: boolean
  readonly bytes: Uint8Array
  /** How many rows of each table had a number when it came: what it can be read against. */
  readonly known: readonly number[]
}

const keptMessages = 60
/** Of a longer message only the beginning is kept. */
const keptBytes = 32_768

export class TapTransport implements Transport {
  readonly #inner: WebSocketTransport
  readonly #book: RowBook
  #messages: TappedMessage[] = []
  #nextId = 1
  isPaused = false

  /** @param book follows every frame from the hub, also while paused */
  constructor(url: string, book: RowBook) {
    this.#inner = new WebSocketTransport(url)
    this.#book = book
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
        this.#followAll(bytes)
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

  #followAll(bytes: Uint8Array): void {
    try {
      for (const frame of decodeDownlink(bytes)) this.#book.follow(frame)
    } catch {
      // The replica says what is wrong with it.
    }
  }

  #note(fromHub: boolean, bytes: Uint8Array): void {
    if (this.isPaused) return
    const kept = {
      id: this.#nextId++,
      at: Date.now(),
      fromHub,
      bytes: bytes.slice(0, keptBytes),
      known: this.#book.known(),
    }
    this.#messages = [kept, ...this.#messages.slice(0, keptMessages - 1)]
  }
}

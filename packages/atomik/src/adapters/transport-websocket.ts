/** The transport over WebSocket (RFC 6455): one binary message for one of ours, no compression asked for. */
import { webSocketConstructor } from '#websocket'
import type { Link, LinkHandlers, Transport } from './transport.ts'

export class WebSocketTransport implements Transport {
  readonly isOrdered: boolean
  readonly #url: string
  readonly #openMs: number

  /**
   * @param openMs give up on a connection that is not open by then
   * @param isOrdered false where something between here and the hub reorders or repeats whole messages
   */
  constructor(url: string, openMs = 5000, isOrdered = true) {
    this.isOrdered = isOrdered
    this.#url = url
    this.#openMs = openMs
  }

  connect(handlers: LinkHandlers): Link {
    let socket: WebSocket | undefined
    let ended = false
    const end = (reason: string) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      handlers.close(reason)
    }
    const timer = setTimeout(() => {
      end(`no answer from ${this.#url} within ${this.#openMs} ms`)
      socket?.close()
    }, this.#openMs)
    webSocketConstructor().then(
      Socket => {
        if (ended) return
        socket = new Socket(this.#url)
        socket.binaryType = 'arraybuffer'
        socket.onopen = () => {
          clearTimeout(timer)
          if (!ended) handlers.open()
        }
        socket.onmessage = event => {
          if (!ended && event.data instanceof ArrayBuffer) handlers.message(new Uint8Array(event.data))
        }
        socket.onerror = () => {}
        socket.onclose = event =>
          end(event.reason === '' ? `connection closed (${event.code})` : event.reason)
      },
      error => end(error instanceof Error ? error.message : String(error)),
    )
    return {
      // Browsers take a copy, and a client's frame is masked into memory of its own.
      send: bytes => {
        if (socket?.readyState === 1) socket.send(bytes as Uint8Array<ArrayBuffer>)
      },
      close: () => {
        socket?.close()
        queueMicrotask(() => end('closed here'))
      },
      get bufferedBytes() {
        return socket?.bufferedAmount ?? 0
      },
    }
  }
}

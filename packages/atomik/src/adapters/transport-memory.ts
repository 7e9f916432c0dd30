/** A transport inside one process: messages arrive in a later turn of the event loop, in order. */
import type { Link, LinkHandlers, Transport } from './transport.ts'

/** Called for each new link with the far end's link; returns the far end's handlers. */
export type Accept = (link: Link) => LinkHandlers

class MemoryLink implements Link {
  readonly bufferedBytes = 0
  peer: MemoryLink | undefined
  handlers: LinkHandlers | undefined
  isOpen = false

  send(bytes: Uint8Array): void {
    if (!this.isOpen) return
    const message = bytes.slice()
    const peer = this.peer
    queueMicrotask(() => {
      if (peer?.isOpen) peer.handlers?.message(message)
    })
  }

  close(): void {
    const peer = this.peer
    this.shut('closed here')
    queueMicrotask(() => peer?.shut('closed by the other side'))
  }

  shut(reason: string): void {
    if (this.handlers === undefined) return
    this.isOpen = false
    const handlers = this.handlers
    this.handlers = undefined
    queueMicrotask(() => handlers.close(reason))
  }
}

export class MemoryTransport implements Transport {
  readonly isOrdered = true
  readonly #accept: Accept

  constructor(accept: Accept) {
    this.#accept = accept
  }

  connect(handlers: LinkHandlers): Link {
    const near = new MemoryLink()
    const far = new MemoryLink()
    near.peer = far
    far.peer = near
    near.handlers = handlers
    queueMicrotask(() => {
      if (near.handlers === undefined) return
      far.handlers = this.#accept(far)
      near.isOpen = true
      far.isOpen = true
      far.handlers.open()
      near.handlers?.open()
    })
    return near
  }
}

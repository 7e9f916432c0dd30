/**
 * The transport port: whole messages of bytes, in either direction, that may be lost, repeated or reordered without harm to
 * the engine above. One contract suite (`transport.contract.ts`) says what every adapter must do.
 */
export interface LinkHandlers {
  /** The link takes messages now. At most once. */
  open(): void
  /** One whole message; the bytes are the handler's to keep. */
  message(bytes: Uint8Array): void
  /** The link is gone, or never came to be. Exactly once, last. */
  close(reason: string): void
}

export interface Link {
  /**
   * Sends a message; on a link that is not open it is lost, silently, as on any network. Borrows the bytes until it returns: whoever
   * keeps them longer copies them.
   */
  send(bytes: Uint8Array): void
  /** Ends the link; `close` is called. */
  close(): void
  /** Bytes accepted by `send` and not yet taken by the network. */
  readonly bufferedBytes: number
}

export interface Transport {
  /** Its links keep the order of messages and repeat none; one that is cut loses the last of them. Then single changes travel shorter. */
  readonly isOrdered?: boolean
  connect(handlers: LinkHandlers): Link
}

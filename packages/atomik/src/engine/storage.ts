/**
 * The storage port: an ordered map of bytes to bytes with atomic, durable writes. Adapters live in `adapters`; one contract
 * suite (`adapters/storage.contract.ts`) says what every one of them must do.
 */
export interface Put {
  readonly key: Uint8Array
  /** Undefined removes the key. */
  readonly value: Uint8Array | undefined
}

export interface Storage {
  /** All entries whose key starts with `prefix`, in ascending order of key bytes. */
  range(prefix: Uint8Array): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>
  /**
   * Writes all puts or none. Resolves once they survive a power cut; writes are durable in the order of the calls.
   * Borrows keys and values until then.
   * @throws AtomikError `storage` with the cause; then none of them is there
   */
  write(puts: readonly Put[]): Promise<void>
  close(): Promise<void>
}

/** Adapters: where the engine meets the platform. Stores of a platform have entries of their own, `atomik/storage/…`. */
export { keepIn, type LockSpace } from './space-storage.ts'
export { IndexedDbStorage } from './storage-indexeddb.ts'
export { MemoryStorage } from './storage-memory.ts'
export type { Link, LinkHandlers, Transport } from './transport.ts'
export { type Accept, MemoryTransport } from './transport-memory.ts'
export { WebSocketTransport } from './transport-websocket.ts'

/** Adapters: where the engine meets the platform. The LMDB store has an entry of its own, `atomik/storage/lmdb`. */
export { MemoryStorage } from './storage-memory.ts'
export type { Link, LinkHandlers, Transport } from './transport.ts'
export { type Accept, MemoryTransport } from './transport-memory.ts'
export { WebSocketTransport } from './transport-websocket.ts'

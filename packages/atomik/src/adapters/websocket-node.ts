/** The WebSocket of the platform, or of the optional peer `ws` on a Node that has none. */
import { AtomikError } from '../errors.ts'

export async function webSocketConstructor(): Promise<typeof WebSocket> {
  if (typeof globalThis.WebSocket === 'function') return globalThis.WebSocket
  try {
    const ws = await import('ws')
    return ws.WebSocket as unknown as typeof WebSocket
  } catch (cause) {
    throw new AtomikError('network', 'this Node has no WebSocket: install the package ws beside atomik', {
      cause,
    })
  }
}

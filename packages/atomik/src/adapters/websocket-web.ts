/** The WebSocket of the platform, where it has one: browsers, Deno, Bun, Node from 22 on. */
export async function webSocketConstructor(): Promise<typeof WebSocket> {
  return WebSocket
}

/**
 * What every transport must do. Goal: the engine may rely on whole messages and on exactly one `close`, and on nothing
 * else. Method: the same checks on each adapter, against a far end that echoes.
 */
import { describe, expect, it } from 'vitest'
import type { Link, Transport } from './transport.ts'

export interface FarEnd {
  readonly transport: Transport
  /** Ends all links from the far side. */
  drop(): void
  stop(): Promise<void>
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const encode = (words: string) => new TextEncoder().encode(words)

interface Seen {
  readonly messages: Uint8Array[]
  readonly closes: string[]
  readonly link: Link
  readonly opened: Promise<void>
  readonly closed: Promise<void>
}

function observe(transport: Transport): Seen {
  const messages: Uint8Array[] = []
  const closes: string[] = []
  let open = () => {}
  let close = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  const closed = new Promise<void>(resolve => {
    close = resolve
  })
  const link = transport.connect({
    open: () => open(),
    message: bytes => messages.push(bytes),
    close: reason => {
      closes.push(reason)
      close()
    },
  })
  return { messages, closes, link, opened, closed }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

export function transportContract(
  name: string,
  start: () => Promise<FarEnd>,
  unreachable: Transport | undefined,
): void {
  describe(`transport contract: ${name}`, () => {
    it('carries whole messages, in order, empty and large ones too', async () => {
      const far = await start()
      const seen = observe(far.transport)
      await seen.opened
      const large = new Uint8Array(300_000).map((_, i) => i * 7)
      for (const message of [encode('one'), new Uint8Array(0), large, encode('two')]) seen.link.send(message)
      await until(() => seen.messages.length === 4)
      expect(text(seen.messages[0])).toBe('one')
      expect(seen.messages[1].length).toBe(0)
      expect(Buffer.compare(seen.messages[2], large)).toBe(0)
      expect(text(seen.messages[3])).toBe('two')
      seen.link.close()
      await seen.closed
      await far.stop()
    })
    it('borrows bytes no longer than a call: they may change right after it', async () => {
      const far = await start()
      const seen = observe(far.transport)
      await seen.opened
      const message = encode('before')
      seen.link.send(message)
      message.set(encode('behind'))
      seen.link.send(message)
      message.fill(0)
      await until(() => seen.messages.length === 2)
      expect(seen.messages.map(text)).toEqual(['before', 'behind'])
      seen.link.close()
      await seen.closed
      await far.stop()
    })

    it('closes exactly once, whoever ends it, and forgets what is sent afterwards', async () => {
      const far = await start()
      const [mine, theirs] = [observe(far.transport), observe(far.transport)]
      await Promise.all([mine.opened, theirs.opened])
      mine.link.close()
      mine.link.close()
      await mine.closed
      far.drop()
      await theirs.closed
      theirs.link.send(encode('lost'))
      theirs.link.close()
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(mine.closes.length).toBe(1)
      expect(theirs.closes.length).toBe(1)
      expect(theirs.messages).toEqual([])
      await far.stop()
    })
    it('loses what is sent before it is open, without a fuss', async () => {
      const far = await start()
      const seen = observe(far.transport)
      seen.link.send(encode('too early'))
      await seen.opened
      seen.link.send(encode('in time'))
      await until(() => seen.messages.length > 0)
      expect(text(seen.messages[0])).toBe('in time')
      seen.link.close()
      await seen.closed
      await far.stop()
    })
    if (unreachable !== undefined)
      it('closes with a reason when nobody answers', async () => {
        const seen = observe(unreachable)
        await seen.closed
        expect(seen.closes.length).toBe(1)
        expect(seen.closes[0].length).toBeGreaterThan(5)
      })
  })
}

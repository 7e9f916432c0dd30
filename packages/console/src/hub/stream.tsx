/** Messages between the hub and this page: what each frame says, beside its bytes. */
import { decodeDownlink, decodeUplink } from 'atomik/wire'
import { useState } from 'preact/hooks'
import { bytes as formatBytes } from '../format.ts'
import type { TappedMessage, TapTransport } from './tap.ts'

const shownBytes = 512

interface Explained {
  readonly summary: string
  readonly frames: string
}

function explain({ fromHub, bytes }: TappedMessage): Explained {
  try {
    const frames = fromHub ? decodeDownlink(bytes) : decodeUplink(bytes)
    return {
      summary: frames.map(({ type }) => type).join(', '),
      frames: JSON.stringify(frames, printable, 1).replaceAll(/^[[\]{}\s,]*\n/gm, ''),
    }
  } catch (error) {
    // Only the beginning of a long message is kept, and that alone is no message.
    return { summary: 'the beginning of a long message', frames: String(error) }
  }
}

function printable(name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (name === 'token') return '…'
  if (value instanceof Uint8Array || value instanceof Int32Array) return hex(Uint8Array.from(value), 96)
  return value
}

function hex(bytes: Uint8Array, most: number): string {
  const digits = [...bytes.subarray(0, most)].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
  return bytes.length > most ? `${digits} … ${bytes.length} bytes` : digits
}

export function Stream({ tap }: { tap: TapTransport }) {
  const [picked, setPicked] = useState<TappedMessage>()
  const [paused, setPaused] = useState(false)
  const { messages } = tap
  const shown = picked ?? messages[0]
  const explained = shown === undefined ? undefined : explain(shown)
  return (
    <section class="card stream" aria-labelledby="stream-title">
      <div class="title">
        <h2 id="stream-title">Messages of this page</h2>
        <button
          type="button"
          class="small"
          aria-pressed={paused}
          onClick={() => {
            tap.isPaused = !paused
            setPaused(!paused)
          }}
        >
          {paused ? 'Go on' : 'Hold'}
        </button>
      </div>
      <div class="stream-sides">
        <ol data-testid="messages">
          {messages.slice(0, 12).map(message => (
            <li key={message.id}>
              <button
                type="button"
                class="message"
                aria-pressed={picked?.id === message.id}
                onClick={() => setPicked(picked?.id === message.id ? undefined : message)}
              >
                <b>{message.fromHub ? '↓' : '↑'}</b>
                <span>{explain(message).summary}</span>
                <span>{formatBytes(message.bytes.length)}</span>
              </button>
            </li>
          ))}
        </ol>
        {shown !== undefined && explained !== undefined && (
          <div class="explained" data-testid="explained">
            <pre>
              <code>{hex(shown.bytes, shownBytes)}</code>
            </pre>
            <pre>
              <code>{explained.frames}</code>
            </pre>
          </div>
        )}
      </div>
    </section>
  )
}

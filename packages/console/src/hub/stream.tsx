/** Messages between the hub and this page, taken apart: each range of bytes has a name, found by pointing at it or by arrow keys. */
import type { TargetedKeyboardEvent } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { bytes as formatBytes } from '../format.ts'
import { type ByteRange, type Dissection, dissect } from './dissect.ts'
import type { SpaceModel } from './space-model.ts'
import type { TappedMessage } from './tap.ts'

/** Of a longer message only the beginning is shown. */
const shownBytes = 480
const listedMessages = 14

const time = (at: number) => new Date(at).toISOString().slice(11, 23)

export function Stream({ space }: { space: SpaceModel }) {
  const [picked, setPicked] = useState<TappedMessage>()
  const [paused, setPaused] = useState(false)
  const { tap, schema, book } = space
  const { messages } = tap
  // The newest would run away from under the pointer: what is taken apart stays until another is picked.
  const shown = picked ?? messages.find(({ bytes }) => bytes.length > 1)
  const dissection = useMemo(
    () => (shown === undefined ? undefined : dissect(shown, schema, book)),
    [shown?.id, schema, book],
  )
  return (
    <section class="card stream" aria-labelledby="stream-title">
      <div class="title">
        <h2 id="stream-title">Messages of this page, byte by byte</h2>
        <div class="tools">
          {picked !== undefined && (
            <button type="button" class="small" onClick={() => setPicked(undefined)}>
              Follow the newest
            </button>
          )}
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
      </div>
      <div class="stream-sides">
        <ol data-testid="messages" aria-label="Messages, newest first">
          {messages.slice(0, listedMessages).map(message => (
            <li key={message.id}>
              <button
                type="button"
                class="message"
                aria-pressed={picked?.id === message.id}
                onClick={() => setPicked(picked?.id === message.id ? undefined : message)}
              >
                <b title={message.fromHub ? 'from the hub' : 'to the hub'}>{message.fromHub ? '↓' : '↑'}</b>
                <span>{summaryOf(message, space)}</span>
                <small>{formatBytes(message.bytes.length)}</small>
              </button>
            </li>
          ))}
        </ol>
        {shown !== undefined && dissection !== undefined && (
          <Bytes key={shown.id} message={shown} dissection={dissection} onTouch={() => setPicked(shown)} />
        )}
      </div>
    </section>
  )
}

const summaries = new WeakMap<TappedMessage, string>()

/** The frames of a message. It is asked for at each drawing, and found once. */
function summaryOf(message: TappedMessage, { schema, book }: SpaceModel): string {
  let summary = summaries.get(message)
  if (summary === undefined) {
    const { frames, problem } = dissect(message, schema, book)
    summary = problem === '' ? frames.map(({ type }) => type).join(', ') : 'the beginning of a long message'
    summaries.set(message, summary)
  }
  return summary
}

interface BytesProps {
  readonly message: TappedMessage
  readonly dissection: Dissection
  /** Somebody looks closer: this message stays. */
  readonly onTouch: () => void
}

function Bytes({ message, dissection, onTouch }: BytesProps) {
  const shown = useMemo(() => dissection.ranges.filter(({ from }) => from < shownBytes), [dissection])
  const [at, setAt] = useState(0)
  const box = useRef<HTMLDivElement>(null)
  const isFocused = useRef(false)
  useEffect(() => {
    if (isFocused.current) box.current?.querySelector<HTMLElement>(`[data-range="${at}"]`)?.focus()
  }, [at])
  const key = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const to = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: shown.length - 1,
    }[event.key]
    if (to === undefined) return
    event.preventDefault()
    onTouch()
    setAt(Math.max(0, Math.min(shown.length - 1, to)))
  }
  const range = shown[Math.min(at, shown.length - 1)]
  return (
    <div class="taken-apart" data-testid="explained">
      <p class="note">
        {message.fromHub ? 'From the hub' : 'To the hub'} at {time(message.at)}, {message.bytes.length} bytes
        {message.bytes.length > shownBytes && `, the first ${shownBytes} of them here`}
      </p>
      <div
        class="bytes"
        ref={box}
        role="toolbar"
        aria-label="Bytes of the message, range by range"
        aria-describedby="range-said"
        onKeyDown={key}
        onFocusIn={() => {
          isFocused.current = true
        }}
        onFocusOut={() => {
          isFocused.current = false
        }}
        data-testid="bytes"
      >
        {shown.map((each, i) => (
          <button
            key={each.from}
            type="button"
            class={`range ${each.kind}`}
            data-range={i}
            tabIndex={i === at ? 0 : -1}
            aria-pressed={i === at}
            aria-label={`${placeOf(each)}: ${each.name}${each.value === '' ? '' : `, ${each.value}`}: ${hexOf(message.bytes, each)}`}
            onClick={() => {
              onTouch()
              setAt(i)
            }}
            onPointerEnter={event => {
              if (event.pointerType === 'mouse') setAt(i)
            }}
          >
            {hexOf(message.bytes, each)}
          </button>
        ))}
      </div>
      {range !== undefined && (
        <dl class="range-said" id="range-said" data-testid="range">
          <dt class={`range ${range.kind}`}>{placeOf(range)}</dt>
          <dd>
            <b>{range.name}</b> {range.value}
          </dd>
        </dl>
      )}
      <ol
        class="range-list"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
        tabIndex={0}
        aria-label="All ranges, by name"
        data-testid="ranges"
      >
        {shown.map((each, i) => (
          <li key={each.from} class={i === at ? 'now' : undefined}>
            <span class={`range ${each.kind}`}>{each.end - each.from}</span> {each.name}{' '}
            <span class="range-value">{each.value}</span>
          </li>
        ))}
      </ol>
    </div>
  )
}

const placeOf = ({ from, end }: ByteRange) =>
  end - from === 1 ? `byte ${from}` : `bytes ${from} to ${end - 1}`

function hexOf(bytes: Uint8Array, { from, end, kind }: ByteRange): string {
  const shown = bytes.subarray(from, Math.min(end, shownBytes))
  if (kind === 'secret') return shown.length > 1 ? `·· × ${shown.length}` : '··'
  return [...shown].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
}

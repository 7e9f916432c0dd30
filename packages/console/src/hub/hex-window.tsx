/** Some bytes in sixteens, each to be selected by pointer or arrow keys; those that change light up. */
import type { TargetedKeyboardEvent } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

const lineBytes = 16

interface HexWindowProps {
  /** Where the first byte stands in its region. */
  readonly from: number
  readonly bytes: Uint8Array
  /** A line is drawn where a page begins. */
  readonly pageBytes: number
  readonly selected: number
  readonly onSelect: (at: number) => void
}

export function HexWindow({ from, bytes, pageBytes, selected, onSelect }: HexWindowProps) {
  const box = useRef<HTMLDivElement>(null)
  const before = useRef({ from, bytes })
  const isFocused = useRef(false)
  useEffect(() => {
    const old = before.current
    before.current = { from, bytes }
    if (old.from !== from) return
    for (const [i, byte] of bytes.entries())
      if (i < old.bytes.length && byte !== old.bytes[i])
        box.current
          ?.querySelector(`[data-at="${from + i}"]`)
          ?.animate([{ boxShadow: '0 0 0 2px var(--series-b)' }, { boxShadow: '0 0 0 2px transparent' }], {
            duration: 1500,
            easing: 'steps(10)',
          })
  })
  useEffect(() => {
    if (isFocused.current) box.current?.querySelector<HTMLElement>(`[data-at="${selected}"]`)?.focus()
  }, [selected])
  const key = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: lineBytes, ArrowUp: -lineBytes }[event.key]
    if (by === undefined) return
    event.preventDefault()
    const to = selected + by
    if (to >= from && to < from + bytes.length) onSelect(to)
  }
  const lines = Array.from({ length: Math.ceil(bytes.length / lineBytes) }, (_, line) => line * lineBytes)
  return (
    <div
      class="hex"
      ref={box}
      role="toolbar"
      aria-label="Bytes of the region"
      onKeyDown={key}
      onFocusIn={() => {
        isFocused.current = true
      }}
      onFocusOut={() => {
        isFocused.current = false
      }}
      data-testid="hex"
    >
      {lines.map(line => (
        <div key={line} class={(from + line) % pageBytes === 0 ? 'hex-line first' : 'hex-line'}>
          <span class="hex-offset">{(from + line).toString(16).padStart(6, '0')}</span>
          {[...bytes.subarray(line, line + lineBytes)].map((byte, i) => {
            const at = from + line + i
            return (
              <button
                key={at}
                type="button"
                class="hex-byte"
                data-at={at}
                tabIndex={at === selected ? 0 : -1}
                aria-pressed={at === selected}
                aria-label={`byte ${at}: ${byte.toString(16).padStart(2, '0')}`}
                onClick={() => onSelect(at)}
              >
                {byte.toString(16).padStart(2, '0')}
              </button>
            )
          })}
          <span class="hex-text" aria-hidden="true">
            {[...bytes.subarray(line, line + lineBytes)]
              .map(byte => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·'))
              .join('')}
          </span>
        </div>
      ))}
    </div>
  )
}

/** One field of one row: its value, lit for a moment when it changes, and the way to change it. */
import type { Field } from 'atomik'
import { useEffect, useRef, useState } from 'preact/hooks'
import { BitSquares } from './bit-squares.tsx'
import type { AnyHandle } from './space-model.ts'
import { parseValue } from './values.ts'

/** Bits that fit into a cell as squares; more are shown as text, and one by one below the table. */
const cellBits = 16

interface CellProps {
  readonly label: string
  readonly field: Field
  readonly text: string
  readonly writable: boolean
  readonly onChange: (make: (handle: AnyHandle) => number) => void
}

export function Cell({ label, field, text, writable, onChange }: CellProps) {
  const value = useLit(text)
  if (field.kind === 'bits' && field.count <= cellBits && /^[01]+$/.test(text))
    return (
      <span class="value">
        <BitSquares label={label} bits={[...text].map(bit => bit === '1')} />
      </span>
    )
  if (!writable || field.kind === 'bits' || field.kind === 'array')
    return (
      <span class="value" ref={value} title={text}>
        {text}
      </span>
    )
  if (field.kind === 'toggle' || field.kind === 'flag')
    return (
      <label class="value" ref={value}>
        <input
          type="checkbox"
          checked={text === 'on'}
          aria-label={label}
          onChange={event => {
            const on = event.currentTarget.checked
            onChange(handle => (field.kind === 'flag' ? handle.set?.(on) : handle.flip?.()) ?? 0)
          }}
        />
        {text}
      </label>
    )
  if (field.kind === 'counter')
    return (
      <span class="value" ref={value}>
        <button
          type="button"
          class="small"
          aria-label={`− 1 ${label}`}
          onClick={() => onChange(handle => handle.add?.(-1) ?? 0)}
        >
          −
        </button>
        <button
          type="button"
          class="small"
          aria-label={`+ 1 ${label}`}
          onClick={() => onChange(handle => handle.add?.(1) ?? 0)}
        >
          +
        </button>{' '}
        {text}
      </span>
    )
  return <Register label={label} type={field.type} text={text} lit={value} onChange={onChange} />
}

interface RegisterProps {
  readonly label: string
  readonly type: string
  readonly text: string
  readonly lit: { current: HTMLElement | null }
  readonly onChange: CellProps['onChange']
}

function Register({ label, type, text, lit, onChange }: RegisterProps) {
  const [draft, setDraft] = useState<string>()
  const [wrong, setWrong] = useState(false)
  const names = /^enum\((.*)\)$/.exec(type)?.[1].split(',') ?? (type === 'bool' ? ['off', 'on'] : undefined)
  const commit = (entered: string) => {
    const value = parseValue(type, entered)
    setWrong(value === undefined)
    if (value === undefined) return
    setDraft(undefined)
    if (entered !== text) onChange(handle => handle.set?.(value) ?? 0)
  }
  return (
    <span class="value" ref={lit}>
      {names !== undefined ? (
        <select aria-label={label} value={text} onChange={event => commit(event.currentTarget.value)}>
          {names.map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
      ) : (
        <input
          aria-label={label}
          aria-invalid={wrong}
          value={draft ?? text}
          onInput={event => setDraft(event.currentTarget.value)}
          onKeyDown={event => {
            if (event.key === 'Enter') commit(event.currentTarget.value)
            if (event.key === 'Escape') setDraft(undefined)
          }}
          onBlur={() => {
            setDraft(undefined)
            setWrong(false)
          }}
        />
      )}
    </span>
  )
}

/** Lights its element when the text becomes another. */
function useLit(text: string) {
  const element = useRef<HTMLElement>(null)
  const before = useRef(text)
  useEffect(() => {
    if (before.current === text) return
    before.current = text
    // In ten steps: between them the browser has nothing to compute or paint. A fade of opacity would give each cell a layer of its own, and
    // cost more than the ten thousand squares above it (measured: 8 to 9 ms a frame against 5 to 8).
    element.current?.animate(
      [
        { backgroundColor: 'color-mix(in srgb, var(--series-b) 45%, transparent)' },
        { backgroundColor: 'transparent' },
      ],
      { duration: 1500, easing: 'steps(10)' },
    )
  }, [text])
  // A label and a span are both elements; which of them it is does not matter here.
  return element as { current: never }
}

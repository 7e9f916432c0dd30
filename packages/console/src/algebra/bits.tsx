/** A word as a row of bits, most significant first, in groups of four. */
import type { TargetedKeyboardEvent } from 'preact'
import { useRef, useState } from 'preact/hooks'

const isSet = (value: bigint, bit: number) => ((value >> BigInt(bit)) & 1n) === 1n

/** Of wider words the lowest bits are drawn; the text says the rest. */
export const drawnBits = 128

/** Bits in groups of four from the right: [[7,6,5,4],[3,2,1,0]]. */
function nibbles(width: number): number[][] {
  const groups: number[][] = []
  for (let top = Math.min(width, drawnBits) - 1; top >= 0; ) {
    const bottom = top - (top % 4)
    groups.push(Array.from({ length: top - bottom + 1 }, (_, i) => top - i))
    top = bottom - 1
  }
  return groups
}

interface ShownBits {
  readonly name: string
  readonly text: string
  readonly value: bigint
  readonly width: number
  /** Bits to mark: those that the last operation changed, say. */
  readonly marked?: bigint
}

export function Bits({ name, text, value, width, marked = 0n }: ShownBits) {
  return (
    <span class="bits" role="img" aria-label={`${name}: ${text}`}>
      {nibbles(width).map(group => (
        <span class="nibble" key={group[0]}>
          {group.map(bit => (
            <i
              key={bit}
              class={`bit${isSet(value, bit) ? ' one' : ''}${isSet(marked, bit) ? ' marked' : ''}`}
            >
              {isSet(value, bit) ? 1 : 0}
            </i>
          ))}
        </span>
      ))}
    </span>
  )
}

interface EditableBits {
  readonly value: bigint
  readonly width: number
  readonly onChange: (value: bigint) => void
}

/** Bits to click. One stop for the tab key; arrows go from bit to bit, space and enter flip. */
export function BitButtons({ value, width, onChange }: EditableBits) {
  const [current, setCurrent] = useState(0)
  const group = useRef<HTMLFieldSetElement>(null)
  const go = (bit: number) => {
    const to = Math.max(0, Math.min(width - 1, drawnBits - 1, bit))
    setCurrent(to)
    group.current?.querySelector<HTMLButtonElement>(`[data-bit="${to}"]`)?.focus()
  }
  const key = (event: TargetedKeyboardEvent<HTMLButtonElement>, bit: number) => {
    const to =
      event.key === 'ArrowLeft'
        ? bit + 1
        : event.key === 'ArrowRight'
          ? bit - 1
          : event.key === 'Home'
            ? width - 1
            : event.key === 'End'
              ? 0
              : undefined
    if (to === undefined) return
    event.preventDefault()
    go(to)
  }
  return (
    <fieldset class="bits" ref={group}>
      <legend class="unseen">Bits of the delta</legend>
      {nibbles(width).map(bits => (
        <span class="nibble" key={bits[0]}>
          {bits.map(bit => (
            <button
              key={bit}
              type="button"
              data-bit={bit}
              class={`bit${isSet(value, bit) ? ' one' : ''}`}
              aria-pressed={isSet(value, bit)}
              aria-label={`bit ${bit}`}
              tabIndex={bit === Math.min(current, width - 1, drawnBits - 1) ? 0 : -1}
              onFocus={() => setCurrent(bit)}
              onKeyDown={event => key(event, bit)}
              onClick={() => onChange(value ^ (1n << BigInt(bit)))}
            />
          ))}
        </span>
      ))}
    </fieldset>
  )
}

/** Bits as small squares; those that change light up, each for itself. */
import { useEffect, useRef } from 'preact/hooks'

interface BitSquaresProps {
  readonly label: string
  readonly bits: readonly boolean[]
  /** Makes each a button. */
  readonly onFlip?: (bit: number) => void
}

export function BitSquares({ label, bits, onFlip }: BitSquaresProps) {
  const box = useRef<HTMLSpanElement>(null)
  const before = useRef(bits)
  useEffect(() => {
    const old = before.current
    before.current = bits
    if (old === bits || old.length !== bits.length) return
    for (const [i, bit] of bits.entries())
      if (bit !== old[i])
        box.current?.children[i]?.animate(
          [{ boxShadow: '0 0 0 2px var(--series-b)' }, { boxShadow: '0 0 0 2px transparent' }],
          { duration: 1500 },
        )
  }, [bits])
  if (onFlip === undefined)
    return (
      <span class="squares" role="img" aria-label={`${label}: ${textOf(bits)}`} ref={box}>
        {bits.map((bit, i) => (
          <i key={i} class={bit ? 'square one' : 'square'} />
        ))}
      </span>
    )
  return (
    <span class="squares" ref={box}>
      {bits.map((bit, i) => (
        <button
          key={i}
          type="button"
          class={bit ? 'square one' : 'square'}
          aria-label={`bit ${i} of ${label}`}
          aria-pressed={bit}
          onClick={() => onFlip(i)}
        />
      ))}
    </span>
  )
}

const textOf = (bits: readonly boolean[]) => bits.map(bit => (bit ? 1 : 0)).join('')

/** The algebra in five steps, each a sentence and the click that does it. */
import { useState } from 'preact/hooks'
import { canUndo, type Program } from './program.ts'

interface TourProps {
  readonly program: Program
  readonly isFull: boolean
  readonly acts: {
    readonly accumulate: () => void
    readonly read: () => void
    readonly undo: (id: number) => void
    readonly move: (from: number, to: number) => void
    readonly swap: () => void
  }
}

export function Tour({ program, isFull, acts }: TourProps) {
  const [done, setDone] = useState<readonly number[]>([])
  const { steps, lane } = program
  const undoable = steps.find(({ id }) => canUndo(program, id))?.id
  const stops = [
    {
      title: 'A write is a delta',
      text: 'It is folded into the accumulator. The reference, which may be huge, is not touched.',
      act: isFull ? undefined : acts.accumulate,
    },
    {
      title: 'A read joins the two',
      text: 'state = reference ⊙ accumulator: nothing is replayed, however many deltas there were.',
      act: acts.read,
    },
    {
      title: 'Order does not matter',
      text: 'So two nodes may fold the same deltas as they come, and end equal.',
      act: steps.length > 1 ? () => acts.move(0, steps.length - 1) : undefined,
    },
    {
      title: 'Undo is a delta too',
      text:
        lane === 'max'
          ? 'Not in this lane: the larger value has won. In the other two the inverse goes in, and later deltas stay.'
          : 'The inverse goes into the accumulator. What came later stays as it is; no history is kept.',
      act: undoable === undefined || isFull ? undefined : () => acts.undo(undoable),
    },
    {
      title: 'SWAP begins anew',
      text: 'It hands out the state and makes it the reference, with an empty accumulator.',
      act: acts.swap,
    },
  ]
  return (
    <section class="card tour" aria-labelledby="tour-title">
      <h2 id="tour-title">In five clicks</h2>
      <ol>
        {stops.map(({ title, text, act }, i) => (
          <li key={title}>
            <h3>{title}</h3>
            <p class="note">{text}</p>
            <button
              type="button"
              class="small"
              disabled={act === undefined}
              onClick={() => {
                act?.()
                setDone([...done, i])
              }}
            >
              {done.includes(i) ? 'Again' : 'Do it'}
              <span class="unseen">: step {i + 1}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  )
}

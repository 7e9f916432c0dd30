/** The deltas in their order: dragged, moved by key, or taken back. */
import { useMemo, useState } from 'preact/hooks'
import { canUndo, checkOrders, type Program } from './program.ts'

interface DeltaListProps {
  readonly program: Program
  readonly text: (value: bigint) => string
  readonly isFull: boolean
  readonly onMove: (from: number, to: number) => void
  readonly onUndo: (id: number) => void
}

export function DeltaList({ program, text, isFull, onMove, onUndo }: DeltaListProps) {
  const { steps } = program
  const [dragged, setDragged] = useState<number>()
  const [over, setOver] = useState<number>()
  const check = useMemo(() => checkOrders(program), [program])
  const drop = (to: number) => {
    if (dragged !== undefined && dragged !== to) onMove(dragged, to)
    setDragged(undefined)
    setOver(undefined)
  }
  return (
    <section class="card" aria-labelledby="deltas-title">
      <div class="title">
        <h2 id="deltas-title">Accumulated since LOAD, in this order</h2>
        <span class="legend" data-testid="orders">
          {steps.length < 2
            ? 'drag to reorder'
            : `${check.all ? 'all' : 'random'} ${check.tried} orders tried: ${check.agreeing} end in the same state`}
        </span>
      </div>
      {steps.length === 0 && <p class="note">Nothing: the state is the reference.</p>}
      <ol class="deltas">
        {steps.map((step, at) => (
          <li
            key={step.id}
            draggable
            class={over === at && dragged !== at ? 'over' : undefined}
            data-testid={`delta-${step.id}`}
            onDragStart={event => {
              event.dataTransfer?.setData('text/plain', text(step.delta))
              setDragged(at)
            }}
            onDragOver={event => {
              if (dragged === undefined) return
              event.preventDefault()
              setOver(at)
            }}
            onDragEnd={() => {
              setDragged(undefined)
              setOver(undefined)
            }}
            onDrop={event => {
              event.preventDefault()
              drop(at)
            }}
          >
            <b>δ{step.id}</b>
            <code>{text(step.delta)}</code>
            <span class="role">{step.undoes === undefined ? '' : `takes back δ${step.undoes}`}</span>
            <span class="chip-buttons">
              <button
                type="button"
                class="small"
                disabled={at === 0}
                aria-label={`Move δ${step.id} earlier`}
                onClick={() => onMove(at, at - 1)}
              >
                ←
              </button>
              <button
                type="button"
                class="small"
                disabled={at === steps.length - 1}
                aria-label={`Move δ${step.id} later`}
                onClick={() => onMove(at, at + 1)}
              >
                →
              </button>
              <button
                type="button"
                class="small"
                disabled={isFull || !canUndo(program, step.id)}
                aria-label={`Undo δ${step.id}`}
                onClick={() => onUndo(step.id)}
              >
                undo
              </button>
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

import type { ConnectedSpace } from 'atomik'
import { useRow, useStatus, useTable } from 'atomik/react'
import { memo, useRef, useState } from 'react'
import type { tables } from './schema.ts'

type Space = ConnectedSpace<typeof tables>

export function Machines({ space }: { space: Space }) {
  // Only the keys: this list is rendered again when a machine comes or goes, not when one changes.
  const keys = useTable(space.machines, rows => rows.map(row => row.key).sort())
  const own = useRef<number[]>([])
  const [undoable, setUndoable] = useState(0)
  const did = (change: number) => setUndoable(own.current.push(change))
  const undo = () => {
    const change = own.current.pop()
    if (change !== undefined) space.undo(change)
    setUndoable(own.current.length)
  }
  return (
    <>
      <header>
        <h1>Machines</h1>
        <Status space={space} />
        <button type="button" disabled={undoable === 0} onClick={undo}>
          Undo
        </button>
      </header>
      <ul>
        {keys.map(name => (
          <Machine key={name} space={space} name={name} did={did} />
        ))}
      </ul>
      <form
        onSubmit={event => {
          event.preventDefault()
          const input = event.currentTarget.elements.namedItem('name') as HTMLInputElement
          if (input.value.trim() !== '') did(space.machines.row(input.value.trim()).parts.add(0))
          input.value = ''
        }}
      >
        <input name="name" aria-label="Name of a new machine" placeholder="another machine" />
        <button type="submit">Add</button>
      </form>
    </>
  )
}

function Status({ space }: { space: Space }) {
  const text = useStatus(space, ({ live, pending }) =>
    live ? (pending === 0 ? 'saved' : `${pending} on the way`) : 'no hub',
  )
  return <span role="status">{text}</span>
}

interface MachineProps {
  readonly space: Space
  readonly name: string
  /** Keeps the number of a change, for undo. */
  readonly did: (change: number) => void
}

/** Rendered again when a field of this machine changed, and at no other time. */
const Machine = memo(
  ({ space, name, did }: MachineProps) => {
    const { running, parts, note } = useRow(space.machines, name)
    const row = space.machines.row(name)
    const renders = useRef(0)
    renders.current++
    return (
      <li data-machine={name} data-renders={renders.current}>
        <b>{name}</b>
        <label>
          <input
            type="checkbox"
            checked={running}
            onChange={event => did(row.running.set(event.currentTarget.checked))}
          />{' '}
          runs
        </label>
        <span className="parts">
          <output>{parts}</output>
          <button type="button" onClick={() => did(row.parts.add(1))} aria-label={`One more part of ${name}`}>
            +1
          </button>
        </span>
        <input
          key={note}
          defaultValue={note}
          aria-label={`Note on ${name}`}
          placeholder="note"
          onBlur={event => {
            if (event.currentTarget.value !== note) did(row.note.set(event.currentTarget.value))
          }}
        />
      </li>
    )
  },
  // `did` is another function at each rendering of the list, and does the same.
  (before, after) => before.space === after.space && before.name === after.name,
)

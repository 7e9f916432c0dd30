/** The rows of a table: only those in sight are in the document, ten thousand or more scroll by. */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import { useEffect, useReducer, useRef } from 'preact/hooks'
import { Cell } from './cell.tsx'
import type { AnyHandle, SpaceModel, TableModel } from './space-model.ts'
import { fieldType, valueText } from './values.ts'

const rowHeight = 30

interface RowsTableProps {
  readonly space: SpaceModel
  readonly table: TableModel
  /** Places in `table.keys` that the search left. */
  readonly places: readonly number[]
  readonly writable: boolean
  /** A place to bring into sight; a new object each time. */
  readonly target: { readonly place: number } | undefined
  /** The row that is shown bit by bit. */
  readonly picked: string | undefined
  readonly onPick: (key: string) => void
}

export function RowsTable({ space, table, places, writable, target, picked, onPick }: RowsTableProps) {
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtual(box, places.length)
  useEffect(() => {
    const index = target === undefined ? -1 : places.indexOf(target.place)
    if (index >= 0) virtual.scrollToIndex(index, { align: 'center' })
  }, [target])
  const fields = Object.entries(table.schema.fields)
  const items = virtual.getVirtualItems()
  const above = items[0]?.start ?? 0
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  return (
    <div
      class="rows-box"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
      tabIndex={0}
      data-testid="rows"
    >
      <table aria-rowcount={places.length + 1} style={{ minWidth: `${140 + fields.length * 124}px` }}>
        <caption class="unseen">Rows of {table.name}</caption>
        <thead>
          <tr>
            <th scope="col">key</th>
            {fields.map(([name, field]) => (
              <th scope="col" key={name}>
                {name}
                <small>{fieldType(field)}</small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Gap height={above} columns={fields.length + 1} />
          {items.map(({ index }) => {
            const key = table.keys[places[index]]
            const row = space.row(table.name, key)
            const exists = row?.exists === true
            const values: Readonly<Record<string, unknown>> = row?.read() ?? {}
            return (
              <tr
                key={key}
                aria-rowindex={index + 2}
                class={exists ? undefined : 'gone'}
                style={{ height: rowHeight }}
                data-key={key}
              >
                <th scope="row">
                  <button
                    type="button"
                    class="row-key"
                    aria-pressed={key === picked}
                    title="bit by bit"
                    onClick={() => onPick(key)}
                  >
                    {key}
                  </button>
                </th>
                {fields.map(([name, field]) => (
                  <td key={name} data-field={name}>
                    <Cell
                      label={`${name} of ${key}`}
                      field={field}
                      text={exists ? valueText(values[name]) : '–'}
                      writable={writable && exists}
                      onChange={make => {
                        const handle = row?.[name] as unknown as AnyHandle | undefined
                        if (handle !== undefined) space.change(() => make(handle))
                      }}
                    />
                  </td>
                ))}
              </tr>
            )
          })}
          <Gap height={below} columns={fields.length + 1} />
        </tbody>
      </table>
    </div>
  )
}

/** Stands for the rows that are out of sight. */
function Gap({ height, columns }: { height: number; columns: number }) {
  return height <= 0 ? null : (
    <tr>
      <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
    </tr>
  )
}

function useVirtual(box: { readonly current: HTMLDivElement | null }, count: number) {
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  const made = useRef<Virtualizer<HTMLDivElement, Element>>()
  made.current ??= new Virtualizer<HTMLDivElement, Element>({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 6,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw(undefined),
  })
  const virtual = made.current
  virtual.setOptions({ ...virtual.options, count })
  useEffect(() => virtual._didMount(), [virtual])
  useEffect(() => virtual._willUpdate())
  return virtual
}

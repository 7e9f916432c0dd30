/** The rows of a table: only those in sight are in the document, ten thousand or more scroll by. */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import { useEffect, useReducer, useRef } from 'preact/hooks'
import { Cell } from './cell.tsx'
import type { AnyHandle, SpaceModel, TableModel } from './space-model.ts'
import { fieldType, valueText } from './values.ts'

const rowHeight = 30
const headHeight = 40

interface RowsTableProps {
  readonly space: SpaceModel
  readonly table: TableModel
  /** Places in `table.keys` that the search left. */
  readonly places: readonly number[]
  readonly writable: boolean
  /** A place to bring into sight; a new object each time. */
  readonly target: { readonly place: number } | undefined
}

export function RowsTable({ space, table, places, writable, target }: RowsTableProps) {
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtual(box, places.length)
  useEffect(() => {
    const index = target === undefined ? -1 : places.indexOf(target.place)
    if (index >= 0) virtual.scrollToIndex(index, { align: 'center' })
  }, [target])
  const fields = Object.entries(table.schema.fields)
  const columns = `minmax(96px, 1.2fr) repeat(${fields.length}, minmax(104px, 1fr))`
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
    // biome-ignore lint/a11y/useSemanticElements: only the rows in sight exist, which a table element cannot say
    <div
      class="rows-box"
      ref={box}
      role="table"
      tabIndex={0}
      aria-label={`Rows of ${table.name}`}
      aria-rowcount={places.length + 1}
    >
      <div
        class="rows-head"
        role="row"
        tabIndex={-1}
        style={{ gridTemplateColumns: columns, height: headHeight }}
      >
        <span role="columnheader" tabIndex={-1}>
          key
        </span>
        {fields.map(([name, field]) => (
          <span role="columnheader" tabIndex={-1} key={name}>
            {name}
            <small>{fieldType(field)}</small>
          </span>
        ))}
      </div>
      <div class="rows-body" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const place = places[index]
          const key = table.keys[place]
          const row = space.row(table.name, key)
          const exists = row?.exists === true
          const values: Readonly<Record<string, unknown>> = row?.read() ?? {}
          return (
            <div
              role="row"
              tabIndex={-1}
              aria-rowindex={index + 2}
              key={key}
              class={exists ? 'row' : 'row gone'}
              style={{ gridTemplateColumns: columns, transform: `translateY(${start}px)`, height: rowHeight }}
              data-key={key}
            >
              <span role="rowheader" tabIndex={-1}>
                {key}
              </span>
              {fields.map(([name, field]) => {
                const handle = row?.[name] as unknown as AnyHandle | undefined
                return (
                  <span role="cell" key={name} data-field={name}>
                    <Cell
                      label={`${name} of ${key}`}
                      field={field}
                      text={exists ? valueText(values[name]) : '–'}
                      writable={writable && exists}
                      onChange={make => handle !== undefined && space.change(() => make(handle))}
                    />
                  </span>
                )
              })}
            </div>
          )
        })}
      </div>
    </div>
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

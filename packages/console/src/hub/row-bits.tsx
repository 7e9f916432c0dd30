/** One row, field by field, as the bits that stand in its words: those that just changed are lit. */
import type { Field } from 'atomik'
import { useMemo } from 'preact/hooks'
import { BitSquares } from './bit-squares.tsx'
import type { AnyHandle, SpaceModel, TableModel } from './space-model.ts'
import { bitsOf, fieldType, valueText } from './values.ts'

interface RowBitsProps {
  readonly space: SpaceModel
  readonly table: TableModel
  readonly rowKey: string
  readonly writable: boolean
  readonly onClose: () => void
}

export function RowBits({ space, table, rowKey, writable, onClose }: RowBitsProps) {
  const row = space.row(table.name, rowKey)
  const exists = row?.exists === true
  const values: Readonly<Record<string, unknown>> = row?.read() ?? {}
  return (
    <section class="row-bits" aria-label={`${rowKey}, bit by bit`} data-testid="row-bits">
      <div class="title">
        <h3>{exists ? `${rowKey}, bit by bit` : `${rowKey} was removed`}</h3>
        <button type="button" class="small" onClick={onClose}>
          Close
        </button>
      </div>
      {exists && (
        <dl>
          {Object.entries(table.schema.fields).map(([name, field]) => (
            <FieldBits
              key={name}
              name={name}
              field={field}
              value={values[name]}
              {...(writable &&
                field.kind === 'bits' && {
                  onFlip: (bit: number) =>
                    space.change(() => (row?.[name] as unknown as AnyHandle | undefined)?.flip?.(bit) ?? 0),
                })}
            />
          ))}
        </dl>
      )}
    </section>
  )
}

interface FieldBitsProps {
  readonly name: string
  readonly field: Field
  readonly value: unknown
  readonly onFlip?: (bit: number) => void
}

function FieldBits({ name, field, value, onFlip }: FieldBitsProps) {
  const text = valueText(value)
  // The same bits keep their identity, so that only those that change are lit.
  const bits = useMemo(() => bitsOf(field, value), [field, text])
  return (
    <>
      <dt>
        {name} <small>{fieldType(field)}</small>
      </dt>
      <dd data-testid={`bits-${name}`}>
        <BitSquares label={name} bits={bits} {...(onFlip !== undefined && { onFlip })} />
        {field.kind !== 'bits' && <output>{text}</output>}
      </dd>
    </>
  )
}

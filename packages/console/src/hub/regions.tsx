/** A table of regions: byte arrays by name, looked at a window at a time, patched by whoever is their writer. */
import type { Region } from 'atomik'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { bytes as formatBytes } from '../format.ts'
import { HexWindow } from './hex-window.tsx'
import { pageOf, type SpaceModel, type TableModel } from './space-model.ts'
import { parseValue } from './values.ts'

/** Bytes in sight. */
const windowBytes = 512

interface RegionsProps {
  readonly space: SpaceModel
  readonly table: TableModel
  /** Places in `table.keys` that the search left: one a page. */
  readonly places: readonly number[]
  readonly writable: boolean
  /** A place to bring into sight; a new object each time. */
  readonly target: { readonly place: number } | undefined
}

export function Regions({ space, table, places, writable, target }: RegionsProps) {
  const names = useMemo(() => [...new Set(places.map(place => pageOf(table.keys[place]).name))], [places])
  const [picked, setPicked] = useState<string>()
  const [from, setFrom] = useState(0)
  const look = (name: string, at: number) => {
    setPicked(name)
    setFrom(Math.floor(at / windowBytes) * windowBytes)
  }
  useEffect(() => {
    if (target === undefined) return
    const { name, page } = pageOf(table.keys[target.place])
    look(name, page * (space.region(table.name, name)?.pageBytes ?? 0))
  }, [target])
  const shown = names.includes(picked ?? '') ? picked : names[0]
  const region = shown === undefined ? undefined : space.region(table.name, shown)
  return (
    <div class="regions" data-testid="regions">
      <ul aria-label={`Regions of ${table.name}`}>
        {names.map(name => (
          <li key={name}>
            <button
              type="button"
              class="region-name"
              aria-pressed={name === shown}
              onClick={() => look(name, 0)}
            >
              <b>{name}</b>
              <span>{summaryOf(space.region(table.name, name))}</span>
            </button>
          </li>
        ))}
      </ul>
      {region !== undefined && (
        <RegionBytes
          key={region.name}
          space={space}
          region={region}
          from={from < region.length ? from : 0}
          writable={writable}
          onGo={at => look(region.name, at)}
        />
      )}
    </div>
  )
}

function summaryOf(region: Region | undefined): string {
  if (region?.exists !== true) return 'removed'
  return `${formatBytes(region.length)} · ${Math.ceil(region.length / region.pageBytes)} pages`
}

interface RegionBytesProps {
  readonly space: SpaceModel
  readonly region: Region
  readonly from: number
  readonly writable: boolean
  readonly onGo: (at: number) => void
}

const writers = {
  us: 'this page is its writer',
  others: 'somebody else is its writer',
  nobody: 'nobody is its writer',
}

function RegionBytes({ space, region, from, writable, onGo }: RegionBytesProps) {
  const { length, pageBytes, writer } = region
  const [at, setAt] = useState(from)
  const bytes = region.read(from, windowBytes)
  const last = Math.max(0, length - 1)
  const selected = Math.min(Math.max(at, from), from + Math.max(0, bytes.length - 1))
  const page = (place: number) => Math.floor(place / pageBytes)
  return (
    <div class="region">
      <div class="title">
        <span class="note" data-testid="region-said">
          digest {region.digest()} · {writers[writer]}
        </span>
        <div class="tools">
          {writer === 'us' ? (
            <button type="button" class="small" onClick={() => space.attempt(() => region.release())}>
              Let it go
            </button>
          ) : (
            <button
              type="button"
              class="small"
              disabled={!writable}
              onClick={() => space.attempt(() => region.claim({ force: writer === 'others' }))}
            >
              {writer === 'others' ? 'Take it over' : 'Become its writer'}
            </button>
          )}
        </div>
      </div>
      <div class="tools pager">
        <button
          type="button"
          class="small"
          disabled={from === 0}
          aria-label="The bytes before"
          onClick={() => onGo(from - windowBytes)}
        >
          ←
        </button>
        <label>
          page{' '}
          <input
            type="number"
            min={1}
            max={page(last) + 1}
            value={page(from) + 1}
            data-testid="region-page"
            onChange={event => {
              const wanted = event.currentTarget.valueAsNumber - 1
              if (wanted >= 0 && wanted <= page(last)) onGo(wanted * pageBytes)
              else event.currentTarget.value = String(page(from) + 1)
            }}
          />{' '}
          of {page(last) + 1}
        </label>
        <button
          type="button"
          class="small"
          disabled={from + windowBytes >= length}
          aria-label="The bytes after"
          onClick={() => onGo(from + windowBytes)}
        >
          →
        </button>
        <span>{length === 0 ? 'no bytes' : `bytes ${from} to ${from + bytes.length - 1} of ${length}`}</span>
      </div>
      <HexWindow from={from} bytes={bytes} pageBytes={pageBytes} selected={selected} onSelect={setAt} />
      <PatchForm
        key={selected}
        offset={selected}
        byte={bytes[selected - from]}
        canPatch={writable && writer === 'us'}
        onPatch={patch => space.change(() => region.patch(selected, patch))}
      />
    </div>
  )
}

interface PatchFormProps {
  readonly offset: number
  /** Undefined where there is none yet. */
  readonly byte: number | undefined
  readonly canPatch: boolean
  readonly onPatch: (bytes: Uint8Array) => void
}

function PatchForm({ offset, byte, canPatch, onPatch }: PatchFormProps) {
  const [draft, setDraft] = useState('')
  const patch = parseValue('bytes', draft.replaceAll(/\s/g, ''))
  const isWrong = draft !== '' && !(patch instanceof Uint8Array && patch.length > 0)
  return (
    <form
      class="tools"
      onSubmit={event => {
        event.preventDefault()
        if (!(patch instanceof Uint8Array) || patch.length === 0) return
        onPatch(patch)
        setDraft('')
      }}
    >
      <output data-testid="region-byte">
        {byte === undefined ? `no byte ${offset}` : `byte ${offset}: ${hex(byte)} = ${byte}`}
      </output>
      <label>
        becomes{' '}
        <input
          value={draft}
          placeholder="ff 00 7a"
          spellcheck={false}
          autocomplete="off"
          disabled={!canPatch}
          aria-invalid={isWrong}
          data-testid="patch"
          onInput={event => setDraft(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="small" disabled={!canPatch || draft === '' || isWrong}>
        Patch
      </button>
      <span>{canPatch ? 'one byte or more, in hexadecimal' : 'only its writer may patch it'}</span>
    </form>
  )
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0')

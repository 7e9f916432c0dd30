/** A running hub: its spaces, the rows of one of them, who is connected, and what goes over the wire. */
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import type { ViewProps } from '../app.tsx'
import { bytes, bytesShort, count, decimal } from '../format.ts'
import { Plot } from '../plot.tsx'
import { setParameters } from '../shell/route.ts'
import { cssValue } from '../theme.ts'
import { History } from './history.ts'
import { type ConnectionInfo, HubWatch, type SpaceInfo } from './hub-info.ts'
import { Pulse } from './pulse.tsx'
import { Regions } from './regions.tsx'
import { RowBits } from './row-bits.tsx'
import { RowsTable } from './rows-table.tsx'
import { SpaceModel, type TableModel } from './space-model.ts'
import { Stream } from './stream.tsx'
import './hub.css'

export function HubView({ origin = '', token, parameters }: ViewProps) {
  const watch = useMemo(() => new HubWatch(token), [token])
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  useEffect(() => {
    const stop = watch.subscribe(() => redraw(undefined))
    return () => {
      stop()
      watch.stop()
    }
  }, [watch])
  const [name, setName] = useState(parameters.get('space') ?? undefined)
  const { info } = watch
  const chosen = info?.spaces.find(space => space.name === name) ?? info?.spaces[0]
  useEffect(
    () => setParameters({ view: 'hub', ...(chosen !== undefined && { space: chosen.name }) }),
    [chosen?.name],
  )
  return (
    <div class="view hub">
      <section class="card spaces" aria-labelledby="spaces-title">
        <h2 id="spaces-title">Spaces</h2>
        <p class="problem" role="status">
          {info?.problem ?? ''}
        </p>
        {info !== undefined && info.spaces.length === 0 && info.problem === '' && (
          <p class="note">None yet: the first client that connects to one makes it.</p>
        )}
        <ul>
          {info?.spaces.map(space => (
            <li key={space.name}>
              <button
                type="button"
                aria-current={space.name === chosen?.name ? 'true' : undefined}
                onClick={() => setName(space.name)}
              >
                <b>{space.name}</b>
                <span>
                  version {count(space.lsn)} · {count(sum(space.rows))} rows · {space.readers} connected
                </span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      {chosen !== undefined && (
        <Space
          key={`${chosen.name} ${chosen.schemaHash}`}
          info={chosen}
          origin={origin}
          token={token}
          answerMs={info?.answerMs ?? 0}
          watch={watch}
        />
      )}
    </div>
  )
}

const sum = (numbers: Readonly<Record<string, number>>) => Object.values(numbers).reduce((a, b) => a + b, 0)

interface SpaceProps {
  readonly info: SpaceInfo
  readonly origin: string
  readonly token: string | undefined
  readonly answerMs: number
  readonly watch: HubWatch
}

function Space({ info, origin, token, answerMs, watch }: SpaceProps) {
  const space = useMemo(() => new SpaceModel(origin, info.name, info.schema, token), [])
  const history = useMemo(() => new History(), [])
  const taken = useRef<SpaceInfo>()
  if (taken.current !== info) {
    taken.current = info
    history.take(performance.now() / 1000, info, answerMs, space.totals)
  }
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  useEffect(() => {
    const stop = space.subscribe(() => redraw(undefined))
    return () => {
      stop()
      space.close()
    }
  }, [space])
  const [said, setSaid] = useState('')
  const { status } = space
  // Drawn again with each sample, once a second, and not with each change.
  const figures = useMemo(() => <Figures history={history} />, [history.taken])
  return (
    <div class="space">
      <section class="card facts-card" aria-labelledby="space-title">
        <div class="title">
          <h2 id="space-title">{info.name}</h2>
          <div class="tools">
            <span data-testid="rights">
              {info.writable ? 'this token may write' : 'read-only: this token may not write'}
            </span>
            <button
              type="button"
              class="small"
              disabled={!info.writable}
              onClick={async () =>
                setSaid(
                  (await watch.checkpoint(info.name)) || 'The state is the reference now; the log is let go.',
                )
              }
            >
              Checkpoint now
            </button>
          </div>
        </div>
        <dl class="facts">
          <Fact name="Version" value={count(info.lsn)} />
          <Fact name="Here" value={status === undefined ? '–' : count(status.lsn)} />
          <Fact name="Pending here" value={status === undefined ? '–' : count(status.pending)} />
          <Fact name="Rows" value={count(sum(info.rows))} />
          <Fact name="Connected" value={count(info.readers)} />
          <Fact name="Schema" value={info.schemaHash} />
          <Fact
            name={`Checkpoint ${count(info.stats.checkpoints)}`}
            value={`${ago(info.checkpoint.at)} at ${count(info.checkpoint.lsn)}`}
            title={`digest ${info.checkpoint.digest}`}
          />
          <Fact name="Log in memory" value={bytes(info.logBytes)} />
        </dl>
        <p class="problem" role="status" data-testid="space-problem">
          {space.problem || said}
        </p>
      </section>
      <Rows space={space} rows={info.rows} writable={info.writable} />
      {figures}
      <Connections
        info={info}
        onCut={async id =>
          setSaid((await watch.cut(id)) || `Connection ${id} is cut; its client will come back.`)
        }
      />
      <Stream space={space} />
    </div>
  )
}

interface RowsProps {
  readonly space: SpaceModel
  /** Rows by table, as the hub counts them. */
  readonly rows: Readonly<Record<string, number>>
  readonly writable: boolean
}

function Rows({ space, rows, writable }: RowsProps) {
  const [tableName, setTableName] = useState(space.tables[0].name)
  const [search, setSearch] = useState('')
  const [target, setTarget] = useState<{ place: number }>()
  const [picked, setPicked] = useState<string>()
  const table = space.tables.find(({ name }) => name === tableName) ?? space.tables[0]
  const places = usePlaces(table, search)
  return (
    <section class="card rows-card" aria-labelledby="rows-title">
      <div class="title">
        <h2 id="rows-title">
          {table.name}: {count(places.length)} {table.isRegions ? 'pages' : 'rows'}
        </h2>
        <div class="tools">
          {space.tables.length > 1 && (
            <label>
              table{' '}
              <select
                value={tableName}
                onChange={event => {
                  setTableName(event.currentTarget.value)
                  setTarget(undefined)
                  setPicked(undefined)
                }}
              >
                {space.tables.map(({ name }) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
          )}
          <label>
            search{' '}
            <input
              type="search"
              value={search}
              placeholder="part of a key"
              data-testid="search"
              onInput={event => setSearch(event.currentTarget.value)}
            />
          </label>
          <button type="button" disabled={space.undoable === 0} onClick={() => space.undo()}>
            Undo
          </button>
          <button type="button" disabled={space.redoable === 0} onClick={() => space.redo()}>
            Redo
          </button>
          <button type="button" onClick={() => download(`${space.name}.json`, space.export())}>
            Export
          </button>
        </div>
      </div>
      <Pulse
        key={table.name}
        table={table}
        expected={rows[table.name] ?? 0}
        onPick={place => {
          setTarget({ place })
          if (!table.isRegions) setPicked(table.keys[place])
        }}
      />
      {table.isRegions ? (
        <Regions
          key={table.name}
          space={space}
          table={table}
          places={places}
          writable={writable}
          target={target}
        />
      ) : (
        <RowsTable
          key={table.name}
          space={space}
          table={table}
          places={places}
          writable={writable}
          target={target}
          picked={picked}
          onPick={key => setPicked(key === picked ? undefined : key)}
        />
      )}
      {picked !== undefined && (
        <RowBits
          key={`${table.name} ${picked}`}
          space={space}
          table={table}
          rowKey={picked}
          writable={writable}
          onClose={() => setPicked(undefined)}
        />
      )}
    </section>
  )
}

const inOrder = new Intl.Collator('en', { numeric: true })

/** Places of the rows whose key has the text in it, by key: pump-9 before pump-10. */
function usePlaces(table: TableModel, search: string): readonly number[] {
  return useMemo(() => {
    const wanted = search.trim().toLowerCase()
    const places: number[] = []
    table.keys.forEach((key, place) => {
      if (wanted === '' || key.toLowerCase().includes(wanted)) places.push(place)
    })
    return places.sort((a, b) => inOrder.compare(table.keys[a], table.keys[b]))
  }, [table, table.keys.length, search])
}

function Figures({ history }: { history: History }) {
  const times = history.times()
  const a = { color: () => cssValue('--series-a'), cssColor: 'var(--series-a)' }
  const b = { color: () => cssValue('--series-b'), cssColor: 'var(--series-b)' }
  const c = { color: () => cssValue('--good'), cssColor: 'var(--good)' }
  const saved = history.saved()
  const whole = (value: number) => count(Math.round(value))
  return (
    <section class="card figures" aria-label="The last minute">
      <Plot
        title="Throughput"
        series={[
          { label: 'changes', ...a },
          { label: 'batches', ...b },
        ]}
        times={times}
        lines={[history.rate('changes'), history.rate('batches')]}
        format={whole}
        unit="/s"
        values="each"
      />
      <Plot
        title="Latency"
        series={[
          { label: 'hub answers', ...a },
          { label: 'commit', ...b },
          { label: 'own change', ...c },
        ]}
        times={times}
        lines={[history.level('answer'), history.commitMs(), history.level('confirm')]}
        format={value => `${value < 10 ? decimal(value) : whole(value)} ms`}
        values="each"
      />
      <Plot
        title={saved === undefined ? 'Saved bytes' : `Saved bytes: ${decimal(100 * saved)} %`}
        series={[
          { label: 'as whole rows', ...b },
          { label: 'carried', ...a },
        ]}
        times={times}
        lines={[history.rate('rows'), history.rate('carried')]}
        format={bytes}
        axisFormat={bytesShort}
        unit="/s"
        values="each"
      />
      <Plot
        title="Bytes of all clients"
        series={[
          { label: 'sent', ...a },
          { label: 'received', ...b },
        ]}
        times={times}
        lines={[history.rate('sent'), history.rate('received')]}
        format={bytes}
        axisFormat={bytesShort}
        unit="/s"
        values="each"
      />
      <Plot
        title="Furthest behind"
        series={[{ label: 'lag', ...b }]}
        times={times}
        lines={[history.level('lag')]}
        format={whole}
        values="each"
      />
      <Plot
        title="Log in memory"
        series={[{ label: 'until the next checkpoint', ...a }]}
        times={times}
        lines={[history.level('log')]}
        format={bytes}
        axisFormat={bytesShort}
        values="each"
      />
    </section>
  )
}

function Connections({ info, onCut }: { info: SpaceInfo; onCut: (id: number) => void }) {
  return (
    <section class="card connections" aria-labelledby="connections-title">
      <h2 id="connections-title">Connections</h2>
      <div
        class="scroll"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
        tabIndex={0}
      >
        <table>
          <thead>
            <tr>
              {['Client', 'Has', 'Lag', 'Backlog', 'Sent', 'Received', ''].map(title => (
                <th key={title} scope="col">
                  {title === '' ? <span class="unseen">Cut</span> : title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {info.connections.map(connection => (
              <ConnectionRow
                key={connection.id}
                lsn={info.lsn}
                connection={connection}
                writable={info.writable}
                onCut={onCut}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

interface ConnectionRowProps {
  readonly lsn: number
  readonly connection: ConnectionInfo
  readonly writable: boolean
  readonly onCut: (id: number) => void
}

function ConnectionRow({ lsn, connection, writable, onCut }: ConnectionRowProps) {
  const { id } = connection
  return (
    <tr data-testid={`connection-${id}`}>
      <th scope="row">{id}</th>
      <td>{count(connection.lsn)}</td>
      <td>{count(Math.max(0, lsn - connection.lsn))}</td>
      <td>{bytes(connection.backlogBytes)}</td>
      <td>{bytes(connection.sentBytes)}</td>
      <td>{bytes(connection.receivedBytes)}</td>
      <td>
        <button
          type="button"
          class="small"
          disabled={!writable}
          aria-label={`Cut client ${id}`}
          onClick={() => onCut(id)}
        >
          Cut
        </button>
      </td>
    </tr>
  )
}

/** How long ago a time of day was, by this machine's clock. */
function ago(at: number): string {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000))
  return seconds < 100 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`
}

function Fact({ name, value, title }: { name: string; value: string; title?: string }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function download(name: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}

/** The replicas, one row each, with the button that cuts and heals; the page itself is the last one. */
import { bytes, count } from '../format.ts'
import { regionHue } from '../theme.ts'
import type { HubView, ReplicaView } from './live-hub.ts'

const columns = [
  'Replica',
  'State',
  'Version',
  'Lag',
  'Pending',
  'Changes',
  'Repeats dropped',
  'Gaps repaired',
  'Reconnects',
  'Sent',
  'Received',
] as const
/** Rows kept free before the first state is here: the usual number, so that nothing moves. */
const usualRows = 8

type State = 'live' | 'cutting' | 'cut' | 'reconnecting'
const stateOf = ({ cut, live }: ReplicaView): State =>
  cut ? (live ? 'cutting' : 'cut') : live ? 'live' : 'reconnecting'

interface Props {
  view: HubView
  onCut: (key: string, cut: boolean) => void
}

export function ReplicaTable({ view: { replicas, page, run, connection }, onCut }: Props) {
  const lagMax = Math.max(100, ...replicas.map(({ lag }) => lag))
  // While everything is healed and compared, the run obeys no cuts.
  const isSteerable = run?.phase !== 'healing' && run?.phase !== 'verifying'
  return (
    <section class="replicas" aria-labelledby="replicas-title">
      <h2 id="replicas-title">Replicas</h2>
      <table aria-labelledby="replicas-title">
        <thead>
          <tr>
            {columns.map(name => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
            <th scope="col">
              <span class="unseen">Link</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {replicas.map(replica => (
            <Line
              {...replica}
              key={replica.key}
              testId={`replica-${replica.key}`}
              hue={regionHue(replica.region, replicas.length)}
              state={stateOf(replica)}
              version={replica.lsn}
              lagMax={lagMax}
            >
              <button
                type="button"
                aria-pressed={replica.cut}
                aria-disabled={!isSteerable}
                aria-label={`${replica.cut ? 'Heal' : 'Cut'} ${replica.name}`}
                onClick={() => isSteerable && onCut(replica.key, !replica.cut)}
              >
                {replica.cut ? 'Heal' : 'Cut'}
              </button>
            </Line>
          ))}
          {replicas.length === 0 &&
            Array.from({ length: usualRows }, (_, i) => (
              <tr class="empty" key={i}>
                <td colSpan={columns.length + 1} />
              </tr>
            ))}
          {page === undefined ? (
            <tr class="empty">
              <td colSpan={columns.length + 1} />
            </tr>
          ) : (
            <Line
              testId="replica-page"
              name="This page"
              hue={undefined}
              state={connection === 'live' ? 'live' : 'reconnecting'}
              version={page.lsn}
              lagMax={lagMax}
              changes={undefined}
              {...page}
            />
          )}
        </tbody>
      </table>
    </section>
  )
}

interface LineProps {
  testId: string
  name: string
  hue: number | undefined
  state: State
  version: number
  lag: number
  lagMax: number
  pending: number
  changes: number | undefined
  duplicatesDropped: number
  gapsRepaired: number
  reconnects: number
  bytesSent: number
  bytesReceived: number
  children?: preact.ComponentChildren
}

function Line(line: LineProps) {
  const figures: [label: (typeof columns)[number], text: string][] = [
    ['Pending', count(line.pending)],
    ['Changes', line.changes === undefined ? '–' : count(line.changes)],
    ['Repeats dropped', count(line.duplicatesDropped)],
    ['Gaps repaired', count(line.gapsRepaired)],
    ['Reconnects', count(line.reconnects)],
    ['Sent', bytes(line.bytesSent)],
    ['Received', bytes(line.bytesReceived)],
  ]
  return (
    <tr data-testid={line.testId} data-state={line.state}>
      <th scope="row">
        <span
          class="swatch"
          style={line.hue === undefined ? undefined : { background: `oklch(var(--region-tone) ${line.hue})` }}
        />
        {line.name}
      </th>
      <td class="state" data-label="State">
        <span>{line.state}</span>
      </td>
      <td data-label="Version">{count(line.version)}</td>
      <td data-label="Lag" class="lag">
        <i style={{ transform: `scaleX(${line.lag / line.lagMax})` }} />
        <span>{count(line.lag)}</span>
      </td>
      {figures.map(([label, text]) => (
        <td key={label} data-label={label}>
          {text}
        </td>
      ))}
      <td class="link">{line.children}</td>
    </tr>
  )
}

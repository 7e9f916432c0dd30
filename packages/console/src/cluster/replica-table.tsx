/** Where each replica stands, in words: what the picture shows, for those who cannot see it. */
import { count } from '../format.ts'
import type { Target } from './cluster-painter.ts'
import type { Moment, Standing } from './recording.ts'

function stateOf({ down, connected, live, blocked, slow, stormy }: Standing): string {
  if (down) return 'down'
  if (blocked) return 'partitioned'
  if (!connected) return 'not connected'
  if (!live) return 'greeting'
  return stormy ? 'live, storm' : slow ? 'live, slow' : 'live'
}

/** A colour for a digest: the eye finds two that are equal sooner than it reads them. */
const swatch = (digest: string) =>
  `oklch(65% 0.15 ${Math.round((Number.parseInt(digest.slice(0, 4), 16) * 360) / 65_536)})`

interface ReplicaTableProps {
  readonly moment: Moment
  readonly picked: Target
  readonly onPick: (target: Target) => void
}

export function ReplicaTable({ moment, picked, onPick }: ReplicaTableProps) {
  const { hub } = moment
  return (
    <section class="card standings" aria-labelledby="standings-title">
      <h2 id="standings-title">Replicas</h2>
      <div
        class="scroll"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
        tabIndex={0}
      >
        <table data-testid="standings">
          <thead>
            <tr>
              {['Machine', 'Version', 'Behind', 'Pending', 'Digest', 'State', 'Kept in'].map(title => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Row
              name="hub"
              memory="disk"
              lsn={hub.lsn}
              behind=""
              pending=""
              digest={hub.digest}
              state={hub.down ? 'down' : hub.full ? 'disk full' : 'up'}
              isPicked={picked === -1}
              onPick={() => onPick(-1)}
            />
            {moment.replicas.map((replica, node) => (
              <Row
                key={replica.name}
                name={replica.name}
                memory={replica.durable ? 'disk' : 'memory'}
                lsn={replica.lsn}
                behind={count(Math.max(0, hub.lsn - replica.lsn))}
                pending={count(replica.pending)}
                digest={replica.digest}
                state={stateOf(replica)}
                isPicked={picked === node}
                onPick={() => onPick(node)}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

interface RowProps {
  readonly name: string
  /** Where it keeps itself. */
  readonly memory: 'disk' | 'memory'
  readonly lsn: number
  readonly behind: string
  readonly pending: string
  readonly digest: string
  readonly state: string
  readonly isPicked: boolean
  readonly onPick: () => void
}

function Row({ name, memory, lsn, behind, pending, digest, state, isPicked, onPick }: RowProps) {
  const isWell = /^(live|up)/.test(state)
  return (
    <tr data-testid={`standing-${name}`} class={isPicked ? 'picked' : undefined}>
      <th scope="row">
        <button type="button" class="small" aria-pressed={isPicked} onClick={onPick}>
          {name}
        </button>
      </th>
      <td>{count(lsn)}</td>
      <td>{behind}</td>
      <td class={pending !== '' && pending !== '0' ? 'waits' : undefined}>{pending}</td>
      <td>
        {digest !== '' && <i class="key" style={{ background: swatch(digest) }} />}
        <code>{digest.slice(0, 8)}</code>
      </td>
      <td class={isWell ? undefined : 'unwell'}>{state}</td>
      <td>{memory}</td>
    </tr>
  )
}

/** Faults by click: for the machine that is picked, and for all; and those that are in the run. */
import type { Target } from './cluster-painter.ts'
import { seconds } from './cluster-view.tsx'
import type { Standing } from './recording.ts'
import {
  type Fault,
  faultText,
  type HubFault,
  hubFaults,
  objectionTo,
  type ReplicaFault,
  replicaFaults,
  type Scenario,
  type WideFault,
  wideFaults,
} from './scenario.ts'

interface FaultButtonsProps {
  readonly scenario: Scenario
  readonly picked: Target
  readonly replicas: readonly Standing[]
  readonly atMs: number
  readonly onPick: (target: Target) => void
  readonly onFault: (fault: Fault) => void
}

const entries = <K extends string>(of: Readonly<Record<K, string>>) => Object.entries(of) as [K, string][]

export function FaultButtons({ scenario, picked, replicas, atMs, onPick, onFault }: FaultButtonsProps) {
  // A copy has no faults of its own: it is not in the plan.
  const isCopy = picked >= scenario.replicas
  const button = (fault: Fault, text: string) => (
    <button
      key={text}
      type="button"
      disabled={isCopy && fault.target === 'replica'}
      title={objectionTo(scenario, fault)}
      data-blocked={objectionTo(scenario, fault) !== ''}
      onClick={() => onFault(fault)}
    >
      {text}
    </button>
  )
  return (
    <section class="card" aria-labelledby="faults-title">
      <div class="title">
        <h2 id="faults-title">Do harm to</h2>
        <label>
          <span class="unseen">Machine</span>
          <select
            value={picked}
            data-testid="target"
            onChange={event => onPick(Number(event.currentTarget.value))}
          >
            <option value={-1}>the hub</option>
            {replicas.map(({ name }, node) => (
              <option key={name} value={node}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="fault-buttons" data-testid="fault-buttons">
        {picked < 0
          ? entries<HubFault>(hubFaults).map(([kind, text]) => button({ atMs, target: 'hub', kind }, text))
          : entries<ReplicaFault>(replicaFaults).map(([kind, text]) =>
              button({ atMs, target: 'replica', node: picked, kind }, text),
            )}
      </div>
      {isCopy && <p class="note">A copy shares its fate with nobody: pick its original to harm the plan.</p>}
      <h3>Many at once</h3>
      <div class="fault-buttons">
        {entries<WideFault>(wideFaults).map(([kind, text]) => button({ atMs, target: 'all', kind }, text))}
      </div>
    </section>
  )
}

interface FaultListProps {
  readonly scenario: Scenario
  readonly onRemove: (fault: Fault) => void
  readonly onGo: (fault: Fault) => void
}

export function FaultList({ scenario, onRemove, onGo }: FaultListProps) {
  return (
    <section class="card fault-list" aria-labelledby="fault-list-title">
      <h2 id="fault-list-title">In this run</h2>
      {scenario.faults.length === 0 && <p class="note">No fault but the weather.</p>}
      <ol data-testid="faults">
        {scenario.faults.map((fault, i) => (
          <li key={`${i} ${fault.atMs} ${faultText(fault)}`}>
            <button type="button" class="small go" onClick={() => onGo(fault)}>
              {seconds(fault.atMs)}
            </button>
            <span>{faultText(fault)}</span>
            <button
              type="button"
              class="small"
              aria-label={`Take out: ${faultText(fault)} at ${seconds(fault.atMs)}`}
              onClick={() => onRemove(fault)}
            >
              ×
            </button>
          </li>
        ))}
      </ol>
    </section>
  )
}

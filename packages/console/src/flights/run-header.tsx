/** How far the run is, and in the end what the comparison said. */
import { count } from '../format.ts'
import type { HubView, RunView } from './live-hub.ts'

const phaseNames: Record<RunView['phase'], string> = {
  starting: 'Starting',
  replaying: 'Replaying',
  healing: 'Healing',
  verifying: 'Verifying',
  agreed: 'Agreed',
  disagreed: 'Disagreed',
  stopped: 'Stopped',
}

const idle: Record<HubView['connection'], string> = {
  connecting: 'Connecting',
  live: 'Idle',
  away: 'Away',
  refused: 'Refused',
}

function explain(run: RunView): string {
  switch (run.phase) {
    case 'starting':
      return 'The hub is up; the replicas connect.'
    case 'replaying':
      return 'Each flight is one change, made by its region’s replica and sent over a bad link.'
    case 'healing':
      return 'All flights are made. Every link is healed; the replicas catch up.'
    case 'verifying':
      return 'Every replica, the hub, and the hub restarted from disk are compared with an independent recomputation.'
    case 'agreed':
      return 'All replicas, the hub, the hub restarted from disk and an independent recomputation hold the same state.'
    case 'disagreed':
      return `The comparison found a difference: ${run.verdict || 'the terminal names it'}.`
    case 'stopped':
      return 'The run was stopped before its end.'
  }
}

export function RunHeader({ view: { run, connection } }: { view: HubView }) {
  const state = run?.phase ?? 'none'
  return (
    <section class="run-header" aria-label="The run">
      <dl class="facts">
        <Fact name="Data time" value={run?.dataTime} wide />
        <Fact name="Faults" value={run?.faults} />
        <Fact name="Seed" value={run === undefined ? undefined : String(run.seed)} />
        <Fact name="Hub version" value={run === undefined ? undefined : count(run.hubLsn)} />
      </dl>
      <div class="run" data-phase={state}>
        <strong class="phase" data-testid="phase">
          {run === undefined ? idle[connection] : phaseNames[run.phase]}
        </strong>
        <progress
          max={Math.max(1, run?.flightsTotal ?? 1)}
          value={run?.flights ?? 0}
          aria-label="Flights replayed"
        />
        <span class="flights">
          <b data-testid="flights">{count(run?.flights ?? 0)}</b> of {count(run?.flightsTotal ?? 0)} flights
        </span>
        <p class="meaning" aria-live="polite">
          {run !== undefined
            ? explain(run)
            : connection === 'live'
              ? 'This hub has no run yet: npm start begins one.'
              : connection === 'refused'
                ? 'The hub will not have this page.'
                : 'Waiting for the hub.'}
        </p>
      </div>
    </section>
  )
}

function Fact({ name, value, wide }: { name: string; value: string | undefined; wide?: boolean }) {
  return (
    <div class={wide === true ? 'wide' : undefined}>
      <dt>{name}</dt>
      <dd>{value === undefined || value === '' ? '–' : value}</dd>
    </div>
  )
}

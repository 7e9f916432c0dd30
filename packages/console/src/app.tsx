/** The page: what runs, where, and how well. Views are folders beside this file; each gets the hub and nothing else. */
import { useEffect, useReducer } from 'preact/hooks'
import { FlightsMap } from './flights/flights-map.tsx'
import { Explanation } from './live/explanation.tsx'
import type { HubView, LiveHub } from './live/live-hub.ts'
import { RunHeader } from './live/run-header.tsx'
import { LivePlots } from './plots/live-plots.tsx'
import { ReplicaTable } from './replicas/replica-table.tsx'

export function App({ hub }: { hub: LiveHub }) {
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  useEffect(() => hub.subscribe(() => redraw(undefined)), [hub])
  const { view } = hub
  return (
    <>
      <RunHeader view={view} />
      <main>
        <FlightsMap hub={hub} regions={view.replicas} />
        <LivePlots hub={hub} replicas={view.replicas} />
        <ReplicaTable view={view} onCut={(key, cut) => hub.setCut(key, cut)} />
      </main>
      <Explanation page={view.page} />
      <Notice view={view} />
    </>
  )
}

/** Over the page's foot, so that nothing moves when it comes and goes. */
function Notice({ view }: { view: HubView }) {
  const text =
    view.connection === 'away'
      ? `The hub does not answer (${view.reason}). What you see is the last state; trying again by itself.`
      : view.connection === 'refused'
        ? `The hub will not have this page: ${view.reason}`
        : view.note
  return (
    <p class="notice" role="status" hidden={text === ''}>
      {text}
    </p>
  )
}

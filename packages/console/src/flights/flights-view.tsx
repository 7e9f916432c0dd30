/** The main job as it runs: map, plots and the table of replicas. It gets the hub's spaces `flights` and `control`. */
import { useEffect, useMemo, useReducer } from 'preact/hooks'
import { Explanation } from './explanation.tsx'
import { FlightsMap } from './flights-map.tsx'
import { type HubView, LiveHub } from './live-hub.ts'
import { LivePlots } from './live-plots.tsx'
import { ReplicaTable } from './replica-table.tsx'
import { RunHeader } from './run-header.tsx'
import './flights.css'

/** One model for the page's life: coming back to this view shows it as it went on. */
let kept: LiveHub | undefined

export function FlightsView({ origin, token }: { origin: string; token: string | undefined }) {
  const hub = useMemo(() => {
    kept ??= new LiveHub(origin, token)
    return kept
  }, [origin, token])
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  useEffect(() => hub.subscribe(() => redraw(undefined)), [hub])
  const { view } = hub
  return (
    <div class="view flights-view">
      <RunHeader view={view} />
      <div class="cards">
        <FlightsMap hub={hub} regions={view.replicas} />
        <LivePlots hub={hub} replicas={view.replicas} />
        <ReplicaTable view={view} onCut={(key, cut) => hub.setCut(key, cut)} />
      </div>
      <Explanation page={view.page} />
      <Notice view={view} />
    </div>
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

/** The page: a head, and one view at a time. A view's code comes when it is first looked at. */
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Head } from './shell/head.tsx'
import { readRoute, type View } from './shell/route.ts'

export interface ViewProps {
  /** `ws://host:port` of the hub that served this page; undefined where the page came from a plain web server. */
  readonly origin: string | undefined
  readonly token: string | undefined
  /** What the address says besides. */
  readonly parameters: URLSearchParams
}

const load: Record<View, () => Promise<ComponentType<ViewProps>>> = {
  flights: async () => {
    const { FlightsView } = await import('./flights/flights-view.tsx')
    return ({ origin, token }) => origin !== undefined && <FlightsView origin={origin} token={token} />
  },
  hub: async () => (await import('./hub/hub-view.tsx')).HubView,
  algebra: async () => (await import('./algebra/algebra-view.tsx')).AlgebraView,
  nodes: async () => (await import('./nodes/nodes-view.tsx')).NodesView,
  cluster: async () => (await import('./cluster/cluster-view.tsx')).ClusterView,
}

/** Views that need a hub. */
const live: readonly View[] = ['flights', 'hub']

export function App({ origin }: { origin: string | undefined }) {
  const [route, setRoute] = useState(() => readRoute(location.hash))
  useEffect(() => {
    const follow = () => setRoute(readRoute(location.hash))
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  const offered = (Object.keys(load) as View[]).filter(view => origin !== undefined || !live.includes(view))
  const view = route.view !== undefined && offered.includes(route.view) ? route.view : offered[0]
  return (
    <>
      <Head offered={offered} view={view} token={route.token} />
      <main>
        <Lazy key={view} view={view} origin={origin} token={route.token} parameters={route.parameters} />
      </main>
    </>
  )
}

function Lazy({ view, ...props }: ViewProps & { view: View }) {
  const [loaded, setLoaded] = useState<{ Component: ComponentType<ViewProps> }>()
  const [failure, setFailure] = useState('')
  useEffect(() => {
    load[view]().then(
      Component => setLoaded({ Component }),
      error => setFailure(`This view did not load (${String(error)}). Reloading the page may help.`),
    )
  }, [view])
  if (loaded === undefined) return <p class="waiting">{failure}</p>
  return <loaded.Component {...props} />
}

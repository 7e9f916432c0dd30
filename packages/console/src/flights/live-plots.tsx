/** What the hub carries and how far the replicas are behind, over the last minute. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { bytes, bytesShort, count } from '../format.ts'
import { Plot, type Series } from '../plot.tsx'
import { cssValue, regionColor, regionHue } from '../theme.ts'
import type { LiveHub, ReplicaView } from './live-hub.ts'
import { Samples, sampleMs } from './samples.ts'

const named = (label: string, variable: string): Series => ({
  label,
  color: () => cssValue(variable),
  cssColor: `var(${variable})`,
})
const traffic = [named('sent', '--series-a'), named('received', '--series-b')]
const work = [named('flights', '--series-a'), named('batches', '--series-b')]

export function LivePlots({ hub, replicas }: { hub: LiveHub; replicas: readonly ReplicaView[] }) {
  const samples = useMemo(() => new Samples(), [])
  const [drawn, setDrawn] = useState(() => draw(samples, 0))
  useEffect(() => {
    const timer = setInterval(() => {
      samples.take(performance.now() / 1000, hub.view)
      if (!document.hidden) setDrawn(draw(samples, hub.view.replicas.length))
    }, sampleMs)
    return () => clearInterval(timer)
  }, [hub, samples])

  const names = replicas.map(({ name }) => name).join('\n')
  // The names are all that series take from replicas.
  const byReplica = useMemo(
    () =>
      replicas.map(({ name, region }, _, { length }) => ({
        label: name,
        color: () => regionColor(region, length),
        cssColor: `oklch(var(--region-tone) ${regionHue(region, length)})`,
      })),
    [names],
  )
  return (
    <section class="plots" aria-label="The last minute">
      <Plot
        title="Traffic"
        series={traffic}
        times={drawn.times}
        lines={drawn.traffic}
        format={bytes}
        axisFormat={bytesShort}
        unit="/s"
        values="each"
      />
      <Plot
        title="Changes"
        series={work}
        times={drawn.times}
        lines={drawn.work}
        format={count}
        unit="/s"
        values="each"
      />
      <Plot
        title="Lag by replica"
        series={byReplica}
        times={drawn.times}
        lines={drawn.lags}
        format={count}
        values="largest"
      />
    </section>
  )
}

function draw(samples: Samples, replicas: number) {
  return {
    times: samples.times(),
    traffic: [samples.rate('sent'), samples.rate('received')],
    work: [samples.rate('flights'), samples.rate('batches')],
    lags: Array.from({ length: replicas }, (_, replica) => samples.lag(replica)),
  }
}

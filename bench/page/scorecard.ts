/** All promises at a glance: met or missed, wanted beside measured, and how far off, on one scale. */

import { formatNumber } from '../harness/numbers.ts'
import type { ResultsFile } from '../harness/results.ts'
import type { Bar } from '../harness/section.ts'
import { percent, quoted } from './html.ts'

/** The scale ends at so many times the bar, both ways. */
const scaleEnd = 10

export function scorecardHtml(sections: readonly [string, ResultsFile['sections'][string]][]): string {
  return sections
    .filter(([, { bars }]) => bars.length > 0)
    .map(
      ([
        name,
        { bars },
      ]) => `<h3><a href="#${quoted(name)}">${quoted(name)}</a> <small>${metOf(bars)}</small></h3>
<ul class="bars">
${bars.map(barHtml).join('\n')}
</ul>`,
    )
    .join('\n')
}

export function metOf(bars: readonly Bar[]): string {
  return `${bars.filter(({ met }) => met).length} of ${bars.length} met`
}

/** A square a bar: full when it is met. */
export function pipsHtml(bars: readonly Bar[]): string {
  const pips = bars.map(({ met }) => `<i${met ? '' : ' class="missed"'}></i>`).join('')
  return `<span class="pips" aria-hidden="true">${pips}</span>`
}

function barHtml({ name, wanted, measured, met, margin, reason }: Bar): string {
  return (
    `<li class="${met ? 'met' : 'missed'}"><b class="mark">${met ? 'met' : 'missed'}</b><span class="name">${quoted(name)}</span>` +
    `<span class="wanted">${quoted(wanted)}</span><span class="measured">${quoted(measured)}</span>${gauge(margin, met)}` +
    `${reason === undefined ? '' : `<details><summary>why</summary>${quoted(reason)}</details>`}</li>`
  )
}

/** From the bar, in the middle, to what was measured. */
function gauge(margin: number | undefined, met: boolean): string {
  if (margin === undefined || !Number.isFinite(margin) || margin <= 0)
    return '<span class="gauge none"></span>'
  const share = Math.max(-1, Math.min(1, Math.log10(margin) / Math.log10(scaleEnd)))
  const [left, width] = [0.5 + Math.min(0, share) / 2, Math.abs(share) / 2]
  return (
    `<span class="gauge" title="${formatNumber(Number(margin.toPrecision(3)))} × what was asked" aria-hidden="true">` +
    `<i class="${met ? 'over' : 'under'}" style="left:${percent(left)};width:${percent(width)}"></i></span>`
  )
}

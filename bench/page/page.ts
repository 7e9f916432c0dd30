/** Results as documents: README.md with the bars and all tables, index.html with the same and plots. Nothing is fetched from elsewhere. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { cellText, headOf } from '../harness/report.ts'
import type { ResultsFile, SectionRecord } from '../harness/results.ts'
import type { ResultTable } from '../harness/section.ts'
import { dotsHtml } from './dots.ts'
import { isCurve, isOurs, plotId, quoted } from './html.ts'
import { circumstances, markdown, sectionsOf, versionsText } from './markdown.ts'
import { metOf, pipsHtml, scorecardHtml } from './scorecard.ts'

/** @param source the folder with browser.ts and style.css */
export async function writeDocuments(results: ResultsFile, folder: string, source: string): Promise<void> {
  writeFileSync(join(folder, 'README.md'), markdown(results))
  writeFileSync(join(folder, 'index.html'), await page(results, source))
}

/** The code that draws curves, with its library, as one script. */
async function script(source: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(source, 'browser.ts')],
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    write: false,
    logLevel: 'warning',
  })
  return outputFiles[0].text.replaceAll('</script', '<\\/script')
}

async function page(results: ResultsFile, source: string): Promise<string> {
  const styles = [
    createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css'),
    join(source, 'style.css'),
  ]
  const sections = sectionsOf(results)
  const bars = sections.flatMap(([, section]) => section.bars)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ATOMiK: benchmarks</title>
<style>${styles.map(file => readFileSync(file, 'utf8')).join('\n')}</style>
<body>
<header>
<h1>ATOMiK: benchmarks</h1>
<p class="sum"><b>${bars.filter(({ met }) => met).length}</b> of <b>${bars.length}</b> bars met</p>
<p>Each section is one interleaved run on one machine, beside what a competent user of the other system would write. A dot is the median, its
stroke the range of the rounds, the dashed line the row that × compares with; × above 1 is better. Axes are logarithmic.</p>
<nav aria-label="Sections"><a href="#bars">bars</a>${sections
    .map(
      ([name, section]) =>
        `<a href="#${name}">${name}${section.bars.length === 0 ? '' : ` <small>${metOf(section.bars)}</small>${pipsHtml(section.bars)}`}</a>`,
    )
    .join('')}</nav>
</header>
<main>
<section id="bars">
<h2>Bars</h2>
<p>What was promised before it was measured. The strip shows how far off a figure is, from a tenth to ten times what was asked; the line
in its middle is the bar.</p>
${scorecardHtml(sections)}
</section>
${sections.map(([name, section]) => sectionHtml(name, section)).join('\n')}
<section id="versions"><h2>Versions</h2><p><small>${quoted(versionsText(sections))}</small></p></section>
</main>
<script type="application/json" id="results">${JSON.stringify(results).replaceAll('<', '\\u003c')}</script>
<script>${await script(source)}</script>
</body>
</html>
`
}

function sectionHtml(name: string, section: SectionRecord): string {
  return `<section id="${name}">
<h2>${name}: ${quoted(section.title)}</h2>
<p><small>${quoted(circumstances(name, section)).replace(/`([^`]*)`/g, '<code>$1</code>')}</small></p>
${section.tables.map(table => tableHtml(name, table)).join('\n')}
${section.notes.map(note => `<p>${quoted(note)}</p>`).join('\n')}
</section>`
}

function tableHtml(section: string, table: ResultTable): string {
  const against = table.baseline === undefined ? '' : ` <small>× of ${quoted(table.baseline)}</small>`
  const plot =
    table.plot === undefined
      ? ''
      : isCurve(table)
        ? `<div class="curve" id="${quoted(plotId(section, table))}" aria-hidden="true"></div>`
        : dotsHtml(table)
  const notes = table.rows.flatMap(({ name, note }) =>
    note === undefined ? [] : [`<li><b>${quoted(name)}</b>: ${quoted(note)}</li>`],
  )
  return `<article>
<h3>${quoted(table.title)}${against}</h3>
<p>${quoted(table.method)}</p>
${plot}
${notes.length === 0 ? '' : `<ul class="notes">${notes.join('')}</ul>`}
<details class="figures"${plot === '' ? ' open' : ''}><summary>all figures</summary>
<div class="wide"><table><tr><th>${table.columns.map(column => `<th>${quoted(headOf(column))}`).join('')}</tr>
${table.rows
  .map(
    ({ name }, row) =>
      `<tr${isOurs(name) ? ' class="ours"' : ''}><td>${quoted(name)}${table.columns
        .map((_, c) => `<td>${quoted(cellText(table, row, c))}`)
        .join('')}`,
  )
  .join('\n')}
</table></div></details>
</article>`
}

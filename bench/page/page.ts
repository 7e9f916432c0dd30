/** Results as documents: README.md with the bars and all tables, index.html with the same and plots. Nothing is fetched from elsewhere. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { cellText, headOf } from '../harness/report.ts'
import { type ResultsFile, type SectionRecord, wasShared } from '../harness/results.ts'
import type { ResultTable } from '../harness/section.ts'

/** @param source the folder with browser.ts and style.css */
export async function writeDocuments(results: ResultsFile, folder: string, source: string): Promise<void> {
  writeFileSync(join(folder, 'README.md'), markdown(results))
  writeFileSync(join(folder, 'index.html'), await page(results, source))
}

const order = ['kernels', 'sync', 'pages', 'hub', 'growth']

function sectionsOf(results: ResultsFile): [string, SectionRecord][] {
  return Object.entries(results.sections).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
}

function circumstances(name: string, section: SectionRecord): string {
  const { machine, rounds, seconds } = section
  const shared = wasShared(section)
    ? ` Other work shared the machine (load ${machine.loadBefore} before it began): trust ratios.`
    : ''
  return (
    `Measured with \`npm run bench -- --only ${name}\` on ${machine.date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ` +
    `${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, commit ${machine.commit ?? 'unknown'}, up to ${rounds} interleaved rounds, ${seconds} s.${shared}`
  )
}

// ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────────

function markdown(results: ResultsFile): string {
  const sections = sectionsOf(results)
  const bars = sections.flatMap(([section, { bars }]) => bars.map(bar => ({ section, bar })))
  const lines = [
    '# Benchmarks: results',
    '',
    'Written by `npm run bench -- --json docs/benchmarks/results.json`; [bench](../../bench/README.md) says how it measures. The same with plots:',
    '[index.html](index.html), one file that needs no server. A figure is the median, in brackets its range; `×` compares with the row named in the title, above 1 is better.',
    '',
    '## Bars',
    '',
    `${bars.filter(({ bar }) => bar.met).length} of ${bars.length} are met.`,
    '',
    '| section | bar | wanted | measured | |',
    '|---|---|---|---|---|',
    ...bars.map(
      ({ section, bar: { name, wanted, measured, met, reason } }) =>
        `| ${section} | ${name} | ${wanted} | ${measured} | ${met ? 'met' : '**missed**'}${reason === undefined ? '' : `: ${reason}`} |`,
    ),
    '',
  ]
  for (const [name, section] of sections) {
    lines.push(`## ${name}: ${section.title}`, '', circumstances(name, section), '')
    for (const table of section.tables) lines.push(...tableMarkdown(table), '')
    for (const note of section.notes) lines.push(note, '')
  }
  const machine = sections[0]?.[1].machine
  if (machine !== undefined)
    lines.push(
      '## Versions',
      '',
      Object.entries({ ...machine.packages, ...machine.tools })
        .map(([tool, version]) => `${tool} ${version ?? 'not there'}`)
        .join(' · '),
      '',
    )
  return `${lines.join('\n').trimEnd()}\n`
}

function tableMarkdown(table: ResultTable): string[] {
  const against = table.baseline === undefined ? '' : ` (× of ${table.baseline})`
  return [
    `### ${table.title}${against}`,
    '',
    table.method,
    '',
    `| | ${table.columns.map(headOf).join(' | ')} |`,
    `|---|${table.columns.map(() => '---:|').join('')}`,
    ...table.rows.map(
      ({ name }, row) => `| ${name} | ${table.columns.map((_, c) => cellText(table, row, c)).join(' | ')} |`,
    ),
    '',
    ...table.rows.flatMap(({ name, note }) => (note === undefined ? [] : [`- ${name}: ${note}`])),
  ]
}

// ── HTML ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const quoted = (text: string) =>
  text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c)

async function page(results: ResultsFile, source: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(source, 'browser.ts')],
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    write: false,
    logLevel: 'warning',
  })
  const styles = [
    createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css'),
    join(source, 'style.css'),
  ]
  const sections = sectionsOf(results)
  const bars = sections.flatMap(([, { bars }]) => bars)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ATOMiK: benchmarks</title>
<style>${styles.map(file => readFileSync(file, 'utf8')).join('\n')}</style>
<body>
<h1>ATOMiK: benchmarks</h1>
<p>A figure is the median, in brackets its range. × compares with the row named in the title; above 1 is better. All axes are logarithmic.</p>
<h2>Bars</h2>
<p>${bars.filter(({ met }) => met).length} of ${bars.length} are met.</p>
<div class="wide"><table class="bars"><tr><th>bar<th>wanted<th>measured<th></tr>
${bars
  .map(
    ({ name, wanted, measured, met, reason }) =>
      `<tr><td>${quoted(name)}<td>${quoted(wanted)}<td>${quoted(measured)}<td class="${met ? 'met' : 'missed'}">${met ? 'met' : 'missed'}${reason === undefined ? '' : `<br><small>${quoted(reason)}</small>`}`,
  )
  .join('\n')}
</table></div>
${sections
  .map(
    ([name, section]) => `<h2>${name}: ${quoted(section.title)}</h2>
<p><small>${quoted(circumstances(name, section)).replaceAll('`', '')}</small></p>
${section.tables.map(table => tableHtml(name, table)).join('\n')}
${section.notes.map(note => `<p>${quoted(note)}</p>`).join('\n')}`,
  )
  .join('\n')}
<script type="application/json" id="results">${JSON.stringify(results).replaceAll('<', '\\u003c')}</script>
<script>${outputFiles[0].text.replaceAll('</script', '<\\/script')}</script>
</body>
</html>
`
}

function tableHtml(section: string, table: ResultTable): string {
  const against = table.baseline === undefined ? '' : ` <small>(× of ${quoted(table.baseline)})</small>`
  return `<h3>${quoted(table.title)}${against}</h3>
<p>${quoted(table.method)}</p>
<div class="wide"><table><tr><th>${table.columns.map(column => `<th>${quoted(headOf(column))}`).join('')}</tr>
${table.rows
  .map(
    ({ name, note }, row) =>
      `<tr><td>${quoted(name)}${note === undefined ? '' : `<br><small>${quoted(note)}</small>`}${table.columns
        .map((_, c) => `<td>${quoted(cellText(table, row, c))}`)
        .join('')}`,
  )
  .join('\n')}
</table></div>
<div class="plots" id="plot-${section}-${quoted(table.id)}"></div>`
}

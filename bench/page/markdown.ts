/** Results as Markdown: the bars, then all tables, as they are read in a repository. */
import { cellText, headOf } from '../harness/report.ts'
import { type ResultsFile, type SectionRecord, wasShared } from '../harness/results.ts'
import type { ResultTable } from '../harness/section.ts'

const order = ['kernels', 'sync', 'pages', 'hub', 'growth']

export function sectionsOf(results: ResultsFile): [string, SectionRecord][] {
  return Object.entries(results.sections).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
}

export function circumstances(name: string, section: SectionRecord): string {
  const { machine, rounds, seconds } = section
  const shared = wasShared(section)
    ? ` Other work shared the machine (load ${machine.loadBefore} before it began): trust ratios.`
    : ` Load before it began: ${machine.loadBefore}.`
  return (
    `Measured with \`npm run bench -- --only ${name}\` on ${machine.date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ` +
    `${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, commit ${machine.commit ?? 'unknown'}, up to ${rounds} interleaved rounds, ${seconds} s.${shared}`
  )
}

/** Versions of everything, once for all sections that agree. */
export function versionsText(sections: readonly [string, SectionRecord][]): string {
  const machine = sections[0]?.[1].machine
  if (machine === undefined) return ''
  return Object.entries({ ...machine.packages, ...machine.tools })
    .map(([tool, version]) => `${tool} ${version ?? 'not there'}`)
    .join(' · ')
}

export function markdown(results: ResultsFile): string {
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
  if (sections.length > 0) lines.push('## Versions', '', versionsText(sections), '')
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

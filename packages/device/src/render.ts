/** Reports as a table, a sparkline or Prometheus text. Pure: strings out. */
import type { CgroupWaste, WasteReport } from './report.ts'
import type { UserReport } from './user.ts'

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytesText(bytes: number): string {
  let unit = 0
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024
    unit++
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`
}

const percent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(1)} %`)
const count = (n: number): string => n.toLocaleString('en-GB')

/** Columns as wide as their widest cell; the first to the left, the rest to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map(row => (row[i] ?? '').length)))
  return rows
    .map(row =>
      row.map((cell, i) => (i ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  '),
    )
    .map(line => `${line.trimEnd()}\n`)
    .join('')
}

function wasteRow(row: CgroupWaste): string[] {
  const repeated = row.sendBytes ? row.repeatBytes / row.sendBytes : null
  return [
    row.name,
    count(row.copies),
    percent(row.unchangedShare),
    percent(row.linesShare),
    bytesText(row.wastedBytes),
    count(row.sends),
    percent(repeated),
    bytesText(row.repeatBytes),
  ]
}

export function wasteTable(report: WasteReport, top: number): string {
  const head = [
    'cgroup',
    'copies',
    'unneeded',
    'lines changed',
    'wasted',
    'sends',
    'repeated',
    'bytes repeated',
  ]
  const rows = report.cgroups.slice(0, top).map(wasteRow)
  const state = report.running ? 'tracking' : 'stopped'
  const rate =
    report.every === 0
      ? 'copies not looked at'
      : `one copy in ${report.every} looked at, at random, counts are exact`
  const missed = report.missed.copiesWithoutSlot + report.missed.sendsWithoutProbe
  return (
    `kernel module, ${state}; ${rate}${missed ? `; ${count(missed)} observations missed` : ''}\n` +
    table([head, ...rows, wasteRow(report.total)])
  )
}

export function userTable(reports: readonly UserReport[]): string {
  const head = ['process', 'pid', 'in memory', 'written', 'shared', 'private dirty', 'KSM merged']
  const rows = reports.map(r => [
    r.command,
    String(r.pid),
    `${count(r.presentPages)} pages`,
    r.writtenPages === null ? 'not told' : `${count(r.writtenPages)} pages`,
    bytesText(r.sharedBytes),
    bytesText(r.privateDirtyBytes),
    r.ksmMergedPages === null ? 'not told' : `${count(r.ksmMergedPages)} pages`,
  ])
  return (
    `without the module, from /proc, over ${reports[0]?.intervalMs ?? 0} ms: ` +
    'what was written, not whether a copy was needed\n' +
    table([head, ...rows])
  )
}

const blocks = '▁▂▃▄▅▆▇█'

/** The last `width` values, scaled to their largest. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width)
  const most = Math.max(...shown, 1e-9)
  return shown.map(value => blocks[Math.min(7, Math.floor((value / most) * 8))] ?? '▁').join('')
}

const label = (text: string): string => text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')

/** The Prometheus text format, 0.0.4. */
export function prometheus(report: WasteReport): string {
  const metrics: [name: string, type: string, help: string, of: (row: CgroupWaste) => number | null][] = [
    ['cow_copies_total', 'counter', 'Pages copied on write, exact.', row => row.copies],
    ['cow_looked_total', 'counter', 'Copies looked at.', row => row.looked],
    [
      'cow_unneeded_ratio',
      'gauge',
      'Share of the copies looked at that never differed.',
      row => row.unchangedShare,
    ],
    [
      'cow_lines_changed_ratio',
      'gauge',
      'Share of 64-byte lines changed in those copies.',
      row => row.linesShare,
    ],
    ['cow_wasted_bytes', 'gauge', 'Estimate: copies times the share unneeded.', row => row.wastedBytes],
    ['sends_total', 'counter', 'Sends observed.', row => row.sends],
    ['send_bytes_total', 'counter', 'Bytes sent.', row => row.sendBytes],
    ['repeat_sends_total', 'counter', 'Sends equal to the one before on their socket.', row => row.repeats],
    ['repeat_bytes_total', 'counter', 'Bytes of those.', row => row.repeatBytes],
  ]
  let text = ''
  for (const [name, type, help, of] of metrics) {
    text += `# HELP atomik_waste_${name} ${help}\n# TYPE atomik_waste_${name} ${type}\n`
    for (const row of report.cgroups) {
      const value = of(row)
      if (value !== null)
        text += `atomik_waste_${name}{cgroup="${label(row.name)}",id="${row.id}"} ${value}\n`
    }
  }
  const missed = report.missed.copiesWithoutSlot + report.missed.sendsWithoutProbe
  return (
    `${text}# HELP atomik_waste_missed_total Observations missed.\n# TYPE atomik_waste_missed_total counter\n` +
    `atomik_waste_missed_total ${missed}\n`
  )
}

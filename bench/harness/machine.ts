/** What the figures were measured on, and with which versions. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly v8: string
  /** The first line of `--version`, or undefined where the tool is not there. */
  readonly tools: Readonly<Record<string, string | undefined>>
  /** npm packages, exact. */
  readonly packages: Readonly<Record<string, string>>
  /** Commit of this repository, with + when there are changes on top. */
  readonly commit: string | undefined
  readonly date: string
  /** Load average of the last minute before the run: above 0.5 other work shared the machine. */
  readonly loadBefore: number
}

export function describeMachine(root: string): Machine {
  const own = JSON.parse(readFileSync(`${root}/bench/package.json`, 'utf8'))
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${systemName()}, Linux ${release()}`,
    node: process.version,
    v8: process.versions.v8,
    tools: Object.fromEntries(
      ['gcc', 'xdelta3', 'zstd', 'rsync', 'lz4'].map(tool => [tool, versionOf(tool)]),
    ),
    packages: own.dependencies,
    commit: commitOf(root),
    date: new Date().toISOString().slice(0, 16),
    loadBefore: Math.round(loadavg()[0] * 100) / 100,
  }
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform
  } catch {
    return process.platform
  }
}

/** xdelta3 knows only `-V`, and writes to the wrong side. */
function versionOf(tool: string): string | undefined {
  try {
    const flag = tool === 'xdelta3' ? '-V' : '--version'
    const text = execFileSync('sh', ['-c', `${tool} ${flag} 2>&1`], { encoding: 'utf8' })
    return text.split('\n')[0].trim()
  } catch {
    return undefined
  }
}

function commitOf(root: string): string | undefined {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return undefined
  }
}

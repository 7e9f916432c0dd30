/**
 * `atomik waste`: who copies pages and sends messages for nothing.
 *
 * Everything it reads and writes is named in WastePaths, everything it says goes to WasteIo. Exit codes: 0; 1 for what
 * the system refused, in one line; 2 for arguments that make no sense.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { DeviceError } from './abi.ts'
import { cgroupNames } from './containers.ts'
import { prometheus, sparkline, userTable, wasteTable } from './render.ts'
import { parseReport, type WasteReport } from './report.ts'
import { userReports } from './user.ts'

export interface WasteIo {
  out(text: string): unknown
  err(text: string): unknown
  /** Ends --watch and --prometheus. */
  readonly signal?: AbortSignal
}

export interface WastePaths {
  readonly device: string
  readonly cgroups: string
  readonly docker: string
  readonly proc: string
}

const systemPaths: WastePaths = {
  device: '/dev/atomik-waste',
  cgroups: '/sys/fs/cgroup',
  docker: '/var/lib/docker/containers',
  proc: '/proc',
}

const usage = `atomik waste: copies and sends that were not needed, by cgroup

  atomik waste                      a table, once
    --json                          the same as JSON
    --watch[=SECONDS]               again every 2 seconds, with the wasted bytes a second drawn
    --prometheus=PORT               an exporter on 127.0.0.1:PORT/metrics
    --top=N                         the N cgroups that waste most (default 20)
    --start [--every=N] [--slots=N] [--no-net]
                                    begin; look at one copy in N (default 32), hold N at most (default 4096)
    --stop, --reset                 end; begin again from zero
  atomik waste --user PID...        without the module: what /proc tells of these processes
    --interval=MS                   over this long (default 1000)
`

class UsageError extends Error {}

function wholeNumber(text: string, name: string, min: number, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`--${name} wants a whole number from ${min} to ${max}, got '${text}'`)
  return value
}

function parse(argv: readonly string[]) {
  // --watch with no value is --watch=2: parseArgs has no optional values.
  const args = argv.map(word => (word === '--watch' ? '--watch=2' : word))
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        watch: { type: 'string' },
        prometheus: { type: 'string' },
        top: { type: 'string', default: '20' },
        start: { type: 'boolean' },
        every: { type: 'string' },
        slots: { type: 'string' },
        'no-net': { type: 'boolean' },
        stop: { type: 'boolean' },
        reset: { type: 'boolean' },
        user: { type: 'boolean' },
        interval: { type: 'string', default: '1000' },
      },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause))
  }
}

/** The command: arguments after `waste` in, exit code out. */
export async function waste(
  argv: readonly string[],
  io: WasteIo,
  paths: WastePaths = systemPaths,
): Promise<number> {
  try {
    await run(argv, io, paths)
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`atomik waste: ${error.message}\n`)
      return 2
    }
    if (error instanceof DeviceError) {
      io.err(`atomik waste: ${error.message}\n`)
      return 1
    }
    throw error
  }
}

async function run(argv: readonly string[], io: WasteIo, paths: WastePaths): Promise<void> {
  const { values, positionals } = parse(argv)
  if (values.help) {
    io.out(usage)
    return
  }
  const top = wholeNumber(values.top, 'top', 1, 1_000_000)
  const interval = wholeNumber(values.interval, 'interval', 1, 3_600_000)
  const actions = [values.start, values.stop, values.reset, values.user, values.watch, values.prometheus]
  if (actions.filter(action => action !== undefined).length > 1)
    throw new UsageError('--start, --stop, --reset, --user, --watch and --prometheus exclude each other')
  if (values.user) {
    if (positionals.length === 0) throw new UsageError('--user wants at least one process id')
    const pids = positionals.map(text => wholeNumber(text, 'user', 1, 2 ** 22))
    const reports = await userReports(pids, interval, paths.proc)
    io.out(values.json ? `${JSON.stringify(reports, null, 2)}\n` : userTable(reports))
    return
  }
  if (positionals.length)
    throw new UsageError(`'${positionals[0]}' is not an option; process ids go with --user`)
  if (!values.start && (values.every ?? values.slots ?? values['no-net']) !== undefined)
    throw new UsageError('--every, --slots and --no-net go with --start')
  if (values.start) {
    const every = values.every === undefined ? '' : ` cow=${wholeNumber(values.every, 'every', 0, 1 << 20)}`
    const slots = values.slots === undefined ? '' : ` slots=${wholeNumber(values.slots, 'slots', 1, 65536)}`
    return command(paths.device, `start${every}${slots}${values['no-net'] ? ' net=0' : ''}`)
  }
  if (values.stop) return command(paths.device, 'stop')
  if (values.reset) return command(paths.device, 'reset')
  if (values.watch !== undefined) return watch(wholeNumber(values.watch, 'watch', 1, 86_400), top, io, paths)
  if (values.prometheus !== undefined)
    return serve(wholeNumber(values.prometheus, 'prometheus', 0, 65_535), io, paths)
  const report = read(paths)
  io.out(values.json ? `${JSON.stringify(report, null, 2)}\n` : wasteTable(report, top))
}

function refusal(path: string, cause: unknown): DeviceError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'EIO'
  const message =
    code === 'ENOENT'
      ? `${path} is absent: load the kernel module (kmod/README.md), or use --user PID`
      : code === 'EACCES' || code === 'EPERM'
        ? `${path} is for root; --user PID works without`
        : code === 'EBUSY'
          ? 'it is tracking already: --stop it first, or --reset it'
          : `${path}: ${code}`
  return new DeviceError(code, message, { cause })
}

function command(path: string, line: string): void {
  try {
    // 'r+' and not 'w', which would make a file where there is no device.
    writeFileSync(path, `${line}\n`, { flag: 'r+' })
  } catch (cause) {
    throw refusal(path, cause)
  }
}

function read(paths: WastePaths): WasteReport {
  let text: string
  try {
    text = readFileSync(paths.device, 'utf8')
  } catch (cause) {
    throw refusal(paths.device, cause)
  }
  const names = cgroupNames(paths.cgroups, paths.docker)
  return parseReport(text, id => names.get(id) ?? `(gone: ${id})`)
}

/** Ends early, without complaint, when told to stop. */
const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end)
  })

async function watch(seconds: number, top: number, io: WasteIo, paths: WastePaths): Promise<void> {
  const copied: number[] = []
  const repeated: number[] = []
  let before: WasteReport | undefined
  while (!io.signal?.aborted) {
    const report = read(paths)
    if (before) {
      copied.push(Math.max(0, report.total.wastedBytes - before.total.wastedBytes) / seconds)
      repeated.push(Math.max(0, report.total.repeatBytes - before.total.repeatBytes) / seconds)
    }
    before = report
    const line = (name: string, values: number[]): string =>
      `${name.padEnd(18)} ${sparkline(values, 60)} ${Math.round(values.at(-1) ?? 0).toLocaleString('en-GB')} B/s\n`
    io.out(
      `\x1b[2J\x1b[H${line('copied for nothing', copied)}${line('sent again', repeated)}\n${wasteTable(report, top)}`,
    )
    await sleep(seconds * 1000, io.signal)
  }
}

async function serve(port: number, io: WasteIo, paths: WastePaths): Promise<void> {
  const first = read(paths)
  const server = createServer((request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404).end()
      return
    }
    try {
      const text = prometheus(read(paths))
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text)
    } catch (error) {
      response.writeHead(503).end(`${error instanceof Error ? error.message : 'unavailable'}\n`)
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause => {
      const code = (cause as NodeJS.ErrnoException).code ?? 'EIO'
      reject(new DeviceError(code, `port ${port}: ${code}`, { cause }))
    })
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  io.out(`http://127.0.0.1:${bound}/metrics, ${first.cgroups.length} cgroups now\n`)
  await new Promise<void>(resolve => io.signal?.addEventListener('abort', () => resolve(), { once: true }))
  await new Promise(resolve => server.close(resolve))
}

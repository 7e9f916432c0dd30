// Running other programs: the tools, and the benches they build. A tool that fails stops the run with its own words.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOM = resolve(dirname(fileURLToPath(import.meta.url)), '..')
/** everything that is built lies here, outside the room */
export const OUT = process.env.HDL_OUT ?? resolve(ROOM, '..', 'out', 'hdl')
export const rtl = (name: string): string => join(ROOM, 'rtl', name)

/** A failure that the person at the terminal can act on: one line, and the exit code. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode = 1,
  ) {
    super(message)
  }
}

/** A folder under OUT, made if need be. */
export function outFolder(...names: string[]): string {
  const folder = join(OUT, ...names)
  mkdirSync(folder, { recursive: true })
  return folder
}

export interface Ran {
  status: number
  output: string
  seconds: number
}

/** Runs a tool to its end and returns what it printed, whatever its exit code. */
export function run(
  command: string,
  args: string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Ran {
  const start = Date.now()
  const ran = spawnSync(command, args, {
    cwd: options.cwd,
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (ran.error && (ran.error as NodeJS.ErrnoException).code === 'ENOENT')
    throw new Failure(`${command} is not installed`)
  const output = `${ran.stdout ?? ''}${ran.stderr ?? ''}`
  return { status: ran.status ?? 124, output, seconds: (Date.now() - start) / 1000 }
}

/** Runs a tool that must succeed. */
export function must(
  command: string,
  args: string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Ran {
  const ran = run(command, args, options)
  if (ran.status !== 0)
    throw new Failure(
      `${command} ${args.slice(0, 6).join(' ')} … failed (${ran.status}):\n${ran.output.slice(-3000)}`,
    )
  return ran
}

/** Streams a child's stdout in records of `bytes`; `each` returns false to stop the child. */
export function records(
  command: string,
  args: string[],
  bytes: number,
  each: (record: Buffer) => boolean,
  onStderr: (text: string) => void,
): Promise<number> {
  return new Promise((done, fail) => {
    const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let rest: Buffer = Buffer.alloc(0)
    let stopped = false
    child.on('error', fail)
    child.stderr?.on('data', (text: Buffer) => onStderr(text.toString('latin1')))
    child.stdout?.on('data', (chunk: Buffer) => {
      if (stopped) return
      const data = rest.length ? Buffer.concat([rest, chunk]) : chunk
      let at = 0
      try {
        for (; at + bytes <= data.length; at += bytes)
          if (!each(data.subarray(at, at + bytes))) {
            stopped = true
            child.kill('SIGKILL')
            return
          }
      } catch (error) {
        stopped = true
        child.kill('SIGKILL')
        fail(error)
        return
      }
      rest = Buffer.from(data.subarray(at))
    })
    child.on('close', code => done(stopped ? 0 : (code ?? 1)))
  })
}

/**
 * A lock between processes that the operating system takes away from the dead: a name on which one process listens.
 *
 *   Linux     an abstract socket: held within one network namespace, gone with its process
 *   Windows   a named pipe: the same
 *   others    a socket file; one that nobody answers on is left over from a kill, and is taken over
 *
 * Not held: between two containers that share a disk and no network. There one store for each is the rule.
 */
import { createHash } from 'node:crypto'
import { unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AtomikError } from '../errors.ts'

/** How names of locks are made on this platform. */
export type LockKind = 'abstract' | 'pipe' | 'file'

const kindHere: LockKind =
  process.platform === 'linux' ? 'abstract' : process.platform === 'win32' ? 'pipe' : 'file'

/**
 * Takes the lock of this name. Returns the way to let go.
 * @param what is locked, in words
 * @throws AtomikError `in-use` when somebody has it, with the number of the process where it says so
 */
export async function lockName(
  name: string,
  what: string,
  kind: LockKind = kindHere,
): Promise<() => Promise<void>> {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32)
  const address =
    kind === 'abstract'
      ? `\0atomik-${hash}`
      : kind === 'pipe'
        ? `\\\\.\\pipe\\atomik-${hash}`
        : join(tmpdir(), `atomik-${hash}.lock`)
  for (let attempt = 0; ; attempt++) {
    const server = await listen(address)
    if (server !== undefined) return () => new Promise(resolve => server.close(() => resolve()))
    const holder = await ask(address)
    if (holder !== undefined || kind !== 'file' || attempt > 0)
      throw new AtomikError('in-use', `${what} is open in ${holder ?? 'another process'}`)
    unlinkSync(address)
  }
}

/** Listens there; undefined where somebody does already. Whoever connects is told who has it. */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.end(`process ${process.pid}`)
    })
    // The lock keeps nobody alive.
    server.unref()
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') resolve(undefined)
      else reject(new AtomikError('storage', `cannot lock: ${cause.message}`, { cause }))
    })
    server.listen(address, () => resolve(server))
  })
}

/** Who answers there; undefined for nobody. A holder that is stopped, or busy for a second, is one that does not say. */
function ask(address: string): Promise<string | undefined> {
  return new Promise(resolve => {
    let said = ''
    const socket = connect(address)
    socket.setTimeout(1000, () => resolve('another process'))
    socket.on('data', bytes => {
      said += bytes.toString('latin1')
    })
    socket.on('end', () => resolve(said === '' ? undefined : said))
    socket.on('error', () => resolve(undefined))
  })
}

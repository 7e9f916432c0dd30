/** `atomik serve`: a hub, until it is told to stop. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Hub, listAccess } from '@atomik/hub'
import { AtomikError } from 'atomik'
import { Command, Option } from 'commander'
import { pino } from 'pino'
import { wholeNumber } from './options.ts'

export function serveCommand(): Command {
  return new Command('serve')
    .description('run a hub')
    .option('--port <port>', 'port to listen on, 0 for any free one', wholeNumber(0, 65_535), 7077)
    .option('--host <address>', 'address to listen on; beyond the loopback a token is required', '127.0.0.1')
    .option('--store <folder>', 'durable store; without it everything is forgotten at the end')
    .addOption(new Option('--token <token>', 'token that may read and write').env('ATOMIK_TOKEN'))
    .addOption(new Option('--read-token <token>', 'token that may only read').env('ATOMIK_READ_TOKEN'))
    .option('--access <file>', 'list of principals and their rights, in JSON; read again on SIGHUP')
    .option('--no-adopt', 'take no appended fields from clients with a newer schema')
    .option('--origin <origin...>', 'origins of other pages whose scripts may connect')
    .option('--page <folder>', 'page to serve at /')
    .addOption(
      new Option('--log <level>', 'log level')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .action(async options => {
      const file: string | undefined = options.access
      if (file !== undefined && (options.token ?? options.readToken) !== undefined)
        throw new AtomikError('range', 'give tokens or a list of principals, not both')
      const hub = await Hub.start({
        adoptsFields: options.adopt,
        ...(file !== undefined && { access: listAccess(readFileSync(file, 'utf8')) }),
        port: options.port,
        host: options.host,
        logger: pino({ level: options.log }),
        ...(options.store !== undefined && { store: options.store, checksStore: true }),
        ...(options.token !== undefined && { token: options.token }),
        ...(options.readToken !== undefined && { readToken: options.readToken }),
        ...(options.origin !== undefined && { origins: options.origin }),
        ...(options.page !== undefined && { page: options.page }),
      })
      const shown = options.host.includes(':') ? `[${options.host}]` : options.host
      process.stderr.write(`atomik: serving ws://${shown}:${hub.port}/<space>\n`)
      if (file !== undefined)
        process.on('SIGHUP', () => {
          try {
            void hub.replaceAccess(listAccess(readFileSync(file, 'utf8')))
          } catch (error) {
            hub.log.error({ reason: (error as Error).message }, 'the rights stay as they are')
          }
        })
      await new Promise<void>(resolve => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      })
      await hub.stop()
    })
}

/** The built live page, as it lies beside this package in the workspace. */
export const pageFolder = fileURLToPath(new URL('../../console/dist', import.meta.url))

/** `atomik waste`: pages copied and messages sent for nothing, as the kernel module counted them. The device package does it all. */
import { waste } from '@atomik/device'
import { Command } from 'commander'

export function wasteCommand(): Command {
  return new Command('waste')
    .description(
      'pages copied and messages sent for nothing, by container (needs the kernel module, or --user PID…)',
    )
    .allowUnknownOption()
    .helpOption(false)
    .argument('[arguments...]')
    .action(async (_arguments: string[], _options, command: Command) => {
      const interruption = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())
      process.exitCode = await waste(command.args, {
        out: text => process.stdout.write(text),
        err: text => process.stderr.write(text),
        signal: interruption.signal,
      })
    })
}

/** Keys of a person at the terminal, one at a time, while a command wants them. What they type is not shown. */
import { emitKeypressEvents, type Key } from 'node:readline'

export interface Keys {
  /** The next key by name (`return`, `space`, `s`); `quit` for q, escape, control-C and signals; undefined after `waitMs`. */
  next(waitMs?: number): Promise<string | undefined>
  /** Gives the terminal back. */
  done(): void
}

export function listenForKeys(): Keys {
  const { stdin } = process
  const pressed: string[] = []
  let wake = () => {}
  const press = (name: string) => {
    pressed.push(name)
    wake()
  }
  const onKey = (text: string | undefined, { name = text ?? '', ctrl = false }: Key) =>
    press(name === 'q' || name === 'escape' || (ctrl && name === 'c') ? 'quit' : name)
  const onSignal = () => press('quit')
  emitKeypressEvents(stdin)
  if (stdin.isTTY) stdin.setRawMode(true)
  stdin.on('keypress', onKey).resume()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
  return {
    next: async waitMs => {
      if (pressed.length === 0)
        await new Promise<void>(resolve => {
          const timer = waitMs === undefined ? undefined : setTimeout(resolve, waitMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      return pressed.shift()
    },
    done: () => {
      stdin.off('keypress', onKey).pause()
      if (stdin.isTTY) stdin.setRawMode(false)
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
    },
  }
}

/**
 * Messages on their way out, one after the other in memory that is used again: bytes of an action are borrowed. They hold until
 * the next call with an empty list of actions, so who performs actions before making new ones has nothing to do, and who keeps
 * bytes copies them.
 */
import { Writer } from '../wire/index.ts'

export interface Send {
  readonly type: 'send'
  /** Borrowed: whoever keeps them copies. */
  readonly bytes: Uint8Array
}

/** Messages up to here have an action of their own that is used again. */
const shortBytes = 128

export class Messages {
  readonly #w = new Writer()
  #start = 0
  /** The action for a first message of so many bytes. */
  readonly #sends: (Send | undefined)[] = Array.from({ length: shortBytes }, () => undefined)

  /** A turn begins: when its list is empty, nobody looks at earlier messages any more. */
  turn(actions: readonly unknown[]): void {
    if (actions.length === 0) this.#w.reset()
  }

  /** Where the next message is written. */
  begin(): Writer {
    this.#start = this.#w.length
    return this.#w
  }

  /** What was written since `begin`, as an action. */
  end(): Send {
    const bytes = this.#w.view(this.#start)
    if (this.#start > 0 || bytes.length >= shortBytes) return { type: 'send', bytes }
    const known = this.#sends[bytes.length]
    if (known !== undefined && known.bytes === bytes) return known
    const send: Send = { type: 'send', bytes }
    this.#sends[bytes.length] = send
    return send
  }
}

/** The same actions with bytes of their own, for whoever performs them later. */
export function kept<Action extends { readonly type: string }>(
  actions: readonly (Action | Send)[],
): (Action | Send)[] {
  return actions.map(action => (isSend(action) ? { type: 'send', bytes: action.bytes.slice() } : action))
}

function isSend(action: { readonly type: string }): action is Send {
  return action.type === 'send'
}

/**
 * Who may do what. A port: tokens today, signed ones later. The hub asks once a subscription, with what the client sent.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

export interface Principal {
  readonly name: string
  readonly canWrite: boolean
}

export interface Access {
  /** The principal this token stands for in this space, or undefined when it may not even read. */
  authenticate(token: string | undefined, space: string): Principal | undefined
}

/** Everyone on this machine, with every right: for a hub that listens on the loopback only. */
export const openAccess: Access = {
  authenticate: () => ({ name: 'anyone', canWrite: true }),
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** One token that may write, and perhaps one that may only read. */
export function tokenAccess(tokens: { readonly write: string; readonly read?: string }): Access {
  const write = digest(tokens.write)
  const read = tokens.read === undefined ? undefined : digest(tokens.read)
  return {
    authenticate(token) {
      if (token === undefined) return undefined
      const given = digest(token)
      if (timingSafeEqual(given, write)) return { name: 'writer', canWrite: true }
      if (read !== undefined && timingSafeEqual(given, read)) return { name: 'reader', canWrite: false }
      return undefined
    },
  }
}

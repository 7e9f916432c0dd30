/**
 * Who may do what. A port: the hub asks once a subscription, with what the client sent; signed tokens may come later, and may take
 * their time. Three answers are here: everyone, one token or two, and principals by name from a list.
 *
 * The list, as JSON. A principal is a person or a program; its name is what incarnations and rows are bound to, so it outlives its
 * tokens. Rights are `read`, `own` (read all, make rows, write those) and `write` (write all rows, make spaces, append
 * fields); `*` stands for all other spaces.
 *
 *   { "principals": [
 *       { "name": "ana", "tokens": ["sha256:9f86d0…"], "spaces": { "notes": "own", "*": "read" } },
 *       { "name": "ci", "tokens": ["sha256:60303a…"], "spaces": { "*": "write" } } ] }
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { AtomikError, limits } from 'atomik'
import type { Grant } from 'atomik/engine'

export type Principal = Grant

export interface Access {
  /** What this token may do in this space, or undefined when it may not even read. */
  authenticate(
    token: string | undefined,
    space: string,
  ): Principal | undefined | Promise<Principal | undefined>
}

/** Everyone on this machine, with every right: for a hub that listens on the loopback only. */
export const openAccess: Access = {
  authenticate: () => ({ principal: '', rows: 'all' }),
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** One token that may write, and perhaps one that may only read. They name nobody. */
export function tokenAccess(tokens: { readonly write: string; readonly read?: string }): Access {
  const write = digest(tokens.write)
  const read = tokens.read === undefined ? undefined : digest(tokens.read)
  return {
    authenticate(token) {
      if (token === undefined) return undefined
      const given = digest(token)
      if (timingSafeEqual(given, write)) return { principal: '', rows: 'all' }
      if (read !== undefined && timingSafeEqual(given, read)) return { principal: '', rows: 'none' }
      return undefined
    },
  }
}

const rowsOf = { read: 'none', own: 'own', write: 'all' } as const
type Right = keyof typeof rowsOf

/**
 * Principals from a list in JSON.
 * @throws AtomikError `range` for a list that does not say what it should, naming where
 */
export function listAccess(json: string): Access {
  // By digest: whoever can choose what is looked up cannot choose its digest, so the time tells nothing.
  const byToken = new Map<string, { name: string; spaces: ReadonlyMap<string, Right> }>()
  const names = new Set<string>()
  for (const [i, entry] of principalsIn(json).entries()) {
    const where = `principal ${i + 1}`
    const { name, tokens, spaces } = fieldsOf(entry, where)
    if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > limits.principalBytesMax)
      throw wrong(`${where}: a name of 1 to ${limits.principalBytesMax} bytes is needed`)
    if (names.has(name)) throw wrong(`${where}: there are two called ${name}`)
    names.add(name)
    const rights = new Map<string, Right>()
    for (const [space, right] of Object.entries(fieldsOf(spaces, `${where}, spaces`))) {
      if (typeof right !== 'string' || !Object.hasOwn(rowsOf, right))
        throw wrong(`${where}: the right to ${space} is read, own or write`)
      rights.set(space, right as Right)
    }
    if (!Array.isArray(tokens) || tokens.length === 0) throw wrong(`${where}: a list of tokens is needed`)
    for (const token of tokens) {
      const hash = typeof token === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(token)?.[1] : undefined
      if (hash === undefined) throw wrong(`${where}: a token is sha256: and 64 hexadecimal digits`)
      if (byToken.has(hash)) throw wrong(`${where}: a token is given twice`)
      byToken.set(hash, { name, spaces: rights })
    }
  }
  return {
    authenticate(token, space) {
      const found = token === undefined ? undefined : byToken.get(digest(token).toString('hex'))
      const right = found?.spaces.get(space) ?? found?.spaces.get('*')
      return found && right && { principal: found.name, rows: rowsOf[right] }
    },
  }
}

const wrong = (what: string) => new AtomikError('range', `the list of principals: ${what}`)

function principalsIn(json: string): unknown[] {
  let list: unknown
  try {
    list = JSON.parse(json)
  } catch (error) {
    throw wrong((error as Error).message)
  }
  const { principals } = fieldsOf(list, 'the list')
  if (!Array.isArray(principals)) throw wrong('an object with a list `principals` is needed')
  return principals
}

function fieldsOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`${where}: an object is needed`)
  return value as Record<string, unknown>
}

/**
 * The end of the address says what is shown, so that a link shows the same: `#view=algebra&lane=xor&…`. It is never sent
 * to a server, which is why a token may stand there too: `#token=…`.
 */
export const views = ['flights', 'hub', 'algebra', 'nodes', 'cluster'] as const
export type View = (typeof views)[number]

export interface Route {
  /** Undefined when the address does not say. */
  readonly view: View | undefined
  readonly token: string | undefined
  readonly parameters: URLSearchParams
}

export function readRoute(hash: string): Route {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''))
  return {
    view: views.find(name => name === parameters.get('view')),
    token: parameters.get('token') ?? undefined,
    parameters,
  }
}

/** The address of a view; the token goes along. */
export function addressOf(view: View, token: string | undefined): string {
  return `#${new URLSearchParams({ view, ...(token !== undefined && { token }) })}`
}

/** Replaces what the address says, without a new entry in the history. The token stays. */
export function setParameters(parameters: Readonly<Record<string, string>>): void {
  const { token } = readRoute(location.hash)
  const next = `#${new URLSearchParams({ ...parameters, ...(token !== undefined && { token }) })}`
  if (location.hash !== next) history.replaceState(null, '', next)
}

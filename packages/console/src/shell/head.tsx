/** Name of the thing, and the way to each view. */
import { addressOf, type View } from './route.ts'

const titles: Record<View, string> = {
  flights: 'Flights',
  hub: 'Hub',
  algebra: 'Algebra',
  nodes: 'Two nodes',
  cluster: 'Cluster',
}

interface HeadProps {
  readonly offered: readonly View[]
  readonly view: View
  readonly token: string | undefined
}

export function Head({ offered, view, token }: HeadProps) {
  return (
    <header class="shell">
      <div class="brand">
        <h1>
          ATOM<span>i</span>K
        </h1>
        <p class="equation">state = reference ⊙ accumulator</p>
      </div>
      <nav aria-label="Views">
        {offered.map(name => (
          <a key={name} href={addressOf(name, token)} aria-current={name === view ? 'page' : undefined}>
            {titles[name]}
          </a>
        ))}
      </nav>
    </header>
  )
}

/** Foot of the page: how it works, in a few sentences that are true of what is above. */
import { bytes, count } from '../format.ts'
import type { PageView } from './live-hub.ts'

export function Explanation({ page }: { page: PageView | undefined }) {
  return (
    <footer class="explanation">
      <p>
        <b>How it works.</b> A replica changes its own copy first: the change goes into its <i>accumulator</i>
        . The hub makes it durable, numbers it and passes it on; its answer folds the change into the
        replica’s <i>reference</i>. A repeated message is dropped, a lost one asked for again, and order does
        not matter. To cut a replica is a change as well: the button sets a flag in a table, which the run
        obeys.
      </p>
      <p>
        <b>This page is a replica too.</b>{' '}
        {page === undefined
          ? 'It waits for its first state.'
          : `It holds version ${count(page.lsn)} of the flights, received ${bytes(page.bytesReceived)} and sent ${bytes(
              page.bytesSent,
            )}, and keeps ${page.metadataBytes} bytes of synchronisation metadata whatever the number of changes.`}
      </p>
    </footer>
  )
}

/**
 * Two nodes twice: once as bare accumulators that send each other their deltas and nothing more, once as replicas of the
 * real engine with a hub between them. Both pairs get the same clicks and the same network conditions.
 */
import { AtomikContext, bits, type ConnectedSpace, connect, counter, flag, register, table } from 'atomik'
import { BadNetwork, type Conditions } from './bad-link.ts'
import { PageHub } from './page-hub.ts'

export const lampCount = 16
const Panel = table({
  lamps: bits(lampCount),
  armed: flag(),
  visitors: counter(),
  level: register.u8(),
  note: register.text(24),
})
const tables = { panels: Panel }
export type PanelRow = ReturnType<ConnectedSpace<typeof tables>['panels']['row']>
export type PanelValues = ReturnType<PanelRow['read']>

export const nodeNames = ['A', 'B'] as const

export interface NodeView {
  readonly bare: number
  readonly values: PanelValues
  readonly lsn: number
  readonly pending: number
  readonly live: boolean
  readonly duplicatesDropped: number
  readonly gapsRepaired: number
  readonly batchesResent: number
  readonly canUndo: boolean
}

/** Bare deltas are four bytes and nothing else. */
const bareBytes = 4

class Node {
  readonly bare = new AtomikContext(lampCount)
  readonly changes: number[] = []
  space: ConnectedSpace<typeof tables> | undefined

  get row(): PanelRow | undefined {
    return this.space?.panels.row('panel')
  }
}

export class Pair {
  readonly bareNetwork: BadNetwork
  readonly network: BadNetwork
  readonly #hub: PageHub
  readonly #nodes = nodeNames.map(() => new Node())
  readonly #listeners = new Set<() => void>()
  #stopped = false

  /** @param conditions shared by both networks; may be changed at any time */
  constructor(conditions: Conditions, random?: () => number) {
    this.bareNetwork = new BadNetwork(conditions, random)
    this.network = new BadNetwork(conditions, random)
    this.#hub = new PageHub(this.network)
    this.#nodes.forEach((node, at) => {
      connect('ws://page/pair', {
        tables,
        transport: this.#hub.transportFrom(at),
        timeoutMs: 2 ** 31 - 1,
      }).then(space => {
        if (this.#stopped) return space.close()
        node.space = space
        space.panels.subscribe(() => this.#tell())
        space.on('status', () => this.#tell())
        this.#tell()
      })
    })
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  view(at: number): NodeView | undefined {
    const { space, row, bare, changes } = this.#nodes[at]
    if (space === undefined || row === undefined) return undefined
    const { lsn, pending, live } = space.status()
    const { duplicatesDropped, gapsRepaired, batchesResent } = space.stats()
    return {
      bare: Number(bare.read()),
      values: row.read(),
      lsn,
      pending,
      live,
      duplicatesDropped,
      gapsRepaired,
      batchesResent,
      canUndo: changes.length > 0,
    }
  }

  /** Flips a lamp at a node, in both worlds. */
  flip(at: number, lamp: number): void {
    const node = this.#nodes[at]
    const delta = 1n << BigInt(lamp)
    node.bare.accum(delta)
    this.bareNetwork.send(at, 1 - at, bareBytes, () => {
      this.#nodes[1 - at].bare.accum(delta)
      this.#tell()
    })
    this.change(at, row => row.lamps.flip(lamp))
    this.#tell()
  }

  /** Makes one change at a node; it can be undone there. */
  change(at: number, make: (row: PanelRow) => number): void {
    const node = this.#nodes[at]
    if (node.row !== undefined) node.changes.push(make(node.row))
    this.#tell()
  }

  /** Undoes the node's own last change, whatever the other did since. */
  undo(at: number): void {
    const node = this.#nodes[at]
    const change = node.changes.pop()
    if (change !== undefined) node.space?.undo(change)
    this.#tell()
  }

  get hubLsn(): number {
    return this.#hub.host?.space.durableLsn ?? 0
  }

  stop(): void {
    this.#stopped = true
    for (const { space } of this.#nodes) space?.close()
    this.#hub.stop()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** Who takes part, by name, in the order of the tables. Modules load in the worker alone. */
import type { Peer, Workload } from './star.ts'

const importers: Readonly<Record<string, () => Promise<Peer>>> = {
  floor: async () => (await import('./peers/floor.ts')).peer,
  atomik: async () => (await import('./peers/atomik.ts')).max,
  'atomik-xor': async () => (await import('./peers/atomik.ts')).xor,
  'atomik-relayed': async () => (await import('./peers/atomik.ts')).relayed,
  colyseus: async () => (await import('./peers/colyseus.ts')).peer,
  'json-joy': async () => (await import('./peers/json-joy.ts')).peer,
  yjs: async () => (await import('./peers/yjs.ts')).peer,
  loro: async () => (await import('./peers/loro.ts')).peer,
  'loro-shallow': async () => (await import('./peers/loro.ts')).shallow,
  tinybase: async () => (await import('./peers/tinybase.ts')).peer,
  automerge: async () => (await import('./peers/automerge.ts')).peer,
}

export function importPeer(name: string): Promise<Peer> {
  const importer = importers[name]
  if (importer === undefined) throw new Error(`no peer ${name}`)
  return importer()
}

const merging = ['floor', 'atomik', 'atomik-xor', 'json-joy', 'yjs', 'loro', 'tinybase', 'automerge']
const all = [...merging.slice(0, 3), 'colyseus', ...merging.slice(3)]

/** Who does what: Colyseus and the floor merge nothing, so they have no counters; Colyseus has no changes of its clients to reconnect with. */
export const takers: Readonly<Record<Workload, readonly string[]>> = {
  storm: ['floor', 'atomik', 'atomik-xor', 'atomik-relayed', ...all.slice(3)],
  burst: all,
  flags: all,
  counters: ['atomik', ...merging.slice(3)],
  reconnect: merging,
  growth: [...all.slice(0, 7), 'loro-shallow', ...all.slice(7)],
  memory: all,
}

/** Spaces kept in a browser (`atomik/storage/indexeddb`): what `connect` takes as `storage` there. */
import { IndexedDbStorage, keepIn } from '../adapters/index.ts'
import type { SpaceStorage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'
import type { SharedStorage } from './shared.ts'
import { sharedByTabs } from './tabs.ts'

export { IndexedDbStorage } from '../adapters/index.ts'

export interface IndexedDbOptions {
  /** Name of the database. Default `atomik`. Give each hub one of its own: spaces are kept by name. */
  readonly name?: string
  /** What a second tab does: `share` (the default) the space, or `refuse` it with the code `in-use`. */
  readonly tabs?: 'share' | 'refuse'
}

/**
 * Keeps spaces in IndexedDB. Tabs that open the same space share it: one of them, it does not matter which, writes the store and talks to the
 * hub; when it is closed another takes over. What any of them changes is seen in all, hub or no hub. Needs https or localhost.
 *
 * With `tabs: 'refuse'` a space is open in one tab at a time, which then holds it itself: half the memory, and regions can be written.
 */
export function indexedDb(options: IndexedDbOptions & { readonly tabs: 'refuse' }): SpaceStorage
export function indexedDb(options?: IndexedDbOptions & { readonly tabs?: 'share' }): SharedStorage
export function indexedDb(options: IndexedDbOptions = {}): SharedStorage | SpaceStorage {
  const name = options.name ?? 'atomik'
  const open = () => IndexedDbStorage.open(name)
  if (options.tabs !== 'refuse') return sharedByTabs(name, open)
  return keepIn(open, space => holdLock(`atomik ${name} ${space}`, `the space ${space}`))
}

/** Takes a Web Lock, unless somebody has it. */
function holdLock(name: string, what: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    if (typeof navigator === 'undefined' || navigator.locks === undefined) {
      reject(new AtomikError('storage', 'Web Locks need a browser and https or localhost'))
      return
    }
    const held = navigator.locks.request(name, { ifAvailable: true }, lock => {
      if (lock === null) throw new AtomikError('in-use', `${what} is open in another tab`)
      return new Promise<void>(release =>
        resolve(async () => {
          release()
          await held
        }),
      )
    })
    held.catch(reject)
  })
}

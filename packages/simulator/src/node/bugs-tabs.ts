/** Bugs of tabs that share one replica. */
import type { Bug } from './bugs.ts'

export const tabBugs: readonly Bug[] = [
  {
    name: 'taken-forgotten',
    what: 'a tab that takes over does not look in the store for what was taken in of others',
    edits: [
      {
        file: 'engine/leader.ts',
        find: 'Math.max(this.#taken.get(name) ?? 0, saved)',
        replace: 'saved',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'told-when-taken',
    what: 'the leader tells a tab that its change is saved when it has taken it in',
    edits: [
      {
        file: 'engine/leader.ts',
        find: 'unconfirmed[following.savedCount]?.change <= replica.savedChange;',
        replace: 'following.savedCount < unconfirmed.length;',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'take-not-held',
    what: 'a change of a tab goes to the hub before one write holds it with who made it and its number',
    edits: [
      {
        file: 'engine/replica.ts',
        find: '        this.#quicken(into)\n      }),\n      true,\n',
        replace: '        this.#quicken(into)\n      }),\n      false,\n',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'take-unnumbered',
    what: 'a change of a tab is stored without who made it and its number',
    edits: [{ file: 'engine/replica.ts', find: '    this.#store.take(neighbour, number)\n', replace: '' }],
    seedsMax: 200,
  },
  {
    name: 'tab-renamed',
    what: 'a tab sends again under another name when another leads',
    edits: [
      {
        file: 'engine/follower.ts',
        find: "    if (event.type === 'open') {\n",
        replace: "    if (event.type === 'open') {\n      if (this.stats.snapshots > 0) this.id[0]++\n",
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'tab-forgets-taken',
    what: 'a tab keeps a change until it is taken in, not until it is saved',
    edits: [
      {
        file: 'engine/follower.ts',
        find: '        this.#include(frame.included)\n',
        replace:
          '        this.#include(frame.included)\n        this.#kept = this.#keptAfter(frame.included)\n',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'tab-shows-twice',
    what: 'what the leader has taken in stays in the accumulator of the tab that made it',
    edits: [
      {
        file: 'engine/follower.ts',
        find: 'for (const { delta } of this.#keptAfter(change)) this',
        replace: 'for (const { delta } of this.#keptAfter(change - 1)) this',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'tab-keeps-rows',
    what: 'a tab that hears of another leader keeps rows that this one does not have',
    edits: [
      {
        file: 'engine/follower.ts',
        find: '        this.reference.clear()\n',
        replace: '',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'row-without-maker',
    what: 'the leader does not bring to life a row whose maker died before it was saved',
    edits: [{ file: 'engine/replica.ts', find: '        this.#quicken(into)\n', replace: '' }],
    seedsMax: 800,
  },
  {
    name: 'refusal-untold',
    what: 'the leader does not show the others what a refusal has taken out',
    edits: [
      {
        file: 'engine/replica.ts',
        find: '      this.#refuse(batch.from, batch.to, code, actions)\n      touched.add(batch.delta)\n',
        replace: '      this.#refuse(batch.from, batch.to, code, actions)\n',
      },
    ],
    seedsMax: 400,
  },
]

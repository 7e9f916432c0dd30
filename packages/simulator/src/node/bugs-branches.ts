/** Bugs of branches. */
import type { Bug } from './bugs.ts'

export const branchBugs: readonly Bug[] = [
  {
    name: 'merge-twice',
    what: 'merging a branch accumulates it twice',
    edits: [
      {
        file: 'engine/branch.ts',
        find: '    const change = this.#parent.accum(nowMs, this.#contribution())\n',
        replace:
          '    this.#parent.accum(nowMs, this.#contribution())\n    const change = this.#parent.accum(nowMs, this.#contribution())\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'drop-keeps',
    what: 'a branch that is dropped, or was merged, keeps its accumulator',
    edits: [{ file: 'engine/branch.ts', find: '    this.accumulator.clear()\n', replace: '' }],
    seedsMax: 40,
  },
  {
    name: 'merge-stamps-anew',
    what: 'merging writes the registers of a branch again, under the stamp of the merge',
    edits: [
      {
        file: 'engine/branch.ts',
        find: '        if (neverLived && !isNamed) to.words[opened] = 1\n',
        replace:
          '        if (neverLived && !isNamed) to.words[opened] = 1\n' +
          '        from.layout.kinds.forEach((kind, word) => {\n' +
          '          const i = opened + 2 * word\n' +
          "          if (String(kind) !== '3' || (to.words[i] | to.words[i + 1]) === 0) return\n" +
          '          this.clock.next(0)\n' +
          '          to.words[i] = this.clock.low\n' +
          '          to.words[i + 1] = this.clock.high\n' +
          '        })\n',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'branch-own-clock',
    what: 'a branch stamps with a clock of its own, not with that of what it was made of',
    edits: [
      {
        file: 'engine/branch.ts',
        find: 'under, this.accumulator, parent.clock)',
        replace: 'under, this.accumulator)',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'diff-by-touch',
    what: 'the diff of a branch names all rows it touched, also those that read as they did',
    edits: [
      {
        file: 'engine/branch.ts',
        find: '          if (before[half] === after[half]) continue\n',
        replace: '',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'branch-undo-below',
    what: 'undo on a branch of one that was merged into it takes registers back to what lies under the branch',
    edits: [
      {
        file: 'engine/branch.ts',
        find: 'this.#undo.record(this.#lastChange + 1, change, this)',
        replace: 'this.#undo.record(this.#lastChange + 1, change, this.#parent)',
      },
    ],
    seedsMax: 400,
  },
]

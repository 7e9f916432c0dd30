/** Bugs of spaces without a hub. */
import type { Bug } from './bugs.ts'

export const meshBugs: readonly Bug[] = [
  {
    name: 'mesh-apart-from-vector',
    what: 'a node of a mesh takes the content of a segment and does not move its version vector',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: '          if (!history.add(kept)) break\n',
        replace: '          if (history.segmentCount > 0 && !history.add(kept)) break\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'mesh-counts-own-again',
    what: 'a node takes its own segments once more when a relay brings them back',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: 'if (history.knows(segment.to)) this.stats.duplicatesDropped++',
        replace:
          'if (history.knows(segment.to) && !sameBytes(history.id, this.id)) this.stats.duplicatesDropped++',
      },
      {
        file: 'engine/mesh-state.ts',
        find: '          if (!history.add(kept)) break\n',
        replace: '          if (!history.add(kept) && !sameBytes(history.id, this.id)) break\n',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'mesh-no-relay',
    what: 'a node offers its own history alone, not those it has from others',
    edits: [
      {
        file: 'engine/mesh.ts',
        find: 'if (!listed.has(name) && ((frame.buckets',
        replace: 'if (!listed.has(name) && name === this.incarnation && ((frame.buckets',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'mesh-skips-a-hole',
    what: 'a node takes a segment although what lies before it is not there',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: 'else if (!history.knows(segment.from)) this.stats.gapsSeen++',
        replace: 'else if (history === undefined) this.stats.gapsSeen++',
      },
      {
        file: 'engine/history.ts',
        find: 'if (this.knows(segment.to) || !this.knows(segment.from)) return false',
        replace: 'if (this.knows(segment.to)) return false',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'mesh-whole-on-top',
    what: 'a folded beginning is accumulated on top of the part of it that is there',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: 'if (isNew) this.#accum(decoded, touched)',
        replace: 'if (isNew || touched !== undefined) this.#accum(decoded, touched)',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'mesh-same-name',
    what: 'a node that starts again goes on under the incarnation it had',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: '  #draw(): Uint8Array {\n',
        replace:
          '  #draw(): Uint8Array {\n' +
          '    const names = ((globalThis as any).names ??= new WeakMap())\n' +
          '    const seen = names.get(this.options.random32)\n' +
          '    if (seen !== undefined) return seen\n',
      },
      {
        file: 'engine/mesh-state.ts',
        find: '    this.#mine.add(formatIncarnation(id))\n',
        replace: '    this.#mine.add(formatIncarnation(id))\n    names.set(this.options.random32, id)\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'mesh-seal-forgets',
    what: 'a sealed segment leaves the accumulator and does not enter the reference',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: '    this.reference.accum(this.accumulator)\n    this.accumulator.clear()\n',
        replace: '    this.accumulator.clear()\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'mesh-offers-once',
    what: 'a node that has told a peer where it stands does not tell it again, so what is lost stays lost',
    edits: [
      {
        file: 'engine/mesh.ts',
        find: 'else if (!this.#isSame(peer.theirs.vector) || !this.#isSame(peer.told))',
        replace: 'else if (!this.#isSame(peer.told))',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'mesh-greets-once',
    what: 'a greeting that is lost is not repeated',
    edits: [
      {
        file: 'engine/mesh.ts',
        find: 'if (peer.theirs === undefined || !peer.heard) this.#greet(nowMs, peer, actions)\n      else if (',
        replace: 'if (peer.theirs !== undefined && (',
      },
      {
        file: 'engine/mesh.ts',
        find: '!this.#isSame(peer.told)) this.#tell(nowMs, peer, actions)\n    }\n  }\n\n  #isSame',
        replace: '!this.#isSame(peer.told))) this.#tell(nowMs, peer, actions)\n    }\n  }\n\n  #isSame',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'mesh-timers-by-the-wall',
    what: 'what a peer lacks is offered by a clock that people set back',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: 'steady = new SteadyClock()',
        replace: 'steady = { at: (nowMs: number) => nowMs }',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'mesh-early-stamps',
    what: 'a node that meets a stamp from the future takes the rest of the segments behind it',
    edits: [
      {
        file: 'engine/mesh-state.ts',
        find: '            this.stats.stampsAhead++\n            break\n',
        replace:
          '            this.stats.stampsAhead++\n            history.add(kept)\n            continue\n',
      },
    ],
    seedsMax: 400,
  },
]

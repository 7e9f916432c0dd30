/**
 * Bugs to inject: each is a patch of the engine's source, made while that is bundled for a run, so the engine itself has no switches. A
 * patch names the text it replaces; when that text is not there exactly once, the run stops instead of testing nothing. A simulator
 * that does not find every one of these within its bound is not worth its time.
 */
import { branchBugs } from './bugs-branches.ts'
import { meshBugs } from './bugs-mesh.ts'
import { tabBugs } from './bugs-tabs.ts'

export interface Edit {
  /** Under packages/atomik/src. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Bug {
  readonly name: string
  /** What is wrong, in one sentence. */
  readonly what: string
  readonly edits: readonly Edit[]
  /** It is found within this many seeds from 1. */
  readonly seedsMax: number
}

export const bugs: readonly Bug[] = [
  {
    name: 'skip-head-check',
    what: 'the hub takes a batch whose place in the chain it has passed as new',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'if (frame.from < claimed.chain) {',
        replace: 'if (frame.from < claimed.chain && head.indexOf(frame.from) < 0) {',
      },
    ],
    seedsMax: 20,
  },
  {
    name: 'reuse-incarnation',
    what: 'a replica that starts again writes under its old incarnation, from 1',
    edits: [
      {
        file: 'engine/session.ts',
        find: '  const id = new Uint8Array(16)\n  const view = new DataView(id.buffer)\n',
        replace:
          '  const seen = ((globalThis as any).reused ??= new WeakMap()).get(random32)\n' +
          '  if (seen !== undefined) return openSession(seen, base)\n' +
          '  const id = new Uint8Array(16)\n' +
          '  ;(globalThis as any).reused.set(random32, id)\n' +
          '  const view = new DataView(id.buffer)\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'outbox-dropped',
    what: 'a replica that starts again from its store leaves behind what was not settled',
    edits: [
      {
        file: 'engine/replica.ts',
        find: 'this.#outbox.adopt(sessions, image.lastChange, store)',
        replace: 'this.#outbox.adopt([], image.lastChange, store)',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'clock-reset',
    what: 'a replica that starts again from its store begins with the time of day, not with the last stamp it had saved',
    edits: [
      { file: 'engine/replica.ts', find: '    this.#editor.seeStamp(image.clock)\n', replace: '' },
      {
        file: 'engine/replica.ts',
        find: 'for (const { batches } of sessions) for (const { delta } of batches) this.#editor.see(delta)',
        replace: 'void sessions',
      },
      {
        file: 'engine/replica.ts',
        find: '      this.reference.load(delta)\n      this.#editor.see(delta)\n',
        replace: '      this.reference.load(delta)\n',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'saved-too-early',
    what: 'a replica reports its changes saved when the write is asked for, not when it is durable',
    edits: [
      {
        file: 'engine/replica.ts',
        find: '    const { lsn, epoch } = this\n    const { lastChange } = this.#outbox\n',
        replace:
          "    const { lsn, epoch } = this\n    const { lastChange } = this.#outbox\n    this.#saved = lastChange\n    actions.push({ type: 'saved', change: this.savedChange })\n",
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'batch-without-rows',
    what: 'the store forgets a settled batch with one write, and gets the rows that contain it with the next',
    edits: [
      {
        file: 'engine/replica-store.ts',
        find: '    const rows = this.#dirtyRows.map(set => [...set])\n',
        replace:
          '    const rows: number[][] = (this as any).late ?? this.#dirtyRows.map(() => [])\n    ;(this as any).late = this.#dirtyRows.map(set => [...set])\n',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'failed-write-forgotten',
    what: 'what a full disk did not take is not part of the next write',
    edits: [
      {
        file: 'engine/replica-store.ts',
        find: '    this.#batches = new Map([...failed.batches, ...this.#batches])\n',
        replace: '',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'store-grows-in-part',
    what: 'when the schema has grown, the store is not written anew and keeps records of both schemas',
    edits: [
      {
        file: 'engine/replica.ts',
        find: 'if (image.hasGrown) {',
        replace: 'if (image.hasGrown && sessions === image.names) {',
      },
    ],
    seedsMax: 1500,
  },
  {
    name: 'ack-before-sync',
    what: 'the hub tells readers and author of a batch when it is staged, not when it is durable',
    edits: [
      {
        file: 'engine/space.ts',
        find: '    this.#stagedDigest = this.#digest()\n',
        replace:
          '    this.#stagedDigest = this.#digest()\n    this.durableLsn = this.lsn\n    this.#durableDigest = this.#stagedDigest\n' +
          '    for (const reader of this.#connections.values()) this.#feed(this.#steady.at(this.#timeMs), reader, actions)\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'fold-without-compare',
    what: 'a register takes whatever is folded in, larger or not',
    edits: [
      {
        file: 'algebra/layout.ts',
        find: '} else if (compareGroup(to, i, from, j, group) < 0) {',
        replace: '} else if (from[j] !== 0 || from[j + 1] !== 0) {',
      },
    ],
    seedsMax: 20,
  },
  {
    name: 'stamps-without-value',
    what: 'registers compare stamps only: of two values under one stamp the first to come stays',
    edits: [
      {
        file: 'algebra/layout.ts',
        find: 'for (let word = 0; word < group; word++) {\n    const i = aAt',
        replace: 'for (let word = 0; word < 1; word++) {\n    const i = aAt',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'snapshot-over-pending',
    what: 'own batches that a fold or snapshot contains are accumulated once more when they settle',
    edits: [
      {
        file: 'engine/replica.ts',
        find: 'const batch = this.#outbox.settle(nowMs, alias, refusal === undefined)\n',
        replace:
          'const batch = this.#outbox.settle(nowMs, alias, refusal === undefined)\n      this.reference.accum(batch.delta)\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'no-dedupe-of-stream',
    what: 'a replica applies a stream frame from its beginning although it has the first entries',
    edits: [
      {
        file: 'engine/replica.ts',
        find: '    const from = Math.max(0, this.lsn - frame.lsn)\n',
        replace: '    const from = 0\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'lose-a-hole',
    what: 'a replica takes a frame that starts beyond its log number as the next',
    edits: [
      {
        file: 'engine/replica.ts',
        find: '} else if (next.lsn > this.lsn) {',
        replace: '} else if (next.lsn > this.lsn && (this.lsn = next.lsn) < 0) {',
      },
    ],
    seedsMax: 20,
  },
  {
    name: 'own-unproven',
    what: 'a reader gets its own entries before it has shown that they are its own',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'if (own !== undefined && own.chain < to && !own.isForked) break\n',
        replace: 'if (own !== undefined) own.chain = Math.max(own.chain, to)\n',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'label-not-compared',
    what: 'a known sequence number is a repeat, whatever its label',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'if (known < 0 || head.labelLow(known) !== label.low || head.labelHigh(known) !== label.high) {',
        replace: 'if (known < 0) {',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'skip-epoch-check',
    what: 'the hub believes a log number from before its disk was set back',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'this.#store.knowsPosition(frame.epoch, frame.lsn) && frame.lsn <= this.lsn',
        replace: 'frame.lsn <= this.lsn',
      },
    ],
    seedsMax: 300,
  },
  {
    name: 'tear-a-commit',
    what: 'the moved head is written with the commit after that of its rows',
    edits: [
      {
        file: 'engine/space-store.ts',
        find: '    this.#dirtyHeads.add(head)\n',
        replace: '    ;((this as any).late ??= new Set()).add(head)\n',
      },
      {
        file: 'engine/space-store.ts',
        find: '    this.#dirtyHeads.clear()\n',
        replace:
          '    this.#dirtyHeads.clear()\n    for (const head of (this as any).late ?? []) this.#dirtyHeads.add(head)\n    ;(this as any).late = undefined\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'blind-clock',
    what: 'a replica does not take note of the stamps of others',
    edits: [
      {
        file: 'engine/editor.ts',
        find: 'this.#clock.see(words[at], words[at + 1])',
        replace: 'void at',
      },
    ],
    seedsMax: 20,
  },
  {
    name: 'no-skew-limit',
    what: 'the hub takes stamps from any future',
    edits: [
      {
        file: 'engine/space-judge.ts',
        find: 'isLater(low, high, latest)',
        replace: 'isLater(low, high, latest) && low === high',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'refused-stays',
    what: 'the author of a refused batch moves it into its reference',
    edits: [
      {
        file: 'engine/replica.ts',
        find: "const isAccepted = kind === 'own'",
        replace: 'const isAccepted = to > 0',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'undo-twice',
    what: 'undo accumulates the inverse twice',
    edits: [
      {
        file: 'engine/undo.ts',
        find: 'invertRow(layout, to.words, at, done.words, from)\n',
        replace:
          'invertRow(layout, to.words, at, done.words, from)\n        foldRow(layout, to.words, at, to.words.slice(at, at + stride), 0)\n',
      },
    ],
    seedsMax: 20,
  },
  {
    name: 'settled-stays',
    what: 'a settled batch stays in the accumulator',
    edits: [
      {
        file: 'engine/outbox.ts',
        find: '    if (isInReference) this.#release(batch)\n',
        replace: '    if (isInReference) void batch\n',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'fork-forgets',
    what: 'a replica that goes on under a new incarnation leaves behind what was not settled',
    edits: [
      {
        file: 'engine/outbox.ts',
        find: '      for (const { delta, from, to, salt, isHeld } of run)\n        this.#push(again, batchOf(delta), from, to, salt, isHeld)\n',
        replace: '      this.#rebuildAccumulator(this.accumulator)\n',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'never-resend',
    what: 'a batch without an answer is not sent again',
    edits: [
      {
        file: 'engine/outbox.ts',
        find: 'nowMs - this.#progressAtMs <= patienceMs) return 0',
        replace: 'nowMs - this.#progressAtMs >= 0) return 0',
      },
    ],
    seedsMax: 40,
  },
  {
    name: 'catch-up-not-held',
    what: 'a fold or snapshot is sent before what it contains is durable',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'if (this.lsn > this.durableLsn) return\n    this.#send(',
        replace: 'this.#send(',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'idle-copy-waits',
    what: 'a copy that has nothing to write is not told that it is one',
    edits: [{ file: 'engine/replica.ts', find: '    this.#probe(frame.heads, false)\n', replace: '' }],
    seedsMax: 300,
  },
  {
    name: 'timers-by-the-wall',
    what: 'timers are held against a clock that people set back',
    edits: [
      {
        file: 'engine/clock.ts',
        find: 'Math.min(stepMsMax, Math.max(0, nowMs - (this.#lastMs ?? nowMs)))',
        replace: 'nowMs - (this.#lastMs ?? nowMs)',
      },
    ],
    seedsMax: 1500,
  },
  {
    name: 'fork-on-one-connection',
    what: 'the new incarnation takes over the alias of the old one on the same connection',
    edits: [
      {
        file: 'engine/replica.ts',
        find: '    this.#rotate(nowMs, alias, actions)\n    this.#leave(actions)\n',
        replace:
          "    this.#rotate(nowMs, alias, actions)\n    this.#link = 'greeting'\n    this.#greet(this.#greetedAtMs, actions)\n",
      },
    ],
    seedsMax: 1500,
  },
  {
    name: 'retired-forgotten',
    what: 'after a checkpoint the hub does not look on its disk for the head of one who comes back',
    edits: [
      {
        file: 'engine/space-heads.ts',
        find: 'if (this.#cold === 0) return undefined',
        replace: 'if (this.#cold >= 0) return undefined',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'short-repeat',
    what: 'a change that is sent again on a connection takes the short form, which names it by 6 bits',
    edits: [
      {
        file: 'engine/outbox.ts',
        find: '    session.reached = Math.max(session.reached, batch.to)\n',
        replace: '',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'eager-not-deaf',
    what: 'the hub reads changes that came behind a greeting although it does not know the position they name rows by',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'isDeaf: frame.isOrdered && frame.lsn > lsn',
        replace: 'isDeaf: false',
      },
    ],
    seedsMax: 800,
  },
  {
    name: 'upgrade-not-stored',
    what: 'the hub adopts a grown schema in memory and writes the old one',
    edits: [{ file: 'engine/space.ts', find: '    this.#store.adopt(schema)\n', replace: '' }],
    seedsMax: 100,
  },
  {
    name: 'upgrade-narrow-readers',
    what: 'after a schema has grown, old readers are fed as if they knew the new fields',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'reader.view = new View(schema.layouts, reader.widths)',
        replace: 'reader.view = this.#whole',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'region-for-everybody',
    what: 'the hub takes patches of a region from whoever sends them',
    edits: [
      {
        file: 'engine/region.ts',
        find: "if (words[before + 2] !== us.low || words[before + 3] !== us.high) return 'owner'\n        continue",
        replace: 'continue',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'claim-alone',
    what: 'a region that its writer takes for new is claimed without anything that a hub could refuse',
    edits: [
      {
        file: 'engine/region.ts',
        find: 'if (isNew) edit.write(',
        replace: 'if (isNew && edit === undefined) edit.write(',
      },
      {
        file: 'engine/region.ts',
        find: '  return shown[length + 1] === shown[writer + 1]\n',
        replace: '  if (length > 0) return true\n  return shown[length + 1] === shown[writer + 1]\n',
      },
    ],
    seedsMax: 400,
  },
  {
    name: 'right-outlives-refusal',
    what: 'who wrote a region goes on writing it after a batch with patches was refused',
    edits: [
      {
        file: 'engine/space.ts',
        find: 'if (refused !== undefined && touchesRegions(delta, reader.regions)) head.regionsRefused = frame.to\n',
        replace: '',
      },
      {
        file: 'engine/outbox.ts',
        find: 'if (touchesRegions(batch.delta, this.#regions)) session.regionsRefused = session.settled\n',
        replace: '',
      },
    ],
    seedsMax: 100,
  },
  {
    name: 'fold-sent-unsaved',
    what: 'batches that were folded are sent before the fold is in the store, which still has them one by one',
    edits: [
      {
        file: 'engine/outbox.ts',
        find: 'batch.salt, isHeld || replaces)',
        replace: 'batch.salt, isHeld)',
      },
    ],
    seedsMax: 1500,
  },
  ...branchBugs,
  ...meshBugs,
  ...tabBugs,
]

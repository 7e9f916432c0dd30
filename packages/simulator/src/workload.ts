/**
 * What a simulated program does in one change, as data, so that the same change can be made again by a copy of the replica: one digit of
 * the ledger, and effects on shared cells.
 */
import { WordKind } from 'atomik/algebra'
import {
  type Edit,
  isNewRegion,
  mayPatch,
  nameWriter,
  pageKey,
  patchPage,
  Replica,
  regionWords,
  type SeededRandom,
  writerOf,
} from 'atomik/engine'
import type { Trunk } from './program.ts'
import {
  cellsTable,
  filesTable,
  ledgerTable,
  placeOfDigit,
  schemas,
  slotsPerFile,
  slotsPerPage,
  words,
} from './schema.ts'

/** One effect on the cell with this key. */
export type Effect =
  | { readonly kind: 'sum' | 'extra'; readonly key: string; readonly by: number }
  | { readonly kind: 'flip'; readonly key: string; readonly bit: 0 | 1 }
  /** Writes the change's own number into a register; `pair` into both words of a wide one, `note` into a narrow one. */
  | { readonly kind: 'name' | 'pair' | 'note'; readonly key: string; readonly value: number }
  | { readonly kind: 'flag'; readonly key: string; readonly on: boolean }
  | { readonly kind: 'remove'; readonly key: string }
  /** Puts the change's own number into a slot of a region, where this replica is its writer, or it has none yet. */
  | { readonly kind: 'patch'; readonly key: string; readonly slot: number; readonly value: number }
  /** Takes the region, from whoever has it. */
  | { readonly kind: 'claim'; readonly key: string }

export interface Change {
  readonly effects: readonly Effect[]
}

const layout = schemas[1].layouts[cellsTable]

/** Words of a cell that hold a whole `max` group: life, flags, registers. */
export const maxWords: readonly { readonly word: number; readonly halves: number }[] = [
  ...layout.kinds.keys(),
]
  .filter(word => layout.kinds[word] === WordKind.max || layout.kinds[word] === WordKind.stamp)
  .map(word => ({ word, halves: 2 * layout.groups[word] }))

export function isRegister(word: number): boolean {
  return layout.kinds[word] === WordKind.stamp
}

/** A random change. The value of its registers is `value`, which no other change has. */
export function drawChange(
  random: SeededRandom,
  value: number,
  options: { readonly cells: number; readonly upgraded: boolean; readonly files?: number },
): Change {
  const effects: Effect[] = []
  const files = options.files ?? 0
  if (files > 0 && random.next() < 0.4) {
    const key = `f${random.below(files)}`
    if (random.next() < 0.3) effects.push({ kind: 'claim', key })
    else effects.push({ kind: 'patch', key, slot: random.below(slotsPerFile), value })
  }
  const count = random.below(4)
  for (let i = 0; i < count; i++) {
    const key = `c${random.below(options.cells)}`
    const dice = random.below(options.upgraded ? 16 : 13)
    if (dice < 4) effects.push({ kind: 'sum', key, by: random.below(9) - 4 })
    else if (dice < 6) effects.push({ kind: 'flip', key, bit: random.below(2) === 0 ? 0 : 1 })
    else if (dice < 9) effects.push({ kind: 'name', key, value })
    else if (dice < 10) effects.push({ kind: 'pair', key, value })
    else if (dice < 12) effects.push({ kind: 'flag', key, on: random.below(2) === 0 })
    else if (dice < 13) effects.push({ kind: 'remove', key })
    else if (dice < 15) effects.push({ kind: 'extra', key, by: 1 + random.below(5) })
    else effects.push({ kind: 'note', key, value: value % 65_536 })
  }
  return { effects }
}

/** What of a change a client would let its program do: patches only by a region's writer (client/regions.ts). */
export function permitted(replica: Replica, effects: readonly Effect[]): readonly Effect[] {
  const us = writerOf(replica.incarnation, replica.regionsRefused)
  return effects.filter(effect => {
    if (effect.kind !== 'patch' && effect.kind !== 'claim') return true
    const { shown, confirmed } = headOf(replica, effect.key)
    if (effect.kind === 'claim') return shown[writerAt + 2] !== us.low || shown[writerAt + 3] !== us.high
    return isNewRegion(shown, confirmed, replica.mayMissRegions) || mayPatch(shown, confirmed, us)
  })
}

const writerAt = 2 * regionWords.writer

/** Page 0 of a region, in the view and as the hub has confirmed it. */
function headOf(replica: Replica, key: string): { shown: Int32Array; confirmed: Int32Array | undefined } {
  const head = replica.findRow(filesTable, pageKey(0, key))
  const { words, layout } = replica.reference.tables[filesTable]
  const shown = new Int32Array(2 * layout.words)
  if (head < 0) return { shown, confirmed: undefined }
  replica.readRow(filesTable, head, shown)
  return { shown, confirmed: words.slice(2 * head * layout.words, 2 * (head + 1) * layout.words) }
}

/** Makes a change at a replica of any kind, at a copy that lives through the same again, or on a branch. Returns its number. */
export function makeChange(replica: Trunk, nowMs: number, digit: number, effects: readonly Effect[]): number {
  const place = placeOfDigit(digit)
  const row = replica.row(ledgerTable, place.key)
  return replica.change(nowMs, edit => {
    edit.add(ledgerTable, row, place.word, place.low, place.high)
    for (const effect of effects)
      if (effect.kind === 'patch' || effect.kind === 'claim') applyToFile(edit, replica, effect)
      else apply(edit, replica.row(cellsTable, effect.key), effect)
  })
}

type FileEffect = Effect & { readonly kind: 'patch' | 'claim' }

function applyToFile(edit: Edit, replica: Trunk, effect: FileEffect): void {
  // Nobody writes regions elsewhere: on a branch, in a tab that follows, in a mesh.
  if (!(replica instanceof Replica)) return
  const { shown, confirmed } = headOf(replica, effect.key)
  const isNew = isNewRegion(shown, confirmed, replica.mayMissRegions)
  if (effect.kind === 'claim' || isNew)
    nameWriter(
      edit,
      filesTable,
      replica.row(filesTable, pageKey(0, effect.key)),
      isNew,
      writerOf(replica.incarnation, replica.regionsRefused),
    )
  if (effect.kind === 'claim') return
  const page = Math.floor(effect.slot / slotsPerPage)
  const row = replica.row(filesTable, pageKey(page, effect.key))
  replica.readRow(filesTable, row, shown)
  const bytes = new Uint8Array(Int32Array.of(effect.value).buffer)
  patchPage(edit, filesTable, row, shown, 4 * (effect.slot % slotsPerPage), bytes)
}

function apply(edit: Edit, row: number, effect: Exclude<Effect, FileEffect>): void {
  switch (effect.kind) {
    case 'sum':
      edit.add(cellsTable, row, words.sum, effect.by, effect.by < 0 ? -1 : 0)
      return
    case 'extra':
      edit.add(cellsTable, row, words.extra, effect.by, 0)
      return
    case 'flip':
      edit.xor(cellsTable, row, words.bits, 1 << effect.bit, 0)
      return
    case 'flag':
      edit.set(cellsTable, row, words.on, effect.on)
      return
    case 'remove':
      edit.remove(cellsTable, row)
      return
    default:
      edit.write(cellsTable, row, words[effect.kind], halvesOf(effect))
  }
}

/** The halves a register holds after this effect. */
export function halvesOf(effect: Effect & { kind: 'name' | 'pair' | 'note' }): Int32Array {
  const { value } = effect
  // A wide value's words belong together: a mixture of two would show.
  return effect.kind === 'pair' ? Int32Array.of(value, ~value, value, ~value) : Int32Array.of(value, 0)
}

export const registerHalves = { name: 2, note: 2, pair: 4 } as const

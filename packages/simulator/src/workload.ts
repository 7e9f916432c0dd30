/**
 * What a simulated program does in one change, as data, so that the same change can be made again by a copy of the replica: one digit of
 * the ledger, and effects on shared cells.
 */
import { WordKind } from 'atomik/algebra'
import type { Edit, Replica, SeededRandom } from 'atomik/engine'
import { cellsTable, ledgerTable, placeOfDigit, schemas, words } from './schema.ts'

/** One effect on the cell with this key. */
export type Effect =
  | { readonly kind: 'sum' | 'extra'; readonly key: string; readonly by: number }
  | { readonly kind: 'flip'; readonly key: string; readonly bit: 0 | 1 }
  /** Writes the change's own number into a register; `pair` into both words of a wide one, `note` into a narrow one. */
  | { readonly kind: 'name' | 'pair' | 'note'; readonly key: string; readonly value: number }
  | { readonly kind: 'flag'; readonly key: string; readonly on: boolean }
  | { readonly kind: 'remove'; readonly key: string }

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
  options: { readonly cells: number; readonly upgraded: boolean },
): Change {
  const effects: Effect[] = []
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

/** Makes a change at a replica, or at a copy that lives through the same again. Returns its number. */
export function makeChange(
  replica: Replica,
  nowMs: number,
  digit: number,
  effects: readonly Effect[],
): number {
  const place = placeOfDigit(digit)
  const row = replica.row(ledgerTable, place.key)
  return replica.change(nowMs, edit => {
    edit.add(ledgerTable, row, place.word, place.low, place.high)
    for (const effect of effects) apply(edit, replica.row(cellsTable, effect.key), effect)
  })
}

function apply(edit: Edit, row: number, effect: Effect): void {
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

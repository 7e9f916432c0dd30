/**
 * Whether a well-formed batch is accepted (spec/semantics.md S31). A refusal takes the whole batch: its author takes it out of its
 * accumulator and tells the program.
 */
import { WordKind } from '../algebra/index.ts'
import type { ErrorCode } from '../errors.ts'
import type { DecodedDelta, StampMark } from '../wire/index.ts'
import type { View } from './space-view.ts'

/** What a client may do in one space. Everyone who is let in may read all of it. */
export interface Grant {
  /** Whose the incarnations are that it opens, and the rows it makes; empty where the hub knows no principals. */
  readonly principal: string
  /** Rows it may write: none, those it made, or all. */
  readonly rows: 'none' | 'own' | 'all'
}

/** Who made a row, where that is known. */
export interface Owners {
  ownerOf(table: number, row: number): string | undefined
}

/**
 * Why it is not accepted, or undefined.
 * @param latest stamps later than this are refused
 * @param stored what the space stores
 */
export function objectionTo(
  { delta, named }: DecodedDelta,
  grant: Grant,
  latest: StampMark,
  stored: View,
  owners: Owners,
): ErrorCode | undefined {
  if (grant.rows === 'none') return 'readonly'
  let created: Set<number> | undefined
  for (let i = 0; i < named.length; i++) {
    const { table, row, isNew } = named[i]
    if (!isNew) continue
    created ??= new Set()
    created.add(row * 64 + table)
    // A row enters with its life, so that no named row is ever all zero.
    const part = delta.tables[table]
    const at = part.find(row)
    if ((part.words[at] | part.words[at + 1]) === 0) return 'range'
  }
  for (let t = 0; t < delta.tables.length; t++) {
    const { layout, words, rows, count } = delta.tables[t]
    if (count === 0) continue
    const width = stored.words[t] ?? 0
    for (let slot = 0; slot < count; slot++) {
      if (
        grant.rows === 'own' &&
        created?.has(rows[slot] * 64 + t) !== true &&
        owners.ownerOf(t, rows[slot]) !== grant.principal
      )
        return 'owner'
      for (let w = 0; w < layout.words; w++) {
        const at = 2 * (slot * layout.words + w)
        const low = words[at]
        const high = words[at + 1]
        if (w >= width && (low | high) !== 0) return 'schema'
        if (layout.kinds[w] === WordKind.stamp && isLater(low, high, latest)) return 'stamp'
      }
    }
  }
  return undefined
}

function isLater(low: number, high: number, latest: StampMark): boolean {
  return high === latest.high ? low >>> 0 > latest.low >>> 0 : high >>> 0 > latest.high >>> 0
}

/**
 * Lanes: how a word accumulates. Each is a commutative monoid on n-bit words, which is all that convergence needs.
 *
 * | lane | ⊙                    | identity | inverse      | idempotent | for                                  |
 * |------|----------------------|----------|--------------|------------|--------------------------------------|
 * | xor  | bitwise exclusive or | 0        | itself       | no         | toggles, bit sets, single-writer data |
 * | add  | sum modulo 2^n       | 0        | two's compl. | no         | counters and sums                     |
 * | max  | unsigned maximum     | 0        | none         | yes        | registers (stamp, value), flags       |
 */
export const lanes = ['xor', 'add', 'max'] as const

export type Lane = (typeof lanes)[number]

/** True where the lane is a group: there undo and rollback are exact. */
export function hasInverse(lane: Lane): boolean {
  return lane !== 'max'
}

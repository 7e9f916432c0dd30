/**
 * Labels chain an incarnation's history: label(to) = mix(label(from) ⊕ salt, digest(delta) + to). Only the salt travels;
 * both ends compute the label. Two machines that run as one incarnation draw different salts, so at one sequence number
 * they show different labels: a fork (DESIGN "exactly once"; spec/semantics.md §5).
 */
import { Mixer } from '../algebra/index.ts'
import type { Halves } from '../wire/index.ts'

/** The label before the first change: the first 8 bytes of the incarnation. */
export function firstLabel(incarnation: Uint8Array): Halves {
  const b = incarnation
  return {
    low: b[0] | (b[1] << 8) | (b[2] << 16) | (b[3] << 24),
    high: b[4] | (b[5] << 8) | (b[6] << 16) | (b[7] << 24),
  }
}

export function nextLabel(from: Halves, salt: Halves, digest: Halves, to: number): Halves {
  const mixer = new Mixer()
  mixLabel(mixer, from.low ^ salt.low, from.high ^ salt.high, digest.low, digest.high, to)
  return { low: mixer.low, high: mixer.high }
}

/** The same without objects: `low` and `high` are label ⊕ salt; the label stays in the mixer. */
export function mixLabel(
  mixer: Mixer,
  low: number,
  high: number,
  digestLow: number,
  digestHigh: number,
  to: number,
): void {
  mixer.mix(low, high, digestLow, digestHigh)
  // Beyond 31 bits a number would be an object on its way.
  mixer.mix(to | 0, to < 2 ** 31 ? 0 : Math.floor(to / 2 ** 32), mixer.low, mixer.high)
}

export function sameLabel(a: Halves, b: Halves): boolean {
  return a.low === b.low && a.high === b.high
}

/** An incarnation as 32 hexadecimal digits: how maps and people name it. */
export function formatIncarnation(incarnation: Uint8Array): string {
  let text = ''
  for (const byte of incarnation) text += byte.toString(16).padStart(2, '0')
  return text
}

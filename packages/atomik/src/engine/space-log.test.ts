/**
 * Goal: the log gives back what was put in, whatever was trimmed, and counts what it holds. Method: random pushes and trims
 * beside a plain list, from seeds.
 */
import { describe, expect, it } from 'vitest'
import { StampMark } from '../wire/index.ts'
import { SeededRandom } from './random.ts'
import { type LogEntry, SpaceLog } from './space-log.ts'

function entry(random: SeededRandom): LogEntry {
  const body = Uint8Array.from({ length: random.below(40) }, () => random.below(256))
  const parts = new Map<string, Uint8Array | undefined>()
  if (random.below(10) === 0) parts.set('view', random.below(2) === 0 ? undefined : body.slice(1))
  const base = new StampMark(random.below(2 ** 31) * 2 ** 10, random.below(2 ** 16))
  const refused = random.below(8) === 0 ? ('stamp' as const) : undefined
  return { author: `a${random.below(3)}`, to: random.below(2 ** 31) * 2 ** 20, refused, body, base, parts }
}

describe('a log', () => {
  it.each([1, 2, 3, 4, 5])('equals a plain list under pushes and trims, seed %i', seed => {
    const random = new SeededRandom(seed)
    let from = random.below(1000)
    const log = new SpaceLog(from)
    let plain: LogEntry[] = []
    for (let step = 0; step < 3000; step++) {
      if (random.below(50) > 0) {
        const made = entry(random)
        log.push({ ...made, body: made.body.slice() })
        plain.push(made)
      } else {
        const lsn = from + random.below(plain.length + 1)
        const bytesMax = random.below(2) * random.below(log.bytes + 1)
        const before = log.from
        log.trim(lsn, bytesMax)
        expect(log.from).toBeLessThanOrEqual(Math.max(lsn, before))
        // It stopped because there was no more to trim, or because little enough is left.
        if (log.from < lsn) expect(log.bytes).toBeLessThanOrEqual(bytesMax)
        plain = plain.slice(log.from - from)
        from = log.from
      }
      expect(log.from).toBe(from)
    }
    expect(log.bytes).toBe(plain.reduce((sum, { body }) => sum + body.length + 48, 0))
    plain.forEach((made, i) => {
      const found = log.after(from + i)
      expect({ ...found, body: [...found.body] }).toEqual({ ...made, body: [...made.body] })
    })
    log.trim(from + plain.length, 0)
    expect(log.bytes).toBe(0)
    expect(log.from).toBe(from + plain.length)
  })
})

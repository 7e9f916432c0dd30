/**
 * Goal: the injected bugs fit the engine as it is. Method: each patch must find its text exactly once, and a bundle without a bug must
 * hold where one with a bug fails. That every bug is found is shown by `npm run simulate -- --bugs`, which the gate runs.
 */
import { describe, expect, it } from 'vitest'
import { type Bug, bugs } from './bugs.ts'
import { bundleWith, patched } from './bundle.ts'
import { runSeeds } from './pool.ts'

describe('injected bugs', () => {
  it('are at least fourteen, each with a name and a bound of its own', () => {
    expect(bugs.length).toBeGreaterThanOrEqual(14)
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length)
  })

  it.each(bugs.map(bug => [bug.name, bug] as const))('%s fits the source, and changes it', (_, bug) => {
    for (const { file } of bug.edits) expect(patched(bug, file)).not.toBe(patched(none, file))
  })

  it('are all that makes a bundle fail: the same one without holds', async () => {
    const [bug] = bugs
    const outcomes: Record<string, number[]> = {}
    for (const one of [bug, none]) {
      const failed: number[] = []
      outcomes[one.name] = failed
      await runSeeds({
        from: 1,
        count: 8,
        threads: 1,
        code: await bundleWith(one),
        onOutcome: ({ seed, failure }) => {
          if (failure !== undefined) failed.push(seed)
          return false
        },
      })
    }
    expect(outcomes[bug.name].length).toBeGreaterThan(0)
    expect(outcomes[none.name]).toEqual([])
  })

  it('stop with the reason when the text is not there, or more than once', () => {
    const absent = { ...none, edits: [{ file: 'engine/space.ts', find: 'no such text', replace: '' }] }
    expect(() => patched(absent, 'engine/space.ts')).toThrow('0 times in engine/space.ts')
    const common = { ...none, edits: [{ file: 'engine/space.ts', find: 'const ', replace: '' }] }
    expect(() => patched(common, 'engine/space.ts')).toThrow(/is \d+ times in engine\/space.ts/)
  })
})

const none: Bug = { name: 'none', what: 'nothing', edits: [], seedsMax: 1 }

/** Looks for each injected bug, and says after how many seeds it was found. */
import type { FailureKind } from '../verdict.ts'
import type { Bug } from './bugs.ts'
import { bundleWith } from './bundle.ts'
import { runSeeds } from './pool.ts'

export interface Detection {
  readonly bug: Bug
  /** Seeds run until one failed, from 1; undefined when none did within the bug's bound. */
  readonly seeds: number | undefined
  readonly kind: FailureKind | undefined
}

/** @throws AtomikError when a patch does not fit */
export async function hunt(
  bugs: readonly Bug[],
  threads: number,
  onDetection: (detection: Detection) => void = () => {},
): Promise<Detection[]> {
  const detections: Detection[] = []
  const queue = bugs.entries()
  const runOne = async () => {
    for (const [index, bug] of queue) {
      const detection = await find(bug)
      detections[index] = detection
      onDetection(detection)
    }
  }
  await Promise.all(Array.from({ length: threads }, runOne))
  return detections
}

/** One thread a bug, so that the count of seeds is exact. */
async function find(bug: Bug): Promise<Detection> {
  let seeds: number | undefined
  let kind: FailureKind | undefined
  await runSeeds({
    from: 1,
    count: bug.seedsMax,
    threads: 1,
    code: await bundleWith(bug),
    onOutcome: ({ seed, failure }) => {
      if (failure === undefined) return false
      seeds = seed
      kind = failure.kind
      return true
    },
  })
  return { bug, seeds, kind }
}

/** The table as Markdown. */
export function formatDetections(detections: readonly Detection[]): string {
  const lines = detections.map(
    ({ bug, seeds, kind }) =>
      `| \`${bug.name}\` | ${bug.what} | ${seeds ?? `not within ${bug.seedsMax}`} | ${kind ?? '–'} | ${bug.seedsMax} |`,
  )
  return ['| bug | what is wrong | seeds | found as | bound |', '|---|---|--:|---|--:|', ...lines].join('\n')
}

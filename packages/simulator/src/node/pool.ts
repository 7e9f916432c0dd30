/** Runs seeds on several threads and hands the outcomes over as they come. */
import { Worker } from 'node:worker_threads'
import type { Outcome } from '../simulation.ts'

export interface PoolOptions {
  readonly from: number
  readonly count: number
  readonly threads: number
  /** A bundled worker; default: the one that was built. */
  readonly code?: string
  /** True ends the run early. */
  readonly onOutcome: (outcome: Outcome) => boolean
}

/** Seeds a thread gets at once. */
const chunk = 4

/** Resolves when all seeds have run, or the caller has enough. Rejects when a thread breaks. */
export async function runSeeds(options: PoolOptions): Promise<void> {
  const end = options.from + options.count
  let next = options.from
  let isOver = false
  const runOne = () =>
    new Promise<void>((resolve, reject) => {
      const url =
        options.code === undefined
          ? new URL('./worker.js', import.meta.url)
          : new URL(`data:text/javascript;base64,${Buffer.from(options.code).toString('base64')}`)
      const worker = new Worker(url)
      const more = () => {
        if (isOver || next >= end) {
          worker.terminate().then(() => resolve(), reject)
          return
        }
        const from = next
        next = Math.min(end, from + chunk)
        worker.postMessage({ from, count: next - from })
      }
      worker.on('error', error => {
        isOver = true
        reject(error)
      })
      worker.on('message', (outcomes: Outcome[]) => {
        for (const outcome of outcomes) if (!isOver && options.onOutcome(outcome)) isOver = true
        more()
      })
      more()
    })
  await Promise.all(
    Array.from({ length: Math.min(options.threads, Math.ceil(options.count / chunk)) }, runOne),
  )
}

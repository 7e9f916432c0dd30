/** `atomik/blocks/node`: fold workers as Node's worker threads. */
import { Worker } from 'node:worker_threads'
import { type BlockMemory, FoldThreads } from '../blocks/index.ts'

/**
 * Starts threads over a shared memory and resolves when all are up.
 * @param threads 2 or more, the caller's among them: no more than there are cores
 * @throws AtomikError `range`; whatever a worker fails with
 *
 * @example
 * ```ts
 * import { BlockMemory } from 'atomik/blocks'
 * import { startFoldThreads } from 'atomik/blocks/node'
 * const memory = new BlockMemory({ bytes: 1 << 20, shared: true })
 * const threads = await startFoldThreads(memory, 2)
 * const deltas = memory.allocate(10_000)
 * deltas.halves[0] = 5
 * threads.accum(deltas)
 * threads.read()
 * console.assert(threads.low === 5)
 * threads.close()
 * ```
 */
export async function startFoldThreads(memory: BlockMemory, threads: number): Promise<FoldThreads> {
  const up: Promise<void>[] = []
  const started = new FoldThreads(memory, threads, start => {
    const worker = new Worker(new URL('./fold-worker-node.js', import.meta.url), {
      workerData: start,
      // The program's own flags may not fit a file: --input-type, for one.
      execArgv: [],
    })
    worker.unref()
    up.push(
      new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      }),
    )
  })
  await Promise.all(up)
  return started
}

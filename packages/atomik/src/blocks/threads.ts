/**
 * Folding on several threads over one shared memory. Every thread XORs into an accumulator of its own, on a cache line of its own; reading
 * joins them. Nothing is contended but one word that wakes the workers and one that counts them back.
 *
 *   control   0 job number · 1 workers still at it · 2 workers up · 3 entry count · 4 times · 5 stop
 *   results   64 bytes a thread: its accumulator, then what its last fold gave
 *   entries   (byte offset, words) of each range, 8 bytes
 *
 * The caller's thread takes its share, so n threads are n − 1 workers; it waits by looking, as a page may not block.
 */
import { AtomikError } from '../errors.ts'
import type { Kernels } from './kernels.ts'
import type { Block, BlockMemory } from './memory.ts'
import { type FlatMemory, webAssemblyKernels } from './webassembly.ts'

/** What a worker is sent; structured cloning carries it. */
export interface FoldWorkerStart {
  readonly flat: FlatMemory
  readonly implementation: 'simd' | 'scalar'
  readonly controlAt: number
  readonly resultAt: number
  readonly entriesAt: number
  readonly thread: number
  readonly threads: number
}

const controlHalves = 8
const [jobAt, busyAt, upAt, countAt, timesAt, stopAt] = [0, 1, 2, 3, 4, 5]
/** How often a worker looks for the next job before it sleeps: some tens of microseconds. */
const looksBeforeSleep = 20_000
const entriesMax = 4096
const resultBytes = 64
/** Ranges that one call splits are cut on cache lines. */
const lineWords = 8

/** Folds this thread's entries `times` times into its accumulator. */
function takeShare(start: FoldWorkerStart, kernels: Kernels, all: Int32Array): void {
  const { controlAt, resultAt, entriesAt, thread, threads } = start
  const control = controlAt >> 2
  const result = resultAt >> 2
  const [count, times] = [all[control + countAt], all[control + timesAt]]
  let [low, high] = [all[result], all[result + 1]]
  for (let time = 0; time < times; time++)
    for (let entry = thread; entry < count; entry += threads) {
      const at = (entriesAt >> 2) + 2 * entry
      kernels.fold(all[at] >>> 0, all[at + 1], resultAt + 8)
      low ^= all[result + 2]
      high ^= all[result + 3]
    }
  all[result] = low
  all[result + 1] = high
}

/** The life of a worker: call it with what `FoldThreads` sent. Returns when it is told to stop. */
export function runFoldWorker(start: FoldWorkerStart): void {
  const kernels = webAssemblyKernels(start.implementation, start.flat, true)
  const all = new Int32Array(start.flat.buffer)
  const control = start.controlAt >> 2
  let job = 0
  Atomics.add(all, control + upAt, 1)
  for (;;) {
    for (let look = 0; Atomics.load(all, control + jobAt) === job; look++)
      if (look > looksBeforeSleep) Atomics.wait(all, control + jobAt, job)
    job = Atomics.load(all, control + jobAt)
    if (Atomics.load(all, control + stopAt) !== 0) return
    takeShare(start, kernels, all)
    Atomics.sub(all, control + busyAt, 1)
  }
}

/**
 * Per-thread accumulators over a shared `BlockMemory`. Workers are handed in: `atomik/blocks/node` starts them in Node; in a page, a
 * module worker passes the message it gets to `runFoldWorker`.
 */
export class FoldThreads {
  readonly memory: BlockMemory
  readonly threads: number
  /** Result of the last `read`, as signed 32-bit halves. */
  low = 0
  high = 0
  readonly #all: Int32Array
  readonly #control: number
  readonly #starts: FoldWorkerStart[]
  #isOpen = true

  /**
   * @param memory a shared one, in WebAssembly
   * @param threads 2 or more, the caller's among them
   * @param spawn starts a worker and has it call `runFoldWorker(start)`
   * @throws AtomikError `range`
   */
  constructor(memory: BlockMemory, threads: number, spawn: (start: FoldWorkerStart) => void) {
    const { flat, implementation } = memory
    if (!memory.shared || flat === undefined || implementation === 'javascript')
      throw new AtomikError('range', 'threads need a shared memory in WebAssembly')
    if (!Number.isInteger(threads) || threads < 2 || threads > 64)
      throw new AtomikError('range', `threads must be 2 to 64, got ${threads}`)
    this.memory = memory
    this.threads = threads
    this.#all = new Int32Array(flat.buffer)
    const control = memory.allocate((4 * controlHalves) / 8)
    const results = memory.allocate((threads * resultBytes) / 8)
    const entries = memory.allocate(entriesMax)
    this.#control = control.at >> 2
    this.#starts = Array.from({ length: threads }, (_, thread) => ({
      flat,
      implementation,
      controlAt: control.at,
      resultAt: results.at + thread * resultBytes,
      entriesAt: entries.at,
      thread,
      threads,
    }))
    for (const start of this.#starts.slice(1)) spawn(start)
  }

  /** Workers that are up. A job given before all are waits for them. */
  get workersUp(): number {
    return Atomics.load(this.#all, this.#control + upAt)
  }

  /** Folds a block into the accumulators, a share for each thread. @throws AtomikError `range`, `closed` */
  accum(block: Block): void {
    const share = Math.ceil(block.words / this.threads / lineWords) * lineWords
    const parts: Block[] = [block.part(0, Math.min(block.words, share))]
    for (let from = share; from < block.words; from += share)
      parts.push(block.part(from, Math.min(block.words, from + share)))
    this.accumEach(parts)
  }

  /**
   * Folds blocks into the accumulators, whole blocks to each thread in turn, all of them `times` times over.
   * @throws AtomikError `range` (over 4,096 blocks, another memory's block), `closed`
   */
  accumEach(blocks: readonly Block[], times = 1): void {
    if (!this.#isOpen) throw new AtomikError('closed', 'these threads have stopped')
    if (blocks.length > entriesMax)
      throw new AtomikError('range', `at most ${entriesMax} blocks at a time, got ${blocks.length}`)
    if (!Number.isInteger(times) || times < 0 || times >= 2 ** 31)
      throw new AtomikError('range', `times must be below 2^31, got ${times}`)
    for (const block of blocks)
      if (block.memory !== this.memory) throw new AtomikError('range', 'the block lies in another memory')
    const all = this.#all
    const control = this.#control
    const [own] = this.#starts
    blocks.forEach((block, entry) => {
      all[(own.entriesAt >> 2) + 2 * entry] = block.at
      all[(own.entriesAt >> 2) + 2 * entry + 1] = block.words
    })
    all[control + countAt] = blocks.length
    all[control + timesAt] = times
    Atomics.store(all, control + busyAt, this.threads - 1)
    this.#wake()
    takeShare(own, this.memory.kernels, all)
    while (Atomics.load(all, control + busyAt) !== 0);
  }

  /** READ: joins the accumulators into `low` and `high`; they stay as they are. */
  read(): void {
    let [low, high] = [0, 0]
    for (const { resultAt } of this.#starts) {
      low ^= this.#all[resultAt >> 2]
      high ^= this.#all[(resultAt >> 2) + 1]
    }
    this.low = low
    this.high = high
  }

  /** Empties the accumulators. */
  clear(): void {
    for (const { resultAt } of this.#starts) this.#all.fill(0, resultAt >> 2, (resultAt >> 2) + 2)
  }

  /** Lets the workers end. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    Atomics.store(this.#all, this.#control + stopAt, 1)
    this.#wake()
  }

  #wake(): void {
    Atomics.add(this.#all, this.#control + jobAt, 1)
    Atomics.notify(this.#all, this.#control + jobAt)
  }
}

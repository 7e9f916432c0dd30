/**
 * Damages valid frames and deltas, millions of times from a seed, and gives them to the decoders. Every one must come out as
 * itself, written again byte for byte, or be refused with a typed error whose offset lies inside it; and memory must not grow.
 *
 *   npm run mutate -- [--frames 2000000] [--seed 1] [--first 0] [--jobs 2] [--only N]
 *
 * The corpus is spec/vectors: every kind of frame, every form of delta. A mutator knows where bytes matter: it flips bits, cuts,
 * splices, swaps fields, writes overlong varints, lies about lengths and counts, and repeats. A failure prints the seed
 * and number of its frame; `--only` plays that one again. Exit code 1 on a failure, 2 on a wrong argument.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SeededRandom } from '../packages/atomik/src/engine/random.ts'
import { AtomikError } from '../packages/atomik/src/errors.ts'
import { compareBytes, decodeDownlink, decodeUplink } from '../packages/atomik/src/wire/index.ts'
import { layoutsOf } from '../spec/vectors/decode.ts'
import type { DeltaCase } from '../spec/vectors/generate-codec.ts'
import { encodeFrames } from '../spec/vectors/generate-frames.ts'
import { mutate } from '../spec/vectors/mutate.ts'
import { respell } from '../spec/vectors/respell.ts'
import { hexBytes, parseBytes } from '../spec/vectors/text.ts'

const vectors = (name: string) =>
  JSON.parse(readFileSync(new URL(`../spec/vectors/${name}`, import.meta.url), 'utf8'))

interface Outcome {
  readonly what: string
  readonly isRight: boolean
}

/** Plays the frame of this number: the same bytes for the same seed and number, whatever came before. */
function player(seed: number) {
  const messages = (vectors('frames.json').messages as { direction: 'up' | 'down'; bytes: string }[])
    .map(({ direction, bytes }) => ({ direction, bytes: parseBytes(bytes) }))
    .filter(({ bytes }) => bytes.length < 400)
  const pools = {
    up: messages.filter(({ direction }) => direction === 'up').map(({ bytes }) => bytes),
    down: messages.filter(({ direction }) => direction === 'down').map(({ bytes }) => bytes),
  }
  const deltas = (vectors('codec.json').deltas as DeltaCase[]).map(one => ({
    ...one,
    bytes: parseBytes(one.bytes),
    layouts: layoutsOf(one.schema),
  }))
  const beside = deltas.map(one =>
    deltas.filter(({ schema }) => schema === one.schema).map(({ bytes }) => bytes),
  )
  return (number: number): { kind: string; bytes: Uint8Array; judge: () => boolean } => {
    const random = new SeededRandom((seed * 0x9e37_79b1 + number) >>> 0)
    if (number % 2 === 0) {
      const direction = number % 4 === 0 ? 'up' : 'down'
      const pool = pools[direction]
      const bytes = mutate(random, pool[random.below(pool.length)], pool)
      const decode = direction === 'up' ? decodeUplink : decodeDownlink
      return { kind: direction, bytes, judge: () => compareBytes(encodeFrames(decode(bytes)), bytes) === 0 }
    }
    const index = random.below(deltas.length)
    const one = deltas[index]
    const bytes = mutate(random, one.bytes, beside[index])
    return { kind: `delta ${one.name}`, bytes, judge: () => respell(bytes, one) }
  }
}

function judge(play: { bytes: Uint8Array; judge: () => boolean }): Outcome {
  try {
    const same = play.judge()
    return { what: same ? 'accepted' : 'accepted, and written otherwise', isRight: same }
  } catch (error) {
    if (!(error instanceof AtomikError)) return { what: String(error), isRight: false }
    const isInside = error.offset === undefined || error.offset <= play.bytes.length
    return { what: isInside ? error.code : `${error.code} outside the frame`, isRight: isInside }
  }
}

function run(first: number, frames: number, seed: number): boolean {
  const play = player(seed)
  const seen: Record<string, number> = {}
  const heap: number[] = []
  const started = performance.now()
  for (let number = first; number < first + frames; number++) {
    const one = play(number)
    const { what, isRight } = judge(one)
    if (!isRight) {
      console.error(`mutate: frame ${number} of seed ${seed}, ${one.kind}, ${hexBytes(one.bytes)}: ${what}`)
      console.error(`mutate: again: npm run mutate -- --seed ${seed} --only ${number}`)
      return false
    }
    seen[what] = (seen[what] ?? 0) + 1
    if ((number - first) % Math.ceil(frames / 10) === Math.ceil(frames / 20)) {
      globalThis.gc?.()
      heap.push(process.memoryUsage().heapUsed)
    }
  }
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  // From the second tenth on, when everything is compiled; half a byte a frame would show.
  const growth = globalThis.gc === undefined ? 0 : (heap.at(-1) ?? 0) - heap[1]
  const isFlat = growth < 2 ** 20
  const kinds = Object.entries(seen).sort(([, a], [, b]) => b - a)
  console.log(
    `mutate: frames ${first} to ${first + frames - 1} of seed ${seed} in ${((performance.now() - started) / 1000).toFixed(1)} s: ` +
      `0 crashes, 0 wrongly accepted; ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}; ` +
      `heap ${mib(heap[1] ?? 0)} → ${mib(heap.at(-1) ?? 0)}`,
  )
  if (!isFlat) console.error(`mutate: the heap grew by ${mib(growth)}`)
  return isFlat
}

/** Shares the frames out to processes. True when all of them were right. */
async function share(first: number, frames: number, seed: number, jobs: number): Promise<boolean> {
  const each = Math.ceil(frames / jobs)
  const codes = Array.from({ length: jobs }, (_, job) => {
    const from = job * each
    const options = [`--first=${first + from}`, `--frames=${Math.min(each, frames - from)}`, `--seed=${seed}`]
    const child = fork(fileURLToPath(import.meta.url), [...options, '--jobs=1'])
    return new Promise<boolean>(resolve => child.on('exit', code => resolve(code === 0)))
  })
  return (await Promise.all(codes)).every(isRight => isRight)
}

const numbers = { frames: 2_000_000, seed: 1, first: 0, jobs: 2, only: -1 }

/** @throws Error with what is wrong about the arguments, in one line */
function parseNumbers(): typeof numbers {
  const text = { type: 'string' } as const
  const options = { frames: text, seed: text, first: text, jobs: text, only: text }
  const given = Object.entries(parseArgs({ options }).values).map(([name, value]) => [name, Number(value)])
  const all = { ...numbers, ...(Object.fromEntries(given) as Partial<typeof numbers>) }
  if (!Object.values(all).every(Number.isSafeInteger) || all.frames < 20 || all.jobs < 1 || all.first < 0)
    throw new Error('expected whole numbers: --frames of at least 20, --jobs of at least 1')
  return all
}

async function main(): Promise<number> {
  let all: typeof numbers
  try {
    all = parseNumbers()
  } catch (error) {
    console.error(`mutate: ${error instanceof Error ? error.message : error}`)
    return 2
  }
  const { frames, seed, first, jobs, only } = all
  // Millions of refusals: their stack traces would be most of the work.
  Error.stackTraceLimit = 0
  if (only >= 0) {
    const one = player(seed)(only)
    const { what, isRight } = judge(one)
    console.log(`mutate: frame ${only} of seed ${seed}, ${one.kind}, ${hexBytes(one.bytes)}: ${what}`)
    return isRight ? 0 : 1
  }
  return (jobs > 1 ? await share(first, frames, seed, jobs) : run(first, frames, seed)) ? 0 : 1
}

process.exitCode = await main()

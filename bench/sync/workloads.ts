/**
 * The workloads, each run once in a process of its own. What they return is measured inside; whoever ends in the wrong state
 * throws, and has no figure.
 */
import type { Copy, Peer, Reader, Shape, Star, Workload } from './star.ts'
import { makeWrites, numbers, pick, type Writes } from './work.ts'

/** Numbers by column id. Which exist depends on the workload. */
export type Outcome = Record<string, number>

/** Full sizes, as the issue of every table says; `quick` divides them. */
export interface Scale {
  readonly quick: boolean
}

const registers = 1000
/** How much of a storm goes before what is timed, in its length; the same for every peer. */
const warmUps = 4

function check(held: boolean, what: string): void {
  if (!held) throw new Error(`wrong end: ${what}`)
}

function checkRegisters(reader: Reader, { last }: Writes, where: string): void {
  for (let r = 0; r < last.length; r++)
    if (last[r] >= 0) check(reader.holds(r, last[r]), `register ${r} ${where}`)
}

const seconds = (startedAt: number) => (performance.now() - startedAt) / 1000

function collect(): void {
  // Twice: finalizers of the first free what the second can collect.
  globalThis.gc?.()
  globalThis.gc?.()
}

function share(peer: Peer, workload: Workload, full: number): number {
  return Math.max(1000, Math.round(full * (peer.share?.[workload] ?? 1)))
}

function storm(peer: Peer, { quick }: Scale): Outcome {
  if (peer.storm === undefined) return {}
  const count = share(peer, 'storm', quick ? 1000 : 200_000)
  const writes = makeWrites(registers, (1 + warmUps) * count, 1, peer.forms)
  const storm = peer.storm(writes)
  const warmUntil = warmUps * count
  // Compiled code, as in a process that has been up for a while. One storm that goes on: code is compiled for the objects it has seen, and what
  // is compiled for one storm is thrown away, for any peer, when the next is made or the first collected.
  for (let w = 0; w < warmUntil; w++) storm.write(writes.targets[w], w)
  collect()
  let bytes = 0
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  for (let w = warmUntil; w < writes.count; w++) bytes += storm.write(writes.targets[w], w)
  bytes += storm.finish()
  const took = seconds(startedAt)
  const { user, system } = process.cpuUsage(cpuBefore)
  checkRegisters(storm.there, writes, 'at the receiver')
  return {
    updatesPerSecond: count / took,
    cpuMicros: (user + system) / count,
    bytesPerUpdate: bytes / count,
  }
}

/** In transactions of a thousand: the writes of a device that keeps working while it is offline. */
function writeAll(copy: Copy, writes: Writes, from = 0, to = writes.count): void {
  for (let first = from; first < to; first += 1000)
    copy.batch(() => {
      for (let w = first; w < Math.min(to, first + 1000); w++) copy.write(writes.targets[w], w)
    })
}

async function burst(peer: Peer, { quick }: Scale): Promise<Outcome> {
  const writes = makeWrites(registers, quick ? 2000 : 200_000, 3, peer.forms)
  const star = await open(peer, { kind: 'registers', count: registers, writes })
  const copy = await star.join()
  writeAll(copy, writes)
  const startedAt = performance.now()
  const { bytes, trips } = await copy.sync()
  const took = seconds(startedAt)
  checkRegisters(star.centre, writes, 'at the centre')
  return { bytes, trips, ms: took * 1000 }
}

async function flags(peer: Peer, { quick }: Scale): Promise<Outcome> {
  const count = quick ? 2000 : 100_000
  const star = await open(peer, { kind: 'flags', count })
  const restBytes = star.save().length
  const copy = await star.join()
  const toggled = pick(count / 100, count, 5)
  copy.batch(() => toggled.forEach(flag => void copy.toggle(flag)))
  const startedAt = performance.now()
  const { bytes, trips } = await copy.sync()
  const took = seconds(startedAt)
  const on = new Set(toggled)
  for (let i = 0; i < count; i++) check(star.centre.flag(i) === on.has(i), `flag ${i}`)
  return { bytes, trips, ms: took * 1000, restBytes }
}

async function counters(peer: Peer, { quick }: Scale): Promise<Outcome> {
  const [count, increments, replicas] = [100, quick ? 4000 : 200_000, 4]
  const shape: Shape = { kind: 'counters', count, replicas }
  const star = await open(peer, shape)
  const copies: Copy[] = []
  for (let r = 0; r < replicas; r++) copies.push(await star.join())
  const next = numbers(6)
  const expected = new Int32Array(count)
  for (const copy of copies)
    for (let first = 0; first < increments / replicas; first += 1000)
      copy.batch(() => {
        for (let i = first; i < Math.min(increments / replicas, first + 1000); i++) {
          const [index, by] = [next() % count, 1 + (next() % 3)]
          expected[index] += by
          copy.increment(index, by)
        }
      })
  // Everybody up, then everybody but the last once more for what came after it.
  let [bytes, trips] = [0, 0]
  const startedAt = performance.now()
  for (const copy of [...copies, ...copies.slice(0, -1)]) {
    const cost = await copy.sync()
    bytes += cost.bytes
    trips += cost.trips
  }
  const took = seconds(startedAt)
  for (const [r, copy] of copies.entries())
    for (let i = 0; i < count; i++)
      check(copy.read.counter(i) === expected[i], `counter ${i} at replica ${r}`)
  for (let i = 0; i < count; i++) check(star.centre.counter(i) === expected[i], `counter ${i} at the centre`)
  return { bytes, trips, ms: took * 1000 }
}

async function reconnect(peer: Peer, { quick }: Scale): Promise<Outcome> {
  const [keys, differ] = [quick ? 2000 : 100_000, 100]
  const made = makeWrites(keys, 2 * differ, 7, peer.forms)
  // Two hundred different keys: the first half is written here, the second there.
  const targets = pick(2 * differ, keys, 8)
  const last = new Int32Array(keys).fill(-1)
  targets.forEach((key, w) => {
    last[key] = w
  })
  const writes: Writes = { ...made, targets, last }
  const star = await open(peer, { kind: 'registers', count: keys, writes })
  const [here, there] = [await star.join(), await star.join()]
  writeAll(here, writes, 0, differ)
  writeAll(there, writes, differ, 2 * differ)
  await there.sync()
  const startedAt = performance.now()
  const { bytes, trips } = await here.sync()
  const took = seconds(startedAt)
  checkRegisters(star.centre, writes, 'at the centre')
  checkRegisters(here.read, writes, 'here')
  return { bytes, trips, ms: took * 1000 }
}

/** Loads of one saved copy: as many as take this long, of these numbers. */
const [loadsMin, loadsMax, loadMsMin] = [3, 50, 100]

/**
 * Saved size and load time after so many writes to the same thousand registers. Each count has a copy and a centre of its own, synced ten
 * times on the way, so that counts differ in writes alone: a connection leaves something behind too, and that is bounded apart.
 */
async function growth(peer: Peer, { quick }: Scale): Promise<Outcome> {
  const outcome: Outcome = {}
  const steps = quick ? [100, 1000] : [10_000, 100_000, 1_000_000]
  const most = share(peer, 'growth', steps[steps.length - 1])
  const writes = makeWrites(registers, most, 9, peer.forms)
  const shape: Shape = { kind: 'registers', count: registers, writes }
  for (const [step, count] of steps.entries()) {
    if (count > most) break
    const star = await open(peer, shape)
    const copy = await star.join()
    for (let part = 0; part < 10; part++) {
      writeAll(copy, writes, (count / 10) * part, (count / 10) * (part + 1))
      await copy.sync()
    }
    const saved = star.save()
    outcome[`bytes${step}`] = saved.length
    const last = new Int32Array(registers).fill(-1)
    for (let w = 0; w < count; w++) last[writes.targets[w]] = w
    // Quick ones often enough that they are compiled, as in a server that has opened a space before; slow ones three times.
    let best = Number.POSITIVE_INFINITY
    let spent = 0
    for (let i = 0; i < loadsMin || (i < loadsMax && spent < loadMsMin); i++) {
      const startedAt = performance.now()
      const reader = load(peer, saved, shape)
      const took = performance.now() - startedAt
      best = Math.min(best, took)
      spent += took
      checkRegisters(reader, { ...writes, last }, `after ${count} writes and a load`)
    }
    outcome[`loadMs${step}`] = best
  }
  return outcome
}

/** Resident memory of the central copy: of 100,000 registers once written, and of 1,000 registers after 200,000 writes. */
async function memory(peer: Peer, { quick }: Scale): Promise<Outcome> {
  const measure = async (count: number, written: number) => {
    const writes = makeWrites(count, written, 10, peer.forms)
    collect()
    const before = process.memoryUsage().rss
    const star = await open(peer, { kind: 'registers', count, writes })
    // The copy goes before memory is read; what the centre keeps because of it stays.
    await (async () => {
      const copy = await star.join()
      for (let first = 0; first < written; first += 20_000) {
        writeAll(copy, writes, first, Math.min(written, first + 20_000))
        await copy.sync()
      }
      checkRegisters(star.centre, writes, 'at the centre')
    })()
    collect()
    const after = process.memoryUsage()
    kept.push(star)
    return (after.rss - before) / 2 ** 20
  }
  const kept: Star[] = []
  const writtenMiB = await measure(registers, quick ? 2000 : 200_000)
  const keysMiB = await measure(quick ? 2000 : 100_000, 1000)
  return { keysMiB, writtenMiB }
}

async function open(peer: Peer, shape: Shape): Promise<Star> {
  if (peer.star === undefined) throw new Error(`${peer.name} does not do ${shape.kind}`)
  return await peer.star(shape)
}

function load(peer: Peer, saved: Uint8Array, shape: Shape): Reader {
  if (peer.load === undefined) throw new Error(`${peer.name} does not load`)
  return peer.load(saved, shape)
}

export const workloads: Readonly<Record<Workload, (peer: Peer, scale: Scale) => Outcome | Promise<Outcome>>> =
  { storm, burst, flags, counters, reconnect, growth, memory }

// The AXI units under seeded random valid and ready (stream_bench.v, fold_stream_bench.v, control_bench.v): the benches print
// every handshake, and here the model says what each must have been. Timing is the unit's own affair, order and words are not:
// no beat lost, none twice, none out of turn. A run that never stalled one side has tested nothing and fails.
import { join as joinPath } from 'node:path'
import { Context, join, LANES, type Lane } from '../model/delta.ts'
import { must, outFolder, ROOM, rtl } from './process.ts'

export interface AxiRun {
  taken: number
  answers: number
  stalls: number
  difference?: string
}

const WIDTH = 64
const UNITS: Record<'stream' | 'fold_stream' | 'control', string[]> = {
  stream: ['join', 'ram', 'bank', 'tree', 'table', 'fifo', 'stream'],
  fold_stream: ['join', 'tree', 'fold', 'fold_stream'],
  control: ['join', 'ram', 'bank', 'tree', 'table', 'control'],
}

function* handshakes(
  unit: keyof typeof UNITS,
  parameters: Record<string, number>,
  sources?: string,
): Generator<string[]> {
  const bench = `${unit}_bench`
  const program = joinPath(outFolder('iverilog'), `${bench}-${Object.values(parameters).join('-')}.vvp`)
  must('iverilog', [
    ...['-g2005-sv', '-s', bench, '-o', program],
    ...Object.entries(parameters).map(([name, value]) => `-P${bench}.${name}=${value}`),
    joinPath(ROOM, 'bench', `${bench}.v`),
    ...UNITS[unit].map(name => (sources ? joinPath(sources, `delta_${name}.v`) : rtl(`delta_${name}.v`))),
  ])
  for (const line of must('vvp', ['-n', program]).output.split('\n'))
    if (line !== '' && !line.includes('$finish')) yield line.split(' ')
}

const word = (text: string | undefined): bigint => (/^[0-9a-f]+$/.test(text ?? '') ? BigInt(`0x${text}`) : -1n)
const part = (packed: bigint, at: number, width: number): bigint =>
  BigInt.asUintN(width, packed >> BigInt(at * width))

/** delta_stream: deltas, commands and states against contexts of the model. */
export function runStream(lane: Lane, ports: number, seed: number, clocks: number, sources?: string): AxiRun {
  const address = 3
  const contexts = Array.from({ length: 1 << address }, () => new Context(lane, WIDTH))
  const at = (n: bigint): Context => contexts[Number(n)] as Context
  const owed: bigint[] = []
  const run: AxiRun = { taken: 0, answers: 0, stalls: 0 }
  let stalledCommands = 0
  let stalledStates = 0
  const parameters = { ADDRESS: address, PORTS: ports, LANE: LANES.indexOf(lane), SEED: seed, CLOCKS: clocks }
  for (const [delta, keep, users, deltas, taken, command, left, state, noCommand, noState] of handshakes(
    'stream',
    parameters,
    sources,
  )) {
    if (delta === '!') return { ...run, difference: [keep, users, deltas, taken, command, left].join(' ') }
    if (taken === '1') {
      const packed = word(command)
      const context = at(part(packed >> 2n, 0, address))
      const value = packed >> BigInt(2 + address)
      const op = packed & 3n
      if (op === 0n) context.load(value)
      else owed.push(op === 1n ? context.read() : context.swap(op === 3n ? undefined : value))
    }
    if (delta === '1') {
      for (let p = 0; p < ports; p++)
        if ((word(keep) >> BigInt(p)) & 1n) {
          at(part(word(users), p, address)).accum(part(word(deltas), p, WIDTH))
          run.taken++
        }
    }
    if (left === '1') {
      const wanted = owed.shift()
      if (wanted === undefined) return { ...run, difference: `state ${run.answers}: nobody asked for it` }
      if (word(state) !== wanted)
        return { ...run, difference: `state ${run.answers}: got ${state}, wanted ${wanted.toString(16)}` }
      run.answers++
    }
    if (noCommand === '1') stalledCommands++
    if (noState === '1') stalledStates++
  }
  run.stalls = stalledCommands + stalledStates
  if (owed.length > 0) run.difference = `${owed.length} states never came`
  else if (stalledCommands === 0 || stalledStates === 0) run.difference = 'nothing was ever held back'
  return run
}

/** delta_fold_stream: a word a packet. */
export function runFoldStream(lane: Lane, ports: number, seed: number, clocks: number, sources?: string): AxiRun {
  const owed: bigint[] = []
  const run: AxiRun = { taken: 0, answers: 0, stalls: 0 }
  let fold = 0n
  let stalledBeats = 0
  let stalledFolds = 0
  const parameters = { PORTS: ports, LANE: LANES.indexOf(lane), SEED: seed, CLOCKS: clocks }
  for (const [beat, last, keep, words, left, folded, noBeat, noFold] of handshakes('fold_stream', parameters, sources)) {
    if (beat === '!') return { ...run, difference: [last, keep, words, left, folded].join(' ') }
    if (beat === '1') {
      for (let p = 0; p < ports; p++)
        if ((word(keep) >> BigInt(p)) & 1n) fold = join(lane, WIDTH, fold, part(word(words), p, WIDTH))
      run.taken++
      if (last === '1') {
        owed.push(fold)
        fold = 0n
      }
    }
    if (left === '1') {
      const wanted = owed.shift()
      if (word(folded) !== wanted)
        return { ...run, difference: `fold ${run.answers}: got ${folded}, wanted ${wanted?.toString(16) ?? 'none'}` }
      run.answers++
    }
    if (noBeat === '1') stalledBeats++
    if (noFold === '1') stalledFolds++
  }
  run.stalls = stalledBeats + stalledFolds
  if (owed.length > 0) run.difference = `${owed.length} folds never came`
  else if (stalledBeats === 0 || stalledFolds === 0) run.difference = 'nothing was ever held back'
  return run
}

/** delta_control: every word read against a model of the registers, clock by clock. */
export function runControl(seed: number, clocks: number, sources?: string): AxiRun {
  const contexts = Array.from({ length: 8 }, () => new Context('xor', WIDTH))
  const run: AxiRun = { taken: 0, answers: 0, stalls: 0 }
  let number = 0
  let value = 0n
  let accepted = 0n
  let result = 0n
  // an answer is in the table for a clock, and `waits` meanwhile
  let inTable: bigint | undefined
  let waits = 0n
  let unanswered = 0
  let owed: bigint | undefined
  let stalledWrites = 0
  let stalledReads = 0
  const half = (of: bigint, high: boolean): bigint => BigInt.asUintN(32, high ? of >> 32n : of)
  const read = (register: number): bigint => {
    switch (register) {
      case 0:
        return 0x4b4d5441n
      case 1:
        return (64n << 16n) | 8n
      case 3:
        return waits
      case 4:
        return BigInt(number)
      case 5:
      case 6:
        return half(value, register === 6)
      case 8:
      case 9:
        return half(accepted, register === 9)
      case 10:
      case 11:
        return half(result, register === 11)
      default:
        return 0n
    }
  }
  for (const [write, writeAt, data, strobes, response, reads, readAt, left, text, noWrite, noRead] of handshakes(
    'control',
    { SEED: seed, CLOCKS: clocks },
    sources,
  )) {
    if (write === '!') return { ...run, difference: [writeAt, data, strobes, response, reads].join(' ') }
    if (response === '1' && unanswered-- === 0) return { ...run, difference: 'a response that nobody asked for' }
    if (left === '1') {
      if (word(text) !== owed)
        return { ...run, difference: `word ${run.answers}: got ${text}, wanted ${owed?.toString(16) ?? 'none'}` }
      owed = undefined
      run.answers++
    }
    if (reads === '1') {
      if (owed !== undefined) return { ...run, difference: 'a read is taken while a word waits' }
      owed = read(Number(word(readAt)) >> 2)
    }
    // the clock's end
    if (inTable !== undefined) result = inTable
    inTable = undefined
    waits = 0n
    if (write === '1') {
      run.taken++
      unanswered++
      const mask = [0, 1, 2, 3].reduce((m, i) => m | ((word(strobes) >> BigInt(i)) & 1n ? 0xffn << BigInt(8 * i) : 0n), 0n)
      const strobed = (old: bigint): bigint => (old & ~mask & 0xffffffffn) | (word(data) & mask)
      const context = contexts[number] as Context
      const register = Number(word(writeAt)) >> 2
      if (register === 2 && mask & 0xffn) {
        const op = word(data) & 7n
        waits = (op >> 1n) & 1n
        if (op === 0n) context.load(value)
        if (op === 1n) {
          context.accum(value)
          accepted++
        }
        if (op === 2n) inTable = context.read()
        if (op === 3n || op === 7n) inTable = context.swap(op === 7n ? undefined : value)
      } else if (register === 4 && mask & 0xffn) number = Number(word(data) & 7n)
      else if (register === 5) value = ((value >> 32n) << 32n) | strobed(half(value, false))
      else if (register === 6) value = (strobed(half(value, true)) << 32n) | half(value, false)
    }
    if (noWrite === '1') stalledWrites++
    if (noRead === '1') stalledReads++
  }
  run.stalls = stalledWrites + stalledReads
  if (stalledWrites === 0 || stalledReads === 0) run.difference = 'nothing was ever held back'
  return run
}

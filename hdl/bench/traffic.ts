// Seeded random traffic on delta_table and delta_fold, every port busy every clock, against a model; and the same for
// delta_cell with SWAP against ACCUM in every phase. Words of 64 bits are two u32 halves here, for speed.
import { join as joinPath } from 'node:path'
import { Context, LANES, type Lane } from '../model/delta.ts'
import { must, outFolder, ROOM, records, rtl } from './process.ts'
import { Draw } from './random_programs.ts'
import { simulate } from './vectors.ts'

export const ADDRESS = 5

/** Verilates delta_table or delta_fold at one number of ports; `sources` is a folder of changed Verilog. */
export function buildTraffic(unit: 'table' | 'fold', ports: number, lane: Lane, sources?: string): string {
  const out = outFolder(`${unit}-${ports}-${lane}${sources ? '-broken' : ''}`)
  const source = (name: string): string => (sources ? joinPath(sources, name) : rtl(name))
  const parameters = unit === 'table' ? [`-GADDRESS=${ADDRESS}`] : []
  must('verilator', [
    ...'--cc --exe --build -O3 -Wno-fatal -j 2'.split(' '),
    ...['--top-module', `delta_${unit}`, `-GPORTS=${ports}`, `-GLANE=${LANES.indexOf(lane)}`, ...parameters],
    ...[
      '-Mdir',
      out,
      '-CFLAGS',
      `-O2 -DPORTS=${ports} -DADDRESS=${ADDRESS} ${unit === 'fold' ? '-DFOLD' : ''}`,
    ],
    ...['-o', 'bench'],
    ...['join', 'ram', 'bank', 'tree', unit].map(name => source(`delta_${name}.v`)),
    joinPath(ROOM, 'bench', 'traffic_bench.cpp'),
  ])
  return joinPath(out, 'bench')
}

export interface TrafficRun {
  ports: number
  lane: Lane
  clocks: number
  accepted: number
  results: number
  difference?: string
  seconds: number
}

/** Halves of a word of lane xor or add. */
class Half {
  constructor(
    public low = 0,
    public high = 0,
  ) {}
  fold(lane: Lane, low: number, high: number): void {
    if (lane === 'xor') {
      this.low = (this.low ^ low) >>> 0
      this.high = (this.high ^ high) >>> 0
    } else {
      const sum = this.low + low
      this.low = sum >>> 0
      this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0
    }
  }
}

/** What the table must answer, clock by clock, drawn from the generator of traffic_bench.cpp. */
function* expectedTable(
  seed: number,
  clocks: number,
  ports: number,
  lane: Lane,
): Generator<[number, number]> {
  const draw = new Draw(seed)
  const mask = (1 << ADDRESS) - 1
  const reference = Array.from({ length: mask + 1 }, () => new Half())
  const accumulator = Array.from({ length: mask + 1 }, () => new Half())
  const at = (words: Half[], address: number): Half => words[address] as Half
  const state = (address: number): Half => {
    const word = new Half(at(reference, address).low, at(reference, address).high)
    word.fold(lane, at(accumulator, address).low, at(accumulator, address).high)
    return word
  }
  const lows = new Uint32Array(ports)
  const highs = new Uint32Array(ports)
  const addresses = new Uint32Array(ports)
  for (let t = 0; t < clocks; t++) {
    const shape = draw.next()
    const hot = draw.next() & mask
    for (let p = 0; p < ports; p++) {
      lows[p] = draw.next()
      highs[p] = draw.next()
      const own = draw.next() & mask
      addresses[p] = shape & 1 ? hot : own
    }
    const op = (shape >>> 8) & 7
    const own = draw.next() & mask
    const address = shape & 2 ? hot : own
    const low = draw.next()
    const high = draw.next()
    const before = state(address)
    yield [before.low, before.high]
    if (op === 0 || op === 2) reference[address] = new Half(low, high)
    if (op === 3) reference[address] = before
    if (op === 0 || op === 2 || op === 3) accumulator[address] = new Half()
    for (let p = 0; p < ports; p++)
      at(accumulator, addresses[p] as number).fold(lane, lows[p] as number, highs[p] as number)
  }
  for (let address = 0; address <= mask; address++) {
    const last = state(address)
    yield [last.low, last.high]
  }
}

function* expectedFold(seed: number, beats: number, ports: number, lane: Lane): Generator<[number, number]> {
  const draw = new Draw(seed)
  let word = new Half()
  for (let taken = 0; taken < beats; taken++) {
    const shape = draw.next()
    for (let p = 0; p < ports; p++) {
      const low = draw.next()
      const high = draw.next()
      if (!(shape & 0x100) || draw.next() % 4 !== 0) word.fold(lane, low, high)
    }
    while (draw.next() % 8 === 0 && taken >= Math.floor(beats / 2)) {
      // the consumer stalls: the beat waits
    }
    if (shape % 7 === 0) {
      yield [word.low, word.high]
      word = new Half()
    }
  }
}

/** Runs the traffic and compares every result. */
export async function runTraffic(
  unit: 'table' | 'fold',
  program: string,
  options: { seed: number; clocks: number; ports: number; lane: Lane },
): Promise<TrafficRun> {
  const { seed, clocks, ports, lane } = options
  const expected = (unit === 'table' ? expectedTable : expectedFold)(seed, clocks, ports, lane)
  const run: TrafficRun = { ports, lane, clocks: 0, accepted: 0, results: 0, seconds: 0 }
  const start = Date.now()
  const tail: number[] = []
  await records(
    program,
    [String(seed), String(clocks)],
    8,
    bytes => {
      const next = tail.length > 0 ? undefined : expected.next()
      if (!next || next.done) {
        tail.push(Number(bytes.readBigUInt64LE(0)))
        return true
      }
      const [low, high] = next.value
      if (bytes.readUInt32LE(0) !== low || bytes.readUInt32LE(4) !== high) {
        run.difference =
          `result ${run.results} (seed ${seed}): got 0x${bytes.readBigUInt64LE(0).toString(16)}, ` +
          `wanted 0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`
        return false
      }
      run.results++
      return true
    },
    () => {},
  )
  run.seconds = (Date.now() - start) / 1000
  if (!run.difference && tail.length !== 2)
    run.difference = `ended after ${run.results} results and ${tail.length} counts`
  run.accepted = tail[0] ?? 0
  run.clocks = tail[1] ?? 0
  return run
}

/** delta_cell (delta_sum_cell with more than one slice): random traffic, and every phase of SWAP (and LOAD) against ACCUM, on iverilog. Returns differences. */
export function runCell(
  lane: Lane,
  width: number,
  seed: number,
  clocks: number,
  sources?: string,
  slices = 1,
): string | undefined {
  const draw = new Draw(seed)
  const word = (): bigint => {
    let value = 0n
    for (let bits = 0; bits < width; bits += 32) value = (value << 32n) | BigInt(draw.next())
    return BigInt.asUintN(width, value)
  }
  const contexts = [new Context(lane, width), new Context(lane, width)]
  const lines: string[] = []
  const expected: bigint[] = []
  const clock = (
    accum: boolean,
    load: boolean,
    swap: boolean,
    keep: boolean,
    address: number,
    accumAddress: number,
  ): void => {
    const value = word()
    const delta = word()
    const context = contexts[address] as Context
    expected.push(context.read())
    const bit = (b: boolean): string => (b ? '1' : '0')
    lines.push(
      `0 ${bit(accum)} ${bit(load)} ${bit(swap)} ${bit(keep)} ${address} ${value.toString(16)} ${accumAddress} ${delta.toString(16)} 1`,
    )
    if (swap) context.swap(keep ? undefined : value)
    if (load) context.load(value)
    if (accum) (contexts[accumAddress] as Context).accum(delta)
  }
  // phases: an ACCUM 0 to 3 clocks before, with, and after each kind of renewal
  for (let phase = -3; phase <= 3; phase++)
    for (let kind = 1; kind < 8; kind++)
      for (let t = -4; t <= 4; t++)
        clock(t === phase, t === 0 && (kind & 1) === 1, t === 0 && (kind & 2) === 2, kind > 3, 0, 0)
  for (let t = 0; t < clocks; t++) {
    const shape = draw.next()
    clock(
      (shape & 3) !== 0,
      (shape & 0x1c) === 0,
      (shape & 0x60) === 0,
      (shape & 0x80) !== 0,
      (shape >>> 8) & 1,
      (shape >>> 9) & 1,
    )
  }
  const words = simulate(
    'cells_bench',
    { WIDTH: width, LANE: LANES.indexOf(lane), CONTEXTS: 2, SLICES: slices },
    lines,
    sources,
  )
  if (words.length !== expected.length) return `${words.length} results, wanted ${expected.length}`
  const wrong = expected.findIndex((value, k) => words[k] !== value)
  return wrong < 0
    ? undefined
    : `clock ${wrong}: got 0x${words[wrong]?.toString(16)}, wanted 0x${expected[wrong]?.toString(16)}`
}

/** delta_table on iverilog: random traffic on PORTS ports, with LOAD and SWAP in every phase; returns a difference. */
export function runTableIverilog(
  lane: Lane,
  width: number,
  ports: number,
  seed: number,
  clocks: number,
  sources?: string,
): string | undefined {
  const draw = new Draw(seed)
  const word = (): bigint => {
    let value = 0n
    for (let bits = 0; bits < width; bits += 32) value = (value << 32n) | BigInt(draw.next())
    return BigInt.asUintN(width, value)
  }
  const address = 2
  const contexts = Array.from({ length: 4 }, () => new Context(lane, width))
  const lines: string[] = []
  const expected: bigint[] = []
  for (let t = 0; t < clocks; t++) {
    const shape = draw.next()
    const at = (shape >>> 16) & 3
    const op = shape & 7 // 0 load 1 swap 2 swap keep 3 read, else nothing
    const value = word()
    const context = contexts[at] as Context
    if (op < 4) expected.push(context.read())
    if (op === 0) context.load(value)
    if (op === 1) context.swap(value)
    if (op === 2) context.swap(undefined)
    let accum = 0n
    let addresses = 0n
    let deltas = 0n
    for (let p = 0; p < ports; p++) {
      const own = draw.next()
      const target = own & 4 ? at : own & 3
      const delta = word()
      const on = (own & 0x30) !== 0
      if (on) (contexts[target] as Context).accum(delta)
      accum |= BigInt(on) << BigInt(p)
      addresses |= BigInt(target) << BigInt(p * address)
      deltas |= delta << BigInt(p * width)
    }
    const bit = (b: boolean): string => (b ? '1' : '0')
    lines.push(
      `${bit(op === 0)} ${bit(op === 3)} ${bit(op === 1 || op === 2)} ${bit(op === 2)} ${at} ${value.toString(16)} ` +
        `${accum.toString(16)} ${addresses.toString(16)} ${deltas.toString(16)}`,
    )
  }
  const words = simulate(
    'table_bench',
    { WIDTH: width, ADDRESS: address, PORTS: ports, LANE: LANES.indexOf(lane) },
    lines,
    sources,
  )
  if (words.length !== expected.length) return `${words.length} results, wanted ${expected.length}`
  const wrong = expected.findIndex((value, k) => words[k] !== value)
  return wrong < 0
    ? undefined
    : `result ${wrong}: got 0x${words[wrong]?.toString(16)}, wanted 0x${expected[wrong]?.toString(16)}`
}

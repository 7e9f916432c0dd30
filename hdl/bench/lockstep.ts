// The core and the simulator side by side: the Verilated core reports every instruction it retires, the simulator does
// the same instruction, and every field must agree: pc, word, trap, register written, memory touched, next pc.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Elf } from '../iss/elf.ts'
import { loadElf, type Memory, RAM_BASE } from '../iss/memory.ts'
import { type Outside, type Retired, Rv64 } from '../iss/rv64.ts'
import { must, outFolder, ROOM, records, rtl } from './process.ts'

const CORE_SOURCES = ['core', 'alu', 'atomik', 'csrs', 'decode', 'load', 'regs']
const DELTA_SOURCES = ['join', 'ram', 'bank', 'tree', 'table']
export const coreSources = (folder?: string): string[] => [
  ...CORE_SOURCES.map(name => (folder ? join(folder, `rv64_${name}.v`) : rtl(`rv64_${name}.v`))),
  ...DELTA_SOURCES.map(name => (folder ? join(folder, `delta_${name}.v`) : rtl(`delta_${name}.v`))),
]

/** Builds the Verilated core (from `folder` of sources if given) and returns the program. */
export function buildCore(name = 'core', folder?: string): string {
  const out = outFolder(name)
  // -GRESET_PC: the boot ROM of core_bench.cpp
  must('verilator', [
    ...'--cc --exe --build -O3 --x-assign fast --x-initial fast -Wno-fatal -j 2 +define+RVFI'.split(' '),
    `-I${folder ?? join(ROOM, 'rtl')}`,
    ...[
      '--top-module',
      'rv64_atomik',
      "-GRESET_PC=64'h1000",
      '-Mdir',
      out,
      '-CFLAGS',
      '-O2',
      '-o',
      'core_bench',
    ],
    ...coreSources(folder),
    join(ROOM, 'bench', 'core_bench.cpp'),
  ])
  return join(out, 'core_bench')
}

export type Verdict =
  | { kind: 'pass' }
  | { kind: 'fail'; test: bigint }
  | { kind: 'runaway' }
  | { kind: 'request'; word: bigint }

/** What a word in `tohost` means. */
export function verdictOf(tohost: bigint): Verdict {
  if (tohost === 1n) return { kind: 'pass' }
  if (tohost & 1n) return { kind: 'fail', test: tohost >> 1n }
  return { kind: 'request', word: tohost }
}

export interface CoreRun {
  verdict: Verdict
  cycles: bigint
  retired: number
  traps: number
  console: string
  /** set when core and simulator differ: one line each */
  difference?: string
  /** mnemonics that the simulator executed, and trap causes, with their counts */
  seen: Map<string, number>
}

export interface CoreOptions {
  maxCycles: number
  waitSeed?: number
  irqSeed?: number
  program?: string
  imageName?: string
}

const hex = (x: bigint): string => `0x${x.toString(16)}`
const maskBytes = (mask: number): number => (mask === 0xff ? 8 : mask === 0xf ? 4 : mask === 3 ? 2 : mask)

interface CoreRecord {
  trap: boolean
  interrupt: boolean
  rd: number
  readBytes: number
  writeBytes: number
  insn: number
  pc: bigint
  pcNext: bigint
  rdWord: bigint
  address: bigint
  word: bigint
  clock: bigint
  cause: number
}

function parse(record: Buffer): CoreRecord {
  return {
    trap: (record.readUInt8(0) & 1) === 1,
    interrupt: (record.readUInt8(0) & 2) === 2,
    rd: record.readUInt8(1),
    readBytes: maskBytes(record.readUInt8(2)),
    writeBytes: maskBytes(record.readUInt8(3)),
    insn: record.readUInt32LE(4),
    pc: record.readBigUInt64LE(8),
    pcNext: record.readBigUInt64LE(16),
    rdWord: record.readBigUInt64LE(24),
    address: record.readBigUInt64LE(32),
    word: record.readBigUInt64LE(40),
    clock: record.readBigUInt64LE(48),
    cause: record.readUInt8(56),
  }
}

/** The first field in which the two differ, or null. */
function differs(core: CoreRecord, iss: Retired): string | null {
  const fields: [string, bigint | number | boolean, bigint | number | boolean][] = [
    ['pc', core.pc, iss.pc],
    // a word that could not be fetched has no value
    ['insn', iss.cause === 1 ? 0 : core.insn, iss.cause === 1 ? 0 : iss.insn >>> 0],
    ['trap', core.trap, iss.trap],
    ['rd', core.rd, iss.rd],
    ['rd word', core.rdWord, iss.rdWord],
    ['bytes read', core.readBytes, iss.readBytes],
    ['bytes written', core.writeBytes, iss.writeBytes],
    ['memory address', core.address, iss.memoryAddress],
    ['memory word', core.word, iss.memoryWord],
    ['next pc', core.pcNext, iss.pcNext],
  ]
  for (const [name, ours, theirs] of fields)
    if (ours !== theirs) {
      const show = (x: bigint | number | boolean): string =>
        typeof x === 'boolean' ? String(x) : hex(BigInt(x))
      return `${name}: core ${show(ours)}, simulator ${show(theirs)}`
    }
  return null
}

/** Runs an executable on the Verilog core with the simulator in lock step. */
export async function runCore(elf: Elf, tohost: bigint, options: CoreOptions): Promise<CoreRun> {
  const memory = loadElf(elf)
  return runImage(memory, elf.entry, tohost, options)
}

export async function runImage(
  memory: Memory,
  entry: bigint,
  tohost: bigint,
  options: CoreOptions,
): Promise<CoreRun> {
  const image = join(outFolder('images'), `${options.imageName ?? 'image'}.bin`)
  let used = memory.bytes.length
  while (used > 8 && memory.bytes[used - 1] === 0) used--
  writeFileSync(image, memory.bytes.subarray(0, used))

  let now: CoreRecord | undefined
  const outside: Outside = {
    cycle: () => now?.rdWord ?? 0n,
    setCycle: () => {},
    pending: () => now?.rdWord ?? 0n,
    readDevice: () => now?.word ?? 0n,
    writeDevice: () => {},
  }
  const iss = new Rv64(memory, outside)
  const result: CoreRun = {
    verdict: { kind: 'runaway' },
    cycles: 0n,
    retired: 0,
    traps: 0,
    console: '',
    seen: new Map(),
  }
  const count = (what: string): void => {
    result.seen.set(what, (result.seen.get(what) ?? 0) + 1)
  }
  const args = [image, hex(entry), hex(tohost), String(options.maxCycles)]
  if (options.waitSeed) args.push('wait', String(options.waitSeed))
  if (options.irqSeed) args.push('irq', String(options.irqSeed))
  const each = (bytes: Buffer): boolean => {
    if (bytes.readUInt8(0) === 128) {
      result.cycles = bytes.readBigUInt64LE(48)
      if (bytes.readUInt8(1) === 0) result.verdict = verdictOf(bytes.readBigUInt64LE(8))
      return true
    }
    now = parse(bytes)
    if (now.interrupt) {
      iss.interrupt(now.cause)
      count(`interrupt ${now.cause}`)
    }
    const done = iss.step()
    result.retired++
    if (done.trap) {
      result.traps++
      count(`cause ${done.cause}`)
    } else count(done.name)
    const difference = differs(now, done)
    if (difference !== null) {
      result.difference =
        `instruction ${result.retired} at ${hex(now.pc)} (${done.name}, ${hex(BigInt(now.insn))}), ` +
        `clock ${now.clock}: ${difference}`
      return false
    }
    return true
  }
  await records(options.program ?? join(outFolder('core'), 'core_bench'), args, 64, each, text => {
    result.console += text
  })
  return result
}

export interface SimulatorRun {
  verdict: Verdict
  retired: number
  console: string
}

/** Runs an executable on the simulator alone, one instruction a clock. */
export function runSimulator(elf: Elf, tohost: bigint, maxSteps: number): SimulatorRun {
  const memory = loadElf(elf)
  let clock = 0n
  let offset = 0n
  let compare = (1n << 64n) - 1n
  let software = 0n
  let printed = ''
  const outside: Outside = {
    cycle: () => clock + offset,
    setCycle: word => {
      offset = word - clock - 1n // the next instruction reads it
    },
    pending: () => (software ? 8n : 0n) | (clock >= compare ? 0x80n : 0n),
    readDevice: (address, bytes) => {
      const at = address & ~7n
      const word =
        at === 0x0200_0000n ? software : at === 0x0200_4000n ? compare : at === 0x0200_bff8n ? clock : 0n
      return BigInt.asUintN(8 * bytes, word >> (8n * (address & 7n)))
    },
    writeDevice: (address, bytes, word) => {
      if (address === 0x1000_0000n) printed += String.fromCharCode(Number(word & 0xffn))
      else if (address === 0x0200_0000n) software = word & 1n
      else if (address === 0x0200_4000n && bytes === 8) compare = word
    },
  }
  const iss = new Rv64(memory, outside)
  for (let retired = 1; retired <= maxSteps; retired++) {
    const cause = iss.interruptCause()
    if (cause !== null) iss.interrupt(cause)
    const done = iss.step()
    clock++
    if (done.writeBytes && done.memoryAddress + 8n > tohost && done.memoryAddress < tohost + 8n) {
      const word = memory.read(tohost, 8)
      if (word >> 48n === 0x0101n) {
        printed += String.fromCharCode(Number(word & 0xffn))
        memory.write(tohost, 8, 0n)
      } else if (word !== 0n) return { verdict: verdictOf(word), retired, console: printed }
    }
  }
  return { verdict: { kind: 'runaway' }, retired: maxSteps, console: printed }
}

export { RAM_BASE }

// spec/vectors/operations.json through the Verilog: every case on delta_cells, and on a delta_table where it has the lane.
// Each case runs twice: a step every clock, and with idle clocks between.
import { readFileSync, writeFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { LANES, type Lane } from '../model/delta.ts'
import { Failure, must, outFolder, ROOM, rtl } from './process.ts'

interface Step {
  op: 'load' | 'accum' | 'read' | 'swap'
  address: number
  value?: bigint | null
  expect?: bigint
}
export interface Case {
  name: string
  lane: Lane
  width: number
  contexts: number
  steps: Step[]
}

/** Reads and checks the file; a case that breaks its own format is refused, not skipped. */
export function readVectors(path = joinPath(ROOM, '..', 'spec', 'vectors', 'operations.json')): Case[] {
  let file: { version?: unknown; cases?: unknown }
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Failure(`${path}: ${error instanceof Error ? error.message : error}`)
  }
  if (file.version !== 1 || !Array.isArray(file.cases))
    throw new Failure(`${path}: wanted version 1 with cases`)
  return file.cases.map((raw: Record<string, unknown>): Case => {
    const { name, lane, width, contexts, steps } = raw
    const refuse = (why: string): never => {
      throw new Failure(`${path}: case ${String(name)}: ${why}`)
    }
    if (typeof name !== 'string' || typeof width !== 'number' || typeof contexts !== 'number')
      refuse('fields')
    if (!LANES.includes(lane as Lane) || !Array.isArray(steps)) refuse('lane or steps')
    const word = (text: unknown): bigint => {
      if (typeof text !== 'string' || !/^0x(0|[1-9a-f][0-9a-f]*)$/.test(text))
        return refuse(`word ${String(text)}`)
      const value = BigInt(text)
      return value < 1n << BigInt(width as number) ? value : refuse(`${text} is too wide`)
    }
    const parsed = (steps as Record<string, unknown>[]).map((step): Step => {
      const { op, address } = step
      if (op !== 'load' && op !== 'accum' && op !== 'read' && op !== 'swap') return refuse(`op ${String(op)}`)
      if (typeof address !== 'number' || address >= (contexts as number)) return refuse('address')
      const value = op === 'read' ? undefined : op === 'swap' && step.value === null ? null : word(step.value)
      return { op, address, value, expect: op === 'read' || op === 'swap' ? word(step.expect) : undefined }
    })
    return {
      name: name as string,
      lane: lane as Lane,
      width: width as number,
      contexts: contexts as number,
      steps: parsed,
    }
  })
}

const bit = (condition: boolean): string => (condition ? '1' : '0')

/** Compiles a bench once a parameter set, runs it on the lines and returns the words it printed. */
export function simulate(
  bench: string,
  parameters: Record<string, number>,
  lines: string[],
  sources?: string,
): bigint[] {
  const tag = `${bench}-${Object.values(parameters).join('-')}`
  const folder = outFolder('iverilog')
  const program = joinPath(folder, `${tag}.vvp`)
  const source = (name: string): string => (sources ? joinPath(sources, name) : rtl(name))
  must('iverilog', [
    ...['-g2005-sv', '-s', bench, '-o', program],
    ...Object.entries(parameters).map(([name, value]) => `-P${bench}.${name}=${value}`),
    joinPath(ROOM, 'bench', `${bench}.v`),
    ...['join', 'delay', 'cell', 'sum_cell', 'ram', 'bank', 'tree', 'table', 'fold'].map(name => source(`delta_${name}.v`)),
  ])
  writeFileSync(joinPath(folder, `${tag}.in`), `${lines.join('\n')}\n`)
  must('vvp', [
    '-n',
    program,
    `+in=${joinPath(folder, `${tag}.in`)}`,
    `+out=${joinPath(folder, `${tag}.out`)}`,
  ])
  return readFileSync(joinPath(folder, `${tag}.out`), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => (/^[0-9a-f]+$/.test(line) ? BigInt(`0x${line}`) : -1n)) // x or z: never equal to a word
}

export interface VectorsRun {
  cases: number
  passed: number
  failures: string[]
}

/** Replays every case. `sources` is a folder of changed Verilog, for the broken versions. */
export function runVectors(cases: Case[], sources?: string): VectorsRun {
  const result: VectorsRun = { cases: cases.length, passed: 0, failures: [] }
  const groups = new Map<string, Case[]>()
  for (const one of cases) {
    const key = `${one.lane} ${one.width}`
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  for (const group of groups.values()) {
    const first = group[0]
    if (!first) continue
    const lane = LANES.indexOf(first.lane)
    const idles = [0, 3]
    const check = (unit: string, words: bigint[]): void => {
      let at = 0
      for (const idle of idles)
        for (const one of group) {
          const wanted = one.steps.filter(step => step.expect !== undefined)
          const wrong = wanted.findIndex((step, k) => words[at + k] !== step.expect)
          at += wanted.length
          if (wrong < 0) result.passed++
          else result.failures.push(`vector ${one.name} on ${unit}, ${idle} idle clocks: result ${wrong}`)
        }
      if (at !== words.length)
        result.failures.push(`${first.lane} ${first.width} on ${unit}: ${words.length} results, wanted ${at}`)
    }

    const cellLines = idles.flatMap(idle =>
      group.flatMap(one => [
        '1 0 0 0 0 0 0 0 0 0',
        ...one.steps.flatMap(({ op, address, value, expect }) => {
          const word = (value ?? 0n).toString(16)
          const isAccum = op === 'accum'
          const at = address.toString(16)
          return [
            `0 ${bit(isAccum)} ${bit(op === 'load')} ${bit(op === 'swap')} ${bit(value === null)} ${at} ` +
              `${isAccum ? 0 : word} ${at} ${isAccum ? word : 0} ${bit(expect !== undefined)}`,
            ...new Array<string>(idle).fill('0 0 0 0 0 0 0 0 0 0'),
          ]
        }),
      ]),
    )
    const contexts = Math.max(...group.map(one => one.contexts))
    check(
      'delta_cell',
      simulate('cells_bench', { WIDTH: first.width, LANE: lane, CONTEXTS: contexts }, cellLines, sources),
    )

    // the table keeps its contexts over a reset, so each case has addresses of its own
    if (first.lane === 'max') continue
    let base = 0
    const tableLines: string[] = []
    for (const idle of idles)
      for (const one of group) {
        for (const { op, address, value } of one.steps) {
          const word = (value ?? 0n).toString(16)
          const isAccum = op === 'accum'
          const at = (base + address).toString(16)
          tableLines.push(
            `${bit(op === 'load')} ${bit(op === 'read')} ${bit(op === 'swap')} ${bit(value === null)} ${at} ` +
              `${isAccum ? 0 : word} ${bit(isAccum)} ${at} ${isAccum ? word : 0}`,
            ...new Array<string>(idle).fill('0 0 0 0 0 0 0 0 0'),
          )
        }
        base += one.contexts
      }
    // LOAD answers with the state before it; the vectors do not ask for that
    const asked = idles.flatMap(() =>
      group.flatMap(one =>
        one.steps.filter(step => step.op !== 'accum').map(step => step.expect !== undefined),
      ),
    )
    const address = Math.max(1, Math.ceil(Math.log2(base)))
    const words = simulate(
      'table_bench',
      { WIDTH: first.width, ADDRESS: address, PORTS: 1, LANE: lane },
      tableLines,
      sources,
    )
    if (words.length !== asked.length)
      result.failures.push(
        `${first.lane} ${first.width} on delta_table: ${words.length} results of ${asked.length}`,
      )
    check(
      'delta_table',
      words.filter((_, k) => asked[k]),
    )
  }
  return result
}

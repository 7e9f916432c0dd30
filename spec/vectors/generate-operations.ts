/**
 * Writes spec/vectors/operations.json from the plain reference: the introduction, the edges of every lane, and seeded
 * traces over many widths. `npx tsx spec/vectors/generate-operations.ts`; a test compares the file with a fresh run.
 */
import { PlainTable } from '../../packages/atomik/src/algebra/plain.ts'
import { SeededRandom } from '../../packages/atomik/src/engine/random.ts'

export interface Step {
  op: 'load' | 'accum' | 'read' | 'swap'
  address: number
  value?: string | null
  expect?: string
}
export interface Case {
  name: string
  lane: 'xor' | 'add' | 'max'
  width: number
  contexts: number
  steps: Step[]
}

const hex = (value: bigint) => `0x${value.toString(16)}`

export function operationCases(): Case[] {
  const cases: Case[] = []
  const make = (
    name: string,
    lane: Case['lane'],
    width: number,
    contexts: number,
    play: (t: Trace) => void,
  ) => {
    const trace = new Trace(lane, width)
    play(trace)
    cases.push({ name, lane, width, contexts, steps: trace.steps })
  }
  make('introduction', 'xor', 32, 1, t => {
    t.load(0, 0xcafebaben)
    t.accum(0, 0x0000ff00n)
    t.accum(0, 0x00ff0000n)
    t.read(0)
    t.accum(0, 0x0000ff00n)
    t.read(0)
  })
  make('one-byte', 'xor', 32, 1, t => {
    t.load(0, 0xdeadbeefn)
    t.accum(0, 0xffn)
    t.read(0)
  })
  for (const lane of ['xor', 'add', 'max'] as const)
    for (const width of [1, 2, 8, 31, 32, 33, 63, 64]) {
      const top = 2n ** BigInt(width) - 1n
      make(`edges-${lane}-${width}`, lane, width, 2, t => {
        t.read(0)
        t.load(0, top)
        t.accum(0, top)
        t.read(0)
        t.swap(0, null)
        t.read(0)
        t.accum(0, 1n)
        t.swap(0, 0n)
        t.read(0)
        t.accum(1, 1n)
        t.accum(0, top)
        t.accum(0, top)
        t.read(0)
        t.read(1)
        t.swap(1, top)
        t.read(1)
      })
    }
  const random = new SeededRandom(20_261_122)
  const word = (width: number) => {
    let value = 0n
    for (let bits = 0; bits < width; bits += 32) value = (value << 32n) | BigInt(random.next32())
    return value & (2n ** BigInt(width) - 1n)
  }
  for (const lane of ['xor', 'add', 'max'] as const)
    for (const width of [7, 16, 32, 64, 64, 128, 1000, 4096]) {
      const contexts = 4
      make(`seeded-${lane}-${width}-${cases.length}`, lane, width, contexts, t => {
        for (let i = 0; i < (width > 128 ? 12 : 48); i++) {
          const address = random.below(contexts)
          const dice = random.below(10)
          if (dice < 5) t.accum(address, word(width))
          else if (dice < 7) t.read(address)
          else if (dice < 8) t.load(address, word(width))
          else t.swap(address, dice < 9 ? null : word(width))
        }
        for (let address = 0; address < contexts; address++) t.read(address)
      })
    }
  return cases
}

class Trace {
  readonly steps: Step[] = []
  readonly #table: PlainTable
  constructor(lane: Case['lane'], width: number) {
    this.#table = new PlainTable(lane, width)
  }
  load(address: number, value: bigint) {
    this.#table.load(address, value)
    this.steps.push({ op: 'load', address, value: hex(value) })
  }
  accum(address: number, value: bigint) {
    this.#table.accum(address, value)
    this.steps.push({ op: 'accum', address, value: hex(value) })
  }
  read(address: number) {
    this.steps.push({ op: 'read', address, expect: hex(this.#table.read(address)) })
  }
  swap(address: number, value: bigint | null) {
    const expect = this.#table.swap(address, value ?? undefined)
    this.steps.push({ op: 'swap', address, value: value === null ? null : hex(value), expect: hex(expect) })
  }
}

/** One step a line: a diff shows what changed. */
export function formatCases(cases: readonly Case[]): string {
  const body = cases.map(({ steps, ...head }) => {
    const lines = steps.map(step => `      ${JSON.stringify(step)}`).join(',\n')
    return `    ${JSON.stringify(head).slice(0, -1)},"steps":[\n${lines}\n    ]}`
  })
  return `{ "version": 1,\n  "cases": [\n${body.join(',\n')}\n  ] }\n`
}

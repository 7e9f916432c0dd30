/**
 * What the algebra view holds: one context, and the deltas accumulated since its last LOAD or SWAP. Everything shown is
 * computed by the library from this; nothing here calculates a state by itself.
 */
import { AtomikContext, type Lane, lanes, limits } from 'atomik'

export interface Step {
  /** Names the delta for as long as it is shown, wherever it is moved. */
  readonly id: number
  readonly delta: bigint
  /** The id of the delta that this one takes back. */
  readonly undoes?: number
}

export interface Program {
  readonly lane: Lane
  /** Bits, 1 to `widthMax`: as many as the library takes. */
  readonly width: number
  readonly reference: bigint
  readonly steps: readonly Step[]
}

export interface Outcome {
  readonly accumulator: bigint
  readonly state: bigint
}

export const widthMax = limits.widthBitsMax
/** Steps kept; a SWAP makes room. */
export const stepsMax = 24
/** Orders tried at once: all of up to five steps, and that many random ones of more. */
const ordersMax = 120

export const initialProgram: Program = {
  lane: 'xor',
  width: 16,
  reference: 0xcafen,
  steps: [
    { id: 1, delta: 0x00ffn },
    { id: 2, delta: 0x0f00n },
    { id: 3, delta: 0x8001n },
  ],
}

const contextOf = ({ lane, width }: Program) => new AtomikContext(width, lane)

export function run(program: Program, steps: readonly Step[] = program.steps): Outcome {
  const context = contextOf(program)
  for (const { delta } of steps) context.accum(delta)
  const accumulator = context.read()
  context.load(program.reference)
  for (const { delta } of steps) context.accum(delta)
  return { accumulator, state: context.read() }
}

export const load = (program: Program, value: bigint): Program => ({
  ...program,
  reference: value,
  steps: [],
})

export const accum = (program: Program, delta: bigint, undoes?: number): Program => ({
  ...program,
  steps: [
    ...program.steps,
    {
      id: 1 + Math.max(0, ...program.steps.map(step => step.id)),
      delta,
      ...(undoes !== undefined && { undoes }),
    },
  ],
})

/** Takes a delta back by accumulating its inverse, whatever came after it. The `max` lane has none. */
export function undo(program: Program, id: number): Program {
  const step = program.steps.find(found => found.id === id)
  if (step === undefined || !canUndo(program, id)) return program
  const context = contextOf(program)
  context.rollback(step.delta)
  return accum(program, context.read(), id)
}

/** True unless the lane has no inverse, it was taken back already, or it is itself such a step. */
export function canUndo({ lane, steps }: Program, id: number): boolean {
  return (
    lane !== 'max' && !steps.some(step => step.undoes === id || (step.id === id && step.undoes !== undefined))
  )
}

/** SWAP: the state becomes the reference and the accumulator is empty; a new reference, when given, instead. */
export const swap = (program: Program, reference = run(program).state): Program => ({
  ...program,
  reference,
  steps: [],
})

/** The delta at position `from` goes to position `to`. */
export function move(program: Program, from: number, to: number): Program {
  const steps = [...program.steps]
  const [step] = steps.splice(from, 1)
  if (step === undefined) return program
  steps.splice(Math.max(0, Math.min(to, steps.length)), 0, step)
  return { ...program, steps }
}

/** Another width or lane. Values that no longer fit lose their upper bits, which is shown at once. */
export function reshape(program: Program, lane: Lane, width: number): Program {
  const fit = (value: bigint) => BigInt.asUintN(width, value)
  return {
    lane,
    width,
    reference: fit(program.reference),
    steps: program.steps.map(({ id, delta, undoes }) => ({
      id,
      delta: fit(delta),
      ...(undoes !== undefined && lane === program.lane && { undoes }),
    })),
  }
}

export interface OrderCheck {
  readonly tried: number
  readonly agreeing: number
  readonly all: boolean
}

/** Accumulates the same deltas in other orders, and counts how many of them end in the same state. */
export function checkOrders(program: Program): OrderCheck {
  const { state } = run(program)
  const { steps } = program
  let tried = 0
  let agreeing = 0
  const take = (order: readonly Step[]) => {
    tried++
    if (run(program, order).state === state) agreeing++
  }
  const all = steps.length <= 5
  if (all) for (const order of permutations(steps)) take(order)
  else for (let n = 0; n < ordersMax; n++) take(shuffled(steps))
  return { tried, agreeing, all }
}

function* permutations<T>(items: readonly T[]): Iterable<readonly T[]> {
  if (items.length === 0) yield []
  for (let i = 0; i < items.length; i++)
    for (const rest of permutations(items.toSpliced(i, 1))) yield [items[i], ...rest]
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const held = order[i]
    order[i] = order[j]
    order[j] = held
  }
  return order
}

/** The same in code, as a module that runs. */
export function codeFor(program: Program): string {
  const { lane, width, reference, steps } = program
  const literal = (value: bigint) => `0x${value.toString(16)}n`
  const { state } = run(program)
  return [
    `import { AtomikContext } from 'atomik'`,
    '',
    `const word = new AtomikContext(${width}, '${lane}')`,
    `word.load(${literal(reference)})`,
    ...steps.map(({ delta, undoes }) =>
      undoes === undefined
        ? `word.accum(${literal(delta)})`
        : `word.accum(${literal(delta)}) // takes back δ${undoes}`,
    ),
    `console.log(word.read().toString(16)) // ${state.toString(16)}`,
    '',
  ].join('\n')
}

// ── as the end of an address ────────────────────────────────────────────────────────────────────────────────────────

export function toParameters({ lane, width, reference, steps }: Program): Record<string, string> {
  return {
    lane,
    width: String(width),
    load: reference.toString(16),
    deltas: steps.map(({ delta }) => delta.toString(16)).join('.'),
  }
}

/** The program an address describes; undefined when it describes none, or one that does not fit. */
export function fromParameters(parameters: URLSearchParams): Program | undefined {
  const lane = lanes.find(name => name === parameters.get('lane'))
  const width = Number(parameters.get('width'))
  if (lane === undefined || !Number.isInteger(width) || width < 1 || width > widthMax) return undefined
  const reference = parseHex(parameters.get('load') ?? '', width)
  const texts = (parameters.get('deltas') ?? '').split('.').filter(text => text !== '')
  if (reference === undefined || texts.length > stepsMax) return undefined
  const steps: Step[] = []
  for (const text of texts) {
    const delta = parseHex(text, width)
    if (delta === undefined) return undefined
    steps.push({ id: steps.length + 1, delta })
  }
  return { lane, width, reference, steps }
}

function parseHex(text: string, width: number): bigint | undefined {
  if (!/^[0-9a-f]{1,1024}$/i.test(text)) return undefined
  const value = BigInt(`0x${text}`)
  return value >> BigInt(width) === 0n ? value : undefined
}

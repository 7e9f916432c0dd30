/** The algebra to play with: one word, four operations, and the deltas in whatever order the reader drags them. */
import { type Lane, lanes } from 'atomik'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { setParameters } from '../shell/route.ts'
import { BitButtons, Bits, drawnBits } from './bits.tsx'
import { DeltaList } from './delta-list.tsx'
import {
  accum,
  codeFor,
  fromParameters,
  initialProgram,
  load,
  move,
  type Program,
  reshape,
  run,
  stepsMax,
  swap,
  toParameters,
  undo,
  widthMax,
} from './program.ts'
import { Tour } from './tour.tsx'
import { type Base, bases, formatWord, parseWord } from './words.ts'
import './algebra.css'

const laneMeaning: Record<Lane, string> = {
  xor: 'Exclusive or: a delta flips bits, and the same delta again flips them back.',
  add: 'Sum modulo 2ⁿ: every increment counts; the inverse is the two’s complement.',
  max: 'The larger wins: a repeat is harmless. There is no inverse; registers carry a stamp in the upper bits.',
}

export function AlgebraView({ parameters }: { parameters: URLSearchParams }) {
  const [program, setProgram] = useState<Program>(() => fromParameters(parameters) ?? initialProgram)
  const [delta, setDelta] = useState(0b0110n)
  const [base, setBase] = useState<Base>('hexadecimal')
  const [said, setSaid] = useState('')
  const [marked, setMarked] = useState(0n)
  const outcome = useMemo(() => run(program), [program])
  const { width, lane, reference, steps } = program
  const text = (value: bigint) => formatWord(value, width, base)

  useEffect(() => setParameters({ view: 'algebra', ...toParameters(program) }), [program])

  const become = (next: Program, message: string) => {
    setMarked(run(next).state ^ outcome.state)
    setProgram(next)
    setSaid(message)
  }
  const reshaped = (nextLane: Lane, nextWidth: number) => {
    setDelta(BigInt.asUintN(nextWidth, delta))
    become(reshape(program, nextLane, nextWidth), `${nextWidth} bits, lane ${nextLane}`)
  }
  const isFull = steps.length >= stepsMax
  const accumulate = () =>
    become(accum(program, delta), `ACCUM ${text(delta)}: the accumulator took it; the reference is untouched`)

  const readState = () => setSaid(`READ: ${text(outcome.state)}, reconstructed; nothing has changed`)
  const swapOut = () => become(swap(program), `SWAP returned ${text(outcome.state)}; it is the reference now`)
  const moveDelta = (from: number, to: number) =>
    become(move(program, from, to), 'another order of the same deltas: the state is the same')
  const takeBack = (id: number) => {
    const before = outcome.state
    const next = undo(program, id)
    become(next, `δ${id} is taken back: from ${text(before)} to ${text(run(next).state)}`)
  }

  return (
    <div class="view algebra">
      <Tour
        program={program}
        isFull={isFull}
        acts={{ accumulate, read: readState, undo: takeBack, move: moveDelta, swap: swapOut }}
      />
      <section class="card" aria-labelledby="word-title">
        <div class="title">
          <h2 id="word-title">One word</h2>
          <div class="choices">
            <label>
              lane{' '}
              <select
                value={lane}
                onChange={event => reshaped(event.currentTarget.value as Lane, width)}
                data-testid="lane"
              >
                {lanes.map(name => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
            <label>
              bits{' '}
              <input
                type="number"
                min={1}
                max={widthMax}
                value={width}
                data-testid="width"
                onChange={event => {
                  const wanted = event.currentTarget.valueAsNumber
                  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= widthMax) reshaped(lane, wanted)
                  else event.currentTarget.value = String(width)
                }}
              />
            </label>
            <label>
              shown as{' '}
              <select
                value={base}
                onChange={event => setBase(event.currentTarget.value as Base)}
                data-testid="base"
              >
                {bases.map(name => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
          </div>
        </div>
        <p class="note">{laneMeaning[lane]}</p>
        <div class="rows">
          <WordRow name="reference" sign="" value={reference} text={text(reference)} width={width} />
          <WordRow
            name="accumulator"
            sign="⊙"
            value={outcome.accumulator}
            text={text(outcome.accumulator)}
            width={width}
          />
          <WordRow
            name="state"
            sign="="
            value={outcome.state}
            text={text(outcome.state)}
            width={width}
            marked={marked}
          />
        </div>
        <p class="said" aria-live="polite" data-testid="said">
          {said}
        </p>
      </section>

      <section class="card" aria-labelledby="delta-title">
        <h2 id="delta-title">A delta</h2>
        {width > drawnBits && (
          <p class="note">
            Of {width} bits the lowest {drawnBits} are drawn; type the others.
          </p>
        )}
        <div class="delta-editor">
          <BitButtons value={delta} width={width} onChange={setDelta} />
          <WordInput value={delta} width={width} base={base} onChange={setDelta} />
        </div>
        <div class="operations">
          <Operation
            name="LOAD"
            hint="sets the reference, empties the accumulator"
            onClick={() =>
              become(load(program, delta), `LOAD ${text(delta)}: a new reference, an empty accumulator`)
            }
          />
          <Operation
            name="ACCUM"
            hint={isFull ? 'the list is full: SWAP makes room' : 'folds the delta into the accumulator'}
            disabled={isFull}
            onClick={accumulate}
          />
          <Operation name="READ" hint="reference ⊙ accumulator; changes nothing" onClick={readState} />
          <Operation name="SWAP" hint="returns the state and makes it the reference" onClick={swapOut} />
        </div>
      </section>

      <DeltaList program={program} text={text} isFull={isFull} onMove={moveDelta} onUndo={takeBack} />

      <Code code={codeFor(program)} />
    </div>
  )
}

interface WordRowProps {
  readonly name: string
  readonly sign: string
  readonly value: bigint
  readonly text: string
  readonly width: number
  readonly marked?: bigint
}

function WordRow({ name, sign, value, text, width, marked }: WordRowProps) {
  return (
    <div class="word" data-testid={name}>
      <span class="sign">{sign}</span>
      <span class="word-name">{name}</span>
      <Bits name={name} text={text} value={value} width={width} {...(marked !== undefined && { marked })} />
      <output class="word-text">{text}</output>
    </div>
  )
}

interface OperationProps {
  readonly name: string
  readonly hint: string
  readonly disabled?: boolean
  readonly onClick: () => void
}

function Operation({ name, hint, disabled = false, onClick }: OperationProps) {
  return (
    <div class="operation">
      <button type="button" disabled={disabled} onClick={onClick} aria-describedby={`hint-${name}`}>
        {name}
      </button>
      <span id={`hint-${name}`}>{hint}</span>
    </div>
  )
}

interface WordInputProps {
  readonly value: bigint
  readonly width: number
  readonly base: Base
  readonly onChange: (value: bigint) => void
}

function WordInput({ value, width, base, onChange }: WordInputProps) {
  // What is being typed, while it is not a word yet.
  const [draft, setDraft] = useState<string>()
  const wrong = draft === undefined ? undefined : parseWord(draft, width, base)
  const problem = typeof wrong === 'string' ? wrong : ''
  return (
    <div class="word-input">
      <input
        aria-label={`The delta, ${base}`}
        aria-invalid={problem !== ''}
        aria-describedby="delta-problem"
        spellcheck={false}
        autocomplete="off"
        value={draft ?? formatWord(value, width, base)}
        onInput={event => {
          const parsed = parseWord(event.currentTarget.value, width, base)
          setDraft(event.currentTarget.value)
          if (typeof parsed === 'bigint') onChange(parsed)
        }}
        onBlur={() => setDraft(undefined)}
        data-testid="delta-input"
      />
      <span id="delta-problem" class="problem" role="status">
        {problem}
      </span>
    </div>
  )
}

function Code({ code }: { code: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return undefined
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <section class="card" aria-labelledby="code-title">
      <div class="title">
        <h2 id="code-title">The same in code</h2>
        <button
          type="button"
          class="small"
          onClick={() => navigator.clipboard?.writeText(code).then(() => setCopied(true))}
        >
          {copied ? 'Copied' : 'Copy'}
        </button>
      </div>
      <pre data-testid="code">
        <code>{code}</code>
      </pre>
    </section>
  )
}

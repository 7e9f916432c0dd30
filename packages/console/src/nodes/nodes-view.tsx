/** Two nodes and a bad network: what bare deltas make of it, and what the engine does. */
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import type { BadNetwork, Conditions } from './bad-link.ts'
import { LinePainter } from './line-painter.ts'
import { lampCount, type NodeView, nodeNames, Pair } from './pair.ts'
import './nodes.css'

interface Slider {
  readonly name: 'loss' | 'repeat' | 'delayMs' | 'jitterMs'
  readonly label: string
  readonly max: number
  readonly text: (value: number) => string
}

const percent = (value: number) => `${Math.round(value * 100)} %`
const milliseconds = (value: number) => `${Math.round(value)} ms`
const sliders: readonly Slider[] = [
  { name: 'loss', label: 'lost', max: 0.9, text: percent },
  { name: 'repeat', label: 'repeated', max: 0.9, text: percent },
  { name: 'delayMs', label: 'delay', max: 2000, text: milliseconds },
  { name: 'jitterMs', label: 'disorder', max: 2000, text: milliseconds },
]
const initially: Conditions = { loss: 0.1, repeat: 0.25, delayMs: 400, jitterMs: 400, partition: false }

export function NodesView() {
  const conditions = useMemo<Conditions>(() => ({ ...initially }), [])
  const pair = useMemo(() => new Pair(conditions), [conditions])
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  useEffect(() => {
    const stopListening = pair.subscribe(() => redraw(undefined))
    return () => {
      stopListening()
      pair.stop()
    }
  }, [pair])
  const nodes = nodeNames.map((_, at) => pair.view(at))
  const set = (change: Partial<Conditions>) => {
    Object.assign(conditions, change)
    redraw(undefined)
  }
  return (
    <div class="view nodes">
      <section class="card network" aria-labelledby="network-title">
        <div class="title">
          <h2 id="network-title">The network between A and B</h2>
          <p class="note">
            Click lamps and follow the packets: red ones are lost, orange ones come again. Then partition,
            change both sides, heal.
          </p>
        </div>
        <div class="sliders">
          {sliders.map(({ name, label, max, text }) => (
            <label key={name}>
              <span>
                {label} <b>{text(conditions[name])}</b>
              </span>
              <input
                type="range"
                min={0}
                max={max}
                step={max / 100}
                value={conditions[name]}
                aria-valuetext={text(conditions[name])}
                data-testid={name}
                onInput={event => set({ [name]: event.currentTarget.valueAsNumber })}
              />
            </label>
          ))}
          <button
            type="button"
            class="partition"
            aria-pressed={conditions.partition}
            onClick={() => set({ partition: !conditions.partition })}
          >
            {conditions.partition ? 'Heal' : 'Partition'}
          </button>
        </div>
      </section>

      <BareWorld pair={pair} nodes={nodes} />
      <EngineWorld pair={pair} nodes={nodes} />
    </div>
  )
}

interface WorldProps {
  readonly pair: Pair
  readonly nodes: readonly (NodeView | undefined)[]
}

function BareWorld({ pair, nodes }: WorldProps) {
  const [a, b] = nodes.map(node => node?.bare ?? 0)
  const differing = [...(a ^ b).toString(2)].filter(bit => bit === '1').length
  const many = differing === 1 ? '1 bit' : `${differing} bits`
  const { traffic, packets } = pair.bareNetwork
  const verdict =
    differing === 0
      ? packets.size > 0
        ? 'equal so far'
        : 'equal'
      : packets.size > 0
        ? `under way: ${many} differ`
        : `${many} differ, for ever`
  return (
    <section class="card world" aria-labelledby="bare-title">
      <div class="title">
        <h2 id="bare-title">Bare exclusive or</h2>
        <Verdict good={differing === 0} settled={packets.size === 0} text={verdict} testid="bare-verdict" />
      </div>
      <p class="note">
        Each click sends its delta and nothing else. A lost delta is lost; one that arrives twice undoes
        itself. Only order does not matter.
      </p>
      <div class="sides">
        {nodeNames.map((name, at) => (
          <Lamps
            key={name}
            title={`Node ${name}`}
            testid={`bare-${name}`}
            isOn={lamp => ((at === 0 ? a : b) & (1 << lamp)) !== 0}
            onFlip={lamp => pair.flip(at, lamp)}
          />
        ))}
        <Line network={pair.bareNetwork} hasHub={false} label="Deltas between A and B" />
      </div>
      <p class="note traffic">
        {traffic.sent} packets, {traffic.lost} lost, {traffic.repeated} repeated, {traffic.overtaken}{' '}
        overtaken
      </p>
    </section>
  )
}

function EngineWorld({ pair, nodes }: WorldProps) {
  const [a, b] = nodes
  const isSame = a !== undefined && b !== undefined && JSON.stringify(a.values) === JSON.stringify(b.values)
  const settled = isSame && a.pending === 0 && b.pending === 0 && a.lsn === b.lsn
  const { traffic } = pair.network
  return (
    <section class="card world" aria-labelledby="engine-title">
      <div class="title">
        <h2 id="engine-title">The engine</h2>
        <Verdict
          good={isSame}
          settled={settled}
          text={settled ? 'equal, and durable at the hub' : isSame ? 'equal; confirming' : 'catching up'}
          testid="engine-verdict"
        />
      </div>
      <p class="note">
        The same clicks, and fields of every kind. Changes are numbered and kept until the hub has them: a
        repeat is dropped, a gap is filled, and both sides end with what both did.
      </p>
      <div class="sides">
        {nodeNames.map((name, at) => (
          <Fields key={name} pair={pair} at={at} name={name} node={nodes[at]} />
        ))}
        <Line network={pair.network} hasHub label="Messages between A, the hub and B" />
      </div>
      <p class="note traffic">
        {traffic.sent} packets, {traffic.lost} lost, {traffic.repeated} repeated, {traffic.overtaken}{' '}
        overtaken; hub at version {pair.hubLsn}
      </p>
    </section>
  )
}

function Verdict(props: { good: boolean; settled: boolean; text: string; testid: string }) {
  const state = props.settled ? (props.good ? 'good' : 'bad') : 'open'
  return (
    <span class="verdict" data-state={state} data-testid={props.testid} role="status">
      {props.text}
    </span>
  )
}

interface LampsProps {
  readonly title: string
  readonly testid: string
  readonly isOn: (lamp: number) => boolean
  readonly onFlip: (lamp: number) => void
}

function Lamps({ title, testid, isOn, onFlip }: LampsProps) {
  return (
    <fieldset class="lamps" data-testid={testid}>
      <legend>{title}</legend>
      {Array.from({ length: lampCount }, (_, lamp) => (
        <button
          key={lamp}
          type="button"
          class={isOn(lamp) ? 'lamp on' : 'lamp'}
          aria-pressed={isOn(lamp)}
          aria-label={`lamp ${lamp}`}
          onClick={() => onFlip(lamp)}
        />
      ))}
    </fieldset>
  )
}

interface FieldsProps {
  readonly pair: Pair
  readonly at: number
  readonly name: string
  readonly node: NodeView | undefined
}

function Fields({ pair, at, name, node }: FieldsProps) {
  const values = node?.values
  return (
    <div class="node" data-testid={`engine-${name}`}>
      <Lamps
        title={`Node ${name}: toggles`}
        testid={`lamps-${name}`}
        isOn={lamp => values?.lamps[lamp] === true}
        onFlip={lamp => pair.flip(at, lamp)}
      />
      <div class="fields">
        <label>
          <span>flag</span>
          <input
            type="checkbox"
            checked={values?.armed === true}
            onChange={event => {
              const { checked } = event.currentTarget
              pair.change(at, row => row.armed.set(checked))
            }}
          />
        </label>
        <div class="counter">
          <span>counter</span>
          <output data-testid={`counter-${name}`}>{values?.visitors ?? 0}</output>
          <button
            type="button"
            class="small"
            aria-label={`+1 at ${name}`}
            onClick={() => pair.change(at, row => row.visitors.add(1))}
          >
            +1
          </button>
          <button
            type="button"
            class="small"
            aria-label={`−1 at ${name}`}
            onClick={() => pair.change(at, row => row.visitors.add(-1))}
          >
            −1
          </button>
        </div>
        <label>
          <span>register</span>
          <input
            type="range"
            min={0}
            max={255}
            value={values?.level ?? 0}
            aria-label={`Level at ${name}`}
            onInput={event => {
              const level = event.currentTarget.valueAsNumber
              pair.change(at, row => row.level.set(level))
            }}
          />
        </label>
        <Note pair={pair} at={at} name={name} value={values?.note ?? ''} />
      </div>
      <p class="note standing">
        {node === undefined
          ? 'waiting for its first state'
          : `version ${node.lsn} · ${node.pending} pending · ${node.duplicatesDropped} repeats dropped · ${node.gapsRepaired} gaps filled`}
      </p>
      <button type="button" class="small" disabled={node?.canUndo !== true} onClick={() => pair.undo(at)}>
        Undo at {name}
      </button>
    </div>
  )
}

/** A text register: typing sets it when the reader pauses, so that a word is one change and not five. */
function Note({ pair, at, name, value }: { pair: Pair; at: number; name: string; value: string }) {
  const [draft, setDraft] = useState<string>()
  useEffect(() => {
    if (draft === undefined) return undefined
    const timer = setTimeout(() => {
      if (draft !== value) pair.change(at, row => row.note.set(draft))
      setDraft(undefined)
    }, 400)
    return () => clearTimeout(timer)
  }, [draft, value, pair, at])
  return (
    <label>
      <span>text</span>
      <input
        value={draft ?? value}
        maxLength={12}
        aria-label={`Text at ${name}`}
        data-testid={`note-${name}`}
        onInput={event => setDraft(event.currentTarget.value)}
      />
    </label>
  )
}

function Line({ network, hasHub, label }: { network: BadNetwork; hasHub: boolean; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    if (canvas.current === null) return undefined
    const painter = new LinePainter(canvas.current, network, hasHub)
    return () => painter.stop()
  }, [network, hasHub])
  return <canvas class="line" ref={canvas} role="img" aria-label={label} />
}

/** A cluster on a seed: played, stepped and scrubbed; faults by click; the address reproduces what is seen. */
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import type { ViewProps } from '../app.tsx'
import { count } from '../format.ts'
import { setParameters } from '../shell/route.ts'
import { onThemeChange } from '../theme.ts'
import { ClusterPainter, messageKinds, type Target } from './cluster-painter.ts'
import { FaultButtons, FaultList } from './faults.tsx'
import { Player } from './player.ts'
import type { Moment, Recording } from './recording.ts'
import { ReplicaTable } from './replica-table.tsx'
import {
  type Fault,
  fromParameters,
  healAtMs,
  initialScenario,
  objectionTo,
  replicasMax,
  replicasMin,
  type Scenario,
  toParameters,
  type WeatherName,
  weathers,
  withFault,
} from './scenario.ts'
import './cluster.css'

const speeds = [0.05, 0.1, 0.25, 0.5, 1, 2, 4]
const initialSpeed = 0.25
/** While it plays the picture is drawn at every frame, and what stands around it so often. */
const wordsMs = 100
/** The address follows at most so often: browsers refuse more. */
const addressMs = 400

export const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`

export function ClusterView({ parameters }: ViewProps) {
  const [scenario, setScenario] = useState(() => fromParameters(parameters))
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  const [picked, setPicked] = useState<Target>(() => Math.min(3, scenario.replicas - 1))
  const [said, setSaid] = useState('')
  /** Draws the picture alone. */
  const picture = useRef(() => {})
  const player = useMemo(() => {
    const startMs = Number(parameters.get('t') ?? 0)
    const atMs = startMs >= 0 && startMs <= 200_000 ? startMs : 0
    let redrawnAt = 0
    return new Player(scenario, atMs, initialSpeed, moving => {
      picture.current()
      const now = performance.now()
      if (moving.isPlaying && now - redrawnAt < wordsMs) return
      redrawnAt = now
      redraw(undefined)
    })
  }, [])
  useEffect(() => {
    // Who comes without a moment to look at sees it move, unless they asked their system for less motion.
    if (!parameters.has('t') && !matchMedia('(prefers-reduced-motion: reduce)').matches) player.play(true)
    return () => player.stop()
  }, [player])
  const become = (next: Scenario, message: string, atMs = player.atMs) => {
    setScenario(next)
    setSaid(message)
    player.become(next, atMs)
  }
  useAddress(scenario, player)
  const { recording, atMs } = player
  const moment = recording.momentAt(atMs)
  const put = (fault: Fault) => {
    const objection = objectionTo(scenario, fault)
    if (objection !== '') setSaid(objection)
    else become(withFault(scenario, fault), '')
  }
  return (
    <div class="view cluster">
      <section class="card picture" aria-labelledby="cluster-title">
        <div class="title">
          <h2 id="cluster-title">A cluster on one seed</h2>
          <Settings scenario={scenario} onChange={next => become(next, '', 0)} />
        </div>
        <p class="note">
          Hub, replicas and network run in this page, on virtual time: the engine’s own code, and nothing
          random but the seed. Pick a machine, do it harm, and send somebody the address.
        </p>
        <Canvas player={player} picture={picture} picked={picked} onPick={setPicked} />
        <Legend />
        <Transport player={player} scenario={scenario} />
      </section>
      <div class="side">
        <Verdict recording={recording} moment={moment} atMs={atMs} />
        <FaultButtons
          scenario={scenario}
          picked={picked}
          replicas={moment.replicas}
          atMs={Math.ceil(atMs)}
          onPick={setPicked}
          onFault={put}
        />
        <p class="said" role="status" data-testid="cluster-said">
          {said}
        </p>
        <FaultList
          scenario={scenario}
          onRemove={fault =>
            become(
              { ...scenario, faults: scenario.faults.filter(other => other !== fault) },
              'The run without it.',
            )
          }
          onGo={fault => player.scrub(fault.atMs)}
        />
      </div>
      <ReplicaTable moment={moment} picked={picked} onPick={setPicked} />
      <Events recording={recording} moment={moment} picked={picked} />
    </div>
  )
}

/** What is seen goes into the address, while it plays not at every frame. */
function useAddress(scenario: Scenario, player: Player) {
  const shown = useRef({ scenario, player })
  shown.current = { scenario, player }
  useEffect(() => {
    const write = () => {
      const now = shown.current
      const t = now.player.isComputing ? undefined : String(Math.round(now.player.atMs))
      if (t !== undefined) setParameters({ view: 'cluster', ...toParameters(now.scenario), t })
    }
    const timer = setInterval(write, addressMs)
    return () => clearInterval(timer)
  }, [])
}

function Settings({ scenario, onChange }: { scenario: Scenario; onChange: (next: Scenario) => void }) {
  const whole = (event: { currentTarget: HTMLInputElement }, name: 'seed' | 'replicas') => {
    const value = event.currentTarget.valueAsNumber
    const next = fromParameters(
      new URLSearchParams({ ...toParameters({ ...scenario, faults: [] }), [name]: String(value) }),
    )
    // Faults of replicas that are gone go with them.
    if (next[name] === value)
      onChange({
        ...next,
        faults: scenario.faults.filter(fault => fault.target !== 'replica' || fault.node < next.replicas),
      })
    else event.currentTarget.value = String(scenario[name])
  }
  return (
    <div class="choices">
      <label>
        seed{' '}
        <input
          type="number"
          min={0}
          value={scenario.seed}
          data-testid="seed"
          onChange={event => whole(event, 'seed')}
        />
      </label>
      <label>
        replicas{' '}
        <input
          type="number"
          min={replicasMin}
          max={replicasMax}
          value={scenario.replicas}
          data-testid="replicas"
          onChange={event => whole(event, 'replicas')}
        />
      </label>
      <label>
        weather{' '}
        <select
          value={scenario.weather}
          data-testid="weather"
          onChange={event => onChange({ ...scenario, weather: event.currentTarget.value as WeatherName })}
        >
          {Object.keys(weathers).map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <button type="button" onClick={() => onChange({ ...initialScenario, seed: scenario.seed + 1 })}>
        Next seed
      </button>
    </div>
  )
}

interface CanvasProps {
  readonly player: Player
  /** Set to what draws it. */
  readonly picture: { current: () => void }
  readonly picked: Target
  readonly onPick: (target: Target) => void
}

function Canvas({ player, picture, picked, onPick }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const painter = useRef<ClusterPainter>()
  const paint = () => {
    const { recording, atMs } = player
    painter.current?.paint(recording.momentAt(atMs), recording.messagesAt(atMs), atMs, picked)
  }
  const latest = useRef(paint)
  latest.current = paint
  picture.current = paint
  useEffect(() => {
    const element = canvas.current
    if (element === null) return undefined
    const made = new ClusterPainter(element)
    painter.current = made
    const again = () => latest.current()
    const resizing = new ResizeObserver(again)
    resizing.observe(element)
    const stop = onThemeChange(() => {
      made.forgetColors()
      again()
    })
    return () => {
      stop()
      resizing.disconnect()
    }
  }, [])
  // Drawn with each rendering too: while it rests, somebody may pick another machine.
  useEffect(paint)
  return (
    <canvas
      class="cluster-canvas"
      ref={canvas}
      role="img"
      aria-label="The hub, the replicas around it and messages on their way; the table below says the same in words"
      data-testid="cluster-canvas"
      onClick={event => {
        const box = event.currentTarget.getBoundingClientRect()
        const target = painter.current?.targetAt(event.clientX - box.left, event.clientY - box.top)
        if (target !== undefined) onPick(target)
      }}
    />
  )
}

function Legend() {
  return (
    <ul class="legend message-legend" aria-label="Messages by colour">
      {messageKinds.map(({ kind, color, text }) => (
        <li key={kind}>
          <i
            class="key"
            style={{
              background: `var(${color})`,
              borderRadius: kind === 'greeting' || kind === 'note' ? 0 : '50%',
            }}
          />
          {text}
        </li>
      ))}
      <li>
        <b class="lost-key" aria-hidden="true">
          ×
        </b>
        lost
      </li>
      <li>
        <i class="key" style={{ background: 'var(--good)', borderRadius: '50%' }} />
        equal with the hub
      </li>
      <li>
        <i class="key" style={{ border: '1.5px solid var(--quiet)', borderRadius: '50%' }} />
        replica in memory
      </li>
      <li>
        <i class="key" style={{ border: '1.5px solid var(--quiet)' }} />
        replica with a disk
      </li>
    </ul>
  )
}

function Transport({ player, scenario }: { player: Player; scenario: Scenario }) {
  const { recording, atMs } = player
  const endMs = Math.ceil(recording.endMs)
  const left = (ms: number) => `${(100 * ms) / endMs}%`
  return (
    <div class="transport">
      <button type="button" class="play" onClick={() => player.play(!player.isPlaying)} data-testid="play">
        {player.isPlaying ? 'Pause' : 'Play'}
      </button>
      <button
        type="button"
        aria-label="Back to the message that arrived before"
        onClick={() => player.step(false)}
      >
        ⇤
      </button>
      <button
        type="button"
        aria-label="On to the next arrival of a message"
        onClick={() => player.step(true)}
      >
        ⇥
      </button>
      <label>
        <span class="unseen">Speed</span>
        <select
          value={player.speed}
          onChange={event => {
            player.speed = Number(event.currentTarget.value)
          }}
        >
          {speeds.map(speed => (
            <option key={speed} value={speed}>
              {speed} ×
            </option>
          ))}
        </select>
      </label>
      <output class="clock" data-testid="cluster-time">
        {seconds(atMs)}
      </output>
      <div class="scrubber">
        <input
          type="range"
          min={0}
          max={endMs}
          step={1}
          value={atMs}
          aria-label="Time of the run"
          aria-valuetext={seconds(atMs)}
          data-testid="scrub"
          onInput={event => player.scrub(event.currentTarget.valueAsNumber)}
        />
        <div class="marks" aria-hidden="true">
          <i class="known" style={{ width: left(Math.min(recording.frontierMs, endMs)) }} />
          <i class="heal" style={{ left: left(healAtMs) }} title="everything heals" />
          {scenario.faults.map((fault, i) => (
            <i key={`${i} ${fault.atMs}`} class="fault" style={{ left: left(fault.atMs) }} />
          ))}
        </div>
      </div>
    </div>
  )
}

function Verdict({ recording, moment, atMs }: { recording: Recording; moment: Moment; atMs: number }) {
  const { outcome } = recording
  const equal = moment.replicas.filter(({ digest, down }) => !down && digest === moment.hub.digest).length
  const isEnd = outcome !== undefined && atMs >= outcome.virtualMs
  const text = isEnd
    ? outcome.failure === undefined
      ? `Equal ${seconds(outcome.convergeMs)} after healing. The oracle found every change counted once.`
      : `${outcome.failure.kind}: ${outcome.failure.message}`
    : atMs >= healAtMs
      ? 'Healed; converging.'
      : `Everything heals at ${seconds(healAtMs)}; then all must become equal.`
  return (
    <section class="card" aria-labelledby="verdict-title">
      <div class="title">
        <h2 id="verdict-title">
          {equal} of {moment.replicas.length} equal with the hub
        </h2>
      </div>
      <p
        class="verdict"
        data-state={isEnd ? (outcome.failure === undefined ? 'good' : 'bad') : 'open'}
        data-testid="cluster-verdict"
      >
        {text}
      </p>
      <dl class="facts">
        {Object.entries(moment.changes).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd data-testid={`changes-${name}`}>{count(value)}</dd>
          </div>
        ))}
        {Object.entries(moment.messages).map(([name, value]) => (
          <div key={name}>
            <dt>messages {name}</dt>
            <dd data-testid={`messages-${name}`}>{count(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

const shownEvents = 14

function Events({ recording, moment, picked }: { recording: Recording; moment: Moment; picked: Target }) {
  const who = picked < 0 ? 'hub' : moment.replicas[picked]?.name
  const shown: { atMs: number; text: string }[] = []
  for (let i = moment.events - 1; i >= 0 && shown.length < shownEvents; i--) {
    const event = recording.events[i]
    if (event.who === who || (event.who === 'network' && new RegExp(`\\b${who}\\b`).test(event.text)))
      shown.push(event)
  }
  return (
    <section class="card events" aria-labelledby="events-title">
      <h2 id="events-title">What {who ?? 'it'} did last</h2>
      <ol data-testid="events">
        {shown.map((event, i) => (
          <li key={`${event.atMs} ${i}`}>
            <time>{seconds(event.atMs)}</time> {event.text}
          </li>
        ))}
      </ol>
    </section>
  )
}

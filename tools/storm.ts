/**
 * The register storm of `bench`, alone and quickly: how long an update takes end to end and how many bytes of heap it leaves behind,
 * for the peers named, interleaved; with `--profile`, where the time of the first goes. The bench itself is `npm run bench`; this is for
 * whoever changes the engine and wants an answer in a minute.
 *
 *   npm run bench -- --quick --only sync        # once: installs the peers and compiles
 *   npm run storm -- atomik colyseus json-joy --rounds 5
 *   npm run storm -- atomik --profile
 *
 * Method: every run is a process of its own, as in the bench, and times what the bench times. Bytes are those the sampling heap
 * profiler of V8 saw allocated after 600,000 updates, collected or not.
 */
import { execFileSync } from 'node:child_process'
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

interface Storm {
  write(register: number, w: number): number
  finish(): number
}
interface Peer {
  readonly forms: { readonly bytes: boolean; readonly texts: boolean }
  storm(writes: Writes): Storm
}
interface Writes {
  readonly count: number
  readonly targets: Int32Array
}

const built = (path: string) => new URL(`../bench/dist/sync/${path}`, import.meta.url).href
const here = fileURLToPath(import.meta.url)
const updates = 200_000

/** A storm that has been going on for a while, and how to go on with it. */
async function warm(name: string): Promise<() => void> {
  const { importPeer } = (await import(built('peers.js'))) as { importPeer(name: string): Promise<Peer> }
  const { makeWrites } = (await import(built('work.js'))) as {
    makeWrites(registers: number, count: number, seed: number, forms: Peer['forms']): Writes
  }
  const peer = await importPeer(name)
  const writes = makeWrites(1000, updates, 1, peer.forms)
  const storm = peer.storm(writes)
  const pass = () => {
    for (let w = 0; w < writes.count; w++) storm.write(writes.targets[w], w)
  }
  for (let i = 0; i < 3; i++) pass()
  return pass
}

interface Site {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly selfSize: number
  readonly children: readonly Site[]
}

/** Bytes allocated an update, and the places that allocate most. */
async function allocation(name: string): Promise<void> {
  const pass = await warm(name)
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 512,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  pass()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  const sites = new Map<string, number>()
  /** Built-in functions belong to who calls them. */
  let inEngine = 0
  const walk = (
    { callFrame: { functionName, url, lineNumber }, selfSize, children }: Site,
    owner: string,
  ) => {
    const by = url === '' ? owner : url
    const site = `${functionName} ${url.split('/').at(-1)}:${lineNumber + 1}`
    sites.set(site, (sites.get(site) ?? 0) + selfSize)
    if (by.includes('/packages/atomik/')) inEngine += selfSize
    for (const child of children) walk(child, by)
  }
  walk(profile.head as Site, '')
  const most = [...sites].sort((a, b) => b[1] - a[1])
  const sum = most.reduce((total, [, bytes]) => total + bytes, 0)
  const share = name.startsWith('atomik')
    ? `, ${(inEngine / updates).toFixed(1)} of them in the engine, the rest in who calls it`
    : ''
  console.log(`${name}: ${(sum / updates).toFixed(1)} bytes of heap an update${share}`)
  for (const [site, bytes] of most.slice(0, 8)) console.log(`  ${(bytes / updates).toFixed(1)} in ${site}`)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    profile: { type: 'boolean', default: false },
    allocation: { type: 'string' },
  },
})
const names = positionals.length > 0 ? positionals : ['atomik']
if (options.allocation !== undefined) {
  await allocation(options.allocation)
} else {
  const times = new Map<string, { cpu: number[]; rate: number[] }>(
    names.map(name => [name, { cpu: [], rate: [] }]),
  )
  const worker = fileURLToPath(built('worker.js'))
  for (let round = 0; round < Number(options.rounds); round++)
    for (const name of names) {
      const printed = execFileSync(process.execPath, ['--expose-gc', worker, name, 'storm'], {
        encoding: 'utf8',
      })
      const { updatesPerSecond, cpuMicros } = JSON.parse(printed.trim())
      times.get(name)?.cpu.push(cpuMicros)
      times.get(name)?.rate.push(updatesPerSecond)
    }
  const base = median(times.get(names[0])?.cpu ?? [])
  for (const [name, { cpu, rate }] of times)
    console.log(
      `${name}: ${Math.round(median(rate)).toLocaleString('en')} updates a second, ` +
        `${median(cpu).toFixed(2)} us of CPU an update (${Math.min(...cpu).toFixed(2)} to ${Math.max(...cpu).toFixed(2)}), ` +
        `${(median(cpu) / base).toFixed(2)} times that of ${names[0]}`,
    )
  const spawned = ['--import', 'tsx', here, '--allocation', names[0]]
  const profiled = options.profile
    ? ['--cpu-prof', '--cpu-prof-name', 'storm.cpuprofile', ...spawned]
    : spawned
  execFileSync(process.execPath, profiled, { stdio: 'inherit' })
  if (options.profile)
    console.log('the profile is in storm.cpuprofile: open it in the browser’s developer tools')
}

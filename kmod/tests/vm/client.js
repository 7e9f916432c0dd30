// The TypeScript client in the booted machine: the vectors by DeviceTable, a ring, refusals, and `atomik waste`
// end to end on a cgroup that is known to copy. Bundled by esbuild; prints claims as the C programs do.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { DeviceTable, deviceAvailable, waste } from '../../../packages/device/src/index.ts'

let passed = 0
let failed = 0
const claim = (holds, what) => {
  holds ? passed++ : failed++
  console.log(`${holds ? '  ok  ' : '  FAIL'} ${what}`)
}
const codeOf = action => {
  try {
    action()
    return 'nothing'
  } catch (error) {
    return error.code
  }
}
const run = async (...argv) => {
  const out = []
  const code = await waste(argv, { out: text => out.push(text), err: text => out.push(text) })
  return { code, text: out.join('') }
}

claim(deviceAvailable(), 'the device is there')

const cases = readdirSync('/vectors').flatMap(file => JSON.parse(readFileSync(`/vectors/${file}`, 'utf8')).cases)
let steps = 0
const wrong = []
for (const { name, lane, width, contexts, steps: list } of cases.filter(one => one.lane !== 'max')) {
  const table = DeviceTable.create(contexts, { lane, width })
  for (const { op, address, value, expect } of list) {
    const got =
      op === 'read'
        ? table.read(address)
        : op === 'swap'
          ? table.swap(address, value === null ? undefined : BigInt(value))
          : table[op](address, BigInt(value))
    steps++
    if (expect !== undefined && got !== BigInt(expect)) wrong.push(`${name} ${op} ${address}: ${got}`)
  }
  table.close()
}
claim(wrong.length === 0 && steps > 100, `${steps} steps of the vectors by DeviceTable ${wrong.slice(0, 3)}`)

const n = 100_000
const counters = DeviceTable.create(1000, { lane: 'add', name: 'node' })
const addresses = Uint32Array.from({ length: n }, (_, i) => (i * 7) % 1000)
const deltas = BigUint64Array.from({ length: n }, (_, i) => BigInt(i))
const start = performance.now()
counters.accumAll(addresses, deltas)
const seconds = (performance.now() - start) / 1000
const sums = Array(1000).fill(0n)
addresses.forEach((address, i) => (sums[address] += deltas[i]))
const other = DeviceTable.attach('node', { readonly: true })
claim(
  sums.every((sum, i) => other.read(i) === sum),
  `${n} deltas by ring, read by another attachment (${Math.round(n / seconds)} /s from Node, measured under TCG)`,
)
claim(codeOf(() => other.accum(0, 1n)) === 'EACCES', 'a read-only attachment refuses ACCUM')
claim(codeOf(() => counters.read(1000)) === 'ERANGE', 'address 1,000 of 1,000')
claim(codeOf(() => counters.accum(0, 1n << 64n)) === 'value', 'a delta of 65 bits')
claim(codeOf(() => counters.accumAll(Uint32Array.of(1, 5000), BigUint64Array.of(1n, 1n))) === 'refused', 'a refused delta in a ring')
claim(codeOf(() => DeviceTable.attach('nobody')) === 'ENOENT', 'a name nobody made')
claim(codeOf(() => DeviceTable.create(1, { lane: 'max' })) === 'value', 'the lane max')
counters.close()
other.close()
claim(codeOf(() => counters.read(0)) === 'closed', 'a closed table')

claim((await run('--start', '--every=1')).code === 0, 'waste --start')
claim((await run('--start')).code === 1, 'waste --start twice is refused')
mkdirSync('/sys/fs/cgroup/shop')
execFileSync('/bin/busybox', [
  'sh',
  '-c',
  'echo 0 > /sys/fs/cgroup/shop/cgroup.procs; for i in 1 2 3 4 5; do (x=$i; :); done',
])
const json = await run('--json')
const shop = JSON.parse(json.text).cgroups.find(one => one.name === '/shop')
claim(shop?.copies > 0 && shop.looked > 0, `waste --json names /shop, with ${shop?.copies} copies`)
const table = await run()
claim(/\/shop/.test(table.text) && /one copy in 1 /.test(table.text), 'waste prints its table')
console.log(table.text)
const stop = new AbortController()
const said = []
const serving = waste(['--prometheus=0'], { out: text => said.push(text), err: () => {}, signal: stop.signal })
while (said.length === 0) await new Promise(resolve => setTimeout(resolve, 10))
const metrics = await (await fetch(said.join('').split(',')[0])).text()
claim(/atomik_waste_cow_copies_total\{cgroup="\/shop"/.test(metrics), 'waste --prometheus serves it')
stop.abort()
await serving
claim((await run('--reset')).code === 0 && (await run('--stop')).code === 0, 'waste --reset, --stop')
const user = await run('--user', String(process.pid), '--json', '--interval=100')
const [self] = JSON.parse(user.text)
claim(self.writtenPages > 0 && self.writtenPages < self.presentPages, `waste --user: ${self.writtenPages} of ${self.presentPages} pages written in 100 ms`)
console.log(`client: ${passed} passed, ${failed} failed`)
process.exitCode = failed ? 1 : 0

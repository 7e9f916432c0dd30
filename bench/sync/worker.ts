/** One workload of one peer, once, in a process of its own: neither compiled code nor heap is shared. Prints the outcome as JSON. */
import { importPeer } from './peers.ts'
import type { Workload } from './star.ts'
import { workloads } from './workloads.ts'

const [name, workload, quick] = process.argv.slice(2)
const peer = await importPeer(name)
const outcome = await workloads[workload as Workload](peer, { quick: quick === 'quick' })
process.stdout.write(`${JSON.stringify(outcome)}\n`)
process.exit(0)

/**
 * The clients, in a process of their own: `writers` of them write, all of them read. Change k of a writer puts k into one of its 256
 * registers in turn, so that no change hides another, and arrives at a reader when the reader sees it.
 *
 *   flood   every writer has at most 100 changes on their way to the last reader; as fast as that allows
 *   paced   so many changes a second in all: latencies
 */
import { clients } from './clients.ts'
import { registersEach, type System } from './systems.ts'

export interface Job {
  readonly system: System
  readonly port: number
  readonly clients: number
  readonly writers: number
  readonly changes: number
  /** Changes a second in all; 0: as many as go. */
  readonly rate: number
}

export interface Report {
  readonly seconds: number
  /** Milliseconds from the call to the last reader, and to the durable acknowledgement; empty where there is none. */
  readonly lastReaderMs: number[]
  readonly ackMs: number[]
  readonly bytesReceived: number
}

const windowMax = 100
// Some clients listen for the end of the process, each for itself.
process.setMaxListeners(0)

async function run(job: Job): Promise<Report> {
  const seen = Array.from({ length: job.clients }, () => new Int32Array(job.writers))
  const each = job.changes / job.writers
  const sentAt = Array.from({ length: job.writers }, () => new Float64Array(each + 1))
  const missing = Array.from({ length: job.writers }, () => new Int32Array(each + 1).fill(job.clients))
  const arrived = new Int32Array(job.writers)
  const lastReaderMs: number[] = []
  const ackMs: number[] = []
  let done = () => {}
  const finished = new Promise<void>(resolve => {
    done = resolve
  })
  const register = (writer: number, k: number) => writer * registersEach + (k % registersEach)
  const all = await Promise.all(
    Array.from({ length: job.clients }, (_, reader) => {
      const look = () => {
        const client = all?.[reader]
        if (client === undefined) return
        const mine = seen[reader]
        for (let w = 0; w < job.writers; w++)
          while (mine[w] < each && client.value(register(w, mine[w] + 1)) === mine[w] + 1) {
            const k = ++mine[w]
            if (--missing[w][k] > 0) continue
            arrived[w]++
            lastReaderMs.push(performance.now() - sentAt[w][k])
            if (lastReaderMs.length === job.changes) done()
          }
      }
      return clients[job.system](job.port, look)
    }),
  )
  const bytesBefore = all.reduce((sum, client) => sum + client.bytesReceived(), 0)
  process.send?.('go')
  // The parent has read the server's usage.
  await new Promise(resolve => process.once('message', resolve))

  const sent = new Int32Array(job.writers)
  const write = (w: number) => {
    const k = ++sent[w]
    sentAt[w][k] = performance.now()
    const client = all[w]
    client.write(register(w, k), k)
    if (job.rate > 0 && client.synced !== undefined)
      void client.synced().then(() => ackMs.push(performance.now() - sentAt[w][k]))
  }
  const startedAt = performance.now()
  let isOver = false
  const turn = () => {
    if (isOver) return
    for (let w = 0; w < job.writers; w++) {
      const due =
        job.rate === 0
          ? each
          : Math.min(each, ((performance.now() - startedAt) / 1000) * (job.rate / job.writers))
      while (sent[w] < due && sent[w] < each && sent[w] - arrived[w] < windowMax) write(w)
    }
    if (job.rate === 0) setImmediate(turn)
    else setTimeout(turn, 1)
  }
  turn()
  await finished
  const seconds = (performance.now() - startedAt) / 1000
  isOver = true
  await Promise.all(all.slice(0, job.writers).map(client => client.synced?.()))
  const bytesReceived = all.reduce((sum, client) => sum + client.bytesReceived(), 0) - bytesBefore
  return { seconds, lastReaderMs, ackMs, bytesReceived }
}

const report = await run(JSON.parse(process.argv[2]))
process.send?.(report, () => process.exit(0))

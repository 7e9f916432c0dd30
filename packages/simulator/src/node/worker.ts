/** A thread that runs simulations: seeds come in, outcomes go out. */
import { parentPort } from 'node:worker_threads'
import { Simulation } from '../simulation.ts'

parentPort?.on('message', ({ from, count }: { from: number; count: number }) => {
  const outcomes = []
  for (let seed = from; seed < from + count; seed++) outcomes.push(new Simulation({ seed }).run())
  parentPort?.postMessage(outcomes)
})

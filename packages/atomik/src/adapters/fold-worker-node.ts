/** The file a fold worker runs; `startFoldThreads` starts it. */
import { parentPort, workerData } from 'node:worker_threads'
import { type FoldWorkerStart, runFoldWorker } from '../blocks/index.ts'

parentPort?.postMessage('up')
runFoldWorker(workerData as FoldWorkerStart)

/** Bulk operations on blocks of words: plain JavaScript and WebAssembly, never different. No I/O, no clock; threads are handed in. */
export { encodedBytesMax, type Implementation, implementations, type Kernels, pageWords } from './kernels.ts'
export { Block, BlockMemory, type BlockMemoryOptions } from './memory.ts'
export { BlockState } from './state.ts'
export { FoldThreads, type FoldWorkerStart, runFoldWorker } from './threads.ts'
export { type FlatMemory, runs } from './webassembly.ts'

/** Simulations in bulk: threads, injected bugs, and reports for people. Node only. */
export { type Bug, bugs } from './bugs.ts'
export { bundleWith, patched } from './bundle.ts'
export { type Detection, formatDetections, hunt } from './hunt.ts'
export { type PoolOptions, runSeeds } from './pool.ts'

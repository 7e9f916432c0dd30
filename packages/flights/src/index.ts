/** The main job as a library: the command line runs it, the page watches it. */
export { type FaultLevel, faultLevels } from './link.ts'
export { Replay, type ReplayEvents, type ReplayFigures, type ReplayOptions } from './replay.ts'

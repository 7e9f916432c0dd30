/** The main job as a library: the command line runs it, the page watches it. */
export { BadLink, type FaultLevel, type Faults, faultLevels } from './link.ts'
export { Replay, type ReplayEvents, type ReplayFigures, type ReplayOptions } from './replay.ts'

/** The algebra: lanes, contexts and tables, deltas, fingerprints. No I/O, no clock, no bytes. */
export { Delta, TableDelta } from './delta.ts'
export { Fingerprint } from './fingerprint.ts'
export { hasInverse, type Lane, lanes } from './lane.ts'
export { fitsBits, foldGroup, foldRow, invertRow, type RowLayout, releaseGroup, WordKind } from './layout.ts'
export { formatHalves, Mixer } from './mix.ts'
export { AtomikContext, AtomikTable, type ContextOptions } from './table.ts'

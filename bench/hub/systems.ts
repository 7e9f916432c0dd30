/** What servers and clients of the hub section agree on. */
export type System = 'ws' | 'ws-batched' | 'atomik' | 'yjs' | 'colyseus'
/** Registers in all. */
export const registersMax = 1024
/** Registers of one writer. */
export const registersEach = 256

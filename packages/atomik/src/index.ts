/** `atomik`: delta-state computing for browser and Node. The front door; the rooms have entries of their own. */
export {
  AtomikContext,
  AtomikTable,
  type ContextOptions,
  Fingerprint,
  hasInverse,
  type Lane,
  lanes,
} from './algebra/index.ts'
export * from './client/index.ts'
export { AtomikError, type ErrorCode } from './errors.ts'
export { limits } from './limits.ts'
export * from './schema/index.ts'

/**
 * The bulk kernels in AssemblyScript, compiled twice from this one source: with 128-bit vectors and without
 * (`ASC_FEATURE_SIMD`). `build.ts` writes both modules into src/blocks/modules.ts; a test rebuilds and compares.
 *
 * All arguments are byte offsets into the one imported memory, or counts of 64-bit words. Callers have checked every range:
 * nothing here looks at a length twice. No static data, no allocation, no globals, so threads may share a memory.
 */
export { buildJumps, digest, digestWord } from './digest'
export { fold } from './fold'
export { scatter, scatterPartitioned } from './scatter'
export { apply, encode } from './sparse'
export { addInto, equal, popcount, swap, swapPages, xorInto, xorInto4, xorOut } from './words'

/** Writes all of spec/vectors/*.json that this library generates: `npx tsx tools/vectors.ts`. Tests compare with a fresh run. */
import { writeFileSync } from 'node:fs'
import { formatCodec } from '../spec/vectors/generate-codec.ts'
import { formatDigest } from '../spec/vectors/generate-digest.ts'
import { formatFrames } from '../spec/vectors/generate-frames.ts'
import { formatCases, operationCases } from '../spec/vectors/generate-operations.ts'
import { formatRefused } from '../spec/vectors/generate-refused.ts'
import { formatSparse } from '../spec/vectors/generate-sparse.ts'

const files = {
  'operations.json': formatCases(operationCases()),
  'codec.json': formatCodec(),
  'frames.json': formatFrames(),
  'refused.json': formatRefused(),
  'digest.json': formatDigest(),
  'sparse.json': formatSparse(),
}
for (const [name, text] of Object.entries(files)) {
  writeFileSync(new URL(`../spec/vectors/${name}`, import.meta.url), text)
  console.log(`${name}: ${text.length} bytes`)
}

/** Writes spec/vectors/operations.json: `npm run vectors`. A test compares the file with a fresh run. */
import { writeFileSync } from 'node:fs'
import { formatCases, operationCases } from '../spec/vectors/generate-operations.ts'

writeFileSync(new URL('../spec/vectors/operations.json', import.meta.url), formatCases(operationCases()))

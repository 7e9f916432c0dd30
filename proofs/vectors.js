// Takes what Coq printed (out/*.out) to spec/vectors/operations-proofs.json and codec-proofs.json, and fails when a committed
// file differs. Usage: node vectors.js [--write]
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const room = fileURLToPath(new URL('.', import.meta.url))
const target = fileURLToPath(new URL('../spec/vectors/', import.meta.url))

/** The JSON values in a printed list of Coq strings, where a quote is written twice. */
function printed(name) {
  const text = readFileSync(`${room}out/${name}.out`, 'utf8')
  const values = [...text.matchAll(/"((?:[^"]|"")*)"/g)].map(match => match[1].replaceAll('""', '"'))
  for (const value of values) JSON.parse(value)
  if (values.length === 0) throw new Error(`out/${name}.out holds no vectors`)
  return values
}

const lines = values => `[\n${values.map(value => `    ${value}`).join(',\n')}\n  ]`
const codec = ['varints', 'words', 'deltas', 'refused']
const files = {
  'operations-proofs.json': `{ "version": 1,\n  "cases": ${lines(printed('operations'))} }\n`,
  'codec-proofs.json': `{ "version": 1,\n${codec.map(name => `  "${name}": ${lines(printed(name))}`).join(',\n')} }\n`,
}
let failed = 0
for (const [name, text] of Object.entries(files)) {
  JSON.parse(text)
  const old = existsSync(target + name) ? readFileSync(target + name, 'utf8') : undefined
  if (process.argv.includes('--write')) {
    writeFileSync(target + name, text)
    console.log(`vectors: wrote spec/vectors/${name}`)
  } else if (old === undefined || old !== text) {
    console.error(
      `proofs: spec/vectors/${name} is not what the model computes; look, then: node proofs/vectors.js --write`,
    )
    failed++
  } else console.log(`vectors: spec/vectors/${name} is what the model computes (${text.length} bytes)`)
}
process.exit(failed > 0 ? 1 : 0)

// Checks that the theorems say something and rest on nothing: counts them, lints their statements, prints their
// assumptions. A statement that reflexivity or a bare hypothesis proves, a statement made twice, an axiom, an
// `Admitted`: each fails. Usage: node check.js, after the theories are built.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const room = fileURLToPath(new URL('.', import.meta.url))
const theoremsMin = 120
const failures = []

const files = readdirSync(`${room}theories`).filter(name => name.endsWith('.v'))
const theorems = []
let lemmas = 0
for (const file of files) {
  const text = readFileSync(`${room}theories/${file}`, 'utf8')
  const code = text.replace(/\(\*[\s\S]*?\*\)/g, '')
  for (const word of [
    'Admitted',
    'admit',
    'Axiom',
    'Axioms',
    'Parameter',
    'Parameters',
    'Conjecture',
    'Abort',
    'Unset Guard',
  ])
    if (new RegExp(`\\b${word}\\b`).test(code)) failures.push(`${file}: ${word}`)
  for (const match of code.matchAll(/^\s*Theorem\s+(\w+)/gm))
    theorems.push(`ATOMiK.${file.slice(0, -2)}.${match[1]}`)
  lemmas += [...code.matchAll(/^\s*Lemma\s+(\w+)/gm)].length
}

const header = `From mathcomp Require Import all_ssreflect.\n${files.map(f => `From ATOMiK Require ${f.slice(0, -2)}.\n`).join('')}`
const trivially = 'solve [intros; repeat split; first [reflexivity | assumption]]'
const lint = theorems.map(
  name => `Goal ltac:(let t := type of @${name} in exact t).
Proof. match goal with |- ?t => idtac "@statement ${name}" t end.
tryif (timeout 10 ${trivially}) then idtac "@trivial ${name}" else idtac "@sound ${name}". Abort.\n`,
)
const assumptions = theorems.map(name => `Print Assumptions ${name}.\n`)

function coq(name, text) {
  mkdirSync(`${room}out`, { recursive: true })
  writeFileSync(`${room}out/${name}.v`, text)
  try {
    const options = { cwd: room, encoding: 'utf8', maxBuffer: 2 ** 27, stdio: ['ignore', 'pipe', 'pipe'] }
    return execFileSync('coqc', ['-Q', 'theories', 'ATOMiK', '-w', 'none', `out/${name}.v`], options)
  } catch (error) {
    console.error(`proofs: ${name}: coqc failed\n${error.stdout}${error.stderr}`)
    process.exit(1)
  }
}

const linted = coq(
  'lint',
  `${header}Set Printing Width 100000.\nSet Printing Depth 100000.\n${lint.join('')}`,
)
const sound = [...linted.matchAll(/^@sound (\S+)/gm)].length
for (const [, name] of linted.matchAll(/^@trivial (\S+)/gm)) failures.push(`${name}: reflexivity proves it`)
const seen = new Map()
for (const [, name, statement] of linted.matchAll(/^@statement (\S+) (.*)$/gm)) {
  const twin = seen.get(statement)
  if (twin !== undefined) failures.push(`${name}: says the same as ${twin}`)
  seen.set(statement, name)
}
if (sound + failures.filter(f => f.endsWith('proves it')).length !== theorems.length)
  failures.push(`the lint saw ${sound} of ${theorems.length} theorems`)

const printed = coq('assumptions', `${header}${assumptions.join('')}`)
const closed = printed.split('\n').filter(line => line === 'Closed under the global context').length
if (closed !== theorems.length)
  failures.push(
    `only ${closed} of ${theorems.length} theorems rest on nothing:\n${printed.replace(/Closed under the global context\n/g, '')}`,
  )

if (theorems.length < theoremsMin) failures.push(`${theorems.length} theorems, wanted ${theoremsMin}`)
for (const failure of failures) console.error(`proofs: ${failure}`)
console.log(
  `theorems: ${theorems.length} (and ${lemmas} lemmas, not counted), ${closed} closed under the global context, ${sound} past the lint`,
)
process.exit(failures.length > 0 ? 1 : 0)

/**
 * Holds the layering: imports go downward only, and across rooms only through a room's index. `npm run check` runs it.
 *
 * Inside packages/atomik a room may import the rooms named for it here; packages may import the packages named for them.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const rooms = {
  algebra: [],
  blocks: [],
  wire: ['algebra'],
  schema: ['algebra', 'wire'],
  engine: ['algebra', 'wire', 'schema'],
  adapters: ['blocks', 'engine', 'wire'],
  client: ['adapters', 'engine', 'schema', 'wire'],
  store: ['client', 'schema'],
  react: ['client', 'schema', 'store'],
}
const packages = {
  atomik: [],
  device: ['atomik'],
  hub: ['atomik'],
  flights: ['hub', 'atomik'],
  simulator: ['atomik'],
  console: ['flights', 'hub', 'simulator', 'atomik'],
  cli: ['device', 'flights', 'hub', 'simulator', 'atomik'],
}
/** Files every room of the library may use. */
const ground = ['errors.ts', 'limits.ts']

const problems = []

function* sources(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (name === 'node_modules' || name === 'dist') continue
    if (statSync(path).isDirectory()) yield* sources(path)
    else if (/\.tsx?$/.test(name)) yield path
  }
}

const imported = text =>
  [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]/g),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
  ].map(match => match[1])

for (const [name, allowed] of Object.entries(packages)) {
  const folder = join(root, 'packages', name, 'src')
  let files
  try {
    files = [...sources(folder)]
  } catch {
    continue // a package that is not there yet
  }
  for (const file of files) {
    const where = relative(root, file)
    const isTest = /\.(test|contract)\.tsx?$/.test(file)
    for (const target of imported(readFileSync(file, 'utf8'))) {
      const other = /^(?:@atomik\/)?(atomik|device|hub|flights|simulator|console|cli)(?:\/|$)/.exec(
        target,
      )?.[1]
      if (other !== undefined && other !== name && !allowed.includes(other) && !isTest)
        problems.push(
          `${where}: package ${name} may not import ${other}; it may import ${allowed.join(', ') || 'none'}`,
        )
      if (name === 'atomik' && target.startsWith('.')) checkRoom(file, where, target, isTest)
    }
  }
}

function checkRoom(file, where, target, isTest) {
  const base = join(root, 'packages', 'atomik', 'src')
  const room = relative(base, dirname(file)).split(sep)[0]
  const path = relative(base, join(dirname(file), target)).split(sep)
  if (path[0] === '..') {
    if (!isTest) problems.push(`${where}: ${target} leaves the package`)
    return
  }
  if (room === '' || path[0] === room || (path.length === 1 && ground.includes(path[0])) || isTest) return
  if (!rooms[room].includes(path[0]))
    problems.push(
      `${where}: ${room} may not import ${path[0]}; it may import ${rooms[room].join(', ') || 'none'}`,
    )
  else if (path[1] !== 'index.ts')
    problems.push(`${where}: import ${path[0]} through its index.ts, not ${path.slice(1).join('/')}`)
}

if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.log('layers: imports go downward only')

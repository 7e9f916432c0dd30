/**
 * `npm run bench`: makes sure that the peers are installed and everything is compiled, then starts dist/main.js with the same
 * arguments. Measured code runs as plain JavaScript of the compiler, ours and the harness alike: no loader rewrites it.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['inherit', 2, 2] })
  if (status !== 0) {
    console.error(`bench: ${command} ${args.join(' ')} failed in ${cwd}`)
    process.exit(1)
  }
}

/** What npm wrote when it last installed here, against what is locked. */
function isInstalled() {
  try {
    const locked = JSON.parse(readFileSync(join(here, 'package-lock.json'), 'utf8')).packages
    const there = JSON.parse(readFileSync(join(here, 'node_modules', '.package-lock.json'), 'utf8')).packages
    return Object.entries(locked).every(
      ([path, { version, optional }]) => path === '' || optional || there[path]?.version === version,
    )
  } catch {
    return false
  }
}

if (!isInstalled()) {
  console.error('bench: installing the peers, once (about 200 MB) …')
  // Colyseus names Node 22 and runs on 20; started by npm, this npm would take over that ours asks to be strict.
  run('npm', ['ci', '--no-audit', '--no-fund', '--engine-strict=false'], here)
}
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
run(process.execPath, [tsc, '-b'], root)
run(process.execPath, [tsc, '-p', here], root)
// --expose-gc: memory is read after a collection.
const { status } = spawnSync(
  process.execPath,
  ['--expose-gc', join(here, 'dist', 'main.js'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
process.exit(status ?? 1)

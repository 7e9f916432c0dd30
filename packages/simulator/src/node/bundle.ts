/**
 * Bundles a worker from the sources of engine and simulator, with a bug injected. Needs the repository: sources beside the
 * built packages, and esbuild.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AtomikError } from 'atomik'
import type { Bug } from './bugs.ts'

const packages = fileURLToPath(new URL('../../../', import.meta.url))
const library = join(packages, 'atomik', 'src')
const entry = join(packages, 'simulator', 'src', 'node', 'worker.ts')

/** The source of a file of the library as the bug has it. @throws AtomikError `range` when a patch does not fit */
export function patched(bug: Bug, file: string): string {
  let text = readFileSync(join(library, file), 'utf8')
  for (const edit of bug.edits) {
    if (edit.file !== file) continue
    const found = text.split(edit.find).length - 1
    if (found !== 1)
      throw new AtomikError(
        'range',
        `bug ${bug.name}: its text is ${found} times in ${file}, expected once: ${JSON.stringify(edit.find)}`,
      )
    text = text.replace(edit.find, () => edit.replace)
  }
  return text
}

/**
 * Code of a worker that runs simulations of the engine with this bug.
 * @throws AtomikError `storage` without the repository, `range` when a patch does not fit
 */
export async function bundleWith(bug: Bug): Promise<string> {
  if (!existsSync(entry) || !existsSync(library))
    throw new AtomikError('storage', 'injecting bugs needs the sources: run it in a clone of the repository')
  const files = new Map(bug.edits.map(({ file }) => [join(library, file), patched(bug, file)]))
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    plugins: [
      {
        name: 'inject',
        setup(builder) {
          builder.onResolve({ filter: /^atomik(\/|$)/ }, ({ path }) => ({
            // Of the front door only the error class is used here; the rest of it talks to platforms.
            path: path === 'atomik' ? join(library, 'errors.ts') : join(library, path.slice(7), 'index.ts'),
          }))
          builder.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const contents = files.get(path)
            return contents === undefined ? undefined : { contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  return outputFiles[0].text
}

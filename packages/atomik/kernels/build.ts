/**
 * Compiles the kernels with and without vectors and writes both modules as text. `npm run kernels` runs it; the test beside
 * the kernels runs it too and compares, so a module that does not come from this source cannot be committed.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const entry = fileURLToPath(new URL('index.ts', import.meta.url))
export const modulesFile = fileURLToPath(new URL('../src/blocks/modules.ts', import.meta.url))

async function compile(simd: boolean): Promise<Uint8Array> {
  let module: Uint8Array | undefined
  const { error, stderr } = await asc.main(
    [
      entry,
      ...['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--importMemory'],
      // Any memory fits: from nothing to all that 32 bits address.
      ...['--initialMemory', '0', '--maximumMemory', '65536', '--noExportMemory'],
      ...[simd ? '--enable' : '--disable', 'simd', '--outFile', 'module.wasm'],
    ],
    {
      writeFile: (name, contents) => {
        if (name === 'module.wasm') module = contents as Uint8Array
      },
    },
  )
  if (error !== null) throw new Error(`${error.message}\n${stderr.toString()}`)
  if (module === undefined) throw new Error('asc wrote no module')
  return module
}

/** Offset of the byte that says whether the imported memory is shared: 1 for not, 3 for shared. */
function memoryFlagsAt(module: Uint8Array): number {
  const name = [...'memory'].map(char => char.charCodeAt(0))
  for (let at = 0; at + 8 < module.length; at++)
    if (name.every((byte, i) => module[at + i] === byte) && module[at + 6] === 2 && module[at + 7] === 1)
      return at + 7
  throw new Error('the module imports no memory')
}

/** The text of src/blocks/modules.ts. */
export async function modulesText(): Promise<string> {
  const lines = [
    '/** Generated from kernels/ by `npm run kernels`; a test compares. WebAssembly modules in base64. */',
    '',
    'export interface EncodedModule {',
    '  readonly base64: string',
    '  /** Offset of the byte that makes the imported memory shared: 1 is not, 3 is. */',
    '  readonly memoryFlagsAt: number',
    '}',
    '',
  ]
  for (const [name, simd] of [
    ['simdModule', true],
    ['scalarModule', false],
  ] as const) {
    const module = await compile(simd)
    lines.push(
      `export const ${name}: EncodedModule = {`,
      '  base64:',
      `    '${Buffer.from(module).toString('base64')}',`,
      `  memoryFlagsAt: ${memoryFlagsAt(module)},`,
      '}',
      '',
    )
  }
  return lines.join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(modulesFile, await modulesText())

/**
 * Goal: what `import { connect, table, counter } from 'atomik'` brings into a page stays small. Method: bundled and minified by esbuild as a
 * page would, compressed by brotli at its best; MEASURE=1 prints which file takes how much.
 *
 * The budget is what it takes now, rounded up, and not what it should take: docs/decisions/0013-size.md says why.
 */
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'
import { type BuildOptions, build, type Metafile, transform } from 'esbuild'
import { describe, expect, it } from 'vitest'

const { MEASURE } = process.env
const coreBytesMax = 27_800

const options = (source: string) =>
  ({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  }) as const satisfies BuildOptions

/** Parts of the core, for what each takes. */
const parts: Readonly<Record<string, RegExp>> = {
  'algebra: lanes, deltas, layouts, fingerprints': /algebra\//,
  'schema: tables, fields, description': /schema\//,
  'wire: writing': /wire\/(encode|writer|stamp|shape)\.js/,
  'wire: reading, every canonical form checked': /wire\/(decode|reader|utf8)\.js/,
  'wire: frames': /wire\/(frames|stream|delta)\.js/,
  'engine: state machine of a replica': /engine\/(replica|session|messages|queue|clock|label|region)\.js/,
  'engine: outbox': /engine\/outbox\.js/,
  'engine: reference, rows and their names': /engine\/(reference|rows|row-numbers)\.js/,
  'engine: editor': /engine\/editor\.js/,
  'undo and redo': /engine\/undo\.js/,
  branches: /(engine|client)\/branch\.js/,
  'client: connection, status, events, storages': /client\/(client|connect|face|keeper)\.js|adapters\//,
  'client: handles and tables': /client\/(handles|tables)\.js/,
}
const writers =
  /engine\/(outbox|undo|editor|branch)\.js|client\/branch\.js|wire\/(encode|writer|stamp|shape)\.js/
const comforts = /(engine|client)\/branch\.js|engine\/undo\.js|client\/keeper\.js/

const brotli = (text: string | Uint8Array): number =>
  brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } })
    .length

/** What each part takes alone, and how much less the whole is without its text: the rest stays as it is. */
async function explain(source: string): Promise<void> {
  const { outputFiles } = await build({
    ...options(source),
    minify: false,
    minifyIdentifiers: true,
    minifySyntax: true,
  })
  // Without minified white space each file is headed by its path.
  const pieces = outputFiles[0].text.split(/^(?=\/\/ \S+\.js$)/m)
  const sizeOf = async (chosen: readonly string[]) =>
    brotli((await transform(chosen.join(''), { minifyWhitespace: true, treeShaking: false })).code)
  const isOf = (which: RegExp) => (piece: string) => which.test(piece.slice(0, piece.indexOf('\n')))
  const all = await sizeOf(pieces)
  for (const [what, which] of Object.entries({
    ...parts,
    'all that only writers need': writers,
    'branches, undo, storages': comforts,
  })) {
    const alone = await sizeOf(pieces.filter(isOf(which)))
    const rest = await sizeOf(pieces.filter(piece => !isOf(which)(piece)))
    console.log(`${what}: ${alone} B alone, ${all - rest} B of the ${all} B together`)
  }
}

async function bundle(source: string): Promise<{ bytes: number; outputs: Metafile['outputs'] }> {
  const { outputFiles, metafile } = await build({ ...options(source), metafile: true })
  return { bytes: brotli(outputFiles[0].contents), outputs: metafile.outputs }
}

const filesOf = (outputs: Metafile['outputs']) =>
  Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([file, { bytesInOutput }]) => ({ file: file.replace(/^.*packages\/atomik\//, ''), bytesInOutput }))
    .filter(({ bytesInOutput }) => bytesInOutput > 0)
    .sort((a, b) => b.bytesInOutput - a.bytesInOutput)

describe('the library in a page', () => {
  it(`takes at most ${coreBytesMax} bytes for connect, table and counter`, async () => {
    const core = `import { connect, counter, table } from 'atomik'; console.log(connect, counter, table)`
    const { bytes, outputs } = await bundle(core)
    const files = filesOf(outputs)
    if (MEASURE === '1') {
      console.log(`connect, table, counter: ${bytes} B brotli`)
      for (const { file, bytesInOutput } of files) console.log(String(bytesInOutput).padStart(7), file)
      await explain(core)
    }
    expect(bytes).toBeLessThan(coreBytesMax)
    // What is only for who asks for it.
    for (const { file } of files)
      expect(file).not.toMatch(
        /client\/region|mesh|description|storage-|engine\/space|replica-store|blocks\/|react|store\//,
      )
  })

  it('has its algebra alone for a tenth of that', async () => {
    const { bytes } = await bundle(`import { AtomikContext } from 'atomik'; console.log(AtomikContext)`)
    if (MEASURE === '1') console.log(`AtomikContext: ${bytes} B brotli`)
    expect(bytes).toBeLessThan(coreBytesMax / 10)
  })
})

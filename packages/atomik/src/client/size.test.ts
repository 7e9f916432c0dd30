/**
 * Goal: what `import { connect, table, counter } from 'atomik'` brings into a page stays small. Method: bundled and minified by esbuild as a
 * page would, compressed by brotli at its best; MEASURE=1 prints which file takes how much.
 *
 * The budget is what it takes now, rounded up, and not what it should take: docs/decisions/0013-size.md says why.
 */
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'
import { build, type Metafile } from 'esbuild'
import { describe, expect, it } from 'vitest'

const { MEASURE } = process.env
const coreBytesMax = 26_200

async function bundle(source: string): Promise<{ bytes: number; outputs: Metafile['outputs'] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  })
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
  return { bytes: brotliCompressSync(outputFiles[0].contents, options).length, outputs: metafile.outputs }
}

const filesOf = (outputs: Metafile['outputs']) =>
  Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([file, { bytesInOutput }]) => ({ file: file.replace(/^.*packages\/atomik\//, ''), bytesInOutput }))
    .filter(({ bytesInOutput }) => bytesInOutput > 0)
    .sort((a, b) => b.bytesInOutput - a.bytesInOutput)

describe('the library in a page', () => {
  it(`takes at most ${coreBytesMax} bytes for connect, table and counter`, async () => {
    const { bytes, outputs } = await bundle(
      `import { connect, counter, table } from 'atomik'; console.log(connect, counter, table)`,
    )
    const files = filesOf(outputs)
    if (MEASURE === '1') {
      console.log(`connect, table, counter: ${bytes} B brotli`)
      for (const { file, bytesInOutput } of files) console.log(String(bytesInOutput).padStart(7), file)
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

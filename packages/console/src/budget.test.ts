/**
 * Goal: the page opens quickly, whichever view it opens with. Method: the built files that a first visit fetches, by the build's own
 * manifest, each compressed as a server in front of a hub would.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { views } from './shell/route.ts'

const { MEASURE } = process.env
const firstLoadBytesMax = 150_000
const dist = fileURLToPath(new URL('../dist/', import.meta.url))

interface Chunk {
  readonly file: string
  readonly isEntry?: boolean
  readonly imports?: readonly string[]
  readonly css?: readonly string[]
}
const manifest: Readonly<Record<string, Chunk>> = JSON.parse(
  readFileSync(`${dist}assets/manifest.json`, 'utf8'),
)

/** A chunk, and what it cannot start without. */
function filesOf(name: string, files = new Set<string>()): Set<string> {
  const { file, imports = [], css = [] } = manifest[name]
  if (files.has(file)) return files
  for (const added of [file, ...css]) files.add(added)
  for (const next of imports) filesOf(next, files)
  return files
}

const sizeOf = (files: Iterable<string>, compress: (bytes: Uint8Array) => Uint8Array) =>
  [...files].reduce((sum, file) => sum + compress(readFileSync(dist + file)).length, 0)

const entry = Object.keys(manifest).find(name => manifest[name].isEntry === true) ?? ''

describe('the first load', () => {
  it.each(views)(`is under ${firstLoadBytesMax} bytes with the view %s`, view => {
    const source = Object.keys(manifest).find(name => name.includes(`/${view}/${view}-view.tsx`)) ?? ''
    const files = filesOf(source, filesOf(entry)).add('index.html')
    // The map of the states belongs to the flights.
    if (view === 'flights') for (const name in manifest) if (name.includes('map')) filesOf(name, files)
    expect(files.size).toBeGreaterThan(4)
    const gzip = sizeOf(files, bytes => gzipSync(bytes))
    if (MEASURE === '1')
      console.log(`${view}: ${gzip} B gzip, ${sizeOf(files, bytes => brotliCompressSync(bytes))} B brotli`)
    expect(gzip).toBeLessThan(firstLoadBytesMax)
  })

  it('of one view brings no other along', () => {
    const files = [...filesOf('src/algebra/algebra-view.tsx', filesOf(entry))]
    for (const other of views.filter(view => view !== 'algebra'))
      expect(files.filter(file => file.includes(`${other}-view`))).toEqual([])
  })
})

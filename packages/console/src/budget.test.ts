/** Goal: the page opens quickly. Method: the built files, compressed as a server in front of a hub would. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const sizes = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(({ name, parentPath }) => ({
    name,
    gzipBytes: gzipSync(readFileSync(`${parentPath}/${name}`)).length,
  }))
const total = (files: typeof sizes) => files.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0)
const isMap = ({ name }: { name: string }) => name.includes('map')

describe('the built page', () => {
  it('takes at most 150,000 bytes to open, the map of the states aside', () => {
    expect(sizes.length).toBeGreaterThan(2)
    expect(total(sizes.filter(file => !isMap(file)))).toBeLessThan(150_000)
  })

  it('takes at most 60,000 bytes for the map', () => {
    expect(sizes.filter(isMap)).toHaveLength(1)
    expect(total(sizes.filter(isMap))).toBeLessThan(60_000)
  })
})

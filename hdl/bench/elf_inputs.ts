// What `--elf` is given that it cannot run: each must end with one line and exit code 2, whatever is wrong with the file; and
// no truncation or changed byte of a good file may do anything but run or be refused.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ElfError, readElf } from '../iss/elf.ts'
import { loadElf } from '../iss/memory.ts'
import { outFolder, ROOM, run } from './process.ts'
import { buildMachine, elfPath } from './programs.ts'
import { Draw } from './random_programs.ts'

type Change = (file: Uint8Array, view: DataView) => Uint8Array | undefined

/** What is done to a program that passes, and what the one line must say. */
const CHANGES: [string, RegExp, Change][] = [
  ['empty', /not an ELF file: 0 bytes/, () => new Uint8Array()],
  ['text', /not an ELF file/, () => new TextEncoder().encode('#!/bin/sh\n'.repeat(20))],
  ['32-bit', /32-bit/, file => void (file[4] = 1)],
  ['big-endian', /big-endian/, file => void (file[5] = 2)],
  ['x86-64', /machine 62/, (_, view) => view.setUint16(18, 62, true) as undefined],
  ['object-file', /type 1/, (_, view) => view.setUint16(16, 1, true) as undefined],
  ['no-segment', /nothing to load/, (_, view) => view.setUint16(56, 0, true) as undefined],
  ['truncated', /outside the file/, file => file.slice(0, file.length >> 1)],
  ['below-ram', /outside the RAM/, (_, view) => eachLoad(view, at => view.setBigUint64(at + 24, 0x1000n, true))],
  ['huge-in-memory', /outside the RAM/, (_, view) => eachLoad(view, at => view.setBigUint64(at + 40, 1n << 40n, true))],
  ['entry-outside', /entry point/, (_, view) => view.setBigUint64(24, 0x4000n, true) as undefined],
  ['entry-odd', /multiple of 4/, (_, view) => view.setBigUint64(24, view.getBigUint64(24, true) + 2n, true) as undefined],
  ['no-tohost', /neither a symbol/, (_, view) => view.setUint16(60, 0, true) as undefined],
]

function eachLoad(view: DataView, change: (at: number) => void): undefined {
  const first = Number(view.getBigUint64(32, true))
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = first + 56 * i
    if (view.getUint32(at, true) === 1) change(at)
  }
}

/** null when every wrong file is refused as it should be */
export function runWrongInputs(): { count: number; why: string | null } {
  buildMachine('reports')
  const good = readFileSync(elfPath('machine-reports'))
  const folder = outFolder('wrong')
  const files: [string, string, RegExp][] = CHANGES.map(([name, says, change]) => {
    const file = new Uint8Array(good)
    const path = join(folder, `${name}.elf`)
    writeFileSync(path, change(file, new DataView(file.buffer)) ?? file)
    return [name, path, says]
  })
  files.push(['missing', join(folder, 'missing.elf'), /no such file/], ['folder', folder, /not a file/])
  const huge = join(folder, 'huge.elf')
  writeFileSync(huge, '')
  run('truncate', ['-s', '3G', huge]) // sparse: it takes no disk
  files.push(['huge', huge, /at most/])
  for (const [name, path, says] of files) {
    const { status, output } = run(join(ROOM, 'node_modules', '.bin', 'tsx'), [join(ROOM, 'main.ts'), '--elf', path])
    const lines = output.trim().split('\n')
    if (status !== 2 || lines.length !== 1 || !says.test(output))
      return { count: files.length, why: `${name}: exit code ${status}, ${JSON.stringify(output.slice(0, 200))}` }
  }
  return { count: files.length, why: null }
}

/** Every truncation and `seeds` changed copies of a good file: refused with an ElfError, or a program that loads. */
export function runDamagedInputs(seeds: number): string | null {
  buildMachine('reports')
  const good = new Uint8Array(readFileSync(elfPath('machine-reports')))
  const attempt = (file: Uint8Array): string | null => {
    try {
      loadElf(readElf(file))
      return null
    } catch (error) {
      return error instanceof ElfError ? null : String(error)
    }
  }
  for (let bytes = 0; bytes < good.length; bytes += bytes < 512 ? 1 : 61) {
    const why = attempt(good.slice(0, bytes))
    if (why) return `cut to ${bytes} bytes: ${why}`
  }
  for (let seed = 1; seed <= seeds; seed++) {
    const draw = new Draw(seed * 7919)
    const file = new Uint8Array(good)
    // headers are at both ends of the file
    const from = seed & 1 ? 0 : Math.max(0, file.length - 1024)
    for (let n = 1 + draw.below(4); n > 0; n--) file[from + draw.below(Math.min(1024, file.length - from))] = draw.next() & 0xff
    const why = attempt(file)
    if (why) return `changed by seed ${seed}: ${why}`
  }
  return null
}

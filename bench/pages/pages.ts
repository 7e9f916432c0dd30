/**
 * What it takes to bring a copy of a file from one version to the next: bytes and time, beside the tools people use. All sides
 * have the old version at both ends. Every delta is applied, and the result compared with the new version.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BlockMemory, encodedBytesMax } from 'atomik/blocks'
import { counted, figureOf, orderOf } from '../harness/measure.ts'
import { formatNumber } from '../harness/numbers.ts'
import type { Bar, Figure, ResultTable, Row, Section } from '../harness/section.ts'
import { makeFiles, type Versions } from './files.ts'

/** One way to make a delta. Called once a round; times are seconds. */
interface Tool {
  readonly name: string
  readonly note?: string
  /** Undefined when the tool is not here. */
  run(files: Versions, out: string): { bytes: number; encode: number; apply: number } | undefined
}

const has = (tool: string) => {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`])
    return true
  } catch {
    return false
  }
}

function same(a: Uint8Array, b: Uint8Array, what: string): void {
  if (Buffer.compare(a, b) !== 0) throw new Error(`wrong end: ${what} does not give the new version`)
}

const timed = (work: () => void) => {
  const startedAt = performance.now()
  work()
  return (performance.now() - startedAt) / 1000
}

/** The file in a block of whole words, continued with zeros. */
function ours(): Tool {
  return {
    name: 'ATOMiK',
    note: 'in memory: xor of the two versions, sparse encoding; applying is one pass over the delta',
    run(files) {
      const [old, fresh] = [readFileSync(files.old), readFileSync(files.new)]
      const words = Math.ceil(Math.max(old.length, fresh.length) / 8)
      const memory = new BlockMemory({ bytes: 8 * words * 3 + encodedBytesMax(words) + 65_536 })
      const [state, target, delta] = [memory.allocate(words), memory.allocate(words), memory.allocate(words)]
      const wire = memory.allocate(Math.ceil(encodedBytesMax(words) / 8))
      state.bytes.set(old)
      target.bytes.set(fresh)
      let bytes = 0
      const make = () => {
        memory.xorOut(delta, state, target)
        bytes = memory.encode(delta, wire)
      }
      const take = () => memory.apply(state, wire, bytes)
      make()
      take()
      same(state.bytes, target.bytes, 'our delta')
      // Taken in once more, it takes the new version back to the old.
      take()
      // Until the compiler has finished, as the other tools are compiled too: it replaces code in the background.
      const warmUntil = performance.now() + 100
      while (performance.now() < warmUntil) {
        make()
        take()
        take()
      }
      const encode = figureOf([timed(make), timed(make), timed(make)]).median
      const apply = timed(take)
      same(state.bytes, target.bytes, 'our delta')
      return { bytes, encode, apply }
    },
  }
}

function xbzrle(folder: string): Tool {
  const source = join(dirname(fileURLToPath(import.meta.url)), '../../pages/xbzrle.c')
  const program = join(folder, 'xbzrle')
  const compiled = has('gcc')
  if (compiled) execFileSync('gcc', ['-O3', '-march=native', '-o', program, source])
  return {
    name: 'XBZRLE, in C',
    note: 'as QEMU documents the format, compiled with gcc -O3; in memory',
    run(files, out) {
      if (!compiled) return undefined
      const [bytes, rounds, apply] = execFileSync(program, [files.old, files.new, out, '3'], {
        encoding: 'utf8',
      }).split('\n')
      const encode = figureOf(rounds.trim().split(' ').map(Number)).median
      return { bytes: Number(bytes), encode, apply: Number(apply) }
    },
  }
}

/** A command that makes a delta, and one that applies it. Time includes starting the program and reading the files from the page cache. */
function command(
  name: string,
  program: string,
  encode: (files: Versions, out: string) => string[],
  apply: (files: Versions, out: string, result: string) => string[],
): Tool {
  const isHere = has(program)
  const quiet = { stdio: ['ignore', 'ignore', 'ignore'] as ['ignore', 'ignore', 'ignore'] }
  return {
    name,
    run(files, out) {
      if (!isHere) return undefined
      const seconds = timed(() => execFileSync(program, encode(files, out), quiet))
      const result = `${out}.result`
      const applied = timed(() => execFileSync(program, apply(files, out, result), quiet))
      same(readFileSync(result), readFileSync(files.new), name)
      return { bytes: statSync(out).size, encode: seconds, apply: applied }
    },
  }
}

function rsync(): Tool {
  const isHere = has('rsync')
  return {
    name: 'rsync --only-write-batch',
    note: 'its algorithm without a network; the block sums that a remote side would send first are not counted',
    run(files, out) {
      if (!isHere) return undefined
      const copy = `${out}.copy`
      copyFileSync(files.old, copy)
      rmSync(out, { force: true })
      // --ignore-times: both versions may be of one second and one length.
      const encode = timed(() =>
        execFileSync('rsync', [
          '--no-whole-file',
          '--ignore-times',
          `--only-write-batch=${out}`,
          files.new,
          copy,
        ]),
      )
      const apply = timed(() => execFileSync('rsync', ['--ignore-times', `--read-batch=${out}`, copy]))
      same(readFileSync(copy), readFileSync(files.new), 'rsync')
      return { bytes: statSync(out).size, encode, apply }
    },
  }
}

export const section: Section = {
  title: 'two versions of real files',
  async run({ quick, rounds, say }) {
    const { folder, files } = await makeFiles(quick)
    try {
      const zstd = (level: number) =>
        command(
          `zstd -${level} --patch-from`,
          'zstd',
          (f, out) => ['-f', `-${level}`, '--long=27', `--patch-from=${f.old}`, f.new, '-o', out],
          (f, out, result) => ['-f', '-d', '--long=27', `--patch-from=${f.old}`, out, '-o', result],
        )
      const xdelta = (level: number) =>
        command(
          `xdelta3 -${level}`,
          'xdelta3',
          // The source window covers the whole file.
          (f, out) => ['-e', '-f', `-${level}`, '-B', '134217728', '-s', f.old, f.new, out],
          (f, out, result) => ['-d', '-f', '-B', '134217728', '-s', f.old, out, result],
        )
      const tools = [ours(), xbzrle(folder), zstd(1), zstd(19), xdelta(1), xdelta(9), rsync()]
      const tables: ResultTable[] = []
      for (const pair of files) {
        const outcomes = tools.map((): { bytes: number; encode: number; apply: number }[] => [])
        for (let round = 0; round < Math.min(rounds, 3); round++)
          for (const index of orderOf(tools.length, round)) {
            const outcome = tools[index].run(pair, join(folder, `delta-${index}`))
            if (outcome !== undefined) outcomes[index].push(outcome)
          }
        const size = statSync(pair.new).size
        const rows = tools.map(({ name, note }, index): Row => {
          const of = (
            pick: (o: { bytes: number; encode: number; apply: number }) => number,
          ): Figure | null => (outcomes[index].length === 0 ? null : figureOf(outcomes[index].map(pick)))
          const first = outcomes[index][0]
          return {
            name,
            cells: [
              first === undefined ? null : counted(first.bytes),
              of(({ encode }) => size / encode / 1e6),
              of(({ apply }) => apply * 1000),
            ],
            ...(first === undefined ? { note: 'not on this machine' } : note !== undefined && { note }),
          }
        })
        tables.push({
          id: pair.name.toLowerCase().replaceAll(' ', '-'),
          title: pair.name,
          method: `${pair.what}. ${formatNumber(size / 2 ** 20)} MiB, ${formatNumber(changedPages(pair))} % of its pages differ.`,
          columns: [
            { name: 'delta', unit: 'B', better: 'lower' },
            { name: 'encode', unit: 'MB/s', better: 'higher' },
            { name: 'apply', unit: 'ms', better: 'lower' },
          ],
          rows,
          baseline: 'ATOMiK',
          plot: { kind: 'bars' },
        })
        say(`${pair.name}: done`)
      }
      return {
        tables,
        bars: quick ? [] : tables.map(barOf),
        notes: [
          'Ours and XBZRLE work in memory on data that is there; the others are programs that start, read two files and write one, and their time includes that. zstd, xdelta3 and rsync find moved data, which a difference in place cannot.',
        ],
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

function changedPages({ old, new: fresh }: Versions): number {
  const [a, b] = [readFileSync(old), readFileSync(fresh)]
  let changed = 0
  const pages = Math.ceil(b.length / 4096)
  for (let page = 0; page < pages; page++)
    if (
      Buffer.compare(
        a.subarray(page * 4096, page * 4096 + 4096),
        b.subarray(page * 4096, page * 4096 + 4096),
      ) !== 0
    )
      changed++
  return (100 * changed) / pages
}

function barOf(table: ResultTable): Bar {
  const bytes = (name: string) => table.rows.find(row => row.name === name)?.cells[0]?.median ?? Number.NaN
  return {
    name: `${table.title}, bytes`,
    wanted: `below XBZRLE (${formatNumber(bytes('XBZRLE, in C'))} B)`,
    measured: `${formatNumber(bytes('ATOMiK'))} B`,
    met: bytes('ATOMiK') < bytes('XBZRLE, in C'),
    margin: bytes('XBZRLE, in C') / bytes('ATOMiK'),
  }
}

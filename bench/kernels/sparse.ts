/** Kernels that look at few words: scatter, SWAP by page, the sparse encoding. */
import { execFileSync } from 'node:child_process'
import { type Block, BlockMemory, BlockState, encodedBytesMax, pageWords } from 'atomik/blocks'
import { counted } from '../harness/measure.ts'
import type { Bar, Figure, ResultTable } from '../harness/section.ts'
import { type Measured, ratioBar, type Setting } from './kernels.ts'
import { agree, checkOf, draws, fill, sizeName } from './operands.ts'
import { type Case, inC, measure, ours, processorSeconds } from './rounds.ts'

type Columns = { name: string; figures: ReadonlyMap<string, Figure> }[]

function tableOf(
  columns: Columns,
  unit: string,
  about: Pick<ResultTable, 'id' | 'title' | 'method'> & { readonly baseline?: string },
): ResultTable {
  const rows = [...new Set(columns.flatMap(({ figures }) => [...figures.keys()]))]
  const { baseline, ...rest } = about
  return {
    ...rest,
    columns: columns.map(({ name }) => ({
      name,
      unit,
      better: unit === 'B' ? ('lower' as const) : ('higher' as const),
    })),
    rows: rows.map(name => ({ name, cells: columns.map(({ figures }) => figures.get(name) ?? null) })),
    ...(baseline !== undefined && rows.includes(baseline) ? { baseline } : {}),
    plot: { kind: 'bars' },
  }
}

export async function scatterTable(setting: Setting): Promise<Measured> {
  const { c } = setting
  const count = setting.quick ? 10_000 : 1_000_000
  const columns: Columns = []
  const bars: Bar[] = []
  for (const size of setting.quick ? [2 ** 20] : [8 * 2 ** 20, 256 * 2 ** 20]) {
    const lay = (implementation: 'simd' | 'javascript') => {
      const memory = new BlockMemory({ bytes: size + 32 * count + 2 ** 20, implementation })
      const [to, places, deltas] = [size / 8, count / 2, count].map(words => memory.allocate(words))
      const scratch = memory.allocate(2 * count + 4096)
      fill(to, 0)
      const draw = draws()
      for (let i = 0; i < count; i++) {
        places.halves[i] = draw() % to.words
        deltas.halves[2 * i] = (i << 20) | 1
        deltas.halves[2 * i + 1] = i >>> 12
      }
      return { memory, to, places, deltas, scratch }
    }
    const simd = lay('simd')
    const plain = lay('javascript')
    const straight = (row: string, { memory, to, places, deltas }: ReturnType<typeof lay>) =>
      ours(row, () => memory.scatter(to, places, deltas, count))
    const cases: Case[] = [
      straight('WebAssembly', simd),
      ours('WebAssembly, sorted by part first', () => {
        const { memory, to, places, deltas, scratch } = simd
        memory.scatter(to, places, deltas, count, { scratch })
      }),
      straight('plain JavaScript', plain),
    ]
    if (c !== undefined) {
      await c.ask(`scatter ${size} ${count}`)
      const theirs = await c.run('scatter', 1)
      const fresh = lay('simd')
      const { memory, to, places, deltas, scratch } = fresh
      memory.scatter(to, places, deltas, count, { scratch })
      agree('scatter', checkOf(memory, to), theirs.check)
      cases.push(inC(c, 'C', 'scatter'))
    }
    const figures = await measure(cases, { ...setting, units: count, scale: 1e-6 })
    columns.push({ name: sizeName(size), figures })
    if (size < 32 * 2 ** 20)
      bars.push(
        ...ratioBar(`scatter into ${sizeName(size)}`, 0.8, figures.get('WebAssembly'), figures.get('C'), {
          against: 'C',
        }),
      )
    else
      bars.push(
        ...ratioBar(
          `scatter into ${sizeName(size)}`,
          1.05,
          figures.get('WebAssembly, sorted by part first'),
          figures.get('C'),
          { against: 'C without sorting' },
        ),
      )
  }
  return {
    tables: [
      tableOf(columns, 'M/s', {
        id: 'scatter',
        title: `scatter: ${count.toLocaleString('en')} deltas to random places of a block`,
        method: 'to[index] ⊕= delta. Ours checks each index; C trusts it.',
        baseline: 'C',
      }),
    ],
    bars,
  }
}

export async function swapTable(setting: Setting): Promise<Measured> {
  const { c } = setting
  const columns: Columns = []
  const bars: Bar[] = []
  for (const size of setting.quick ? [2 ** 20] : [2 ** 20, 256 * 2 ** 20]) {
    const words = size / 8
    const state = new BlockState(new BlockMemory({ bytes: 2 * size + size / 2048 + 65_536 }), words)
    fill(state.reference, 0)
    const pages = words / pageWords
    const dirty = Math.max(1, Math.round(pages / 100))
    const draw = draws()
    const touch = () => {
      for (let i = 0; i < dirty; i++)
        state.accum(
          (Math.floor((i * pages) / dirty) + (draw() % Math.floor(pages / dirty))) * pageWords,
          1,
          1,
        )
    }
    const cases: Case[] = [
      {
        row: 'WebAssembly, 1 % of pages dirty, one word each',
        run(times) {
          // Marking the pages is timed with it: a clock read around each swap would cost as much.
          const startedAt = processorSeconds()
          for (let i = 0; i < times; i++) {
            touch()
            const swapped = state.swap()
            if (swapped !== dirty) throw new Error(`${swapped} pages swapped, ${dirty} were dirty`)
          }
          return processorSeconds() - startedAt
        },
      },
      ours('WebAssembly, all', () => state.memory.swap(state.reference, state.accumulator)),
    ]
    if (c !== undefined) {
      await c.ask(`setup ${size} 2`)
      cases.push(inC(c, 'C, AVX2, all', 'swap_avx2'))
    }
    const figures = await measure(cases, { ...setting, units: 1, scale: 1 })
    columns.push({ name: sizeName(size), figures })
    bars.push(
      ...ratioBar(
        `SWAP with 1 % of pages dirty, ${sizeName(size)}`,
        50,
        figures.get('WebAssembly, 1 % of pages dirty, one word each'),
        figures.get('C, AVX2, all'),
        { against: 'a full pass in C' },
      ),
    )
  }
  return {
    tables: [
      tableOf(columns, '1/s', {
        id: 'swap',
        title: 'SWAP: the state becomes the reference, the accumulator empty',
        method:
          'reference ⊕= accumulator, accumulator = 0. A page has 512 words; one word in each of 1 % of them is changed before each, which is timed too.',
        baseline: 'C, AVX2, all',
      }),
    ],
    bars,
  }
}

/** The size that no code can beat on average: which words changed, and 64 random bits for each. */
function entropyBytes(words: number, changed: number): number {
  const p = changed / words
  const placement = words * (-p * Math.log2(p) - (1 - p) * Math.log2(1 - p))
  return (placement + 64 * changed) / 8
}

/** XBZRLE as QEMU encodes a page of 4 KiB: a run of zero bytes and a run of others in turn, LEB128 lengths, then the other bytes; what names the page is left out. */
function xbzrleBytes({ bytes }: Block): number {
  const leb = (n: number) => (n < 128 ? 1 : n < 16_384 ? 2 : 3)
  let total = 0
  for (let page = 0; page < bytes.length; page += 4096) {
    let at = page
    const end = page + 4096
    let size = 0
    while (at < end) {
      let from = at
      while (at < end && bytes[at] === 0) at++
      if (at === end) break
      size += leb(at - from)
      from = at
      while (at < end && bytes[at] !== 0) at++
      size += leb(at - from) + at - from
    }
    total += size
  }
  return total
}

/** Bytes that a command makes of a block; undefined when it is not there. */
function packedBytes(command: string, flags: readonly string[], { bytes }: Block): number | undefined {
  try {
    return execFileSync(command, flags, {
      input: bytes,
      maxBuffer: 2 ** 28,
      stdio: ['pipe', 'pipe', 'ignore'],
    }).length
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export async function sparseTables(setting: Setting): Promise<Measured> {
  const { c } = setting
  const size = setting.quick ? 2 ** 18 : 16 * 2 ** 20
  const words = size / 8
  const speed: Columns = []
  const back: Columns = []
  const lengths: Columns = []
  const bars: Bar[] = []
  const lay = (implementation: 'simd' | 'scalar' | 'javascript') => {
    const memory = new BlockMemory({ bytes: 3 * size + encodedBytesMax(words), implementation })
    return {
      memory,
      delta: memory.allocate(words),
      state: memory.allocate(words),
      wire: memory.allocate(Math.ceil(encodedBytesMax(words) / 8)),
    }
  }
  const sides = { simd: lay('simd'), scalar: lay('scalar'), javascript: lay('javascript') }
  const rows = { simd: 'WebAssembly, vectors', scalar: 'WebAssembly, scalar', javascript: 'plain JavaScript' }
  for (const [share, least] of [
    [0.001, 0.95],
    [0.01, 0.8],
    [0.1, undefined],
  ] as const) {
    const drawn = Math.round(words * share)
    const sizes = Object.values(sides).map(({ memory, delta, wire }) => {
      change(delta, drawn)
      return memory.encode(delta, wire)
    })
    const encoded = sizes[0]
    const { delta } = sides.simd
    let changed = 0
    for (let i = 0; i < delta.halves.length; i += 2)
      if ((delta.halves[i] | delta.halves[i + 1]) !== 0) changed++
    const cases: Case[] = (['simd', 'scalar', 'javascript'] as const).map(one => {
      const { memory, delta, wire } = sides[one]
      return ours(rows[one], () => memory.encode(delta, wire))
    })
    if (c !== undefined) {
      await c.ask(`sparse ${size} ${drawn}`)
      for (const length of sizes)
        agree('sparse encoding', length.toString(16), (await c.run('encode_avx2', 1)).check)
      cases.push(inC(c, 'C, AVX2', 'encode_avx2'))
      if (setting.hasAvx512) cases.push(inC(c, 'C, AVX-512', 'encode_avx512'))
    }
    const name = `${share * 100} % changed`
    const figures = await measure(cases, { ...setting, units: size, scale: 1e-9 })
    speed.push({ name, figures })
    if (least !== undefined) {
      const [a, b] = [figures.get('C, AVX2'), figures.get('C, AVX-512')]
      const best = a === undefined || (b !== undefined && b.median > a.median) ? b : a
      bars.push(
        ...ratioBar(`sparse encode, ${name}`, least, figures.get(rows.simd), best, {
          against: 'the better C',
        }),
      )
    }
    const applies = (['simd', 'scalar', 'javascript'] as const).map((one, i) => {
      const { memory, state, wire } = sides[one]
      return ours(rows[one], () => memory.apply(state, wire, sizes[i]))
    })
    back.push({ name, figures: await measure(applies, { ...setting, units: changed, scale: 1e-6 }) })
    const bound = entropyBytes(words, changed)
    const others = new Map<string, number | undefined>([
      ['XBZRLE', xbzrleBytes(delta)],
      ['lz4 -1', packedBytes('lz4', ['-1', '-c'], delta)],
      ['zstd -1', packedBytes('zstd', ['-1', '-c'], delta)],
    ])
    lengths.push({
      name,
      figures: new Map(
        [['ours', encoded] as const, ['entropy bound', Math.ceil(bound)] as const, ...others].flatMap(
          ([who, n]) => (n === undefined ? [] : [[who, counted(n)] as const]),
        ),
      ),
    })
    bars.push({
      name: `sparse size, ${name}`,
      wanted: '≤ 1.05 × the entropy bound, below XBZRLE, lz4 and zstd -1',
      measured: `${(encoded / bound).toFixed(4)} × the bound; ${[...others].map(([who, n]) => (n === undefined ? `${who} is not here` : `${who} ${(n / encoded).toFixed(2)} × ours`)).join(', ')}`,
      met: encoded <= 1.05 * bound && [...others.values()].every(n => n === undefined || encoded < n),
      margin: Math.min(1.05 * bound, ...[...others.values()].flatMap(n => n ?? [])) / encoded,
    })
  }
  return {
    tables: [
      tableOf(speed, 'GB/s', {
        id: 'sparse-encode',
        title: `sparse encoding of ${sizeName(size)}`,
        method:
          'Random words at random places, the rest zero. Bytes of the block are counted. C writes the same bytes.',
        baseline: 'C, AVX2',
      }),
      tableOf(back, 'M words/s', {
        id: 'sparse-apply',
        title: 'applying the same encodings',
        method: 'Changed words are counted. Every byte is checked.',
      }),
      tableOf(lengths, 'B', {
        id: 'sparse-size',
        title: `size of the encoding of ${sizeName(size)}`,
        method:
          'The same blocks. The bound is the entropy of the places and 64 bits a word; XBZRLE is counted without what names its pages.',
        baseline: 'entropy bound',
      }),
    ],
    bars,
  }
}

/** `drawn` random words at random places, in the order of baseline.c. */
function change({ halves, words }: Block, drawn: number): void {
  halves.fill(0)
  const draw = draws()
  for (let i = 0; i < drawn; i++) {
    const word = 2 * (draw() % words)
    halves[word] = draw()
    halves[word + 1] = draw()
  }
}

/**
 * Goal: no code block in the documents is a promise that nobody kept, no link leads nowhere, and code they name is there.
 * Method: every ```ts block of the documents named
 * below, and every @example of the library's sources, loses its types (esbuild) and runs in a Node of its own, with the
 * packages as they were built, against a real hub on a free port. A block fails when it throws, when a `console.assert`
 * does not hold, or when it does not end. `url` is the hub's space; the documents' own address
 * ws://127.0.0.1:7077/… is pointed at that hub too. Types are not checked here.
 *
 * Replay one:  npm run build && npx vitest run tools/docs.test.ts -t 'README.md:31'
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Hub } from '@atomik/hub'
import { transform } from 'esbuild'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const documents = ['README.md', 'ARCHITECTURE.md', 'packages/atomik/README.md']
const library = 'packages/atomik/src'
/** An example ends within this time, or fails. */
const timeoutMs = 15_000

interface Block {
  /** `file:line` of the first line of code. */
  readonly where: string
  /** The words after the backticks: `ts`, and perhaps `no-run`. */
  readonly info: string
  readonly code: string
}

/** Fenced blocks of a Markdown text, in order. */
function blocksOf(file: string, text: string): Block[] {
  const blocks: Block[] = []
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const fence = /^\s*```(\S.*)?$/.exec(lines[i])
    if (fence === null) continue
    const start = ++i
    while (i < lines.length && !/^\s*```\s*$/.test(lines[i])) i++
    if (i === lines.length) throw new Error(`${file}:${start}: a code block without an end`)
    blocks.push({
      where: `${file}:${start + 1}`,
      info: fence[1] ?? '',
      code: lines.slice(start, i).join('\n'),
    })
  }
  return blocks
}

/** The blocks of a source file's doc comments: the comment's stars become spaces, so lines keep their numbers. */
function examplesOf(file: string, text: string): Block[] {
  const comments = text.replace(/[ \t]*\/\*\*[\s\S]*?\*\/|[^\n]+/g, part =>
    part.trimStart().startsWith('/**') ? part.replace(/^[ \t]*(\/\*\*|\*\/|\*) ?|\*\/$/gm, '') : '',
  )
  return blocksOf(file, comments)
}

function* sources(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* sources(path)
    else if (entry.name.endsWith('.ts') && !/\.(test|contract|bench)\.ts$/.test(entry.name)) yield path
  }
}

/** Why a block may stay unrun, or undefined: `no-run` is believed only with a reason in the block's first line. */
function reasonNotToRun(block: Block): string | undefined {
  if (!/\bno-run\b/.test(block.info)) return undefined
  const reason = /^\s*\/\/ no-run: (\S.{9,})/.exec(block.code)?.[1]
  if (reason === undefined)
    throw new Error(`${block.where}: a no-run block starts with a comment "// no-run: <why>"`)
  return reason
}

/** Code that looks like ours and hides from the runner: another name for TypeScript. */
const disguises = /^(typescript|tsx|js|javascript|mjs)\b/

/** Before the example: a failed assertion is a failed example. */
const prelude = `
const url = process.env.DOCS_URL
console.assert = (held, ...message) => {
  if (held) return
  process.exitCode = 1
  console.error('console.assert failed', ...message, new Error().stack.split('\\n')[2].trim())
}
`
/** After it: listeners get their turn, then the process ends although sockets are open. */
const epilogue = `
await new Promise(resolve => setTimeout(resolve, 100))
process.exit()
`

/** Runs a block; resolves with what it wrote. @throws when it fails */
async function run(block: Block): Promise<string> {
  const hub = await Hub.start({ port: 0 })
  try {
    const { code } = await transform(block.code, { loader: 'ts', format: 'esm', target: 'node20' })
    const here = `127.0.0.1:${hub.port}`
    const program = `${prelude}${code.replaceAll('127.0.0.1:7077', here)}${epilogue}`
    const child = spawn(process.execPath, ['--input-type=module', '-'], {
      cwd: root,
      env: { ...process.env, DOCS_URL: `ws://${here}/example`, NO_COLOR: '1' },
    })
    let output = ''
    let errors = ''
    child.stdout.on('data', data => {
      output += data
    })
    child.stderr.on('data', data => {
      errors += data
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.stdin.end(program)
    const [status, signal] = await new Promise<[number | null, string | null]>(resolve =>
      child.on('close', (...end) => resolve(end)),
    )
    clearTimeout(timer)
    if (signal !== null) throw new Error(`${block.where}: not done after ${timeoutMs} ms\n${errors}`)
    if (status !== 0) {
      const line = Number(/\[eval1\]:(\d+)/.exec(errors)?.[1] ?? 0)
      const quoted = program.split('\n')[line - 1] ?? ''
      throw new Error(`${block.where}: ended with code ${status}\n${errors}${quoted}`)
    }
    return output
  } finally {
    await hub.stop()
  }
}

const blocks = [
  ...documents.flatMap(file => blocksOf(file, readFileSync(join(root, file), 'utf8'))),
  ...[...sources(join(root, library))].flatMap(path =>
    examplesOf(relative(root, path), readFileSync(path, 'utf8')),
  ),
]
const typescript = blocks.filter(({ info }) => /^ts\b/.test(info))

describe('the runner', () => {
  const block = (code: string, info = 'ts'): Block => ({ where: 'here:1', info, code })

  it('shows what an example prints', async () => {
    expect(await run(block('const n: number = 6 * 7\nconsole.log(n, url.startsWith("ws://"))'))).toBe(
      '42 true\n',
    )
  })
  it('fails an example that throws', async () => {
    await expect(run(block('throw new Error("no")'))).rejects.toThrow(/ended with code 1[\s\S]*no/)
  })
  it('fails an example whose assertion does not hold, even in a later turn', async () => {
    await expect(run(block('console.assert(1 > 2, "sizes")'))).rejects.toThrow(/console.assert failed sizes/)
    await expect(run(block('setTimeout(() => console.assert(false), 20)'))).rejects.toThrow(/assert failed/)
  })
  it('fails an example that rejects where nobody listens', async () => {
    await expect(run(block('Promise.reject(new Error("lost"))'))).rejects.toThrow(/lost/)
  })
  it('refuses a block that is not run and does not say why', () => {
    expect(() => reasonNotToRun(block('connect()', 'ts no-run'))).toThrow(/no-run: <why>/)
    expect(reasonNotToRun(block('// no-run: needs a browser\nconnect()', 'ts no-run'))).toBe(
      'needs a browser',
    )
    expect(reasonNotToRun(block('connect()'))).toBeUndefined()
  })
  it('finds blocks by line, in Markdown and in doc comments', () => {
    expect(blocksOf('a.md', 'x\n```ts\none\ntwo\n```\n')).toEqual([
      { where: 'a.md:3', info: 'ts', code: 'one\ntwo' },
    ])
    const source =
      "const s = '```'\n  /**\n   * ```ts\n   * one\n   *   two\n   * ```\n   */\n  const t = 1\n"
    expect(examplesOf('a.ts', source)).toEqual([{ where: 'a.ts:4', info: 'ts', code: 'one\n  two' }])
  })
})

describe('the documents', () => {
  it('hide no code under another name', () => {
    expect(blocks.filter(({ info }) => disguises.test(info)).map(({ where }) => where)).toEqual([])
  })
  it('have examples to run, in every file that should', () => {
    for (const file of [...documents, `${library}/client/connect.ts`, `${library}/algebra/table.ts`])
      expect(
        typescript.some(({ where }) => where.startsWith(`${file}:`)),
        file,
      ).toBe(true)
  })
  for (const block of typescript) {
    it(`run: ${block.where}`, { timeout: timeoutMs + 5000 }, async context => {
      const reason = reasonNotToRun(block)
      // Only a block that says why it is not run: without a reason `reasonNotToRun` throws, and the test fails.
      if (reason !== undefined) return context.skip(reason)
      await run(block)
    })
  }
})

/** All that is written by hand: at the root, beside the library, and in docs and spec. */
const pages = [
  ...readdirSync(root).filter(name => name.endsWith('.md')),
  'packages/atomik/README.md',
  ...['docs/decisions', 'spec']
    .filter(folder => existsSync(join(root, folder)))
    .flatMap(folder => readdirSync(join(root, folder)).map(name => `${folder}/${name}`))
    .filter(name => name.endsWith('.md')),
]

/** The text without its fenced blocks. */
const proseOf = (page: string) => readFileSync(join(root, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '')

const sourceText = new Map(
  readdirSync(join(root, 'packages'))
    .map(name => join(root, 'packages', name, 'src'))
    .filter(existsSync)
    .flatMap(folder => [...sources(folder)])
    .map(path => [relative(root, path), readFileSync(path, 'utf8')]),
)

function deadLinks(prose: string, folder: string): string[] {
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(match => match[1])
    .filter(target => !/^(https?:|#)/.test(target))
    .filter(target => !existsSync(join(root, folder, target.split('#')[0])))
}

/** Of `path.ts:name, name` and `Class.member` in backticks, those that the sources do not have. */
function missingCode(prose: string): string[] {
  const missing: string[] = []
  for (const [, path, names = ''] of prose.matchAll(/`([a-z][\w/-]*\/[\w./-]+\.ts)(?::([\w.#, ]+))?`/g)) {
    const text = sourceText.get(path) ?? sourceText.get(`${library}/${path}`)
    if (text === undefined && !existsSync(join(root, path)) && !existsSync(join(root, library, path)))
      missing.push(path)
    else
      for (const name of names.split(/[,\s]+/))
        if (!name.split('.').every(part => text?.includes(part) ?? part === ''))
          missing.push(`${path}:${name}`)
  }
  for (const [, owner, member] of prose.matchAll(/`([A-Z]\w+)\.(#?[a-z]\w+)`/g))
    if (![...sourceText.values()].some(text => text.includes(`class ${owner}`) && text.includes(member)))
      missing.push(`${owner}.${member}`)
  return missing
}

it('a dead link and a name that is not there are found', () => {
  expect(deadLinks('[a](LICENSE) [b](nowhere.md#x) [c](https://a.example/)', '.')).toEqual(['nowhere.md#x'])
  expect(missingCode('`engine/space.ts:Space.#accept` `Replica.#settle` `tools/layers.js`')).toEqual([])
  expect(missingCode('`engine/space.ts:Space.#nope`, `engine/none.ts`, `Replica.#gone`')).toEqual([
    'engine/space.ts:Space.#nope',
    'engine/none.ts',
    'Replica.#gone',
  ])
})

describe.each(pages)('what %s names', page => {
  it('links lead to files', () => {
    expect(deadLinks(proseOf(page), dirname(page))).toEqual([])
  })
  it('code is where it is said to be', () => {
    expect(missingCode(proseOf(page))).toEqual([])
  })
})

/**
 * Goal: the commands do what a newcomer is told they do, and the main job is right under every fault it can make. Method: the built
 * command in processes of its own, exactly as a person runs it; figures read from its JSON.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ReplayFigures } from '@atomik/flights'
import { Hub } from '@atomik/hub'
import { connect, counter, table } from 'atomik'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'atomik-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}
const atomik = (...args: string[]) =>
  new Promise<Outcome>(resolve => {
    execFile(process.execPath, [main, ...args], { timeout: 110_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })

let runs = 0
async function replay(...args: string[]): Promise<Outcome & { figures: ReplayFigures }> {
  const json = join(folder, `figures-${runs++}.json`)
  const outcome = await atomik('replay', '--once', '--port', '0', '--json', json, ...args)
  expect(outcome.err).not.toMatch(/ {4}at /) // no stack trace, ever
  expect([outcome.code, outcome.err]).toEqual([0, outcome.err])
  return { ...outcome, figures: JSON.parse(readFileSync(json, 'utf8')) as ReplayFigures }
}

function expectAgreed(figures: ReplayFigures, replicas = 8): void {
  expect(figures.comparisons.map(({ difference }) => difference)).toEqual(Array(replicas + 2).fill(undefined))
  expect(figures.agreed).toBe(true)
}

describe('atomik replay', () => {
  it('2,000 flights at a measured pace, without faults: all equal, at most 12 bytes a field change', async () => {
    const { figures, out } = await replay('--flights', '2000', '--faults', 'none', '--speed', '2')
    expectAgreed(figures)
    expect(figures.fieldChanges).toBe(14_000)
    expect(figures.messagesDroppedByLinks + figures.cutsByLinks).toBe(0)
    expect(figures.bytesPerChangeUp).toBeLessThanOrEqual(12)
    expect(figures.bytesPerChangeDown).toBeLessThanOrEqual(12)
    expect(figures.clientMetadataBytes).toBeLessThan(64)
    expect(out).toMatch(/page {2}http:\/\/127\.0\.0\.1:\d+\//)
    expect(out).toContain('equal      the hub, killed and restarted from disk')
  }, 120_000)

  it.each(Array.from({ length: 10 }, (_, i) => i + 1))(
    'with a fifth lost, a fifth repeated, full reorder and a cut a second, seed %i: all equal',
    async seed => {
      const { figures } = await replay(
        ...['--flights', '300', '--faults', 'heavy', '--speed', '0.6', '--seed', String(seed)],
      )
      expectAgreed(figures)
      expect(figures.messagesDroppedByLinks).toBeGreaterThan(20)
      expect(figures.duplicatesDropped).toBeGreaterThan(0)
      expect(figures.cutsByLinks).toBeGreaterThan(0)
    },
    120_000,
  )

  it('with the hub killed by SIGKILL in mid-replay: nothing acknowledged is lost, all equal', async () => {
    const { figures, err } = await replay(
      '--flights',
      '1000',
      '--faults',
      'light',
      '--speed',
      '1',
      '--crash-hub',
    )
    expect(err).toContain('killed with SIGKILL')
    expect(figures.hubKills).toBe(2) // once in the middle, once for the comparison
    expectAgreed(figures)
  }, 120_000)

  it('with one replica, and with many', async () => {
    for (const replicas of [1, 12]) {
      const { figures } = await replay('--flights', '200', '--replicas', String(replicas), '--speed', 'max')
      expectAgreed(figures, replicas)
    }
  }, 120_000)

  it('says in one line that its port is taken', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { code, err } = await atomik('replay', '--once', '--port', String(port))
    server.close()
    expect(code).toBe(1)
    expect(err).toBe(`atomik: cannot listen on 127.0.0.1:${port}: the port is in use\n`)
  })

  it('leaves at Ctrl-C with code 130, and leaves no process behind', async () => {
    const child = started(spawn(process.execPath, [main, 'replay', '--port', '0', '--speed', '0.01']))
    await said(child, 'page')
    await new Promise(resolve => setTimeout(resolve, 3000))
    child.kill('SIGINT')
    const code = await new Promise(resolve => child.once('exit', resolve))
    expect(code).toBe(130)
  }, 60_000)
})

/** Ends with its test, also where that fails. */
function started<Child extends ChildProcess>(child: Child): Child {
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  })
  return child
}

function said(child: ChildProcess, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const listen = (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes(words)) resolve(text)
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('exit', code => reject(new Error(`ended with ${code} before it said "${words}": ${text}`)))
  })
}

describe('atomik serve', () => {
  it('kill -9 again and again under load: every acknowledged change is there afterwards', async () => {
    const store = join(folder, 'killed')
    const tables = { cells: table({ sum: counter() }) }
    const serve = async (port: number) => {
      const child = started(
        spawn(process.execPath, [main, 'serve', '--port', String(port), '--store', store, '--log', 'silent']),
      )
      const text = await said(child, 'serving')
      return { child, port: Number(/:(\d+)\/<space>/.exec(text)?.[1]) }
    }
    let hub = await serve(0)
    const { port } = hub
    const space = await connect(`ws://127.0.0.1:${port}/load`, { tables })
    let made = 0
    let acknowledged = 0
    const writer = setInterval(() => {
      for (let i = 0; i < 5; i++, made++) space.cells.row(`row-${made % 40}`).sum.add(1)
      const status = space.status()
      acknowledged = Math.max(acknowledged, made - status.pending)
    }, 2)
    for (let kill = 0; kill < 8; kill++) {
      await new Promise(resolve => setTimeout(resolve, 250))
      const before = acknowledged
      hub.child.kill('SIGKILL')
      await new Promise(resolve => hub.child.once('exit', resolve))
      hub = await serve(port)
      const witness = await connect(`ws://127.0.0.1:${port}/load`, { tables })
      const sum = [...witness.cells.rows()].reduce((total, row) => total + row.sum.value, 0)
      expect(sum).toBeGreaterThanOrEqual(before)
      witness.close()
    }
    clearInterval(writer)
    await space.synced()
    const witness = await connect(`ws://127.0.0.1:${port}/load`, { tables })
    expect([...witness.cells.rows()].reduce((total, row) => total + row.sum.value, 0)).toBe(made)
    expect(acknowledged).toBeGreaterThan(0)
    witness.close()
    space.close()
    hub.child.kill('SIGTERM')
    expect(await new Promise(resolve => hub.child.once('exit', resolve))).toBe(0)
    const { code, out } = await atomik('inspect', 'store', store, 'load', '--json')
    expect(code).toBe(0)
    expect(Object.keys(JSON.parse(out).tables.cells).length).toBe(40)
  }, 60_000)
})

/** The command on a terminal of its own, by script(1) of util-linux. */
function inTerminal(command: string) {
  const child = started(
    spawn(
      'script',
      ['-qec', `stty rows 40 cols 150; exec ${process.execPath} ${main} ${command}`, '/dev/null'],
      {
        env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
      },
    ),
  )
  let out = ''
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes.toString()
  })
  return {
    text: () => out,
    press: (keys: string) => child.stdin.write(keys),
    says: async (what: RegExp) => await expect.poll(() => out, { timeout: 20_000 }).toMatch(what),
    left: new Promise<number | null>(resolve => child.on('close', resolve)),
  }
}

describe('the other commands', () => {
  it('demo computes the introductory example', async () => {
    const { code, out } = await atomik('demo')
    expect(code).toBe(0)
    expect(out).toContain('READ = 0xCA0145BE')
    expect(out).toContain('READ = 0xCA01BABE')
  })
  it.skipIf(!existsSync('/usr/bin/script'))('demo goes on at each key, on a terminal', async () => {
    const terminal = inTerminal('demo')
    await terminal.says(/Any key goes on/)
    terminal.press(' ')
    await terminal.says(/LOAD {2}0xCAFEBABE/)
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(terminal.text()).not.toContain('ACCUM')
    terminal.press('\r')
    await terminal.says(/ACCUM 0x0000FF00/)
    terminal.press('q')
    expect(await terminal.left).toBe(0)
    expect(terminal.text()).not.toContain('SWAP')
  })
  it('bench prints figures and the plain way beside them', async () => {
    const { code, out } = await atomik('bench', '--rounds', '3', '--json')
    expect(code).toBe(0)
    const { results } = JSON.parse(out) as { results: { opsPerSecond: number; plainOpsPerSecond: number }[] }
    expect(results.length).toBeGreaterThanOrEqual(6)
    for (const result of results)
      expect(Math.min(result.opsPerSecond, result.plainOpsPerSecond)).toBeGreaterThan(0)
  })
  it('inspect shows a live space and explains a frame', async () => {
    const child = started(spawn(process.execPath, [main, 'serve', '--port', '0', '--log', 'silent']))
    const port = Number(/:(\d+)\/<space>/.exec(await said(child, 'serving'))?.[1])
    const space = await connect(`ws://127.0.0.1:${port}/look`, {
      tables: { cells: table({ sum: counter() }) },
    })
    space.cells.row('here').sum.add(42)
    await space.synced()
    const { out } = await atomik('inspect', 'space', `ws://127.0.0.1:${port}/look`, '--json')
    expect(JSON.parse(out)).toMatchObject({ space: 'look', lsn: 1, tables: { cells: { here: { sum: 42 } } } })
    const shown = await atomik('inspect', 'space', `ws://127.0.0.1:${port}/look`)
    expect(shown.out).toMatch(/here.*42/)
    expect((await atomik('inspect', 'space', `ws://127.0.0.1:${port}/other`)).err).toBe(
      'atomik: there is no space other; the hub has look\n',
    )
    space.close()
    child.kill('SIGTERM')
    const frame = await atomik('inspect', 'frame', '0603')
    expect(JSON.parse(frame.out)).toEqual([{ type: 'need', lsn: 3 }])
  })
  it.each([
    [['frobnicate'], 2, /^atomik: unknown command 'frobnicate'/],
    [['replay', '--flights', '0'], 2, /Expected a whole number from 1 to 20000/],
    [['replay', '--speed', 'fast'], 2, /Expected days of data a second, or max/],
    [['replay', '--faults', 'some'], 2, /Allowed choices are none, light, heavy/],
    [['replay', '--unknown'], 2, /unknown option '--unknown'/],
    [
      ['serve', '--host', '0.0.0.0', '--port', '0'],
      1,
      /^atomik: a hub that listens on 0\.0\.0\.0 needs a token/,
    ],
    [['inspect', 'store', '/no/such/folder'], 1, /^atomik: there is no store/],
    [['inspect', 'frame', 'xyz'], 1, /^atomik: expected pairs of hexadecimal digits/],
    [['inspect', 'frame', '0141'], 1, /^atomik: expected 4 more bytes, found 1 \(at byte 1\)/],
    [['inspect', 'space', 'http://127.0.0.1/x'], 1, /^atomik: expected a URL like ws/],
    [['inspect', 'space', 'ws://127.0.0.1:1/x'], 1, /^atomik: no hub at/],
    [['waste', '--nonsense'], 2, /waste/],
  ])('%j ends with code %i and one clear line', async (args, code, line) => {
    const outcome = await atomik(...args)
    expect(outcome.code).toBe(code)
    expect(outcome.err).toMatch(line)
    expect(outcome.err).not.toMatch(/ {4}at /)
  })
  it('--help lists the commands, with code 0', async () => {
    const { code, out } = await atomik('--help')
    expect(code).toBe(0)
    for (const command of ['serve', 'replay', 'inspect', 'bench', 'demo']) expect(out).toContain(command)
  })
})

describe('atomik top', () => {
  it('reports spaces and connections of a running hub, once where there is no terminal', async () => {
    const hub = await Hub.start({ port: 0 })
    const Cell = table({ hits: counter() })
    const space = await connect(`ws://127.0.0.1:${hub.port}/fleet`, { tables: { cells: Cell } })
    for (let n = 0; n < 5; n++) space.cells.row(`c${n}`).hits.add(1)
    await space.synced()
    const { out, code } = await atomik('top', `http://127.0.0.1:${hub.port}`, '--interval', '100')
    space.close()
    await hub.stop()
    expect(code).toBe(0)
    expect(out).toMatch(/^atomik top {2}http:\S+ {2}1 spaces, 1 connections$/m)
    expect(out).toMatch(/^fleet {2,}\d+ {2,}0 .* 5 {2,}1 {2,}\d+ {2,}0 B/m)
    expect(out).toMatch(/^\d+ {2,}fleet {2,}\d+/m)
  })

  it.skipIf(!existsSync('/usr/bin/script'))('sorts by key and leaves at q, on a terminal', async () => {
    const hub = await Hub.start({ port: 0 })
    const space = await connect(`ws://127.0.0.1:${hub.port}/fleet`, {
      tables: { cells: table({ hits: counter() }) },
    })
    const terminal = inTerminal(`top http://127.0.0.1:${hub.port} --interval 100`)
    await terminal.says(/now by sent/)
    terminal.press('s')
    await terminal.says(/now by received/)
    terminal.press('q')
    expect(await terminal.left).toBe(0)
    await space.close()
    await hub.stop()
  })

  it('says in one line what is wrong', async () => {
    expect(await atomik('top', 'http://127.0.0.1:1')).toEqual({
      code: 1,
      out: '',
      err: 'atomik: no hub at http://127.0.0.1:1\n',
    })
    expect((await atomik('top', 'fleet')).err).toBe(
      'atomik: expected a URL like http://host:port, got fleet\n',
    )
    expect((await atomik('top', '--interval', '1')).code).toBe(2)
  })
})

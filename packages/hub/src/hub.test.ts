/**
 * Goal: the hub keeps its promises to well-behaved clients and its footing with the others. Method: a real hub on real
 * sockets and a real store; clients of the library, and raw sockets that send what no client would.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AtomikError, connect, counter, flag, limits, register, Schema, table } from 'atomik'
import { SeededRandom } from 'atomik/engine'
import {
  type DownlinkFrame,
  decodeDownlink,
  Writer,
  wireVersion,
  writeAuth,
  writeBatch,
  writeHave,
  writeHello,
  writeSubscribe,
} from 'atomik/wire'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { listAccess } from './access.ts'
import { Hub, type HubOptions } from './hub.ts'

const folder = mkdtempSync(join(tmpdir(), 'atomik-hub-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const Cell = table({ sum: counter(), name: register.text(16), on: flag() })
/** What fills a network's own buffers sooner. */
const wide = { cells: table({ sum: counter(), note: register.text(80) }) }
const tables = { cells: Cell }
const schema = new Schema(tables)

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const hub of running.splice(0)) await hub.stop()
})
let stores = 0
async function start(options: HubOptions = {}): Promise<Hub> {
  const hub = await Hub.start({ port: 0, ...options })
  running.push(hub)
  return hub
}
const newStore = () => join(folder, `store-${stores++}`)
const urlOf = (hub: Hub, space = 'test') => `ws://127.0.0.1:${hub.port}/${space}`
const join2 = (hub: Hub, options: { token?: string; space?: string } = {}) =>
  connect(urlOf(hub, options.space), { tables, ...(options.token !== undefined && { token: options.token }) })

async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const deadline = Date.now() + ms
  while (!condition() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

/** A raw socket: what it got, and how it was closed. */
async function raw(hub: Hub, options: { origin?: string } = {}) {
  const socket = new WebSocket(urlOf(hub), options)
  const frames: DownlinkFrame[] = []
  let closed: { code: number; reason: string } | undefined
  socket.on('message', data => frames.push(...decodeDownlink(new Uint8Array(data as Buffer))))
  socket.on('close', (code, reason) => {
    closed = { code, reason: reason.toString() }
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return { socket, frames, closed: () => closed }
}

function greeting(options: { schema?: Uint8Array; token?: string; incarnation?: number } = {}): Uint8Array {
  const w = new Writer()
  writeHello(w)
  if (options.token !== undefined) writeAuth(w, options.token)
  writeSubscribe(w, {
    attempt: 1,
    space: 'test',
    schema: options.schema ?? schema.encode(),
    epoch: { low: 0, high: 0 },
    lsn: 0,
    stampBaseMs: 0,
    claims: [
      {
        incarnation: new Uint8Array(16).fill(options.incarnation ?? 1),
        sequence: 0,
        label: {
          low: 0x01010101 * (options.incarnation ?? 1),
          high: 0x01010101 * (options.incarnation ?? 1),
        },
      },
    ],
  })
  return w.finish()
}

describe('clients of the library', () => {
  it('see each other, and what they see is on disk before they hear of it', async () => {
    const store = newStore()
    const hub = await start({ store })
    const [a, b] = await Promise.all([join2(hub), join2(hub)])
    a.transact(() => {
      a.cells.row('x').sum.add(5)
      a.cells.row('x').name.set('five')
    })
    b.cells.row('x').sum.add(-2)
    b.cells.row('x').on.set(true)
    await Promise.all([a.synced(), b.synced()])
    await until(() => a.cells.row('x').sum.value === 3 && b.cells.row('x').sum.value === 3)
    expect(b.cells.row('x').read()).toEqual({ sum: 3, name: 'five', on: true })
    expect(a.status().lsn).toBe(b.status().lsn)
    a.close()
    b.close()
    await hub.stop()
    const again = await start({ store })
    const c = await join2(again)
    expect(c.cells.row('x').read()).toEqual({ sum: 3, name: 'five', on: true })
    c.close()
  })

  it('undo any own change, whatever came after', async () => {
    const hub = await start()
    const [a, b] = await Promise.all([join2(hub), join2(hub)])
    const first = a.cells.row('x').sum.add(10)
    const named = a.cells.row('x').name.set('mine')
    await a.synced()
    b.cells.row('x').sum.add(100)
    b.cells.row('x').name.set('theirs')
    await b.synced()
    await until(() => a.cells.row('x').sum.value === 110)
    a.undo(first)
    a.undo(named)
    await a.synced()
    await until(() => b.cells.row('x').sum.value === 100)
    expect(b.cells.row('x').name.value).toBe('theirs')
    expect(() => a.undo(999)).toThrow(AtomikError)
    a.close()
    b.close()
  })

  it('deliver a batch to listeners once, complete', async () => {
    const hub = await start()
    const [a, b] = await Promise.all([join2(hub), join2(hub)])
    const seen: unknown[] = []
    const stop = b.cells.subscribe(row => seen.push(row.read()))
    a.transact(() => {
      a.cells.row('x').sum.add(1)
      a.cells.row('x').name.set('one')
      a.cells.row('x').on.set(true)
    })
    await until(() => seen.length > 0)
    expect(seen).toEqual([{ sum: 1, name: 'one', on: true }])
    stop()
    a.cells.row('x').sum.add(1)
    await a.synced()
    await until(() => b.cells.row('x').sum.value === 2)
    expect(seen.length).toBe(1)
    a.close()
    b.close()
  })

  it('make all of a transaction or nothing', async () => {
    const hub = await start()
    const a = await join2(hub)
    expect(() =>
      a.transact(() => {
        a.cells.row('x').sum.add(1)
        a.cells.row('x').name.set('far too long for sixteen bytes')
      }),
    ).toThrow(/text\(16\)/)
    expect(a.cells.row('x').exists).toBe(false)
    expect(a.status().pending).toBe(0)
    a.close()
  })

  it('come back by themselves after the hub was away, and lose nothing', async () => {
    const store = newStore()
    const hub = await start({ store })
    const { port } = hub
    const a = await join2(hub)
    a.cells.row('x').sum.add(1)
    await a.synced()
    await hub.stop()
    await until(() => !a.status().live)
    for (let i = 0; i < 100; i++) a.cells.row('x').sum.add(1)
    expect(a.cells.row('x').sum.value).toBe(101)
    const again = await start({ store, port })
    await a.synced()
    const b = await join2(again)
    expect(b.cells.row('x').sum.value).toBe(101)
    a.close()
    b.close()
  })

  it('with a read token read, and have their changes refused and rolled back', async () => {
    const hub = await start({ token: 'write-me', readToken: 'read-me' })
    const a = await join2(hub, { token: 'write-me' })
    a.cells.row('x').sum.add(1)
    await a.synced()
    const b = await join2(hub, { token: 'read-me' })
    const refusals: string[] = []
    b.on('refused', ({ code }) => refusals.push(code))
    b.cells.row('x').sum.add(50)
    await until(() => refusals.length > 0)
    expect(refusals).toEqual(['readonly'])
    expect(b.cells.row('x').sum.value).toBe(1)
    a.cells.row('x').sum.add(1)
    await until(() => b.cells.row('x').sum.value === 2)
    a.close()
    b.close()
  })
})

describe('principals', () => {
  const hash = (token: string) => `sha256:${createHash('sha256').update(token).digest('hex')}`
  const list = (notes: string) =>
    listAccess(
      JSON.stringify({
        principals: [
          { name: 'ana', tokens: [hash('a1'), hash('a2')], spaces: { test: notes } },
          { name: 'bo', tokens: [hash('b')], spaces: { test: 'own' } },
          { name: 'ops', tokens: [hash('o')], spaces: { '*': 'write' } },
        ],
      }),
    )

  it('have rights by space and by row; what is refused is rolled back and told', async () => {
    const hub = await start({ access: list('own') })
    await expect(join2(hub, { token: 'a1' })).rejects.toMatchObject({ code: 'unknown-space' })
    const ops = await join2(hub, { token: 'o' })
    const [ana, bo] = await Promise.all([join2(hub, { token: 'a1' }), join2(hub, { token: 'b' })])
    const refusals: unknown[] = []
    bo.on('refused', refusal => refusals.push(refusal))
    ana.cells.row('of ana').sum.add(1)
    await ana.synced()
    await until(() => bo.cells.row('of ana').sum.value === 1)
    bo.cells.row('of ana').sum.add(10)
    expect(bo.cells.row('of ana').sum.value).toBe(11)
    await bo.synced()
    expect(bo.cells.row('of ana').sum.value).toBe(1)
    expect(refusals).toMatchObject([{ from: 0, to: 1, code: 'owner' }])
    bo.cells.row('of bo').sum.add(5)
    ops.cells.row('of ana').sum.add(100)
    await Promise.all([bo.synced(), ops.synced()])
    await until(() => ana.cells.row('of ana').sum.value === 101 && ana.cells.row('of bo').sum.value === 5)
    await expect(join2(hub, { token: 'a1', space: 'other' })).rejects.toMatchObject({ code: 'unauthorized' })
    await expect(join2(hub, { token: 'nobody' })).rejects.toMatchObject({ code: 'unauthorized' })
    for (const client of [ana, bo, ops]) client.close()
  })

  it('keep their rows and incarnations when their token changes, and lose what is taken from them at once', async () => {
    const hub = await start({ access: list('own') })
    const ops = await join2(hub, { token: 'o' })
    const ana = await join2(hub, { token: 'a1' })
    ana.cells.row('x').sum.add(1)
    await ana.synced()
    ana.close()
    const again = await join2(hub, { token: 'a2' })
    again.cells.row('x').sum.add(1)
    await again.synced()
    expect(again.cells.row('x').sum.value).toBe(2)
    await hub.replaceAccess(list('read'))
    await until(() => !again.status().live)
    await until(() => again.status().live)
    const refusals: string[] = []
    again.on('refused', ({ code }) => refusals.push(code))
    again.cells.row('x').sum.add(1)
    await again.synced()
    expect(refusals).toEqual(['readonly'])
    expect(ops.status().live).toBe(true)
    for (const client of [again, ops]) client.close()
  })

  it('may be told from afar: a port that answers later, or fails', async () => {
    const hub = await start({
      access: {
        authenticate: async (token, space) => {
          await new Promise(resolve => setTimeout(resolve, 50))
          if (token === 'broken') throw new Error('the registry is away')
          return token === 'good' ? { principal: `${token} in ${space}`, rows: 'all' } : undefined
        },
      },
    })
    const a = await join2(hub, { token: 'good' })
    a.cells.row('x').sum.add(1)
    await a.synced()
    await expect(join2(hub, { token: 'bad' })).rejects.toMatchObject({ code: 'unauthorized' })
    await expect(connect(urlOf(hub), { tables, token: 'broken', timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'network',
      message: /the registry is away/,
    })
    a.close()
  })

  it.each([
    ['{', /JSON/],
    ['[]', /an object is needed/],
    ['{"principals": {}}', /a list `principals`/],
    ['{"principals": [{"name": "", "tokens": [], "spaces": {}}]}', /principal 1: a name/],
    ['{"principals": [{"name": "a", "tokens": [], "spaces": {}}]}', /principal 1: a list of tokens/],
    ['{"principals": [{"name": "a", "tokens": ["secret"], "spaces": {}}]}', /sha256: and 64/],
    [
      '{"principals": [{"name": "a", "tokens": [], "spaces": {"x": "admin"}}]}',
      /the right to x is read, own or write/,
    ],
  ])('come from a list that says what is wrong with it: %s', (json, message) => {
    expect(() => listAccess(json)).toThrow(message)
  })

  it('see of the hub what is theirs', async () => {
    const hub = await start({ access: list('read') })
    const ops = await join2(hub, { token: 'o' })
    const other = await join2(hub, { token: 'o', space: 'other' })
    const get = (path: string, token: string) =>
      fetch(`http://127.0.0.1:${hub.port}${path}`, { headers: { authorization: `Bearer ${token}` } })
    const names = async (token: string) =>
      ((await (await get('/spaces', token)).json()) as { name: string }[]).map(({ name }) => name)
    expect(await names('a1')).toEqual(['test'])
    expect(await names('o')).toEqual(['test', 'other'])
    expect((await get('/spaces', 'nobody')).status).toBe(401)
    expect((await get('/metrics', 'a1')).status).toBe(401)
    expect((await get('/metrics', 'o')).status).toBe(200)
    ops.close()
    other.close()
  })
})

describe('what is refused', () => {
  it('a wrong token, a missing token', async () => {
    const hub = await start({ token: 'right' })
    await expect(join2(hub, { token: 'wrong' })).rejects.toMatchObject({
      code: 'unauthorized',
      message: /wrong/,
    })
    await expect(join2(hub)).rejects.toMatchObject({ code: 'unauthorized', message: /required/ })
    expect((await fetch(`http://127.0.0.1:${hub.port}/spaces`)).status).toBe(200) // no spaces yet, nothing to hide
    const a = await join2(hub, { token: 'right' })
    expect((await fetch(`http://127.0.0.1:${hub.port}/spaces`)).status).toBe(401)
    a.close()
  })
  it('another schema, naming both hashes and the first difference', async () => {
    const hub = await start()
    const a = await join2(hub)
    const other = { cells: table({ sum: counter(), name: register.text(8), on: flag() }) }
    const theirs = new Schema(other)
    const error = await connect(urlOf(hub), { tables: other }).catch(e => e)
    expect(error).toMatchObject({ code: 'schema' })
    for (const part of [schema.hash, theirs.hash, 'name:text(16)', 'name:text(8)'])
      expect(error.message).toContain(part)
    a.close()
  })
  it('to listen beyond the loopback without a token', async () => {
    await expect(Hub.start({ host: '0.0.0.0', port: 0 })).rejects.toMatchObject({ code: 'unauthorized' })
  })
  it('a port in use, in one line', async () => {
    const hub = await start()
    const error = await Hub.start({ port: hub.port }).catch(e => e)
    expect(error).toMatchObject({ code: 'network' })
    expect(error.message).toMatch(/^cannot listen on 127\.0\.0\.1:\d+: the port is in use$/)
  })
  it('scripts of other origins, but not its own page', async () => {
    const hub = await start({ origins: ['https://friend.example'] })
    await expect(raw(hub, { origin: 'https://evil.example' })).rejects.toThrow('401')
    for (const origin of [`http://127.0.0.1:${hub.port}`, 'https://friend.example'])
      (await raw(hub, { origin })).socket.close()
  })
  it('other names for this machine: a page whose DNS points here is not ours', async () => {
    const hub = await start()
    const socket = new WebSocket(urlOf(hub), {
      headers: { host: `evil.example:${hub.port}` },
      origin: `http://evil.example:${hub.port}`,
    })
    await expect(
      new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
    ).rejects.toThrow('401')
    const mine = new WebSocket(urlOf(hub), {
      headers: { host: `localhost:${hub.port}` },
      origin: `http://localhost:${hub.port}`,
    })
    await new Promise((resolve, reject) => mine.once('open', resolve).once('error', reject))
    mine.close()
  })
  it('metrics without the token, where there is one', async () => {
    const hub = await start({ token: 'right' })
    const get = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${hub.port}/metrics`, { headers })
    expect((await get({})).status).toBe(401)
    expect((await get({ authorization: 'Bearer right' })).status).toBe(200)
  })
  it('a client from the future, or none of ours, or one that talks before it greets', async () => {
    const hub = await start()
    const future = greeting()
    future[5] = wireVersion + 1
    const have = new Writer()
    writeHave(have, 0, [])
    for (const [bytes, code] of [
      [future, 'version'],
      [Uint8Array.of(1, 1, 2, 3, 4, 1), 'malformed'],
      [have.finish(), 'malformed'],
      [Uint8Array.of(99), 'malformed'],
    ] as const) {
      const { socket, frames, closed } = await raw(hub)
      socket.send(bytes)
      await until(() => closed() !== undefined)
      expect(frames).toMatchObject([{ type: 'error', code }])
    }
  })
  it('text messages and messages above the limit', async () => {
    const hub = await start()
    const [chatty, huge] = await Promise.all([raw(hub), raw(hub)])
    chatty.socket.send('hello there')
    huge.socket.send(new Uint8Array(limits.uplinkBytesMax + 1))
    await until(() => chatty.closed() !== undefined && huge.closed() !== undefined)
    expect(huge.closed()?.code).toBe(1009)
  })
  it('every truncation of a greeting and of a batch, and lives on unchanged', async () => {
    const hub = await start()
    const a = await join2(hub)
    a.cells.row('x').sum.add(1)
    await a.synced()
    const digest = () => hub.spaces.get('test')?.space.reference.digest()
    const before = digest()
    const w = new Writer()
    writeBatch(w, {
      alias: 0,
      from: 0,
      to: 1,
      salt: { low: 1, high: 2 },
      body: Uint8Array.of(1, 0, 1, 1, 1, 120, 1, 2, 1, 1, 1, 2),
    })
    const batch = w.finish()
    for (const whole of [greeting(), batch])
      for (let length = 1; length < whole.length; length += 3) {
        const { socket, closed } = await raw(hub)
        if (whole === batch) socket.send(greeting())
        socket.send(whole.subarray(0, length))
        await until(() => closed() !== undefined)
      }
    expect(digest()).toBe(before)
    a.cells.row('x').sum.add(1)
    await a.synced()
    a.close()
  })
  it('3,000 mutated messages, each on a connection of its own, without a crash or a changed word', async () => {
    const hub = await start()
    const a = await join2(hub)
    a.cells.row('x').sum.add(1)
    await a.synced()
    const space = hub.spaces.get('test')?.space
    const before = space?.reference.digest()
    const random = new SeededRandom(7)
    const w = new Writer()
    // No mutation of one to three bytes makes this body valid: it names a table that is not there, more than once.
    writeBatch(w, {
      alias: 0,
      from: 0,
      to: 3,
      salt: undefined,
      body: Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9),
    })
    const batch = w.finish()
    let rejected = 0
    const one = async () => {
      const { socket, closed } = await raw(hub)
      const isGreeting = random.below(2) === 0
      if (!isGreeting) socket.send(greeting({ incarnation: 2 }))
      const message = (isGreeting ? greeting({ incarnation: 2 }) : batch).slice()
      for (let flips = 1 + random.below(3); flips > 0; flips--)
        message[random.below(message.length)] = random.below(256)
      socket.send(message)
      socket.close()
      await until(() => closed() !== undefined)
      if ((closed()?.code ?? 0) >= 4000) rejected++
    }
    for (let i = 0; i < 3000; i += 50) await Promise.all(Array.from({ length: 50 }, one))
    expect(rejected).toBeGreaterThan(1000)
    expect(space?.reference.digest()).toBe(before)
    a.cells.row('x').sum.add(1)
    await a.synced()
    expect(a.cells.row('x').sum.value).toBe(2)
    a.close()
  }, 60_000)
  it('a connection that never introduces itself', async () => {
    const hub = await start()
    const { closed } = await raw(hub)
    await until(() => closed() !== undefined, 7000)
    expect(closed()?.reason).toBe('no subscription in time')
  })
})

describe('the store', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'on a full disk: nothing is acknowledged that is not there afterwards (needs root, to mount a small disk)',
    async () => {
      const disk = join(folder, 'disk')
      mkdirSync(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk])
      try {
        const hub = await start({ store: join(disk, 'store') })
        const a = await join2(hub)
        let acknowledged = 0
        let failed = false
        const stop = a.on('status', status => {
          if (!status.live) failed = true
        })
        for (let i = 0; i < 4000 && !failed; i++) {
          a.cells.row(`row-${i}`).name.set('0123456789abcdef')
          await Promise.race([a.synced().catch(() => {}), new Promise(resolve => setTimeout(resolve, 400))])
          if (a.status().pending === 0) acknowledged = i + 1
        }
        expect(failed).toBe(true)
        expect(acknowledged).toBeGreaterThan(10)
        stop()
        a.close()
        await hub.stop()
        execFileSync('mount', ['-o', 'remount,size=64m', disk])
        const again = await start({ store: join(disk, 'store') })
        const b = await join2(again)
        for (let i = 0; i < acknowledged; i++) expect(b.cells.row(`row-${i}`).exists).toBe(true)
        b.close()
        await again.stop()
      } finally {
        for (const hub of running.splice(0)) await hub.stop()
        execFileSync('umount', [disk])
      }
      expect(readdirSync(disk)).toEqual([])
    },
  )
})

describe('a reader that stalls', () => {
  it('has no queue: it costs no more than the state, and catches up with one frame', async () => {
    const hub = await start()
    const a = await join2(hub)
    const { socket, frames } = await raw(hub)
    socket.send(greeting({ incarnation: 3 }))
    await until(() => frames.length > 0)
    socket.pause()
    const rows = 50
    const rounds = 600
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < rows; i++) a.cells.row(`a-rather-long-row-key-${i}`).name.set(`round ${round}`)
      if (round % 3 === 0) await a.synced()
    }
    await a.synced()
    const space = hub.spaces.get('test')?.space
    expect(space).toBeDefined()
    const reader = [...(space?.readers() ?? [])].find(r => r.lag > 0)
    const lsn = space?.lsn ?? 0
    expect(reader?.lag).toBeGreaterThan(0)
    const foldsBefore = (space?.stats.foldsSent ?? 0) + (space?.stats.snapshotsSent ?? 0)
    socket.resume()
    const reached = () =>
      frames.some(
        frame =>
          (frame.type === 'stream' && frame.lsn + frame.entries.length === lsn) ||
          ((frame.type === 'fold' || frame.type === 'snapshot') && frame.toLsn === lsn) ||
          (frame.type === 'ack' && frame.lsn === lsn),
      )
    await until(reached, 10_000)
    const carried = frames.reduce((sum, frame) => sum + ('body' in frame ? frame.body.length : 0), 0)
    expect(carried).toBeLessThan(rows * 200)
    expect((space?.stats.foldsSent ?? 0) + (space?.stats.snapshotsSent ?? 0)).toBeGreaterThanOrEqual(
      foldsBefore,
    )
    socket.terminate()
    a.close()
  })
})

describe('one stalled reader beside 100 busy ones', () => {
  const changes = process.env.ATOMIK_SHORT === undefined ? 200_000 : 20_000

  it(`${changes} changes: what is queued for it is bounded by the state, not by the changes`, async () => {
    const hub = await start()
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => connect(urlOf(hub), { tables: wide, undoDepth: 0 })),
    )
    const { socket, frames } = await raw(hub)
    socket.send(greeting({ incarnation: 3, schema: new Schema(wide).encode() }))
    await until(() => frames.length > 0)
    socket.pause()
    const space = hub.spaces.get('test')?.space
    if (space === undefined) throw new Error('no space')
    // It is the only one that stalls, so what is queued while the others have caught up is its own.
    let queuedMax = 0
    let logMax = 0
    const each = changes / clients.length / 20
    for (let round = 0; round < 20; round++) {
      for (const [i, client] of clients.entries())
        for (let n = 0; n < each; n++) {
          const row = client.cells.row(`${(i + n) % 50} is a row with a key that takes some bytes`)
          if (n % 2 === 0)
            row.note.set(`change ${n} of round ${round} by client ${i}, `.padEnd(80, 'and so on '))
          else row.sum.add(1)
        }
      await Promise.all(clients.map(client => client.synced()))
      await until(() => [...space.readers()].filter(({ lag }) => lag > 0).length <= 1, 20_000)
      queuedMax = Math.max(queuedMax, hub.queuedBytes())
      logMax = Math.max(logMax, space.logBytes)
    }
    // What 20,000 changes cost fits into the sockets' own buffers, some megabytes: then nobody stalls.
    if (process.env.ATOMIK_SHORT === undefined)
      expect([...space.readers()].filter(({ lag, congested }) => lag > 0 && congested)).toHaveLength(1)
    // A whole snapshot: what a newcomer would be sent.
    const { socket: fresh, frames: state } = await raw(hub)
    fresh.send(greeting({ incarnation: 4, schema: new Schema(wide).encode() }))
    await until(() => state.some(({ type }) => type === 'snapshot' || type === 'stream'))
    const stateBytes = state.reduce((sum, frame) => sum + ('body' in frame ? frame.body.length : 0), 0)
    fresh.close()
    // Until its socket is full it is sent the log; from then on one frame at most is added.
    const bound = 2 * 256 * 1024 + 2 * stateBytes
    expect(queuedMax).toBeLessThan(bound)
    if (process.env.ATOMIK_SHORT === undefined)
      expect(clients[0].status().bytesReceived).toBeGreaterThan(5 * bound)
    console.info(
      `${changes} changes, ${space.lsn} batches: at most ${queuedMax} bytes queued; a busy reader was sent ${clients[0].status().bytesReceived}, the state has ${stateBytes}`,
    )
    expect(logMax).toBeLessThanOrEqual(8 * 1024 * 1024)
    socket.resume()
    await until(() => [...space.readers()].every(({ lag, congested }) => lag === 0 || !congested), 20_000)
    const sum = Array.from(
      { length: 50 },
      (_, i) => clients[0].cells.row(`${i} is a row with a key that takes some bytes`).sum.value,
    ).reduce((a, b) => a + b, 0)
    expect(sum).toBe(changes / 2)
    socket.terminate()
    for (const client of clients) client.close()
  }, 240_000)
})

describe('HTTP', () => {
  it('serves health, metrics and a description, and nothing else', async () => {
    const hub = await start()
    const a = await join2(hub)
    a.cells.row('x').sum.add(1)
    await a.synced()
    const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${hub.port}${path}`, init)
    expect(await (await get('/healthz')).text()).toBe('ok\n')
    const metrics = await (await get('/metrics')).text()
    expect(metrics).toContain('atomik_batches_accepted_total{space="test"} 1')
    expect(metrics).toMatch(/atomik_socket_received_bytes [1-9]/)
    expect(await (await get('/spaces')).json()).toMatchObject([{ name: 'test', lsn: 1, rows: { cells: 1 } }])
    const done = await get('/spaces/test/checkpoint', { method: 'POST' })
    expect(await done.json()).toMatchObject({ lsn: 1, digest: expect.stringMatching(/^[0-9a-f]{16}$/) })
    expect(await (await get('/spaces')).json()).toMatchObject([{ checkpoint: { lsn: 1 }, logBytes: 0 }])
    for (const [path, status] of [
      ['/spaces/none/checkpoint', 404],
      ['/spaces/%zz/checkpoint', 404],
      ['/spaces/test/checkpoints', 405],
    ] as const)
      expect((await get(path, { method: 'POST' })).status).toBe(status)
    expect((await get('/no-such')).status).toBe(404)
    expect((await get('/healthz', { method: 'POST' })).status).toBe(405)
    a.close()
  })
})

/** Goal: `atomik waste` says what the report says, and refuses in one line. Method: files in place of the devices. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readable } from './containers.ts'
import { bytesText, sparkline } from './render.ts'
import { parseReport } from './report.ts'
import { DeviceTable } from './table.ts'
import { countPages, privateMappings, rollupBytes } from './user.ts'
import { type WastePaths, waste } from './waste.ts'

let directory: string
let paths: WastePaths

const row = (id: string, extra: string) =>
  `cgroup id=${id} copies=1000 zero_fills=3 sampled=64 judged=48 unchanged=36 lines=12 bytes=768 bits=3000 lost=0 ${extra}`
const network = 'sends=40 send_bytes=4000 compared=40 repeats=10 repeat_bytes=1000'
const live = 'live=16 live_unchanged=12 live_lines=4 live_bytes=256'

function report(id: string): string {
  return (
    'atomik-waste version=1\n' +
    'state running=1 cow=16 slots=4096 net=1 held=16 no_slot=2 net_missed=1\n' +
    `${row('18446744073709551615', `${network} live=0 live_unchanged=0 live_lines=0 live_bytes=0`)}\n` +
    `${row(id, `${network} ${live} later_field=9`)}\n`
  )
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atomik-waste-'))
  paths = {
    device: join(directory, 'device'),
    cgroups: join(directory, 'cgroup'),
    docker: join(directory, 'docker'),
    proc: '/proc',
  }
  mkdirSync(join(directory, 'cgroup', 'a.slice'), { recursive: true })
  const id = String(statSync(join(directory, 'cgroup', 'a.slice'), { bigint: true }).ino)
  writeFileSync(paths.device, report(id))
})
afterEach(() => rmSync(directory, { recursive: true }))

async function run(...argv: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await waste(argv, { out: text => out.push(text), err: text => err.push(text) }, paths)
  return { code, out: out.join(''), err: err.join('') }
}

describe('the report', () => {
  it('gives exact counts, and shares of judged and live copies together', () => {
    const { cgroups, total, missed } = parseReport(report('7'), id => `name ${id}`)
    const seven = cgroups.find(one => one.id === '7')
    expect(seven).toMatchObject({ copies: 1000, looked: 64, unchangedShare: 0.75, wastedBytes: 750 * 4096 })
    expect(seven?.linesShare).toBe(16 / 64 / 64)
    expect(seven?.bytesShare).toBe(1024 / 64 / 4096)
    expect(total).toMatchObject({ copies: 2000, repeats: 20, repeatBytes: 2000 })
    expect(missed).toEqual({ copiesWithoutSlot: 2, sendsWithoutProbe: 1 })
  })

  it('keeps an id of 64 bits whole', () => {
    expect(parseReport(report('7'), id => id).cgroups.map(one => one.id)).toContain('18446744073709551615')
  })

  it('has no share where nothing was looked at', () => {
    const text = 'atomik-waste version=1\ncgroup id=1 copies=5\n'
    expect(parseReport(text, id => id).cgroups[0]).toMatchObject({ unchangedShare: null, wastedBytes: 0 })
  })

  it('refuses another version and a torn line', () => {
    expect(() => parseReport('atomik-waste version=2\n', String)).toThrow(/version 1/)
    expect(() => parseReport('atomik-waste version=1\ncgroup id=', String)).toThrow(/name=number/)
  })
})

describe('atomik waste', () => {
  it('prints a table with resolved names, and those that are gone by id', async () => {
    const { code, out } = await run()
    expect(code).toBe(0)
    expect(out).toContain('/a.slice')
    expect(out).toContain('(gone: 18446744073709551615)')
    expect(out).toContain('one copy in 16')
    expect(out).toContain('3 observations missed')
    expect(out).toMatch(/total +2,000/)
  })

  it('prints JSON that parses', async () => {
    const { out } = await run('--json')
    expect(JSON.parse(out)).toMatchObject({ source: 'module', every: 16 })
  })

  it('limits the table to --top', async () => {
    expect((await run('--top', '1')).out.split('\n')).toHaveLength(5)
  })

  it('writes the commands the module reads', async () => {
    await run('--start', '--every=8', '--slots=100', '--no-net')
    expect(readFileSync(paths.device, 'utf8')).toMatch(/^start cow=8 slots=100 net=0\n/)
  })

  it('serves Prometheus text until told to stop', async () => {
    const stop = new AbortController()
    const said: string[] = []
    const ended = waste(
      ['--prometheus=0'],
      { out: text => said.push(text), err: () => {}, signal: stop.signal },
      paths,
    )
    while (said.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    const text = await (await fetch(said.join('').split(',')[0] as string)).text()
    expect(text).toContain('atomik_waste_cow_copies_total{cgroup="/a.slice"')
    expect(text).toContain('atomik_waste_missed_total 3')
    stop.abort()
    expect(await ended).toBe(0)
  })

  it('draws again and again with --watch until told to stop', async () => {
    const stop = new AbortController()
    let draws = 0
    const out = (text: string) => void (text.includes('copied for nothing') && ++draws === 2 && stop.abort())
    expect(await waste(['--watch=1'], { out, err: () => {}, signal: stop.signal }, paths)).toBe(0)
    expect(draws).toBe(2)
  })

  it.each([
    [['--nonsense'], /nonsense/],
    [['--top=0'], /--top wants/],
    [['12'], /go with --user/],
    [['--user'], /at least one/],
    [['--user', 'x'], /--user wants/],
    [['--start', '--stop'], /exclude/],
    [['--every=4'], /go with --start/],
    [['--watch=0'], /--watch wants/],
  ])('refuses %j with code 2 and one line', async (argv, message) => {
    const { code, out, err } = await run(...argv)
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(message)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
  })

  it('says what to do where the device is absent', async () => {
    rmSync(paths.device)
    for (const argv of [[], ['--start'], ['--watch'], ['--prometheus=0']]) {
      const { code, err } = await run(...argv)
      expect(code).toBe(1)
      expect(err).toMatch(/absent: load the kernel module .* or use --user PID\n$/)
    }
  })

  it('tells of a process without the module', async () => {
    const { code, out } = await run('--user', String(process.pid), '--interval=20', '--json')
    expect(code).toBe(0)
    const [self] = JSON.parse(out)
    expect(self).toMatchObject({ source: 'user', pid: process.pid })
    expect(self.presentPages).toBeGreaterThan(1000)
  })

  it('refuses a process there is none of', async () => {
    expect(await run('--user', '4194303')).toMatchObject({
      code: 1,
      err: 'atomik waste: there is no process 4194303\n',
    })
  })
})

describe('names', () => {
  const id = 'ab'.repeat(32)
  it.each([
    [`/system.slice/docker-${id}.scope`, 'docker:abababababab'],
    [`/docker/${id}`, 'docker:abababababab'],
    [`/machine.slice/libpod-${id}.scope`, 'libpod:abababababab'],
    [`/kubepods.slice/cri-containerd-${id}.scope`, 'cri-containerd:abababababab'],
    [`/x/${id}`, 'container:abababababab'],
    ['/user.slice', '/user.slice'],
  ])('%s is %s', (path, name) => expect(readable(path, '/nowhere')).toBe(name))

  it('takes Docker’s own name where it may read it', () => {
    mkdirSync(join(paths.docker, id), { recursive: true })
    writeFileSync(join(paths.docker, id, 'config.v2.json'), '{"Name":"/shop"}')
    expect(readable(`/docker/${id}`, paths.docker)).toBe('docker:shop')
  })
})

describe('/proc', () => {
  it('counts present and soft-dirty pages', () => {
    const entries = Buffer.alloc(32)
    entries.writeBigUInt64LE(1n << 63n, 0)
    entries.writeBigUInt64LE((1n << 63n) | (1n << 55n), 8)
    entries.writeBigUInt64LE(1n << 55n, 16)
    expect(countPages(entries)).toEqual({ present: 2, written: 1 })
  })

  it('takes private writable mappings only', () => {
    const maps = '1000-3000 rw-p 0 00:00 0\n4000-5000 r--p 0 00:00 0\n6000-7000 rw-s 0 00:00 0\n'
    expect(privateMappings(maps)).toEqual([{ start: 0x1000n, end: 0x3000n }])
  })

  it('reads a figure of smaps_rollup', () => {
    expect(rollupBytes('Pss:      12 kB\nPss_Dirty:  3 kB\n', 'Pss')).toBe(12 * 1024)
  })
})

describe('drawing', () => {
  it('scales bytes and bars', () => {
    expect(bytesText(1023)).toBe('1023 B')
    expect(bytesText(1536)).toBe('1.5 KiB')
    expect(sparkline([0, 1, 2, 4, 8], 4)).toBe('▂▃▅█')
    expect(sparkline([0, 0], 4)).toBe('▁▁')
  })
})

describe('a table without the device', () => {
  it('says so in one sentence', () => {
    expect(() => DeviceTable.create(1, { path: join(directory, 'none') })).toThrow(
      /is absent: load the kernel module/,
    )
  })
})

/**
 * The report of /dev/atomik-waste: text in, figures out. Pure.
 *
 * Counts (copies, sends) are exact; shares come from the copies looked at: those judged at the end of their life and
 * those still held, as they are now.
 */
import { DeviceError } from './abi.ts'

export interface CgroupWaste {
  readonly id: string
  /** Resolved in user space; the id in brackets when the cgroup is gone. */
  readonly name: string
  readonly copies: number
  readonly looked: number
  /** Of the copies looked at, never seen to differ from their source: 0 to 1, or null if none was looked at. */
  readonly unchangedShare: number | null
  /** 64-byte lines changed, of all lines of the copies looked at. */
  readonly linesShare: number | null
  readonly bytesShare: number | null
  /** copies × unchangedShare, in bytes: an estimate unless every copy is looked at. */
  readonly wastedBytes: number
  readonly sends: number
  readonly sendBytes: number
  readonly repeats: number
  readonly repeatBytes: number
}

export interface WasteReport {
  readonly source: 'module'
  readonly running: boolean
  /** One copy in this many is looked at; 0 is none. */
  readonly every: number
  readonly missed: { readonly copiesWithoutSlot: number; readonly sendsWithoutProbe: number }
  readonly cgroups: readonly CgroupWaste[]
  readonly total: CgroupWaste
}

const pageBytes = 4096
const pageLines = 64

type Fields = ReadonlyMap<string, number | string>

function fieldsOf(line: string): { word: string; fields: Fields } {
  const [word = '', ...pairs] = line.split(' ')
  const fields = new Map<string, number | string>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at)
    const text = pair.slice(at + 1)
    if (at < 1 || !/^\d+$/.test(text)) throw new DeviceError('report', `wanted name=number, got '${pair}'`)
    // An id uses all 64 bits.
    fields.set(name, name === 'id' ? text : Number(text))
  }
  return { word, fields }
}

const number = (fields: Fields, name: string): number => Number(fields.get(name) ?? 0)

function wasteOf(id: string, name: string, fields: Fields): CgroupWaste {
  const looked = number(fields, 'judged') + number(fields, 'live')
  const share = (n: number): number | null => (looked ? n / looked : null)
  const unchangedShare = share(number(fields, 'unchanged') + number(fields, 'live_unchanged'))
  const copies = number(fields, 'copies')
  return {
    id,
    name,
    copies,
    looked,
    unchangedShare,
    linesShare: share((number(fields, 'lines') + number(fields, 'live_lines')) / pageLines),
    bytesShare: share((number(fields, 'bytes') + number(fields, 'live_bytes')) / pageBytes),
    wastedBytes: Math.round(copies * (unchangedShare ?? 0) * pageBytes),
    sends: number(fields, 'sends'),
    sendBytes: number(fields, 'send_bytes'),
    repeats: number(fields, 'repeats'),
    repeatBytes: number(fields, 'repeat_bytes'),
  }
}

/** @throws DeviceError `report` for text that is not a report of version 1 */
export function parseReport(text: string, nameOf: (id: string) => string): WasteReport {
  const lines = text.split('\n').filter(line => line !== '')
  if (lines[0] !== 'atomik-waste version=1')
    throw new DeviceError('report', `wanted a report of version 1, got '${(lines[0] ?? '').slice(0, 60)}'`)
  let state: Fields = new Map()
  const sums = new Map<string, number>()
  const cgroups: CgroupWaste[] = []
  for (const line of lines.slice(1)) {
    const { word, fields } = fieldsOf(line)
    if (word === 'state') state = fields
    if (word !== 'cgroup') continue
    const id = String(fields.get('id') ?? '0')
    cgroups.push(wasteOf(id, id === '0' ? '(no room for its row)' : nameOf(id), fields))
    for (const [name, value] of fields)
      if (typeof value === 'number') sums.set(name, (sums.get(name) ?? 0) + value)
  }
  const rank = (row: CgroupWaste): number => row.wastedBytes + row.repeatBytes
  cgroups.sort((a, b) => rank(b) - rank(a) || b.copies - a.copies)
  const summed = wasteOf('total', 'total', sums)
  return {
    source: 'module',
    running: number(state, 'running') === 1,
    every: number(state, 'cow'),
    missed: { copiesWithoutSlot: number(state, 'no_slot'), sendsWithoutProbe: number(state, 'net_missed') },
    cgroups,
    // Each cgroup's share by its own copies: a sum of samples would weigh them by how often they were looked at.
    total: { ...summed, wastedBytes: cgroups.reduce((sum, row) => sum + row.wastedBytes, 0) },
  }
}

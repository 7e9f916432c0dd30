/** `atomik inspect`: looks into a space on a hub, a store on disk, or a frame. Changes nothing. */
import { existsSync } from 'node:fs'
import { AtomikError, connect, decodeSchema, type TableSchema } from 'atomik'
import { formatIncarnation, listSpaces, loadSpace } from 'atomik/engine'
import { LmdbStorage } from 'atomik/storage/lmdb'
import { type DownlinkFrame, decodeDownlink, decodeUplink, encodeUtf8, type UplinkFrame } from 'atomik/wire'
import Table from 'cli-table3'
import { Command, Option } from 'commander'
import { describeHub } from './hub-client.ts'

type Values = Readonly<Record<string, unknown>>
type TableDump = Readonly<Record<string, Values>>

const token = () => new Option('--token <token>', 'token for the hub').env('ATOMIK_TOKEN')

export function inspectCommand(): Command {
  const command = new Command('inspect').description('look into a space, a store or a frame')
  command
    .command('space')
    .argument('<url>', 'ws://host:port/space')
    .description('the rows of a live space')
    .option('--json', 'as JSON')
    .addOption(token())
    .action(inspectSpace)
  command
    .command('hub')
    .argument('<url>', 'http://host:port')
    .description('the spaces of a hub, as JSON')
    .addOption(token())
    .action(async (url: string, options: { token?: string }) => {
      process.stdout.write(`${JSON.stringify(await describeHub(url, options.token), null, 2)}\n`)
    })
  command
    .command('store')
    .argument('<folder>', 'store of a hub that is not running')
    .argument('[space]', 'one space; without it, what there is')
    .description('what a store holds')
    .option('--json', 'as JSON')
    .action(inspectStore)
  command
    .command('frame')
    .argument('<hex>', 'one message, in hexadecimal')
    .description('what a message says, as JSON')
    .action((hex: string) => {
      process.stdout.write(`${JSON.stringify(explainMessage(hex), printable, 2)}\n`)
    })
  return command
}

async function inspectSpace(url: string, options: { json?: boolean; token?: string }): Promise<void> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^wss?:$/.test(parsed.protocol) || parsed.pathname.length < 2)
    throw new AtomikError('range', `expected a URL like ws://host:port/space, got ${url}`)
  const name = decodeURIComponent(parsed.pathname.slice(1))
  const spaces = await describeHub(
    `${parsed.protocol === 'wss:' ? 'https' : 'http'}://${parsed.host}`,
    options.token,
  )
  const found = spaces.find(space => space.name === name)
  if (found === undefined)
    throw new AtomikError(
      'unknown-space',
      `there is no space ${name}; the hub has ${spaces.map(s => s.name).join(', ') || 'none'}`,
    )
  const schema = decodeSchema(encodeUtf8(found.schema))
  const tables = Object.fromEntries(schema.names.map((table, t) => [table, schema.tables[t]])) as Record<
    string,
    TableSchema
  >
  const space = await connect(url, { tables, ...(options.token !== undefined && { token: options.token }) })
  const dump = Object.fromEntries(
    schema.names.map(table => [
      table,
      Object.fromEntries([...space[table].rows()].map(row => [row.key, row.read()])),
    ]),
  )
  const { lsn } = space.status()
  space.close()
  show({ space: name, lsn, schemaHash: schema.hash }, dump, options.json)
}

async function inspectStore(
  folder: string,
  name: string | undefined,
  options: { json?: boolean },
): Promise<void> {
  if (!existsSync(folder)) throw new AtomikError('storage', `there is no store ${folder}`)
  const storage = await LmdbStorage.open({ path: folder, readOnly: true })
  try {
    const names = listSpaces(storage)
    if (name === undefined) {
      process.stdout.write(options.json ? `${JSON.stringify(names)}\n` : names.map(n => `${n}\n`).join(''))
      return
    }
    const image = loadSpace(storage, name)
    if (image === undefined)
      throw new AtomikError(
        'unknown-space',
        `the store has no space ${name}; it has ${names.join(', ') || 'none'}`,
      )
    const { schema, reference } = image
    const dump = Object.fromEntries(
      schema.names.map((table, t) => [
        table,
        Object.fromEntries(
          reference.tables[t].keys.map((key, row) => [
            key,
            words(reference.tables[t].words, row, reference.tables[t].layout.words),
          ]),
        ),
      ]),
    )
    const head = {
      space: name,
      lsn: image.lsn,
      schemaHash: schema.hash,
      digest: reference.digest(),
      incarnations: image.heads.size,
    }
    show(head, dump, options.json)
  } finally {
    await storage.close()
  }
}

/** The words of a row as they are stored: what fields they make is the schema's business. */
function words(halves: Int32Array, row: number, count: number): Values {
  const values: Record<string, string> = {}
  for (let word = 0; word < count; word++) {
    const at = 2 * (row * count + word)
    values[`w${word}`] =
      `0x${((BigInt(halves[at + 1] >>> 0) << 32n) | BigInt(halves[at] >>> 0)).toString(16)}`
  }
  return values
}

function show(
  head: Readonly<Record<string, unknown>>,
  dump: Readonly<Record<string, TableDump>>,
  json: boolean | undefined,
): void {
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ ...head, tables: dump }, printable, 2)}\n`)
    return
  }
  process.stdout.write(
    `${Object.entries(head)
      .map(([name, value]) => `${name} ${value}`)
      .join('  ')}\n`,
  )
  for (const [name, rows] of Object.entries(dump)) {
    const keys = Object.keys(rows)
    const columns = Object.keys(rows[keys[0]] ?? {})
    const table = new Table({ head: [name, ...columns], style: { head: [], border: [], compact: true } })
    for (const key of keys.sort())
      table.push([key, ...columns.map(column => String(printable('', rows[key][column])))])
    process.stdout.write(`${table.toString()}\n`)
  }
}

function explainMessage(hex: string): readonly (UplinkFrame | DownlinkFrame)[] {
  const clean = hex.replace(/^0x|\s/g, '')
  if (!/^([0-9a-f]{2})+$/i.test(clean))
    throw new AtomikError('malformed', 'expected pairs of hexadecimal digits')
  const bytes = Uint8Array.from(Buffer.from(clean, 'hex'))
  // Types below 16, and those of single changes, come from clients.
  return bytes[0] < 16 || (bytes[0] >= 128 && bytes[0] < 192) ? decodeUplink(bytes) : decodeDownlink(bytes)
}

function printable(name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array)
    return name === 'incarnation' ? formatIncarnation(value) : Buffer.from(value).toString('hex')
  return value
}

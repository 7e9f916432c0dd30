/**
 * Two versions of real files, written by the programs they belong to: a SQLite database before and after a load of transactions, the
 * memory of the WebAssembly machine that SQLite ran in meanwhile, and an LMDB environment.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import initSqlJs from 'sql.js'
import { numbers } from '../sync/work.ts'

export interface Versions {
  readonly name: string
  readonly what: string
  readonly old: string
  readonly new: string
}

/** Writes the files into a folder of their own. The caller removes it. */
export async function makeFiles(quick: boolean): Promise<{ folder: string; files: Versions[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'atomik-bench-pages-'))
  try {
    return { folder, files: [...(await sqlite(folder, quick)), await lmdb(folder, quick)] }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

const word = (next: () => number) => next().toString(36).padStart(7, '0')

async function sqlite(folder: string, quick: boolean): Promise<Versions[]> {
  // The memory of the machine is handed out by nobody; it is caught when the module makes it.
  const memories: WebAssembly.Memory[] = []
  const { instantiate } = WebAssembly
  const caught = WebAssembly as { instantiate: unknown }
  caught.instantiate = async (...args: Parameters<typeof instantiate>) => {
    const result = await instantiate(...args)
    const instance =
      'instance' in result
        ? (result.instance as WebAssembly.Instance)
        : (result as unknown as WebAssembly.Instance)
    for (const value of Object.values(instance.exports))
      if (value instanceof WebAssembly.Memory) memories.push(value)
    return result
  }
  const SQL = await initSqlJs()
  caught.instantiate = instantiate
  const [memory] = memories
  if (memory === undefined) throw new Error('SQLite showed no memory')

  const next = numbers(11)
  const rows = quick ? 2000 : 100_000
  const db = new SQL.Database()
  db.run('CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, item TEXT, amount REAL, state TEXT)')
  db.run('CREATE INDEX by_customer ON orders (customer)')
  const insert = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?)')
  const add = (id: number) => insert.run([id, word(next), `${word(next)} ${word(next)}`, next() / 1e4, 'new'])
  db.run('BEGIN')
  for (let id = 1; id <= rows; id++) add(id)
  db.run('COMMIT')
  const paths = ['sqlite.old', 'sqlite.new', 'memory.old', 'memory.new'].map(name => join(folder, name))
  const image = () => new Uint8Array(memory.buffer).slice()
  // `export` closes and reopens the database, so prepared statements end here.
  insert.free()
  writeFileSync(paths[0], db.export())
  const before = image()

  const update = db.prepare('UPDATE orders SET state = ?, amount = amount + ? WHERE id = ?')
  const again = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?)')
  for (let transaction = 0; transaction < rows / 200; transaction++) {
    db.run('BEGIN')
    // Recent rows change more often than old ones, as they do.
    for (let i = 0; i < 3; i++) {
      const age = Math.floor((next() / 2 ** 32) ** 3 * rows)
      update.run([['paid', 'sent', 'done'][next() % 3], 1, rows - age])
    }
    again.run([rows + transaction + 1, word(next), `${word(next)} ${word(next)}`, next() / 1e4, 'new'])
    db.run('COMMIT')
  }
  update.free()
  again.free()
  const after = image()
  // A memory that grew is longer: the old one is continued with zeros by everybody.
  writeFileSync(paths[2], before)
  writeFileSync(paths[3], after)
  writeFileSync(paths[1], db.export())
  db.close()
  const load = `${rows / 200} transactions of three updates and an insert`
  return [
    { name: 'SQLite database', what: `${rows} orders with an index, ${load}`, old: paths[0], new: paths[1] },
    {
      name: 'memory image',
      what: 'the memory SQLite ran in, at the same two moments',
      old: paths[2],
      new: paths[3],
    },
  ]
}

async function lmdb(folder: string, quick: boolean): Promise<Versions> {
  const path = join(folder, 'lmdb')
  const db = open<Buffer>(path, { noSubdir: true, encoding: 'binary' })
  const next = numbers(12)
  const keys = quick ? 2000 : 100_000
  const value = () => Buffer.from(Array.from({ length: 8 }, () => next() & 255))
  await db.transaction(() => {
    for (let key = 0; key < keys; key++) db.put(key, Buffer.concat([value(), value(), value()]))
  })
  await db.flushed
  copyFileSync(path, `${path}.old`)
  for (let transaction = 0; transaction < 50; transaction++)
    await db.transaction(() => {
      for (let i = 0; i < keys / 5000; i++) {
        const key = next() % keys
        db.put(key, Buffer.concat([value(), (db.get(key) ?? value()).subarray(8, 24)]))
      }
    })
  await db.flushed
  copyFileSync(path, `${path}.new`)
  await db.close()
  return {
    name: 'LMDB environment',
    what: `${keys} records of 24 bytes, 1 % of them written in 50 transactions (copy on write moves pages)`,
    old: `${path}.old`,
    new: `${path}.new`,
  }
}

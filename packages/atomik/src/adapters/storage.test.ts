/** Goal: each storage keeps the contract. Method: the contract on each, LMDB on a real folder. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { AtomikError } from '../errors.ts'
import { storageContract } from './storage.contract.ts'
import { LmdbStorage } from './storage-lmdb.ts'
import { MemoryStorage } from './storage-memory.ts'

const folder = mkdtempSync(join(tmpdir(), 'atomik-storage-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let stores = 0
let last = ''

storageContract('memory', async () => new MemoryStorage())
storageContract(
  'lmdb',
  () => {
    last = join(folder, `store-${stores++}`)
    return LmdbStorage.open({ path: last })
  },
  async storage => {
    await storage.close()
    return LmdbStorage.open({ path: last })
  },
)

it('says in one line why a store cannot be opened', async () => {
  const file = join(folder, 'not-a-store')
  writeFileSync(file, 'this is no database, only words '.repeat(512))
  await expect(LmdbStorage.open({ path: file })).rejects.toThrow(AtomikError)
  await expect(LmdbStorage.open({ path: file })).rejects.toThrow(
    /^[^\n]*not-a-store is cut short or no store: 16384 bytes and no meta page$/,
  )
})

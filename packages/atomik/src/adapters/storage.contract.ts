/**
 * What every storage must do. Goal: the engine may rely on order, atomicity and snapshots of bytes. Method: the same checks on each
 * adapter, from an empty store; `reopen` comes back to the same store where the adapter outlives a process.
 */
import { describe, expect, it } from 'vitest'
import type { Put, ReplicaStorage } from '../engine/index.ts'
import { AtomikError } from '../errors.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const put = (key: Uint8Array, ...value: number[]): Put => ({ key, value: bytes(...value) })
async function entries(storage: ReplicaStorage, prefix = bytes()): Promise<[number[], number[]][]> {
  const found: [number[], number[]][] = []
  for await (const { key, value } of storage.range(prefix)) found.push([[...key], [...value]])
  return found
}

export function storageContract(
  name: string,
  open: () => Promise<ReplicaStorage>,
  reopen?: (storage: ReplicaStorage) => Promise<ReplicaStorage>,
): void {
  describe(`storage contract: ${name}`, () => {
    it('is empty at first', async () => {
      const storage = await open()
      expect(await entries(storage)).toEqual([])
      await storage.close()
    })
    it('returns entries in the order of their key bytes, unsigned', async () => {
      const storage = await open()
      await storage.write([put(bytes(1, 255), 3), put(bytes(200), 4), put(bytes(1), 1), put(bytes(1, 0), 2)])
      expect((await entries(storage)).map(([key]) => key)).toEqual([[1], [1, 0], [1, 255], [200]])
      await storage.close()
    })
    it('limits a range to its prefix, also where the prefix ends in 255', async () => {
      const storage = await open()
      await storage.write([
        put(bytes(7, 255), 1),
        put(bytes(7, 255, 9), 2),
        put(bytes(8), 3),
        put(bytes(7, 254), 4),
      ])
      expect((await entries(storage, bytes(7, 255))).map(([, value]) => value)).toEqual([[1], [2]])
      expect(await entries(storage, bytes(255))).toEqual([])
      await storage.close()
    })
    it('replaces and removes, and takes the last of two puts of one key', async () => {
      const storage = await open()
      await storage.write([put(bytes(1), 1), put(bytes(2), 2)])
      await storage.write([put(bytes(1), 8), put(bytes(1), 9), { key: bytes(2), value: undefined }])
      await storage.write([{ key: bytes(77), value: undefined }])
      expect(await entries(storage)).toEqual([[[1], [9]]])
      await storage.close()
    })
    it('keeps an empty value apart from an absent one', async () => {
      const storage = await open()
      await storage.write([put(bytes(1))])
      expect(await entries(storage)).toEqual([[[1], []]])
      await storage.close()
    })
    it('keeps its own copy of what it was given', async () => {
      const storage = await open()
      const [key, value] = [bytes(1), bytes(5)]
      await storage.write([{ key, value }])
      key[0] = 9
      value[0] = 9
      expect(await entries(storage)).toEqual([[[1], [5]]])
      await storage.close()
    })
    it('keeps concurrent writes in the order of their calls', async () => {
      const storage = await open()
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => storage.write([put(bytes(1), i), put(bytes(2, i), i)])),
      )
      const found = await entries(storage)
      expect(found[0]).toEqual([[1], [49]])
      expect(found.length).toBe(51)
      await storage.close()
    })
    it('takes ten thousand records in one write, and many long ones', async () => {
      const storage = await open()
      const many = Array.from({ length: 10_000 }, (_, i) => put(bytes(1, i >> 8, i & 255), i & 255))
      await storage.write(many)
      await storage.write([{ key: bytes(2), value: new Uint8Array(1_000_000).fill(7) }])
      const found = await entries(storage)
      expect(found.length).toBe(10_001)
      expect(found[9999]).toEqual([[1, 39, 15], [15]])
      expect(found[10_000][1].length).toBe(1_000_000)
      await storage.close()
    })
    it('refuses work after it is closed, with a typed error', async () => {
      const storage = await open()
      await storage.close()
      await storage.close()
      await expect(entries(storage)).rejects.toThrow(AtomikError)
      await expect(storage.write([put(bytes(1), 1)])).rejects.toThrow(AtomikError)
    })
    if (reopen !== undefined)
      it('is there again when reopened', async () => {
        const storage = await open()
        await storage.write([put(bytes(3), 1, 2, 3)])
        const again = await reopen(storage)
        expect(await entries(again)).toEqual([[[3], [1, 2, 3]]])
        await again.close()
      })
  })
}

/**
 * Goal: a name is held by one process at a time, and by none that is dead. Method: locks of the kinds this platform can do, taken here and
 * in processes that are killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type LockKind, lockName } from './lock-process.ts'

const kinds: readonly LockKind[] =
  process.platform === 'linux' ? ['abstract', 'file'] : process.platform === 'win32' ? ['pipe'] : ['file']
const source = fileURLToPath(new URL('../../dist/adapters/lock-process.js', import.meta.url))

async function holder(name: string, kind: LockKind): Promise<ChildProcess> {
  const script = `
    import { lockName } from ${JSON.stringify(source)}
    await lockName(${JSON.stringify(name)}, 'it', ${JSON.stringify(kind)})
    console.log('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve, reject) => child.stdout.once('data', resolve).once('end', reject))
  return child
}

describe.each(kinds)('a lock of the kind %s', kind => {
  it('is held once, and free again when it is let go', async () => {
    const name = `${process.pid} once ${kind}`
    const release = await lockName(name, 'the thing', kind)
    await expect(lockName(name, 'the thing', kind)).rejects.toMatchObject({
      code: 'in-use',
      message: `the thing is open in process ${process.pid}`,
    })
    await (await lockName(`${name} other`, 'another', kind))()
    await release()
    await (await lockName(name, 'the thing', kind))()
  })

  it('is named after the process that has it, and taken from a dead one at once', async () => {
    const name = `${process.pid} killed ${kind}`
    const child = await holder(name, kind)
    await expect(lockName(name, 'it', kind)).rejects.toMatchObject({
      code: 'in-use',
      message: `it is open in process ${child.pid}`,
    })
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    await (await lockName(name, 'it', kind))()
  })

  it('is held by a process that was stopped, which cannot say so', async () => {
    const name = `${process.pid} stopped ${kind}`
    const child = await holder(name, kind)
    child.kill('SIGSTOP')
    await expect(lockName(name, 'it', kind)).rejects.toMatchObject({ code: 'in-use' })
    child.kill('SIGKILL')
  })
})

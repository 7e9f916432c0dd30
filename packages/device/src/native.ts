/** The three calls of libc that Node does not offer, through koffi; loaded at the first use, never at import. */
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { DeviceError } from './abi.ts'

export interface Native {
  /** @returns what the call returns, 0 or more @throws DeviceError with the errno's name */
  ioctl(file: number, command: number, argument: Buffer, what: string): number
  /** Maps a file shared, for reading and writing. The view is valid until `unmap`. */
  map(file: number, bytes: number): { view: ArrayBuffer; unmap(): void }
  address(buffer: Buffer): bigint
}

type Koffi = typeof import('koffi')

let loaded: Native | undefined

export function native(): Native {
  loaded ??= load()
  return loaded
}

function load(): Native {
  let koffi: Koffi
  try {
    // Through require so that a platform without a binary fails here, with a message, not at import.
    koffi = createRequire(import.meta.url)('koffi') as Koffi
  } catch (cause) {
    throw new DeviceError('native', 'koffi has no binary for this platform; the device needs it', { cause })
  }
  const libc = koffi.load('libc.so.6')
  const ioctl = libc.func('int ioctl(int file, unsigned long command, void *argument)')
  const mmap = libc.func(
    'void *mmap(void *at, size_t bytes, int protection, int flags, int file, long offset)',
  )
  const munmap = libc.func('int munmap(void *at, size_t bytes)')
  const failure = (what: string): DeviceError => {
    const code = getSystemErrorName(-koffi.errno())
    return new DeviceError(code, `${what}: ${code}`)
  }
  return {
    ioctl(file, command, argument, what) {
      const result: number = ioctl(file, command, argument)
      if (result < 0) throw failure(what)
      return result
    },
    map(file, bytes) {
      const at = mmap(null, bytes, 3, 1, file, 0)
      // MAP_FAILED is -1.
      if (koffi.address(at) === 0xffff_ffff_ffff_ffffn) throw failure('mapping the ring')
      return { view: koffi.view(at, bytes), unmap: () => munmap(at, bytes) }
    },
    address: buffer => koffi.address(buffer),
  }
}

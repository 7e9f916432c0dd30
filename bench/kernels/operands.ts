/** Operands as baseline.c fills them, and what is said about sizes. */
import { type Block, BlockMemory, type Implementation } from 'atomik/blocks'

/** `count` blocks of `bytes`, half h of block i being (h + i + 1) · 0x9e3779b1. */
export function operands(
  bytes: number,
  count: number,
  options: { readonly implementation?: Implementation; readonly shared?: boolean } = {},
): { memory: BlockMemory; blocks: Block[] } {
  const memory = new BlockMemory({ bytes: count * (bytes + 8192), ...options })
  const blocks = Array.from({ length: count }, (_, i) => {
    const block = memory.allocate(bytes / 8)
    fill(block, i)
    return block
  })
  return { memory, blocks }
}

export function fill({ halves }: Block, i: number): void {
  for (let half = 0; half < halves.length; half++) halves[half] = Math.imul(half + i + 1, 0x9e37_79b1)
}

/** The generator of baseline.c. */
export function draws(): () => number {
  let state = 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export function sizeName(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`
}

/** The XOR of all words, as baseline.c prints it. */
export function checkOf(memory: BlockMemory, block: Block): string {
  memory.fold(block)
  return resultOf(memory)
}

/** The last fold or digest, as baseline.c prints it. */
export function resultOf({ low, high }: BlockMemory): string {
  return ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)
}

/** A figure of a kernel that computes something else is none. */
export function agree(what: string, ours: string, theirs: string): void {
  if (ours !== theirs) throw new Error(`${what}: ours gives ${ours}, C gives ${theirs}`)
}

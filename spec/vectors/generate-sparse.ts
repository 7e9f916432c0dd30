/**
 * Writes spec/vectors/sparse.json: blocks of words and their sparse encodings (spec/semantics.md S92), in both forms of a part. Encoded by
 * the plain JavaScript of the library; `sparse.contract.ts` replays them with every implementation, and with an encoder of its own.
 */
import { encodedBytesMax } from '../../packages/atomik/src/blocks/kernels.ts'
import { BlockMemory } from '../../packages/atomik/src/blocks/memory.ts'
import { formatLists, hexBytes, hexHalves } from './text.ts'

/** Words that are not 0, by index: [index, high half, low half]. */
type Changed = readonly (readonly [number, number, number])[]

const cases: readonly { readonly name: string; readonly words: number; readonly changed: Changed }[] = [
  { name: 'nothing', words: 0, changed: [] },
  { name: 'one word, zero', words: 1, changed: [] },
  { name: 'one word, one', words: 1, changed: [[0, 0, 1]] },
  { name: 'one word, all bits', words: 1, changed: [[0, 0xffff_ffff, 0xffff_ffff]] },
  { name: 'one word, first and last byte: by bytes', words: 1, changed: [[0, 0x8000_0000, 1]] },
  { name: 'a small number far away', words: 1000, changed: [[777, 0, 5]] },
  {
    name: 'random words: by words',
    words: 300,
    changed: [
      [0, 0x9e37_79b9, 0x7f4a_7c15],
      [1, 0xbf58_476d, 0x1ce4_e5b9],
      [40, 0x94d0_49bb, 0x1331_11eb],
      [299, 0xd6e8_feb8, 0x6659_fd93],
    ],
  },
  {
    name: 'small numbers in wide company: by bytes',
    words: 300,
    changed: [
      [3, 0, 1],
      [7, 0, 2],
      [60, 0x1234_5678, 0x9abc_def1],
      [61, 0, 0x0101],
      [299, 0x0700_0000, 0],
    ],
  },
  {
    name: 'text that moved: one run over words',
    words: 8,
    changed: [
      [2, 0x6172_7465, 0],
      [3, 0x6f20_6e61, 0x7620_6c61],
      [4, 0, 0x0000_6c64],
    ],
  },
  {
    name: 'two parts, one by words, one by bytes',
    words: 65_540,
    changed: [
      [5, 0x1111_1111, 0x1111_1111],
      [65_536, 0, 1],
      [65_539, 0x0100_0000, 1],
    ],
  },
]

export function sparseVectors() {
  return cases.map(({ name, words, changed }) => {
    const memory = new BlockMemory({ bytes: 16 * words + 65_536, implementation: 'javascript' })
    const block = memory.allocate(words)
    const wire = memory.allocate(Math.ceil(encodedBytesMax(words) / 8))
    for (const [index, high, low] of changed) {
      block.halves[2 * index] = low
      block.halves[2 * index + 1] = high
    }
    const bytes = memory.encode(block, wire)
    return {
      name,
      words,
      changed: changed.map(([index, high, low]) => ({ index, word: hexHalves({ low, high }) })),
      bytes: hexBytes(wire.bytes.subarray(0, bytes)),
    }
  })
}

export function formatSparse(): string {
  return formatLists({ blocks: sparseVectors() })
}

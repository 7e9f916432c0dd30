/**
 * Writes spec/vectors/digest.json: values of mix, hash, row addresses, fingerprints and labels (spec/semantics.md §4).
 * `npx tsx tools/vectors.ts`; a test compares the file with a fresh run and recomputes it from the formulas, in bigint.
 */
import { Fingerprint, Mixer } from '../../packages/atomik/src/algebra/index.ts'
import { firstLabel, nextLabel } from '../../packages/atomik/src/engine/label.ts'
import { SeededRandom } from '../../packages/atomik/src/engine/random.ts'
import { encodeUtf8, type Halves } from '../../packages/atomik/src/wire/index.ts'
import { formatLists, hexBytes, hexHalves, hexWord, parseHalves } from './text.ts'

export function digestVectors() {
  const random = new SeededRandom(20_261_124)
  const draw = (): Halves => ({ low: random.next32() | 0, high: random.next32() | 0 })
  const mixer = new Mixer()
  const mixed = (): string => hexHalves(mixer)
  const edges = [
    '0x0',
    '0x1',
    '0x80000000',
    '0xffffffff',
    '0x100000000',
    '0x8000000000000000',
    '0xffffffffffffffff',
  ]
  const pairs = [
    ...edges.flatMap(address => edges.map(value => [parseHalves(address), parseHalves(value)] as const)),
    ...Array.from({ length: 24 }, () => [draw(), draw()] as const),
  ]
  const mix = pairs.map(([address, value]) => {
    mixer.mix(address.low, address.high, value.low, value.high)
    return { address: hexHalves(address), value: hexHalves(value), mix: mixed() }
  })

  const inputs: [number, Uint8Array][] = [
    [0, new Uint8Array(0)],
    [1, new Uint8Array(0)],
    [0, Uint8Array.of(0)],
    [0, Uint8Array.of(0, 0)],
    [0, encodeUtf8('ATL')],
    [1, encodeUtf8('ATL')],
    [63, encodeUtf8('Zürich')],
    [0x7265_636f, Uint8Array.from({ length: 300 }, (_, i) => i & 255)],
    [0xffff_ffff, encodeUtf8('seed with the high bit')],
  ]
  const hash = inputs.map(([seed, bytes]) => {
    mixer.hash(seed, bytes)
    return { seed: hexWord(seed), bytes: hexBytes(bytes), hash: mixed() }
  })

  const rows = [
    ['ATL', 0, 0],
    ['ATL', 0, 1],
    ['ATL', 1, 1],
    ['LAX', 0, 7],
    ['東京', 5, 4095],
  ] as const
  const addresses = rows.map(([key, table, word]) => {
    mixer.hash(table, encodeUtf8(key))
    const address = { low: (mixer.low + Math.imul(word, 0x9e37_79b1)) | 0, high: mixer.high }
    return { table, key, word, address: hexHalves(address) }
  })

  const fingerprintOf = (name: string, words: readonly (readonly [Halves, Halves])[]) => {
    const print = new Fingerprint()
    for (const [address, value] of words)
      print.replace(address.low, address.high, 0, 0, value.low, value.high)
    return {
      name,
      words: words.map(([address, value]) => ({ address: hexHalves(address), value: hexHalves(value) })),
      sum: hexHalves(print),
      digest: print.digest(words.length),
    }
  }
  const at = (n: number): Halves => ({ low: n, high: 0 })
  const many = Array.from({ length: 16 }, () => [draw(), draw()] as const)
  const fingerprints = [
    fingerprintOf('empty', []),
    fingerprintOf('one zero', [[at(0), at(0)]]),
    fingerprintOf('two zeros', [
      [at(0), at(0)],
      [at(1), at(0)],
    ]),
    fingerprintOf('5 and 6', [
      [at(0), at(5)],
      [at(1), at(6)],
    ]),
    fingerprintOf('6 and 5', [
      [at(0), at(6)],
      [at(1), at(5)],
    ]),
    fingerprintOf('sixteen', many),
    fingerprintOf('sixteen, backwards', [...many].reverse()),
  ]

  const labels = [0, 1].map(i => {
    const incarnation = Uint8Array.from({ length: 16 }, () => random.next32() & 255)
    let label = firstLabel(incarnation)
    const first = hexHalves(label)
    const steps = [1, 2, 40, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER].map((to, step) => {
      const salt = i === 0 && step === 0 ? at(0) : draw()
      const digest = step === 1 ? at(0) : draw()
      label = nextLabel(label, salt, digest, to)
      return { salt: hexHalves(salt), digest: hexHalves(digest), to: hexWord(to), label: hexHalves(label) }
    })
    return { incarnation: hexBytes(incarnation), first, steps }
  })
  return { mix, hash, addresses, fingerprints, labels }
}

export function formatDigest(): string {
  return formatLists(digestVectors())
}

// Reads a 64-bit little-endian RISC-V executable: its loadable segments, its entry, and the address of `tohost`: that of
// the symbol, or of the section `.tohost` when the symbols were stripped.
//
// Bytes come from anywhere, so every offset is checked before it is followed; what does not fit is refused with an
// ElfError and one sentence. Nothing is relocated or loaded here.

export class ElfError extends Error {}

export interface Segment {
  /** physical address of the first byte */
  address: bigint
  /** bytes held by the file */
  bytes: Uint8Array
  /** size in memory; what the file does not hold is zero */
  memoryBytes: bigint
}

export interface Elf {
  entry: bigint
  segments: Segment[]
  tohost: bigint | undefined
}

const EM_RISCV = 243
const PT_LOAD = 1
const SHT_SYMTAB = 2

/** @throws ElfError when the bytes are not a 64-bit RISC-V executable */
export function readElf(file: Uint8Array): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const within: Within = (offset, bytes, what) => {
    if (offset + bytes > BigInt(file.byteLength))
      throw new ElfError(`${what} lies outside the file (${offset} + ${bytes} > ${file.byteLength} bytes)`)
    return Number(offset)
  }
  if (file.byteLength < 64) throw new ElfError(`not an ELF file: ${file.byteLength} bytes, a header has 64`)
  if (view.getUint32(0, false) !== 0x7f454c46)
    throw new ElfError('not an ELF file: no 7f 45 4c 46 at its start')
  if (view.getUint8(4) !== 2) throw new ElfError('a 32-bit ELF file; this core is RV64')
  if (view.getUint8(5) !== 1) throw new ElfError('a big-endian ELF file; RISC-V is little-endian')
  if (view.getUint16(18, true) !== EM_RISCV)
    throw new ElfError(`ELF machine ${view.getUint16(18, true)}, wanted ${EM_RISCV} (RISC-V)`)
  if (view.getUint16(16, true) !== 2)
    throw new ElfError(`ELF type ${view.getUint16(16, true)}, wanted 2 (executable)`)

  const headerEntryBytes = BigInt(view.getUint16(54, true))
  const headerCount = BigInt(view.getUint16(56, true))
  if (headerCount > 0n && headerEntryBytes < 56n)
    throw new ElfError('program header entries are shorter than 56 bytes')
  const headersAt = within(
    view.getBigUint64(32, true),
    headerEntryBytes * headerCount,
    'the program header table',
  )
  const segments: Segment[] = []
  for (let i = 0; i < Number(headerCount); i++) {
    const at = headersAt + i * Number(headerEntryBytes)
    if (view.getUint32(at, true) !== PT_LOAD) continue
    const fileBytes = view.getBigUint64(at + 32, true)
    const memoryBytes = view.getBigUint64(at + 40, true)
    if (memoryBytes < fileBytes) throw new ElfError(`segment ${i} is larger in the file than in memory`)
    const start = within(view.getBigUint64(at + 8, true), fileBytes, `segment ${i}`)
    if (memoryBytes === 0n) continue
    segments.push({
      address: view.getBigUint64(at + 24, true),
      bytes: file.subarray(start, start + Number(fileBytes)),
      memoryBytes,
    })
  }
  if (segments.length === 0) throw new ElfError('nothing to load: no PT_LOAD segment')

  return { entry: view.getBigUint64(24, true), segments, tohost: readTohost(view, within) }
}

type Within = (offset: bigint, bytes: bigint, what: string) => number

/** Whether the zero-ended text at `at` within the file is `wanted`. */
function named(view: DataView, table: { at: number; bytes: number }, offset: number, wanted: string): boolean {
  if (offset + wanted.length + 1 > table.bytes) return false
  for (let k = 0; k < wanted.length; k++)
    if (view.getUint8(table.at + offset + k) !== wanted.charCodeAt(k)) return false
  return view.getUint8(table.at + offset + wanted.length) === 0
}

function readTohost(view: DataView, within: Within): bigint | undefined {
  const headerBytes = view.getUint16(58, true)
  const count = view.getUint16(60, true)
  if (count === 0) return undefined
  if (headerBytes < 64) throw new ElfError('section header entries are shorter than 64 bytes')
  const headers = within(
    view.getBigUint64(40, true),
    BigInt(headerBytes * count),
    'the section header table',
  )
  const strings = (section: number, what: string): { at: number; bytes: number } => {
    if (section >= count) throw new ElfError(`${what} is not among the sections`)
    const at = headers + section * headerBytes
    const bytes = view.getBigUint64(at + 32, true)
    return { at: within(view.getBigUint64(at + 24, true), bytes, what), bytes: Number(bytes) }
  }
  let ofSection: bigint | undefined
  const namesIn = view.getUint16(62, true)
  const names = namesIn === 0 ? undefined : strings(namesIn, 'the table of section names')
  for (let i = 0; i < count; i++) {
    const at = headers + i * headerBytes
    if (names && named(view, names, view.getUint32(at, true), '.tohost'))
      ofSection = view.getBigUint64(at + 16, true)
    if (view.getUint32(at + 4, true) !== SHT_SYMTAB) continue
    const bytes = view.getBigUint64(at + 32, true)
    const table = within(view.getBigUint64(at + 24, true), bytes, 'the symbol table')
    const text = strings(view.getUint32(at + 40, true), 'the string table')
    for (let entry = 0; entry + 24 <= Number(bytes); entry += 24)
      if (named(view, text, view.getUint32(table + entry, true), 'tohost'))
        return view.getBigUint64(table + entry + 8, true)
  }
  return ofSection
}
